"""EC2's notice that it takes a machine away; notice.test.ts has what Spark does of it."""

from __future__ import annotations

import pytest
import units
from fleet_hdfs import FleetError
from notice import WORKER, Notice


class Metadata:
    """Answers what it is told to."""

    says: str | None = None

    def taken(self) -> str | None:
        return self.says


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(units, "call", lambda *words: calls.append(words))
    return calls


def test_the_worker_is_told_to_go_once_and_then_others_are_told(called: list[tuple[str, ...]]) -> None:
    metadata, told = Metadata(), []
    notice = Notice(metadata, [WORKER, "oneoff-agent.service"], lambda: told.append(len(called)))
    notice.look()
    assert (called, told) == ([], [])
    metadata.says = "2026-11-30T19:40:35Z"
    for _ in range(3):
        notice.look()
    assert called == [("systemctl", "kill", "--kill-whom=main", "--signal=PWR", "oneoff-worker.service")]
    assert told == [1]


def test_what_failed_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    metadata, told = Metadata(), []
    metadata.says = "2026-11-30T19:40:35Z"
    notice = Notice(metadata, [WORKER], lambda: told.append(1))

    def fail(*_: str) -> None:
        raise FleetError("not today")

    monkeypatch.setattr(units, "call", fail)
    with pytest.raises(FleetError, match="not today"):
        notice.look()
    monkeypatch.setattr(units, "call", lambda *_: "")
    notice.look()
    assert told == [1]


def test_a_machine_without_sparks_worker_only_tells(called: list[tuple[str, ...]]) -> None:
    metadata, told = Metadata(), []
    metadata.says = "2026-11-30T19:40:35Z"
    Notice(metadata, ["oneoff-nodemanager.service"], lambda: told.append(1)).look()
    assert (called, told) == ([], [1])
