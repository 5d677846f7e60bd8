"""JupyterLab of each user: a server under the user's account, which has the user's token."""

from __future__ import annotations

import json
import os
import pwd
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import fleet_accounts
import units
from fleet_hdfs import Hdfs

ADMITTED = Path("/run/oneoff/admitted.json")
UNIT = "oneoff-notebook@{}.service"
# Nobody but root can put another's file in the place of one: what is read there is sent to its user's server.
TOKENS = Path("/var/lib/oneoff/tokens")
# Of its first port: those of accounts follow, by their ids.
FIRST_PORT = 20_000


@dataclass(frozen=True)
class Notebook:
    """A user's server."""

    user: str
    uid: int

    @property
    def unit(self) -> str:
        """Of systemd."""
        return UNIT.format(self.user)

    @property
    def port(self) -> int:
        """Of 127.0.0.1."""
        return port_of(self.uid)

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def token_file(self) -> Path:
        """The user's own; the server puts a copy into ~/.oneoff."""
        return TOKENS / self.user


def port_of(uid: int) -> int:
    """Nobody else has it."""
    return FIRST_PORT + uid - fleet_accounts.IDS.start


def admitted() -> list[str]:
    """Who has an account here that can be entered."""
    try:
        names = sorted(json.loads(ADMITTED.read_text())["users"])
    except (OSError, ValueError, KeyError):
        return []
    return [name for name in names if fleet_accounts.account_id(name) is not None]


def notebooks() -> list[Notebook]:
    """Of everybody who has been given a token."""
    accounts = [pwd.getpwnam(name) for name in admitted()]
    found = [Notebook(each.pw_name, each.pw_uid) for each in accounts]
    return [each for each in found if each.token_file.exists()]


def follow_users(names: Collection[str], namenode: str) -> None:
    """A server for each of them, and for nobody else."""
    wanted = {UNIT.format(name) for name in names}
    there = set(units.running(UNIT.format("*")))
    units.stop(*sorted(there - wanted))
    fresh = sorted(wanted - there)
    for unit in fresh:
        name = unit.partition("@")[2].removesuffix(".service")
        make_token(name)
        Hdfs(namenode).make_folder(f"/user/{name}")
    units.start(*fresh)


def make_token(user: str) -> None:
    """What the user's server asks for, once."""
    TOKENS.mkdir(mode=0o711, parents=True, exist_ok=True)
    try:
        opened = os.open(TOKENS / user, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    except FileExistsError:
        return
    with open(opened, "w") as file:  # noqa: PTH123
        file.write(secrets.token_urlsafe(32))
        os.fchown(opened, pwd.getpwnam(user).pw_uid, -1)
