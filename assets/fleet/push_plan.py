"""What an archive comes to in HDFS: what is there already, what must be sent, and what can't be."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field

from fleet_archive import PIECE_BYTES, Source, members
from fleet_checksum import Checksums
from fleet_hdfs import IN_SERVICE, Hdfs, RefusalError, in_words, nodes, room

STAGING = "/.push"
CLUSTERS_OWN = ("/spark-events", "/runs", "/scratch", STAGING)
MAX_NAME_BYTES = 255
# HDFS takes 8,000 letters and 1,000 folders in all, those above the target and of the staging folder among them.
MAX_PATH = 7000
MAX_DEPTH = 900
RESERVED = (".snapshot", ".reserved")
# Of the namenode's memory for a file or folder, and for a block: a million files of one block each take 1 GB.
NAME_BYTES = 512


@dataclass
class Plan:
    """What an archive comes to."""

    folders: set[str] = field(default_factory=set)  # all of them, also those that are not named
    files: dict[str, int] = field(default_factory=dict)
    there: set[str] = field(default_factory=set)  # equal, at their place
    staged: set[str] = field(default_factory=set)  # equal, put aside by a call that was interrupted
    new_folders: int = 0
    looked_through: int = 0  # bytes

    @property
    def skipped(self) -> set[str]:
        """What need not be sent."""
        return self.there | self.staged

    def has(self, path: str) -> bool:
        """Whether a file need not be sent."""
        return path in self.there or path in self.staged

    def size(self, paths: set[str] | None = None) -> int:
        """Bytes of some files, or of all."""
        return sum(self.files.values()) if paths is None else sum(self.files[path] for path in paths)


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


class Planner:
    """Looks through an archive, and compares it with a folder of HDFS."""

    def __init__(self, hdfs: Hdfs, source: Source, target: str, overwrite: bool) -> None:
        """Refuses a target that is a file, or below one."""
        self.hdfs = hdfs
        self.source = source
        self.target = target
        self.overwrite = overwrite
        self.checksums = Checksums(hdfs)
        self.plan = Plan()
        for path in [f"/{above}" for above in folders_above(target[1:])] + [target]:
            found = hdfs.status(path)
            if found and found["type"] != "DIRECTORY":
                raise RefusalError(f"TARGET is {target}, and {path} is a file in HDFS: name another folder")

    def make(self, staging: str | None) -> None:
        """Refuses what can't be, and finds what need not be sent. In `staging` is what was put aside before."""
        there = Folders(self.hdfs, self.target)
        staged = Folders(self.hdfs, staging) if staging else None
        left, names_left = self.room(), self.names_left()
        new_files = new_bytes = 0
        for path, member, read in members(self.source):
            refuse_name(self.source, path)
            self.add_folders(path if member.isdir() else posixpath.dirname(path), there)
            # A file is a name and a block.
            if self.plan.new_folders + 2 * new_files > names_left:
                raise self.too_many(self.plan.new_folders + new_files, names_left)
            if member.isdir():
                continue
            found = there.find(path)
            if found and found["type"] == "DIRECTORY":
                raise self.in_the_way(path, "a folder", "a file")
            self.plan.files[path] = member.size
            self.compare(path, member, read, found, staged)
            if not self.plan.has(path):
                new_files += 1
                new_bytes += member.size
            if new_bytes > left:
                raise self.too_large(new_bytes, left)
            self.plan.looked_through += member.size

    def add_folders(self, path: str, there: Folders) -> None:
        """Notes a folder and those above it; refuses one where HDFS has a file."""
        for folder in [*folders_above(path), path] if path else []:
            if folder in self.plan.folders:
                continue
            found = there.find(folder)
            if found and found["type"] != "DIRECTORY":
                raise self.in_the_way(folder, "a file", "a folder")
            self.plan.new_folders += found is None
            self.plan.folders.add(folder)

    def compare(
        self,
        path: str,
        member: tarfile.TarInfo,
        read: Callable[[int], bytes],
        found: dict | None,
        staged: Folders | None,
    ) -> None:
        """Finds whether a file is there, or was put aside, and is equal; refuses one that is there and is not."""
        aside = staged.find(path) if staged else None
        equal_size = [each and each["type"] == "FILE" and each["length"] == member.size for each in (found, aside)]
        digest = self.digest_of(read) if any(equal_size) else ""
        if equal_size[0] and self.is_equal(below(self.target, path), member, digest):
            self.plan.there.add(path)
        elif found and not self.overwrite:
            raise RefusalError(
                f"{below(self.target, path)} is in HDFS with other content ({found['length']:,} bytes, and "
                f"{member.size:,} in {self.source.name}): name another folder, or say --overwrite"
            )
        elif staged and equal_size[1] and self.is_equal(below(staged.root, path), member, digest):
            self.plan.staged.add(path)

    def digest_of(self, read: Callable[[int], bytes]) -> str:
        """The checksum of a file in the archive."""
        checksum = self.checksums.begin()
        while data := read(PIECE_BYTES):
            checksum.update(data)
        return checksum.hexdigest()

    def is_equal(self, path: str, member: tarfile.TarInfo, digest: str) -> bool:
        """Whether a file in HDFS that is as long holds the same."""
        return member.size == 0 or self.checksums.is_of(path, digest)

    # Refusals.

    def in_the_way(self, path: str, found: str, wanted: str) -> RefusalError:
        """What is there is of another kind."""
        return RefusalError(
            f"{below(self.target, path)} is {found} in HDFS, and {wanted} in {self.source.name}: "
            "delete it, or name another folder"
        )

    def room(self) -> int:
        """Bytes of files that HDFS has room for."""
        return room(node for node in nodes(self.hdfs) if node.state == IN_SERVICE) // self.checksums.replication

    def too_large(self, size: int, left: int) -> RefusalError:
        """Said before the rest of the archive is looked through."""
        copies = self.checksums.replication
        return RefusalError(
            f"{self.source.name} holds at least {in_words(size)} that HDFS does not have, which has room for "
            f"{in_words(left)} ({in_words(left * copies)} at {copies} copies of each block): "
            "give it more data nodes or larger disks, or delete what is not needed any more"
        )

    def names_left(self) -> int:
        """How many files, folders and blocks the namenode has memory for."""
        held = self.hdfs.bean("FSNamesystem")
        most = self.hdfs.bean("JvmMetrics")["MemHeapMaxM"] * 2**20 / NAME_BYTES
        return max(0, int(most) - held["FilesTotal"] - held["BlocksTotal"])

    def too_many(self, names: int, left: int) -> RefusalError:
        """Said before the rest of the archive is looked through."""
        return RefusalError(
            f"{self.source.name} has at least {names:,} files and folders that HDFS does not have, which has memory "
            f"for {left // 2:,} files: pack small ones into larger ones, or delete what is not needed any more"
        )


def refuse_name(source: Source, path: str) -> None:
    """Refuses what is too long for HDFS, and what it keeps for itself."""
    parts = path.split("/")
    for name in parts:
        size = len(name.encode())
        if size > MAX_NAME_BYTES:
            raise RefusalError(
                f"{source.name} has {name[:20]}..., a name of {size} bytes, and HDFS takes {MAX_NAME_BYTES}: "
                "give it a shorter one"
            )
        if name in RESERVED:
            raise RefusalError(f"{source.name} has {path!r}, and HDFS has {name} for itself: rename it")
    if len(parts) > MAX_DEPTH or len(path) > MAX_PATH:
        raise RefusalError(
            f"{source.name} has {path[:20]}..., a path of {len(path):,} letters and {len(parts):,} folders, "
            f"and {MAX_PATH:,} and {MAX_DEPTH} are the most here: bring it to a shorter one"
        )


def below(root: str, path: str) -> str:
    """A path below a folder, which itself is ""."""
    return f"{root}/{path}" if path else root


def folders_above(path: str) -> list[str]:
    """From the outermost."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


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
    if any(part in RESERVED for part in parts):
        raise refusal("has a name that HDFS has for itself")
    if any(path == own or path.startswith(f"{own}/") for own in CLUSTERS_OWN):
        raise refusal("is the cluster's own")
    return path
