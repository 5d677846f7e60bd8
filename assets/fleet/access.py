"""Credentials for accounts of a machine: those of a role that may do less than the machine's own, an hour at a time."""

from __future__ import annotations

import grp
import json
import os
from pathlib import Path

import units
from fleet_hdfs import FleetError
from node_config import NodeConfig

RENEW_S = 1200
SESSION_S = 3600
FOLDER = Path("/run/oneoff")
CONFIG = Path("/etc/oneoff/access")
# Who reads them: everybody who works on the machine, and the accounts that run jobs and score flows.
READERS = {"users": None, "run": "oneoff-run", "app": "oneoff-app"}


def settle(config: NodeConfig) -> None:
    """Says to AWS's libraries where credentials will be, which they read when they start, and never again."""
    for name in config.access:
        settings = f"[default]\nregion = {config.region}\ncredential_process = /usr/bin/cat {file_of(name)}\n"
        units.write_file(CONFIG / name, settings)


def renew(config: NodeConfig, node: str) -> None:
    """Of each role."""
    problems = []
    for name, role in config.access.items():
        try:
            keep(name, assume(role, node))
        except FleetError as error:
            problems.append(str(error))
    if problems:
        raise FleetError("; ".join(problems))


def assume(role: str, node: str) -> dict[str, str]:
    """As AWS's libraries take credentials from a process."""
    words = ["--role-arn", role, "--role-session-name", node[:64], "--duration-seconds", str(SESSION_S)]
    env = {**os.environ, "AWS_STS_REGIONAL_ENDPOINTS": "regional"}
    answer = json.loads(units.call("aws", "sts", "assume-role", "--output", "json", *words, env=env))
    return {"Version": 1, **answer["Credentials"]}


def file_of(name: str) -> Path:
    """Where a role's credentials are, once they are there."""
    return FOLDER / f"{name}.json"


def keep(name: str, credentials: dict[str, str]) -> None:
    """Where those may read them that they are for, and nobody else."""
    FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    reader = READERS[name]
    file = file_of(name)
    units.write_file(file, json.dumps(credentials), 0o644 if reader is None else 0o640)
    if reader is not None:
        os.chown(file, -1, grp.getgrnam(reader).gr_gid)
