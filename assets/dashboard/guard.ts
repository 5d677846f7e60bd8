import type { Context, MiddlewareHandler } from "hono";
import type { ErrorAnswer } from "./api.ts";

const HEADERS = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
} as const;

/**
 * Answers only a browser that has this page open on this machine. The port is free in the Host because people come
 * through port forwards; the name is not, or a page elsewhere could point its own name at 127.0.0.1 and read the answers.
 */
export const guard: MiddlewareHandler = async (context, next) => {
  const refusal = refuse(context);
  if (refusal) context.res = refusal;
  else await next();
  for (const [name, value] of Object.entries(HEADERS)) context.res.headers.set(name, value);
};

export const failure = (
  context: Context,
  status: 400 | 401 | 403 | 404 | 405 | 413 | 416 | 500 | 503,
  error: string,
): Response => context.json({ error } satisfies ErrorAnswer, status, { "Cache-Control": "no-store" });

function refuse(context: Context): Response | undefined {
  const host = context.req.header("host") ?? "";
  const isFeed = context.req.method === "POST" && context.req.path.startsWith("/api/feeds/");
  // Who sends rows may know this by another name, as in a Swarm: the token says that it may, and no browser has that.
  if (!isFeed && !/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(host)) {
    return failure(context, 403, "Open the dashboard as http://127.0.0.1 or http://localhost.");
  }
  if (!sameOrigin(context, host)) return failure(context, 403, "Another site's page may not read the dashboard.");
  if (!isFeed && context.req.method !== "GET" && context.req.method !== "HEAD") {
    return failure(context, 405, "The dashboard can only be read.");
  }
  return undefined;
}

function sameOrigin(context: Context, host: string): boolean {
  const origin = context.req.header("origin");
  if (origin !== undefined && origin !== `http://${host}`) return false;
  const site = context.req.header("sec-fetch-site") ?? "none";
  // A link to the dashboard on someone's page is followed, not read.
  const followed = context.req.path === "/" && context.req.header("sec-fetch-mode") === "navigate";
  return site === "same-origin" || site === "none" || followed;
}
