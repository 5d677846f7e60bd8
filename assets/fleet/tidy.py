"""Takes away what a fleet's head was asked, and what it answered, once nobody waits for it any more."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fleet_lake import FleetLake

# Whoever asks looks for the answer every two seconds, and comes back within a day or asks again.
DONE_S = 86_400
# What was asked longer ago is asked by nobody any more.
STALE_S = 7 * 86_400
EVERY_S = 3600
# The answer about data nodes is no request's; see head.py.
OWN = {"members"}


def tidy(lake: FleetLake) -> list[str]:
    """Removes requests with uploads and answers, of this fleet alone; names of what went."""
    ages = {folder: ages_in(lake, folder) for folder in ("requests", "answers", "uploads")}
    done = {name for name, age in ages["answers"].items() if age > DONE_S and name not in OWN and has_ended(lake, name)}
    gone = [
        f"{folder}/{name}{suffix}"
        # The answer is last: until then the rest is known as done.
        for folder, suffix in (("uploads", ""), ("requests", ".json"), ("answers", ".json"))
        for name, age in sorted(ages[folder].items())
        if name in done or (age > STALE_S and name not in OWN)
    ]
    for name in gone:
        lake.remove(lake.key(name))
    return gone


def ages_in(lake: FleetLake, folder: str) -> dict[str, float]:
    """How many seconds ago each was written, by its name."""
    files = lake.list(lake.key(folder))
    return {file.base_name.removesuffix(".json"): time.time() - file.mtime_ns / 1e9 for file in files}


def has_ended(lake: FleetLake, name: str) -> bool:
    """Whether an answer is the last word."""
    answer = lake.read_json(lake.key(f"answers/{name}.json"))
    return isinstance(answer, dict) and answer.get("state") in ("done", "failed")
