"""Records of the topics: what can be learnt from, and why something can't."""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple, NoReturn

LARGEST = 1e50  # sums of many such squares, times anything that models multiply them by, are finite


class Delivered(NamedTuple):
    """A record as Kafka has it."""

    topic: str
    partition: int
    offset: int
    time: int  # milliseconds since 1970, of the event
    value: bytes | None


class Example(NamedTuple):
    """What a record says: numbers that tell something, and the number that is to be told by them."""

    x: tuple[float, ...]
    y: float
    truth: float | None  # y without its noise, where whoever made the record knows it
    name: str | None  # of the record, where it has one: the same twice is a duplicate


class RecordError(Exception):
    """Why a record can't be learnt from."""

    def __init__(self, reason: str, detail: str) -> None:
        """reason: one of few words, which are counted."""
        super().__init__(detail)
        self.reason, self.detail = reason, detail


NOT_JSON, NOT_FINITE, OTHER_FEATURES, NO_Y = "not JSON", "not finite", "other features", "no y"
NOT_PREDICTED = "not predicted"
LATE, DUPLICATE, LOST = "late", "duplicate", "lost"


def read(value: bytes | None, features: int) -> Example:
    """Reads a record such as `{"x": [0.5, 2], "y": 1.5}`; it may have `truth`, `id` and more. Raises RecordError."""
    try:
        found = json.loads((value or b"").decode(), parse_constant=_refuse)
    except (ValueError, RecursionError) as problem:
        raise RecordError(NOT_JSON, _short(problem) if value else "it has no value") from None
    if not isinstance(found, dict):
        raise RecordError(NOT_JSON, f"it is {_short(json.dumps(found))}, not an object")
    x = found.get("x")
    if not isinstance(x, list) or len(x) != features:
        given = f"{len(x)} numbers" if isinstance(x, list) else _short(json.dumps(x))
        raise RecordError(OTHER_FEATURES, f"x is {given}: expected a list of {features}")
    if found.get("y") is None:
        raise RecordError(NO_Y, "it has no y")
    truth, name = found.get("truth"), found.get("id")
    return Example(
        tuple(_number("x", each, OTHER_FEATURES) for each in x),
        _number("y", found["y"], NO_Y),
        None if truth is None else _number("truth", truth, NOT_FINITE),
        None if name is None else str(name),
    )


def _number(what: str, value: Any, reason: str) -> float:  # noqa: ANN401 - whatever JSON can hold
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RecordError(reason, f"{what} has {_short(json.dumps(value))}, which is no number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not abs(number) <= LARGEST:
        raise RecordError(NOT_FINITE, f"{what} is larger than {LARGEST:g}, whose square is hardly a number")
    return number


def _refuse(text: str) -> NoReturn:
    raise RecordError(NOT_FINITE, f"it has {text}, which is no number of JSON")


def _short(text: object) -> str:
    return " ".join(str(text).split())[:200]
