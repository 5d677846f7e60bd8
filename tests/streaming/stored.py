"""Holds what a store has against the lake: FOLDER RUN FEATURES, and documents by names as JSON on standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import conftest  # noqa: F401 - has what follows be found
from streaming_support import table


def main(folder: Path, run: str, features: int) -> None:
    """Fails where a document differs from its row, or one of them has no other."""
    rows = {}
    for name in ("predictions", "rejected"):
        for row in table(folder, name, run, features):
            row["event_time"] = round(1000 * row["event_time"].timestamp())
            key = "{topic}-{kafka_partition}-{kafka_offset}".format(**row)
            assert key not in rows, f"{key} is in the lake twice"
            rows[key] = {"run": run, **row}
    found = json.load(sys.stdin)
    assert found.keys() == rows.keys(), f"only one has {sorted(found.keys() ^ rows.keys())[:10]}"
    for key, document in found.items():
        assert document == rows[key], f"{document} is not {rows[key]}"
    print(f"{len(found)} documents are the lake's rows")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
