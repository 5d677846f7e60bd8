"""What a fleet's head does of what is asked by way of the lake: runs, requests, and which data nodes belong to HDFS."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import units
from fleet_hdfs import FleetError, RefusalError
from fleet_lake import FleetLake
from node_config import NodeConfig
from report import HERE, STATE, now

RUNS = STATE / "runs"
MEMBERS = STATE / "namenode/data/members.json"
ENTRYPOINT = str(HERE.parent / "hdfs/entrypoint")
HADOOP_HOME = "/opt/oneoff/hadoop"
RUN_UNIT = "oneoff-run@{}.service"
TELL_S = 2
LINES = 20
MOST_ARCHIVE = 1 << 28
# What was asked longer ago is asked by nobody any more.
STALE_S = 7 * 86_400
# An id of a request or a run, which names files.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class Head:
    """Looks for what is asked, and has it done in a thread for each kind."""

    def __init__(self, config: NodeConfig, lake: FleetLake) -> None:
        """Has done nothing yet."""
        self.config, self.lake = config, lake
        self.answered: set[str] = set()
        self.threads: dict[str, threading.Thread] = {}
        self.members: dict[str, Any] | None = None

    def look(self) -> None:
        """Once; what takes long goes on beside."""
        self.start_run()
        if not self.is_at("members"):
            self.follow_members()
        if not self.is_at("request"):
            self.follow_requests()

    def is_at(self, kind: str) -> bool:
        """Whether one of that kind is being done."""
        thread = self.threads.get(kind)
        return thread is not None and thread.is_alive()

    def begin(self, kind: str, work: Callable[[], None]) -> None:
        """Beside what else is done."""
        self.threads[kind] = threading.Thread(target=work, name=kind, daemon=True)
        self.threads[kind].start()

    # Runs.

    def start_run(self) -> None:
        """The one that the owner wants, if it was never begun on this machine. The driver has it run once."""
        for file in self.lake.list(self.lake.key("runs")):
            run = file.base_name.removesuffix(".zip")
            folder = RUNS / run
            if not NAME.fullmatch(run) or folder.exists():
                continue
            archive = self.lake.read(self.lake.key(f"runs/{file.base_name}"), MOST_ARCHIVE)
            if archive is None:
                continue
            fresh = folder.with_name(f".{run}.new")
            fresh.mkdir(parents=True, exist_ok=True)
            (fresh / "run.zip").write_bytes(archive)
            fresh.chmod(0o755)
            fresh.rename(folder)
            units.call("systemctl", "start", "--no-block", RUN_UNIT.format(run))

    # Data nodes.

    def follow_members(self) -> None:
        """Has HDFS consist of the data nodes that are wanted; those that are too many give up their blocks first."""
        wanted = self.lake.read_json(self.lake.key("members.json"))
        if wanted is None or wanted == self.members:
            return

        def work() -> None:
            copies = str(wanted["replication"])
            before = (self.lake.read_json(self.lake.key("answers/members.json")) or {}).get("wanted")
            if before and before["replication"] != wanted["replication"]:
                # First, or those that stay might be fewer than the copies.
                units.call(ENTRYPOINT, "dfs", "-setrep", "-R", copies, "/", env=hdfs_environment(self.config))
            words = ["--namenode", self.config.namenode, "--members", str(MEMBERS), "--replication", copies]
            words += ["--wanted", *(each["address"] for each in wanted["nodes"]), "--patience", "86400"]
            words += ["--", ENTRYPOINT, "refresh-nodes"]
            code = self.perform("members", "hdfs_nodes.py", words, {"wanted": wanted}, hdfs_environment(self.config))
            if code in (0, RefusalError.exit_status):
                self.members = wanted

        self.begin("members", work)

    # Requests.

    def follow_requests(self) -> None:
        """The oldest one that has no answer."""
        for file in self.lake.list(self.lake.key("requests")):
            request = file.base_name.removesuffix(".json")
            age = time.time() - file.mtime_ns / 1e9
            if not NAME.fullmatch(request) or request in {*self.answered, "members"} or age > STALE_S:
                continue
            answer = self.lake.read_json(self.lake.key(f"answers/{request}.json"))
            if answer and answer.get("state") in ("done", "failed"):
                self.answered.add(request)
                continue
            asked = self.lake.read_json(self.lake.key(f"requests/{file.base_name}"))
            if asked is not None:
                self.begin("request", lambda request=request, asked=asked: self.answer(request, asked))
                return

    def answer(self, request: str, asked: Mapping[str, Any]) -> None:
        """Does what is asked, and tells of it."""
        try:
            script, words = self.words_for(request, asked)
        except (KeyError, TypeError, RefusalError) as error:
            problem = f"it is no request that this fleet knows: {error!r}"
            self.tell(request, {"state": "failed", "said": [], "problem": problem, "refused": True})
        else:
            self.perform(request, script, words)
        self.answered.add(request)

    def words_for(self, request: str, asked: Mapping[str, Any]) -> tuple[str, list[str]]:
        """The script for a request, and its arguments."""
        namenode = ["--namenode", self.config.namenode]
        if asked["command"] == "push":
            source = f"{self.lake.lake}/{self.lake.key('uploads')}/{request}"
            overwrite = ["--overwrite"] if asked["overwrite"] else []
            name = f"--name={asked['archive']}"
            return "push.py", [*namenode, *overwrite, name, "--", source, str(asked["folder"])]
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
    ) -> int:
        """Runs a script and tells what it says every two seconds; its exit status."""
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
