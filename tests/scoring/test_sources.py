"""Files that grow, and the service as a process."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import score
import scoring_sources
from scoring_sources import Followed, follow
from scoring_support import Row, ask, csv_lines, leave_folder, started, wait_for


class Taken:
    """Lines that were handed on."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.told: list[str] = []
        self.stop, self.ready = threading.Event(), threading.Event()
        self.ready.set()

    def take(self, lines: Sequence[bytes], source: str) -> None:
        self.lines += lines

    def follow(self, path: Path) -> threading.Thread:
        return follow(Followed(path), self.ready, self.take, self.told.append, self.stop)

    def end(self, thread: threading.Thread) -> None:
        self.stop.set()
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring_sources, "WAIT_SECONDS", 0.02)


def test_a_file_is_followed_line_by_line(tmp_path: Path) -> None:
    taken, file = Taken(), tmp_path / "flows.csv"
    thread = taken.follow(file)
    wait_for(lambda: any("No such file" in told for told in taken.told))
    with file.open("wb", buffering=0) as out:
        out.write(b"one\ntw")
        wait_for(lambda: taken.lines == [b"one"])
        out.write(b"o\n")
        wait_for(lambda: taken.lines == [b"one", b"two"])
    file.write_bytes(b"3\n")  # begun anew
    wait_for(lambda: taken.lines == [b"one", b"two", b"3"])
    file.rename(tmp_path / "old")  # another one takes its name
    file.write_bytes(b"four\n")
    wait_for(lambda: taken.lines[3:] == [b"four"])
    taken.end(thread)


def test_of_a_folder_files_are_followed_that_can_be_flows(tmp_path: Path) -> None:
    taken = Taken()
    for name in ("b.csv", "a.jsonl", ".hidden.csv", "c.csv.tmp"):
        (tmp_path / name).write_text(f"{name}\n")
    thread = taken.follow(tmp_path)
    wait_for(lambda: taken.lines == [b"a.jsonl", b"b.csv"])
    (tmp_path / "later.txt").write_text("later\n")
    wait_for(lambda: taken.lines[2:] == [b"later"])
    (tmp_path / "later.txt").unlink()
    wait_for(lambda: taken.told[-1] == "2 files")
    taken.end(thread)


def test_a_line_without_an_end_takes_no_memory(tmp_path: Path) -> None:
    taken, file = Taken(), tmp_path / "flows.csv"
    file.write_bytes(b"x" * (3 << 20) + b"\nnext\n")
    thread = taken.follow(file)
    wait_for(lambda: taken.lines and taken.lines[-1] == b"next")
    assert max(len(line) for line in taken.lines) <= scoring_sources.BLOCK
    taken.end(thread)


def test_what_goes_wrong_is_told_and_begins_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken, failures = Taken(), iter([RuntimeError("no")])
    real: Callable[..., None] = taken.take

    def once(lines: Sequence[bytes], source: str) -> None:
        for failure in failures:
            raise failure
        real(lines, source)

    monkeypatch.setattr(taken, "take", once)
    monkeypatch.setattr(taken.stop, "wait", lambda _=None: False)
    (tmp_path / "a.csv").write_text("one\n")
    thread = taken.follow(tmp_path)
    wait_for(lambda: "ended: no; begins again" in taken.told)
    (tmp_path / "a.csv").write_text("one\ntwo\n")
    wait_for(lambda: b"two" in taken.lines)
    taken.end(thread)


def test_as_a_process_it_follows_swaps_and_stops(tmp_path: Path, rows: list[Row]) -> None:
    flows, answers, model = tmp_path / "flows", tmp_path / "answers.jsonl", tmp_path / "model"
    flows.mkdir()
    lines = csv_lines(1_000)
    (flows / "first.csv").write_bytes(b"\n".join([*lines, b"bad", b""]))
    with started(tmp_path / "log", "--model", str(model), "--follow", str(flows), "--answers", str(answers)) as app:
        assert app.state()["sources"] == {str(flows): "waits for a model"}
        assert app.state()["model"] is None
        leave_folder(model, rows[0])
        wait_for(lambda: app.state()["flows"] == 1_000)
        assert len(answers.read_text().splitlines()) == 1_001
        assert json.loads(answers.read_text().splitlines()[-1])["line"] == 1
        leave_folder(model, {**rows[1], "threshold": float("nan")})
        wait_for(lambda: app.state()["refused"])
        assert app.state()["model"]["sha256"] == rows[0]["sha256"]
        leave_folder(model, rows[1])
        wait_for(lambda: app.state()["model"]["sha256"] == rows[1]["sha256"])
        (flows / "second.csv").write_bytes(b"\n".join([*lines[:500], b""]))
        wait_for(lambda: app.state()["flows"] == 1_500)
        assert ask(app.port, "/flows", lines[0]).status == 200
        app.process.terminate()
        assert app.process.wait(30) == 0
    assert app.log.read_text().rstrip().endswith("stopped: 1501 flows were scored")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "the following arguments are required: --model"),
        (["--model", "x", "--port", "70000"], "argument --port: '70000' is not a port from 0 to 65535"),
        (["--model", "x", "--look", "0"], "argument --look: '0' is not a number of seconds from 0.1 to 86400"),
        (["--model", "x", "--topic", "flows"], "--kafka and --topic are given together"),
        (
            ["--model", "x", "--kafka", "h:1", "--topic", "t"],
            r"--kafka: No module named 'confluent_kafka': install it with",
        ),
        (
            ["--model", "x", "--port", "0", "--host", "192.0.2.1"],
            r"can't listen on 192\.0\.2\.1:0 or write: Cannot assign",
        ),
    ],
)
def test_refused_at_once(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        score.main(arguments)
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (2, "")
    assert re.search(f"error: .*{told}", printed.err), printed.err
    assert len(printed.err.splitlines()) == 1
