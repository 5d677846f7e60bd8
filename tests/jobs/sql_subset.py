"""Holds panels to the SQL that runs unchanged on Athena (Trino), BigQuery and DuckDB.

Reads a JSON object from standard input, panel name to SQL, and prints one line per problem. With --markdown it prints
the subset as docs/jobs.md states it.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator

import sqlglot
from sqlglot import exp

DIALECTS = ("trino", "bigquery", "duckdb")

FUNCTIONS = {
    "aggregates": ("AVG", "COUNT", "MAX", "MIN", "STDDEV_SAMP", "SUM", "VAR_SAMP"),
    "numbers": ("ABS", "CEIL", "EXP", "FLOOR", "LN", "POWER", "ROUND", "SQRT"),
    "choices": ("CASE", "CAST", "COALESCE", "NULLIF"),
    "text": ("LENGTH", "LOWER", "UPPER"),
    "time": ("EXTRACT",),
    "windows": ("LAG", "LEAD", "RANK", "ROW_NUMBER"),
}
TYPES = ("BIGINT", "DATE")
RULES = (
    "One SELECT, with WITH, JOIN, GROUP BY, HAVING, WINDOW, UNION ALL, ORDER BY and LIMIT as needed.",
    "Names are not quoted: the engines quote differently.",
    "Every ORDER BY says NULLS FIRST or NULLS LAST: the engines differ.",
    "What is divided is multiplied by `1e0` first (`a * 1e0 / b`): Athena alone truncates integers.",
)

ALLOWED = {name for names in FUNCTIONS.values() for name in names}
SPELLED = {"POW": "POWER", "STDDEV": "STDDEV_SAMP", "VARIANCE": "VAR_SAMP", "IF": "CASE"}
OPERATORS = (exp.And, exp.Or, exp.Xor)  # functions to the parser alone


def functions(tree: exp.Expression) -> Iterator[str]:
    for node in tree.find_all(exp.Func):
        if isinstance(node, exp.Anonymous):
            yield node.name.upper()
        elif isinstance(node, exp.If) and isinstance(node.parent, exp.Case):
            continue  # a WHEN of a CASE
        elif not isinstance(node, OPERATORS):
            name = node.sql_name()
            yield SPELLED.get(name, name)


def problems(sql: str) -> Iterator[str]:
    """What keeps a panel's SQL from running unchanged on every engine."""
    plain = re.sub(r"\{([a-z][a-z0-9_]*)\}", r"\1", sql)
    try:
        trees = [sqlglot.parse_one(plain, read=dialect) for dialect in DIALECTS]
    except sqlglot.errors.ParseError as error:
        yield f"does not parse: {error.errors[0]['description']}"
        return
    tree = trees[0]
    for div in [node for each in trees for node in each.find_all(exp.Div)]:
        if "1E0" not in div.this.sql(dialect="trino").upper():
            yield f"divides {div.this.sql(dialect='trino')}; multiply it by 1e0 first"
            return
        div.set("typed", None)
    if not isinstance(tree, (exp.Select, exp.Union)):
        yield f"is not a SELECT but {tree.key.upper()}"
        return
    if any(other != tree for other in trees[1:]):
        yield f"means different things to {', '.join(DIALECTS)} (is NULLS FIRST or NULLS LAST missing?)"
    for name in sorted(set(functions(tree)) - ALLOWED):
        yield f"uses {name}, which is not in the subset"
    for cast in tree.find_all(exp.Cast):
        if cast.to.sql(dialect="trino").split("(")[0] not in TYPES:
            yield f"casts to {cast.to.sql(dialect='trino')}; types are {', '.join(TYPES)}"
    if "::" in plain:
        yield "casts with ::, which Athena doesn't know; write CAST"
    if any(identifier.quoted for identifier in tree.find_all(exp.Identifier)):
        yield "quotes a name; the engines quote differently"


def markdown() -> str:
    rules = [f"- {rule}" for rule in RULES]
    rows = [f"- {kind.capitalize()}: {', '.join(f'`{name}`' for name in names)}." for kind, names in FUNCTIONS.items()]
    types = f"- Types to cast to: {', '.join(f'`{name}`' for name in TYPES)} (for a double, multiply by `1e0`)."
    return "\n".join([*rules, *rows, types])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", action="store_true", help="print the subset instead")
    if parser.parse_args().markdown:
        print(markdown())
        return
    found = [f"{name} {problem}" for name, sql in json.load(sys.stdin).items() for problem in problems(sql)]
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
