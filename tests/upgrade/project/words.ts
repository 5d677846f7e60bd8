import { type Job, job } from "pulumi-oneoff";

/** A job of the user's own, with the module that steps share. */
export const words: Job = job({
  name: "words",
  from: import.meta.url,
  steps: [
    {
      name: "count",
      script: "count.py",
      arguments: ["--words", "{words}", "--scratch", "{scratch}", "--lake", "{lake}", "--run", "{run}", "--rows", "3"],
      pyFiles: ["node_modules/pulumi-oneoff/dist/assets/jobs/oneoff.py"],
      timeLimit: "20 minutes",
    },
  ],
  tables: [
    {
      name: "words",
      about: "A word and how often it occurs",
      columns: [
        { name: "word", type: "string" },
        { name: "occurrences", type: "integer" },
      ],
    },
  ],
  panels: [
    {
      name: "top",
      title: "Most frequent words",
      shows: "The twenty words that occur most often.",
      sql: "SELECT word, occurrences FROM {words} ORDER BY occurrences DESC NULLS LAST LIMIT 20",
      chart: {
        mark: "bar",
        encoding: {
          x: { field: "occurrences", type: "quantitative" },
          y: { field: "word", type: "nominal", sort: "-x" },
        },
      },
    },
  ],
});
