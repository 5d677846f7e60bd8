"""The secrets of a run, as files that its steps read."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from step_problem import one_line
from step_runner import StepError

PRINT_SECONDS = 120  # that a program which prints them may take


class Secrets(NamedTuple):
    """A JSON object of secrets, and where it is from."""

    source: str
    text: bytes


def read_secrets(file: str) -> Secrets:
    """What a file says. Raises StepError."""
    try:
        return Secrets(file, Path(file).read_bytes())
    except OSError as problem:
        raise StepError(f"the run's secrets could not be read: {problem}") from None


def printed_secrets(command: Sequence[str]) -> Secrets:
    """What a program prints. Raises StepError with the last that it said."""
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=PRINT_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise StepError(f"the run's secrets could not be read: {one_line(problem)}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise StepError(f"the run's secrets could not be read: {said[-1] if said else f'exit {done.returncode}'}")
    return Secrets(Path(command[0]).name, done.stdout)


def write_secrets(secrets: Secrets, folder: Path) -> None:
    """Makes a file of each secret, which only we can read; in memory, where systemd has us have a folder there.

    Raises StepError.
    """
    try:
        values = json.loads(secrets.text)
    except ValueError:  # what it says may repeat some of them
        values = None
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise StepError(f"the run's secrets could not be read: {secrets.source} is no JSON object of text values")
    if memory := os.environ.get("RUNTIME_DIRECTORY"):
        folder.symlink_to(memory)
    else:
        folder.mkdir(mode=0o700)
    for name, value in values.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(value.encode())
