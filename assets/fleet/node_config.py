"""What a machine of a fleet is told of itself: the file that components/aws/fleet/node-config.ts makes."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from fleet_hdfs import RefusalError

FILE = Path("/etc/oneoff/node.json")


@dataclass(frozen=True)
class Disk:
    """A volume of the machine's own, which outlives it."""

    device: str
    folder: str


@dataclass(frozen=True)
class NodeConfig:
    """What it is, and what belongs on it."""

    fleet: str
    role: str
    node: str | None  # None: it is called by its instance, as it is one of a group
    lake: str
    region: str
    namenode: str  # host:port of its page
    master: str | None  # [yarn://]host:port of the page of what shares out the workers; None: it isn't asked from here
    pages: dict[str, str]  # of the head: host:port by name
    disk: Disk | None
    parameters: dict[str, str]  # of Systems Manager, by the secret that each holds
    files: dict[str, str]
    units: dict[str, str]
    services: list[str]  # those of the units that run from the start
    notebooks: bool
    gpus: bool
    access: dict[str, str]  # ARN of the role whose credentials go to an account: "users", "run", "app"

    @property
    def is_head(self) -> bool:
        """Whether it is where the fleet is asked."""
        return self.role == "head"


def read_config(file: Path = FILE) -> NodeConfig:
    """All of it. Raises RefusalError for a file of another version."""
    try:
        found: dict[str, Any] = json.loads(file.read_text())
        if unknown := found.keys() - {field.name for field in fields(NodeConfig)}:
            raise KeyError(", ".join(sorted(unknown)))
        disk = found.pop("disk")
        return NodeConfig(**found, disk=Disk(**disk) if disk else None)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RefusalError(f"{file} is not what a machine of a fleet is told: {error}") from error
