"""The store of job streaming-regression, against a stand-in that does wrong what real ones do."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import streaming_store
from streaming_records import Delivered
from streaming_store import Store, StoreAwayError, StoreError, StorePlace
from streaming_support import BEGIN, check_whole, engine, record, stream, table

INDEX = "streaming-regression"


class StoreServer(http.server.ThreadingHTTPServer):
    """Keeps documents by name. `script` has what it does with the next requests for `_bulk` before it is good again."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), StoreHandler)
        self.documents: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.logins: set[str | None] = set()
        self.script: list[Callable[[StoreHandler, list[Any]], tuple[int, Any]]] = []
        self.prepares: dict[str, tuple[int, Any]] = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def place(self) -> StorePlace:
        return StorePlace(f"http://127.0.0.1:{self.server_port}", INDEX, "r1", 2)


class StoreHandler(http.server.BaseHTTPRequestHandler):
    server: StoreServer
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = self.body()
        self.server.asked.append(f"PUT {self.path}")
        if self.path.startswith("/_index_template/"):
            assert set(body) == {"index_patterns", "priority", "template"}
        self.answer(*self.server.prepares.get(self.path, (200, {"acknowledged": True})))

    def do_POST(self) -> None:
        lines = self.body(lines=True)
        self.server.asked.append(f"POST {self.path}")
        self.server.logins.add(self.headers["Authorization"])
        if self.server.script:
            self.answer(*self.server.script.pop(0)(self, lines))
        else:
            self.answer(200, take(self, lines))

    def body(self, *, lines: bool = False) -> Any:  # noqa: ANN401 - JSON
        content = self.rfile.read(int(self.headers["Content-Length"]))
        return [json.loads(line) for line in content.splitlines()] if lines else json.loads(content)

    def answer(self, status: int, content: object) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(OSError):  # whoever asked has gone
            self.wfile.write(data)

    def log_message(self, *_: object) -> None: ...


def take(
    handler: StoreHandler, lines: list[Any], refuse: Callable[[int], dict[str, Any] | None] = lambda _: None
) -> Any:  # noqa: ANN401
    """As `_bulk` does. refuse: of which document, by its number, it says what instead of taking it."""
    items = []
    for number, (action, document) in enumerate(zip(lines[::2], lines[1::2], strict=True)):
        name = action["index"]["_id"]
        told = refuse(number)
        if told is None:
            handler.server.documents[name] = document
        items.append({"index": {"_id": name, "status": 201, **(told or {})}})
    return {"took": 1, "errors": any("error" in item["index"] for item in items), "items": items}


@pytest.fixture
def server() -> Iterator[StoreServer]:
    with StoreServer() as one:
        yield one
        one.shutdown()


class Time:
    """Goes on by what is slept."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def store(server: StoreServer, time: Time | None = None, **more: object) -> Store:
    time = time or Time()
    return Store(server.place._replace(**more), time, time.sleep)


def names(records: list[Delivered]) -> set[str]:
    return {f"{one.topic}-{one.partition}-{one.offset}" for one in records}


def test_each_record_is_a_document_that_equals_the_lakes_row(tmp_path: Path, server: StoreServer) -> None:
    records = stream(100)
    one = engine(tmp_path, more=[store(server)])
    one.batch(records[:60])
    one.batch(records[50:])
    one.end()
    assert server.asked[:2] == [f"PUT /_index_template/{INDEX}", f"PUT /{INDEX}"]
    assert set(server.documents) == names(records)
    check_whole(tmp_path, records)
    for name in ("predictions", "rejected"):
        for row in table(tmp_path, name):
            row["event_time"] = round(1000 * row["event_time"].timestamp())
            document = server.documents["{topic}-{kafka_partition}-{kafka_offset}".format(**row)]
            assert document == {"run": "r1", **row}
            assert set(document) <= set(streaming_store.properties(2))


def test_what_the_topic_lost_is_a_document_too(tmp_path: Path, server: StoreServer) -> None:
    one = engine(tmp_path, more=[store(server)])
    one.lose("train", 0, 1, 10)
    assert server.documents["train-0-1"]["reason"] == "lost"


def no_item(handler: StoreHandler, lines: list[Any]) -> tuple[int, Any]:
    answer = take(handler, lines)
    return 200, {**answer, "items": answer["items"][1:]}


def torn(handler: StoreHandler, lines: list[Any]) -> tuple[int, Any]:
    take(handler, lines)
    handler.close_connection = True
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"errors": false')
    return 200, b""


def busy(number: int) -> dict[str, Any] | None:
    return {"status": 429, "error": {"type": "es_rejected_execution_exception"}} if number == 1 else None


@pytest.mark.parametrize(
    "wrong",
    [
        lambda *_: (503, {"error": "no master"}),
        lambda *_: (429, {}),
        lambda *_: (200, b"<html>"),
        lambda *_: (200, []),
        lambda *_: (200, {"errors": False}),
        lambda handler, lines: (200, take(handler, lines, busy)),
        lambda handler, lines: (200, {**take(handler, lines), "errors": True}),
        no_item,
        torn,
    ],
    ids=[
        "503",
        "429",
        "no JSON",
        "no object",
        "no items",
        "an item is busy",
        "errors alone",
        "an item missing",
        "torn",
    ],
)
def test_what_was_not_taken_is_sent_again(
    wrong: Callable[[StoreHandler, list[Any]], tuple[int, Any]], tmp_path: Path, server: StoreServer
) -> None:
    records, time = stream(30), Time()
    one = engine(tmp_path, more=[store(server, time)])
    server.script = [wrong, wrong]
    one.batch(records)
    one.end()
    assert time.slept == [0.25, 0.5]
    assert server.asked.count(f"POST /{INDEX}/_bulk") == 3
    assert set(server.documents) == names(records)
    check_whole(tmp_path, records)


def test_a_store_that_stays_away_stops_the_batch_and_skips_nothing(tmp_path: Path, server: StoreServer) -> None:
    records, time = stream(60), Time()
    one = engine(tmp_path, more=[store(server, time)])
    one.batch(records[:30])
    server.script = [lambda *_: (503, {})] * 1000
    with pytest.raises(
        StoreAwayError, match=r"could not be had for 30 s \(503 Service Unavailable\): start it, or give"
    ):
        one.batch(records[30:])
    assert 25 <= time.now <= 30
    assert one.state.batch == 2
    server.script = []
    two = engine(tmp_path, more=[store(server)])
    assert two.state.batch == 1
    two.batch(records)
    two.end()
    assert set(server.documents) == names(records)
    check_whole(tmp_path, records)


def test_nobody_is_there(server: StoreServer) -> None:
    with pytest.raises(StoreAwayError, match=r"127\.0\.0\.1:9 could not be had for 30 s \(.*refused\)"):
        store(server, address="http://127.0.0.1:9")


def test_a_document_that_is_refused_ends_it_at_once(tmp_path: Path, server: StoreServer) -> None:
    def never(number: int) -> dict[str, Any] | None:
        error = {"type": "strict_dynamic_mapping_exception", "reason": "introduction of [x3]"}
        return {"status": 400, "error": error} if number in (3, 4) else None

    time = Time()
    one = engine(tmp_path, more=[store(server, time)])
    server.script = [lambda handler, lines: (200, {**take(handler, lines, never), "errors": False})]
    told = r"refuses 2 of 30 documents, the first of them \S+ \(400, strict\S+: introduction of \[x3\]\): give another"
    with pytest.raises(StoreError, match=told):
        one.batch(stream(30))
    assert time.slept == []
    assert not (tmp_path / "state/state.json").exists()


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (401, f"answers 401 to POST /{INDEX}/_bulk, a: b: give the store's user and password, secret store-login"),
        (403, "take a user who may manage index templates, and create, manage and write index streaming-regression"),
        (413, "have it take requests of 4 MB"),
        (404, "give another index, storeIndex, or another store, store"),
        (302, "answers 302"),
    ],
)
def test_an_answer_that_will_stay_so_ends_it_at_once(
    status: int, told: str, tmp_path: Path, server: StoreServer
) -> None:
    one = engine(tmp_path, more=[store(server)])
    server.script = [lambda *_: (status, {"error": {"type": "a", "reason": "b"}})]
    with pytest.raises(StoreError) as problem:
        one.batch(stream(5))
    assert told in str(problem.value)


def test_an_index_that_is_there_gets_the_fields_and_one_that_cannot_is_refused(server: StoreServer) -> None:
    there = {"error": {"type": "resource_already_exists_exception", "reason": "it exists"}}
    server.prepares[f"/{INDEX}"] = (400, there)
    store(server)
    assert server.asked[-1] == f"PUT /{INDEX}/_mapping"
    wrong = {"error": {"type": "illegal_argument_exception", "reason": "mapper [y] cannot be changed"}}
    server.prepares[f"/{INDEX}/_mapping"] = (400, wrong)
    with pytest.raises(StoreError, match=r"mapper \[y\] cannot be changed: give another index"):
        store(server)


def test_requests_are_cut_to_size(tmp_path: Path, server: StoreServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming_store, "MOST_BYTES", 1000)
    one = engine(tmp_path, more=[store(server)])
    records = stream(30)
    one.batch(records)
    assert server.asked.count(f"POST /{INDEX}/_bulk") >= 8
    assert set(server.documents) == names(records)
    one.batch([Delivered("train", 0, 99, BEGIN, record(0)[:-1] + b" " * 5000)])
    assert "train-0-99" in server.documents


def test_a_login_is_sent_and_comes_from_a_file(tmp_path: Path, server: StoreServer) -> None:
    file = tmp_path / "login"
    file.write_text("user:pass:word\n")
    one = engine(tmp_path, more=[store(server, login=streaming_store.read_login(str(file)))])
    one.batch(stream(5))
    assert server.logins == {"Basic dXNlcjpwYXNzOndvcmQ="}
    for wrong in ("nobody", "a:b\nc:d"):
        file.write_text(wrong)
        with pytest.raises(StoreError, match="secret store-login is not USER:PASSWORD in one line"):
            streaming_store.read_login(str(file))


def test_certificates_that_are_none_are_refused(tmp_path: Path, server: StoreServer) -> None:
    ca = tmp_path / "ca.pem"
    for content in (None, "no PEM"):
        if content:
            ca.write_text(content)
        with pytest.raises(StoreError, match=r"ca\.pem has no certificates \(.*\): give PEM, storeCa"):
            store(server, address="https://127.0.0.1:9", ca=ca)
