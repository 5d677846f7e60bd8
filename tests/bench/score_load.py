"""How fast flows are scored on one core: through the application, and by a loop around the network beside it.

Both take the same lines of UNSW-NB15's layout, in turns, so that they share whatever else the machine does. Application
and loop have one core and the client another. Prints JSON: for each size of a batch, flows for each second that the
core worked for them, and the 99th percentile of a batch's milliseconds, of both.
"""

from __future__ import annotations

import functools
import json
import os
import socket
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scoring"))

import conftest  # noqa: F401 - it says where everything is
import scoring_flows
import scoring_support as support
from scoring_model import Network

CORES = sorted(os.sched_getaffinity(0))
THEIRS, OURS = {CORES[0]}, {CORES[-1]}  # the application's and the loop's; the client's
ROUNDS, SECONDS = 7, 1.5


def measure(once: Callable[[], None], worked: Callable[[], float]) -> tuple[float, float]:
    """Batches for each second of work, and the 99th percentile of one in milliseconds."""
    times, before = [], worked()
    end = time.perf_counter() + SECONDS
    while (began := time.perf_counter()) < end:
        once()
        times.append(time.perf_counter() - began)
    return len(times) / (worked() - before), 1000 * sorted(times)[int(len(times) * 0.99)]


def work_of(pid: int) -> float:
    """Seconds that a process has worked."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def client(port: int, body: bytes) -> Callable[[], None]:
    """Sends a batch and reads all of its answers, over one connection."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = f"POST /flows HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n\r\n"
    request = head.encode() + body

    def once() -> None:
        connection.sendall(request)
        answer = b""
        while (at := answer.find(b"\r\n\r\n")) < 0:
            answer += connection.recv(1 << 18)
        length = int(answer[:at].lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        left = length - (len(answer) - at - 4)
        while left:
            left -= len(connection.recv(1 << 18))
        assert answer.startswith(b"HTTP/1.1 200")

    return once


def loop(network: Network, file: Path) -> Callable[[], None]:
    """Reads the same bytes, prepares the same features and runs the network."""

    def once() -> None:
        batch = scoring_flows.read(file.read_bytes().split(b"\n"), network.columns)
        network.run(batch.numbers, batch.words)

    return once


def main() -> None:
    """Measures and prints."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        row = support.train(1)
        support.leave_run(folder / "lake", "1", row, "2026-01-01T00:00:00Z")
        network, lines = Network(support.candidate(row)), support.csv_lines(1_000)
        os.sched_setaffinity(0, THEIRS)
        found = {}
        with support.started(folder / "log", "--model", str(folder / "lake" / "networks")) as app:
            support.wait_for(lambda: app.state()["model"])
            for size in (1, 1_000):
                file = folder / f"{size}.csv"
                file.write_bytes(b"\n".join(lines[:size]))
                ways = {"loop": loop(network, file), "app": client(app.port, file.read_bytes())}
                rounds: dict[str, list[tuple[float, float]]] = {"loop": [], "app": []}
                for _ in range(ROUNDS):
                    for way, once in ways.items():
                        os.sched_setaffinity(0, THEIRS if way == "loop" else OURS)
                        pid = os.getpid() if way == "loop" else app.process.pid
                        rounds[way].append(measure(once, functools.partial(work_of, pid)))
                found[size] = {
                    way: {
                        "flows": size * statistics.median(rate for rate, _ in all_),
                        "p99": statistics.median(p99 for _, p99 in all_),
                    }
                    for way, all_ in rounds.items()
                }
        print(json.dumps(found))


if __name__ == "__main__":
    main()
