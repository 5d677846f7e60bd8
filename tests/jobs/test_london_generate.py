"""Step generate of job london-power: its truth by another calculation, its quirks, the same files on any cluster."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from conftest import run_here, run_python, submit
from london_support import HEADER, LONDON, load

import lcl  # isort: skip - london_support says where it is

generate = load("generate")
SCRIPT = LONDON / "generate.py"
TWIN = generate.Twin(seed=3, households=40, days=120, start="2012-08-01", bad_lines=0)
LONDON_TIME = ZoneInfo("Europe/London")
MASK = (1 << 64) - 1


def number(twin: generate.Twin, purpose: str, household: int, at: int) -> int:
    """What is drawn, in plain Python: SplitMix64."""
    digest = hashlib.blake2b(f"{twin.seed} {purpose} {household}".encode(), digest_size=8).digest()
    value = (at + int.from_bytes(digest, "little")) * 0x9E3779B97F4A7C15 & MASK
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & MASK
    value = (value ^ value >> 27) * 0x94D049BB133111EB & MASK
    return value >> 33


def watt_hours(twin: generate.Twin, household: int, slot: int) -> int:
    """What a household uses, in plain Python and by the time zone database."""
    time = datetime.fromisoformat(twin.start).replace(tzinfo=timezone.utc) + timedelta(minutes=30 * slot)
    clock = time.astimezone(LONDON_TIME)
    half_hour = clock.hour * 2 + clock.minute // 30
    who = generate.household(twin, household)
    product = generate.CURVE[half_hour] * generate.SEASON[clock.month - 1] * who.scale
    product *= 850 + number(twin, "weather", 0, slot // 48) % 301
    product *= 300 + number(twin, "chance", household, slot) % 1401
    moved = 1120 if half_hour < 12 else 880 if 34 <= half_hour < 42 else 1000
    product *= moved if who.tariff == "ToU" else 1000
    return min(9_999, product // 10**15)


@pytest.fixture(scope="module")
def lines() -> list[list[str]]:
    """Fields of all lines of the twin's files."""
    found = []
    for first, last in generate.files(TWIN):
        header, *rows, end = generate.csv_file(TWIN, first, last).decode().split("\r\n")
        assert (header, end) == (HEADER, "")
        found += [row.split(",") for row in rows]
    return found


def test_consumption_agrees_with_another_calculation() -> None:
    slots = np.array([0, 1, 47, 48, 1_000, 4_223, 4_224, 4_225, 4_226, 5_759])  # the clocks go back at 4,226
    for household in range(TWIN.households):
        expected = [watt_hours(TWIN, household, slot) for slot in slots.tolist()]
        assert generate.watt_hours(TWIN, household, slots).tolist() == expected
    assert generate.watt_hours(TWIN, 0, slots).tolist() != generate.watt_hours(TWIN._replace(seed=4), 0, slots).tolist()


def test_nothing_overflows() -> None:
    most = max(generate.CURVE) * max(generate.SEASON) * 1150 * 1120 * (1500 * 1300 // 1000) * 1700
    assert most < 2**63


def test_londons_calendar_is_that_of_the_time_zone_database() -> None:
    first = datetime(2011, 12, 31)
    for half_hour in range(0, 3 * 366 * 48):
        time = first + half_hour * lcl.HALF_HOUR
        expected = time.replace(tzinfo=timezone.utc).astimezone(LONDON_TIME).replace(tzinfo=None)
        assert lcl.london(time) == expected, time
    lengths = Counter(lcl.half_hours_of(date(2012, 1, 1) + timedelta(days)) for days in range(366))
    assert lengths == {48: 364, 46: 1, 50: 1}
    assert lcl.half_hours_of(date(2012, 3, 25)) == 46 and lcl.half_hours_of(date(2012, 10, 28)) == 50


def test_files_say_what_was_used(lines: list[list[str]]) -> None:
    first = datetime.fromisoformat(TWIN.start)
    for name, tariff, time, kwh, acorn, group in lines[::97]:
        household = int(name.removeprefix("MAC")) - 2
        who = generate.household(TWIN, household)
        assert (tariff, acorn, group) == (who.tariff, who.acorn, lcl.ACORNS[acorn])
        assert re.fullmatch(r"2012-\d\d-\d\d \d\d:\d\d:\d\d\.0000000", time)
        if kwh == "Null":
            continue
        assert re.fullmatch(r" (0|\d\.\d{1,3}|[1-9]) ", kwh)
        slot = (datetime.fromisoformat(time[:19]) - first) // lcl.HALF_HOUR
        assert round(float(kwh) * 1000) == watt_hours(TWIN, household, slot)


def test_quirks_of_the_published_files(lines: list[list[str]]) -> None:
    copies = Counter((line[0], line[2]) for line in lines)
    assert 40 < sum(number == 2 for number in copies.values()) < 200 and max(copies.values()) == 2
    nulls = [line for line in lines if line[3] == "Null"]
    odd = [line for line in nulls if line[2][14:19] not in ("00:00", "30:00")]
    assert 40 < len(nulls) - len(odd) < 200 and 10 <= len(odd) <= 30
    readings = Counter(line[0] for line in lines)
    assert len(readings) == TWIN.households
    late = sum(generate.household(TWIN, n).joined > 0 for n in range(TWIN.households))
    gaps = sum(len(generate.household(TWIN, n).gap) > 0 for n in range(TWIN.households))
    assert 5 < late < 25 and 10 < gaps < 30
    assert sum(number < TWIN.slots * 0.97 for number in readings.values()) >= late // 2
    assert {line[1] for line in lines} == {"Std", "ToU"} and {line[5] for line in lines} == set(lcl.ACORN_GROUPS)
    keys = [(line[0], line[2]) for line in lines]
    assert keys == sorted(keys)


def test_a_household_may_be_spread_over_two_files() -> None:
    files = generate.files(generate.Twin(1, 45, 100, "2012-01-01"))
    households = [{number for number, _, _ in generate.stays(TWIN._replace(days=100), *file)} for file in files]
    assert len(files) == 8 and any(a & b for a, b in pairwise(households))


@pytest.mark.parametrize("households", [1, 2, 7, 8, 100, 5_000])
def test_files_are_bounded(households: int) -> None:
    twin = generate.Twin(1, households, 800, "2012-01-01")
    files = generate.files(twin)
    assert [first for first, _ in files] == [0, *(last for _, last in files[:-1])]
    assert files[-1][1] == households * twin.slots
    assert max(last - first for first, last in files) <= generate.SLOTS_PER_FILE
    assert len(files) == max(min(8, households), -(-households * twin.slots // 1_000_000))


@pytest.mark.parametrize("twin", [TWIN, TWIN._replace(bad_lines=13), generate.Twin(5, 3, 1, "2013-03-31", 2)])
def test_truth_is_what_the_files_say(twin: generate.Twin) -> None:
    rejected = []
    for first, last in generate.files(twin):
        _, _, body = generate.csv_file(twin, first, last).partition(b"\n")
        table, faults = lcl.parse(body)
        truth = generate.truth(twin, first, last)
        assert truth.num_rows and lcl.readings([table]).cast(lcl.schema()).equals(truth)
        rejected += faults
    assert len(rejected) == twin.bad_lines
    reasons = {reason for _, reason, _ in rejected}
    assert len(reasons) == min(5, twin.bad_lines)


def test_four_cores_write_the_files_that_one_makes(tmp_path: Path) -> None:
    twin = TWIN._replace(bad_lines=3, width=lcl.WITHOUT_ACORN)
    size = ["--households=40", "--days=120", "--start=2012-08-01", "--seed=3", "--bad-lines=3"]
    step = submit(SCRIPT, f"--csv={tmp_path / 'csv'}", f"--acorn={tmp_path / 'acorn.csv'}", *size, cores=4)
    output = step.communicate()[0].splitlines()
    assert step.returncode == 0
    done = [int(found[1]) for line in output if (found := re.fullmatch(r"\[oneoff\] half hours (\d+)/230400", line))]
    assert len(done) == len(output) and done == sorted(set(done)) and (done[0], done[-1]) == (0, 230_400)
    expected = {f"LCL-{n:04d}.csv": generate.csv_file(twin, *file) for n, file in enumerate(generate.files(twin))}
    assert {path.name: path.read_bytes() for path in (tmp_path / "csv").iterdir()} == expected
    assert (tmp_path / "acorn.csv").read_bytes() == generate.households_file(twin)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: --csv"),
        (["--csv", "c", "--households", "0"], "argument --households: '0' is not a whole number of at least 1"),
        (["--csv", "c", "--households", "900001"], "--households 900001 is more than 900000"),
        (["--csv", "c", "--days", "x"], "argument --days: 'x' is not a whole number of at least 1"),
        (["--csv", "c", "--start", "2012-02-30"], "argument --start: '2012-02-30' is not a day from 1996 to 2099"),
        (["--csv", "c", "--seed", "-1"], "argument --seed: '-1' is not a whole number of at least 0"),
        (["--csv", "c", "--bad-lines", "few"], "argument --bad-lines: 'few' is not a whole number of at least 0"),
    ],
)
def test_bad_arguments(arguments: list[str], message: str) -> None:
    refused = run_here(SCRIPT, *arguments)
    assert refused.returncode == 2
    assert re.fullmatch(rf"generate\.py: error: {re.escape(message)}.*\n", refused.stderr)


def test_files_of_another_twin_are_not_mixed(tmp_path: Path) -> None:
    (tmp_path / "LCL-0008.csv").write_text("")
    refused = run_here(SCRIPT, "--csv", str(tmp_path))
    assert refused.returncode == 1
    assert refused.stderr == f"generate.py: error: {tmp_path}: expected an empty or new folder, found LCL-0008.csv\n"


def test_help() -> None:
    assert "--households" in run_python(SCRIPT, "--help").stdout
