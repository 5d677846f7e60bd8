"""Tables of a run on their way from where its steps write to the lake, and folders that are gone after the run."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event
from typing import BinaryIO, NamedTuple

import oneoff
from step_runner import StepError

_AT_ONCE = 4
_PIECE = 4 << 20  # bytes that are copied at a time


class PartFile(NamedTuple):
    """A file of a table."""

    table: str
    path: str  # below the folder of the run's rows


class Version(NamedTuple):
    """What changes when a file is written anew."""

    size: int
    changed: int | None


class Copied(NamedTuple):
    """How much was copied."""

    files: int
    bytes: int


class Stage:
    """Where the steps of a run write, and the lake that is to have the same."""

    def __init__(self, stage: str, lake: str, run: str, tables: Sequence[str]) -> None:
        """stage, lake: addresses; below both a table's rows are in `<table>/run=<run>`."""
        self._stage, self._lake, self._run, self._tables = stage, lake, run, tables
        self._copied: dict[PartFile, Version] = {}

    def copy(self, seconds: float) -> Copied:
        """Makes the lake's part files those of the stage; copies only what is new there.

        Each appears whole. Raises StepError when that takes too long or a file is not copied as it is, and OSError.
        """
        there = {file: version for table in self._tables for file, version in self._list(table)}
        new = {file: version for file, version in there.items() if self._copied.get(file) != version}
        stop = Event()
        pool = ThreadPoolExecutor(_AT_ONCE)
        try:
            copies = [pool.submit(self._copy, file, version.size, stop) for file, version in new.items()]
            done, left = wait(copies, timeout=seconds, return_when=FIRST_EXCEPTION)
            for copy in done:
                copy.result()
            if left:
                raise StepError(f"{len(left)} of {len(copies)} part files were not in the lake in time")
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
        for file in self._copied.keys() - there.keys():  # a later step wrote the table anew
            _remove_file(self._in_lake(file))
        self._copied = there
        return Copied(len(new), sum(version.size for version in new.values()))

    def _list(self, table: str) -> Iterator[tuple[PartFile, Version]]:
        from pyarrow.fs import FileSelector, FileType

        filesystem, root = oneoff._filesystem(f"{self._stage}/{table}/run={self._run}")
        for info in filesystem.get_file_info(FileSelector(root, recursive=True, allow_not_found=True)):
            path = info.path[len(root) :].strip("/")
            # Spark keeps what is not committed yet in "_temporary".
            if info.type == FileType.File and not any(part.startswith((".", "_")) for part in path.split("/")):
                yield PartFile(table, path), Version(info.size, info.mtime_ns)

    def _in_lake(self, file: PartFile) -> str:
        return f"{self._lake}/{file.table}/run={self._run}/{file.path}"

    def _copy(self, file: PartFile, size: int, stop: Event) -> None:
        filesystem, path = oneoff._filesystem(f"{self._stage}/{file.table}/run={self._run}/{file.path}")
        target = self._in_lake(file)
        with filesystem.open_input_stream(path) as source:
            if "://" in target:
                _copy_to_object(source, target, size, stop)
            else:
                _copy_to_folder(source, Path(target), size, stop)


def _copy_to_folder(source: BinaryIO, target: Path, size: int, stop: Event) -> None:
    """Readers see the file whole or not at all: it gets its name last."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.urandom(8).hex()}.tmp")
    try:
        with temporary.open("wb") as file:
            _pour(source, file, stop)
        _check(str(target), temporary.stat().st_size, size)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _copy_to_object(source: BinaryIO, target: str, size: int, stop: Event) -> None:
    """An upload that is given up half-way would still end with an object, so all of it is there before it begins."""
    with tempfile.TemporaryFile() as spool:
        _pour(source, spool, stop)
        _check(target, spool.tell(), size)
        spool.seek(0)
        filesystem, path = oneoff._filesystem(target)
        with filesystem.open_output_stream(path) as sink:
            shutil.copyfileobj(spool, sink, _PIECE)
        _check(target, filesystem.get_file_info(path).size, size)


def _pour(source: BinaryIO, sink: BinaryIO, stop: Event) -> None:
    while piece := source.read(_PIECE):
        if stop.is_set():
            raise StepError("the copying was stopped")
        sink.write(piece)


def _check(target: str, size: int | None, expected: int) -> None:
    if size != expected:
        raise StepError(f"{target} has {size} bytes instead of {expected}")


def _remove_file(address: str) -> None:
    filesystem, path = oneoff._filesystem(address)
    with contextlib.suppress(FileNotFoundError):
        filesystem.delete_file(path)


def make_folder(address: str) -> None:
    """Makes a folder with those above it. Object stores have none, so nothing is done there."""
    if address.startswith(("s3://", "gs://")):
        return
    if "://" not in address:
        Path(address).mkdir(parents=True, exist_ok=True)
        return
    filesystem, path = oneoff._filesystem(address)
    filesystem.create_dir(path, recursive=True)


def remove_folder(address: str) -> None:
    """Removes a folder, if it is there, with all that is in it."""
    if "://" not in address:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(address)
        return
    from pyarrow.fs import FileType

    filesystem, path = oneoff._filesystem(address)
    if filesystem.get_file_info(path).type != FileType.NotFound:
        filesystem.delete_dir(path)
