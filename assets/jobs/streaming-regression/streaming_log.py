"""Rows that are in no part file of the lake yet: a log on this machine's disk, in pieces.

A line is what a batch leaves, behind a checksum. The piece that is open grows by a line per batch, each synced before
the next step of the batch. To become part files a piece is cut: it is renamed, and from then on no line comes to it, so
that its part files are the same however often they are written. Then it is removed.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import streaming_files

OPEN = "open.log"
_CUT = re.compile(r"(\d+)-(\d+)\.cut")


class Piece(NamedTuple):
    """One that was cut, with the batches in it."""

    path: Path
    first: int
    last: int


class Log:
    """The log of one run."""

    def __init__(self, folder: Path, batch: int) -> None:
        """batch: the last one that is done; what the log has of later ones is cut off, as they are done again."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / OPEN
        kept, lines = 0, []
        if self._path.exists():
            for content, end in _lines(self._path.read_bytes()):
                if content["batch"] > batch:
                    break
                kept = end
                lines.append(content)
        self._file = self._path.open("ab", buffering=0)
        os.ftruncate(self._file.fileno(), kept)
        os.fsync(self._file.fileno())
        streaming_files.sync_folder(folder)
        self.first = lines[0]["batch"] if lines else None
        self.last = lines[-1]["batch"] if lines else None
        self.rows = sum(_rows(content) for content in lines)
        self.has_model = bool(lines) and "models" in lines[-1]

    def append(self, content: dict[str, Any]) -> None:
        """Has a batch's rows outlive this process and the machine's power. content: `batch`, and rows by table."""
        text = json.dumps(content, allow_nan=False, separators=(",", ":")).encode()
        line = b"%08x %b\n" % (zlib.crc32(text), text)
        half = len(line) // 2
        self._write(line[:half])
        streaming_files.reach("log-torn")
        self._write(line[half:])
        streaming_files.reach("log-written")
        os.fsync(self._file.fileno())
        streaming_files.reach("log-synced")
        self.first = content["batch"] if self.first is None else self.first
        self.last = content["batch"]
        self.rows += _rows(content)
        self.has_model = "models" in content

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def cut(self) -> None:
        """Ends the piece that is open and begins another."""
        if self.first is None:
            return
        self._file.close()
        self._path.rename(self.folder / f"{self.first:09d}-{self.last:09d}.cut")
        streaming_files.sync_folder(self.folder)
        streaming_files.reach("log-cut")
        self._file = self._path.open("ab", buffering=0)
        streaming_files.sync_folder(self.folder)
        self.first, self.last, self.rows, self.has_model = None, None, 0, False

    def close(self) -> None:
        """Lets the file go."""
        self._file.close()


def pieces(folder: Path) -> list[Piece]:
    """Those of a run's log that are cut, in order."""
    found = [(_CUT.fullmatch(path.name), path) for path in sorted(folder.iterdir())]
    return [Piece(path, int(match[1]), int(match[2])) for match, path in found if match]


def contents(piece: Piece) -> list[dict[str, Any]]:
    """The lines of a piece. Raises ValueError where some are damaged: every one of them was synced."""
    data = piece.path.read_bytes()
    lines = list(_lines(data))
    if not lines or lines[-1][1] != len(data):
        raise ValueError(
            f"{piece.path} is damaged behind byte {lines[-1][1] if lines else 0}: the disk lost what it had"
        )
    return [content for content, _ in lines]


def _lines(data: bytes) -> Iterator[tuple[dict[str, Any], int]]:
    """Those until the first that is torn, each with where it ends."""
    end = 0
    for line in data.splitlines(keepends=True):
        checksum, _, text = line.rstrip(b"\n").partition(b" ")
        if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(text):
            return
        end += len(line)
        yield json.loads(text), end


def _rows(content: dict[str, Any]) -> int:
    return len(content.get("predictions", ())) + len(content.get("rejected", ()))
