"""The engine of job streaming-regression: what it learns, sets aside and keeps, without Spark and Kafka."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streaming_sinks
import streaming_state
from streaming_kafka import Range, lost, starting_offsets
from streaming_models import ModelError, Own, Rls, Sgd
from streaming_records import Delivered, RecordError, read
from streaming_support import BEGIN, TRUTH, Clock, check_whole, engine, files, record, stream, table


def in_batches(records: list[Delivered], size: int) -> Iterator[list[Delivered]]:
    return (records[at : at + size] for at in range(0, len(records), size))


def test_each_record_is_predicted_then_learnt_from_and_in_the_lake_once(tmp_path: Path) -> None:
    records, clock = stream(600), Clock()
    one = engine(tmp_path, clock=clock)
    for batch in in_batches(records, 50):
        clock.now += 4
        one.batch(batch)
    one.end()
    check_whole(tmp_path, records)
    rows = table(tmp_path, "predictions")
    first = min(rows, key=lambda row: row["event_time"])
    assert (first["pred"], first["model_version"], first["batch"]) == (0.0, 0, 1)
    assert first["baseline_error"] == first["y"] ** 2
    last = [row for row in rows if row["batch"] == 12]
    assert np.mean([row["squared_error"] for row in last]) < 0.02 < np.mean([row["baseline_error"] for row in last])
    assert np.mean([row["noise_error"] for row in rows]) == pytest.approx(0.01, rel=0.2)
    models = sorted(table(tmp_path, "models"), key=lambda row: row["batch"])
    assert [row["batch"] for row in models] == [1, 10, 12]  # one a minute by the clock, and the last
    assert json.loads(models[-1]["parameters"])["weights"] == pytest.approx(TRUTH, abs=0.05)
    assert json.loads(models[-1]["offsets"])["test"] == {"0": 59, "1": 59}
    batches = sorted(table(tmp_path, "batches"), key=lambda row: row["batch"])
    assert [row["records"] for row in batches] == [50] * 12
    assert batches[-1]["train_noise_error"] == pytest.approx(0.01, rel=0.2)
    assert batches[-1]["train_count"] + batches[-1]["test_count"] == len(rows)
    assert not list((tmp_path / "state" / "log").iterdir())


def test_rows_of_topic_test_are_not_learnt_from(tmp_path: Path) -> None:
    one = engine(tmp_path)
    one.batch([Delivered("test", 0, at, BEGIN, record(at)) for at in range(20)])
    one.end()
    assert one.state.model == Rls(2).dump()
    assert {row["model_version"] for row in table(tmp_path, "predictions")} == {0}


def test_what_cannot_be_learnt_from_is_set_aside_with_its_reason(tmp_path: Path) -> None:
    bad = {
        "not JSON": [b"poison", b"", None, b"\xff", b"[1, 2]", b"[" * 100_000, b'"x"'],
        "not finite": [
            b'{"x": [NaN, 1], "y": 1}',
            b'{"x": [1, 1], "y": -Infinity}',
            b'{"x": [1e999, 1], "y": 1}',
            b'{"x": [1, 1], "y": 1' + b"0" * 400 + b"}",
        ],
        "other features": [
            b'{"x": [1], "y": 1}',
            b'{"x": [1, 2, 3], "y": 1}',
            b'{"x": [1, true], "y": 1}',
            b'{"y": 1}',
        ],
        "no y": [b'{"x": [1, 2]}', b'{"x": [1, 2], "y": "1"}', b'{"x": [1, 2], "y": null}'],
    }
    values = [value for reason in bad.values() for value in reason]
    one = engine(tmp_path)
    one.batch([Delivered("train", 0, at, BEGIN, value) for at, value in enumerate([*values, record(1)])])
    one.end()
    assert one.state.rejected == {reason: len(found) for reason, found in bad.items()}
    rows = sorted(table(tmp_path, "rejected"), key=lambda row: row["kafka_offset"])
    assert [row["reason"] for row in rows] == [reason for reason, found in bad.items() for _ in found]
    assert rows[7]["detail"] == "it has NaN, which is no number of JSON"
    assert rows[7]["record"] == '{"x": [NaN, 1], "y": 1}'
    assert one.state.learnt == 1


def test_late_and_duplicate_records_are_set_aside(tmp_path: Path) -> None:
    one = engine(tmp_path, late=60)
    train0 = [(0, BEGIN), (1, BEGIN - 60_000), (2, BEGIN - 60_001), (3, BEGIN + 3_600_000), (4, BEGIN)]
    # The clock is at BEGIN: that a record is of an hour later makes none late.
    for offset, moment in train0:
        one.batch([Delivered("train", 0, offset, moment, record(offset, id=offset))])
    again = record(0, id=0)
    one.batch([Delivered("train", 1, 0, BEGIN - 10**6, record(9)), Delivered("train", 1, 1, BEGIN, again)])
    one.batch([Delivered("test", 0, 0, BEGIN, again)])  # another topic's
    one.end()
    rows = [(row["kafka_partition"], row["kafka_offset"], row["reason"]) for row in table(tmp_path, "rejected")]
    assert rows == [(0, 2, "late"), (1, 1, "duplicate")]


def test_records_that_come_again_are_left_out(tmp_path: Path) -> None:
    records = stream(100)
    one = engine(tmp_path)
    one.batch(records[:60])
    one.batch(records[20:60])
    one.batch(records[20:])
    one.end()
    assert one.state.repeated == 80
    check_whole(tmp_path, records)


def test_a_sink_that_fails_stops_the_batch_and_all_that_come_later(tmp_path: Path) -> None:
    class Broken:
        def write(self, batch: streaming_sinks.Batch) -> None:
            if batch.number == 2:
                raise OSError("no space")

        def settle(self, state: streaming_state.State, *, over: bool = False) -> None: ...

    records = stream(90)
    one = engine(tmp_path, more=[Broken()])
    one.batch(records[:30])
    with pytest.raises(OSError, match="no space"):
        one.batch(records[30:60])
    one.batch(records[60:])
    one.end()
    assert files(tmp_path) == {}
    two = engine(tmp_path)
    assert two.state.batch == 1
    two.batch(records[30:])
    two.end()
    check_whole(tmp_path, records)


def test_another_run_goes_on_from_the_state_and_leaves_each_its_rows(tmp_path: Path) -> None:
    records = stream(90)
    one = engine(tmp_path)
    one.batch(records[:30])
    del one  # it never came to write its part files
    two = engine(tmp_path, run="r2")
    assert len(table(tmp_path, "predictions", "r1")) + len(table(tmp_path, "rejected", "r1")) == 30
    two.batch(records[20:])
    two.end()
    assert (two.state.run, two.state.before, two.state.records) == ("r2", 30, 90)
    check_whole(tmp_path, records, runs=("r1", "r2"))


def test_what_the_topic_lost_is_set_aside(tmp_path: Path) -> None:
    one = engine(tmp_path)
    one.batch([Delivered("train", 0, 0, BEGIN, record(0))])
    one.lose("train", 0, 1, 10)
    one.batch([Delivered("train", 0, 9, BEGIN, record(0)), Delivered("train", 0, 10, BEGIN, record(1))])
    one.end()
    [row] = table(tmp_path, "rejected")
    assert (row["kafka_offset"], row["reason"]) == (1, "lost")
    assert row["detail"] == "9 records until offset 9 were removed from the topic before they were read"
    assert (one.state.learnt, one.state.repeated) == (2, 1)


def test_part_files_come_by_time_and_by_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    one = engine(tmp_path, clock=clock)
    one.batch(stream(20))
    clock.now += 9.9
    one.settle()
    assert files(tmp_path) == {}
    clock.now += 0.1
    one.settle()
    names = [name.partition("/")[0] for name in files(tmp_path)]
    assert names == ["batches", "models", *["predictions"] * 4, "rejected"]
    monkeypatch.setattr(streaming_sinks, "MOST_ROWS", 10)
    before = len(files(tmp_path))
    one.batch(stream(40)[20:])
    assert len(files(tmp_path)) > before


def test_the_stream_begins_behind_the_state() -> None:
    state = streaming_state.State({}, offsets={"train": {"0": 9, "1": 4}})
    topics = {"train": {0: Range(0, 20), 1: Range(8, 9), 2: Range(3, 3)}, "test": {0: Range(0, 0)}}
    assert json.loads(starting_offsets(topics, state)) == {"train": {"0": 10, "1": 5, "2": 3}, "test": {"0": 0}}
    assert lost(topics, state) == [("train", 1, 5, 8)]
    for other, told in (({0: Range(0, 9)}, "ends before offset 9"), ({1: Range(0, 9)}, "is not there")):
        with pytest.raises(streaming_state.StateError, match=f"offset 9 of partition 0 of topic train, which {told}"):
            lost({"train": other}, state)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"model": "sgd"}, "is of model rls, and sgd is asked for"),
        ({"features": 3}, "is of features 2, and 3 is asked for"),
        ({"topics": ["a", "b"]}, "is of topics train and test, and a and b is asked for"),
    ],
)
def test_a_state_of_something_else_is_refused(tmp_path: Path, other: dict[str, Any], told: str) -> None:
    identity = {"model": "rls", "features": 2, "topics": ["train", "test"]}
    streaming_state.save(streaming_state.State(identity), tmp_path)
    with pytest.raises(streaming_state.StateError, match=f"{told}: ask for the same, or give another folder"):
        streaming_state.load(tmp_path, {**identity, **other})


# Models --------------------------------------------------------------------------------------------------------------


def test_forgetting_follows_a_truth_that_moves_and_stays_bounded() -> None:
    steady, forgetting = Rls(1), Rls(1, 0.98)
    dice = np.random.default_rng(1)
    for number in range(4_000):
        slope = 1.0 if number < 2_000 else -1.0
        x = float(dice.uniform(-1, 1))
        for model in (steady, forgetting):
            model.learn([x], slope * x)
    assert forgetting.weights == pytest.approx([-1, 0], abs=1e-6)
    assert abs(steady.weights[0]) < 0.1
    for _ in range(20_000):  # nothing new: P must not grow beyond what it began with
        forgetting.learn([0.0], 0.0)
    assert np.trace(forgetting.p) <= np.trace(Rls(1).p) * (1 + 1e-9)
    assert np.array_equal(forgetting.p, forgetting.p.T)


def test_no_example_makes_the_weights_of_sgd_infinite() -> None:
    model, dice = Sgd(2, 0.5), np.random.default_rng(1)
    model.learn([1e50, -1e50], 1e50)
    for _ in range(20_000):
        x = dice.uniform(-1, 1, 2).tolist()
        model.learn(x, 2 * x[0] - x[1] + 0.5)
    assert model.weights == pytest.approx(TRUTH, abs=1e-6)


OWN = """
import math

def start(features):
    return {"w": [0.0] * features, "b": 0.0, "seen": ()}

def predict(state, x):
    return 1 / (1 + math.exp(-state["b"] - sum(w * each for w, each in zip(state["w"], x))))

def learn(state, x, y):
    error = y - predict(state, x)
    state["w"] = [w + 0.5 * error * each for w, each in zip(state["w"], x)]
    state["b"] += 0.5 * error
"""


def own(folder: Path, text: str = OWN, features: int = 2) -> Own:
    file = folder / "classifier.py"
    file.write_text(text)
    return Own(file, features)


def test_a_model_of_ones_own_learns_and_goes_on(tmp_path: Path) -> None:
    points = np.random.default_rng(1).random((900, 2)).tolist()
    examples = [json.dumps({"x": [x, y], "y": int(x > y)}).encode() for x, y in points]
    records = [Delivered("train", 0, at, BEGIN + at, value) for at, value in enumerate(examples)]
    one = engine(tmp_path, model=own(tmp_path))
    one.batch(records[:450])
    assert one.state.model["seen"] == []  # as JSON has it, also before a restart
    del one
    two = engine(tmp_path, model=own(tmp_path))
    two.batch(records[450:])
    two.end()
    late = [row for row in table(tmp_path, "predictions") if row["kafka_offset"] >= 600]
    assert np.mean([(row["pred"] > 0.5) == (row["y"] > 0.5) for row in late]) > 0.9
    assert two.state.errors["train"].squared < two.state.errors["train"].baseline / 2
    assert {row["algorithm"] for row in table(tmp_path, "models")} == {"file classifier.py"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def predict(state, x): return 0", "classifier.py has no function learn: it needs predict"),
        ("def predict(x): return 0\ndef learn(state, x, y): ...", "predict can't be called with 2 arguments"),
        ("import nothing_there", "can't be imported: ModuleNotFoundError: No module named 'nothing_there'"),
        (OWN.replace('"seen": ()', '"seen": {1, 2}'), "JSON can't hold its state"),
        (OWN.replace("def start(features):", "def start(features):\n    features.x"), "start failed: AttributeError"),
    ],
)
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ModelError, match=told):
        own(tmp_path, text)


def test_a_model_that_cannot_predict_a_record_sets_it_aside_but_for_the_first(tmp_path: Path) -> None:
    text = "def predict(state, x): return 1 / x[0]\ndef learn(state, x, y): ..."
    records = [
        Delivered("train", 0, at, BEGIN, json.dumps({"x": [x, 0], "y": 0}).encode()) for at, x in enumerate((1, 0, 2))
    ]
    one = engine(tmp_path, model=own(tmp_path, text))
    one.batch(records)
    one.end()
    [row] = table(tmp_path, "rejected")
    assert (row["kafka_offset"], row["reason"]) == (1, "not predicted")
    assert row["detail"] == "file classifier.py: predict failed: ZeroDivisionError: float division by zero"
    other = engine(tmp_path / "other", model=own(tmp_path, text))
    with pytest.raises(ModelError, match="division by zero"):
        other.batch(records[1:])


def test_reading_takes_what_else_a_record_has() -> None:
    assert read(b'{"x": [1, 2.5], "y": -3, "more": {}}', 2) == ((1.0, 2.5), -3.0, None, None)
    with pytest.raises(RecordError):
        read(b'{"x": [1e51, 0], "y": 0}', 2)


# The hub -------------------------------------------------------------------------------------------------------------


class HubServer(http.server.ThreadingHTTPServer):
    """Keeps what it is told."""

    def __init__(self, slow: float = 0) -> None:
        super().__init__(("127.0.0.1", 0), HubHandler)
        self.slow, self.told, self.tokens = slow, [], []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/ingest"


class HubHandler(http.server.BaseHTTPRequestHandler):
    server: HubServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        lines = self.rfile.read(int(self.headers["Content-Length"])).splitlines()
        time.sleep(self.server.slow)
        self.server.told += [json.loads(line) for line in lines]
        self.server.tokens.append(self.headers["Authorization"])
        self.send_response(204 if self.path == "/ingest" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def test_a_hub_is_told_rows_and_batches(tmp_path: Path) -> None:
    with HubServer() as server:
        hub = streaming_sinks.Hub(server.address, "secret", 2, {"train": "train", "test": "test"})
        one = engine(tmp_path, more=[hub])
        one.batch(stream(10))
        one.batch([Delivered("train", 0, 99, BEGIN, b"poison")])
        one.end()
        server.shutdown()
    assert set(server.tokens) == {"Bearer secret"}
    feeds = [line["feed"] for line in server.told]
    assert feeds == ["predictions"] * 10 + ["errors", "errors", "batches", "batches"] * 2
    first, last = server.told[0]["row"], server.told[-1]["row"]
    place = (first["topic"], first["kafka_partition"], first["kafka_offset"], first["event_time"])
    assert place == ("train", 0, 0, "2023-11-14T22:13:20.000Z")
    assert (first["pred"], first["squared_error"]) == (0, first["y"] ** 2)
    assert server.told[10]["row"]["predicted"] + server.told[11]["row"]["predicted"] == 10
    assert last == {"moment": "2023-11-14T22:13:20.000Z", "what": "delay", "took": 0}
    assert hub.missed == 0


@pytest.mark.parametrize("slow", [None, 1.0])
def test_a_hub_that_is_gone_or_slow_is_not_waited_for(tmp_path: Path, slow: float | None) -> None:
    with HubServer(slow or 0) as server:
        address = server.address if slow else "http://127.0.0.1:9/ingest"
        hub = streaming_sinks.Hub(address, None, 2, {"train": "train", "test": "test"})
        one = engine(tmp_path, more=[hub])
        began = time.monotonic()
        records = stream(200)
        for batch in in_batches(records, 10):
            one.batch(batch)
        one.end()
        assert time.monotonic() - began < 15  # 20 batches, each of which would be waited for a second
        server.shutdown()
    assert hub.missed >= 10
    check_whole(tmp_path, records)
