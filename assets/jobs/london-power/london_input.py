"""What convert.py is given: CSV files as London published them, with Acorn or without, and the households' Acorn."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import shlex
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple

import lcl
import oneoff
from london_load import SHOWN, Part, Plan, Readings

PEEK = 64 << 10  # bytes at either end of a file that are looked at before anything is written
PEEKS_AT_ONCE = 16
LARGEST_TABLE = 16 << 20  # bytes of the households' table; that of all of them takes some 200 kB

_ACORN = ",".join(lcl.CSV_COLUMNS[lcl.WITHOUT_ACORN :])
_EXPECTED = f"the columns {','.join(lcl.CSV_COLUMNS[: lcl.WITHOUT_ACORN])} and, after them or not, {_ACORN}"
_TABLE = ("LCLid", "Acorn", "Acorn_grouped")  # columns of the households' table; others may be beside

_ARCHIVES = (".zip", ".gz", ".7z", ".bz2", ".xz", ".zst", ".tar", ".tgz", ".rar")
# What a file that is no text may begin with, and what that is.
_KINDS = {
    b"PK\x03\x04": "a zip archive: give it a name that ends in .zip, and unpack it with unzip",
    b"\x1f\x8b": "gzip data: give it a name that ends in .gz, and unpack it with gunzip",
    b"PAR1": "Parquet",
    b"\xff\xfe": "UTF-16: make UTF-8 of it with iconv -f UTF-16 -t UTF-8",
    b"\xfe\xff": "UTF-16: make UTF-8 of it with iconv -f UTF-16 -t UTF-8",
}


class File(NamedTuple):
    """A CSV file of the input."""

    address: str
    size: int
    name: str  # below the input


class Sample(NamedTuple):
    """What both ends of a CSV file tell."""

    width: int  # columns
    header: int  # bytes
    lines: int  # of `bytes` bytes, after the header
    bytes: int
    households: list[str]  # some of them
    digest: bytes


def csv_files(address: str, beside: str | None) -> list[File]:
    """The file at an address, or the CSV files of that folder and those below it.

    beside: address of a file that is none of them. Raises ValueError when there is no CSV or an archive, and
    FileNotFoundError without folder.
    """
    files = [
        File(file, size, file.removeprefix(address).strip("/"))
        for file, size in oneoff.list_files(address, below=True)
        if not beside or _plain(file) != _plain(beside)
    ]
    archive = next((file for file in files if file.address.lower().endswith(_ARCHIVES)), None)
    if archive:
        raise ValueError(_is_archive(address, archive))
    if [file.address for file in files] == [address]:
        return [files[0]._replace(name=address.rpartition("/")[2])]
    found = [file for file in files if file.name.lower().endswith(".csv")]
    if not found:
        others = ", ".join(file.name for file in files[:SHOWN]) or "no file at all"
        raise ValueError(f"{address}: expected files that end in .csv, found {others}")
    return found


def _plain(address: str) -> str:
    return re.sub(r"(?<![:/])/+", "/", address).rstrip("/")


def _is_archive(address: str, archive: File) -> str:
    """Says how an archive is unpacked: no part of it can be read by itself."""
    file, _, ending = archive.address.rpartition(".")
    away = "" if archive.address == address else ", and move the archive elsewhere"
    taken = f"{archive.address}: expected CSV files, found an archive: unpack it"
    if ending.lower() == "zip":
        return f"{taken} with: {_unzip(archive.address, file)}{away or f', and take {file} for the input'}"
    if ending.lower() == "gz":
        return f"{taken} with: {_gunzip(archive.address, file)}{'' if away else f', and take {file} for the input'}"
    return f"{taken}{away or ', and take its folder for the input'}"


def _unzip(archive: str, folder: str) -> str:
    """The command that unpacks an archive into a folder beside it."""
    name, here = (shlex.quote(text.rpartition("/")[2]) for text in (archive, folder))
    source, target = shlex.quote(_for_commands(archive)), shlex.quote(_for_commands(folder))
    unpack = f"unzip {name} -d {here}"
    match archive.partition("://")[0]:
        case "s3":
            return f"aws s3 cp {source} . && {unpack} && aws s3 sync {here} {target}"
        case "gs":
            return f"gcloud storage cp {source} . && {unpack} && gcloud storage rsync --recursive {here} {target}"
        case "webhdfs":
            return f"hdfs dfs -get {source} . && {unpack} && hdfs dfs -put {here} {target}"
    return f"unzip {source} -d {target}"


def _gunzip(archive: str, file: str) -> str:
    """The command that unpacks a file in its place."""
    source, target = shlex.quote(_for_commands(archive)), shlex.quote(_for_commands(file))
    match archive.partition("://")[0]:
        case "s3":
            return f"aws s3 cp {source} - | gunzip | aws s3 cp - {target} && aws s3 rm {source}"
        case "gs":
            return f"gcloud storage cat {source} | gunzip | gcloud storage cp - {target} && gcloud storage rm {source}"
        case "webhdfs":
            return f"hdfs dfs -cat {source} | gunzip | hdfs dfs -put - {target} && hdfs dfs -rm {source}"
    return f"gunzip {source}"


def _for_commands(address: str) -> str:
    """An address as its store's own command takes it: HDFS's are paths there."""
    return re.sub(r"^webhdfs://[^/]*", "", address)


def look_at(file: File) -> Sample:
    """Raises ValueError when the file cannot be the published CSV, or its end is missing."""
    address, size, _ = file
    if not size:
        raise ValueError(f"{address}: expected {_EXPECTED}, found an empty file")
    with oneoff.open_file(address) as source:
        head = source.read_at(min(size, PEEK), 0)
        tail = source.read_at(min(size, PEEK), max(size - PEEK, 0))
    first, newline, rest = head.partition(b"\n")
    width = _width(first)
    if not width:
        raise ValueError(f"{address}: expected {_EXPECTED}, found {_shown(first)}")
    if not rest.strip():
        raise ValueError(f"{address}: expected readings below the header, found none")
    whole = rest[: rest.rfind(b"\n") + 1] or rest
    readings, rejected = lcl.parse(whole, width)
    if not readings.num_rows:
        _, reason, line = rejected[0]
        raise ValueError(f"{address}: expected readings below the header, found {lcl.shown(line)} ({reason})")
    last = tail.rpartition(b"\n")[2]
    reason = lcl.fault(last.removesuffix(b"\r"), width) if last else None
    if reason:
        raise ValueError(
            f"{address}: expected a whole line at the end, found {_shown(last)} ({reason}): the file is cut off"
        )
    households = readings["household"].unique().to_pylist()
    digest = hashlib.blake2b(head + tail).digest()
    return Sample(width, len(first) + len(newline), whole.count(b"\n") or 1, len(whole), households, digest)


def _width(header: bytes) -> int:
    """How many columns the published CSV with that header has; 0 when there is none."""
    text = header.removeprefix(b"\xef\xbb\xbf").decode(errors="replace")
    names = [name.strip().strip('"').strip() for name in text.split(",")]
    known = [name.strip() for name in lcl.CSV_COLUMNS]
    return next((width for width in (lcl.WITHOUT_ACORN, lcl.WITH_ACORN) if names == known[:width]), 0)


def _shown(data: bytes) -> str:
    """The beginning of a file as messages have it."""
    kind = next((kind for start, kind in _KINDS.items() if data.startswith(start)), None)
    if kind:
        return kind
    text = data.removeprefix(b"\xef\xbb\xbf").decode(errors="replace").removesuffix("\r")
    first, *others = text.split("\r")
    apart = ", whose lines end in carriage returns alone" if others and lcl.is_text(text) else ""
    return f"{lcl.shown(first if apart else text)}{apart}"


# Households ----------------------------------------------------------------------------------------------------------


def read_households(address: str) -> lcl.Households:
    """The Acorn class and group of each household, from a table of them. Raises ValueError and OSError."""
    expected = f"{address}: expected a CSV file with the columns {', '.join(_TABLE)} and a line per household"
    with oneoff.open_file(address) as source:
        size = source.size()
        data = source.read() if size <= LARGEST_TABLE else b""
    if size > LARGEST_TABLE:
        raise ValueError(f"{expected}, found {size} bytes")
    try:
        text = data.decode("utf-8-sig")
        lines = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        header = [name.strip() for name in lines.fieldnames or []]
    except (UnicodeDecodeError, csv.Error):
        raise ValueError(f"{expected}, found {_shown(data)}") from None
    if not set(header).issuperset(_TABLE):
        first = data.partition(b"\n")[0]
        raise ValueError(f"{expected}, found {_shown(first) if data else 'an empty file'}")
    lines.fieldnames = header
    found: dict[str, tuple[str, str]] = {}
    try:
        for line in lines:
            household, *acorn = ((line[name] or "").strip() for name in _TABLE)
            known = tuple(lcl.UNKNOWN if one in ("", lcl.CSV_NULL) else one for one in acorn)
            if not household or found.setdefault(household, known) != known:
                what = f"two Acorns of {household}" if household else "no household"
                raise ValueError(f"{expected}, found {what} in line {lines.line_num}")
    except csv.Error as problem:
        raise ValueError(f"{expected}, found that line {lines.line_num + 1} is none ({problem})") from None
    if not found:
        raise ValueError(f"{expected}, found no household")
    return found


# Plan ----------------------------------------------------------------------------------------------------------------


def plan_csv(address: str, part_size: int, table: str | None = None) -> Plan:
    """Divides a CSV file, or those of a folder. Raises ValueError or OSError when the input is of no use.

    table: address of the households' table, for files without Acorn.
    """
    files = csv_files(address, table)
    households = read_households(table) if table else {}
    with ThreadPoolExecutor(PEEKS_AT_ONCE) as threads:
        samples = list(threads.map(look_at, files))
    ranges: list[tuple[File, Sample, int, int]] = []
    for file, sample in zip(files, samples, strict=True):
        number = max(1, round((file.size - sample.header) / part_size))
        cuts = [sample.header + (file.size - sample.header) * n // number for n in range(number + 1)]
        ranges += [(file, sample, *cut) for cut in pairwise(cuts)]
    content = [(file.name, file.size, sample) for file, sample in zip(files, samples, strict=True)]
    told = (content, part_size, sorted(households.items()))
    digest = hashlib.blake2b(repr(told).encode(), digest_size=6).hexdigest()
    density = sum(sample.lines for sample in samples) / sum(sample.bytes for sample in samples)
    rows = round(sum(end - start for _, _, start, end in ranges) * density)
    parts = [
        Part(file.address, n, start, end, file.name, sample.width)
        for n, (file, sample, start, end) in enumerate(ranges)
    ]
    return Plan(parts, rows, f"part-{digest}", households, _notes(address, table, households, samples))


def _notes(address: str, table: str | None, households: lcl.Households, samples: Sequence[Sample]) -> list[str]:
    """What to tell of readings without Acorn. Raises ValueError when the table is of other households."""
    without = [sample for sample in samples if sample.width == lcl.WITHOUT_ACORN]
    if table and not without:
        return [f"{table} is not needed: the readings have Acorn"]
    if without and not table:
        return [f"{address} has no Acorn in {len(without)} of {len(samples)} files: it is {lcl.UNKNOWN!r} there"]
    names = [name for sample in without for name in sample.households]
    if names and not any(name in households for name in names):
        raise ValueError(f"{table}: expected the households of {address}, such as {names[0]}, found none of them")
    return []


def read_csv(part: Part, households: lcl.Households) -> Readings:
    """Readings of a byte range and the lines that are none, some megabytes at a time."""
    with oneoff.open_file(part.file) as file:
        try:
            for offset, block in lcl.lines(file, part.start, part.end):
                table, rejected = lcl.parse(block, part.width)
                if part.width == lcl.WITHOUT_ACORN:
                    table = lcl.add_acorn(table, households)
                yield table, [(offset + at, reason, line) for at, reason, line in rejected]
        except ValueError as problem:
            raise ValueError(f"{part.file}: {problem}") from problem
