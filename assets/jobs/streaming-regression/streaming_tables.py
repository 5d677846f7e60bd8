"""Tables that the stream leaves in the lake, and their part files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

Row = Sequence[Any]

TEXT, WHOLE, NUMBER, MOMENT = "string", "int64", "double", "moment"
_PLACE = {"topic": TEXT, "kafka_partition": WHOLE, "kafka_offset": WHOLE, "event_time": MOMENT}
_ERRORS = ("count", "error", "recent_error", "baseline_error", "noise_error")


def columns(table: str, features: int) -> dict[str, str]:
    """Names and types of a table's columns. Moments are milliseconds since 1970 until they are written."""
    if table == "predictions":
        x = {f"x{number}": NUMBER for number in range(1, features + 1)}
        found = ("y", "pred", "squared_error", "baseline_error", "noise_error")
        return {**_PLACE, **x, **dict.fromkeys(found, NUMBER), "model_version": WHOLE, "batch": WHOLE}
    if table == "rejected":
        return {**_PLACE, "batch": WHOLE, "reason": TEXT, "detail": TEXT, "record": TEXT}
    so_far = {f"{kind}_{name}": WHOLE if name == "count" else NUMBER for kind in ("train", "test") for name in _ERRORS}
    if table == "batches":
        counted = {"batch": WHOLE, "ended": MOMENT, "records": WHOLE, "set_aside": WHOLE}
        return {**counted, "seconds": NUMBER, "delay": NUMBER, "behind": WHOLE, **so_far}
    saved = {"model_version": WHOLE, "batch": WHOLE, "saved": MOMENT, "algorithm": TEXT, "features": WHOLE}
    return {**saved, "parameters": TEXT, "offsets": TEXT, **so_far}


TABLES = ("predictions", "models", "rejected", "batches")


def part(table: str, rows: Sequence[Row], features: int) -> pa.Table:
    """Rows as a part file has them."""
    import pyarrow as pa

    made = {}
    for (name, kind), values in zip(columns(table, features).items(), zip(*rows, strict=True), strict=True):
        if kind == MOMENT:
            moments = [None if value is None else 1_000 * value for value in values]
            made[name] = pa.array(moments, pa.int64()).cast(pa.timestamp("us", "UTC"))
        else:
            made[name] = pa.array(values, pa.type_for_alias(kind))
    return pa.table(made)
