"""A gzipped tar as a stream, and what of its members HDFS can have."""

from __future__ import annotations

import io
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from fleet_hdfs import FleetError, RefusalError, in_words, reason_of

PIECE_BYTES = 1 << 20
TIMEOUT_S = 60
GZIP = 31  # zlib's word for it: checked to its end
MEMBER_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a FIFO",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}
# What says more of a member, such as a long name, and the most that it may be: all of it is in memory at once.
SAYS_MORE = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
MOST_SAID = 1 << 20
# What names of files and folders may be together, which all are in memory too; a name counts as more than its letters.
MOST_NAMES = 1 << 28
NAME_BYTES = 64
CURE = "make the archive without it (tar czf ARCHIVE -C FOLDER .)"


class Source:
    """Where the archive is: a path, an address, or the standard input, which is kept as it is read more than once."""

    def __init__(self, text: str, name: str | None = None) -> None:
        """Reads nothing, but of "-" all. name: what messages call it."""
        is_url = urlsplit(text).scheme in ("http", "https")
        # What follows "?" in an address is a password.
        self.name = name or ("the standard input" if text == "-" else text.partition("?")[0] if is_url else text)
        self.open: Callable[[], IO[bytes]]
        if text == "-":
            kept = keep(sys.stdin.buffer)
            self.open = lambda: rewound(kept)
        elif is_url:
            self.open = lambda: self._fetch(text)
        elif text.startswith("s3://"):
            self.open = lambda: self._open_object(text)
        else:
            self.open = lambda: self._open_file(text)

    def _open_file(self, path: str) -> IO[bytes]:
        try:
            return open(path, "rb")  # noqa: PTH123 -- whoever asked closes it
        except OSError as error:
            raise RefusalError(f"{self.name} can't be read ({reason_of(error)}): give a gzipped tar") from error

    def _open_object(self, address: str) -> IO[bytes]:
        from fleet_lake import open_object  # which a laptop's Python has no need of

        try:
            return open_object(address)
        except OSError as error:
            raise FleetError(f"{self.name} can't be read from {address}: {reason_of(error)}") from error

    def _fetch(self, url: str) -> IO[bytes]:
        try:
            return urlopen(url, timeout=TIMEOUT_S)
        except HTTPError as error:
            raise FleetError(
                f"{self.name} answers with status {error.code}: is the address right, and still valid?"
            ) from error
        except (URLError, OSError) as error:
            reason = getattr(error, "reason", error)
            raise FleetError(f"{self.name} does not answer: {reason_of(reason)}") from error


def keep(stream: IO[bytes]) -> IO[bytes]:
    """A copy that can be read again, on disk, and gone with this process."""
    kept = tempfile.TemporaryFile()  # noqa: SIM115 -- to the end
    try:
        while piece := stream.read(PIECE_BYTES):
            kept.write(piece)
        kept.flush()
    except OSError as error:
        raise FleetError(
            f"what comes by the standard input can't be kept in {tempfile.gettempdir()} ({reason_of(error)}): "
            "give the archive as a file, or a folder with more room as TMPDIR"
        ) from error
    return kept


def rewound(kept: IO[bytes]) -> IO[bytes]:
    """The same from its beginning; closing that leaves it open."""
    kept.seek(0)
    return open(kept.fileno(), "rb", closefd=False)


class Unzipped(io.RawIOBase):
    """What is in a gzipped stream, which is checked to its end, in large pieces."""

    def __init__(self, source: IO[bytes]) -> None:
        """Of one that is opened already."""
        self.source = source
        self.unzip = zlib.decompressobj(GZIP)
        self.packed = b""
        self.is_new = True  # nothing of a member of the stream was seen

    def read(self, size: int = -1) -> bytes:
        """At most so many bytes; none at the end."""
        while True:
            if self.unzip.eof:  # another may follow: what several made one after another is one archive
                self.packed = self.unzip.unused_data
                self.unzip = zlib.decompressobj(GZIP)
                self.is_new = True
            self.packed = self.packed or self.source.read(PIECE_BYTES)
            if not self.packed:
                if self.is_new:
                    return b""
                raise EOFError("it ends in the middle")
            if self.is_new and not self.packed.strip(b"\0"):
                self.packed = b""  # padding, as tapes have it
                continue
            self.is_new = False
            data = self.unzip.decompress(self.packed, max(size, 0))
            self.packed = b"" if self.unzip.eof else self.unzip.unconsumed_tail
            if data:
                return data


class Whole:
    """Reads as much as was asked for, which `tarfile` counts on."""

    def __init__(self, source: Unzipped) -> None:
        """Of what may give less."""
        self.source = source

    def read(self, size: int) -> bytes:
        """So many bytes, unless it ends."""
        data = self.source.read(size)
        if not data or len(data) == size:
            return data
        pieces = [data]
        left = size - len(data)
        while left and (data := self.source.read(left)):
            pieces.append(data)
            left -= len(data)
        return b"".join(pieces)


@contextmanager
def errors_of(source: Source) -> Iterator[None]:
    """Says of which archive something went wrong."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise RefusalError(f"{source.name} has a name that is no UTF-8 ({error.object!r}): rename it") from error
    except (tarfile.TarError, zlib.error, EOFError, ValueError, RecursionError) as error:
        raise RefusalError(
            f"{source.name} is no gzipped tar, or not all of one ({reason_of(error)}): "
            "make it by tar czf, or fetch it again"
        ) from error


class Header(tarfile.TarInfo):
    """Of a member. `tarfile` takes what it can't read for the end of the archive, and what follows would be missing."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> tarfile.TarInfo:
        """What 512 bytes say."""
        try:
            header = super().frombuf(buf, encoding, errors)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:
            raise tarfile.ReadError(str(error)) from error
        if header.type in SAYS_MORE and header.size > MOST_SAID:
            raise tarfile.ReadError(f"a header of {header.size:,} bytes, of which {MOST_SAID:,} are the most here")
        return header


def members(source: Source) -> Iterator[tuple[str, tarfile.TarInfo, Callable[[int], bytes]]]:
    """Each file and folder: its path within the archive, what the archive says of it, and how its content is read."""
    with source.open() as packed, errors_of(source):
        unzipped = Unzipped(packed)
        seen = Seen(source)
        whole: Any = Whole(unzipped)
        with tarfile.open(
            fileobj=whole,
            mode="r|",
            bufsize=PIECE_BYTES,
            encoding="utf-8",
            errors="surrogateescape",
            tarinfo=Header,
        ) as tar:
            for member in tar:
                if sum(map(len, (*tar.pax_headers, *tar.pax_headers.values()))) > MOST_SAID:
                    raise tarfile.ReadError(f"headers for all of it of more than {MOST_SAID:,} letters")
                path = path_of(source, member)
                seen.add(path, member.isdir())
                if not path:
                    continue
                content = tar.extractfile(member)
                yield path, member, content.read if content else lambda _: b""
                tar.members = []  # it keeps all else
            while rest := tar.fileobj.read(PIECE_BYTES):
                if rest.strip(b"\0"):
                    raise tarfile.ReadError("it goes on after its end, as when archives are joined")


def path_of(source: Source, member: tarfile.TarInfo) -> str:
    """Where a member goes, "" for the folder itself; refused when that is not in the folder, or HDFS can't have it."""
    name = member.name

    def refusal(why: str) -> RefusalError:
        shown = name.encode("utf-8", "backslashreplace").decode()
        return RefusalError(f"{source.name} has {shown!r}, which {why}: {CURE}")

    with suppress(UnicodeEncodeError):
        name.encode()
        if not (member.isfile() or member.isdir()) or member.issparse():
            kind = "a sparse file" if member.issparse() else MEMBER_KINDS.get(member.type, "of a kind of its own")
            raise refusal(f"is {kind}")
        if name.startswith("/"):
            raise refusal("is absolute")
        parts = [part for part in name.rstrip("/").split("/") if part != "."]
        if ".." in parts:
            raise refusal("climbs out of its folder")
        if member.size < 0:
            raise refusal("has less than no bytes")
        if "" in parts and parts != [""]:
            raise refusal("has an empty part")
        if any(":" in part for part in parts):
            raise refusal('has a ":", which no name in HDFS may have')
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
            raise refusal("has a control character")
        return "/".join(parts)
    raise refusal("is no UTF-8")


class Seen:
    """What was there before in an archive."""

    def __init__(self, source: Source) -> None:
        """Nothing was."""
        self.source = source
        self.folders: dict[str, bool] = {}
        self.bytes = 0

    def add(self, path: str, is_folder: bool) -> None:
        """Refuses a path that was there before, but a folder that is a folder again."""
        for end in (at for at, letter in enumerate(path) if letter == "/"):
            folder = path[:end]
            if not self.note(folder, True):
                raise RefusalError(f"{self.source.name} has {folder!r} as a file and as a folder: {CURE}")
        if path in self.folders and not (is_folder and self.folders[path]):
            raise RefusalError(f"{self.source.name} has {path!r} more than once: {CURE}")
        self.note(path, is_folder)

    def note(self, path: str, is_folder: bool) -> bool:
        """Whether it is a folder; refuses one name too many."""
        if path not in self.folders:
            self.folders[path] = is_folder
            self.bytes += len(path) + NAME_BYTES
            if self.bytes > MOST_NAMES:
                raise RefusalError(
                    f"{self.source.name} has more than {len(self.folders):,} files and folders, with paths of "
                    f"{in_words(self.bytes)}, and {in_words(MOST_NAMES)} are the most here: "
                    "make several archives of it, or pack small files into larger ones"
                )
        return self.folders[path]
