"""The service: its pages, flows that are sent to it, and what nobody should send."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path

import pytest
import scoring_answers
import scoring_server
from scoring_support import Row, Served, csv_lines, json_line, leave_run, wait_for

LINES = csv_lines(100)


def test_before_there_is_a_model(served: Served) -> None:
    assert served.ask("/healthz").body == b"ok\n"
    assert json.loads(served.ask("/version").body) == {"model": None, "refused": None}
    answer = served.ask("/flows", LINES[0])
    assert (answer.status, json.loads(answer.body)) == (503, {"error": "There is no model yet."})
    assert answer.headers["retry-after"] == "1"
    state = json.loads(served.ask("/state").body)
    assert (state["model"], state["flows"], state["times"]) == (None, 0, [])
    assert state["place"].endswith("/lake/networks")


def test_flows_are_answered_in_order(served: Served, rows: list[Row]) -> None:
    served.door.look()
    answer = served.ask("/flows", b"\n".join([*LINES[:3], b"bad", LINES[3], b""]))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson")
    assert answer.headers["oneoff-model"] == rows[0]["sha256"]
    assert [list(line) for line in answer.lines] == [["score", "alarm", "family"]] * 3 + [["line", "error"]] + [
        ["score", "alarm", "family"]
    ]
    assert answer.lines[3]["line"] == 4
    assert served.ask("/flows", b"").body == b""
    version = json.loads(served.ask("/version").body)["model"]
    assert (version["name"], version["run"], version["sha256"]) == ("classifier", "1", rows[0]["sha256"])
    metrics = served.ask("/metrics").body.decode()
    assert "oneoff_scoring_flows_total 4\n" in metrics and "oneoff_scoring_faults_total 1\n" in metrics
    labels = f'{{model="classifier",run="1",sha256="{rows[0]["sha256"]}"}}'
    assert f"oneoff_scoring_model_info{labels} 1\n" in metrics


def test_the_page_comes_with_what_it_loads_and_nothing_from_elsewhere(served: Served) -> None:
    for path, kind in (
        ("/", "text/html"),
        ("/page.js", "text/javascript"),
        ("/page.css", "text/css"),
        ("/icon.svg", "image"),
    ):
        answer = served.ask(path)
        assert answer.status == 200 and answer.headers["content-type"].startswith(kind)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert b"https://" not in answer.body
        head = served.ask(path, method="HEAD")
        assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(answer.body)))


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "told"),
    [
        ("/other", None, {}, 404, "There is /, /version"),
        ("/../score.py", None, {}, 404, "There is /"),
        ("/flows", None, {}, 405, "sent by POST"),
        ("/", b"x", {}, 404, "Flows are sent to POST /flows."),
        ("/flows", b"x", {"Content_Encoding": "gzip"}, 415, "not compressed"),
        ("/flows", b"x\n" * 10_001, {}, 413, "Expected at most 10000 lines, found 10002"),
        ("/flows", b"x", {"Host": "evil.example"}, 403, "Ask for it as 127.0.0.1"),
        ("/flows", b"x", {"Origin": "http://evil.example"}, 403, "Another site's page"),
        ("/state", None, {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "cors"}, 403, "Another site's page"),
    ],
)
def test_refused(
    served: Served, path: str, body: bytes | None, headers: dict[str, str], status: int, told: str
) -> None:
    served.door.look()
    answer = served.ask(path, body, **headers)
    assert answer.status == status
    assert told in json.loads(answer.body)["error"]
    assert served.ask("/flows", LINES[0]).status == 200


def test_a_link_from_elsewhere_is_followed(served: Served) -> None:
    assert served.ask("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status == 200


def raw(served: Served, *parts: bytes, pause: float = 0.0) -> bytes:
    """What comes back for bytes that a client sends by hand."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as client:
        for part in parts:
            client.sendall(part)
            time.sleep(pause)
        answer = b""
        try:
            while piece := client.recv(1 << 16):
                answer += piece
        except ConnectionResetError:
            pass
        return answer


HOST = b"Host: 127.0.0.1\r\n"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/9.9\r\n\r\n", b"505"),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", b"403"),  # without a host
        (b"DELETE /flows HTTP/1.1\r\n" + HOST + b"\r\n", b"501"),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", b"431"),
        (b"POST /flows HTTP/1.1\r\n" + HOST + b"\r\n", b"411"),
        (b"POST /flows HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (b"POST /flows HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n", b"400"),
        (b"POST /flows HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", b"400"),
        (b"POST /flows HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999\r\n\r\n", b"413"),
        (b"POST /flows HTTP/1.1\r\n" + HOST + b"Content-Length: 5000000\r\n\r\n" + b"x" * 5_000_000, b"413"),
    ],
)
def test_what_is_no_request_is_answered_and_ends_that_connection_alone(
    served: Served, request_: bytes, status: bytes
) -> None:
    served.door.look()
    answer = raw(served, request_)
    assert answer.startswith(b"HTTP/1.1 " + status), answer[:200]
    assert served.ask("/flows", LINES[0]).status == 200


def test_who_leaves_in_mid_request_is_no_trouble(served: Served) -> None:
    served.door.look()
    with socket.create_connection(("127.0.0.1", served.port)) as client:
        client.sendall(b"POST /flows HTTP/1.1\r\n" + HOST + b"Content-Length: 1000\r\n\r\nabc")
    wait_for(lambda: served.server._held == 0)
    assert served.ask("/flows", LINES[0]).status == 200


def test_who_is_slow_is_cut_off(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring_server, "REQUEST_SECONDS", 0.5)
    began = time.monotonic()
    slow = [b"POST /flows HTTP/1.1\r\n" + HOST, *[b"a: b\r\n"] * 40]
    with pytest.raises(OSError):
        raw(served, *slow, pause=0.1)
        raise ConnectionError  # it was cut off while it read
    assert time.monotonic() - began < 4


def test_one_connection_too_many_is_turned_away(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    served.door.look()
    served.server._connections = threading.BoundedSemaphore(2)
    held = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(2)]
    wait_for(lambda: len(served.server._reading) == 2)
    assert b"503 Service Unavailable" in raw(served, b"")
    for client in held:
        client.close()
    wait_for(lambda: not served.server._reading)
    assert served.ask("/flows", LINES[0]).status == 200


def test_more_than_there_is_room_for_waits_outside(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    served.door.look()
    monkeypatch.setattr(scoring_server, "MOST_HELD", len(LINES[0]))
    assert served.ask("/flows", LINES[0] + b"\n").status == 503
    assert served.ask("/flows", LINES[0]).status == 200


def test_a_fault_of_ours_ends_one_request(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    served.door.look()
    with monkeypatch.context() as patch:
        patch.setattr(scoring_answers, "score", lambda *_: 1 / 0)
        assert served.ask("/flows", LINES[0]).status == 500
    assert served.ask("/flows", LINES[0]).status == 200
    assert "division by zero" in json.loads(served.ask("/state").body)["unread"][0]["fault"]


def test_hostile_lines_stay_text(served: Served) -> None:
    served.door.look()
    markup = '<img src=x onerror="alert(1)">'
    row = {"protocol": markup, "service": "-", "state": "FIN", "srcip": markup * 20, "sbytes": 1e9, "dbytes": 1e9}
    served.ask("/flows", json_line(row) + f"\n{markup}".encode())
    state = json.loads(served.ask("/state").body)
    assert markup in state["unread"][0]["fault"]
    assert all(len(alarm["srcip"]) <= 100 for alarm in state["latest"])


def test_a_network_is_swapped_in_mid_stream_and_no_prediction_fails(
    served: Served, lake: Path, rows: list[Row]
) -> None:
    """Four clients, a network that takes over each fifth of a second, and one in between that is refused."""
    served.door.look()
    stop, answers, faults = threading.Event(), [], []
    bodies = [b"\n".join(LINES[:size]) for size in (1, 10, 100)]
    alone = {}
    for row in rows:
        leave_run(lake, f"alone-{row['sha256'][:4]}", row, f"2026-01-0{2 + len(alone)}T00:00:00Z")
        served.door.look()
        alone[row["sha256"]] = [served.ask("/flows", body).body for body in bodies]
    assert alone[rows[0]["sha256"]] != alone[rows[1]["sha256"]]

    def client() -> None:
        while not stop.is_set():
            for place, body in enumerate(bodies):
                answer = served.ask("/flows", body)
                if answer.status != 200 or answer.body != alone[answer.headers["oneoff-model"]][place]:
                    faults.append(answer)
                answers.append(answer.headers.get("oneoff-model"))

    clients = [threading.Thread(target=client) for _ in range(4)]
    for thread in clients:
        thread.start()
    for number in range(10):
        bad = number % 3 == 2
        row = {**rows[number % 2], **({"threshold": float("inf")} if bad else {})}
        leave_run(lake, f"swap-{number}", row, f"2026-02-{number + 1:02}T00:00:00Z")
        served.door.look()
        assert bool(served.door.refused) is bad
        time.sleep(0.2)
    stop.set()
    for thread in clients:
        thread.join(30)
    assert faults == []
    assert set(answers) == {row["sha256"] for row in rows}
    assert len(answers) > 50


def test_a_stop_finishes_what_is_there(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    served.door.look()
    begun, real = threading.Event(), scoring_answers.score
    answer = []

    def slow(*given: object) -> scoring_answers.Scored:
        begun.set()
        time.sleep(0.5)
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(scoring_answers, "score", slow)
    client = threading.Thread(target=lambda: answer.append(served.ask("/flows", b"\n".join(LINES))))
    client.start()
    begun.wait(10)
    served.server.stop()
    client.join(10)
    assert (answer[0].status, len(answer[0].lines)) == (200, 100)
    with pytest.raises(OSError):
        served.ask("/healthz")
