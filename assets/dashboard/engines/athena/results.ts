import { type AthenaClient, GetQueryResultsCommand, type GetQueryResultsCommandOutput } from "@aws-sdk/client-athena";
import { GetObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { type Described, typed } from "../../columns.ts";
import type { ResultColumn } from "../../engine.ts";
import { asQueryError, MOST_BYTES, tooLarge } from "../../results.ts";
import { CONVERSIONS } from "./columns.ts";
import { parseCsv } from "./csv.ts";
import { type AthenaScope, refused } from "./errors.ts";
import type { Execution } from "./run.ts";

/** The most that Athena gives at once, the header included. */
const PAGE_ROWS = 1000;

/** Reads results in one request each: small ones from Athena, large ones from the file that it left in the bucket. */
export class AthenaResults {
  readonly #athena: AthenaClient;
  readonly #s3: S3Client;
  readonly #place: AthenaScope;
  /** Columns of queries, by their SQL, whose last result was large: the file doesn't tell their types. */
  readonly #large = new Map<string, readonly Described[]>();

  constructor(athena: AthenaClient, s3: S3Client, place: AthenaScope) {
    this.#athena = athena;
    this.#s3 = s3;
    this.#place = place;
  }

  async columns(sql: string, execution: Execution, signal: AbortSignal): Promise<readonly ResultColumn[]> {
    const known = this.#large.get(sql);
    if (known) return this.#fromFile(known, execution, signal);
    const page = await this.#page(execution.id, signal);
    const columns = columnsOf(page);
    if (page.NextToken === undefined)
      return asQueryError(() => typed(columns, textsOf(page, columns.length), CONVERSIONS));
    this.#large.set(sql, columns);
    return this.#fromFile(columns, execution, signal);
  }

  async #page(id: string, abortSignal: AbortSignal): Promise<GetQueryResultsCommandOutput> {
    try {
      return await this.#athena.send(new GetQueryResultsCommand({ QueryExecutionId: id, MaxResults: PAGE_ROWS }), {
        abortSignal,
      });
    } catch (error) {
      throw refused(error, "athena:GetQueryResults", this.#place);
    }
  }

  async #fromFile(
    columns: readonly Described[],
    { output }: Execution,
    abortSignal: AbortSignal,
  ): Promise<readonly ResultColumn[]> {
    const text = await this.#file(output ?? "", abortSignal);
    return asQueryError(() => {
      const texts = parseCsv(text);
      if (columns.some(({ name }, i) => texts[i]?.[0] !== name)) throw new Error("its result has other columns");
      return typed(
        columns,
        texts.map((values) => values.slice(1)),
        CONVERSIONS,
      );
    });
  }

  async #file(uri: string, abortSignal: AbortSignal): Promise<string> {
    const [, bucket, key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(uri) ?? [];
    try {
      const object = await this.#s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }), { abortSignal });
      const { ContentLength: length = 0 } = object;
      if (length > MOST_BYTES) {
        object.Body?.transformToWebStream().cancel();
        throw tooLarge(length);
      }
      return (await object.Body?.transformToString()) ?? "";
    } catch (error) {
      throw refused(error, "s3:GetObject", this.#place);
    }
  }
}

const columnsOf = ({ ResultSet: set }: GetQueryResultsCommandOutput): readonly Described[] =>
  (set?.ResultSetMetadata?.ColumnInfo ?? []).map(({ Name: name = "", Type: type = "" }) => ({ name, type }));

/** By column; the first row is the header. */
function textsOf({ ResultSet: set }: GetQueryResultsCommandOutput, columns: number): readonly (string | null)[][] {
  const rows = (set?.Rows ?? []).slice(1);
  return Array.from({ length: columns }, (_, i) => rows.map(({ Data: data }) => data?.[i]?.VarCharValue ?? null));
}
