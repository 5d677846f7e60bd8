"""Has sqlglot read panels as Athena (Trino), BigQuery and DuckDB do, and says which of the others reads one otherwise.

Reads a JSON object from standard input, panel name to SQL, and prints a JSON list of [panel, engine, what].
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import sqlglot
from sqlglot import exp

DIALECTS = {"Athena": "trino", "BigQuery": "bigquery"}


def read(sql: str, dialect: str) -> exp.Expression:
    tree = sqlglot.parse_one(sql, read=dialect)
    for division in tree.find_all(exp.Div):
        division.set("typed", None)  # that it truncates is told otherwise
    return tree


def problems(sql: str) -> Iterator[tuple[str, str]]:
    try:
        rehearsed = read(sql, "duckdb")
    except sqlglot.errors.SqlglotError:
        return  # DuckDB itself has read it
    for engine, dialect in DIALECTS.items():
        try:
            if read(sql, dialect) != rehearsed:
                yield engine, f"means something else to {engine} than to DuckDB"
        except sqlglot.errors.SqlglotError:
            yield engine, f"can't be read by {engine}"


def main() -> None:
    panels = json.load(sys.stdin)
    json.dump([[name, *problem] for name, sql in panels.items() for problem in problems(sql)], sys.stdout)


if __name__ == "__main__":
    main()
