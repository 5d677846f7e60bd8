"""Step generate of job london-power: a made-up twin of the published CSV of any size, with its quirks and known truth.

A household uses more in the evening than at night, by the clock of London, and more in winter; so much more or less
depends on its Acorn group, its tariff and itself. As in the published files, some readings are `Null`, some stand
twice, some are missing; households join late; each file has the header and ends where it is full, in the middle of a
household.

Whatever stands in the files follows from the seed, the household and the half hour by whole numbers alone, so the same
twin comes out on any machine and any number of cores, and each reading can be computed by itself.
"""

from __future__ import annotations

import argparse
import bisect
import functools
import hashlib
import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

try:
    import lcl
    import oneoff
except ImportError:  # not submitted with --py-files: one lies one folder up
    sys.path[:0] = [str(Path(__file__).resolve().parents[n]) for n in (0, 1)]
    import lcl
    import oneoff

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Numbers = TypeVar("Numbers", int, np.ndarray)

SLOTS_PER_FILE = 1_000_000  # half hours of households; nearly as many lines
LEAST_FILES = 8  # so that few households are spread over the cores too
MOST_HOUSEHOLDS = 900_000  # their names have six digits
MOST_WATT_HOURS = 9_999

# Watt-hours in each half hour of a day, in London, of a household in the middle, in spring.
CURVE = (
    *(130, 115, 104, 96, 90, 87, 85, 84, 85, 88, 94, 108, 135, 172, 205, 222, 218, 205, 192, 185, 181, 180, 184, 191),
    *(196, 192, 184, 178, 176, 179, 190, 214, 252, 296, 334, 356, 360, 351, 338, 327, 316, 303, 286, 265, 240, 211),
    *(180, 153),
)
# In thousandths: each month, each Acorn group, and what households with the time-of-use tariff move into the night.
SEASON = (1280, 1240, 1130, 1000, 900, 830, 800, 810, 880, 1000, 1140, 1270)
GROUPS = {"Affluent": 1300, "Comfortable": 1000, "Adversity": 800, "ACORN-U": 1050}
TOU = {half_hour: 1120 if half_hour < 12 else 880 for half_hour in (*range(12), *range(34, 42))}
WEATHER = (850, 1150)  # of a day, for everybody
SCALE = (500, 1500)  # of a household
CHANCE = (300, 1700)  # of a reading

TOU_IN = 5  # about every fifth household has the time-of-use tariff
LATE_IN = 3  # about every third joins late, in the first third of the time
GAP_IN, LONGEST_GAP = 2, 2 * lcl.HALF_HOURS  # about every second has a gap
ODD_IN = 2  # about every second has a Null at an odd time, beside its readings
NULL_IN = TWICE_IN = 2_048  # about every so manieth reading

EPOCH = datetime(1970, 1, 1)


class Twin(NamedTuple):
    """All that the files depend on."""

    seed: int
    households: int
    days: int
    start: str  # the first day
    bad_lines: int = 0
    width: int = lcl.WITH_ACORN  # columns

    @property
    def slots(self) -> int:
        """Half hours of each household."""
        return self.days * lcl.HALF_HOURS


class Household(NamedTuple):
    """A household that takes part, and what is odd about its readings. Slots are half hours since the first day."""

    name: str
    tariff: str
    acorn: str
    scale: int  # in thousandths, its Acorn group's included
    joined: int  # its first slot
    gap: range  # slots without a reading
    odd: tuple[int, int] | None  # a reading beside: the slot, and seconds since that began


def draw(seed: int, purpose: str, household: int, slots: Sequence[int] | np.ndarray) -> np.ndarray:
    """A number of 31 bits for each slot: SplitMix64, begun at the slot."""
    import numpy as np

    digest = hashlib.blake2b(f"{seed} {purpose} {household}".encode(), digest_size=8).digest()
    key = np.frombuffer(digest, "<u8")
    values = (np.asarray(slots).astype(np.uint64) + key) * np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (values >> np.uint64(33)).astype(np.int64)


def between(numbers: Numbers, bounds: tuple[int, int]) -> Numbers:
    """Evenly spread over both bounds and what is between them."""
    return bounds[0] + numbers % (bounds[1] - bounds[0] + 1)


def household(twin: Twin, number: int) -> Household:
    """The household of that number, from 0."""
    whether_tou, which, scale, whether_late, late, whether_gap, gap, length, whether_odd, odd, seconds = (
        int(value) for value in draw(twin.seed, "household", number, range(11))
    )
    acorn, group = list(lcl.ACORNS.items())[which % len(lcl.ACORNS)]
    begin = gap % twin.slots
    end = begin + 1 + length % min(LONGEST_GAP, twin.slots // 4)
    return Household(
        name=f"MAC{number + 2:06d}",
        tariff=lcl.TARIFFS[whether_tou % TOU_IN == 0],
        acorn=acorn,
        scale=between(scale, SCALE) * GROUPS[group] // 1000,
        joined=late % (twin.slots // 3) if whether_late % LATE_IN == 0 else 0,
        gap=range(begin, end) if whether_gap % GAP_IN == 0 else range(0),
        odd=(odd % twin.slots, 1 + seconds % 1799) if whether_odd % ODD_IN == 0 else None,
    )


@functools.lru_cache(4)
def profiles(twin: Twin) -> dict[str, np.ndarray]:
    """Of each tariff: watt-hours in each slot, in billionths, before a household and chance multiply them."""
    import numpy as np

    first = datetime.fromisoformat(twin.start)
    clocks = [lcl.london(first + slot * lcl.HALF_HOUR) for slot in range(twin.slots)]
    half_hours = [clock.hour * 2 + clock.minute // 30 for clock in clocks]
    weather = between(draw(twin.seed, "weather", 0, np.arange(twin.slots) // lcl.HALF_HOURS), WEATHER)
    plain = (
        np.array([CURVE[n] * SEASON[clock.month - 1] for n, clock in zip(half_hours, clocks, strict=True)]) * weather
    )
    return {"Std": plain * 1000, "ToU": plain * np.array([TOU.get(n, 1000) for n in half_hours])}


def watt_hours(twin: Twin, number: int, slots: np.ndarray) -> np.ndarray:
    """What household `number` uses in these half hours, whether there is a reading or not."""
    who = household(twin, number)
    chance = between(draw(twin.seed, "chance", number, slots), CHANCE)
    # Six factors, five of them in thousandths; the product stays below 2^63.
    return (profiles(twin)[who.tariff][slots] * who.scale * chance // 10**15).clip(0, MOST_WATT_HOURS)


def slots_read(twin: Twin, number: int, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """The readings of a household in slots `first` to `last - 1`: their slots, and watt-hours or -1 for Null."""
    import numpy as np

    who = household(twin, number)
    slots = np.arange(max(first, who.joined), max(last, who.joined))
    if who.gap:
        slots = slots[(slots < who.gap.start) | (slots >= who.gap.stop)]
    used = watt_hours(twin, number, slots)
    used[draw(twin.seed, "null", number, slots) % NULL_IN == 0] = -1
    copies = 1 + (draw(twin.seed, "twice", number, slots) % TWICE_IN == 0)
    return slots.repeat(copies), used.repeat(copies)


# Files ---------------------------------------------------------------------------------------------------------------


def files(twin: Twin) -> list[tuple[int, int]]:
    """First and last place of each file; a place is a slot of a household, all of one household after the other."""
    places = twin.households * twin.slots
    number = max(min(LEAST_FILES, twin.households), -(-places // SLOTS_PER_FILE))
    return [(places * n // number, places * (n + 1) // number) for n in range(number)]


def stays(twin: Twin, first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """The households from one place to another: their number, first and last slot."""
    while first < last:
        number, slot = divmod(first, twin.slots)
        until = min(twin.slots, slot + last - first)
        yield number, slot, until
        first += until - slot


@functools.lru_cache(4)
def texts(start: str, slots: int) -> tuple[pa.Array, pa.Array]:
    """How times stand in the file, by slot, and readings, by watt-hours; last comes Null."""
    import pyarrow as pa

    first = datetime.fromisoformat(start)
    times = pa.array([f"{first + slot * lcl.HALF_HOUR}.0000000," for slot in range(slots)])
    return times, pa.array([*(f" {used / 1000:g} " for used in range(MOST_WATT_HOURS + 1)), lcl.CSV_NULL])


def csv_file(twin: Twin, first: int, last: int) -> bytes:
    """The file with the readings from one place to another."""
    bad = bad_places(twin)
    pieces = [",".join(lcl.CSV_COLUMNS[: twin.width]).encode() + b"\r\n"]
    for number, slot, until in stays(twin, first, last):
        place = number * twin.slots
        within = range(bisect.bisect_left(bad, place + slot), bisect.bisect_left(bad, place + until))
        besides = [(bad[n] - place, bad_line(twin, n)) for n in within]
        pieces += household_lines(twin, number, slot, until, besides)
    return b"".join(pieces)


def household_lines(
    twin: Twin, number: int, first: int, last: int, besides: Sequence[tuple[int, str]]
) -> Iterator[memoryview | bytes]:
    """The lines of a household, with other ones put after all readings of their slots."""
    import numpy as np
    import pyarrow.compute as pc

    who = household(twin, number)
    slots, used = slots_read(twin, number, first, last)
    times, numbers = texts(twin.start, twin.slots)
    head, tail = f"{who.name},{who.tariff},", f"{acorn_fields(twin, who)}\r\n"
    used[used < 0] = MOST_WATT_HOURS + 1
    lines = pc.binary_join_element_wise(head, times.take(slots), numbers.take(used), tail, "")
    _, offsets, text = lines.buffers()
    ends = np.frombuffer(offsets, np.int32)[: len(lines) + 1] if len(lines) else np.zeros(1, np.int32)
    if who.odd and first <= who.odd[0] < last:
        besides = sorted([*besides, (who.odd[0], f"{head}{odd_time(twin, who)}.0000000,{lcl.CSV_NULL}{tail}")])
    begin = 0
    for slot, line in besides:
        end = int(ends[np.searchsorted(slots, slot, side="right")])
        yield from (memoryview(text or b"")[begin:end], line.encode())
        begin = end
    yield memoryview(text or b"")[begin : int(ends[-1])]


def acorn_fields(twin: Twin, who: Household) -> str:
    """What follows the reading in a line of a household."""
    return f",{who.acorn},{lcl.ACORNS[who.acorn]}" if twin.width == lcl.WITH_ACORN else ""


def households_file(twin: Twin) -> bytes:
    """The table of the households with their Acorn, for files without."""
    lines = ["LCLid,stdorToU,Acorn,Acorn_grouped"]
    for number in range(twin.households):
        who = household(twin, number)
        lines.append(f"{who.name},{who.tariff},{who.acorn},{lcl.ACORNS[who.acorn]}")
    return "".join(f"{line}\r\n" for line in lines).encode()


def odd_time(twin: Twin, who: Household) -> datetime:
    """When the reading beside the half hours of a household is."""
    slot, seconds = who.odd or (0, 0)
    return datetime.fromisoformat(twin.start) + slot * lcl.HALF_HOUR + timedelta(seconds=seconds)


def bad_places(twin: Twin) -> list[int]:
    """Where the lines that are no readings stand: after the readings of these places."""
    places = twin.households * twin.slots
    return [(2 * n + 1) * places // (2 * twin.bad_lines) for n in range(twin.bad_lines)]


def bad_line(twin: Twin, n: int) -> str:
    """A line that is no reading, for one of five reasons."""
    number, slot = divmod(bad_places(twin)[n], twin.slots)
    who = household(twin, number)
    time = f"{datetime.fromisoformat(twin.start) + slot * lcl.HALF_HOUR}.0000000"
    rest = acorn_fields(twin, who)
    return (
        f"{who.name},{who.tariff},{time}\r\n",
        f"{who.name},{who.tariff},{time}, 0.1 {rest},{who.tariff}\r\n",
        f"{who.name},{who.tariff},2012-02-30 25:00:00.0000000, 0.1 {rest}\r\n",
        f"{who.name},{who.tariff},{time}, 0.l {rest}\r\n",
        f",{who.tariff},{time}, 0.1 {rest}\r\n",
    )[n % 5]


def truth(twin: Twin, first: int, last: int) -> pa.Table:
    """What step convert must make of the file with these places, in this order."""
    import numpy as np
    import pyarrow as pa

    begin = (datetime.fromisoformat(twin.start) - EPOCH) // timedelta(microseconds=1)
    tables = []
    for number, slot, until in stays(twin, first, last):
        who = household(twin, number)
        slots, used = slots_read(twin, number, slot, until)
        times = begin + slots * (lcl.HALF_HOUR // timedelta(microseconds=1))
        if who.odd and slot <= who.odd[0] < until:
            at = np.searchsorted(slots, who.odd[0], side="right")
            times = np.insert(times, at, (odd_time(twin, who) - EPOCH) // timedelta(microseconds=1))
            used = np.insert(used, at, -1)
        text = {
            "household": who.name,
            "tariff": who.tariff,
            "acorn": who.acorn,
            "acorn_group": lcl.ACORNS[who.acorn],
        }
        columns = {
            **{name: pa.repeat(value, len(used)) for name, value in text.items()},
            "time": pa.array(times).cast(pa.timestamp("us", "UTC")),
            "kwh": pa.array(used / 1000, mask=used < 0),
        }
        tables.append(pa.table({name: columns[name] for name in lcl.COLUMNS}, lcl.schema()))
    return pa.concat_tables(tables)


# Command line --------------------------------------------------------------------------------------------------------


def file_name(n: int) -> str:
    """Of file `n`, without the ending."""
    return f"LCL-{n:04d}"


def others(twin: Twin, folder: str) -> list[str]:
    """Files in the folder that are not this twin's."""
    names = {f"{file_name(n)}.csv" for n in range(len(files(twin)))}
    try:
        found = [address.rpartition("/")[2] for address, _ in oneoff.list_files(folder)]
    except FileNotFoundError:
        return []
    return [name for name in found if name not in names]


def write(twin: Twin, n: int, csv: str, truth_folder: str | None) -> int:
    """Writes file `n`; how many half hours it is about."""
    first, last = files(twin)[n]
    oneoff.put(f"{csv.rstrip('/')}/{file_name(n)}.csv", csv_file(twin, first, last))
    if truth_folder:
        oneoff.write_part(truth(twin, first, last), truth_folder, file_name(n))
    return last - first


def day(text: str) -> str:
    """Argument type: a day since 1996, when London's calendar became what it is."""
    try:
        if date.fromisoformat(text).isoformat() == text and "1996" <= text < "2100":
            return text
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not a day from 1996 to 2099 such as 2012-01-01")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = oneoff.ArgumentParser(description="Make up a twin of the published readings of Low Carbon London.")
    parser.add_argument("--csv", required=True, metavar="FOLDER", help="where the files go; empty or new")
    parser.add_argument("--households", type=oneoff.count, default=100, help="(default: %(default)s)")
    parser.add_argument("--days", type=oneoff.count, default=60, help="(default: %(default)s)")
    parser.add_argument("--start", type=day, default="2012-10-01", help="first day, in GMT (default: %(default)s)")
    parser.add_argument(
        "--seed", type=oneoff.whole, default=1, help="equal seeds make equal files (default: %(default)s)"
    )
    parser.add_argument(
        "--bad-lines", type=oneoff.whole, default=0, help="lines that are no readings (default: %(default)s)"
    )
    about = "make the readings without Acorn, and put a table of the households with theirs there"
    parser.add_argument("--acorn", metavar="FILE", help=about)
    parser.add_argument("--truth", metavar="FOLDER", help="where part files go of what step convert must make of it")
    options = parser.parse_args(arguments)
    if options.households > MOST_HOUSEHOLDS:
        parser.error(f"--households {options.households} is more than {MOST_HOUSEHOLDS}")
    width = lcl.WITHOUT_ACORN if options.acorn else lcl.WITH_ACORN
    twin = Twin(options.seed, options.households, options.days, options.start, options.bad_lines, width)
    csv, truth_folder = options.csv, options.truth
    if other := others(twin, csv):
        sys.exit(f"{parser.prog}: error: {csv}: expected an empty or new folder, found {other[0]}")
    if options.acorn:
        oneoff.put(options.acorn, households_file(twin))

    from pyspark import SparkConf, SparkContext

    plain = tuple(twin)
    conf = SparkConf().setAppName("london-power: generate").setExecutorEnv("OMP_NUM_THREADS", "1")
    with SparkContext(conf=conf, pyFiles=[oneoff.__file__, lcl.__file__, __file__]) as spark:
        done = spark.accumulator(0)

        def task(n: int) -> None:
            import generate  # this file as a module, whose caches outlive a task

            done.add(generate.write(generate.Twin(*plain), n, csv, truth_folder))

        number = len(files(twin))
        rdd = spark.parallelize(range(number), number).map(task)
        oneoff.collect(rdd, "half hours", lambda: done.value, twin.households * twin.slots)


if __name__ == "__main__":
    main()
