"""What run.py is told of a run: core/run-spec.ts, which says what each of it is, as Python has it."""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
import zipfile
from pathlib import Path
from typing import Any


class SpecError(ValueError):
    """What is wrong with a description of a run, in one line."""


@dataclasses.dataclass(frozen=True)
class Step:
    """One program."""

    name: str
    command: list[str]
    python_path: list[str]
    requirements: str | None
    time_limit_seconds: int


@dataclasses.dataclass(frozen=True)
class Table:
    """A table and the columns of its digest."""

    name: str
    columns: list[str]


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
    secrets_file: str | None
    exact_requirements: bool


def read(file: Path | zipfile.Path) -> RunSpec:
    """Reads a description of a run. Raises SpecError, and OSError."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise SpecError(f"{file.name} is no JSON: {problem}") from None
    return _parsed(content, RunSpec, file.name)


def _parsed(value: Any, kind: Any, where: str) -> Any:  # noqa: ANN401
    """The value, which is to be of that type. Counts are above zero. Raises SpecError."""
    if dataclasses.is_dataclass(kind):
        return _object(value, kind, where)
    if typing.get_origin(kind) is list and isinstance(value, list):
        (item,) = typing.get_args(kind)
        return [_parsed(each, item, f"{where}[{at}]") for at, each in enumerate(value)]
    if isinstance(kind, types.UnionType):
        return None if value is None else _parsed(value, typing.get_args(kind)[0], where)
    if type(value) is kind and (kind is not int or value > 0):
        return value
    raise SpecError(f"{where} is {json.dumps(value)}: expected {_WORDS.get(kind, 'a list')}")


_WORDS = {str: "text", int: "a whole number above zero", bool: "true or false"}


def _object(value: Any, kind: Any, where: str) -> Any:  # noqa: ANN401
    if not isinstance(value, dict):
        raise SpecError(f"{where} is {json.dumps(value)}: expected an object")
    hints = typing.get_type_hints(kind)
    names = {re.sub(r"_(.)", lambda found: found[1].upper(), field): field for field in hints}
    for name in (*names, *value):
        if name not in value or name not in names:
            raise SpecError(f"{where} has {'no' if name in names else 'an unknown'} {name}")
    return kind(**{field: _parsed(value[name], hints[field], f"{where}: {name}") for name, field in names.items()})
