"""What run.py is told of a run: core/run-spec.ts, which says what each of it is, as Python has it."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from pathlib import Path

from table_check import Table
from typed_json import JsonError, typed


@dataclasses.dataclass(frozen=True)
class Step:
    """One program."""

    name: str
    command: list[str]
    python_path: list[str]
    requirements: str | None
    time_limit_seconds: int
    endless: bool
    leaves: list[str]


@dataclasses.dataclass(frozen=True)
class RunSpec:
    """A run."""

    run: str
    job: str
    lake: str
    stage: str | None
    scratch: str
    work: str
    deadline_seconds: int
    master: str
    master_page: str | None
    steps: list[Step]
    tables: list[Table]
    origin: str | None
    secrets_file: str | None
    secrets_command: list[str] | None
    exact_requirements: bool


def read(file: Path | zipfile.Path) -> RunSpec:
    """Reads a description of a run. Raises JsonError, and OSError."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise JsonError(f"{file.name} is no JSON: {problem}") from None
    return typed(content, RunSpec, file.name)
