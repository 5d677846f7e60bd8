/** Ends a test run with one line of what was counted, after everything else that is printed: a run of nothing has failed. */
import type { Reporter, TestModule } from "vitest/node";

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
    const count = (state: string) => tests.filter((test) => test.result().state === state).length;
    // A file or a hook that fails takes its tests with it, and an error between tests belongs to none.
    const broken = suites.filter((suite) => suite.errors().length > 0).length + this.#errors;
    const failed = count("failed") + count("pending") + broken;
    const passed = count("passed");
    if (failed > 0 || passed === 0) process.exitCode = 1;
    console.log(`${passed} passed, ${failed} failed, ${count("skipped")} skipped`);
  }
}
