"""Unpacks a gzipped tar into a folder of HDFS.

Nothing is written before the whole archive was looked through. Files are put into a folder aside, several at once, each
verified by its checksum, and moved to where they belong when all are there. What is there already and equal is left as
it is, also by a call after one that was interrupted. It has some 64 MiB of content in memory at most.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import posixpath
import queue
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from fleet_archive import PIECE_BYTES, Source, errors_of, members
from fleet_hdfs import FleetError, Hdfs, NotThereError, address, in_words, run
from push_plan import STAGING, Planner, below, target_folder

PIECES_HELD = 64
PROGRESS_S = 2


class Push:
    """One call: an archive, and the folder that it goes to."""

    def __init__(self, hdfs: Hdfs, source: Source, target: str, overwrite: bool, threads: int) -> None:
        """Takes over what others put aside for this target; a call that goes on meanwhile ends by that."""
        self.hdfs = hdfs
        self.source = source
        self.target = target
        self.overwrite = overwrite
        self.threads = threads
        self.planner = Planner(hdfs, source, target, overwrite)
        self.plan = self.planner.plan
        self.above = f"{STAGING}/{hashlib.sha256(target.encode()).hexdigest()[:16]}"
        self.staging = f"{self.above}/{uuid.uuid4().hex[:16]}"
        self.sent_bytes = self.sent_files = 0
        self.sends = False
        self.ended = threading.Event()
        self.failed: list[BaseException] = []

    def run(self) -> dict[str, int | float]:
        """Does it, and says what it was."""
        began = time.monotonic()
        threading.Thread(target=self.tell, daemon=True).start()
        try:
            staged = self.take_over()
            self.planner.make(self.staging if staged else None)
            if staged:
                self.prune("")
            self.upload()
        except NotThereError as error:  # what was put aside
            raise FleetError(f"another push to {self.target} has begun meanwhile: let that one end") from error
        finally:
            self.ended.set()
        return {
            "files": len(self.plan.files),
            "skipped": len(self.plan.skipped),
            "bytes": self.plan.size(),
            "seconds": round(time.monotonic() - began, 1),
        }

    def tell(self) -> None:
        """Says how far it is, to the end; in a thread of its own."""
        while not self.ended.wait(PROGRESS_S):
            files = len(self.plan.files)
            if self.sends:
                done = self.sent_files + len(self.plan.skipped)
                size = self.sent_bytes + self.plan.size(self.plan.skipped)
                line = f"{of(size, self.plan.size())}, {done:,} of {files:,} files"
            else:
                line = f"looking through the archive: {in_words(self.plan.looked_through)} in {files:,} files so far"
            print(f"push: {line}", file=sys.stderr, flush=True)

    # What is put aside.

    def take_over(self) -> bool:
        """Makes one's own what was put aside for this target before."""
        found = list(self.hdfs.list(self.above))
        for name in found[1:]:
            self.hdfs.delete(f"{self.above}/{name}")
        if found:
            self.hdfs.rename(f"{self.above}/{found[0]}", self.staging)
        return bool(found)

    def prune(self, folder: str) -> None:
        """Deletes what was put aside and is not in the archive, or is there already."""
        for name, found in self.hdfs.list(below(self.staging, folder)).items():
            path = posixpath.join(folder, name)
            if found["type"] != "DIRECTORY":
                if path not in self.plan.staged:
                    self.hdfs.delete(below(self.staging, path))
            elif path in self.plan.folders:
                self.prune(path)
            else:
                self.hdfs.delete(below(self.staging, path))

    def upload(self) -> None:
        """Puts aside what is not there yet, and moves it to where it belongs."""
        self.hdfs.make_folder(self.staging)
        made = self.hdfs.status(self.staging)
        for folder in sorted(self.plan.folders):
            self.hdfs.make_folder(below(self.staging, folder))
        self.sends = True
        if len(self.plan.skipped) < len(self.plan.files):
            self.send_files()
        now = self.hdfs.status(self.staging)
        if not made or not now or made["fileId"] != now["fileId"]:
            raise NotThereError(self.staging)
        self.move("")
        self.hdfs.delete(self.above)
        if not self.hdfs.list(STAGING):
            self.hdfs.delete(STAGING)

    def move(self, folder: str) -> None:
        """Moves what was put aside to where it belongs: whole folders where there is nothing yet."""
        place = below(self.target, folder)
        if not self.hdfs.status(place):
            self.hdfs.make_folder(posixpath.dirname(place))
            return self.hdfs.rename(below(self.staging, folder), place)
        there = self.hdfs.list(place)
        for name, found in self.hdfs.list(below(self.staging, folder)).items():
            path = posixpath.join(folder, name)
            if found["type"] == "DIRECTORY" and name in there:
                self.move(path)
            else:
                self.hdfs.rename(below(self.staging, path), below(self.target, path), overwrite=self.overwrite)

    # Sending.

    def send_files(self) -> None:
        """Sends what is neither there nor put aside, while the archive is read again."""
        held = threading.Semaphore(PIECES_HELD)
        with ThreadPoolExecutor(self.threads) as pool:
            for path, member, read in members(self.source):
                if self.failed:
                    break
                if member.isdir() or self.plan.has(path):
                    continue
                if self.plan.files.get(path) != member.size:
                    raise FleetError(f"{self.source.name} has changed meanwhile: call it again")
                pieces = Pieces(member.size, held)
                pool.submit(self.send, path, pieces)
                with errors_of(self.source):
                    self.hand_on(read, pieces)
        if self.failed:
            raise self.failed[0]

    def hand_on(self, read: Callable[[int], bytes], pieces: Pieces) -> None:
        """Reads a file's content for the thread that sends it, which learns of its end in any case."""
        try:
            while not self.failed and (data := read(PIECE_BYTES)):
                pieces.put(data)
        finally:
            pieces.end()

    def send(self, path: str, pieces: Pieces) -> None:
        """Puts a file aside, and verifies it; what goes wrong is noted."""
        try:
            self.create(below(self.staging, path), pieces)
            self.sent_files += 1
        except BaseException as error:
            self.failed.append(error)
        finally:
            pieces.drop()

    def create(self, place: str, pieces: Pieces) -> None:
        """Writes a file; one that fits into a piece is sent again if that fails."""
        checksum = self.planner.checksums.begin()

        def counted(data: bytes) -> bytes:
            checksum.update(data)
            self.sent_bytes += len(data)
            return data

        if pieces.size <= PIECE_BYTES:
            content = b"".join(map(counted, pieces))
            self.hdfs.create(place, pieces.size, lambda: [content] if content else [])
        else:
            self.hdfs.create(place, pieces.size, lambda: map(counted, pieces), tries=1)
        if pieces.size and not self.planner.checksums.is_of(place, checksum.hexdigest()):
            name = place.removeprefix(f"{self.staging}/")
            raise FleetError(f"what HDFS has of {name} is not what was sent: call it again")


class Pieces:
    """A file's content on its way from who reads the archive to who sends it."""

    def __init__(self, size: int, held: threading.Semaphore) -> None:
        """None is there yet. All files on their way share `held`."""
        self.size = size
        self.held = held
        self.pieces: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.is_at_end = False

    def put(self, data: bytes) -> None:
        """Adds one, once there is room."""
        self.held.acquire()
        self.pieces.put(data)

    def end(self) -> None:
        """None follows."""
        self.pieces.put(None)

    def __iter__(self) -> Iterator[bytes]:
        """All of them; an error when they are not as long as they should be."""
        taken = 0
        for data in self.take():
            taken += len(data)
            yield data
        if taken != self.size:
            raise FleetError("the archive was not read to its end")

    def take(self) -> Iterator[bytes]:
        """What is left of them; each makes room for another."""
        while not self.is_at_end and (data := self.pieces.get()) is not None:
            try:
                yield data
            finally:
                self.held.release()
        self.is_at_end = True

    def drop(self) -> None:
        """Takes the rest, so that who reads the archive does not wait for room."""
        for _ in self.take():
            pass


def of(part: int, whole: int) -> str:
    """1.2 of 3.4 GB."""
    said, unit = in_words(whole).split()
    scale = {"bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]
    return f"{part / scale:.{0 if unit == 'bytes' else 1}f} of {said} {unit}"


def threads(text: str) -> int:
    """How many at once."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f'"{text}" is no number of threads: expected 1 to 64')
    return int(text)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--namenode", type=address, required=True, metavar="HOST:PORT", help="its page's address")
    parser.add_argument("--threads", type=threads, default=8, metavar="N", help="files at once (default: 8)")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there with other content")
    parser.add_argument("--name", metavar="NAME", help="what messages call the archive (default: SOURCE)")
    parser.add_argument(
        "source", metavar="SOURCE", help="a gzipped tar: a path, an http(s) or s3 address, or - for stdin"
    )
    parser.add_argument("target", metavar="TARGET", help="folder of HDFS, made when it is not there")
    options = parser.parse_args()
    target = target_folder(options.target)
    source = Source(options.source, options.name)
    print(json.dumps(Push(Hdfs(options.namenode), source, target, options.overwrite, options.threads).run()))


if __name__ == "__main__":
    run("push", main)
