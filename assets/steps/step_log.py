"""A step's log: what its programs print, in the lake while it grows."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock, Thread
from typing import IO, BinaryIO

import oneoff

HEAD = 64 << 10  # bytes that are kept of the beginning
TAIL = 1 << 20  # bytes that are kept of the end
_PIECE = 64 << 10  # a longer line is taken in pieces


class Log:
    """What the programs of a step print. It is kept in memory, of a very long log the beginning and the end."""

    def __init__(self, *, echo: bool = True) -> None:
        """echo: whether it goes to our own output too."""
        self._echo = echo
        self._head = bytearray()
        self._tail = bytearray()
        self._size = 0
        self._lock = Lock()

    def write(self, data: bytes) -> None:
        """Adds to the end. May be called from several threads."""
        with self._lock:
            self._size += len(data)
            room = HEAD - len(self._head)
            self._head += data[:room]
            self._tail += data[room:]
            if len(self._tail) > TAIL + HEAD:  # not at every line: it moves a megabyte
                del self._tail[:-TAIL]

    def copy(
        self, source: IO[bytes], echo: BinaryIO, apart: Log | None = None, on_line: Callable[[str], None] | None = None
    ) -> None:
        """Adds what `source` gives until its end, to the log `apart` too, and passes it on to `echo` and `on_line`."""
        for line in iter(lambda: source.readline(_PIECE), b""):
            self.write(line)
            if apart:
                apart.write(line)
            if self._echo:
                with contextlib.suppress(OSError):
                    echo.write(line)
                    echo.flush()
            if on_line:
                on_line(line.decode(errors="replace"))

    def say(self, line: str) -> None:
        """Adds a line of our own, which stands in our standard error too, as long as somebody reads that."""
        if self._echo:
            with contextlib.suppress(OSError):
                print(line, file=sys.stderr, flush=True)
        self.write(f"{line}\n".encode())

    def text(self) -> str:
        """What is kept."""
        with self._lock:
            return (self._head + self._tail).decode(errors="replace")

    def close(self) -> None:
        """Puts the last of it."""


class FileLog(Log):
    """A log that is a file, with all of it."""

    def __init__(self, path: Path, *, echo: bool = True) -> None:
        """path: of the file, which is made; what is in it stays."""
        super().__init__(echo=echo)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = path.open("ab", buffering=0)

    def write(self, data: bytes) -> None:
        """As of every log. What the disk has no room for is not in the file."""
        super().write(data)
        with contextlib.suppress(OSError):
            self._file.write(data)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class ObjectLog(Log):
    """A log that is an object, which cannot be appended to: the whole is put again and again while it grows."""

    def __init__(self, address: str, every: float, *, echo: bool = True) -> None:
        """every: seconds from one upload to the next."""
        super().__init__(echo=echo)
        self._address = address
        self._every = every
        self._put_size = 0
        self._closing = Event()
        self._thread = Thread(target=self._keep, daemon=True)
        self._thread.start()

    def content(self) -> bytes:
        """What is kept, with a line for what is not."""
        with self._lock:
            head, tail = bytes(self._head), bytes(self._tail[-TAIL:])
            left_out = self._size - len(head) - len(tail)
        gap = (
            f"\n[{left_out} bytes are left out here; the cluster's own log of the step has them]\n" if left_out else ""
        )
        return head + gap.encode() + tail

    def close(self) -> None:
        """Puts the last of it."""
        self._closing.set()
        self._thread.join()

    def _keep(self) -> None:
        while not self._closing.wait(self._every):
            self._put()
        self._put()

    def _put(self) -> None:
        size = self._size
        if size == self._put_size:
            return
        try:
            oneoff.put(self._address, self.content())
            self._put_size = size
        except OSError as problem:  # it may work the next time, and the step goes on in any case
            program = Path(sys.argv[0]).name
            with contextlib.suppress(OSError):
                print(f"{program}: the log could not be put to {self._address}: {problem}", file=sys.stderr, flush=True)


def open_log(address: str, every: float, *, echo: bool = True) -> Log:
    """A log at an address of the lake; an object is put every so many seconds. Raises OSError."""
    return ObjectLog(address, every, echo=echo) if "://" in address else FileLog(Path(address), echo=echo)
