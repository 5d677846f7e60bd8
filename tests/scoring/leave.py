"""Leaves in FOLDER what scoring is tried with: a lake with a run, rows of two networks beside it, and 1,000 flows."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import conftest  # noqa: F401 - it says where everything is
import scoring_support as support


def main() -> None:
    """FOLDER is the only argument."""
    folder = Path(sys.argv[1])
    rows = [support.train(seed) for seed in (1, 2)]
    support.leave_run(folder / "lake", "1", rows[0], "2026-01-01T00:00:00Z")
    (folder / "rows.json").write_text(json.dumps(rows))
    lines = {
        "flows.csv": support.csv_lines(1_000),
        "flows.jsonl": [support.json_line(row) for row in support.flows().to_pylist()],
    }
    for name, content in lines.items():
        (folder / name).write_bytes(b"".join(line + b"\n" for line in content))


if __name__ == "__main__":
    main()
