"""Reads published flows, whatever their layout (nids_layouts.py).

A file is read from its beginning, some megabytes at a time, by Arrow. Where that finds what it does not expect, the
block is halved until one line is left, which is told with its file and number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import nids_layouts as layouts
import oneoff
from nids_layouts import COLUMNS, LAYOUTS, NORMAL, Field, Layout

if TYPE_CHECKING:
    import pyarrow as pa

    Text = pa.Array | pa.ChunkedArray

BLOCK = 8 << 20  # bytes
LONGEST_LINE = 1 << 16  # bytes; those of the published files have some 200
LINES_PER_FILE = 1 << 32  # a flow's number is that of its file and its line
LAST_PORT = 65_535
SHOWN = 60  # characters of a line that a message has
_COUNTED = (layouts.NUMBER, layouts.COUNT)
_ENDINGS = (".csv", ".txt")
_ARCHIVES = (".zip", ".gz", ".7z", ".bz2", ".xz", ".zst", ".tar", ".tgz", ".rar")
_EXPECTED = f"{', '.join(layout.expected for layout in LAYOUTS[:-1])} or {LAYOUTS[-1].expected}"


@dataclass(frozen=True)
class File:
    """A published file, its place among those of the input, and its name below that."""

    address: str
    number: int
    name: str
    layout: Layout


def files(address: str) -> list[File]:
    """The file at an address, or those below a folder. Raises ValueError, and FileNotFoundError without any."""
    found = [(file, file.removeprefix(address).strip("/")) for file, _ in oneoff.list_files(address, below=True)]
    archive = next((file for file, _ in found if file.lower().endswith(_ARCHIVES)), None)
    if archive:
        raise ValueError(f"{archive}: expected the published files, found an archive: unpack it and move it elsewhere")
    if [file for file, _ in found] != [address]:
        found = [(file, name) for file, name in found if name.lower().endswith(_ENDINGS)]
    if not found:
        raise ValueError(f"{address}: expected files that end in {' or '.join(_ENDINGS)}, found none")
    known = [
        File(file, number, name or file.rpartition("/")[2], _look_at(file)) for number, (file, name) in enumerate(found)
    ]
    other = next((file for file in known if file.layout is not known[0].layout), None)
    if other:
        first = known[0]
        raise ValueError(
            f"{other.address}, line 1: expected {first.layout.expected}, as {first.address} is, found "
            f"{other.layout.expected}: keep the layouts apart"
        )
    return known


def _look_at(address: str) -> Layout:
    with oneoff.open_file(address) as source:
        line = source.read_at(min(source.size(), LONGEST_LINE), 0).partition(b"\n")[0]
    layout = layouts.recognise(line.decode(errors="replace"))
    if layout is None:
        width = line.count(b",") + 1
        raise ValueError(
            f"{address}, line 1: expected {_EXPECTED}, found {width} field{'s' * (width > 1)}, {shown(line)}"
        )
    return layout


def shown(line: bytes) -> str:
    """The beginning of a line as messages have it."""
    text = line.decode(errors="replace").strip("\r\n")
    if any(character == "\ufffd" or (character < " " and character != "\t") for character in text):
        return "bytes that are no text"
    return repr(text[:SHOWN]) + ("..." if len(text) > SHOWN else "")


# Reading -------------------------------------------------------------------------------------------------------------


def read(file: File) -> Iterator[pa.Table]:
    """Rows of a file, without their parts. Raises ValueError for the first line that is no flow of its layout."""
    with oneoff.open_file(file.address) as source:
        rest, line, size = b"", 1, source.size()
        while source.tell() < size or rest:
            block = rest + source.read(BLOCK)
            end = len(block) if source.tell() >= size else block.rfind(b"\n") + 1
            if not end and len(block) > LONGEST_LINE:
                raise ValueError(
                    f"{file.address}, line {line}: expected a line, found {len(block)} bytes without an end"
                )
            block, rest = block[:end], block[end:]
            if not block:
                continue
            lines = block.removesuffix(b"\n").split(b"\n")
            skipped = 1 if line == 1 and file.layout.header else 0
            if lines[skipped:]:
                yield _table(file, lines[skipped:], line + skipped)
            line += len(lines)


def _table(file: File, lines: Sequence[bytes], first: int) -> pa.Table:
    import pyarrow as pa

    if first == 1:
        lines = [lines[0].removeprefix(b"\xef\xbb\xbf"), *lines[1:]]
    numbers = [first + n for n, line in enumerate(lines) if line.strip()]
    kept = [line for line in lines if line.strip()]
    if not kept:
        return schema().empty_table()
    try:
        given = columns(file.layout, kept)
    except ValueError:
        place, why = _first_fault(file.layout, kept)
        raise ValueError(f"{file.address}, line {numbers[place]}: {why}, found {shown(kept[place])}") from None
    ids = pa.array([file.number * LINES_PER_FILE + number for number in numbers], pa.int64())
    given = {"flow": ids, "origin": pa.repeat(file.layout.origin, len(ids)), **given}
    return pa.table({field.name: given.get(field.name, pa.nulls(len(ids), field.type)) for field in schema()})


def schema() -> pa.Schema:
    """Columns of table `flows`."""
    import pyarrow as pa

    kinds = {
        **dict.fromkeys(("origin", "part", "family", "srcip", "dstip", *layouts.CATEGORIES), pa.string()),
        **dict.fromkeys(("flow", "sport", "dsport"), pa.int64()),
        "time": pa.timestamp("us", "UTC"),
    }
    return pa.schema([(name, kinds.get(name, pa.float64())) for name in COLUMNS])


def _first_fault(layout: Layout, lines: Sequence[bytes]) -> tuple[int, str]:
    """The place of the first line that is no flow, and what was expected."""
    low, high = 0, len(lines)  # the first `low` are fine, of the first `high` one is not
    while high - low > 1:
        middle = (low + high) // 2
        if _fault(layout, lines[low:middle]):
            high = middle
        else:
            low = middle
    return low, why(layout, lines[low], _fault(layout, lines[low:high]) or "a flow")


def _fault(layout: Layout, lines: Sequence[bytes]) -> str | None:
    try:
        columns(layout, lines)
    except ValueError as problem:
        return str(problem)
    return None


def why(layout: Layout, line: bytes, problem: str) -> str:
    """What was expected of a line for which `columns` raises that problem."""
    width = line.count(b",") + 1
    if width != len(layout.fields):
        return f"expected {len(layout.fields)} fields of {layout.name}, and these are {width}"
    try:
        line.decode()
    except UnicodeDecodeError:
        return "expected UTF-8"
    return f"expected {problem}"


def columns(layout: Layout, lines: Sequence[bytes]) -> dict[str, Text]:
    """Columns of `flows` from lines. Raises ValueError with what was expected when one is no flow."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv as csv

    names = [field.name for field in layout.fields]
    data = b"".join(line if line.endswith(b"\n") else line + b"\n" for line in lines)
    if b"\r" in data.replace(b"\r\n", b"\n"):
        raise ValueError("no carriage return within a line")
    table = csv.read_csv(
        pa.BufferReader(data),
        csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=names),
        csv.ParseOptions(quote_char=False),
        csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
    )
    # All texts one after another, numbers first: of a few lines most of the time is that of calls.
    fields = [field for field in layout.fields if field.to or field.kind == layouts.ATTACK]
    fields.sort(key=_order)
    text = pc.utf8_trim_whitespace(pa.concat_arrays([table[field.name].combine_chunks() for field in fields]))
    rows = table.num_rows
    texts = {field: text.slice(place * rows, rows) for place, field in enumerate(fields)}
    found = _numbers(texts, text)
    for field, text in texts.items():
        if field.kind == layouts.FAMILY:
            found[field.to] = _family(layout, text)
        elif field.kind != layouts.ATTACK and field.to not in found:
            found[field.to] = _READ[field.kind](field.name, text)
    told = next((text for field, text in texts.items() if field.kind == layouts.ATTACK), None)
    if told is not None:
        attack = pc.if_else(pc.not_equal(found["family"], NORMAL), "1", "0")
        if not pc.all(pc.equal(told, attack), min_count=0).as_py():
            raise ValueError("label 0 for a normal flow and 1 for one with an attack_cat")
    return found


def _order(field: Field) -> int:
    return _COUNTED.index(field.kind) if field.kind in _COUNTED else len(_COUNTED)


def _numbers(texts: Mapping[Field, Text], text: pa.Array) -> dict[str, Text]:
    """Columns of numbers, whose texts come first in `text`, read in one go; none where one of them is no number."""
    import pyarrow as pa

    rows, fields = len(next(iter(texts.values()))), [field for field in texts if field.kind in _COUNTED]
    counts = [_zero_for_blank(texts[field]) for field in fields if field.kind == layouts.COUNT]
    plain = (len(fields) - len(counts)) * rows
    try:
        values = _number("any", pa.concat_arrays([text.slice(0, plain), *counts]))
    except ValueError:
        return {}  # which one, the readers of single columns find
    return {field.to: values.slice(place * rows, rows) for place, field in enumerate(fields) if field.to}


def _family(layout: Layout, text: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    labels = pa.array(list(layout.families))
    place = pc.index_in(pc.utf8_lower(text), labels)
    if place.null_count:
        raise ValueError(f"a label of {layout.name}, one of {', '.join(sorted(filter(None, layout.families)))}")
    return pa.array(list(layout.families.values())).take(place)


def _text(name: str, text: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    if pc.any(pc.equal(text, ""), min_count=0).as_py():
        raise ValueError(f"a word in column {name}")
    return text


def _number(name: str, text: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        values = text.cast(pa.float64())
    except pa.ArrowInvalid:
        raise ValueError(f"a number in column {name}") from None
    if not pc.all(pc.is_finite(values), min_count=0).as_py():
        raise ValueError(f"a finite number in column {name}")
    return values


def _count(name: str, text: pa.Array) -> pa.Array:
    return _number(name, _zero_for_blank(text))


def _zero_for_blank(text: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    return pc.if_else(pc.equal(text, ""), "0", text)


def _port(name: str, text: pa.Array) -> pa.Array:
    import pyarrow as pa

    def port(value: str) -> int | None:
        if value in ("", "-"):
            return None
        number = int(value, 16 if value.lower().startswith("0x") else 10)
        if not value.isalnum() or number > LAST_PORT:
            raise ValueError(value)
        return number

    try:
        known = text.dictionary_encode()
        return pa.array([port(value) for value in known.dictionary.to_pylist()], pa.int64()).take(known.indices)
    except ValueError:
        raise ValueError(f"a port, also in hexadecimal, in column {name}") from None


def _seconds(name: str, text: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    seconds = _number(name, text)
    if not pc.all(pc.less(pc.abs(seconds), 1e11), min_count=0).as_py():
        raise ValueError(f"seconds since 1970 in column {name}")
    return pc.round(pc.multiply(seconds, 1e6)).cast(pa.int64()).cast(pa.timestamp("us", "UTC"))


_READ: Mapping[str, Callable[[str, Text], Text]] = {
    layouts.NUMBER: _number,
    layouts.COUNT: _count,
    layouts.TEXT: _text,
    layouts.PORT: _port,
    layouts.SECONDS: _seconds,
}
