"""What stands in for HDFS, a Spark master and a Jupyter server, and calls of the fleet's scripts."""

from __future__ import annotations

import hashlib
import http.server
import importlib
import io
import json
import sys
import tarfile
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import fleet_hdfs
import pytest

BLOCK = 1 << 20
PIECE = 4096
HEADER = "X-XSRF-HEADER"
# As HDFS 3.4.2 says it.
SHORT = (
    " Under replicated BP-1-127.0.0.1-2:blk_1073741825_1001. Target Replicas is {} but found {} live replica(s), "
    "0 decommissioned replica(s), 0 decommissioning replica(s).\n"
)


class Called(NamedTuple):
    """How a script ended, and what it printed."""

    code: int
    out: str
    err: str


def call(capsys: pytest.CaptureFixture[str], script: str, *arguments: object) -> Called:
    """Runs a script as its command line would."""
    module = importlib.import_module(script)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [script, *map(str, arguments)])
        code = 0
        try:
            fleet_hdfs.run({"hdfs_nodes": "hdfs"}.get(script, script), module.main)
        except SystemExit as end:
            code = int(end.code or 0)
    out, err = capsys.readouterr()
    return Called(code, out, err)


@contextmanager
def serving(answer: Callable[[http.server.BaseHTTPRequestHandler, bytes], None]) -> Iterator[str]:
    """An HTTP server of its own; HOST:PORT."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer in one piece, which nobody waits to acknowledge

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer(self, body)

        do_GET = do_PUT = do_POST = do_DELETE = handle_any

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def say(handler: http.server.BaseHTTPRequestHandler, found: object, status: int = 200) -> None:
    """JSON, or bytes as they are."""
    body = found if isinstance(found, bytes) else json.dumps(found).encode()
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


# HDFS -----------------------------------------------------------------------------------------------------------------


def live(port: int, **other: object) -> dict[str, Any]:
    """A live data node, as the namenode tells of it."""
    return {
        "xferaddr": f"127.0.0.{port % 250 + 1}:{port}",
        "infoAddr": f"127.0.0.1:{port + 1}",
        "adminState": "In Service",
        "usedSpace": 1000,
        "capacity": 10**12,
        "remaining": 10**11,
        "numBlocks": 3,
        "lastContact": 1,
        **other,
    }


class FakeHdfs:
    """A namenode and its data node in one, with files in memory; None is a folder."""

    def __init__(self) -> None:
        """Empty."""
        self.tree: dict[str, bytes | None] = {"/": None}
        self.ids: dict[str, int] = {}
        self.live: dict[str, dict[str, Any]] = {"a": live(9866)}
        self.dead: dict[str, dict[str, Any]] = {}
        self.leaving: dict[str, dict[str, Any]] = {}
        self.safemode = ""
        self.blocks = {"MissingBlocks": 0, "LowRedundancyBlocks": 0, "PendingReconstructionBlocks": 0}
        self.short: list[tuple[int, int]] = []
        self.replication = 2
        self.heap_mebibytes = 192.0
        self.algorithm = f"MD5-of-0MD5-of-{PIECE}CRC32"
        self.created: list[str] = []
        self.spoil: Callable[[str, bytes], bytes | None] = lambda _, data: data
        self.lock = threading.Lock()
        self.place = ""

    def files(self, below: str = "/") -> dict[str, bytes | None]:
        """What is there, by path."""
        return {path: data for path, data in self.tree.items() if path.startswith(below) and path != "/"}

    def answer(self, handler: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
        """Any request."""
        parts = urlsplit(handler.path)
        query = {key: value[0] for key, value in parse_qs(parts.query).items()}
        if parts.path == "/jmx":
            return say(handler, {"beans": [self.bean(query["qry"].rpartition("=")[2])]})
        if parts.path == "/fsck":
            return say(handler, "".join(f"/f: {SHORT.format(*each)}" for each in self.short).encode())
        path = unquote(parts.path).removeprefix("/webhdfs/v1") or "/"
        assert query["user.name"] == "oneoff"
        assert handler.command == "GET" or handler.headers[HEADER], "the header that a browser can't send"
        with self.lock:
            try:
                say(handler, *getattr(self, query["op"].lower())(path, query, body))
            except FileNotFoundError as error:
                said = {"exception": "FileNotFoundException", "message": str(error)}
                say(handler, {"RemoteException": said}, 404)

    def bean(self, name: str) -> dict[str, Any]:
        """What the namenode tells of itself."""
        if name == "FSNamesystem":
            return {**self.blocks, "FilesTotal": len(self.tree), "BlocksTotal": 0}
        if name == "JvmMetrics":
            return {"MemHeapMaxM": self.heap_mebibytes}
        return {
            "Safemode": self.safemode,
            "Used": 1,
            "Total": 2,
            "LiveNodes": json.dumps(self.live),
            "DeadNodes": json.dumps(self.dead),
            "DecomNodes": json.dumps(self.leaving),
        }

    def redirect(self, path: str, query: dict[str, str]) -> tuple[object, ...]:
        """Where a data node is: here."""
        rest = "&".join(f"{key}={value}" for key, value in query.items() if key != "noredirect")
        place = path.replace("%", "%25").replace(" ", "%20")  # and what is not ASCII as it is
        return ({"Location": f"http://{self.place}/webhdfs/v1{place}?{rest}&at=node"},)

    def file(self, path: str) -> bytes:
        """A file's content."""
        data = self.tree.get(path)
        if data is None:
            raise FileNotFoundError(path)
        return data

    def told(self, path: str, name: str = "") -> dict[str, Any]:
        """Of a path."""
        data = self.tree[path]
        kind = "DIRECTORY" if data is None else "FILE"
        number = self.ids.setdefault(path, len(self.ids))
        return {"pathSuffix": name, "type": kind, "length": len(data or b""), "fileId": number}

    def getserverdefaults(self, *_: object) -> tuple[object, ...]:
        return ({"FsServerDefaults": {"replication": self.replication, "blockSize": BLOCK, "bytesPerChecksum": PIECE}},)

    def getfilestatus(self, path: str, *_: object) -> tuple[object, ...]:
        if path not in self.tree:
            raise FileNotFoundError(path)
        return ({"FileStatus": self.told(path)},)

    def liststatus(self, path: str, *_: object) -> tuple[object, ...]:
        if path not in self.tree:
            raise FileNotFoundError(path)
        above = path.rstrip("/") + "/"
        names = {each: each[len(above) :] for each in self.tree if each.startswith(above) and each != "/"}
        found = [self.told(each, name) for each, name in names.items() if "/" not in name]
        return ({"FileStatuses": {"FileStatus": found}},)

    def mkdirs(self, path: str, *_: object) -> tuple[object, ...]:
        while path != "/":
            self.tree.setdefault(path, None)
            path = path.rpartition("/")[0] or "/"
        return ({"boolean": True},)

    def rename(self, path: str, query: dict[str, str], _: bytes) -> tuple[object, ...]:
        to = query["destination"]
        if path not in self.tree or (to.rpartition("/")[0] or "/") not in self.tree:
            raise FileNotFoundError(path)
        if to in self.tree and query["renameoptions"] != "OVERWRITE":
            return {"RemoteException": {"exception": "FileAlreadyExistsException", "message": f"{to} is there"}}, 403
        for each in [each for each in self.tree if each == path or each.startswith(f"{path}/")]:
            self.tree[to + each[len(path) :]] = self.tree.pop(each)
            self.ids[to + each[len(path) :]] = self.ids.pop(each, len(self.ids))
        return ({},)

    def delete(self, path: str, *_: object) -> tuple[object, ...]:
        gone = [each for each in self.tree if each == path or each.startswith(f"{path}/")]
        for each in gone:
            del self.tree[each]
        return ({"boolean": bool(gone)},)

    def create(self, path: str, query: dict[str, str], body: bytes) -> tuple[object, ...]:
        if "at" not in query:
            return self.redirect(path, query)
        if path.rpartition("/")[0] not in self.tree:
            raise FileNotFoundError(path)
        kept = self.spoil(path, body)
        if kept is None:
            return {"RemoteException": {"exception": "IOException", "message": "the disk is broken"}}, 500
        self.tree[path] = kept
        self.created.append(path)
        return b"", 201

    def open(self, path: str, query: dict[str, str], _: bytes) -> tuple[object, ...]:
        data = self.file(path)
        return (data,) if "at" in query else self.redirect(path, query)

    def getfilechecksum(self, path: str, query: dict[str, str], _: bytes) -> tuple[object, ...]:
        data = self.file(path)
        if "at" not in query:
            return self.redirect(path, query)
        found = checksum_of(data)
        return ({"FileChecksum": {"algorithm": self.algorithm, "bytes": "0" * 24 + found, "length": 28}},)


def checksum_of(data: bytes) -> str:
    """A file's checksum, word by word as HDFS has it, of at most two blocks."""
    blocks = [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)]
    sums = b""
    for block in blocks:
        pieces = [block[at : at + PIECE] for at in range(0, len(block), PIECE)]
        sums += hashlib.md5(b"".join(zlib.crc32(piece).to_bytes(4, "big") for piece in pieces)).digest()
    return hashlib.md5(sums.ljust(32, b"\0")).hexdigest()


@contextmanager
def fake_hdfs() -> Iterator[FakeHdfs]:
    """One that serves."""
    hdfs = FakeHdfs()
    with serving(hdfs.answer) as place:
        hdfs.place = place
        yield hdfs


# Archives -------------------------------------------------------------------------------------------------------------


def tgz(*members: tuple[str, bytes | str | None] | tarfile.TarInfo) -> bytes:
    """A gzipped tar of files, folders (None), and members made by hand."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
                continue
            name, content = member
            info = tarfile.TarInfo(name)
            if content is None:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
                continue
            data = content.encode() if isinstance(content, str) else content
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    """A member that is neither a file nor a folder."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info
