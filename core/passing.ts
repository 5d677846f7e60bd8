/** What can't be told now, and may be later: a service that is asked too often, a network that is gone. */
export class PassingError extends Error {
  override readonly name = "PassingError";
}
