"""Step convert of job london-power: equal to the truth and to Spark's own reader, and what it makes of bad input."""

from __future__ import annotations

import gzip
import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from typing import Any

import oneoff
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import run_here, run_python, submit
from london_support import HEADER, HEADER_TODAY, LONDON, ROW, ROW_TODAY, Hdfs, Mongo, load, spark_here, write_twin

import lcl  # isort: skip - london_support says where it is
import london_input  # isort: skip
import london_load  # isort: skip
import london_mongo  # isort: skip

generate, convert = load("generate"), load("convert")
SCRIPT = LONDON / "convert.py"
TWIN = generate.Twin(seed=2, households=30, days=90, start="2012-10-01", bad_lines=12)
REJECTED = ["file", "byte_offset", "reason", "line"]
MINUTE = 60 * 1_000_000


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of several files, with lines that are no readings."""
    folder = tmp_path_factory.mktemp("csv")
    write_twin(TWIN, folder)
    return folder


@pytest.fixture(scope="module")
def truth() -> pa.Table:
    return pa.concat_tables(generate.truth(TWIN, *file) for file in generate.files(TWIN))


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    with spark_here() as session:
        yield session


@pytest.fixture
def here(spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    """Steps run in the session of this process, which takes a second instead of five."""

    @contextmanager
    def session(_: str) -> Iterator[Any]:
        yield spark.sparkContext

    monkeypatch.setattr(convert, "session", session)


@pytest.fixture
def no_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused is refused before Spark is started."""
    monkeypatch.setattr(convert, "session", lambda _: pytest.fail("Spark was started"))


def to_parquet(source: object, target: object, *more: str) -> list[str]:
    tables = [f"--readings={target}/readings", f"--rejected={target}/rejected"]
    return ["--from=csv", "--to=parquet", f"--input={source}", *tables, *more]


def parts(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in sorted((folder / "readings").iterdir())}


def stored(folder: Path | str, table: str = "readings") -> pa.Table:
    """All rows, in the order of the part files."""
    columns = lcl.COLUMNS if table == "readings" else REJECTED
    found = oneoff.read_table(f"{folder}/{table}", columns)
    assert found is not None
    return found


def lines_that_are_none(folder: Path) -> list[tuple[str, int, str]]:
    """The bad lines as generate.py makes them, and where they stand."""
    wanted = [generate.bad_line(TWIN, n) for n in range(TWIN.bad_lines)]
    found = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        found += [(path.name, data.index(line.encode()), line.rstrip()) for line in wanted if line.encode() in data]
    return found


# Parsing -------------------------------------------------------------------------------------------------------------


def row(household: str = "MAC1", time: str = "2012-10-12 00:30:00", kwh: str = "1", rest: str = "a,b") -> str:
    return f"{household},Std,{time},{kwh},{rest}"


@pytest.mark.parametrize(
    ("kwh", "value"),
    [
        (" 0 ", 0.0),
        (" 0.239 ", 0.239),
        ("1.1080001", 1.1080001),
        ("1e-3", 0.001),
        ("-2", -2.0),
        ("Null", None),
        (" Null ", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("bad", ["", "\nx"])  # with a bad line beside, each line is looked at by itself
def test_numbers(kwh: str, value: float | None, bad: str) -> None:
    table, rejected = lcl.parse((row(kwh=kwh) + bad).encode())
    assert table["kwh"].to_pylist() == [value] and len(rejected) == bool(bad)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_ends_of_lines(end: str, last: bool) -> None:
    data = end.join([row("MAC1"), "", row("MAC2", rest="a,"), row("MAC3", "2012-10-12 00:30:00.1234567")]) + end * last
    table, rejected = lcl.parse(data.encode())
    table = lcl.readings([table])
    assert table["household"].to_pylist() == ["MAC1", "MAC2", "MAC3"] and not rejected
    assert table["acorn_group"].to_pylist() == ["b", None, "b"]
    noon = datetime(2012, 10, 12, 0, 30, tzinfo=timezone.utc)
    assert table["time"].to_pylist() == [noon, noon, noon.replace(microsecond=123456)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("MAC1,Std", "2 fields instead of 6"),
        (row(rest="a,b,c"), "7 fields instead of 6"),
        (row(household=""), "no household"),
        (row(household="Null"), "no household"),
        (row(time=""), "not a time"),
        (row(time="12.10.2012 00:30"), "not a time"),
        (row(time="2012-02-30 00:30:00"), "not a time"),
        (row(kwh="1.5.1"), "not a number"),
        (row(kwh="l"), "not a number"),
        (row(kwh=" "), "not a number"),
        (row(kwh="inf"), "not a number"),
        (row(kwh="NaN"), "not a number"),
        (row(rest='a,"b'), "a quotation mark out of place"),
        (row(rest='"a"a,b'), "a quotation mark out of place"),
        (row() + "\r" + row(), "a carriage return within the line"),
        (row("MAC\udcff"), "not UTF-8"),
    ],
)
def test_lines_that_are_no_readings(line: str, reason: str) -> None:
    good = row("MAC9").encode()
    bad = line.encode(errors="surrogateescape")
    table, rejected = lcl.parse(b"\r\n".join([good, bad, good]))
    assert table["household"].to_pylist() == ["MAC9", "MAC9"]
    assert rejected == [(len(good) + 2, reason, bad.decode(errors="replace"))]
    table, rejected = lcl.parse(bad)
    assert table.num_rows == 0 and len(rejected) == 1


def test_quotes_are_taken_off() -> None:
    table, rejected = lcl.parse(row('"MAC1"', kwh='" 1 "', rest='"a,a","say ""b"""').encode())
    assert table.select(["household", "kwh", "acorn", "acorn_group"]).to_pylist() == [
        {"household": "MAC1", "kwh": 1.0, "acorn": "a,a", "acorn_group": 'say "b"'}
    ]
    assert not rejected


def test_a_long_line_is_cut() -> None:
    _, [(_, _, line)] = lcl.parse(b"x" * 10_000)
    assert line == "x" * 500


def test_both_ways_to_parse_agree() -> None:
    """Whatever is done to a line, what is made of it does not depend on the lines beside it."""
    random.seed(4)
    good = [ROW.replace("0.25", f"{n / 1000}") for n in range(300)]
    for n in range(0, 300, 3):
        at = random.randrange(len(ROW))
        good[n] = good[n][:at] + random.choice([",", " ", "x", "", "0", "\t", "-", '"', "é"]) + good[n][at + 1 :]
    alone = [lcl.parse(line.encode()) for line in good]
    table, rejected = lcl.parse("\n".join(good).encode())
    assert lcl.readings([one for one, _ in alone]).to_pylist() == lcl.readings([table]).to_pylist()
    assert [line for _, found in alone for _, _, line in found] == [line for _, _, line in rejected]
    assert len(rejected) + table.num_rows == 300 and len(rejected) > 30


def test_ranges_have_each_line_once(monkeypatch: pytest.MonkeyPatch) -> None:
    random.seed(5)
    data = b"".join(b"%d%s\r\n" % (n, b"," * random.randrange(60)) for n in range(2_000))[:-5]
    monkeypatch.setattr(lcl, "BLOCK", 500)
    for pieces in (1, 2, 3, 50, 700):
        cuts = [1, *sorted(random.choices(range(1, len(data)), k=pieces - 1)), len(data)]
        found = []
        for start, end in pairwise(cuts):
            for offset, block in lcl.lines(pa.BufferReader(data), start, end):
                assert data[offset : offset + len(block)] == block
                found.append(block)
        assert b"".join(found) == data[data.index(b"\n") + 1 :]


def test_a_line_without_end() -> None:
    endless = pa.BufferReader(b"h\n" + b"x" * (3 * lcl.BLOCK))
    with pytest.raises(ValueError, match="a line is longer than 1048576 bytes"):
        list(lcl.lines(endless, 2, 3 * lcl.BLOCK))


def test_a_file_that_shrinks_is_told() -> None:
    class Shrunk(pa.BufferReader):
        def size(self) -> int:
            return 100

    with pytest.raises(ValueError, match="ends at byte 4, though it had 100"):
        list(lcl.lines(Shrunk(b"h\nab"), 2, 100))


# To Parquet ----------------------------------------------------------------------------------------------------------


def test_equals_the_truth_and_sparks_own_reader(csv: Path, truth: pa.Table, spark: Any, tmp_path: Path) -> None:  # noqa: ANN401
    step = submit(SCRIPT, *to_parquet(csv, tmp_path, "--part-size=1 MB"), cores=2)
    schema = "household string, tariff string, time timestamp, kwh double, acorn string, acorn_group string, x string"
    blanks = {"ignoreLeadingWhiteSpace": True, "ignoreTrailingWhiteSpace": True}
    everything = spark.read.schema(schema).csv(str(csv), header=True, nullValue="Null", enforceSchema=True, **blanks)
    good = everything.where("household is not null and time is not null and acorn_group is not null and x is null")
    good.drop("x").write.parquet(str(tmp_path / "spark"))
    output = step.communicate()[0].splitlines()
    assert step.returncode == 0

    table = stored(tmp_path)
    assert table.cast(lcl.schema()).equals(truth), "the order is that of the files"
    theirs = oneoff.read_table(str(tmp_path / "spark"), lcl.COLUMNS)
    assert theirs is not None
    by_spark = oneoff.digest(str(tmp_path / "spark"), lcl.COLUMNS)
    kept = [line for line in lines_that_are_none(csv) if "0.l" in line[2]]
    ours = oneoff.digest(str(tmp_path / "readings"), lcl.COLUMNS)
    assert theirs.num_rows == table.num_rows + len(kept), "Spark reads what is no number as null"
    assert by_spark != ours and len(kept) == 2

    rejected = stored(tmp_path, "rejected").to_pylist()
    assert [(line["file"], line["byte_offset"], line["line"]) for line in rejected] == lines_that_are_none(csv)
    reasons = ["3 fields instead of 6", "7 fields instead of 6", "not a time", "not a number", "no household"]
    assert [line["reason"] for line in rejected] == [reasons[n % 5] for n in range(12)]

    progress = [re.fullmatch(r"\[oneoff\] readings (\d+)/(\d+)", line) for line in output]
    done = [int(line[1]) for line in progress if line]
    assert done == sorted(set(done)) and (done[0], done[-1]) == (0, truth.num_rows)
    assert f"{truth.num_rows:,} readings in 8 parts, 12 lines rejected" in output
    assert sum(line.startswith("rejected: ") for line in output) == 3


@pytest.mark.usefixtures("here")
def test_clean_input_has_the_same_digest_as_by_spark(spark: Any, tmp_path: Path) -> None:  # noqa: ANN401
    twin = TWIN._replace(bad_lines=0, households=12)
    write_twin(twin, tmp_path / "csv")
    convert.main(to_parquet(tmp_path / "csv", tmp_path))
    schema = "household string, tariff string, time timestamp, kwh double, acorn string, acorn_group string"
    blanks = {"ignoreLeadingWhiteSpace": True, "ignoreTrailingWhiteSpace": True}
    theirs = spark.read.schema(schema).csv(str(tmp_path / "csv"), header=True, nullValue="Null", **blanks)
    theirs.write.parquet(str(tmp_path / "spark"))
    ours = oneoff.digest(str(tmp_path / "readings"), lcl.COLUMNS)
    assert ours == oneoff.digest(str(tmp_path / "spark"), lcl.COLUMNS) and ours[0] > 40_000
    back = spark.read.parquet(str(tmp_path / "readings"))
    assert [(field.name, field.dataType.simpleString()) for field in back.schema] == [
        (name, {"time": "timestamp", "kwh": "double"}.get(name, "string")) for name in lcl.COLUMNS
    ]
    assert back.exceptAll(theirs).count() == 0
    assert oneoff.digest(str(tmp_path / "rejected"), REJECTED)[0] == 0
    (empty,) = (tmp_path / "rejected").iterdir()
    assert pq.read_schema(empty).equals(lcl.rejected_schema()), "the table is there, with its columns"

    def size(folder: str) -> int:
        return sum(path.stat().st_size for path in (tmp_path / folder).glob("*.parquet"))

    assert size("readings") <= 1.1 * size("spark")


@pytest.mark.usefixtures("here")
def test_a_second_attempt_makes_what_is_missing(
    csv: Path, truth: pa.Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    convert.main(to_parquet(csv, tmp_path))
    whole = capsys.readouterr().out.splitlines()
    before = parts(tmp_path)
    gone = sorted(before)[3:5]
    for name in gone:
        (tmp_path / "readings" / name).unlink()
    (tmp_path / "readings" / ".part.tmp").write_text("half of a part")
    convert.main(to_parquet(csv, tmp_path))
    after = parts(tmp_path)
    after.pop(".part.tmp")
    assert list(after) == list(before)
    assert [name for name in before if after[name] != before[name]] == gone
    assert stored(tmp_path).cast(lcl.schema()).equals(truth)
    second = capsys.readouterr().out.splitlines()
    assert second[0] == "6 of 8 parts are there already"
    assert second[-5:] == whole[-5:], "the second attempt tells of everything"
    convert.main(to_parquet(csv, tmp_path))
    assert capsys.readouterr().out.splitlines()[0] == "8 of 8 parts are there already"


def test_parts_of_another_input_are_not_mixed(
    csv: Path, tmp_path: Path, no_spark: None, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "readings" / "part-0123456789ab-000000.parquet"
    other.parent.mkdir()
    pq.write_table(lcl.schema().empty_table(), other)
    with pytest.raises(SystemExit) as refused:
        convert.main(to_parquet(csv, tmp_path))
    assert str(refused.value) == (
        f"convert.py: error: {other.parent}: expected a new folder or parts of this very input, found {other.name}"
    )


def test_parts_follow_from_the_input_alone(csv: Path, tmp_path: Path) -> None:
    plan = convert.plan_csv(str(csv), 1 << 20)
    for path in csv.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    moved = convert.plan_csv(str(tmp_path), 1 << 20)
    assert moved.name == plan.name and [part[1:] for part in moved.parts] == [part[1:] for part in plan.parts]
    assert convert.plan_csv(str(csv), 2 << 20).name != plan.name
    path = next(tmp_path.iterdir())
    path.write_bytes(path.read_bytes().replace(b"MAC", b"MAD"))
    assert convert.plan_csv(str(tmp_path), 1 << 20).name != plan.name
    large = tmp_path / "large" / "one.csv"
    large.parent.mkdir()
    large.write_text(f"{HEADER}\n" + f"{ROW}\n" * 100_000)
    parts = convert.plan_csv(str(large), 1 << 20).parts
    assert len(parts) == 6 and parts[0][2] == len(HEADER) + 1 and parts[-1][3] == large.stat().st_size
    assert convert.plan_csv(str(large), 1 << 20).rows == 100_000


# Bad input -----------------------------------------------------------------------------------------------------------

EXPECTED = f"expected the columns {HEADER_TODAY}and, after them or not, Acorn,Acorn_grouped, found"
UNPACK = "expected CSV files, found an archive: unpack it with:"
INPUTS: dict[str, tuple[dict[str, str | bytes], str]] = {
    "missing": ({}, "{input}: there is no such file or folder"),
    "empty folder": ({"in/.hidden": ""}, "{input}: expected files that end in .csv, found no file at all"),
    "no csv": ({"in/a.txt": "", "in/b/c.pdf": ""}, "{input}: expected files that end in .csv, found a.txt, b/c.pdf"),
    "archive": (
        {"in/b c.zip": "PK", "in/a.csv": f"{HEADER}\n{ROW}\n"},
        f"{{input}}/b c.zip: {UNPACK} unzip '{{input}}/b c.zip' -d '{{input}}/b c', and move the archive elsewhere",
    ),
    "packed files": (
        {"in/x/a.csv.gz": "", "in/b.csv.gz": ""},
        f"{{input}}/b.csv.gz: {UNPACK} gunzip {{input}}/b.csv.gz",
    ),
    "another archive": (
        {"in/a.7z": ""},
        "{input}/a.7z: expected CSV files, found an archive: unpack it, and move the archive elsewhere",
    ),
    "zip with another name": (
        {"in/a.csv": b"PK\3\4\24\0\0\0\xff"},
        f"{{input}}/a.csv: {EXPECTED} a zip archive: give it a name that ends in .zip, and unpack it with unzip",
    ),
    "gzip with another name": (
        {"in/a.csv": gzip.compress(random.Random(1).randbytes(5_000))},
        f"{{input}}/a.csv: {EXPECTED} gzip data: give it a name that ends in .gz, and unpack it with gunzip",
    ),
    "parquet": ({"in/a.csv": b"PAR1\25\4\25\20\r\n"}, f"{{input}}/a.csv: {EXPECTED} Parquet"),
    "UTF-16": (
        {"in/a.csv": f"{HEADER}\r\n{ROW}\r\n".encode("utf-16")},
        f"{{input}}/a.csv: {EXPECTED} UTF-16: make UTF-8 of it with iconv -f UTF-16 -t UTF-8",
    ),
    "UTF-16 without its mark": (
        {"in/a.csv": f"{HEADER}\r\n{ROW}\r\n".encode("utf-16-le")},
        f"{{input}}/a.csv: {EXPECTED} bytes that are no text",
    ),
    "bytes": ({"in/a.csv": random.Random(2).randbytes(5_000)}, f"{{input}}/a.csv: {EXPECTED} bytes that are no text"),
    "carriage returns": (
        {"in/a.csv": f"{HEADER}\r{ROW}\r"},
        f"{{input}}/a.csv: {EXPECTED} '{HEADER}', whose lines end in carriage returns alone",
    ),
    "bytes below the header": (
        {"in/a.csv": f"{HEADER_TODAY}\n".encode() + b"\0\xff" * 99},
        "{input}/a.csv: expected readings below the header, found bytes that are no text (not UTF-8)",
    ),
    "zeros at the end": (
        {"in/a.csv": f"{HEADER}\n{ROW}\n" + "\0" * 9_000},
        "{input}/a.csv: expected a whole line at the end, found bytes that are no text (1 fields instead of 6): "
        "the file is cut off",
    ),
    "an empty file below": (
        {"in/a.csv": f"{HEADER}\n{ROW}\n", "in/b/c.csv": ""},
        f"{{input}}/b/c.csv: {EXPECTED} an empty file",
    ),
    "empty": ({"in/a.csv": ""}, f"{{input}}/a.csv: {EXPECTED} an empty file"),
    "columns": ({"in/a.csv": f"id,x,y\n{ROW}\n"}, f"{{input}}/a.csv: {EXPECTED} 'id,x,y'"),
    "no header": ({"in/a.csv": f"{ROW}\n"}, f"{{input}}/a.csv: {EXPECTED} '{ROW}'"),
    "header in part": ({"in/a.csv": HEADER[:30]}, f"{{input}}/a.csv: {EXPECTED} '{HEADER[:30]}'"),
    "no rows": ({"in/a.csv": f"{HEADER}\r\n\r\n"}, "{input}/a.csv: expected readings below the header, found none"),
    "no reading": (
        {"in/a.csv": f"{HEADER}\nx;y\nz;z\n"},
        "{input}/a.csv: expected readings below the header, found 'x;y' (1 fields instead of 6)",
    ),
    "cut off": (
        {"in/a.csv": f"{HEADER}\r\n{ROW}\r\n{ROW[:29]}"},
        f"{{input}}/a.csv: expected a whole line at the end, found '{ROW[:29]}' (3 fields instead of 6): "
        "the file is cut off",
    ),
    "second file": (
        {"in/a.csv": f"{HEADER}\n{ROW}\n", "in/b.csv": "x\n"},
        f"{{input}}/b.csv: {EXPECTED} 'x'",
    ),
}


@pytest.mark.parametrize(("files", "message"), INPUTS.values(), ids=INPUTS.keys())
def test_bad_input_is_refused_before_anything_is_written(
    files: dict[str, str | bytes], message: str, tmp_path: Path, no_spark: None
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SystemExit) as refused:
        convert.main(to_parquet(tmp_path / "in", tmp_path / "out"))
    assert str(refused.value) == f"convert.py: error: {message.format(input=tmp_path / 'in')}"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("end", ["", "\r\n"])
@pytest.mark.parametrize("header", ["{}", "\ufeff{}", "{}\r", '"{}"'])
@pytest.mark.parametrize("blank", [" ", ""])
@pytest.mark.parametrize(("columns", "row"), [(HEADER, ROW), (HEADER_TODAY, ROW_TODAY)])
def test_input_that_will_do(end: str, header: str, blank: str, columns: str, row: str, tmp_path: Path) -> None:
    path = tmp_path / "one.dat"  # a file that is named may be called anything
    named = ('","' if '"' in header else ",").join(columns.replace(") ", f"){blank}").split(","))
    path.write_bytes(f"{header.format(named)}\n{row}\r\n{row}{end}".encode())
    plan = convert.plan_csv(str(path), 1 << 20)
    (part,) = plan.parts
    (table,) = (table for table, _ in convert.read_csv(part, {}))
    acorn = "ACORN-A" if columns == HEADER else "unknown"
    assert (part.name, table.column_names, table["acorn"].to_pylist()) == ("one.dat", list(lcl.COLUMNS), [acorn] * 2)


# Without Acorn -------------------------------------------------------------------------------------------------------

TODAY = TWIN._replace(households=6, bad_lines=5, width=lcl.WITHOUT_ACORN)


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as London's archive unpacks, with the table of households beside the readings."""
    folder = tmp_path_factory.mktemp("today")
    write_twin(TODAY, folder / "Small LCL Data")
    (folder / "informations_households.csv").write_bytes(generate.households_file(TODAY))
    (folder / "Tariffs.xlsx").write_bytes(b"PK")
    return folder


@pytest.mark.usefixtures("here")
def test_what_london_publishes_today(today: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = pa.concat_tables(generate.truth(TODAY, *file) for file in generate.files(TODAY))
    table = today / "informations_households.csv"
    convert.main(to_parquet(today, tmp_path / "known", f"--acorn={table}"))
    assert stored(tmp_path / "known").cast(lcl.schema()).equals(truth)
    rejected = stored(tmp_path / "known", "rejected").to_pylist()
    assert sorted(line["reason"] for line in rejected) == [
        *("3 fields instead of 4", "5 fields instead of 4", "no household", "not a number", "not a time")
    ]
    assert {Path(line["file"]).parent for line in rejected} == {Path("Small LCL Data")}
    assert capsys.readouterr().out.startswith("[oneoff] readings 0/")

    convert.main(to_parquet(today / "Small LCL Data", tmp_path / "unknown"))
    unknown = stored(tmp_path / "unknown")
    measured = ["household", "tariff", "time", "kwh"]
    assert unknown.select(measured).cast(truth.select(measured).schema).equals(truth.select(measured))
    assert unknown["acorn"].unique().to_pylist() == unknown["acorn_group"].unique().to_pylist() == ["unknown"]
    assert capsys.readouterr().out.startswith(
        f"{today / 'Small LCL Data'} has no Acorn in 6 of 6 files: it is 'unknown' there\n"
    )
    (schema,) = {pq.read_schema(path).remove_metadata() for path in tmp_path.glob("*/readings/*.parquet")}
    assert schema.names == list(lcl.COLUMNS)


def test_both_layouts_in_one_folder(tmp_path: Path) -> None:
    for name, header, row in (("a", HEADER_TODAY, ROW_TODAY), ("b/a", HEADER, ROW)):
        (tmp_path / f"{name}.csv").parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.csv").write_text(f"{header}\r\n{row}\r\n")
    plan = convert.plan_csv(str(tmp_path), 1 << 20)
    assert [part.name for part in plan.parts] == ["a.csv", "b/a.csv"]
    assert plan.notes == [f"{tmp_path} has no Acorn in 1 of 2 files: it is 'unknown' there"]
    tables = [table for part in plan.parts for table, _ in convert.read_csv(part, plan.households)]
    assert lcl.readings(tables)["acorn_group"].to_pylist() == ["unknown", "Affluent"]


def test_the_table_of_households_decides_what_the_parts_are_called(today: Path, tmp_path: Path) -> None:
    """Or a second attempt, with another table, would keep the parts of the first."""
    table = tmp_path / "households.csv"
    names = set()
    for acorn in ("A", "B"):
        table.write_text(f"LCLid,Acorn,Acorn_grouped\nMAC000002,ACORN-{acorn},Affluent\n")
        names.add(convert.plan_csv(str(today / "Small LCL Data"), 1 << 20, str(table)).name)
    assert len(names | {convert.plan_csv(str(today / "Small LCL Data"), 1 << 20).name}) == 3


def test_what_a_table_leaves_open_is_unknown(tmp_path: Path) -> None:
    table = tmp_path / "households.csv"
    lines = (
        "file, Acorn_grouped ,Acorn,LCLid",
        "block_1,Affluent,ACORN-A,MAC000003",
        ",,Null,MAC000002",
        "",
        ",,,MAC1",
    )
    table.write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    households = london_input.read_households(str(table))
    assert households == {
        "MAC000003": ("ACORN-A", "Affluent"),
        **dict.fromkeys(("MAC000002", "MAC1"), ("unknown", "unknown")),
    }
    block = "\n".join(ROW_TODAY.replace("MAC000002", f"MAC{name}") for name in ("000003", "000002", "9", "000003"))
    known = lcl.readings([lcl.add_acorn(lcl.parse(block.encode(), 4)[0], households)])
    assert known["acorn"].to_pylist() == ["ACORN-A", "unknown", "unknown", "ACORN-A"]


TABLE = "expected a CSV file with the columns LCLid, Acorn, Acorn_grouped and a line per household, found"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", f"{TABLE} an empty file"),
        (b"LCLid,Acorn\nMAC1,A\n", f"{TABLE} 'LCLid,Acorn'"),
        (b"LCLid,Acorn,Acorn_grouped\r\n", f"{TABLE} no household"),
        (b"LCLid,Acorn,Acorn_grouped\nMAC1,A,b\n,A,b\n", f"{TABLE} no household in line 3"),
        (b"LCLid,Acorn,Acorn_grouped\nMAC1,A,b\nMAC1,A,b\nMAC1,A,c\n", f"{TABLE} two Acorns of MAC1 in line 4"),
        (b'LCLid,Acorn,Acorn_grouped\nMAC1,"A"b,c\n', f"{TABLE} that line 2 is none"),
        (b"PK\3\4\0", f"{TABLE} a zip archive"),
        (random.Random(3).randbytes(999), f"{TABLE} bytes that are no text"),
        (b"x" * ((16 << 20) + 1), f"{TABLE} 16777217 bytes"),
        (b"LCLid,Acorn,Acorn_grouped\nMAC9,A,b\n", "expected the households of {csv}, such as MAC000002, found none"),
        (None, "households.csv"),
    ],
)
def test_tables_of_households_of_no_use(content: bytes | None, message: str, tmp_path: Path, no_spark: None) -> None:
    csv, table = tmp_path / "one.csv", tmp_path / "households.csv"
    csv.write_text(f"{HEADER_TODAY}\n{ROW_TODAY}\n")
    if content is not None:
        table.write_bytes(content)
    with pytest.raises(SystemExit) as refused:
        convert.main(to_parquet(csv, tmp_path / "out", f"--acorn={table}"))
    said = str(refused.value)
    assert str(table) in said and message.format(csv=csv) in said and said.isprintable()


def test_a_table_of_households_that_is_not_needed(csv: Path, tmp_path: Path) -> None:
    table = tmp_path / "households.csv"
    table.write_text("LCLid,Acorn,Acorn_grouped\nMAC9,A,b\n")
    assert convert.plan_csv(str(csv), 1 << 20, str(table)).notes == [f"{table} is not needed: the readings have Acorn"]


@pytest.mark.parametrize(
    ("archive", "command"),
    [
        ("/d/LCL-FullData.zip", "unzip /d/LCL-FullData.zip -d /d/LCL-FullData, and take /d/LCL-FullData for the input"),
        ("/d/a b.csv.gz", "gunzip '/d/a b.csv.gz', and take /d/a b.csv for the input"),
        (
            "s3://b/p/a b.zip",
            "aws s3 cp 's3://b/p/a b.zip' . && unzip 'a b.zip' -d 'a b' && aws s3 sync 'a b' 's3://b/p/a b'",
        ),
        (
            "s3://b/a.csv.gz",
            "aws s3 cp s3://b/a.csv.gz - | gunzip | aws s3 cp - s3://b/a.csv && aws s3 rm s3://b/a.csv.gz",
        ),
        (
            "gs://b/a.zip",
            "gcloud storage cp gs://b/a.zip . && unzip a.zip -d a && gcloud storage rsync --recursive a gs://b/a",
        ),
        ("gs://b/a.csv.gz", "gcloud storage cat gs://b/a.csv.gz | gunzip | gcloud storage cp - gs://b/a.csv"),
        ("webhdfs://n:9870/d/a.zip", "hdfs dfs -get /d/a.zip . && unzip a.zip -d a && hdfs dfs -put a /d/a"),
        ("webhdfs://n:9870/a.gz", "hdfs dfs -cat /a.gz | gunzip | hdfs dfs -put - /a && hdfs dfs -rm /a.gz"),
    ],
)
def test_archives_are_named_with_what_unpacks_them(archive: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oneoff, "list_files", lambda address, **_: [(address, 9)])
    with pytest.raises(ValueError, match=re.escape(f"{archive}: {UNPACK} {command}")):
        convert.plan_csv(archive, 1 << 20)


@pytest.mark.usefixtures("here")
def test_lines_that_are_no_text_are_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_bytes(f"{HEADER_TODAY}\n{ROW_TODAY}\n".encode() + b"\0\x1b[31m\n\xff\n")
    convert.main(to_parquet(tmp_path / "a.csv", tmp_path))
    output = capsys.readouterr().out
    assert (
        "1 fields instead of 4: bytes that are no text\n" in output and "not UTF-8: bytes that are no text\n" in output
    )
    assert output.replace("\n", "").isprintable()


def test_one_line_says_why(tmp_path: Path) -> None:
    """From the command line, as a cluster shows it."""
    refused = run_python(SCRIPT, *to_parquet(tmp_path / "none", tmp_path))
    assert refused.returncode == 1
    assert refused.stderr == f"convert.py: error: {tmp_path}/none: there is no such file or folder\n"


@pytest.mark.usefixtures("here")
def test_a_place_that_cannot_be_written_is_told_in_one_line(csv: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as refused:
        convert.main(to_parquet(csv, tmp_path / "file"))
    message = f" error: readings: NotADirectoryError: [Errno 20] Not a directory: '{tmp_path}/file/re"
    assert message in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: --from, --to, --input"),
        (["--from=csv", "--to=orc", "--input=i"], "argument --to: invalid choice: 'orc'"),
        (["--from=parquet", "--to=parquet", "--input=i"], "--from parquet goes with --to mongo only"),
        (["--from=csv", "--to=parquet", "--input=i", "--readings=r"], "--rejected goes with --to parquet, and has to"),
        (["--from=csv", "--to=mongo", "--input=i", "--mongo-uri=m"], "--run goes with --to mongo, and has to"),
        (to_parquet("i", "o", "--run=1"), "--run goes with --to mongo, and has to"),
        (["--from=parquet", "--to=mongo", "--input=i", "--acorn=a"], "--acorn goes with --from csv only"),
        (to_parquet("i", "o", "--part-size=64"), "argument --part-size: '64' is not a size of at least 1 MB"),
        (to_parquet("i", "o", "--part-size=0 MB"), "argument --part-size: '0 MB' is not a size of at least 1 MB"),
    ],
)
def test_bad_arguments(arguments: list[str], message: str) -> None:
    refused = run_here(SCRIPT, *arguments)
    assert refused.returncode == 2
    assert re.fullmatch(rf"convert\.py: error: {re.escape(message)}.*\n", refused.stderr)


def test_help() -> None:
    assert "--part-size" in run_python(SCRIPT, "--help").stdout


# Object stores and HDFS ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_object_stores(object_store: Path, scheme: str) -> None:
    folder = object_store / "bucket" / "in"
    (object_store / "bucket" / "out").mkdir(parents=True)
    write_twin(generate.Twin(1, 2, 3, "2012-10-01"), folder)
    plan = convert.plan_csv(f"{scheme}://bucket/in/", 1 << 20)
    for part in plan.parts:
        name = convert.part_name(plan, part)
        convert.write_part(part, name, {}, f"{scheme}://bucket/out", f"{scheme}://bucket/out")
    done = convert.finished_parts(plan, f"{scheme}://bucket/out", f"{scheme}://bucket/none")
    assert sorted(done) == [part[1] for part in plan.parts]


@pytest.fixture
def hdfs() -> Iterator[Hdfs]:
    server = Hdfs()
    yield server
    server.close()


@pytest.mark.usefixtures("here")
def test_hdfs_there_and_back(hdfs: Hdfs, csv: Path, truth: pa.Table, capsys: pytest.CaptureFixture[str]) -> None:
    for path in csv.iterdir():
        oneoff.put(f"{hdfs.address}/lcl/csv/{path.name}", path.read_bytes())
    lake = f"{hdfs.address}/runs/1"
    convert.main(to_parquet(f"{hdfs.address}/lcl/csv", lake))
    assert stored(lake).cast(lcl.schema()).equals(truth)
    assert stored(lake, "rejected").num_rows == TWIN.bad_lines
    assert len(hdfs.below("/runs/1/readings")) == 8
    assert not [path for path in hdfs.files if ".tmp" in path]
    assert oneoff.digest(f"{lake}/readings", lcl.COLUMNS)[0] == truth.num_rows
    convert.main(to_parquet(f"{hdfs.address}/lcl/csv", lake))
    assert "8 of 8 parts are there already" in capsys.readouterr().out


def test_a_file_of_hdfs_is_replaced_and_read_anywhere(hdfs: Hdfs) -> None:
    for content in (b"one", b"another" * 1_000_000):
        oneoff.put(f"{hdfs.address}/a/b", content)
    assert hdfs.files == {"/a/b": content}
    with oneoff.open_file(f"{hdfs.address}/a/b") as file:
        assert (file.size(), file.read_at(7, 6_999_993), file.read_at(3, 0)) == (7_000_000, b"another", b"ano")
    assert oneoff.list_files(f"{hdfs.address}/a") == [(f"{hdfs.address}/a/b", 7_000_000)]
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        oneoff.list_files(f"{hdfs.address}/c")
    with pytest.raises(FileNotFoundError):
        oneoff.open_file(f"{hdfs.address}/c")


def test_an_error_of_a_datanode_is_no_content(hdfs: Hdfs) -> None:
    oneoff.put(f"{hdfs.address}/a", b"content")
    hdfs.fail_reads = True
    with pytest.raises(OSError, match="403"), oneoff.open_file(f"{hdfs.address}/a") as file:
        file.read()


def test_hdfs_out_of_reach_is_told_in_one_line(no_spark: None, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"convert\.py: error: .*127\.0\.0\.1.*Connection refused") as refused:
        convert.main(to_parquet("webhdfs://127.0.0.1:9/csv", tmp_path))
    assert "\n" not in str(refused.value)


# To MongoDB ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongo]:
    server = Mongo(tmp_path_factory.mktemp("mongo"))
    server.start()
    yield server
    server.kill()


def to_mongo(source: str, place: object, mongo: Mongo, run: str) -> list[str]:
    return [f"--from={source}", "--to=mongo", f"--input={place}", f"--mongo-uri={mongo.uri_file}", f"--run={run}"]


def buckets(truth: pa.Table) -> dict[str, dict[str, Any]]:
    """The documents, in plain Python."""
    found: dict[str, dict[str, Any]] = {}
    for reading in truth.to_pylist():
        time = reading["time"]
        day = found.setdefault(
            f"{reading['household']} {time.date()}",
            {
                "_id": f"{reading['household']} {time.date()}",
                "household": reading["household"],
                "tariff": reading["tariff"],
                "acorn_group": reading["acorn_group"],
                "date": datetime(time.year, time.month, time.day),
                "kwh": [None] * 48,
            },
        )
        if reading["kwh"] is not None:
            day["kwh"][time.hour * 2 + time.minute // 30] = reading["kwh"]
    return found


def in_database(mongo: Mongo, collection: str = "readings") -> dict[str, dict[str, Any]]:
    with mongo.database() as database:
        return {document["_id"]: document for document in database[collection].find()}


@pytest.mark.usefixtures("here")
def test_csv_and_parquet_become_the_same_documents(
    csv: Path, truth: pa.Table, mongo: Mongo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = buckets(truth)
    convert.main(to_mongo("csv", csv, mongo, "1"))
    output = capsys.readouterr().out
    assert in_database(mongo) == expected
    total = truth.num_rows
    assert f"{total:,} readings in {len(expected):,} documents, 12 lines rejected\n" in output
    progress = [int(done) for done in re.findall(r"^\[oneoff\] readings (\d+)/\d+$", output, re.MULTILINE)]
    assert progress == sorted(set(progress)) and (progress[0], progress[-1]) == (0, total)

    convert.main(to_parquet(csv, tmp_path))
    convert.main(to_mongo("parquet", tmp_path / "readings", mongo, "2"))
    assert in_database(mongo) == expected
    with mongo.database() as database:
        assert sorted(database.list_collection_names()) == ["loads", "readings"]
        (load,) = database["loads"].find()
        assert {**load, "loaded": None} == {
            **{"_id": "readings", "run": "2", "documents": len(expected), "readings": total, "loaded": None}
        }
        indexes = [index["key"] for index in database["readings"].index_information().values()]
        assert [("household", 1), ("date", 1)] in indexes


@pytest.mark.usefixtures("here")
def test_a_server_that_dies_in_mid_write_is_told_and_a_second_attempt_completes(
    csv: Path,
    truth: pa.Table,
    mongo: Mongo,
    spark: Any,  # noqa: ANN401
) -> None:
    other = generate.Twin(9, 2, 3, "2012-10-01")
    small = csv.parent / "small"
    write_twin(other, small)
    convert.main(to_mongo("csv", small, mongo, "1"))
    before = in_database(mongo)

    with pytest.MonkeyPatch.context() as patch, Killer(mongo):
        patch.setattr(london_load, "DOCUMENTS_AT_ONCE", 10)  # so that it takes a while
        patch.setitem(london_mongo.TIMEOUTS, "serverSelectionTimeoutMS", 500)
        with pytest.raises(SystemExit) as failed:
            convert.main(to_mongo("csv", csv, mongo, "2"))
    message = str(failed.value)
    assert re.fullmatch(rf".*: error: .*ConnectionError: MongoDB at {mongo.host}: [^\n]*; what was there .*", message)
    assert mongo.PASSWORD not in message
    wait_for_tasks(spark)
    mongo.start()
    assert in_database(mongo) == before, "nothing of what was half written is to be seen"
    assert in_database(mongo, "readings_loading")
    with mongo.database() as database:  # made at the end, the index would take more memory than a small server has
        assert "household_1_date_1" in database["readings_loading"].index_information()
    convert.main(to_mongo("csv", csv, mongo, "3"))
    assert in_database(mongo) == buckets(truth)
    with mongo.database() as database:
        assert sorted(database.list_collection_names()) == ["loads", "readings"]


def wait_for_tasks(spark: Any) -> None:  # noqa: ANN401
    """Until none runs: others than the one that failed go on for a while, and may write when the server is back."""
    tracker = spark.sparkContext._jsc.sc().statusTracker()
    while any(executor.numRunningTasks() for executor in tracker.getExecutorInfos()):
        time.sleep(0.05)


class Killer(Thread):
    """Kills the server when the first documents are there."""

    def __init__(self, mongo: Mongo) -> None:
        super().__init__()
        self._mongo = mongo
        self._ended = Event()

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        with self._mongo.database() as database:
            while not self._ended.wait(0.02) and not database["readings_loading"].find_one():
                pass
        self._mongo.kill()


def test_a_server_out_of_reach_is_told_before_spark_is_started(
    csv: Path, no_spark: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(london_mongo.TIMEOUTS, "serverSelectionTimeoutMS", 200)
    (tmp_path / "uri").write_text("mongodb://oneoff:pass@127.0.0.1:9/power")
    with pytest.raises(SystemExit) as refused:
        convert.main(["--from=csv", "--to=mongo", f"--input={csv}", f"--mongo-uri={tmp_path / 'uri'}", "--run=1"])
    assert re.fullmatch(r"convert\.py: error: MongoDB at 127\.0\.0\.1:9: .*Connection refused; .*", str(refused.value))


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("mongodb://oneoff:wrong@{host}/power?authSource=power", "MongoDB at {host}: Authentication failed"),
        ("mongodb://oneoff:wrong@{host}/", "{file} has no connection string with a database, such as mongodb://"),
        ("postgres://{host}/", "{file} has no connection string with a database, such as mongodb://"),
    ],
)
def test_connection_strings_of_no_use(
    uri: str, message: str, csv: Path, mongo: Mongo, no_spark: None, tmp_path: Path
) -> None:
    (tmp_path / "uri").write_text(uri.format(host=mongo.host))
    with pytest.raises(SystemExit) as refused:
        convert.main(["--from=csv", "--to=mongo", f"--input={csv}", f"--mongo-uri={tmp_path / 'uri'}", "--run=1"])
    expected = message.format(host=mongo.host, file=tmp_path / "uri")
    assert str(refused.value).startswith(f"convert.py: error: {expected}")
    assert "\n" not in str(refused.value) and "wrong" not in str(refused.value)


@pytest.mark.parametrize(
    ("table", "found"),
    [(pa.table({"id": [1]}), "found id in"), (None, "found none")],
)
def test_parquet_of_no_use(table: pa.Table | None, found: str, no_spark: None, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "uri").write_text("mongodb://127.0.0.1:9/power")
    if table:
        pq.write_table(table, tmp_path / "in" / "a.parquet")
    with pytest.raises(SystemExit, match=rf"in: expected Parquet files with the columns household, .*, {found}"):
        source = [f"--input={tmp_path / 'in'}", f"--mongo-uri={tmp_path / 'uri'}"]
        convert.main(["--from=parquet", "--to=mongo", *source, "--run=1"])


def test_of_several_readings_the_largest_counts() -> None:
    times = pa.array([0, 0, 0, 30 * MINUTE, 45 * MINUTE, 60 * MINUTE], pa.timestamp("us", "UTC"))
    table = pa.table(
        {
            "household": pa.array(["a"] * 6).dictionary_encode(),
            "tariff": pa.array(["Std"] * 6).dictionary_encode(),
            "acorn_group": pa.array([None] * 6, pa.string()).dictionary_encode(),
            "time": times,
            "kwh": [1.0, 3.0, None, None, 2.0, None],
        }
    )
    for order in ([0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0]):
        (document,) = london_load.documents(table.take(order))
        assert document["kwh"] == [3.0, 2.0, *[None] * 46] and document["acorn_group"] is None
