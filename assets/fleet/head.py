"""What a fleet's head does of what is asked by way of the lake: runs, requests, and which data nodes belong to HDFS."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import access
import units
from fleet_hdfs import FleetError, RefusalError
from fleet_lake import FleetLake
from node_config import NodeConfig
from report import HERE, STATE, now
from tidy import STALE_S

RUNS = STATE / "runs"
# Gone when the machine starts again: a run that it was in the middle of is begun again, and says that it was ended.
BEGUN = Path("/run/oneoff/runs")
MEMBERS = STATE / "namenode/data/members.json"
ENTRYPOINT = str(HERE.parent / "hdfs/entrypoint")
HADOOP_HOME = "/opt/oneoff/hadoop"
# Answers that nobody asked for by a request.
MEMBERS_ANSWER, REST = "members", "rest"
RUN_UNIT = "oneoff-run@{}.service"
TELL_S = 2
LINES = 20
# More than any path of HDFS; the system takes 128 kB of one argument.
MOST_WORD = 1 << 15
MOST_ARCHIVE = 1 << 28
# For how long HDFS is waited for to come to rest, before it is looked whether it still is to.
REST_S = 60
# The reaper looks every five minutes; one that doesn't stops nobody.
REAPER_S = 1200
# An id of a request or a run, which names files.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class Head:
    """Looks for what is asked, and has it done in a thread for each kind."""

    def __init__(self, config: NodeConfig, lake: FleetLake) -> None:
        """Has done nothing yet."""
        self.config, self.lake = config, lake
        self.answered: set[str] = set()
        self.threads: dict[str, threading.Thread] = {}
        self.problems: dict[str, str] = {}
        # Which data nodes belong to HDFS, and whether they rest.
        self.members: tuple[dict[str, Any], bool] | None = None
        self.booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)

    def look(self) -> None:
        """Once; what takes long goes on beside. What is wrong of one thing keeps no other from being done."""
        self.note("look for runs", self.start_run)
        if not self.is_at("members"):
            self.note("look for members", self.follow_members)
        self.note("look for requests", self.follow_requests)
        if self.problems:
            raise FleetError("; ".join(self.problems.values()))

    def is_at(self, kind: str) -> bool:
        """Whether one of that kind is being done."""
        thread = self.threads.get(kind)
        return thread is not None and thread.is_alive()

    def begin(self, kind: str, work: Callable[[], None]) -> None:
        """Beside what else is done."""
        self.threads[kind] = threading.Thread(target=self.note, args=(kind, work), name=kind, daemon=True)
        self.threads[kind].start()

    def note(self, kind: str, work: Callable[[], None]) -> None:
        """Does it; what goes wrong is a problem until it goes well."""
        try:
            work()
            self.problems.pop(kind, None)
        except Exception as error:
            self.problems[kind] = str(error) if isinstance(error, FleetError) else f"{kind}: {error!r}"

    # Runs.

    def start_run(self) -> None:
        """The one that the owner wants. The driver has it run once."""
        if "run" in self.config.access and not access.file_of("run").exists():
            return  # it would find no lake
        for file in self.lake.list(self.lake.key("runs")):
            run = file.base_name.removesuffix(".zip")
            begun = BEGUN / run
            if NAME.fullmatch(run) and not begun.exists() and self.bring_run(run, file.base_name):
                units.call("systemctl", "start", "--no-block", RUN_UNIT.format(run))
                begun.parent.mkdir(parents=True, exist_ok=True)
                begun.touch()

    def bring_run(self, run: str, name: str) -> bool:
        """Has its archive be here, whole; whether it is."""
        folder = RUNS / run
        if folder.exists():
            return True
        archive = self.lake.read(self.lake.key(f"runs/{name}"), MOST_ARCHIVE)
        if archive is None:
            return False
        fresh = folder.with_name(f".{run}.new")
        fresh.mkdir(parents=True, exist_ok=True)
        (fresh / "run.zip").write_bytes(archive)
        fresh.chmod(0o755)
        fresh.rename(folder)
        return True

    # Data nodes.

    def follow_members(self) -> None:
        """Has HDFS consist of the data nodes that are wanted; those that are too many give up their blocks first.

        While the reaper is about to stop the machines all of them are in maintenance: nothing is copied when one is
        gone before another, nor when one is back before another.
        """
        wanted = self.lake.read_json(self.lake.key("members.json"))
        rest = is_to_rest(self.lake.read_json(self.lake.key("reaper.json")), self.booted, time.time())
        if wanted is None or (wanted, rest) == self.members:
            return
        try:
            copies, addresses = str(wanted["replication"]), [str(each["address"]) for each in wanted["nodes"]]
        except (KeyError, TypeError) as error:
            raise FleetError(f"the fleet's members.json doesn't say which data nodes there are: {error!r}") from error

        def work() -> None:
            before = (self.lake.read_json(self.lake.key("answers/members.json")) or {}).get("wanted")
            if before and before["replication"] != wanted["replication"]:
                # First, or those that stay might be fewer than the copies.
                units.call(ENTRYPOINT, "dfs", "-setrep", "-R", copies, "/", env=hdfs_environment(self.config))
            words = ["--namenode", self.config.namenode, "--members", str(MEMBERS), "--replication", copies]
            words += ["--wanted", *addresses, "--maintenance", *(addresses if rest else [])]
            words += ["--patience", str(REST_S if rest else 86_400), "--", ENTRYPOINT, "refresh-nodes"]
            code = self.perform(
                REST if rest else MEMBERS_ANSWER,
                "hdfs_nodes.py",
                words,
                {"wanted": wanted},
                hdfs_environment(self.config),
                lambda: self.lake.read_json(self.lake.key("members.json")) != wanted,
            )
            if code == 0 or (code == RefusalError.exit_status and not rest):
                self.members = (wanted, rest)

        self.begin("members", work)

    @property
    def rests(self) -> bool:
        """Whether all machines may be stopped."""
        return self.members is not None and self.members[1]

    # Requests.

    def follow_requests(self) -> None:
        """The oldest one that has no answer; to end a run waits for no other."""
        free = {kind for kind in ("cancel", "request") if not self.is_at(kind)}
        for file in self.lake.list(self.lake.key("requests")) if free else ():
            request = file.base_name.removesuffix(".json")
            age = time.time() - file.mtime_ns / 1e9
            if not NAME.fullmatch(request) or request in {*self.answered, MEMBERS_ANSWER, REST} or age > STALE_S:
                continue
            answer = self.lake.read_json(self.lake.key(f"answers/{request}.json"))
            if answer and answer.get("state") in ("done", "failed"):
                self.answered.add(request)
                continue
            asked = self.read_request(file.base_name)
            kind = "cancel" if is_cancel(asked) else "request"
            if asked is not None and kind in free:
                free.remove(kind)
                self.begin(kind, lambda request=request, asked=asked: self.answer(request, asked))

    def read_request(self, name: str) -> Any:  # noqa: ANN401 -- JSON
        """What is asked; of what can't be read why, which no request is: unanswered it would be in the way for ever."""
        try:
            return self.lake.read_json(self.lake.key(f"requests/{name}"))
        except RefusalError as error:
            return str(error)

    def answer(self, request: str, asked: Mapping[str, Any]) -> None:
        """Does what is asked, and tells of it."""
        try:
            run = run_to_end(asked) if is_cancel(asked) else None
            script, words = ("", []) if run else self.words_for(request, asked)
        except (KeyError, TypeError, ValueError, RefusalError) as error:
            problem = f"it is no request that this fleet knows: {error!r}"
            self.tell(request, {"state": "failed", "said": [], "problem": problem, "refused": True})
        else:
            self.end_run(request, run) if run else self.perform(request, script, words)
        self.answered.add(request)

    def end_run(self, request: str, run: str) -> None:
        """Its driver with all that it has begun. Spark gives back what an application had that is no more."""
        self.tell(request, {"state": "running", "said": [f"run {run} is being ended"]})
        try:
            units.call("systemctl", "stop", RUN_UNIT.format(run))
            self.tell(request, {"state": "done", "said": [], "result": None})
        except FleetError as error:
            self.tell(request, {"state": "failed", "said": [], "problem": str(error)})

    def words_for(self, request: str, asked: Mapping[str, Any]) -> tuple[str, list[str]]:
        """The script for a request, and its arguments."""
        namenode = ["--namenode", self.config.namenode]
        if asked["command"] == "push":
            source = f"{self.lake.lake}/{self.lake.key('uploads')}/{request}"
            overwrite = ["--overwrite"] if asked["overwrite"] else []
            name = f"--name={word(asked['archive'])}"
            return "push.py", [*namenode, *overwrite, name, "--", source, word(asked["folder"])]
        if asked["command"] == "reset":
            from notebooks import notebooks

            servers = [
                word for each in notebooks() for word in ("--notebook", each.url, "--token-file", each.token_file)
            ]
            return "reset.py", [*namenode, "--master", self.config.master, *map(str, servers)]
        raise RefusalError(f"its command is {asked['command']!r}")

    def perform(
        self,
        request: str,
        script: str,
        words: Sequence[str],
        about: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        is_over: Callable[[], bool] = lambda: False,
    ) -> int:
        """Runs a script, until nobody wants it any more, and tells what it says every two seconds; its exit status."""
        process = subprocess.Popen(
            [sys.executable, str(HERE / script), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
        )
        said: deque[str] = deque(maxlen=LINES)
        out: deque[str] = deque(maxlen=1)
        readers = [
            threading.Thread(target=keep_lines, args=pair, daemon=True)
            for pair in ((process.stderr, said), (process.stdout, out))
        ]
        for reader in readers:
            reader.start()
        told: list[str] | None = None
        while any(reader.is_alive() for reader in readers):
            if told != list(said):
                told = list(said)
                self.tell(request, {"state": "running", "said": told, **(about or {})})
            readers[0].join(TELL_S)
            with contextlib.suppress(FleetError):
                if is_over():
                    process.terminate()
        code = process.wait()
        ended: dict[str, Any] = {"said": list(said), **(about or {})}
        if code == 0:
            ended |= {"state": "done", "result": json.loads(out[0]) if out else None}
        else:
            problem = said[-1].partition(": ")[2] if said else ""
            ended |= {
                "state": "failed",
                "problem": problem or f"{script} ended with {code}",
                "refused": code == RefusalError.exit_status,
            }
        self.tell(request, ended)
        return code

    def tell(self, request: str, answer: Mapping[str, Any]) -> None:
        """Whoever asked; a word that is lost is followed by the next."""
        try:
            self.lake.write(self.lake.key(f"answers/{request}.json"), {**answer, "updated": now()})
        except FleetError as error:
            print(f"agent: {error}", file=sys.stderr)


def word(value: Any) -> str:  # noqa: ANN401 -- JSON
    """What can be an argument of a program."""
    if not isinstance(value, str) or len(value.encode()) > MOST_WORD or "\0" in value:
        raise RefusalError(f"{value!r:.100} is no text of up to {MOST_WORD} bytes")
    return value


def is_cancel(asked: object) -> bool:
    """Whether a run is to be ended."""
    return isinstance(asked, dict) and asked.get("command") == "cancel"


def run_to_end(asked: Mapping[str, Any]) -> str:
    """The one that is to be ended. Raises RefusalError where that is no name of one."""
    if not NAME.fullmatch(asked["run"]):
        raise RefusalError(f"its run is {asked['run']!r}")
    return asked["run"]


def is_to_rest(told: Mapping[str, Any] | None, booted: float, now: float) -> bool:
    """Whether the reaper is about to stop the machines. What it said before they were started is no more so."""
    if not told:
        return False
    looked = at(told["looked"])
    if looked is None or looked < booted or now - looked > REAPER_S:
        return False
    stops = at(told["nodesStop"])
    # Once it has stopped them it says no more when it does, and they aren't off yet.
    return bool(told.get("stopping")) or (stops is not None and stops <= now)


def at(moment: str | None) -> float | None:
    """Seconds since 1970."""
    return None if moment is None else datetime.fromisoformat(moment).timestamp()


def keep_lines(stream: Any, lines: deque[str]) -> None:  # noqa: ANN401
    """The last of them."""
    for line in stream:
        lines.append(line.rstrip("\n"))


def hdfs_environment(config: NodeConfig) -> dict[str, str]:
    """What the namenode's own program is run with."""
    host = config.namenode.partition(":")[0]
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(STATE / "namenode"),
        "ONEOFF_ROOT": str(STATE / "namenode"),
        "ONEOFF_ADDRESS": host,
        "ONEOFF_NAMENODE": host,
        "HADOOP_HOME": HADOOP_HOME,
    }
