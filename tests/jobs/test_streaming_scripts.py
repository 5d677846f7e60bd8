"""The scripts of job streaming-regression, as far as they go without Kafka: what they are told, and what is sent."""

from __future__ import annotations

import itertools
import json
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import learn
import oneoff
import produce
import pytest
from streaming_records import RecordError, read

PLACE = ["--lake", "/lake", "--run", "r1", "--state", "/state", "--kafka", "127.0.0.1:9"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--state", "s3://b/s"], "argument --state: 's3://b/s' is no folder of this machine"),
        (["--state", "/lake/"], "argument --state: '/lake/' is the lake: give another folder"),
        (["--test-topic", "train"], "argument --test-topic: 'train' is the topic that is learnt from"),
        (["--page", "localhost"], "argument --page: 'localhost' is not an address that begins with http://"),
        (["--store", "search:9200"], "argument --store: 'search:9200' is not an address that begins with http://"),
        (["--store", "https://a:b@search"], "argument --store: a user stands in it, which whoever lists processes"),
        (
            ["--store", "http://a:1", "--store-login", "f"],
            "argument --store-login: 'http://a:1' would be sent it in the",
        ),
        (["--forgetting", "1.1"], "argument --forgetting: '1.1' is not a number from 0.5 to 1"),
        (["--features", "0"], "argument --features: '0' is not a whole number of at least 1"),
    ],
)
def test_learn_refuses(more: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        learn.main([*PLACE, *more])
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_a_state_is_one_process_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learn, "LOCK_SECONDS", 0.1)
    again = learn.locked(tmp_path)
    with learn.locked(tmp_path), pytest.raises(BlockingIOError, match="another process has the state"):
        again.__enter__()
    with learn.locked(tmp_path):
        pass


def test_the_end_is_asked_for_or_comes_with_the_deadline(tmp_path: Path) -> None:
    def deadline(seconds: float) -> None:
        at = datetime.now(timezone.utc) + timedelta(seconds=seconds)
        text = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        oneoff.put(str(tmp_path / "_runs" / "r1.json"), json.dumps({"deadline": text}).encode())

    assert oneoff.asked_to_stop(str(tmp_path), "r1") is None
    deadline(60)
    assert oneoff.asked_to_stop(str(tmp_path), "r1") is None
    deadline(9)
    assert "the run's deadline is" in str(oneoff.asked_to_stop(str(tmp_path), "r1"))
    deadline(60)
    oneoff.put(str(tmp_path / "_cancels" / "r2.json"), b'{"at": "2026-01-01T00:00:00Z"}')
    assert oneoff.asked_to_stop(str(tmp_path), "r1") is None
    assert oneoff.asked_to_stop(str(tmp_path), "r2") == "its end was asked for at 2026-01-01T00:00:00Z"


def made_up(*words: str, number: int = 400) -> list[produce.Record]:
    return list(itertools.islice(produce.made_up(produce.parse(words)), number))


def test_equal_seeds_make_equal_records() -> None:
    assert made_up("--seed", "7", "--drift", "1") == made_up("--seed", "7", "--drift", "1", "--kafka", "other:1")
    assert made_up("--seed", "7") != made_up("--seed", "8")


def test_records_are_what_was_asked_for() -> None:
    records = made_up("--malformed", "0.1", "--test-share", "0.25", "--noise", "0.5", "--features", "2", number=4_000)
    assert sum(record.is_test for record in records) / 4_000 == pytest.approx(0.25, abs=0.03)
    good, bad = [], 0
    for record in records:
        try:
            good.append(read(record.value, 2))
        except RecordError:
            bad += 1
    assert bad / 4_000 == pytest.approx(0.1, abs=0.02)
    noise = sum((each.y - (each.truth or 0)) ** 2 for each in good) / len(good)
    assert noise == pytest.approx(0.25, rel=0.1)
    assert len({each.name for each in good}) == len(good)


def test_a_truth_drifts_as_far_as_was_said() -> None:
    moved = []
    for seed in range(200):
        truth = produce.Truth(seed, 1, 0.5, 10)
        before = truth.weights
        for _ in range(600):  # a minute
            truth.wander()
        moved += [after - first for after, first in zip(truth.weights, before, strict=True)]
    assert (sum(each**2 for each in moved) / len(moved)) ** 0.5 == pytest.approx(0.5, rel=0.1)


def test_rows_of_a_csv_are_sent(tmp_path: Path) -> None:
    file = tmp_path / "homes.csv"
    file.write_text("price,size,rooms\n100,50,2\n,60,3\n")
    words = ["--csv", str(file), "--columns", "size,rooms", "--target", "price", "--test-share", "0"]
    found = [json.loads(record.value) for record in produce.of_csv(produce.parse(words))]
    assert found == [{"x": [50, 2], "y": 100}, {"x": [60, 3], "y": ""}]
    other = produce.parse([*words, "--target", "cost"])
    with pytest.raises(ValueError, match="has no column 'cost': there are price, size, rooms"):
        list(produce.of_csv(other))


def test_the_rate_is_kept_and_the_end_comes() -> None:
    options, stop = produce.parse(["--rate", "400", "--rows", "80"]), threading.Event()
    began = time.monotonic()
    assert len(list(produce.paced(produce.made_up(options), options, stop))) == 80
    assert time.monotonic() - began > 0.18
    stop.set()
    assert list(produce.paced(produce.made_up(options), options, stop)) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--csv", "/nowhere.csv"], "--csv, --columns and --target are given together"),
        (["--csv", "/nowhere.csv", "--columns", "a", "--target", "b"], "there is no file '/nowhere.csv'"),
        (["--rate", "0"], "argument --rate: '0' is not a number from 0.01 to 1e+06"),
        (["--malformed", "2"], "argument --malformed: '2' is not a number from 0 to 1"),
    ],
)
def test_produce_refuses(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        produce.parse(words)
    assert told in capsys.readouterr().err
