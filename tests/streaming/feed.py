"""Feeds a stream that is made up to an engine, as Spark would: from where the state is, in batches that are alike.

The clock goes by the batch, so that whatever is written twice can be compared byte by byte. ONEOFF_TEST_STORE has a
store's address, index, login and certificate as JSON, where rows are to go into one too.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import conftest  # noqa: F401 - has what follows be found
import streaming_store
from streaming_support import BEGIN, Clock, engine, stream

ROWS, BATCH = 300, 25


def feed(folder: Path, every: float, run: str) -> None:
    """Until all rows are done."""
    clock, records = Clock(), stream(ROWS)
    one = engine(folder, run=run, every=every, clock=clock, more=stores(run))
    if one.state.batch:
        clock.now = BEGIN / 1000 + one.state.batch - 1
        one.settle()  # as is done from time to time
    for at in range(0, ROWS, BATCH):
        clock.now = BEGIN / 1000 + one.state.batch
        batch = records[at : at + BATCH]
        if not all(one.state.is_done(*record[:3]) for record in batch):
            one.batch(batch)
    one.end()


def stores(run: str) -> list[streaming_store.Store]:
    """None, or the one that was named."""
    told = json.loads(os.environ.get("ONEOFF_TEST_STORE", "null"))
    if told is None:
        return []
    streaming_store.MOST_BYTES = 3_000  # several requests to a batch
    place = streaming_store.StorePlace(told["address"], told["index"], run, 2, told["login"], Path(told["ca"]))
    return [streaming_store.Store(place)]


if __name__ == "__main__":
    feed(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3])
