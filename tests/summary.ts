/**
 * Ends a test run with what was left out and why, and one line of what was counted, after everything else that is printed: a
 * run of nothing has failed, and so has one in CI that left something out.
 */
import type { Reporter, TestModule } from "vitest/node";
import { TOOLS } from "./tools.ts";

export default class Summary implements Reporter {
  #modules: readonly TestModule[] = [];
  #errors = 0;

  onInit(): void {
    process.once("exit", () => this.#print());
  }

  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    this.#modules = modules;
    this.#errors = errors.length;
  }

  #print(): void {
    const tests = this.#modules.flatMap((module) => [...module.children.allTests()]);
    const suites = this.#modules.flatMap((module) => [module, ...module.children.allSuites()]);
    const having = (state: string) => tests.filter((test) => test.result().state === state);
    // A file or a hook that fails takes its tests with it, and an error between tests belongs to none.
    const broken = suites.filter((suite) => suite.errors().length > 0).length + this.#errors;
    const failed = having("failed").length + having("pending").length + broken;
    const passed = having("passed").length;
    const skipped = having("skipped");
    for (const { name, description, missing } of TOOLS) {
      const left = skipped.filter(({ tags }) => tags.includes(name)).length;
      if (left > 0 && missing()) console.log(`Not there, so ${left} tests are left out: ${description}`);
    }
    const incomplete = process.env.CI !== undefined && skipped.length > 0;
    if (incomplete) console.log("In CI no test may be left out.");
    if (failed > 0 || passed === 0 || incomplete) process.exitCode = 1;
    console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
  }
}
