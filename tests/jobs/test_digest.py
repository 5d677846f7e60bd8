"""oneoff.digest against a calculation row by row, and what must and what must not change it."""

from __future__ import annotations

import hashlib
import math
import random
import struct
from collections.abc import Sequence
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import oneoff
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

WORD = 2**64


def mix(value: int) -> int:
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 % WORD
    value = (value ^ value >> 27) * 0x94D049BB133111EB % WORD
    return value ^ value >> 31


def key(text: str, half: int) -> int:
    return struct.unpack("<2Q", hashlib.blake2b(text.encode(), digest_size=16).digest())[half]


def code_of_double(value: float) -> int:
    if math.isnan(value):
        return 1
    if value == 0:
        return 0
    if math.isinf(value):
        return 3 if value < 0 else 2
    digits, exponent = f"{abs(value):.8e}".split("e")
    return (value < 0) << 63 | int(digits.replace(".", "")) << 11 | int(exponent) + 400


def hash_of_string(text: str, name: str, half: int) -> int:
    data, total = text.encode(), 0
    for position in range(len(data) // 8 + 1):
        word = int.from_bytes(data[8 * position : 8 * position + 8], "little")
        total += mix(word ^ mix((len(data) << 32 | position) ^ key(f"{name}:string", half)))
    return total


def hash_of_value(value: Any, name: str, half: int) -> int:  # noqa: ANN401 - whatever a cell can be
    if value is None:
        return key(f"{name}:null", half)
    if isinstance(value, str):
        return hash_of_string(value, name, half)
    if isinstance(value, float):
        return mix((code_of_double(value) + key(f"{name}:double", half)) % WORD)
    return mix((value + key(f"{name}:integer", half)) % WORD)


def slow_digest(rows: Sequence[dict[str, Any]]) -> str:
    sums = [
        sum(mix((key("row", half) + sum(hash_of_value(row[name], name, half) for name in row)) % WORD) for row in rows)
        for half in (0, 1)
    ]
    return "".join(f"{total % WORD:016x}" for total in sums)


def some_rows() -> list[dict[str, Any]]:
    chance = random.Random(7)
    doubles = [0.0, -1.5, 1e-320, 1.7e308, 1e22, 999999999.7, 1e9, math.pi, math.nan, math.inf, -math.inf, 5e-324, None]
    texts = ["", "a", "a\0", "12345678", "123456789", "Zähler ß", "x" * 100, None]
    return [
        {
            "id": chance.choice([0, 1, -1, 2**63 - 1, -(2**63), None]),
            "value": chance.choice([*doubles, chance.gauss(0, 1), chance.gauss(0, 1e9)]),
            "text": chance.choice([*texts, str(chance.random())]),
        }
        for _ in range(500)
    ]


TYPES = pa.schema({"id": pa.int64(), "value": pa.float64(), "text": pa.string()})
COLUMNS = TYPES.names


def write(folder: Path, rows: Sequence[dict[str, Any]], name: str = "part", schema: pa.Schema = TYPES) -> str:
    oneoff.write_part(pa.Table.from_pylist(list(rows), schema), str(folder), name)
    return str(folder)


def of(folder: Path, rows: Sequence[dict[str, Any]], schema: pa.Schema = TYPES) -> tuple[int, str]:
    return oneoff.digest(write(folder, rows, schema=schema), schema.names)


def test_agrees_with_a_calculation_row_by_row(tmp_path: Path) -> None:
    rows = some_rows()
    assert of(tmp_path, rows) == (500, slow_digest(rows))


def test_order_files_compression_and_batches_make_no_difference(tmp_path: Path) -> None:
    rows = some_rows()
    expected = of(tmp_path / "one", rows)
    random.Random(1).shuffle(rows)
    for part in range(7):
        pq_path = tmp_path / "many" / f"deeper-{part % 2}" / f"{part}.parquet"
        pq_path.parent.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pylist(rows[part::7], TYPES).select(["text", "id", "value"])
        pq.write_table(table, pq_path, compression="gzip" if part % 2 else "none", row_group_size=20)
    assert oneoff.digest(str(tmp_path / "many"), COLUMNS) == expected
    assert oneoff.digest(str(tmp_path / "many"), COLUMNS[::-1]) == expected


def test_hidden_files_and_folders_do_not_count(tmp_path: Path) -> None:
    rows = some_rows()
    expected = of(tmp_path, rows)
    for hidden in ("_temporary", ".staging", "deeper/_temporary"):
        write(tmp_path / hidden, rows)
    (tmp_path / "_SUCCESS").write_text("")
    (tmp_path / ".part.parquet.crc").write_text("no Parquet")
    assert oneoff.digest(str(tmp_path), COLUMNS) == expected
    write(tmp_path / "deeper", rows)
    assert oneoff.digest(str(tmp_path), COLUMNS) != expected


def test_folders_of_partitions_are_columns(tmp_path: Path) -> None:
    stored = pa.schema({"value": pa.float64()})
    for folder, value in (("month=2012-01", 1.0), ("month=a%3Ab", 2.0), ("month=__HIVE_DEFAULT_PARTITION__", 3.0)):
        write(tmp_path / "folders" / folder, [{"value": value}], schema=stored)
    flat = pa.schema({"month": pa.string(), "value": pa.float64()})
    rows = [{"month": "2012-01", "value": 1.0}, {"month": "a:b", "value": 2.0}, {"month": None, "value": 3.0}]
    expected = of(tmp_path / "flat", rows, flat)
    assert oneoff.digest(str(tmp_path / "folders"), ["month", "value"]) == expected
    assert oneoff.digest(str(tmp_path / "folders"), ["month"])[0] == 3
    assert of(tmp_path / "other", [{**rows[0], "month": "2012-02"}, *rows[1:]], flat) != expected


def test_nothing_has_no_rows(tmp_path: Path) -> None:
    nothing = (0, "0" * 32)
    assert oneoff.digest(str(tmp_path / "missing"), COLUMNS) == nothing
    assert of(tmp_path / "empty", []) == nothing


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1 / 3, math.nextafter(1 / 3, 1)),
        (0.1 + 0.2, 0.3),
        (1e15, 1e15 + 1),
        (0.0, -0.0),
        (math.nan, -math.nan),
        (9.99999999999e8, 1e9),
        (math.nextafter(1000.0, 0), 1000.0),
    ],
)
def test_doubles_alike_in_nine_digits(tmp_path: Path, one: float, other: float) -> None:
    schema = pa.schema({"value": pa.float64()})
    assert of(tmp_path / "one", [{"value": one}], schema) == of(tmp_path / "other", [{"value": other}], schema)


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (1.0, 1.00000001, pa.float64()),
        (1.0, -1.0, pa.float64()),
        (1.0, 10.0, pa.float64()),
        (0.0, None, pa.float64()),
        (0.0, 5e-324, pa.float64()),
        (math.nan, None, pa.float64()),
        (math.inf, math.nan, pa.float64()),
        (math.inf, -math.inf, pa.float64()),
        (0, None, pa.int64()),
        (2**53, 2**53 + 1, pa.int64()),
        ("", None, pa.string()),
        ("a", "a\0", pa.string()),
        ("X", "O", pa.string()),
        ("12345678abcdefgh", "abcdefgh12345678", pa.string()),
        ("abcdefgh", "abcdefgi", pa.string()),
        (Decimal("0.00"), None, pa.decimal128(18, 2)),
        (Decimal("1.25"), Decimal("1.26"), pa.decimal128(18, 2)),
        (Decimal("1.25"), Decimal("-1.25"), pa.decimal128(18, 2)),
        (Decimal(2**64), Decimal(2**65), pa.decimal128(29, 0)),  # alike in the lower half
        (False, None, pa.bool_()),
        (False, True, pa.bool_()),
        (date(2012, 1, 1), date(2012, 1, 2), pa.date32()),
        (datetime(2012, 1, 1, microsecond=1), datetime(2012, 1, 1), pa.timestamp("us")),
    ],
)
def test_one_changed_value_is_seen(tmp_path: Path, one: object, other: object, kind: pa.DataType) -> None:
    schema = pa.schema({"value": kind})
    assert of(tmp_path / "one", [{"value": one}], schema) != of(tmp_path / "other", [{"value": other}], schema)


def test_a_row_lost_doubled_or_torn_is_seen(tmp_path: Path) -> None:
    schema = pa.schema({"id": pa.int64(), "text": pa.string()})
    rows = [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}]
    torn = [{"id": 1, "text": "b"}, {"id": 2, "text": "a"}]
    variants = [rows, rows[:1], [*rows, rows[0]], [rows[0], rows[0]], torn]
    digests = {of(tmp_path / str(n), variant, schema)[1] for n, variant in enumerate(variants)}
    assert len(digests) == len(variants)


def test_swapped_columns_are_seen(tmp_path: Path) -> None:
    schema = pa.schema({"x": pa.float64(), "y": pa.float64()})
    swapped = [{"x": 2.0, "y": 1.0}]
    assert of(tmp_path / "one", [{"x": 1.0, "y": 2.0}], schema) != of(tmp_path / "other", swapped, schema)
    assert of(tmp_path / "zero", [{"x": 1.0, "y": 1.0}], schema)[1] != "0" * 32


def test_the_same_values_stored_otherwise_are_alike(tmp_path: Path) -> None:
    moment = datetime(2012, 1, 1, 12, tzinfo=timezone.utc)
    rows = [{"id": 1, "value": 0.5, "text": "a", "at": moment, "price": Decimal("1.5")}, {}]
    usual = pa.schema([*TYPES, ("at", pa.timestamp("us", "UTC")), ("price", pa.decimal128(18, 2))])
    kinds = {
        "id": pa.int32(),
        "value": pa.float32(),
        "text": pa.dictionary(pa.int32(), pa.string()),
        "at": pa.timestamp("ns", "UTC"),
        "price": pa.decimal128(9, 4),
    }
    assert of(tmp_path / "usual", rows, usual) == of(tmp_path / "other", rows, pa.schema(kinds))
    nothing = pa.schema({name: pa.null() for name in usual.names})
    assert of(tmp_path / "typed", rows[1:], usual) == of(tmp_path / "untyped", rows[1:], nothing)


def test_a_missing_column_is_an_error(tmp_path: Path) -> None:
    folder = write(tmp_path, some_rows())
    with pytest.raises(ValueError, match="has no column 'absent'"):
        oneoff.digest(folder, ["id", "absent"])


def test_takes_millions_of_rows_without_holding_them(tmp_path: Path) -> None:
    """The memory of a second file is not added to that of the first; what a row needs is no Python object."""
    rows = 1_000_000
    table = pa.table({"id": range(rows), "label": pa.array(["X", "O"] * (rows // 2))})
    for part in ("a", "b"):
        oneoff.write_part(table, str(tmp_path), part)
    del table
    before = pa.total_allocated_bytes()
    peaks = []
    for batch in oneoff._batches(str(tmp_path), ["id", "label"]):
        peaks.append(pa.total_allocated_bytes() - before)
        assert batch.num_rows <= 131_072
    assert max(peaks[len(peaks) // 2 :]) <= 1.2 * max(peaks[: len(peaks) // 2])
    assert oneoff.digest(str(tmp_path), ["id", "label"])[0] == 2 * rows
