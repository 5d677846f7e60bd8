"""Unpacks a gzipped tar into a folder of HDFS.

Nothing is written before the whole archive was looked through. Files are put into a folder aside, several at once, each
verified by its checksum, and moved to where they belong when all are there. What is there already and equal is left as
it is, also by a call after one that was interrupted. It holds at most 64 MiB of content in memory.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import posixpath
import queue
import sys
import tarfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from fleet_archive import PIECE_BYTES, Source, errors_of, members
from fleet_hdfs import (
    Checksum,
    FleetError,
    Hdfs,
    NotThereError,
    RefusalError,
    address,
    in_words,
    nodes,
    room,
    run,
)

STAGING = "/.push"
CLUSTERS_OWN = ("/spark-events", "/runs", "/scratch", "/.push")
PIECES_HELD = 64
PROGRESS_S = 2
MAX_NAME_BYTES = 255


@dataclass
class Progress:
    """How far it is; told every two seconds."""

    bytes: int = 0
    files: int = 0
    all_bytes: int | None = None
    all_files: int | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    def tell(self) -> None:
        """To the end; in a thread of its own."""
        while not self.ended.wait(PROGRESS_S):
            if self.all_files is None:
                line = f"looking through the archive: {in_words(self.bytes)} in {self.files:,} files so far"
            else:
                line = f"{of(self.bytes, self.all_bytes or 0)}, {self.files:,} of {self.all_files:,} files"
            print(f"push: {line}", file=sys.stderr, flush=True)


def of(part: int, whole: int) -> str:
    """1.2 of 3.4 GB."""
    said, unit = in_words(whole).split()
    scale = {"bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]
    return f"{part / scale:.{0 if unit == 'bytes' else 1}f} of {said} {unit}"


# What is to be done ---------------------------------------------------------------------------------------------------


@dataclass
class Plan:
    """What an archive comes to in HDFS."""

    folders: list[str] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)
    there: set[str] = field(default_factory=set)  # equal, at their place
    staged: set[str] = field(default_factory=set)  # equal, put aside by a call that was interrupted

    def has(self, path: str) -> bool:
        """Whether a file need not be sent."""
        return path in self.there or path in self.staged


def below(root: str, path: str) -> str:
    """A path below a folder, which itself is ""."""
    return f"{root}/{path}" if path else root


def folders_above(path: str) -> list[str]:
    """From the outermost."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


class Folders:
    """What is in HDFS below a path; each folder is asked for once."""

    def __init__(self, hdfs: Hdfs, root: str) -> None:
        """Asks nothing yet."""
        self.hdfs = hdfs
        self.root = root
        self.listed: dict[str, dict[str, dict]] = {}

    def find(self, path: str) -> dict | None:
        """What is at a path below."""
        folder, _, name = path.rpartition("/")
        if folder not in self.listed:
            above = self.find(folder) if folder else {"type": "DIRECTORY"}
            is_folder = above is not None and above["type"] == "DIRECTORY"
            self.listed[folder] = self.hdfs.list(below(self.root, folder)) if is_folder else {}
        return self.listed[folder].get(name)


class Push:
    """One call: an archive, and the folder that it goes to."""

    def __init__(self, hdfs: Hdfs, source: Source, target: str, overwrite: bool, threads: int) -> None:
        """Asks the namenode what a file has that is not told otherwise."""
        self.hdfs = hdfs
        self.source = source
        self.target = target
        self.overwrite = overwrite
        self.threads = threads
        self.progress = Progress()
        self.defaults = hdfs.defaults()
        self.plan = Plan()
        self.above = f"{STAGING}/{hashlib.sha256(target.encode()).hexdigest()[:16]}"
        self.staging = f"{self.above}/{uuid.uuid4().hex[:16]}"

    def run(self) -> dict[str, int | float]:
        """Does it, and says what it was."""
        began = time.monotonic()
        threading.Thread(target=self.progress.tell, daemon=True).start()
        try:
            self.refuse_place()
            staged = self.take_over()
            self.make_plan(Folders(self.hdfs, self.target), Folders(self.hdfs, self.staging) if staged else None)
            self.refuse_size()
            self.upload()
        except NotThereError as error:  # what was put aside
            raise FleetError(f"another push to {self.target} has begun meanwhile: let that one end") from error
        finally:
            self.progress.ended.set()
        return {
            "files": len(self.plan.files),
            "skipped": len(self.plan.there | self.plan.staged),
            "bytes": sum(self.plan.files.values()),
            "seconds": round(time.monotonic() - began, 1),
        }

    def refuse_place(self) -> None:
        """Refuses a target that is a file, or below one."""
        path = self.target
        while path != "/":
            found = self.hdfs.status(path)
            if found and found["type"] != "DIRECTORY":
                raise RefusalError(f"TARGET is {self.target}, and {path} is a file in HDFS: name another folder")
            path = posixpath.dirname(path)

    def take_over(self) -> bool:
        """Makes what others put aside for this target one's own; a call that goes on meanwhile ends by that."""
        found = list(self.hdfs.list(self.above))
        for name in found[1:]:
            self.hdfs.delete(f"{self.above}/{name}")
        if found:
            self.hdfs.rename(f"{self.above}/{found[0]}", self.staging)
        return bool(found)

    def make_plan(self, there: Folders, staged: Folders | None) -> None:
        """Looks through the archive; refuses what can't be, and finds what need not be sent."""
        for path, member, read in members(self.source):
            refuse_long_name(self.source, path)
            for above in folders_above(path):
                if (found := there.find(above)) and found["type"] != "DIRECTORY":
                    raise self.in_the_way(above, "a file", "a folder")
            found = there.find(path)
            if member.isdir():
                if found and found["type"] != "DIRECTORY":
                    raise self.in_the_way(path, "a file", "a folder")
                self.plan.folders.append(path)
                continue
            if found and found["type"] == "DIRECTORY":
                raise self.in_the_way(path, "a folder", "a file")
            self.plan.files[path] = member.size
            self.progress.files += 1
            self.compare(path, member, read, found, staged.find(path) if staged else None)

    def compare(
        self, path: str, member: tarfile.TarInfo, read: Callable[[int], bytes], there: dict | None, staged: dict | None
    ) -> None:
        """Finds whether a file is there, or was put aside, and is equal."""
        digest = None
        if any(found and found["length"] == member.size for found in (there, staged)):
            checksum = self.new_checksum()
            while data := read(PIECE_BYTES):
                checksum.update(data)
            digest = checksum.hexdigest()
        self.progress.bytes += member.size
        if there and there["length"] == member.size and self.is_equal(below(self.target, path), digest):
            self.plan.there.add(path)
        elif there and not self.overwrite:
            raise RefusalError(
                f"{below(self.target, path)} is in HDFS with other content ({there['length']:,} bytes, and "
                f"{member.size:,} in {self.source.name}): name another folder, or say --overwrite"
            )
        elif staged and staged["length"] == member.size and self.is_equal(f"{self.staging}/{path}", digest):
            self.plan.staged.add(path)

    def in_the_way(self, path: str, found: str, wanted: str) -> RefusalError:
        """What is there is of another kind."""
        return RefusalError(
            f"{below(self.target, path)} is {found} in HDFS, and {wanted} in {self.source.name}: "
            "delete it, or name another folder"
        )

    def refuse_size(self) -> None:
        """Refuses what HDFS has no room for."""
        size = sum(size for path, size in self.plan.files.items() if not self.plan.has(path))
        copies = self.defaults["replication"]
        left = room(nodes(self.hdfs)) // copies
        if size > left:
            raise RefusalError(
                f"{self.source.name} holds {in_words(size)} that HDFS does not have, which has room for "
                f"{in_words(left)} ({in_words(left * copies)} at {copies} copies of each block): "
                "give it more data nodes or larger disks, or delete what is not needed any more"
            )

    # Doing it.

    def upload(self) -> None:
        """Puts aside what is not there yet, and moves it to where it belongs."""
        self.progress.bytes = sum(size for path, size in self.plan.files.items() if self.plan.has(path))
        self.progress.files = len(self.plan.there | self.plan.staged)
        self.progress.all_files = len(self.plan.files)
        self.progress.all_bytes = sum(self.plan.files.values())
        self.hdfs.make_folder(self.staging)
        made = self.hdfs.status(self.staging)
        for folder in sorted(self.folders_to_make()):
            self.hdfs.make_folder(below(self.staging, folder))
        if len(self.plan.there | self.plan.staged) < len(self.plan.files):
            self.send_files()
        now = self.hdfs.status(self.staging)
        if not made or not now or made["fileId"] != now["fileId"]:
            raise NotThereError(self.staging)
        self.move("")
        self.hdfs.delete(self.above)
        if not self.hdfs.list(STAGING):
            self.hdfs.delete(STAGING)

    def folders_to_make(self) -> set[str]:
        """Those of files that are sent, and all of the archive."""
        sent = {posixpath.dirname(path) for path in self.plan.files if path not in self.plan.there}
        return sent | set(self.plan.folders)

    def send_files(self) -> None:
        """Sends what is neither there nor put aside, while the archive is read."""
        held = threading.Semaphore(PIECES_HELD)
        failed: list[BaseException] = []

        def note(future: Future[None]) -> None:
            if error := future.exception():
                failed.append(error)

        with ThreadPoolExecutor(self.threads) as pool:
            for path, member, read in members(self.source):
                if failed:
                    break
                if member.isdir() or self.plan.has(path):
                    continue
                if self.plan.files.get(path) != member.size:
                    raise FleetError(f"{self.source.name} has changed meanwhile: call it again")
                pieces: queue.Queue[bytes | None] = queue.Queue()
                pool.submit(self.send, path, member.size, Pieces(pieces, held)).add_done_callback(note)
                with errors_of(self.source):
                    self.hand_on(read, pieces, held, failed)
        if failed:
            raise failed[0]

    def hand_on(
        self,
        read: Callable[[int], bytes],
        pieces: queue.Queue[bytes | None],
        held: threading.Semaphore,
        failed: list[BaseException],
    ) -> None:
        """Reads a file's content for the thread that sends it, which learns of its end in any case."""
        try:
            while not failed and (data := read(PIECE_BYTES)):
                held.acquire()
                pieces.put(data)
        finally:
            pieces.put(None)

    def send(self, path: str, size: int, pieces: Pieces) -> None:
        """Puts a file aside, and verifies it. One that fits into a piece is sent again if it fails."""
        place = f"{self.staging}/{path}"
        checksum = self.new_checksum()

        def counted(data: bytes) -> bytes:
            checksum.update(data)
            self.progress.bytes += len(data)
            return data

        try:
            if size <= PIECE_BYTES:
                content = b"".join(map(counted, pieces))
                if len(content) == size:
                    self.hdfs.create(place, size, lambda: [content] if content else [])
            else:
                self.hdfs.create(place, size, lambda: map(counted, pieces), tries=1)
            if size and not self.is_equal(place, checksum.hexdigest()):
                raise FleetError(f"what HDFS has of {path} is not what was sent: call it again")
        finally:
            pieces.drop()
        self.progress.files += 1

    def move(self, folder: str) -> None:
        """Moves what was put aside to where it belongs: whole folders where there is nothing yet."""
        place = below(self.target, folder)
        there = self.hdfs.list(place) if self.hdfs.status(place) else None
        if there is None:
            self.hdfs.make_folder(posixpath.dirname(place))
            return self.hdfs.rename(below(self.staging, folder), place)
        for name, found in self.hdfs.list(below(self.staging, folder)).items():
            path = posixpath.join(folder, name)
            if found["type"] == "DIRECTORY" and name in there:
                self.move(path)
            else:
                self.hdfs.rename(f"{self.staging}/{path}", f"{place}/{name}", overwrite=self.overwrite)

    # Checksums.

    def new_checksum(self) -> Checksum:
        """As the data nodes make one."""
        return Checksum(self.defaults["blockSize"], self.defaults["bytesPerChecksum"])

    def is_equal(self, path: str, digest: str | None) -> bool:
        """Whether a file in HDFS has this checksum; one that was written in another way is read for that."""
        if digest == self.new_checksum().hexdigest():
            return True  # of nothing; there are as many bytes as there should be
        try:
            algorithm, found = self.hdfs.server_checksum(path)
            if algorithm.endswith(f"MD5-of-{self.defaults['bytesPerChecksum']}CRC32"):
                return found == digest
            checksum = self.new_checksum()
            for data in self.hdfs.read(path):
                checksum.update(data)
            return checksum.hexdigest() == digest
        except NotThereError:
            return False


class Pieces:
    """A file's content as it comes from the archive."""

    def __init__(self, pieces: queue.Queue[bytes | None], held: threading.Semaphore) -> None:
        """What is taken makes room for more."""
        self.pieces = pieces
        self.held = held
        self.ended = False

    def __iter__(self) -> Iterator[bytes]:
        """To its end."""
        while not self.ended and (data := self.pieces.get()) is not None:
            yield data
            self.held.release()
        self.ended = True

    def drop(self) -> None:
        """Takes the rest, so that whoever reads the archive does not wait for room."""
        for _ in self:
            pass


def refuse_long_name(source: Source, path: str) -> None:
    """Refuses what HDFS would."""
    name = posixpath.basename(path)
    if len(name.encode()) > MAX_NAME_BYTES:
        raise RefusalError(
            f"{source.name} has {name[:20]}..., a name of {len(name.encode())} bytes: HDFS has {MAX_NAME_BYTES}"
        )


def target_folder(text: str) -> str:
    """A folder of HDFS that may be written to."""

    def refusal(why: str) -> RefusalError:
        return RefusalError(f'TARGET is "{text}", which {why}: name a folder such as /data')

    if not text.startswith("/"):
        raise refusal("is not absolute")
    parts = text.split("/")
    if ".." in parts or "." in parts:
        raise refusal('has ".." or "." in it')
    if ":" in text:
        raise refusal('has a ":", which no name in HDFS may have')
    path = "/" + "/".join(part for part in parts if part)
    if path == "/":
        raise refusal("is all of HDFS")
    if any(path == own or path.startswith(f"{own}/") for own in CLUSTERS_OWN):
        raise refusal("is the cluster's own")
    return path


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
    parser.add_argument("source", metavar="SOURCE", help="a gzipped tar: a path, an http(s) address, or - for stdin")
    parser.add_argument("target", metavar="TARGET", help="folder of HDFS, made when it is not there")
    options = parser.parse_args()
    target = target_folder(options.target)
    source = Source(options.source)
    print(json.dumps(Push(Hdfs(options.namenode), source, target, options.overwrite, options.threads).run()))


if __name__ == "__main__":
    run("push", main)
