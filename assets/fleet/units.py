"""What runs on a machine, by way of systemd, and what keeps the machine's own credentials to itself."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from fleet_hdfs import FleetError

COMMAND_S = 300
# Whoever reaches the metadata service has the machine's role. Loaded again it replaces what is there.
METADATA_RULES = """\
table inet oneoff
delete table inet oneoff
table inet oneoff {
  chain output {
    type filter hook output priority 0; policy accept;
    ip daddr 169.254.169.254 meta skuid != 0 reject
  }
}
"""


def call(*words: str, ok: Sequence[int] = (0,), env: Mapping[str, str] | None = None) -> str:
    """Runs a program of the machine's; what it printed. Raises FleetError with the last that it said."""
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=COMMAND_S, env=env
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FleetError(f"{words[0]} can't be run: {error}") from error
    if done.returncode not in ok:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise FleetError(
            f"{' '.join(words[:3])} ended with {done.returncode}: {said[-1] if said else 'it said nothing'}"
        )
    return done.stdout


def write_file(path: str | Path, text: str, mode: int = 0o644) -> bool:
    """A file that is there whole or as it was; whether it is another one now."""
    file = Path(path)
    if file.exists() and file.read_text() == text:
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as opened:  # noqa: PTH123
        os.fchmod(opened.fileno(), mode)
        opened.write(text)
    fresh.replace(file)
    return True


def parameter(name: str, *options: str) -> str:
    """What a parameter of Systems Manager holds. Raises FleetError."""
    words = ["get-parameter", "--name", name, "--with-decryption", "--output", "json"]
    return json.loads(call("aws", *options, "ssm", *words))["Parameter"]["Value"]


def make_system_account(name: str) -> None:
    """An account that nobody enters."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        call("useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/sbin/nologin", name)


def states(services: Sequence[str]) -> list[str]:
    """As systemd has them: "active", "activating", "failed"."""
    if not services:
        return []
    found = call("systemctl", "is-active", *services, ok=(0, 3, 4)).split()
    return found if len(found) == len(services) else ["unknown"] * len(services)


def start(*services: str) -> None:
    """Has them run now and whenever the machine starts."""
    if services:
        call("systemctl", "enable", "--quiet", *services)
        call("systemctl", "start", "--no-block", *services)


def stop(*services: str) -> None:
    """Has them run no more."""
    if services:
        call("systemctl", "disable", "--quiet", "--now", *services)


def running(pattern: str) -> list[str]:
    """Units that are there, of that pattern."""
    listed = call("systemctl", "list-units", "--all", "--plain", "--no-legend", pattern)
    return [line.split()[0] for line in listed.splitlines() if line.strip()]
