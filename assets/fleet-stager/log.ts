/** A line of JSON for CloudWatch. */
export const log = (event: string, about: Readonly<Record<string, unknown>>): void =>
  console.log(JSON.stringify({ event, ...about }));
