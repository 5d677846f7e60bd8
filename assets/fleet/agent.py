"""What goes on on each machine of a fleet while it runs, as root: users, their credentials, and the word to the lake.

On the head it also does what is asked by way of the lake. Nothing that fails ends it: it is said in the report.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import access
import notebooks
import tidy
import units
from fleet_hdfs import FleetError, run
from fleet_lake import FleetLake
from head import Head
from metadata import Metadata
from node_config import FILE, NodeConfig, read_config
from notice import Notice
from report import STATE, Reporter, script

LOOK_S = 5
RETRY_S = 30
MINUTE = 60
WARN_S = (3600, 600)
USERS = access.FOLDER / "users.json"  # in memory, as what becomes of it


@dataclass
class Duty:
    """Something that is done again and again, by itself: what hangs keeps nothing else from being done."""

    name: str
    every: float
    do: Callable[[], object]
    problem: str | None = None

    def go_on(self) -> None:
        """To the end of this program."""
        while True:
            self.look()
            # What failed may hold up others, such as a run that has no credentials.
            time.sleep(self.every if self.problem is None else min(self.every, RETRY_S))

    def look(self) -> None:
        """Once. What goes wrong is noted."""
        try:
            self.do()
            self.problem = None
        except Exception as error:
            self.problem = str(error) if isinstance(error, FleetError) else f"{self.name}: {error!r}"
            print(f"agent: {self.problem}", file=sys.stderr, flush=True)


@dataclass
class Agent:
    """Of one machine."""

    config: NodeConfig
    metadata: Metadata
    lake: FleetLake
    warned: set[tuple[str, int]] = field(default_factory=set)
    ends: Sequence[tuple[str, datetime, str]] = ()
    head: Head | None = None

    def duties(self) -> list[Duty]:
        """All of them; the report tells what the others came upon."""
        own = [Duty("users", MINUTE, self.follow_users)]
        if self.config.access:
            own.insert(0, Duty("access", access.RENEW_S, lambda: access.renew(self.config, self.reporter.name)))
        if self.config.is_head:
            self.head = Head(self.config, self.lake)
            own += [Duty("head", LOOK_S, self.head.look), Duty("warnings", MINUTE, self.warn)]
            own.append(Duty("tidy", tidy.EVERY_S, lambda: tidy.tidy(self.lake)))
        if self.config.notebooks:
            own.append(Duty("spark.conf", MINUTE, self.follow_conf))
        if self.config.role == "worker":
            notice = Notice(self.metadata, self.config.services, self.config.master, lambda: self.report(own))
            own.append(Duty("notice", LOOK_S, notice.look))
        return [*own, Duty("report", MINUTE, lambda: self.report(own))]

    @property
    def reporter(self) -> Reporter:
        """What tells of this machine."""
        return Reporter(self.config, self.metadata)

    def report(self, duties: list[Duty]) -> None:
        """To the lake."""
        told = self.reporter.full(filter(None, (each.problem for each in duties)))
        if self.head:
            told["rests"] = self.head.rests
        self.lake.write(self.lake.key(f"nodes/{self.reporter.name}.json"), told)

    def follow_users(self) -> None:
        """Accounts as the fleet's file has them, and a server for each; whoever is gone has none a moment later."""
        fetch = [sys.executable, str(Path(__file__)), "fetch", "users.json", str(USERS)]
        try:
            script("users.py", "--file", str(USERS), "sync", "--fetch", *fetch)
        finally:
            if self.config.notebooks:
                notebooks.follow_users(notebooks.admitted(), self.config.namenode)

    def follow_conf(self) -> None:
        """What notebooks ask Spark for."""
        text = self.lake.read(self.lake.key("spark.conf"))
        if text is not None:
            units.write_file(STATE / "spark.conf", text.decode())

    def warn(self) -> None:
        """Whoever is on, an hour and ten minutes before the fleet ends, or is stopped by the clock."""
        try:
            told = self.lake.read_json(self.lake.key("reaper.json"))
            self.ends = ends_of(told) if told is not None else []
        finally:  # where the lake doesn't answer, or not in words that can be read, what it said last holds
            self.tell_of_ends()

    def tell_of_ends(self) -> None:
        """Twice of each."""
        lines: list[str] = []
        for what, moment, text in self.ends:
            left = moment.timestamp() - time.time()
            due = min((each for each in WARN_S if left <= each), default=None)
            if due is None:
                self.warned -= {(what, each) for each in WARN_S}
                continue
            line = text.format(f"{moment:%H:%M} UTC")
            lines.append(f"{line}\n")
            if (what, due) not in self.warned:
                self.warned.add((what, due))
                units.call("wall", line)
        units.write_file("/etc/motd", "".join(lines))


def ends_of(told: Mapping[str, Any]) -> list[tuple[str, datetime, str]]:
    """What the reaper will do whoever is on: what it is, when, and how it is told of."""
    clock, power = told.get("clock") or {}, told.get("power") or {}
    moments = [
        ("end", told["ends"], "This fleet ends at {}, with all that is in HDFS and on its disks."),
        (
            "clock",
            clock.get("off"),
            "All machines of this fleet are stopped at {}, with whoever is on. Disks and HDFS stay.",
        ),
        (
            "off",
            told.get("nodesStop") if power.get("state") == "off" else None,
            "All machines of this fleet are being stopped, in some minutes. Disks and HDFS stay.",
        ),
    ]
    return [
        (what, datetime.fromisoformat(moment).astimezone(timezone.utc), text)
        for what, moment, text in moments
        if moment
    ]


def fetch(config: NodeConfig, name: str, file: Path) -> None:
    """An object of the fleet's as a file; what isn't there is an error, as nothing is known then."""
    lake = FleetLake(config.lake, config.fleet)
    data = lake.read(lake.key(name))
    if data is None:
        raise FleetError(f"{lake.lake}/{lake.key(name)} is not there")
    if not units.write_file(file, data.decode()):
        os.utime(file)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=FILE, help="what the machine is told (default: %(default)s)")
    commands = parser.add_subparsers(dest="command", required=True, metavar="run|fetch")
    commands.add_parser("run", help="go on until it is ended")
    fetching = commands.add_parser("fetch", help="bring an object of the fleet's here")
    fetching.add_argument("name", help="its key, below the fleet's")
    fetching.add_argument("file", type=Path, help="where it goes")
    options = parser.parse_args()
    config = read_config(options.config)
    os.environ.setdefault("AWS_REGION", config.region)
    if options.command == "fetch":
        return fetch(config, options.name, options.file)
    duties = Agent(config, Metadata(), FleetLake(config.lake, config.fleet)).duties()
    threads = [threading.Thread(target=duty.go_on, name=duty.name) for duty in duties]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    run("agent", main)
