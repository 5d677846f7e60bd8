"""What steps left against what was declared: by footers and the names of folders."""

from __future__ import annotations

import json
import re
import sys
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import steps_support

sys.path.append(str(steps_support.ROOT / "tests"))
import declared
import oneoff
import table_check
from typed_json import typed

VALUES: dict[str, Any] = {
    "string": "a",
    "integer": 1,
    "double": 0.5,
    "decimal(18,2)": Decimal("1.50"),
    "boolean": True,
    "timestamp": datetime(2012, 1, 1),
    "date": date(2012, 1, 1),
}
DAYS = {"first": "2012-01-31", "last": "2012-12-31"}
CURE = "have the step write what the job declares, or declare what it writes"


def table(may_be_empty: bool = False, **types: str) -> table_check.Table:
    return typed(declared.declaration("t", may_be_empty=may_be_empty, **types), table_check.Table, "a table")


def partitioned(column: str, kind: str, **folders: object) -> table_check.Table:
    partition = {"column": column, "values": None, "first": None, "last": None, "digits": None, **folders}
    declaration = {**declared.declaration("t", x="integer", **{column: kind}), "partitions": [partition]}
    return typed(declaration, table_check.Table, "a table")


def left(folder: Path, values: dict[str, Any], below: str = "", name: str = "part") -> str:
    rows = pa.table(values)
    oneoff.write_part(rows, str(folder / below), name)
    return str(folder)


def test_what_every_type_is_written_as(tmp_path: Path) -> None:
    types = {f"c{number}": kind for number, kind in enumerate(VALUES)}
    schema = {
        "string": pa.string(),
        "integer": pa.int64(),
        "double": pa.float64(),
        "decimal(18,2)": pa.decimal128(18, 2),
        "boolean": pa.bool_(),
        "timestamp": pa.timestamp("us", "UTC"),
        "date": pa.date32(),
    }
    columns = {name: pa.array([VALUES[kind]] * 2, schema[kind]) for name, kind in types.items()}
    assert table_check.check(table(**types), left(tmp_path, columns)) == 2


@pytest.mark.parametrize(
    ("kind", "declared_type"),
    [
        (pa.large_string(), "string"),
        (pa.dictionary(pa.int32(), pa.string()), "string"),
        (pa.int32(), "integer"),
        (pa.uint32(), "integer"),
        (pa.float32(), "double"),
        (pa.timestamp("ms"), "timestamp"),
        (pa.decimal128(9, 2), "decimal(18,2)"),
    ],
)
def test_what_every_engine_reads_as_the_type(tmp_path: Path, kind: pa.DataType, declared_type: str) -> None:
    columns = {"c": pa.array([None], kind)}
    assert table_check.check(table(c=declared_type), left(tmp_path, columns)) == 1


def test_what_spark_writes_of_instants_by_default(tmp_path: Path) -> None:
    rows = pa.table({"at": pa.array([datetime(2012, 1, 1)], pa.timestamp("ns"))})
    pq.write_table(rows, tmp_path / "part.parquet", use_deprecated_int96_timestamps=True)
    assert table_check.check(table(at="timestamp"), str(tmp_path)) == 1


@pytest.mark.parametrize(
    ("kind", "declared_type", "told"),
    [
        (pa.string(), "integer", "string"),
        (pa.int64(), "string", "integer"),
        (pa.int64(), "double", "integer"),
        (pa.uint64(), "integer", "uint64"),
        (pa.decimal128(18, 2), "double", "decimal(18,2)"),
        (pa.decimal128(18, 3), "decimal(18,2)", "decimal(18,3)"),
        (pa.decimal128(20, 2), "decimal(18,2)", "decimal(20,2)"),
        (pa.timestamp("us"), "date", "timestamp"),
        (pa.timestamp("ns"), "timestamp", "timestamp in nanoseconds"),
        (pa.binary(), "string", "binary"),
        (pa.list_(pa.int64()), "integer", "list<element: int64>"),
        (pa.null(), "string", "null"),
    ],
)
def test_another_type(tmp_path: Path, kind: pa.DataType, declared_type: str, told: str) -> None:
    folder = left(tmp_path, {"c": pa.array([None], kind)})
    with pytest.raises(table_check.TableError) as problem:
        table_check.check(table(c=declared_type), folder)
    assert str(problem.value) == f'table "t": part.parquet has column "c" as {told}, declared {declared_type}: {CURE}'


def test_columns_that_are_missing_or_too_many_are_told_at_once(tmp_path: Path) -> None:
    folder = left(tmp_path, {"a": [1], "more": ["x"]})
    with pytest.raises(table_check.TableError) as problem:
        table_check.check(table(a="integer", b="double"), folder)
    assert str(problem.value) == (
        'table "t": part.parquet has no column "b" (double); it has a column "more" (string) that is not declared: '
        f"{CURE}"
    )


def test_a_file_that_differs_is_found_among_others(tmp_path: Path) -> None:
    for name, value in (("a", 1), ("b", "text"), ("c", 2)):
        left(tmp_path, {"a": [value]}, name=name)
    with pytest.raises(table_check.TableError, match=r'"t": b\.parquet has column "a" as string, declared integer'):
        table_check.check(table(a="integer"), str(tmp_path))


def test_nothing_was_left(tmp_path: Path) -> None:
    folder = str(tmp_path / "absent")
    missing = 'table "t" is missing: there is no Parquet file below .*absent; have the step write it, or declare that'
    with pytest.raises(table_check.TableError, match=missing):
        table_check.check(table(a="integer"), folder)
    assert table_check.check(table(a="integer", may_be_empty=True), folder) == 0


def test_a_table_without_rows(tmp_path: Path) -> None:
    folder = left(tmp_path, {"a": pa.array([], pa.int64())})
    with pytest.raises(table_check.TableError, match=r'^table "t" has no rows; have the step write it'):
        table_check.check(table(a="integer"), folder)
    assert table_check.check(table(a="integer", may_be_empty=True), folder) == 0
    with pytest.raises(table_check.TableError, match='has column "a" as integer, declared string'):
        table_check.check(table(a="string", may_be_empty=True), folder)


def test_what_is_no_part_file(tmp_path: Path) -> None:
    left(tmp_path, {"a": [1]})
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / "part.parquet").rename(tmp_path / "part.parq")
    with pytest.raises(table_check.TableError, match=r"part\.parq is not called NAME\.parquet, so no query finds it"):
        table_check.check(table(a="integer"), str(tmp_path))
    (tmp_path / "part.parq").rename(tmp_path / "part.parquet")
    (tmp_path / "notes.csv").write_text("a,b\n")
    with pytest.raises(ValueError, match=r"notes\.csv is no Parquet file"):
        table_check.check(table(a="integer"), str(tmp_path))


@pytest.mark.parametrize(
    ("kind", "folders", "fits", "outside", "expected"),
    [
        ("string", {"values": ["flat", "tou"]}, ["flat", "tou"], "fixed", "one of flat, tou"),
        ("string", {"values": ["flat"]}, ["flat"], None, "one of flat"),
        ("integer", {"first": "0", "last": "23", "digits": 2}, ["00", "23"], "7", "0 to 23 in 2 digits"),
        ("integer", {"first": "0", "last": "23"}, ["0", "23"], "24", "0 to 23"),
        ("integer", {"first": "0", "last": "23"}, ["7"], "07", "0 to 23"),
        ("integer", {"first": "0", "last": "23"}, ["7"], "seven", "0 to 23"),
        ("string", {"first": "2012-01", "last": "2012-12"}, ["2012-02"], "2013-01", "2012-01 to 2012-12"),
        ("string", {"first": "2012-01", "last": "2012-12"}, ["2012-02"], "2012-02-01", "2012-01 to 2012-12"),
        ("integer", {"first": "-5", "last": "5"}, ["-5", "0"], "-6", "-5 to 5"),
        ("date", DAYS, ["2012-02-28"], "2012-01-30", "2012-01-31 to 2012-12-31"),
        ("string", {"first": "2012-01", "last": "2013-12"}, ["2012-12"], "2012-13", "2012-01 to 2013-12"),
        ("date", DAYS, ["2012-02-28"], "2012-02-30", "2012-01-31 to 2012-12-31"),
        ("integer", {}, ["1", "-2", None], "one", "integer"),
        ("integer", {}, ["9223372036854775807"], "9223372036854775808", "integer"),
        ("integer", {}, ["07"], "\uff11", "integer"),
        ("integer", {}, ["10"], "1_0", "integer"),
        ("date", {}, ["1500-01-01"], "20120229", "date"),
        ("timestamp", {}, ["2012-01-01 00%3A00%3A00.1", "2012-01-01 00:00:00"], "noon", "timestamp"),
        ("date", {}, ["2012-02-29", None], "2012-02-30", "date"),
        ("boolean", {}, ["true", "false"], "TRUE", "boolean"),
        ("string", {}, ["anything", None], None, None),
    ],
)
def test_folders_of_partitions(
    tmp_path: Path,
    kind: str,
    folders: dict[str, Any],
    fits: list[str | None],
    outside: str | None,
    expected: str | None,
) -> None:
    def put(value: str | None) -> str:
        return left(tmp_path, {"x": [1]}, below=f"p={value or '__HIVE_DEFAULT_PARTITION__'}")

    for value in fits:
        folder = put(value)
    wanted = partitioned("p", kind, **folders)
    assert table_check.check(wanted, folder) == len(fits)
    if expected:
        put(outside)
        written = re.escape(json.dumps(outside))
        with pytest.raises(table_check.TableError, match=f'has {written} for partition "p", declared {expected}: have'):
            table_check.check(wanted, folder)


def test_a_column_of_a_name_is_one(tmp_path: Path) -> None:
    twice = pa.Table.from_arrays([pa.array([1]), pa.array(["a"])], names=["x", "x"])
    oneoff.write_part(twice, str(tmp_path / "columns"), "part")
    with pytest.raises(table_check.TableError, match='has 2 columns "x"'):
        table_check.check(table(x="string"), str(tmp_path / "columns"))
    with pytest.raises(table_check.TableError, match=r"must lie in folders p=\.\.\."):
        table_check.check(partitioned("p", "integer"), left(tmp_path / "folders", {"x": [1]}, below="p=1/p=2"))


def test_an_error_stays_short(tmp_path: Path) -> None:
    folder = left(tmp_path, {"x": [1], **{f"c{number}": [1] for number in range(1000)}})
    with pytest.raises(table_check.TableError, match="has 995 more such faults") as problem:
        table_check.check(table(x="integer"), folder)
    assert len(str(problem.value)) < 600


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "part.parquet").write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    with pytest.raises(OSError, match=r"part\.parquet can't be read: "):
        table_check.check(table(x="integer"), str(tmp_path))


def test_partitions_stand_in_folders_alone(tmp_path: Path) -> None:
    wanted = partitioned("p", "integer")
    with pytest.raises(table_check.TableError, match=r'must lie in folders p=\.\.\.; it has a column "p", which is a'):
        table_check.check(wanted, left(tmp_path / "no", {"x": [1], "p": [1]}))
    with pytest.raises(table_check.TableError, match="lies in a folder of a partition that is not declared"):
        table_check.check(table(x="integer"), left(tmp_path / "other", {"x": [1]}, below="p=1"))
