"""Tables as a job declares them (core/declared-table.ts), and whether what a step left in the lake is that."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import TYPE_CHECKING

import oneoff

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

_AT_ONCE = 8  # footers that are read at a time
_MOST_TOLD = 5  # faults of a file
_CURE = "have the step write what the job declares, or declare what it writes"
_NANOSECONDS = "timestamp in nanoseconds"
_INTEGER, _MONTH, _DAY = (
    re.compile("-?[0-9]+"),
    re.compile("[0-9]{4}-[0-9]{2}"),
    re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}"),
)
_FRACTION = re.compile("[0-9]{1,6}(Z|[+-][0-9]{2}:?[0-9]{2})?")


class TableError(ValueError):
    """How what was left of a table differs from its declaration, in one line."""


@dataclasses.dataclass(frozen=True)
class Column:
    """Its type is written as in the job, a decimal's with its digits: `decimal(18,2)`."""

    name: str
    type: str
    measured: bool


@dataclasses.dataclass(frozen=True)
class Partition:
    """Which folders a column can have: those listed, those from the first to the last, or any of its type."""

    column: str
    values: list[str] | None
    first: str | None
    last: str | None
    digits: int | None


@dataclasses.dataclass(frozen=True)
class Table:
    """A table."""

    name: str
    columns: list[Column]
    partitions: list[Partition]
    may_be_empty: bool

    def digest_columns(self) -> list[str]:
        """All but those that each run measures anew."""
        return [column.name for column in self.columns if not column.measured]


class Look:
    """What was seen of a table's part files, which are looked at one after another."""

    def __init__(self, table: Table, folder: str) -> None:
        """folder: address of the run's rows."""
        self.table, self.folder = table, folder
        self.files = self.rows = 0

    def see(self, part: oneoff.PartFile, parquet: ParquetFile) -> None:
        """Holds a file against the declaration, by its name and its footer. Raises TableError."""
        self.files += 1
        self.rows += parquet.metadata.num_rows
        if problems := [*_problems_of_path(self.table, part), *_problems_of_columns(self.table, parquet)]:
            more = [f"has {len(problems) - _MOST_TOLD} more such faults"] if len(problems) > _MOST_TOLD else []
            told = "; it ".join([*problems[:_MOST_TOLD], *more])
            raise TableError(f'table "{self.table.name}": {part.below} {told}: {_CURE}')

    def end(self) -> int:
        """How many rows there are. Raises TableError when there are none, which not every table may have."""
        if self.rows == 0 and not self.table.may_be_empty:
            name = f'table "{self.table.name}"'
            what = (
                f"{name} has no rows"
                if self.files
                else f"{name} is missing: there is no Parquet file below {self.folder}"
            )
            raise TableError(f"{what}; have the step write it, or declare that it mayBeEmpty")
        return self.rows


def check(table: Table, folder: str) -> int:
    """Reads the footers of the part files below a folder; returns the number of rows. Raises TableError and OSError."""
    look = Look(table, folder)
    filesystem, parts = oneoff.part_files(folder)

    def footer(part: oneoff.PartFile) -> ParquetFile:
        with oneoff.open_parquet(filesystem, part) as parquet:
            return parquet

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for part, parquet in zip(parts, pool.map(footer, parts), strict=True):
            look.see(part, parquet)
    return look.end()


def check_left(tables: Sequence[Table], names: Sequence[str], lake: str, run: str) -> Iterator[str]:
    """Checks the tables of those names of a run, and yields what is worth telling of them. Raises as `check`."""
    for table in tables:
        if table.name in names and not check(table, f"{lake}/{table.name}/run={run}"):
            yield f'table "{table.name}" has no rows, which it is declared to be able to'


def _problems_of_path(table: Table, part: oneoff.PartFile) -> Iterator[str]:
    if not part.path.endswith(".parquet"):
        yield "is not called NAME.parquet, so no query finds it"
    declared = [partition.column for partition in table.partitions]
    if [name for name, is_one, _ in (f.partition("=") for f in part.below.split("/")[:-1]) if is_one] != declared:
        folders = "/".join(f"{name}=..." for name in declared)
        yield f"must lie in folders {folders}" if declared else "lies in a folder of a partition that is not declared"
        return
    types = {column.name: column.type for column in table.columns}
    for partition, value in zip(table.partitions, part.partition.values(), strict=True):
        if not _can_be(partition, types[partition.column], value):
            expected = _spoken(partition) or types[partition.column]
            yield f"has {json.dumps(value)} for partition {json.dumps(partition.column)}, declared {expected}"


def _spoken(partition: Partition) -> str | None:
    if partition.values is not None:
        return "one of " + ", ".join(partition.values)
    padded = f" in {partition.digits} digits" if partition.digits else ""
    return f"{partition.first} to {partition.last}{padded}" if partition.first else None


def _can_be(partition: Partition, kind: str, value: str | None) -> bool:
    """Whether a folder's value is one of those that are declared. Rows without a value are found by no list of them."""
    if partition.values is not None:
        return value in partition.values
    if partition.first is None or partition.last is None:
        return value is None or _is_text_of(kind, value)
    if value is None:
        return False
    if kind == "integer":
        is_written_so = _INTEGER.fullmatch(value) and value == str(int(value)).zfill(partition.digits or 0)
        return bool(is_written_so) and int(partition.first) <= int(value) <= int(partition.last)
    form, day = (_DAY, value) if _DAY.fullmatch(partition.first) else (_MONTH, f"{value}-01")
    return bool(form.fullmatch(value)) and _is_text_of("date", day) and partition.first <= value <= partition.last


def _int64(text: str) -> int:
    if not _INTEGER.fullmatch(text) or not -(1 << 63) <= int(text) < 1 << 63:
        raise ValueError(text)
    return int(text)


def _date(text: str) -> date:
    if not _DAY.fullmatch(text):  # later versions of Python take more than engines do
        raise ValueError(text)
    return date.fromisoformat(text)


def _timestamp(text: str) -> datetime:
    # Spark writes no zeros at the end of a fraction, which Python 3.10 wants.
    whole, _, fraction = text.partition(".")
    if fraction and not _FRACTION.fullmatch(fraction):
        raise ValueError(text)
    return datetime.fromisoformat(whole.replace("Z", "+00:00"))


_PARSERS: dict[str, Callable[[str], object]] = {
    "integer": _int64,
    "double": float,
    "boolean": ("true", "false").index,
    "date": _date,
    "timestamp": _timestamp,
}


def _is_text_of(kind: str, text: str) -> bool:
    try:
        _PARSERS.get(kind, str)(text)
    except ValueError:
        return False
    return True


def _problems_of_columns(table: Table, parquet: ParquetFile) -> Iterator[str]:
    folders = {partition.column for partition in table.partitions}
    declared = {column.name: column.type for column in table.columns if column.name not in folders}
    names = parquet.schema_arrow.names
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"has {names.count(name)} columns {json.dumps(name)}"
    there = {field.name: type_of(field.type) for field in parquet.schema_arrow}
    for name, kind in declared.items():
        if name not in there:
            yield f"has no column {json.dumps(name)} ({kind})"
        elif not _fits(there[name], kind):
            yield f"has column {json.dumps(name)} as {there[name]}, declared {kind}"
    for name, kind in there.items():
        if name in folders:
            yield f"has a column {json.dumps(name)}, which is a partition and stands in its folder's name alone"
        elif name not in declared:
            yield f"has a column {json.dumps(name)} ({kind}) that is not declared"


def _fits(there: str, declared: str) -> bool:
    """Whether every engine reads the one as the other: fewer digits before the point are no harm."""
    if there == declared or not (there.startswith("decimal(") and declared.startswith("decimal(")):
        return there == declared
    (digits, scale), (most, declared_scale) = (map(int, re.findall(r"-?\d+", kind)) for kind in (there, declared))
    return scale == declared_scale and digits <= most


def type_of(kind: pa.DataType) -> str:
    """A type of Parquet as jobs call it; where they have none, as Arrow does."""
    import pyarrow.types as is_type

    if is_type.is_dictionary(kind):
        kind = kind.value_type
    if is_type.is_string(kind) or is_type.is_large_string(kind):
        return "string"
    if is_type.is_integer(kind) and not is_type.is_uint64(kind):
        return "integer"
    if is_type.is_float32(kind) or is_type.is_float64(kind):
        return "double"
    if is_type.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if is_type.is_timestamp(kind):
        return _NANOSECONDS if kind.unit == "ns" else "timestamp"
    if is_type.is_boolean(kind):
        return "boolean"
    return "date" if is_type.is_date32(kind) else str(kind)
