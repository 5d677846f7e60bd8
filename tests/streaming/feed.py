"""Feeds a stream that is made up to an engine, as Spark would: from where the state is, in batches that are alike.

The clock goes by the batch, so that whatever is written twice can be compared byte by byte.
"""

from __future__ import annotations

import sys
from pathlib import Path

import conftest  # noqa: F401 - has what follows be found
from streaming_support import BEGIN, Clock, engine, stream

ROWS, BATCH = 300, 25


def feed(folder: Path, every: float, run: str) -> None:
    """Until all rows are done."""
    clock, records = Clock(), stream(ROWS)
    one = engine(folder, run=run, every=every, clock=clock)
    if one.state.batch:
        clock.now = BEGIN / 1000 + one.state.batch - 1
        one.settle()  # as is done from time to time
    for at in range(0, ROWS, BATCH):
        clock.now = BEGIN / 1000 + one.state.batch
        batch = records[at : at + BATCH]
        if not all(one.state.is_done(*record[:3]) for record in batch):
            one.batch(batch)
    one.end()


if __name__ == "__main__":
    feed(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3])
