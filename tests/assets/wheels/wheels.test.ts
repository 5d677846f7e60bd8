/** What of Python's packaging the choice of wheels goes by. */
import { describe, expect, test } from "vitest";
import { holds, nodeEnvironment } from "../../../assets/wheels/markers.ts";
import { readRequirements } from "../../../assets/wheels/requirements.ts";
import { fitness } from "../../../assets/wheels/wheel-name.ts";

const environment = nodeEnvironment("arm64");

describe("environment markers", () => {
  test.each([
    ["python_full_version < '3.12'", true],
    ["python_version >= '3.10'", true], // 3.10 < 3.11 < 3.9 as text
    ["python_version < '3.9'", false],
    ["python_version == '3.11.*'", true],
    ["python_version ~= '3.8'", true],
    ['sys_platform == "win32"', false],
    ["platform_machine == 'aarch64' and sys_platform == 'linux'", true],
    ["platform_machine != 'aarch64' or (sys_platform == 'linux' and os_name != 'nt')", true],
    ["sys_platform == 'win32' or sys_platform == 'linux' and python_version < '3'", false],
    ["sys_platform in 'linux darwin'", true],
    ["sys_platform not in 'linux darwin'", false],
    ["'3.11' == python_version", true],
    ["platform_python_implementation != 'PyPy'", true],
    ["extra == 'dev'", false],
  ])("%s: %s", (marker, expected) => {
    expect(holds(marker, environment)).toBe(expected);
  });

  test.each([
    "",
    "python_version",
    "flavour == 'x'",
    "(os_name == 'posix'",
    "os_name = 'posix'",
    "os_name == 'a' xor 'b'",
  ])("%j can't be read", (marker) => {
    expect(() => holds(marker, environment)).toThrow("can't be read");
  });
});

describe("requirements.txt", () => {
  const hash = (digit: string) => digit.repeat(64);

  test("is read with its hashes, without comments and what is for other machines", () => {
    const text = `# locked
Foo_Bar[extra]==1.0 \\
    --hash=sha256:${hash("a")} \\
    --hash=sha256:${hash("b")}
    # via something
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:${hash("c")}
`;
    expect(readRequirements(text, environment)).toEqual([
      { name: "foo-bar", version: "1.0", hashes: new Set([hash("a"), hash("b")]) },
    ]);
  });

  test.each(["foo==1.0", `foo>=1.0 --hash=sha256:${hash("a")}`, "-r other.txt", "foo @ https://example.org/foo.whl"])(
    "%j is refused",
    (line) => {
      expect(() => readRequirements(line, environment)).toThrow("expected name==version with --hash=sha256:...");
    },
  );
});

describe("wheels by their names", () => {
  const fits = (file: string, architecture: "arm64" | "x86_64" = "arm64") => fitness(file, "foo", architecture);

  test("the best comes first", () => {
    const best = [
      "foo-1.0-cp311-cp311-manylinux_2_28_aarch64.whl",
      "foo-1.0-cp311-cp311-manylinux2014_aarch64.manylinux_2_17_aarch64.whl",
      "foo-1.0-cp311-abi3-manylinux_2_17_aarch64.whl",
      "foo-1.0-cp38-abi3-manylinux_2_34_aarch64.whl",
      "foo-1.0-py3-none-manylinux_2_17_aarch64.whl",
      "foo-1.0-py2.py3-none-any.whl",
    ];
    const fitnesses = best.map((file) => fits(file) ?? -1);
    expect(fitnesses).toEqual([...fitnesses].sort((a, b) => b - a));
    expect(new Set(fitnesses).size).toBe(best.length);
    expect(Math.min(...fitnesses)).toBeGreaterThanOrEqual(0);
  });

  test.each([
    "foo-1.0-cp311-cp311-manylinux_2_35_aarch64.whl", // newer than Amazon Linux 2023's glibc
    "foo-1.0-cp311-cp311-musllinux_1_2_aarch64.whl",
    "foo-1.0-cp311-cp311-manylinux_2_28_x86_64.whl",
    "foo-1.0-cp311-cp311-macosx_11_0_arm64.whl",
    "foo-1.0-cp311-cp311-win_arm64.whl",
    "foo-1.0-cp310-cp310-manylinux_2_28_aarch64.whl",
    "foo-1.0-cp312-abi3-manylinux_2_28_aarch64.whl",
    "foo-1.0-cp311-cp311t-manylinux_2_28_aarch64.whl",
    "foo-1.0-pp311-pypy311_pp73-manylinux_2_28_aarch64.whl",
    "foo-1.0-py312-none-any.whl",
    "foo-1.0-py2-none-any.whl",
    "food-1.0-py3-none-any.whl",
    "foo-1.0.tar.gz",
  ])("%s doesn't fit", (file) => {
    expect(fits(file)).toBeUndefined();
  });

  test("x86_64", () => {
    expect(fits("foo-1.0-cp311-cp311-manylinux2010_x86_64.manylinux_2_12_x86_64.whl", "x86_64")).toBeGreaterThan(0);
    expect(fits("foo-1.0-cp311-cp311-manylinux_2_28_aarch64.whl", "x86_64")).toBeUndefined();
  });
});
