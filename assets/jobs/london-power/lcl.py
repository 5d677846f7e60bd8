"""What the steps of job london-power share: the published CSV, table `readings`, Acorn groups and London's calendar.

The Low Carbon London trial metered some 5,600 households every half hour, from November 2011 to February 2014. Its
times are GMT all year, for a meter knows no summer time; people live by the clock of London.
"""

from __future__ import annotations

import csv
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

TARIFFS = ("Std", "ToU")
HALF_HOURS = 48  # of a day in GMT
HALF_HOUR = timedelta(minutes=30)

# As published at first, with the blank at the end of the fourth. What London gives out today ends there.
CSV_COLUMNS = ("LCLid", "stdorToU", "DateTime", "KWH/hh (per half hour) ", "Acorn", "Acorn_grouped")
WITHOUT_ACORN, WITH_ACORN = 4, len(CSV_COLUMNS)  # columns of a file
CSV_NULL = "Null"
_NULLS = ("", *(CSV_NULL.join(blanks) for blanks in (("", ""), (" ", " "), (" ", ""), ("", " "))))

COLUMNS = ("household", "tariff", "time", "kwh", "acorn", "acorn_group")  # in the order of the CSV's
UNKNOWN = "unknown"  # tariff, Acorn class or Acorn group that the input leaves open


def schema() -> pa.Schema:
    """Columns of table `readings`."""
    import pyarrow as pa

    return pa.schema(
        [
            ("household", pa.string()),
            ("tariff", pa.string()),
            ("time", pa.timestamp("us", "UTC")),
            ("kwh", pa.float64()),
            ("acorn", pa.string()),
            ("acorn_group", pa.string()),
        ]
    )


def rejected_schema() -> pa.Schema:
    """Columns of table `rejected`: lines of the input that are no readings."""
    import pyarrow as pa

    return pa.schema(
        [("file", pa.string()), ("byte_offset", pa.int64()), ("reason", pa.string()), ("line", pa.string())]
    )


# Acorn ---------------------------------------------------------------------------------------------------------------

ACORN_GROUPS = ("Affluent", "Comfortable", "Adversity", "ACORN-U")
_ACORN_LETTERS = {"Affluent": "ABCDE", "Comfortable": "FGHIJ", "Adversity": "KLMNOPQ", "ACORN-U": "U"}
# Classes such as ACORN-A, and the group of each.
ACORNS = {f"ACORN-{letter}": group for group, letters in _ACORN_LETTERS.items() for letter in letters}

Households = Mapping[str, tuple[str, str]]  # Acorn class and group of each


def add_acorn(table: pa.Table, households: Households) -> pa.Table:
    """Readings of a file without Acorn, with what `households` says; "unknown" where it says nothing."""
    import pyarrow as pa

    household = table["household"].combine_chunks()
    found = [households.get(name, (UNKNOWN, UNKNOWN)) for name in household.dictionary.to_pylist()]
    for column, values in zip(COLUMNS[WITHOUT_ACORN:], zip(*found, strict=True) if found else ((), ()), strict=True):
        encoded = pa.array(values, pa.string()).dictionary_encode()
        table = table.append_column(column, encoded.take(household.indices))
    return table


# London's calendar ---------------------------------------------------------------------------------------------------


def summer_time(year: int) -> tuple[datetime, datetime]:
    """When British Summer Time begins and ends, in GMT and without a time zone: 01:00 of the last Sundays of March and
    October, since 1996. Written down here, for a slim image has no time zone database."""

    def last_sunday(month: int) -> datetime:
        last = date(year, month, 31)
        return datetime(year, month, 31 - last.isoweekday() % 7, 1)

    return last_sunday(3), last_sunday(10)


def london(time: datetime) -> datetime:
    """London's clock at a time in GMT; both without a time zone."""
    begin, end = summer_time(time.year)
    return time + timedelta(hours=1) if begin <= time < end else time


def half_hours_of(day: date) -> int:
    """Half hours of a day in London: 48, but 46 when summer time begins and 50 when it ends."""
    begin, end = summer_time(day.year)
    return HALF_HOURS - 2 * (day == begin.date()) + 2 * (day == end.date())


# The published CSV ---------------------------------------------------------------------------------------------------

BLOCK = 4 << 20  # bytes that are read and parsed at once
LIKELY_LINE, LONGEST_LINE = 1 << 10, 1 << 20
KEPT_OF_LINE = 500  # characters of a rejected line

Rejected = tuple[int, str, str]  # byte offset, reason, line


def lines(file: pa.NativeFile, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of whole lines, many at once: all lines that begin at `start` or later and before `end`."""
    size = file.size()
    end = min(end, size)
    begin, known = start - 1, False  # a line begins after the end of another, which may be this byte
    beyond = LIKELY_LINE
    while begin < end:
        wanted = min(min(BLOCK, end - begin) * known + beyond, size - begin)
        block = file.read_at(wanted, begin)
        if len(block) < wanted:
            raise ValueError(f"ends at byte {begin + len(block)}, though it had {size}")
        if not known:
            newline = block.find(b"\n") + 1
            known = newline > 0
            begin += newline or len(block)
            continue
        whole = begin + len(block) >= end
        cut = block.find(b"\n", end - 1 - begin) + 1 if whole else block.rfind(b"\n") + 1
        if not cut and begin + len(block) == size:
            cut = len(block)
        if cut:
            yield begin, block[:cut]
            begin += cut
        elif beyond < LONGEST_LINE:
            beyond = LONGEST_LINE
        else:
            raise ValueError(f"a line is longer than {LONGEST_LINE} bytes, near byte {begin}")


def parse(block: bytes, width: int = WITH_ACORN) -> tuple[pa.Table, list[Rejected]]:
    """Readings of whole lines, text columns as dictionaries, and what of the lines are none, with offsets in the block.

    width: columns of the file, and of the table. Arrow says what is a time and what is a number. It refuses a block for
    one bad line; then these lines are looked for one by one and the others parsed again. Blank lines are passed over.
    """
    import pyarrow as pa

    if b'"' not in block:
        try:
            table = _parse(block, width)
        except pa.ArrowInvalid:
            table = None
        if table is not None and table.num_rows == _count_lines(block) and _is_sound(table):
            return table, []
    good, rejected = [], []
    offset = 0
    for line in block.split(b"\n"):
        text = line.removesuffix(b"\r")
        reason = fault(text, width) if text else None
        if reason:
            rejected.append((offset, reason, text.decode(errors="replace")[:KEPT_OF_LINE]))
        elif text:
            good.append(text)
        offset += len(line) + 1
    table = _parse(b"\n".join(good), width, quoted=True)
    if table.num_rows != len(good):
        raise AssertionError(f"{len(good)} lines have become {table.num_rows} readings")
    return table, rejected


def readings(tables: Sequence[pa.Table]) -> pa.Table:
    """Several results of `parse` as one table, with times as table `readings` has them and one dictionary a column."""
    import pyarrow as pa

    table = pa.concat_tables(tables).unify_dictionaries()
    time = COLUMNS.index("time")
    # Finer than a microsecond there are but zeros.
    micros = table["time"].cast(pa.timestamp("us"), safe=False).cast(schema().field(time).type)
    return table.set_column(time, "time", micros)


def _parse(block: bytes, width: int, quoted: bool = False) -> pa.Table:
    """Raises ArrowInvalid when there is anything that is no reading."""
    import pyarrow as pa
    import pyarrow.csv as csv

    # Seven digits of a second are more than microseconds can hold.
    columns = COLUMNS[:width]
    kinds = {**dict.fromkeys(columns, pa.dictionary(pa.int32(), pa.string())), **_kinds()}
    if not block:
        return pa.schema(list(kinds.items())).empty_table()
    return csv.read_csv(
        pa.BufferReader(block),
        csv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=columns),
        csv.ParseOptions(quote_char='"' if quoted else False),
        csv.ConvertOptions(column_types=kinds, null_values=_NULLS, strings_can_be_null=True),
    )


def _kinds() -> dict[str, pa.DataType]:
    import pyarrow as pa

    return {"time": pa.timestamp("ns"), "kwh": pa.float64()}


def _count_lines(block: bytes) -> int:
    import numpy as np

    # Several times as fast as bytes.count.
    newlines = int(np.count_nonzero(np.frombuffer(block, np.uint8) == ord("\n")))
    return newlines + (not block.endswith(b"\n"))


def _is_sound(table: pa.Table) -> bool:
    """Whether what Arrow took for readings have a household, a time and no infinite number."""
    import pyarrow.compute as pc

    total = pc.sum(table["kwh"]).as_py()
    return not table["household"].null_count and not table["time"].null_count and math.isfinite(total or 0)


def fault(line: bytes, width: int) -> str | None:
    """Why a line is no reading of a file with so many columns."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return "not UTF-8"
    if "\r" in text:
        return "a carriage return within the line"
    try:
        fields = next(csv.reader([text], strict=True)) if '"' in text else text.split(",")
    except csv.Error:
        return "a quotation mark out of place"
    if len(fields) != width:
        return f"{len(fields)} fields instead of {width}"
    household, _, time, kwh = fields[:WITHOUT_ACORN]
    if household in _NULLS:
        return "no household"
    if time in _NULLS or not _reads_as("time", time):
        return "not a time"
    return None if kwh in _NULLS or _reads_as("kwh", kwh) else "not a number"


def shown(line: str) -> str:
    """A line as messages have it: what is no text is not shown."""
    return repr(line[:KEPT_OF_LINE]) if is_text(line) else "bytes that are no text"


def is_text(line: str) -> bool:
    """Whether what was read as UTF-8 is that, without control characters."""
    return not any(character == "\ufffd" or (character < " " and character not in "\t\r") for character in line)


@functools.lru_cache(1 << 16)
def _reads_as(column: str, text: str) -> bool:
    """What Arrow's CSV reader makes of it, which passes over blanks around numbers."""
    import pyarrow as pa

    kind = _kinds()[column]
    try:
        value = pa.array([text if column == "time" else text.strip(" \t")]).cast(kind)
    except pa.ArrowInvalid:
        return False
    return column == "time" or math.isfinite(value[0].as_py())
