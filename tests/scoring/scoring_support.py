"""For tests of scoring: flows, networks, and the service."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import networks
import networks_onnx
import nids_data
import nids_layouts as layouts
import nids_twin
import numpy as np
import oneoff
import pyarrow as pa
from nids_arrays import arrays
from scoring_answers import Counts
from scoring_model import Candidate, Door
from scoring_server import Server

SCRIPT = Path(__file__).resolve().parents[2] / "assets" / "scoring" / "score.py"
COLUMNS = layouts.UNSW_NUMBERS
Row = dict[str, Any]


@cache
def flows(number: int = 1_000) -> pa.Table:
    """Rows of table `flows`."""
    return nids_twin.tables(nids_twin.Twin(7, number, 0.3), 0, -(-number // nids_twin.BLOCK))[0]


def train(seed: int) -> Row:
    """A row of `networks`, as step train of job nids leaves it."""
    table = flows(3_000)
    half = table.num_rows // 2
    learnt, held = (
        nids_data.Flows(*arrays(part, COLUMNS), np.array(part["family"].to_pylist(), str))
        for part in (table.slice(0, half), table.slice(half))
    )
    data = nids_data.Data(learnt, held, None, list(COLUMNS), layouts.MADE_UP)
    network = networks.learn_labels(learnt, held, [8], 3, seed)
    return networks_onnx.file_row(network, held, data.inputs, layouts.licence(data.origin), 1.0)


def candidate(row: Row, **other: Any) -> Candidate:  # noqa: ANN401
    """A row, with something else in it."""
    return Candidate.of_row({**row, **other}, "1")


def with_file(row: Row, file: bytes) -> Row:
    """A row whose file is another one, of which all is said that there is to say."""
    return {**row, "onnx": base64.b64encode(file).decode(), "sha256": hashlib.sha256(file).hexdigest()}


# Lines ---------------------------------------------------------------------------------------------------------------


def json_line(row: Row) -> bytes:
    """A flow as JSON."""
    told = {name: value for name, value in row.items() if value is not None and name not in ("time", "part", "origin")}
    return json.dumps(told).encode()


def csv_line(row: Row, layout: layouts.Layout = layouts.UNSW_WHOLE, **other: str) -> bytes:
    """A flow as that layout has it."""
    fields = []
    for field in layout.fields:
        value = other.get(field.name, row.get(field.to) if field.to else None)
        if field.kind == layouts.SECONDS and field.name not in other:
            value = int(row["time"].timestamp())
        elif field.kind == layouts.FAMILY and layout.origin == layouts.UNSW and field.name not in other:
            value = ""
        fields.append("0" if value is None else repr(value) if isinstance(value, float) else str(value))
    return ",".join(fields).encode()


def csv_lines(number: int) -> list[bytes]:
    """So many flows of UNSW-NB15's whole set."""
    return [csv_line(row) for row in flows(1_000).slice(0, number).to_pylist()]


# Networks where they are looked for ----------------------------------------------------------------------------------


def leave_run(lake: Path, run: str, row: Row, ended: str, state: str = "succeeded", **more: object) -> None:
    """A run in a lake, with one network."""
    oneoff.write_part(pa.Table.from_pylist([row]), str(lake / "networks" / f"run={run}"), row["model"])
    record = {"run": run, "state": state, "ended": ended, "tables": {"networks": {"rows": 1, "digest": "x"}}, **more}
    oneoff.put(str(lake / "_runs" / f"{run}.json"), json.dumps(record).encode())


def leave_folder(folder: Path, row: Row) -> None:
    """model.onnx first, then what is said of it."""
    about = {name: value for name, value in row.items() if name != "onnx"}
    oneoff.put(str(folder / "model.onnx"), base64.b64decode(row["onnx"]))
    oneoff.put(str(folder / "model.json"), json.dumps(about).encode())


# The service ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def lines(self) -> list[Row]:
        return [json.loads(line) for line in self.body.splitlines()]


@dataclass(frozen=True)
class Served:
    """The service in this process."""

    server: Server
    door: Door
    counts: Counts
    said: list[str]

    @property
    def port(self) -> int:
        return self.server.server_address[1]

    def ask(self, path: str, body: bytes | None = None, method: str | None = None, **headers: str) -> Answer:
        return ask(self.port, path, body, method, **headers)


def ask(port: int, path: str, body: bytes | None = None, method: str | None = None, **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method or ("GET" if body is None else "POST"), path, body, sent)
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


def wait_for(what: Callable[[], Any], seconds: float = 30) -> Any:  # noqa: ANN401
    """What it returns at last."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"{seconds} seconds were not enough"
        time.sleep(0.05)
    return found


@dataclass(frozen=True)
class Started:
    """The service as a process."""

    process: subprocess.Popen[str]
    port: int
    log: Path

    def state(self) -> Row:
        return json.loads(ask(self.port, "/state").body)


@contextmanager
def started(log: Path, *arguments: str) -> Iterator[Started]:
    """score.py, until it is asked to stop."""
    command = [sys.executable, str(SCRIPT), "--port", "0", "--look", "0.2", *arguments]
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, "PYTHONPATH": ""}, text=True)
    try:
        page = wait_for(lambda: next((line for line in log.read_text().splitlines() if "page:" in line), None))
        yield Started(process, int(page.rstrip("/").rpartition(":")[2]), log)
    finally:
        process.terminate()
        process.wait(30)
