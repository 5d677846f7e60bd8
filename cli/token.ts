/** JupyterLab's address with the token that it asks for: for the browser alone, since what is printed is often kept. */
export function withToken(address: string, token: string): string {
  const url = new URL(address);
  if (!/\/lab\/?$/.test(url.pathname)) url.pathname = `${url.pathname.replace(/\/$/, "")}/lab`;
  url.searchParams.set("token", token);
  return url.href;
}
