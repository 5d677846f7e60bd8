import type { Job } from "../../core/job.ts";

/** What a step that sends rows to the page names among its secrets. */
export const FEED_TOKEN = "feed-token";

/** Whether a step of the job sends rows to the page: then whoever runs it makes the secret for it. */
export const feedsPage = (job: Job): boolean => job.steps.some(({ secrets }) => secrets.includes(FEED_TOKEN));
