"""Where flows come from beside requests: files that grow, and Kafka. Each is read in a thread, until it is to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import nids_input

BLOCK = 1 << 20  # bytes of a file that are read at a time
BATCH = 1_000  # flows that are scored at a time
WAIT_SECONDS = 0.5
ENDINGS = (".csv", ".txt", ".json", ".jsonl", ".ndjson")
MOST_FILES = 10_000

# Has lines scored, and returns once that is done.
Take = Callable[[Sequence[bytes], str], None]


class Source(Protocol):
    """Somewhere that flows come from."""

    name: str

    def run(self, take: Take, tell: Callable[[str], None], stop: threading.Event) -> None:
        """Reads until it is to stop; tells how it goes, and what can't be read."""
        ...


class Followed:
    """A file, or those of a folder, from their beginning, and whatever is written at their ends."""

    def __init__(self, path: Path) -> None:
        """The path may be there later."""
        self.path, self.name = path, str(path)
        self._files: dict[Path, _Growing] = {}

    def run(self, take: Take, tell: Callable[[str], None], stop: threading.Event) -> None:
        """Goes through all of them again and again."""
        while not stop.is_set():
            came = False
            try:
                for file in self._look():
                    if stop.is_set():
                        return
                    growing = self._files.setdefault(file, _Growing(file))
                    for lines in growing.lines():
                        came = True
                        for first in range(0, len(lines), BATCH):
                            take(lines[first : first + BATCH], file.name)
                        if stop.is_set():
                            return
                tell(f"{len(self._files)} {'file' if len(self._files) == 1 else 'files'}")
            except OSError as problem:
                tell(f"can't be read just now: {problem.strerror or problem}")
            if not came:
                stop.wait(WAIT_SECONDS)

    def _look(self) -> list[Path]:
        if not self.path.is_dir():
            return [self.path]
        files = [file for file in self.path.iterdir() if file.suffix in ENDINGS and not file.name.startswith(".")]
        if len(files) > MOST_FILES:
            raise OSError(f"it has more than {MOST_FILES} files")
        for gone in set(self._files) - set(files):
            del self._files[gone]
        return sorted(files)


class _Growing:
    """A file that others write: it may be cut off and begun anew, or another one may take its name."""

    def __init__(self, path: Path) -> None:
        self._path, self._at, self._rest = path, 0, b""
        self._which: tuple[int, int] | None = None

    def lines(self) -> Iterator[list[bytes]]:
        """Those that are whole by now; each is given once."""
        found = self._path.stat()
        which = (found.st_dev, found.st_ino)
        if which != self._which or found.st_size < self._at:
            self._which, self._at, self._rest = which, 0, b""
        if found.st_size == self._at:
            return
        with self._path.open("rb") as file:
            file.seek(self._at)
            while block := file.read(BLOCK):
                self._at += len(block)
                *lines, self._rest = (self._rest + block).split(b"\n")
                if len(self._rest) > nids_input.LONGEST_LINE:  # no flow; what follows until its end is none either
                    lines.append(self._rest)
                    self._rest = b""
                if lines:
                    yield lines


class Kafka:
    """A topic. What was scored is committed: after a stop it goes on there, after a crash one batch before."""

    def __init__(self, servers: str, topic: str, group: str) -> None:
        """Raises ImportError where the client is not installed."""
        import confluent_kafka

        self._client = confluent_kafka
        self.name, self._topic = f"Kafka {topic}", topic
        self._settings: dict[str, Any] = {
            **{"bootstrap.servers": servers, "group.id": group, "client.id": "oneoff-scoring"},
            **{"enable.auto.commit": False, "auto.offset.reset": "earliest"},
            # What it holds of a topic that is faster than the network.
            **{"queued.max.messages.kbytes": 16_384, "fetch.message.max.bytes": 1 << 20},
            "log_level": 0,
        }

    def run(self, take: Take, tell: Callable[[str], None], stop: threading.Event) -> None:
        """Reads messages, of a line or several each."""
        client = self._client
        consumer = client.Consumer({**self._settings, "error_cb": lambda problem: tell(problem.str())})
        tell("connecting")
        consumer.subscribe([self._topic], on_assign=lambda *_: tell("connected"))
        try:
            while not stop.is_set():
                lines: list[bytes] = []
                for message in consumer.consume(BATCH, WAIT_SECONDS):
                    if message.error():
                        tell(message.error().str())
                    elif message.value() is not None:
                        lines += message.value().split(b"\n")
                for first in range(0, len(lines), BATCH):
                    take(lines[first : first + BATCH], self.name)
                if lines:
                    tell("connected")
                    with suppress(client.KafkaException):  # the next read tells it
                        consumer.commit(asynchronous=False)
        finally:
            consumer.close()


def follow(
    source: Source, ready: threading.Event, take: Take, tell: Callable[[str], None], stop: threading.Event
) -> threading.Thread:
    """Reads a source in a thread, once that is of use; whatever ends it is told, and it begins again."""

    def run() -> None:
        tell("waits for a model")
        while not ready.wait(0.1) and not stop.is_set():
            pass
        while not stop.is_set():
            try:
                source.run(take, tell, stop)
            except Exception as problem:  # a source must not go quietly
                tell(f"ended: {' '.join(str(problem).split())[:200]}; begins again")
                stop.wait(5)

    thread = threading.Thread(target=run, name=source.name, daemon=True)
    thread.start()
    return thread
