"""Sets which data nodes belong to HDFS.

Those that are not wanted any more are decommissioned: what they hold is copied to the others first, and the call ends
once that is done, and they may be stopped. COMMAND makes the namenode read FILE again. A data node ought to be in
FILE before it is started: the namenode sends away others, which ask again every five seconds.

For those in maintenance nothing is copied: the call ends once the namenode has them so, and they may be stopped.
Those that come back from it stay so until all of them are there, or for five minutes, and again nothing is copied.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from fleet_hdfs import (
    DEAD,
    ENTERING,
    IN_SERVICE,
    FleetError,
    Hdfs,
    Node,
    RefusalError,
    address,
    host_and_port,
    in_words,
    nodes,
    room,
    run,
)

TIMEOUT_S = 10
LOOK_S = 0.2
COMMAND_TRIES_S = 2
BACK_S = 300
# All files are looked through for that.
CHECK_S = 10
NORMAL = "NORMAL"
DECOMMISSIONED = "DECOMMISSIONED"
MAINTENANCE = "IN_MAINTENANCE"

Found = TypeVar("Found")


@dataclass(frozen=True)
class Wish:
    """What is wanted, and where it is written."""

    file: Path
    replication: int
    wanted: Sequence[str]
    maintenance: Sequence[str]
    command: Sequence[str]

    def members(self) -> dict[str, str]:
        """The states of those that stay."""
        return {node: MAINTENANCE if node in self.maintenance else NORMAL for node in self.wanted}


# The file -------------------------------------------------------------------------------------------------------------


def read_members(file: Path) -> dict[str, str]:
    """States by address; none when there is no file."""
    try:
        text = file.read_text()
        return {f"{each['hostName']}:{each['port']}": each["adminState"] for each in json.loads(text or "[]")}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RefusalError(
            f"--members is {file}, which can't be read as data nodes ({error}): "
            "mend it, or delete it if all of --wanted are all that there are"
        ) from error


def write_members(file: Path, members: dict[str, str]) -> None:
    """All of it or nothing, also when the machine stops."""
    content = [
        {"hostName": host, "port": port, "adminState": members[node]}
        for node in sorted(members)
        for host, port in [host_and_port(node)]
    ]
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with fresh.open("w") as stream:
            stream.write(json.dumps(content, indent=1) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(file)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise FleetError(f"--members is {file}, which can't be written: {error.strerror}") from error


# Refusals -------------------------------------------------------------------------------------------------------------


def refuse_wish(wish: Wish) -> None:
    """Refuses what can't be, whatever HDFS holds."""
    if len(set(wish.wanted)) < wish.replication:
        number = len(set(wish.wanted))
        copies = f"{wish.replication} cop{'y' if wish.replication == 1 else 'ies'}"
        raise RefusalError(
            f"{number} data node{'' if number == 1 else 's'} can't keep {copies} of each block: "
            f"keep at least {wish.replication}, or lower the replication first"
        )
    for node in wish.maintenance:
        if node not in wish.wanted:
            raise RefusalError(f"--maintenance has {node}, which is not in --wanted: name it there too")


def refuse_full(all_nodes: Sequence[Node], leaving: Sequence[str], wish: Wish) -> None:
    """Refuses when what those that leave hold does not fit on the others."""
    held = sum(node.used for node in all_nodes if node.address in leaving and node.state != "decommissioned")
    left = room(node for node in all_nodes if node.address in wish.wanted and node.address not in wish.maintenance)
    if held > left:
        raise RefusalError(
            f"{', '.join(leaving)} hold{'s' if len(leaving) == 1 else ''} {in_words(held)}, and the data nodes that "
            f"stay have {in_words(left)} left: delete what is not needed, or keep more data nodes"
        )


# Waiting --------------------------------------------------------------------------------------------------------------


class Patience:
    """How long is waited, in all."""

    def __init__(self, seconds: float) -> None:
        """Begins now."""
        self.seconds = seconds
        self.end = time.monotonic() + seconds

    def wait_for(self, look: Callable[[], Found | None], left: Callable[[], str]) -> Found:
        """What `look` finds, asked for again and again."""
        while (found := look()) is None:
            if time.monotonic() > self.end:
                raise FleetError(f"after {self.seconds:g} seconds {left()}; calling it again goes on")
            time.sleep(LOOK_S)
        return found


class Teller:
    """Prints a line when it is another than the last about the same thing."""

    def __init__(self) -> None:
        """Nothing was said."""
        self.said: dict[str, str] = {}

    def tell(self, what: str, line: str) -> None:
        """On the standard error."""
        if self.said.get(what) != line:
            self.said[what] = line
            print(f"hdfs: {line}", file=sys.stderr, flush=True)


# What is done ---------------------------------------------------------------------------------------------------------


class Members:
    """One call."""

    def __init__(self, hdfs: Hdfs, wish: Wish, patience: float) -> None:
        """Asks nothing yet."""
        self.hdfs = hdfs
        self.wish = wish
        self.patience = Patience(patience)
        self.teller = Teller()

    def set(self) -> None:
        """Writes the file and waits until the namenode has done what it says."""
        refuse_wish(self.wish)
        before = read_members(self.wish.file) or self.find_all()
        wanted = self.wish.members()
        leaving = sorted(set(before) - set(wanted))
        if leaving:
            bean = self.ready()
            all_nodes = nodes(self.hdfs, bean)
            refuse_full(all_nodes, leaving, self.wish)
            left = self.find_left(bean, leaving)
            forgotten = {
                node
                for node in leaving
                if before[node] == DECOMMISSIONED and is_absent(all_nodes, node) and node not in left
            }
            leaving = [node for node in leaving if node not in forgotten]
        self.wait_for_back(
            [node for node, state in before.items() if state == MAINTENANCE and wanted.get(node) == NORMAL]
        )
        self.apply({**wanted, **dict.fromkeys(leaving, DECOMMISSIONED)})
        if leaving:
            self.patience.wait_for(lambda: self.look_left(leaving), lambda: self.what_is_left(leaving))
        if self.wish.maintenance:
            self.patience.wait_for(self.look_resting, self.what_enters)

    def find_all(self) -> dict[str, str]:
        """Those that belong to HDFS while there is no file: any that is there."""
        try:
            return {node.address: NORMAL for node in nodes(self.hdfs) if node.state != DEAD}
        except FleetError:
            return {}

    def apply(self, members: dict[str, str]) -> None:
        """Writes the file and has the namenode read it. One that is not there yet reads it when it starts."""
        write_members(self.wish.file, members)
        try:
            self.hdfs.bean("NameNodeStatus")
        except FleetError as error:  # one that is starting may have read it before
            if isinstance(error.__cause__, ConnectionRefusedError):
                return
        self.patience.wait_for(self.refresh, lambda: f"{' '.join(self.wish.command)} still fails: {self.failure}")

    def refresh(self) -> bool | None:
        """Runs the command; nothing when it failed."""
        try:
            done = subprocess.run(self.wish.command, capture_output=True, text=True)
        except OSError as error:
            raise FleetError(f"{self.wish.command[0]} can't be run: {error.strerror}") from error
        if done.returncode == 0:
            return True
        said = (done.stderr + done.stdout).strip().splitlines()
        self.failure = said[-1] if said else f"exit status {done.returncode}"
        time.sleep(COMMAND_TRIES_S)
        return None

    failure = "it was not run"

    def look_ready(self) -> dict[str, Any] | None:
        """What the namenode says of itself once it serves and is in no safe mode."""
        try:
            bean = self.hdfs.bean("NameNodeInfo")
        except FleetError as error:
            self.trouble = str(error)
            return None
        if bean["Safemode"]:
            self.trouble = "the namenode is in safe mode: data nodes that have blocks are missing"
            return None
        return bean

    trouble = ""

    def ready(self) -> dict[str, Any]:
        """The same, waited for."""
        return self.patience.wait_for(self.look_ready, lambda: self.trouble)

    def wait_for_back(self, back: Sequence[str]) -> None:
        """Until those that were away are there. One that doesn't come is given up: its blocks are to be copied."""
        ends = time.monotonic() + BACK_S
        while back:
            bean = self.look_ready()
            live = {node.address for node in nodes(self.hdfs, bean) if node.state != DEAD} if bean else set()
            away = ", ".join(node for node in back if node not in live)
            if bean and not away:
                return
            if time.monotonic() > ends:
                return self.teller.tell("back", f"going on without {away or 'the namenode'}")
            self.teller.tell("back", f"waiting for {away or 'the namenode'} to come back")
            time.sleep(LOOK_S)

    def entering(self) -> list[str]:
        """Those that can't be stopped yet; none when the namenode is not there."""
        try:
            return [node.address for node in nodes(self.hdfs) if node.state == ENTERING]
        except FleetError:
            return []

    def look_resting(self) -> bool | None:
        """Whether all that are to be in maintenance are."""
        return None if self.entering() else True

    def what_enters(self) -> str:
        """For when it takes too long."""
        return f"{', '.join(self.entering())} can't be stopped yet: the namenode still looks at what they hold"

    def look_left(self, leaving: Sequence[str]) -> bool | None:
        """Whether all have left."""
        bean = self.look_ready()
        if bean is None:
            self.teller.tell("namenode", self.trouble)
            return None
        left = self.find_left(bean, leaving)
        for node in leaving:
            line = f"{node} is being decommissioned: {left[node]}" if node in left else f"{node} is decommissioned"
            self.teller.tell(node, line)
        return None if left else True

    def find_left(self, bean: dict[str, Any], leaving: Sequence[str]) -> dict[str, str]:
        """What keeps each that has not left yet."""
        states = {node.address: node for node in nodes(self.hdfs, bean)}
        under_way = {each["xferaddr"]: each for each in json.loads(bean["DecomNodes"]).values()}
        left: dict[str, str] = {}
        for node in leaving:
            found = states.get(node)
            if found is None or found.state == DEAD:
                if missing := self.count_missing():
                    left[node] = f"it is dead, and {missing}"
            elif found.state != "decommissioned":
                # None until the namenode has looked at them all, and again until it has seen that none is left.
                told = under_way.get(node, {})
                blocks = told.get("underReplicatedBlocks", 0) or found.blocks
                left[node] = f"{blocks:,} block{'' if blocks == 1 else 's'} left"
                if is_open := told.get("underReplicateInOpenFiles", 0):
                    left[node] += f", {is_open:,} of files that are being written, or whose writer died just now"
        return left

    def count_missing(self) -> str:
        """Which blocks have too few copies, in words; "" for none."""
        bean = self.hdfs.bean("FSNamesystem")
        if missing := bean["MissingBlocks"]:
            return f"{blocks_have(missing)} no copy: start it again, or delete the files that hold such blocks"
        if copied := bean["PendingReconstructionBlocks"]:
            return f"{blocks_have(copied + bean['LowRedundancyBlocks'])} too few copies"
        # Where there can't be more, as of a file with more copies than data nodes, nobody would wait for ever.
        needs = bean["LowRedundancyBlocks"] and self.count_short()
        return f"{blocks_have(needs)} too few copies" if needs else ""

    def count_short(self) -> int:
        """How many blocks have fewer copies than they should, and than there are data nodes for."""
        if time.monotonic() < self.next_check:
            return self.short
        staying = sum(node.state == IN_SERVICE for node in nodes(self.hdfs))
        self.short = sum(copies < min(target, staying) for target, copies in self.hdfs.short_blocks())
        self.next_check = time.monotonic() + CHECK_S
        return self.short

    short, next_check = 0, 0.0

    def what_is_left(self, leaving: Sequence[str]) -> str:
        """For when it takes too long."""
        bean = self.look_ready()
        if bean is None:
            return self.trouble
        left = self.find_left(bean, leaving)
        return "; ".join(f"{node} is still being decommissioned, {why}" for node, why in left.items())


def blocks_have(count: int) -> str:
    """How many, and the word that follows."""
    return "1 block has" if count == 1 else f"{count:,} blocks have"


def is_absent(all_nodes: Sequence[Node], node: str) -> bool:
    """Whether the namenode does not hear of it."""
    return all(found.state == DEAD for found in all_nodes if found.address == node)


def positive(text: str) -> int:
    """A whole number above zero."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'"{text}" is no number: expected 1 or more')
    return int(text)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--namenode", type=address, required=True, metavar="HOST:PORT", help="its page's address")
    parser.add_argument("--members", type=Path, required=True, metavar="FILE", help="what its dfs.hosts names")
    parser.add_argument("--replication", type=positive, required=True, metavar="N", help="copies of each block")
    parser.add_argument(
        "--wanted", type=address, nargs="*", required=True, metavar="HOST:PORT", help="where data nodes transfer data"
    )
    parser.add_argument(
        "--maintenance",
        type=address,
        nargs="*",
        default=[],
        metavar="HOST:PORT",
        help="those of them that will be away for a while",
    )
    parser.add_argument("--patience", type=positive, default=600, metavar="SECONDS", help="(default: 600)")
    before, _, command = split(sys.argv[1:])
    options = parser.parse_args(before)
    if not command:
        parser.error("COMMAND is missing: after -- comes what makes the namenode read FILE again")
    if not options.wanted:
        raise RefusalError("--wanted names no data node, and HDFS would be gone: name those that stay")
    wish = Wish(options.members, options.replication, options.wanted, options.maintenance, command)
    Members(Hdfs(options.namenode, TIMEOUT_S), wish, options.patience).set()


def split(arguments: Sequence[str]) -> tuple[Sequence[str], str, Sequence[str]]:
    """What is before and after "--"."""
    if "--" not in arguments:
        return arguments, "", []
    at = arguments.index("--")
    return arguments[:at], "--", arguments[at + 1 :]


if __name__ == "__main__":
    run("hdfs", main)
