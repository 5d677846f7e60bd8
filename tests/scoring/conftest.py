"""Puts what scores where tests can import it, and trains two small networks once."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "assets" / folder) for folder in ("scoring", "jobs/nids", "jobs")]

import networks  # noqa: E402 - found through the line above

os.environ.update(networks.ENVIRONMENT)

import scoring_model  # noqa: E402
import scoring_support as support  # noqa: E402
from scoring_answers import Counts  # noqa: E402
from scoring_model import Door, Network, Place  # noqa: E402
from scoring_server import Server, Service, hosts_of  # noqa: E402


@pytest.fixture(scope="session")
def rows() -> list[support.Row]:
    """Rows of `networks`: a classifier, and another one."""
    return [support.train(seed) for seed in (1, 2)]


@pytest.fixture(scope="session")
def network(rows: list[support.Row]) -> Network:
    return Network(support.candidate(rows[0]))


@pytest.fixture(autouse=True)
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A candidate is looked at in this process alone, which is quicker; a test of that has the function already."""
    monkeypatch.setattr(scoring_model, "check_apart", lambda _: None)


@pytest.fixture
def lake(tmp_path: Path, rows: list[support.Row]) -> Path:
    """One run that succeeded."""
    support.leave_run(tmp_path / "lake", "1", rows[0], "2026-01-01T00:00:00Z")
    return tmp_path / "lake"


@pytest.fixture
def served(lake: Path) -> Iterator[support.Served]:
    """The service in this process, on a port of its own."""
    said: list[str] = []
    door = Door(Place(str(lake / "networks"), "classifier"), said.append)
    counts = Counts()
    server = Server(("127.0.0.1", 0), Service(door, counts, {}, hosts_of("127.0.0.1", [])))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield support.Served(server, door, counts, said)
    if not server.stopping.is_set():
        server.stop()
    thread.join(10)
