import { spawn } from "node:child_process";

/** Opens a page in the user's browser, where there is one. BROWSER names another program, as it does elsewhere. */
export function openBrowser(url: string): void {
  const opener = process.env.BROWSER || (process.platform === "darwin" ? "open" : "xdg-open");
  spawn(opener, [url], { detached: true, stdio: "ignore" })
    .once("error", () => {}) // no browser here: the address is printed
    .unref();
}
