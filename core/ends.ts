/** What will stop whoever is at work, and when: people are told before. */
export interface End {
  /** ISO 8601. */
  readonly at: string;
  /** What happens then, a sentence that goes on: "this fleet ends". */
  readonly what: string;
}
