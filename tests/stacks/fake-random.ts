let made = 0;

/** Eight digits that tell the resource, another for each one: what the provider of package random would make up. */
export const randomHex = (name: string): string =>
  `${(made++ % 256).toString(16).padStart(2, "0")}${Buffer.from(name).toString("hex")}`.slice(0, 8).padEnd(8, "0");
