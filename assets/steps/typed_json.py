"""JSON as dataclasses: fields are called as in JSON, but for `_` and a letter instead of a capital one."""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
from typing import Any


class JsonError(ValueError):
    """What is wrong with it, in one line."""


def typed(value: Any, kind: Any, where: str) -> Any:  # noqa: ANN401
    """The value, which is to be of that type: dataclass, list, text, count above zero, boolean; or it may be null.

    where: what the error calls it. Raises JsonError.
    """
    if dataclasses.is_dataclass(kind):
        return _object(value, kind, where)
    if typing.get_origin(kind) is list and isinstance(value, list):
        (item,) = typing.get_args(kind)
        return [typed(each, item, f"{where}[{at}]") for at, each in enumerate(value)]
    if isinstance(kind, types.UnionType):
        return None if value is None else typed(value, typing.get_args(kind)[0], where)
    if type(value) is kind and (kind is not int or value > 0):
        return value
    raise JsonError(f"{where} is {json.dumps(value)}: expected {_WORDS.get(kind, 'a list')}")


_WORDS = {str: "text", int: "a whole number above zero", bool: "true or false"}


def _object(value: Any, kind: Any, where: str) -> Any:  # noqa: ANN401
    if not isinstance(value, dict):
        raise JsonError(f"{where} is {json.dumps(value)}: expected an object")
    hints = typing.get_type_hints(kind)
    names = {re.sub(r"_(.)", lambda found: found[1].upper(), field): field for field in hints}
    for name in (*names, *value):
        if name not in value or name not in names:
            raise JsonError(f"{where} has {'no' if name in names else 'an unknown'} {name}")
    return kind(**{field: typed(value[name], hints[field], f"{where}: {name}") for name, field in names.items()})
