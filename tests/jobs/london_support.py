"""For tests of job london-power: the first steps as modules, Spark in this process, servers that the steps talk to."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from conftest import JOBS, ROOT

LONDON = JOBS / "london-power"
sys.path.append(str(LONDON))
# As London publishes them today; ACORN and what follows it stood in every line at first.
HEADER_TODAY = "LCLid,stdorToU,DateTime,KWH/hh (per half hour) "
ROW_TODAY = "MAC000002,Std,2012-10-12 00:30:00.0000000, 0.25 "
HEADER, ROW = f"{HEADER_TODAY},Acorn,Acorn_grouped", f"{ROW_TODAY},ACORN-A,Affluent"


def load(name: str) -> ModuleType:
    """A step's script as module `london_<name>`: job xo has a `generate` too."""
    module = f"london_{name}"
    if module not in sys.modules:
        spec = importlib.util.spec_from_file_location(module, LONDON / f"{name}.py")
        assert spec and spec.loader
        sys.modules[module] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[module])
    return sys.modules[module]


def write_twin(twin: tuple[object, ...], folder: Path) -> None:
    """The files of a twin, without Spark."""
    generate = load("generate")
    for n in range(len(generate.files(twin))):
        generate.write(twin, n, str(folder), None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# HDFS ----------------------------------------------------------------------------------------------------------------


class Hdfs:
    """WebHDFS as far as the steps need it: a namenode that sends clients on to a datanode, and files in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.fail_reads = False  # of the datanode
        hdfs = self

        class Handler(_HdfsHandler):
            store = hdfs

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"webhdfs://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def below(self, folder: str) -> list[str]:
        return sorted(path for path in self.files if path.startswith(f"{folder.rstrip('/')}/"))


class _HdfsHandler(BaseHTTPRequestHandler):
    store: Hdfs
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    do_PUT = do_GET
    do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = dict(parse_qsl(url.query))
        self.store.requests.append(f"{self.command} {query.get('op')}")
        if url.path.startswith("/webhdfs/v1"):
            self._namenode(unquote(url.path.removeprefix("/webhdfs/v1")), query)
        else:
            self._datanode(unquote(url.path.removeprefix("/datanode")), query, body)

    def _namenode(self, path: str, query: dict[str, str]) -> None:
        files = self.store.files
        op = f"{self.command} {query['op']}"
        assert query["user.name"]
        if op in ("PUT CREATE", "GET OPEN"):
            if op == "GET OPEN" and path not in files:
                self._missing(path)
                return
            host = self.headers["Host"]
            self._send(307, b"", {"Location": f"http://{host}/datanode{self.path.removeprefix('/webhdfs/v1')}"})
        elif op == "PUT RENAME":
            if query["destination"] in files and query.get("renameoptions") != "OVERWRITE":
                self._json({"boolean": False})
                return
            files[query["destination"]] = files.pop(path)
            self._send(200, b"")
        elif op == "GET GETFILESTATUS":
            status = self._status(path)
            self._json({"FileStatus": status}) if status else self._missing(path)
        elif op == "GET LISTSTATUS":
            names = {file[len(path.rstrip("/")) + 1 :].split("/")[0] for file in self.store.below(path)}
            statuses = [{**(self._status(f"{path.rstrip('/')}/{name}") or {}), "pathSuffix": name} for name in names]
            self._json({"FileStatuses": {"FileStatus": statuses}}) if names else self._missing(path)
        else:
            raise AssertionError(op)

    def _status(self, path: str) -> dict[str, Any] | None:
        if path in self.store.files:
            return {"type": "FILE", "length": len(self.store.files[path]), "modificationTime": 0, "pathSuffix": ""}
        return {"type": "DIRECTORY", "length": 0, "modificationTime": 0} if self.store.below(path) else None

    def _datanode(self, path: str, query: dict[str, str], body: bytes) -> None:
        if query["op"] == "CREATE":
            self.store.files[path] = body
            self._send(201, b"")
        elif self.store.fail_reads:
            self._json({"RemoteException": {"exception": "IOException", "message": "no block"}}, 403)
        else:
            first = int(query["offset"])
            self._send(200, self.store.files[path][first : first + int(query["length"])])

    def _missing(self, path: str) -> None:
        message = f"File does not exist: {path}"
        self._json({"RemoteException": {"exception": "FileNotFoundException", "message": message}}, 404)

    def _json(self, content: object, code: int = 200) -> None:
        self._send(code, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _send(self, code: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


# MongoDB -------------------------------------------------------------------------------------------------------------


class Mongo:
    """FerretDB, which speaks MongoDB's protocol, as a server that can be killed and started again."""

    PASSWORD = "s3cret-word"

    def __init__(self, folder: Path) -> None:
        self._program = folder / "mongo"
        self._folder = folder
        # As for the stack's image: Go keeps what it has built, so that this takes a second when it was done before.
        build = ["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", self._program, "."]
        subprocess.run(build, cwd=ROOT / "tests" / "swarm" / "ferretdb", env=_go(), check=True)
        for name in ("data", "secrets"):
            (folder / name).mkdir()
        for user in ("mongo-root-password", "mongo-password"):
            (folder / "secrets" / user).write_text(self.PASSWORD)
        self.host = f"127.0.0.1:{free_port()}"
        self.uri = f"mongodb://oneoff:{self.PASSWORD}@{self.host}/power?authSource=power"
        self.uri_file = folder / "uri"
        self.uri_file.write_text(f"{self.uri}\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        folders = [f"--{name}={self._folder / name}" for name in ("data", "secrets")]
        self._process = subprocess.Popen([self._program, "--listen", self.host, *folders], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", int(self.host.split(":")[1]))) == 0:
                    return
            assert self._process.poll() is None, "FerretDB has ended"
            time.sleep(0.05)
        raise AssertionError("FerretDB does not listen")

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    @contextmanager
    def database(self) -> Iterator[Any]:
        from pymongo import MongoClient

        with MongoClient(self.uri) as client:
            yield client.get_default_database()


def _go() -> dict[str, str]:
    return {**os.environ, "CGO_ENABLED": "0"}


# Spark ---------------------------------------------------------------------------------------------------------------


@contextmanager
def spark_here() -> Iterator[Any]:
    """A session on two cores of this process, whose workers find the modules of the steps."""
    from pyspark import cloudpickle
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.legacy.timeParserPolicy": "CORRECTED",  # or the 30th of February is an error of the whole job
    }
    # A worker has no module convert of that name; of a script that is submitted, Spark sends the functions too. What
    # tests change in the others is to reach the workers.
    by_value = [
        load("convert"),
        *(importlib.import_module(name) for name in ("london_input", "london_load", "london_mongo")),
    ]
    for module in by_value:
        cloudpickle.register_pickle_by_value(module)
    with SparkSession.builder.master("local[2]").config(map=settings).getOrCreate() as session:
        session.sparkContext.setLogLevel("OFF")
        for name in ("oneoff", "lcl"):
            session.sparkContext.addPyFile(str(importlib.import_module(name).__file__))
        yield session
    for module in by_value:
        cloudpickle.unregister_pickle_by_value(module)
