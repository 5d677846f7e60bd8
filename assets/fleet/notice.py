"""What a worker does once EC2 has said that it takes the machine away, as it does with spot machines.

Two minutes are left then.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import units
import yarn
from fleet_status import ask_json

WORKER = "oneoff-worker.service"
NODE_MANAGER = "oneoff-nodemanager.service"
# Java with an executor, and not the shell that has started it (see ExecutorRunnable of Spark 3.5.7).
EXECUTORS = "^[^ ]*java .*YarnCoarseGrainedExecutorBackend"


class Tells(Protocol):
    """Who knows of a notice."""

    facts: dict[str, str]

    def taken(self) -> str | None:
        """When the machine is taken away, once that is known."""


@dataclass
class Notice:
    """Of one machine."""

    metadata: Tells
    services: Sequence[str]
    # Where what shares out the workers is asked.
    master: str | None
    told: Callable[[], None]
    heeded: bool = False

    def look(self) -> None:
        """Once. Spark then gives the worker no more tasks and moves what its executors hold; others are told."""
        if self.heeded or self.metadata.taken() is None:
            return
        if WORKER in self.services:
            # The daemon alone, whose signal it is (spark.worker.decommission.signal): the master tells executors.
            units.call("systemctl", "kill", "--kill-whom=main", "--signal=PWR", WORKER)
        if NODE_MANAGER in self.services and self.master:
            self.leave_yarn(self.master.removeprefix(yarn.SCHEME))
        self.heeded = True
        self.told()

    def leave_yarn(self, manager: str) -> None:
        """It starts executors elsewhere; those that are here know a signal (spark.executor.decommission.signal)."""
        yarn.close_node(functools.partial(ask_json, manager), self.metadata.facts["address"])
        units.call("pkill", "--signal=PWR", "--full", EXECUTORS, ok=(0, 1))  # 1: there are none
