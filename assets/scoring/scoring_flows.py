"""Lines of network flows, as they come from anywhere, made into what a network takes by the code that trained it.

A line is a flow: JSON with the names of table `flows` (docs/nids.md), or CSV in one of the published layouts, with its
labels, which are not looked at, or without. What is no flow is told line by line, and the others are scored.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import nids_input
import nids_layouts as layouts
from nids_arrays import arrays
from nids_layouts import CATEGORIES, LAYOUTS, Layout

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

# What tells a flow to who reads of an alarm; no network sees it but the words.
TELLING = ("srcip", "sport", "dstip", "dsport", *CATEGORIES)
_BY_WIDTH: Mapping[int, Sequence[Layout]] = {
    width: [one for layout in LAYOUTS for one in layouts.unlabelled(layout) if len(one.fields) == width]
    for width in {len(one.fields) for layout in LAYOUTS for one in layouts.unlabelled(layout)}
}
_WIDTHS = ", ".join(str(width) for width in sorted(_BY_WIDTH))
_EXPECTED = f"expected a flow: JSON with the columns of table flows, or CSV with {_WIDTHS} fields"
_JSON = "JSON"
_BLANK = b" \t\r\n\xef\xbb\xbf"  # a byte order mark among it
_ODD = (b" ", b"\t", b"\r", b"\xef")


@dataclass(frozen=True)
class Batch:
    """Flows among some lines."""

    lines: int  # that are not blank
    places: Sequence[int]  # of the flows' lines, from 0
    numbers: np.ndarray  # flows x columns of the network
    words: np.ndarray  # flows x CATEGORIES
    faults: Mapping[int, str]  # what was expected of the lines that are none, and what was found
    telling: pa.Table = field(repr=False)  # TELLING, of the flows


def read(lines: Sequence[bytes], columns: tuple[str, ...]) -> Batch:
    """The flows among lines, for a network that takes numbers in these columns. Blank lines and headers are none."""
    import pyarrow as pa

    faults: dict[int, str] = {}
    pieces: list[tuple[list[int], pa.Table]] = []
    groups = _groups(lines, faults)
    for layout, places in groups:
        if isinstance(layout, Layout) and (lacking := _lacking(layout, columns)):
            faults.update(dict.fromkeys(places, lacking))
            continue
        parse = functools.partial(_json if layout is None else _csv, layout, columns)
        _parse(parse, lines, places, pieces, faults)
    places = [place for of_piece, _ in pieces for place in of_piece]
    table = pa.concat_tables([table for _, table in pieces]) if pieces else _schema(columns).empty_table()
    numbers, words = arrays(table, columns)
    return Batch(len(places) + len(faults), places, numbers, words, faults, table.select(list(TELLING)))


def warm() -> None:
    """Loads what reading loads when it is first needed: some tenths of a second, which no flow should wait for."""
    read([b"{}", b"0," * 48 + b"0"], ())


# Which lines are what ------------------------------------------------------------------------------------------------


def _groups(lines: Sequence[bytes], faults: dict[int, str]) -> list[tuple[Layout | None, list[int]]]:
    """Places of lines by their layout, which is None for JSON; what has none is a fault."""
    found: dict[object, list[int]] = {}
    layout_of: dict[object, Layout | None] = {_JSON: None}
    for place, line in enumerate(lines):
        begin = line[:1]
        if begin == b"{" or (begin in _ODD and line.strip(_BLANK)[:1] == b"{"):
            key: object = _JSON
        else:
            width = line.count(b",") + 1
            if width == 1 and not line.strip(_BLANK):
                continue
            known = _BY_WIDTH.get(width, ())
            layout = known[0] if len(known) == 1 else _layout(line, known)
            if layout and not begin.isdigit() and _is_header(line, layout):
                continue
            key = layout and layout.name
            layout_of[key] = layout
        if key is not None and len(line) <= nids_input.LONGEST_LINE:
            found.setdefault(key, []).append(place)
        else:
            faults[place] = f"{_EXPECTED}, found {_found(line)}"
    return [(layout_of[key], places) for key, places in found.items()]


def _found(line: bytes) -> str:
    if len(line) > nids_input.LONGEST_LINE:
        return f"{len(line)} bytes, more than {nids_input.LONGEST_LINE}"
    return nids_input.shown(line)


def _layout(line: bytes, known: Sequence[Layout]) -> Layout | None:
    """Of two as wide, UNSW-NB15's has a number where NSL-KDD's has the protocol."""
    if not known:
        return None
    second = line.split(b",", 2)[1].strip()
    number = second.replace(b".", b"", 1).replace(b"-", b"").replace(b"e", b"").isdigit() or second == b"dur"
    return next(one for one in known if (one.origin == layouts.UNSW) == number)


def _is_header(line: bytes, layout: Layout) -> bool:
    begin = layout.fields[0].name.encode()
    if not line[:16].strip(b'\xef\xbb\xbf" ').lower().startswith(begin):
        return False
    names = [name.strip(b' "').lower() for name in line.strip(b"\xef\xbb\xbf\r\n").split(b",")]
    return names == [column.name.encode() for column in layout.fields]


def _lacking(layout: Layout, columns: tuple[str, ...]) -> str | None:
    has = {column.to for column in layout.fields}
    name = next((name for name in columns if name not in has), None)
    return name and f"expected flows as those that the network was trained on, and {layout.name} has no {name}"


# Reading lines of a kind ---------------------------------------------------------------------------------------------


def _parse(
    parse: Callable[[Sequence[bytes]], pa.Table],
    lines: Sequence[bytes],
    places: list[int],
    pieces: list[tuple[list[int], pa.Table]],
    faults: dict[int, str],
) -> None:
    """Reads lines at once, or where one is no flow those before and after it."""
    try:
        pieces.append((places, parse([lines[place] for place in places])))
    except ValueError as problem:
        if len(places) == 1:
            faults[places[0]] = f"{problem}, found {nids_input.shown(lines[places[0]])}"
            return
        middle = len(places) // 2
        for half in (places[:middle], places[middle:]):
            _parse(parse, lines, half, pieces, faults)


@functools.cache
def _schema(columns: tuple[str, ...]) -> pa.Schema:
    import pyarrow as pa

    kinds = {**dict.fromkeys(TELLING, pa.string()), "sport": pa.int64(), "dsport": pa.int64()}
    return pa.schema([*kinds.items(), *((name, pa.float64()) for name in columns)])


def _csv(layout: Layout, columns: tuple[str, ...], lines: Sequence[bytes]) -> pa.Table:
    import pyarrow as pa

    try:
        given = nids_input.columns(layout, lines)
    except ValueError as problem:
        raise ValueError(nids_input.why(layout, lines[0], str(problem))) from None
    schema = _schema(columns)
    rows = len(lines)
    return pa.table([given.get(field.name, pa.nulls(rows, field.type)) for field in schema], schema=schema)


def _json(_: None, columns: tuple[str, ...], lines: Sequence[bytes]) -> pa.Table:
    """Raises ValueError. A number that is null or not there is missing; other names are left out."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.json as pj

    schema = _schema(columns)
    trimmed = [line.strip(_BLANK) for line in lines]
    # So that no object goes on in the next line.
    if not all(line.endswith(b"}") for line in trimmed):
        raise ValueError("expected a JSON object in one line")
    data = b"\n".join(trimmed)
    try:
        data.decode()
    except UnicodeDecodeError:
        raise ValueError("expected UTF-8") from None
    try:
        table = pj.read_json(
            pa.BufferReader(data),
            pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
            pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
    except pa.ArrowInvalid as problem:
        raise ValueError(_json_problem(str(problem))) from None
    if table.num_rows != len(lines):
        raise ValueError("expected one JSON object in a line")
    for name in CATEGORIES:
        column = table[name]
        if column.null_count or pc.any(pc.equal(column, ""), min_count=0).as_py():
            raise ValueError(f"expected a word in column {name}")
    table = table.select(schema.names).combine_chunks()
    numbers = [table[name].chunk(0) for name in columns if table[name].num_chunks]
    if numbers and pc.any(pc.is_inf(pa.concat_arrays(numbers)), min_count=0).as_py():
        name = next(name for name in columns if pc.any(pc.is_inf(table[name])).as_py())
        raise ValueError(f"expected a finite number in column {name}")
    return table


def _json_problem(said: str) -> str:
    """What Arrow says of a line, in our words where it names a column."""
    said = said.removeprefix("JSON parse error: ").partition(" in row")[0].rstrip(".")
    if said.startswith("Column(/") and "changed from" in said:
        name = said.removeprefix("Column(/").partition(")")[0]
        kind = said.partition("changed from ")[2].partition(" to ")[0]
        return f"expected a {'word' if kind == 'string' else 'number'} in column {name}"
    if "changed from" in said:
        return "expected a JSON object"
    if said.startswith("Column(/"):
        return f"expected each name once, and {said.removeprefix('Column(/').partition(')')[0]} is there twice"
    return f"expected JSON: {said[:1].lower()}{said[1:]}"
