"""What panels show of a lake's run, computed apart from them: FOLDER RUN; as JSON on standard output."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import conftest  # noqa: F401 - has what follows be found
import duckdb

OFFSETS = 1000


def main(folder: Path, run: str) -> None:
    """By SQL over the part files."""
    for name in ("predictions", "rejected"):
        files = folder / "lake" / name / f"run={run}" / "*.parquet"
        duckdb.sql(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{files}')")
    kinds = {"model": "avg(squared_error)", "mean": "avg(baseline_error)", "noise": "avg(noise_error)"}
    all_kinds = {**kinds, "predicted": "count(squared_error)::DOUBLE"}
    errors = " UNION ALL ".join(
        f"SELECT topic, '{kind}', {sql} FROM predictions GROUP BY topic" for kind, sql in all_kinds.items()
    )
    part = f"floor(kafka_offset / {OFFSETS}) * {OFFSETS}"
    parts = " UNION ALL ".join(
        f"SELECT topic, {part}, '{kind}', {sql} FROM predictions GROUP BY topic, {part}" for kind, sql in kinds.items()
    )
    points = " UNION ALL ".join(
        f"SELECT topic, x1, '{kind}', {column} FROM predictions"
        for kind, column in (("recorded", "y"), ("predicted", "pred"))
    )
    aside = "SELECT topic, reason, count(*) FROM rejected GROUP BY topic, reason"
    found = {"errors": errors, "parts": parts, "points": points, "aside": aside}
    print(json.dumps({name: duckdb.sql(sql).fetchall() for name, sql in found.items()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
