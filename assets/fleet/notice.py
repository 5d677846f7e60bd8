"""What a worker does once EC2 has said that it takes the machine away, as it does with spot machines.

Two minutes are left then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import units

WORKER = "oneoff-worker.service"


class Tells(Protocol):
    """Who knows of a notice."""

    def taken(self) -> str | None:
        """When the machine is taken away, once that is known."""


@dataclass
class Notice:
    """Of one machine."""

    metadata: Tells
    services: Sequence[str]
    told: Callable[[], None]
    heeded: bool = False

    def look(self) -> None:
        """Once. Spark then gives the worker no more tasks and moves what its executors hold; others are told."""
        if self.heeded or self.metadata.taken() is None:
            return
        if WORKER in self.services:
            # The daemon alone, whose signal it is (spark.worker.decommission.signal): the master tells executors.
            units.call("systemctl", "kill", "--kill-whom=main", "--signal=PWR", WORKER)
        self.heeded = True
        self.told()
