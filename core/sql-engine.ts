/** What queries a lake: Athena one on S3, BigQuery one on Cloud Storage, DuckDB one in a folder. */
export const SqlEngine = { duckdb: "DuckDB", athena: "Athena", bigquery: "BigQuery" } as const;
export type SqlEngine = (typeof SqlEngine)[keyof typeof SqlEngine];

export const SQL_ENGINES: readonly SqlEngine[] = Object.values(SqlEngine);

/** Words that are no names unless they are quoted, as each engine's manual lists them. */
const RESERVED: Readonly<Record<SqlEngine, string>> = {
  // Those of `duckdb_keywords()` that can't be a column where they stand alone; a test tries all.
  DuckDB: `all analyse analyze and anti any array as asc asof asymmetric at authorization binary both by case cast check collate
    collation column concurrently constraint create cross default deferrable desc describe distinct do else end except
    fetch for foreign freeze from full glob group having ilike in initially inner intersect into is isnull join lambda
    lateral leading left like limit natural not notnull null offset on only or order outer overlaps pivot pivot_longer
    pivot_wider placing positional primary qualify references returning right select semi show similar some summarize
    symmetric table tablesample then to trailing union unique unpack unpivot using variadic verbose when where window with`,
  // https://trino.io/docs/current/language/reserved.html, and what the list for SELECT has beside those in
  // https://docs.aws.amazon.com/athena/latest/ug/reserved-words.html. Its list for DDL is Hive's: nothing here speaks that.
  Athena: `alter and as auto between by case cast constraint create cross cube current_catalog current_date current_path
    current_role current_schema current_time current_timestamp current_user deallocate delete describe distinct drop else end
    escape except execute exists extract false first for from full group grouping having in inner insert intersect into is
    join json_array json_exists json_object json_query json_table json_value last left like listagg localtime localtimestamp
    natural normalize not null on or order outer prepare recursive right rollup select skip table then trim true uescape
    union unnest using values when where with`,
  // https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#reserved_keywords
  BigQuery: `all and any array as asc assert_rows_modified at between by case cast collate contains create cross cube current
    default define desc distinct else end enum escape except exclude exists extract false fetch following for from full
    graph_table group grouping groups hash having if ignore in inner intersect interval into is join lateral left like limit
    lookup merge natural new no not null nulls of on or order outer over partition preceding proto qualify range recursive
    respect right rollup rows select set some struct tablesample then to treat true unbounded union unnest using when where
    window with within`,
};

const WORDS = new Map(SQL_ENGINES.map((engine) => [engine, new Set(RESERVED[engine].split(/\s+/))] as const));

/** Words that an engine reserves. */
export const reservedWords = (engine: SqlEngine): ReadonlySet<string> => WORDS.get(engine) as ReadonlySet<string>;

/** Engines in whose SQL `name` is no name unless it is quoted. */
export const reservedBy = (name: string): readonly SqlEngine[] =>
  SQL_ENGINES.filter((engine) => reservedWords(engine).has(name.toLowerCase()));

/** `["a", "b", "c"]` as "a, b and c". */
export const listed = (words: readonly string[]): string =>
  words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
