"""What the steps of every job share: part files, progress and digests.

A lake is a local folder, or `s3://bucket/prefix` or `gs://bucket/prefix`; steps may also read and write HDFS, as
`webhdfs://namenode:9870/path`. Only the standard library is imported up here: pyarrow and numpy take most of a second
to load, and runs are recorded many times without needing them.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import functools
import getpass
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from fsspec.implementations.webhdfs import WebHDFS
    from pyarrow.fs import FileSystem, S3FileSystem
    from pyarrow.parquet import ParquetFile
    from pyspark import RDD
    from requests import Response

_POLL_SECONDS = 0.2


class ArgumentParser(argparse.ArgumentParser):
    """Reports a wrong argument in one line, which is what a cluster shows of a step that failed."""

    def error(self, message: str) -> NoReturn:
        """Ends the program with exit code 2."""
        self.exit(2, f"{self.prog}: error: {message}\n")


def count(text: str) -> int:
    """Argument type: a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def whole(text: str) -> int:
    """Argument type: a whole number."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def seed(text: str) -> int:
    """Argument type: what fits half of the key of a Philox generator."""
    if not text.isdecimal() or int(text) >= 2**64:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0 and less than 2^64")
    return int(text)


# Part files ----------------------------------------------------------------------------------------------------------


def write_part(table: pa.Table, folder: str, name: str) -> None:
    """Writes the Parquet file `<folder>/<name>.parquet`, which readers see whole or not at all.

    A task that is tried again writes the same name again, which is safe.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    put(_join(folder, f"{name}.parquet"), sink.getvalue())


def read_table(folder: str, columns: Sequence[str]) -> pa.Table | None:
    """All rows of the part files below `folder`, in no particular order; None when there are none.

    Raises ValueError when a file lacks one of the columns.
    """
    import pyarrow as pa

    batches = list(_batches(folder, columns))
    return pa.Table.from_batches(batches) if batches else None


def _join(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}"


def _filesystem(address: str) -> tuple[FileSystem, str]:
    """Where `address` is, and its path there."""
    from pyarrow.fs import FileSystem, LocalFileSystem

    scheme, separator, path = address.partition("://")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if scheme == "s3" and region:
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        return _s3(region, endpoint), path.rstrip("/")
    if scheme == "gs":
        return _gcs(path.partition("/")[0]), path.rstrip("/")
    if scheme == "webhdfs":
        from pyarrow.fs import FSSpecHandler, PyFileSystem

        namenode, _, path = path.partition("/")
        return PyFileSystem(FSSpecHandler(_webhdfs(namenode))), f"/{path.rstrip('/')}"
    if separator:
        return FileSystem.from_uri(address)
    return LocalFileSystem(), str(Path(address).resolve())


@functools.cache
def _s3(region: str, endpoint: str | None) -> S3FileSystem:
    """S3 in one region; one per process, because each has threads and credentials of its own.

    `FileSystem.from_uri` would ask S3's global endpoint where the bucket is, which a private subnet has no way to.
    """
    from pyarrow.fs import S3FileSystem

    # Opened late, a small object is one request that is there whole or not at all, and leaves no unfinished upload.
    return S3FileSystem(region=region, endpoint_override=endpoint, allow_delayed_open=True)


@functools.cache
def _gcs(bucket: str) -> FileSystem:
    """Cloud Storage; one per process and bucket, because each makes connections and fetches a token of its own."""
    from pyarrow.fs import FileSystem

    return FileSystem.from_uri(f"gs://{bucket}")[0]


@functools.cache
def _webhdfs(namenode: str) -> WebHDFS:
    """HDFS over HTTP, which needs no Hadoop on this machine; one per process, because each keeps connections open."""
    from fsspec.implementations.webhdfs import WebHDFS

    host, _, port = namenode.partition(":")
    user = os.environ.get("HADOOP_USER_NAME") or getpass.getuser()
    client = WebHDFS(host, int(port or 9870), user=user, use_listings_cache=False, skip_instance_cache=True)

    def check(response: Response, *_: object, **__: object) -> None:
        # fsspec looks at the namenode's errors only, and would take a datanode's for the content of the file.
        if not response.url.startswith(client.url):
            response.raise_for_status()

    client.session.hooks["response"].append(check)
    return client


def _put_webhdfs(address: str, data: bytes | pa.Buffer) -> None:
    """Writes beside the file and renames, as a file of HDFS is visible as soon as it is begun."""
    namenode, _, path = address.removeprefix("webhdfs://").partition("/")
    folder, _, name = f"/{path}".rpartition("/")
    temporary = f"{folder}/.{name}.{os.urandom(8).hex()}.tmp"
    client = _webhdfs(namenode)
    try:
        # Not by client.open: that makes an empty file and appends, which HDFS refuses where datanodes are few.
        created = client._call("CREATE", "put", temporary, redirect=False, overwrite="true")
        binary = {"content-type": "application/octet-stream"}
        client.session.put(created.headers["Location"], data=memoryview(data), headers=binary)
        client._call("RENAME", "put", temporary, destination=f"{folder}/{name}", renameoptions="OVERWRITE")
    except RuntimeError as problem:  # what fsspec makes of an exception of Hadoop that it has no word for
        raise OSError(f"{address}: {problem}") from problem


def put(address: str, data: bytes | pa.Buffer, *, last: bool = False) -> None:
    """Writes a file of a lake whole: an object appears when its upload ends, another file is renamed into place.

    last: nothing is written there any more. Where the disk is full that takes the room which `reserve` keeps.
    """
    if address.startswith("webhdfs://"):
        _put_webhdfs(address, data)
        return
    if "://" in address:
        filesystem, path = _filesystem(address)
        with filesystem.open_output_stream(path) as stream:
            stream.write(data)
        return
    target = Path(address)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Two attempts of one task may write at once, so each has a temporary file of its own.
    temporary = target.with_name(f".{target.name}.{os.urandom(8).hex()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(target)
    except BaseException as problem:
        temporary.unlink(missing_ok=True)
        if not (last and is_full_disk(problem) and _put_into_spare(target, data)):
            raise
    if last:
        _spare(target).unlink(missing_ok=True)


def reserve(address: str, more: int) -> None:
    """Keeps room for the last word that is put there, with so many bytes more than are there now.

    In a lake that is a folder: elsewhere no disk of ours is full.
    """
    target = Path(address)
    if "://" not in address and target.exists():
        _spare(target).write_bytes(os.urandom(target.stat().st_size + more))  # which no file system compresses


def is_full_disk(problem: object) -> bool:
    """Whether an error is that a disk, or what somebody may have of it, is full."""
    return isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT)


def _spare(target: Path) -> Path:
    return target.with_name(f".{target.name}.spare")


def _put_into_spare(target: Path, data: bytes | pa.Buffer) -> bool:
    """Writes over what is reserved, which takes no room, and renames it; false where there is none, or too little."""
    try:
        with _spare(target).open("r+b") as file:
            if os.fstat(file.fileno()).st_size < len(data):
                return False
            file.write(data)
            file.truncate()
        _spare(target).replace(target)
    except OSError:
        return False
    return True


def _get(address: str) -> bytes | None:
    try:
        if "://" not in address:
            return Path(address).read_bytes()
        from pyarrow.fs import FileSelector

        filesystem, path = _filesystem(address)
        # Asked for an object that is not there, S3 says "access denied" to whoever may list some prefixes only.
        beside = filesystem.get_file_info(FileSelector(path.rpartition("/")[0], allow_not_found=True))
        if path not in (info.path for info in beside):
            return None
        with filesystem.open_input_stream(path) as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def list_files(address: str, below: bool = False) -> list[tuple[str, int]]:
    """Address and size of a file, or of the files of a folder, by name. What is hidden is left out.

    below: also those of the folders in it. Raises FileNotFoundError when there is neither.
    """
    from pyarrow.fs import FileSelector, FileType

    filesystem, path = _filesystem(address)
    info = filesystem.get_file_info(path)
    if info.type == FileType.File:
        return [(address, info.size)]
    if info.type == FileType.NotFound:
        raise FileNotFoundError(f"{address}: there is no such file or folder")
    infos = filesystem.get_file_info(FileSelector(path, recursive=below))
    files = sorted((info.path[len(path) :].strip("/"), info.size) for info in infos if info.type == FileType.File)
    shown = ((name, size) for name, size in files if not any(part.startswith((".", "_")) for part in name.split("/")))
    return [(_join(address, name), size) for name, size in shown]


def open_file(address: str) -> pa.NativeFile:
    """A file opened for reading anywhere in it."""
    filesystem, path = _filesystem(address)
    return filesystem.open_input_file(path)


class PartFile(NamedTuple):
    """A file with rows of a table."""

    path: str  # in its file system
    below: str  # the folder that was asked for
    partition: Mapping[str, str | None]  # `month=2012-01/` in the path is `{"month": "2012-01"}`


def part_files(folder: str) -> tuple[FileSystem, list[PartFile]]:
    """The part files below `folder`, by their paths, and the file system that they are in."""
    from pyarrow.fs import FileSelector, FileType

    filesystem, root = _filesystem(folder)
    selector = FileSelector(root, recursive=True, allow_not_found=True)
    parts = []
    for info in sorted(filesystem.get_file_info(selector), key=lambda info: info.path):
        below = info.path[len(root) :].strip("/")
        names = below.split("/")
        # "month=1_$folder$" is how Hadoop marks a folder of S3.
        if info.type != FileType.File or any(name.startswith((".", "_")) for name in names) or "_$folder$" in names[-1]:
            continue
        parts.append(PartFile(info.path, below, _partition(names[:-1])))
    return filesystem, parts


@contextlib.contextmanager
def open_parquet(filesystem: FileSystem, part: PartFile) -> Iterator[ParquetFile]:
    """A part file with its footer read. Raises ValueError when it is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with filesystem.open_input_file(part.path) as source:
        try:
            parquet = pq.ParquetFile(source, coerce_int96_timestamp_unit="us")
            yield parquet
        except pa.ArrowInvalid as problem:
            raise ValueError(f"{part.path} is no Parquet file: {problem}") from problem
        except OSError as problem:  # what Arrow says of damaged or encrypted ones names no file
            if problem.errno is not None:
                raise
            raise OSError(f"{part.path} can't be read: {problem}") from problem


# Is told of each part file before its rows are read.
See = Callable[[PartFile, "ParquetFile"], None]


def _batches(folder: str, columns: Sequence[str], see: See | None = None) -> Iterator[pa.RecordBatch]:
    """Rows of the part files below `folder`; folders such as `month=2012-01` are a column, of text."""
    import pyarrow as pa

    filesystem, parts = part_files(folder)
    for part in parts:
        stored = [column for column in columns if column not in part.partition]
        with open_parquet(filesystem, part) as parquet:
            if see:
                see(part, parquet)
            for column in stored:
                if column not in parquet.schema_arrow.names:
                    raise ValueError(f"{part.path} has no column {column!r}")
            for batch in parquet.iter_batches(columns=stored):
                constant = {name: pa.scalar(value, pa.string()) for name, value in part.partition.items()}
                arrays = [
                    pa.repeat(constant[column], batch.num_rows) if column in constant else batch.column(column)
                    for column in columns
                ]
                yield pa.RecordBatch.from_arrays(arrays, names=list(columns))


def _partition(folders: Sequence[str]) -> dict[str, str | None]:
    """`["month=2012-01"]` is `{"month": "2012-01"}`, escaped and with nulls as Hive and Spark write them."""
    from urllib.parse import unquote

    pairs = (folder.split("=", 1) for folder in folders if "=" in folder)
    return {name: None if value == "__HIVE_DEFAULT_PARTITION__" else unquote(value) for name, value in pairs}


# Progress ------------------------------------------------------------------------------------------------------------


def progress(what: str, done: int, total: int) -> None:
    """Tells the cluster how far the step is; it looks for exactly this line in the step's output."""
    print(f"[oneoff] {what} {done}/{total}", flush=True)


def collect(rdd: RDD, what: str, done: Callable[[], int] | None = None, estimate: int = 0) -> list[Any]:
    """`rdd.collect()` with a line of progress whenever tasks finish, in tasks (of an RDD without shuffles).

    Another progress, such as an accumulator of rows, is what `done` returns; `estimate` is what it may come to.
    When a task fails for good the program ends with exit code 1 and one line that says why.
    """
    from py4j.protocol import Py4JJavaError

    tracker = rdd.context.statusTracker()
    total = estimate if done else rdd.getNumPartitions()

    def finished() -> int:
        stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
        return max((stage.numCompletedTasks for stage in stages if stage), default=0)

    reported = 0
    progress(what, reported, total)
    with ThreadPoolExecutor(1) as thread:
        job = thread.submit(rdd.collect)
        while not wait([job], timeout=_POLL_SECONDS).done:
            now = done() if done else finished()
            if reported < now < total:
                reported = now
                progress(what, reported, total)
        try:
            rows = job.result()
        except Py4JJavaError as failure:
            sys.exit(f"{Path(sys.argv[0]).name}: error: {what}: {_why(failure.java_exception.getMessage())}")
    if done:
        total = done()
    progress(what, total, total)
    return rows


def _why(message: str) -> str:
    """What Spark's message has of the Python exception, or its own reason; the frames around it are in Spark's log."""
    head, *tracebacks = message.partition("\nDriver stacktrace:")[0].split("Traceback (most recent call last):\n")
    raised = [_raised(traceback.splitlines()) for traceback in tracebacks]
    if not raised:
        lines = [line for line in head.splitlines() if line.strip() and not line.startswith("\tat ")]
        return re.sub(r".*most recent failure: Lost task [^:]*: ", "", lines[0]) if lines else "Spark doesn't say why"
    caused = len(raised) > 1 and "\nThe above exception was the direct cause " in tracebacks[-2]
    return f"{raised[-1]}; caused by {raised[-2]}" if caused else raised[-1]


def _raised(traceback: Sequence[str]) -> str:
    """The exception below a traceback's frames, with the first lines of its message."""
    start = next((at for at, line in enumerate(traceback) if not line.startswith(" ")), 0)
    end = next((at for at, line in enumerate(traceback) if at > start and (not line or line.startswith("\t"))), None)
    return " ".join(" ".join(traceback[start:end][:3]).split())


# The end -------------------------------------------------------------------------------------------------------------

_ENDS_BEFORE = 10  # seconds before the deadline that what has no end of its own is to end


def end_asked_at(lake: str, run: str) -> str | None:
    """When somebody asked for a run's end, by `oneoff cancel`; None when nobody did, or it can't be told."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):  # a run must not fail for want of this
        if asked := _get(_join(lake, f"_cancels/{run}.json")):
            return str(json.loads(asked)["at"])
    return None


def asked_to_stop(lake: str, run: str) -> str | None:
    """Why a step without an end of its own is to end now; None when it may go on, or nothing can be told.

    Either somebody asked for it, by `oneoff cancel` (`<lake>/_cancels/<run>.json`), or the run's deadline has come, but
    for some seconds, which the step has to end in. A step that ends by itself then, with exit code 0, has succeeded.
    """
    if at := end_asked_at(lake, run):
        return f"its end was asked for at {at}"
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        deadline = json.loads(_get(_join(lake, f"_runs/{run}.json")) or b"{}").get("deadline")
        ends = deadline and datetime.fromisoformat(deadline.replace("Z", "+00:00"))
        if ends and ends.timestamp() - time.time() < _ENDS_BEFORE:
            return f"the run's deadline is {deadline}"
    return None


# Digests -------------------------------------------------------------------------------------------------------------


def digest(folder: str, columns: Sequence[str], see: See | None = None) -> tuple[int, str]:
    """Number of rows of the Parquet files below `folder`, and 128 bits in hexadecimal that equal rows have in common.

    The order of the rows and columns, the number of files and their compression make no difference. Doubles are equal
    when they agree in 9 significant digits, so that another summation order makes no difference either. It tells
    accidents, not forgeries: it is no cryptographic hash. see: is told of each part file before its rows are read.
    """
    import numpy as np

    rows, sums = 0, np.zeros(2, np.uint64)
    for batch in _batches(folder, columns, see):
        if batch.num_rows:
            rows += batch.num_rows
            sums += _hash_rows(batch).sum(axis=1)
    return rows, "".join(f"{half:016x}" for half in sums.tolist())


def _hash_rows(batch: pa.RecordBatch) -> np.ndarray:
    """Two unrelated 64-bit hashes of each row, as all hashes here: an array of 2 x the number of rows."""
    sums = _key("row")
    for name, array in zip(batch.schema.names, batch.columns):  # noqa: B905 - `strict` is not in Python 3.9
        sums = sums + _hash_column(array, name)
    return _mix(sums)


def _key(text: str) -> np.ndarray:
    import numpy as np

    return np.frombuffer(hashlib.blake2b(text.encode(), digest_size=16).digest(), "<u8").reshape(2, 1)


def _mix(values: np.ndarray) -> np.ndarray:
    """A permutation of the 64-bit integers that changes half of the bits for any change (the end of SplitMix64)."""
    import numpy as np

    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _hash_column(array: pa.Array, name: str) -> np.ndarray:
    """Hashes of each value with its column's name; a null is unlike any value."""
    import numpy as np
    import pyarrow as pa

    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    null = _key(f"{name}:null")
    if pa.types.is_null(array.type):
        return np.repeat(null, len(array), axis=1)
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        hashes = _hash_strings(array, _key(f"{name}:string"))
    elif pa.types.is_decimal(array.type):
        hashes = _hash_decimals(array, _key(f"{name}:decimal"))
    else:
        kind, codes = _codes(array)
        hashes = _mix(codes + _key(f"{name}:{kind}"))
    return np.where(array.is_valid().to_numpy(zero_copy_only=False), hashes, null) if array.null_count else hashes


def _codes(array: pa.Array) -> tuple[str, np.ndarray]:
    """The kind of the values, and an unsigned 64-bit integer that equal values of that kind have in common."""
    import pyarrow as pa

    kind = array.type
    if pa.types.is_floating(kind):
        return "double", _round_doubles(array.cast(pa.float64()).fill_null(0).to_numpy(zero_copy_only=False))
    if pa.types.is_integer(kind):
        name = "integer"
    elif pa.types.is_boolean(kind):
        name = "boolean"
    elif pa.types.is_timestamp(kind):
        name, array = "timestamp", array.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.int64())
    elif pa.types.is_date(kind):
        name, array = "date", array.cast(pa.date32()).cast(pa.int32())
    else:
        raise ValueError(f"a column of type {kind} cannot be in a table of the lake")
    if not pa.types.is_uint64(array.type):
        array = array.cast(pa.int64())
    return name, array.fill_null(0).to_numpy(zero_copy_only=False).view("uint64")


def _round_doubles(values: np.ndarray) -> np.ndarray:
    """Sign, 9 significant decimal digits and exponent of each value, packed into 64 bits."""
    import numpy as np

    regular = np.isfinite(values) & (values != 0)
    magnitude = np.where(regular, np.abs(values), 1.0)
    exponent = np.floor(np.log10(magnitude)).astype(np.int64)
    # One power of ten would leave the range of a double for the smallest and largest values; two halves do not.
    half = (8 - exponent) // 2
    power = np.array([float(f"1e{n}") for n in range(-170, 171)])
    digits = np.rint(magnitude * power[half + 170] * power[8 - exponent - half + 170])
    # 999999999.7 rounds to ten digits, and log10 can be just short of a whole number.
    carried = digits >= 1e9
    digits = np.where(carried, 1e8, digits).astype(np.uint64)
    exponent = (exponent + carried + 400).astype(np.uint64)
    sign = (values < 0).astype(np.uint64)
    codes = sign << np.uint64(63) | digits << np.uint64(11) | exponent
    return np.where(regular, codes, np.where(np.isnan(values), np.uint64(1), np.isinf(values) * (sign + np.uint64(2))))


def _hash_decimals(array: pa.Array, key: np.ndarray) -> np.ndarray:
    """Hashes of exact numbers: 1.5 is 1.50, however many digits there are room for."""
    import numpy as np
    import pyarrow as pa

    widest = array.cast(pa.decimal128(38, 9))  # whatever core/table.ts has columns hold
    _, buffer = widest.buffers()
    halves = np.frombuffer(buffer, "<u8").reshape(-1, 2)[widest.offset : widest.offset + len(widest)]
    return _mix(_mix(halves[:, 0] + key) + halves[:, 1])


def _hash_strings(array: pa.Array, key: np.ndarray) -> np.ndarray:
    """Hashes of all bytes of each string, 8 at a time."""
    import numpy as np
    import pyarrow as pa

    _, offset_buffer, byte_buffer = array.cast(pa.large_string()).buffers()
    offsets = np.frombuffer(offset_buffer, np.int64)[array.offset : array.offset + len(array) + 1]
    text = np.frombuffer(byte_buffer or b"", np.uint8)[offsets[0] : offsets[-1]]
    padded = np.concatenate([text, np.zeros(8, np.uint8)])
    words_at = np.ndarray(len(padded) - 7, "<u8", padded, strides=(1,))

    length = np.diff(offsets)
    words = length // 8 + 1
    first = np.cumsum(words) - words
    owner = np.repeat(np.arange(len(length)), words)
    position = np.arange(len(owner)) - first[owner]
    keep = np.array([(1 << 8 * n) - 1 for n in range(9)], np.uint64)  # bytes of a word that are the string's own
    word = words_at[(offsets[:-1] - offsets[0])[owner] + 8 * position]
    word &= keep[np.minimum(length[owner] - 8 * position, 8)]
    # Without its length "a" and "a\0" would be alike, without the position "12345678abcdefgh" and its halves swapped.
    place = _mix((length[owner] << 32 | position).view(np.uint64) ^ key)
    return np.add.reduceat(_mix(word ^ place), first, axis=1)
