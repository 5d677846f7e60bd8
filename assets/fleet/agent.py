"""What goes on on each machine of a fleet while it runs, as root: users, their credentials, and the word to the lake.

On the head it also does what is asked by way of the lake. Nothing that fails ends it: it is said in the report.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

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
    warned: set[int] = field(default_factory=set)
    ends: datetime | None = None

    def duties(self) -> list[Duty]:
        """All of them; the report tells what the others came upon."""
        own = [Duty("users", MINUTE, self.follow_users)]
        if self.config.access:
            own.insert(0, Duty("access", access.RENEW_S, lambda: access.renew(self.config, self.reporter.name)))
        if self.config.is_head:
            head = Head(self.config, self.lake)
            own += [Duty("head", LOOK_S, head.look), Duty("warnings", MINUTE, self.warn)]
            own.append(Duty("tidy", tidy.EVERY_S, lambda: tidy.tidy(self.lake)))
        if self.config.notebooks:
            own.append(Duty("spark.conf", MINUTE, self.follow_conf))
        if self.config.role == "worker":
            notice = Notice(self.metadata, self.config.services, lambda: self.report(own))
            own.append(Duty("notice", LOOK_S, notice.look))
        return [*own, Duty("report", MINUTE, lambda: self.report(own))]

    @property
    def reporter(self) -> Reporter:
        """What tells of this machine."""
        return Reporter(self.config, self.metadata)

    def report(self, duties: list[Duty]) -> None:
        """To the lake."""
        told = self.reporter.full(filter(None, (each.problem for each in duties)))
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
        """Whoever is on, an hour and ten minutes before the fleet ends."""
        try:
            told = self.lake.read_json(self.lake.key("reaper.json"))
            self.ends = None if told is None else datetime.fromisoformat(told["ends"]).astimezone(timezone.utc)
        finally:  # where the lake doesn't answer, what it said last holds
            self.tell_of_end(self.ends)

    def tell_of_end(self, ends: datetime | None) -> None:
        """Once for each of the two."""
        left = (ends.timestamp() - time.time()) if ends else float("inf")
        due = min((each for each in WARN_S if left <= each), default=None)
        if ends is None or due is None:
            self.warned.clear()
            units.write_file("/etc/motd", "")
            return
        text = f"This fleet ends at {ends:%H:%M} UTC, with all that is in HDFS and on its disks."
        units.write_file("/etc/motd", f"{text}\n")
        if due not in self.warned:
            self.warned.add(due)
            units.call("wall", text)


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
