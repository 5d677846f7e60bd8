/** What environment markers are compared with (https://packaging.python.org/en/latest/specifications/dependency-specifiers/). */
export type Environment = Readonly<Record<string, string>>;

/** Python 3.11 on a node. */
export const nodeEnvironment = (architecture: "arm64" | "x86_64"): Environment => ({
  python_version: "3.11",
  python_full_version: "3.11.9",
  implementation_name: "cpython",
  implementation_version: "3.11.9",
  platform_python_implementation: "CPython",
  os_name: "posix",
  sys_platform: "linux",
  platform_system: "Linux",
  platform_machine: architecture === "arm64" ? "aarch64" : "x86_64",
  extra: "",
});

/**
 * Whether a marker such as `python_version < '3.12' and sys_platform == 'linux'` holds.
 *
 * @throws Error when it can't be read, or names what nobody knows here.
 */
export function holds(marker: string, environment: Environment): boolean {
  const tokens = [...marker.matchAll(/\s*(?:('[^']*'|"[^"]*")|([A-Za-z_]+)|([<>=!~]=?=?|[()])|(\S))/g)].map((match) =>
    match[0].trim(),
  );
  let at = 0;
  const take = () => tokens[at++] ?? "";
  const fail = (): never => {
    throw new Error(`the environment marker ${JSON.stringify(marker)} can't be read`);
  };

  const either = (): boolean => {
    let value = both();
    while (tokens[at] === "or") {
      at += 1;
      const right = both();
      value = value || right;
    }
    return value;
  };
  const both = (): boolean => {
    let value = one();
    while (tokens[at] === "and") {
      at += 1;
      const right = one();
      value = value && right;
    }
    return value;
  };
  const one = (): boolean => {
    if (tokens[at] !== "(") return comparison();
    at += 1;
    const value = either();
    return take() === ")" ? value : fail();
  };
  const operand = (): { readonly value: string; readonly name?: string } => {
    const token = take();
    if (/^['"]/.test(token)) return { value: token.slice(1, -1) };
    const value = environment[token];
    return value === undefined ? fail() : { value, name: token };
  };
  const comparison = (): boolean => {
    const left = operand();
    const operator = take() === "not" ? (take() === "in" ? "not in" : fail()) : (tokens[at - 1] ?? "");
    const right = operand();
    const versions = /version$/.test(left.name ?? right.name ?? "");
    return compare(left.value, operator, right.value, versions) ?? fail();
  };

  const value = either();
  return at === tokens.length ? value : fail();
}

function compare(left: string, operator: string, right: string, versions: boolean): boolean | undefined {
  if (operator === "in") return right.includes(left);
  if (operator === "not in") return !right.includes(left);
  if (versions && right.endsWith(".*")) {
    const within = `${left}.`.startsWith(right.slice(0, -1));
    return operator === "==" ? within : operator === "!=" ? !within : undefined;
  }
  const order = versions ? compareVersions(left, right) : left < right ? -1 : left > right ? 1 : 0;
  switch (operator) {
    case "==":
    case "===":
      return order === 0;
    case "!=":
      return order !== 0;
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
    case ">":
      return order > 0;
    case ">=":
      return order >= 0;
    case "~=":
      return order >= 0 && `${left}.`.startsWith(`${right.split(".").slice(0, -1).join(".")}.`);
    default:
      return undefined;
  }
}

function compareVersions(left: string, right: string): number {
  const [a, b] = [left.split(".").map(Number), right.split(".").map(Number)];
  for (let n = 0; n < Math.max(a.length, b.length); n += 1) {
    const difference = (a[n] ?? 0) - (b[n] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
