"""Checksums of files as HDFS makes them, so that what was sent is compared without being read again."""

from __future__ import annotations

import hashlib
import zlib
from itertools import count

from fleet_hdfs import Hdfs, NotThereError


class Checksum:
    """A file's checksum as HDFS makes it: of each piece its CRC-32, of those of a block their MD5, of those the MD5."""

    def __init__(self, block_bytes: int, piece_bytes: int) -> None:
        """Begins one, of nothing."""
        self.piece_bytes = piece_bytes
        self.block_pieces = block_bytes // piece_bytes
        self.blocks: list[bytes] = []
        self.block = hashlib.md5(usedforsecurity=False)
        self.pieces = 0
        self.rest = b""

    def update(self, data: bytes) -> None:
        """Takes what follows."""
        if self.rest:
            data = self.rest + data
        size = self.piece_bytes
        whole = len(data) // size * size
        view = memoryview(data)
        sums = [zlib.crc32(view[at : at + size]) for at in range(0, whole, size)]
        self.rest = data[whole:] if whole else data
        self._add(sums)

    def _add(self, sums: list[int]) -> None:
        while sums:
            fitting = sums[: self.block_pieces - self.pieces]
            self.block.update(b"".join([each.to_bytes(4, "big") for each in fitting]))
            self.pieces += len(fitting)
            sums = sums[len(fitting) :]
            if self.pieces == self.block_pieces:
                self._end_block()

    def _end_block(self) -> None:
        self.blocks.append(self.block.digest())
        self.block = hashlib.md5(usedforsecurity=False)
        self.pieces = 0

    def hexdigest(self) -> str:
        """The end of it, after which nothing follows."""
        if self.rest:
            self._add([zlib.crc32(self.rest)])
        if self.pieces:
            self._end_block()
        sums = b"".join(self.blocks)
        # HDFS takes the MD5 of its whole buffer, which begins with 32 bytes and doubles.
        size = next(32 << power for power in count() if 32 << power >= len(sums))
        return hashlib.md5(sums.ljust(size, b"\0"), usedforsecurity=False).hexdigest()


class Checksums:
    """Those of an HDFS."""

    def __init__(self, hdfs: Hdfs) -> None:
        """Asks the namenode how a file is written that is not told otherwise."""
        self.hdfs = hdfs
        self.defaults = hdfs.defaults()

    @property
    def replication(self) -> int:
        """Copies of each block."""
        return self.defaults["replication"]

    def begin(self) -> Checksum:
        """One as the data nodes make it."""
        return Checksum(self.defaults["blockSize"], self.defaults["bytesPerChecksum"])

    def is_of(self, path: str, digest: str) -> bool:
        """Whether a file in HDFS has this one; a file that was written in another way is read for that."""
        try:
            algorithm, found = self.hdfs.server_checksum(path)
            if algorithm.endswith(f"MD5-of-{self.defaults['bytesPerChecksum']}CRC32"):
                return found == digest
            checksum = self.begin()
            for data in self.hdfs.read(path):
                checksum.update(data)
            return checksum.hexdigest() == digest
        except NotThereError:
            return False
