"""What a machine tells of itself each minute: a NodeReport of core/fleet-lake.ts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import fleet_accounts
import units
from fleet_hdfs import FleetError
from idle import name_of
from metadata import Metadata
from node_config import NodeConfig
from notebooks import ADMITTED, Notebook, notebooks

HERE = Path(__file__).parent
SCRIPT_S = 60
STATE = Path("/var/lib/oneoff")
HOST_KEYS = Path("/etc/ssh")
GPUS = ("nvidia-smi", "--query-gpu=index,utilization.gpu,memory.used,memory.total", "--format=csv,noheader,nounits")


def now() -> str:
    """In UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


class Reporter:
    """Of one machine."""

    def __init__(self, config: NodeConfig, metadata: Metadata) -> None:
        """Asks nothing yet."""
        self.config, self.metadata = config, metadata

    @property
    def name(self) -> str:
        """What the machine is called."""
        return self.config.node or f"{self.config.role}-{self.metadata.facts['instance']}"

    def brief(self, state: str, problem: str | None) -> dict[str, Any]:
        """What can be told while nothing is there yet."""
        facts = {key: value for key, value in self.metadata.facts.items() if key != "address"}
        return {
            "node": self.name,
            "role": self.config.role,
            **facts,
            "reported": now(),
            "state": state,
            "problem": problem,
            "services": [],
            "idle": None,
            "gpus": [],
            "sessions": [],
            "hostKeys": host_keys(),
            "notebooks": [],
            "pages": {},
            "usersConfirmed": None,
            "taken": None,
        }

    def full(self, problems: Iterable[str]) -> dict[str, Any]:
        """All of it. What can't be told is left out and said to be a problem; idle then counts as busy."""
        found = list(problems)

        def tried(ask: Callable[[], Any], otherwise: Any) -> Any:  # noqa: ANN401
            try:
                return ask()
            except (FleetError, OSError, ValueError, KeyError) as error:
                found.append(str(error))
                return otherwise

        users = notebooks() if self.config.notebooks else []
        told = {
            "services": tried(self.services, []),
            "idle": tried(lambda: self.idle(users), None),
            "gpus": tried(gpus, []) if self.config.gpus else [],
            "sessions": tried(sessions, []),
            "notebooks": [{"user": each.user, "port": each.port} for each in users],
            "usersConfirmed": tried(users_confirmed, None),
            "taken": tried(self.metadata.taken, None),
            **({"pages": self.config.pages, "fleet": tried(self.fleet, None)} if self.config.is_head else {}),
        }
        return {**self.brief("ready", "; ".join(found) or None), **told}

    def services(self) -> list[dict[str, str]]:
        """Each, and whether it serves."""
        words = {"active": "ready", "activating": "starting", "reloading": "starting"}
        names = self.config.services
        return [
            {"name": name.removeprefix("oneoff-").removesuffix(".service"), "state": words.get(state, "down")}
            for name, state in zip(names, units.states(names), strict=True)
        ]

    def idle(self, users: list[Notebook]) -> dict[str, Any]:
        """Whether anybody works here, by idle.py."""
        words = ["--state", str(STATE / "idle.json")]
        if self.config.is_head:
            words += ["--master", self.config.master]
        for each in users:
            words += ["--jupyter", each.url, "--token-file", str(each.token_file)]
        if self.config.gpus:
            words += ["--gpu-below", "5"]
        return script("idle.py", *words)

    def fleet(self) -> dict[str, Any]:
        """HDFS and Spark, by fleet_status.py."""
        return script("fleet_status.py", "--namenode", self.config.namenode, "--master", self.config.master)


def script(name: str, *words: str) -> Any:  # noqa: ANN401 -- JSON
    """What a script of the fleet prints, whatever became of the rest."""
    command = [sys.executable, str(HERE / name), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=SCRIPT_S)
    except subprocess.TimeoutExpired as error:
        raise FleetError(f"{name} took longer than {SCRIPT_S} s") from error
    if done.returncode:
        raise FleetError((done.stderr.strip().splitlines() or [f"{name} ended with {done.returncode}"])[-1])
    return json.loads(done.stdout)


def gpus() -> list[dict[str, Any]]:
    """Each, with what is used of it."""
    rows = (line.split(",") for line in units.call(*GPUS).splitlines())
    return [
        {
            "index": index.strip(),
            "percent": float(percent),
            "usedMebibytes": int(used),
            "mebibytes": int(whole),
        }
        for index, percent, used, whole in rows
    ]


def sessions() -> list[str]:
    """Who is on by SSH."""
    return sorted({name_of(uid) for _, uid in fleet_accounts.ssh_sessions()})


def host_keys() -> list[str]:
    """By which SSH knows this machine."""
    return [" ".join(file.read_text().split()[:2]) for file in sorted(HOST_KEYS.glob("ssh_host_*_key.pub"))]


def users_confirmed() -> str | None:
    """When the copy of the users was last known to be so."""
    try:
        confirmed = json.loads(ADMITTED.read_text())["confirmed"]
    except FileNotFoundError:
        return None
    return datetime.fromtimestamp(confirmed, timezone.utc).isoformat(timespec="seconds") if confirmed else None
