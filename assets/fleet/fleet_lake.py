"""The objects by which a fleet's machines, its owner and the reaper talk (ADR 19): those of core/fleet-lake.ts.

A lake is `s3://bucket`, or a folder in tests.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import oneoff
import units
from fleet_hdfs import FleetError, RefusalError

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo

# What anybody says in such an object is short.
MOST_BYTES = 1 << 20


class FleetLake:
    """A lake, and the fleet's folder in it."""

    def __init__(self, lake: str, fleet: str) -> None:
        """Opens it; nothing is asked yet."""
        self.lake = lake.rstrip("/")
        self.at = f"_fleets/{fleet}"
        self.filesystem, self.root = oneoff._filesystem(self.lake)

    def key(self, name: str) -> str:
        """Of an object of the fleet's."""
        return f"{self.at}/{name}"

    def read(self, key: str, most: int = MOST_BYTES) -> bytes | None:
        """An object; None where there is none."""
        with self.explained(key):
            try:
                with self.filesystem.open_input_stream(f"{self.root}/{key}") as stream:
                    data = stream.read(most + 1)
            except FileNotFoundError:
                return None
        if len(data) > most:
            raise RefusalError(f"{self.lake}/{key} is larger than {most} bytes")
        return data

    def read_json(self, key: str) -> Any:  # noqa: ANN401 -- JSON
        """What an object says; None where there is none."""
        data = self.read(key)
        try:
            return None if data is None else json.loads(data)
        except (ValueError, RecursionError) as error:
            raise RefusalError(f"{self.lake}/{key} is no JSON") from error

    def write(self, key: str, content: object) -> None:
        """Puts an object as JSON, whole or not at all."""
        with self.explained(key):
            oneoff.put(f"{self.lake}/{key}", json.dumps(content).encode())

    def remove(self, key: str) -> None:
        """Takes an object away, if it is there."""
        if self.lake.startswith("s3://"):
            # pyarrow would make an object in the place of a folder that has become empty.
            units.call("aws", "s3", "rm", "--only-show-errors", f"{self.lake}/{key}")
        else:
            Path(self.lake, key).unlink(missing_ok=True)

    def list(self, folder: str) -> list[FileInfo]:
        """The objects right below."""
        from pyarrow.fs import FileSelector, FileType

        with self.explained(folder):
            selector = FileSelector(f"{self.root}/{folder}", allow_not_found=True)
            found = self.filesystem.get_file_info(selector)
        files = (each for each in found if each.type == FileType.File and not each.base_name.startswith("."))
        return sorted(files, key=lambda each: each.path)

    @contextlib.contextmanager
    def explained(self, key: str) -> Iterator[None]:
        """Says of what a request failed."""
        try:
            yield
        except OSError as error:
            raise FleetError(f"{self.lake}/{key} can't be reached: {error}") from error


def open_object(address: str) -> IO[bytes]:
    """An object as a stream, from its beginning."""
    filesystem, path = oneoff._filesystem(address)
    return filesystem.open_input_stream(path)
