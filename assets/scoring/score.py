"""Scores network flows with a network that job nids trained, and shows on a page what comes of it.

Flows come by POST /flows, from files that grow (--follow) and from Kafka (--kafka). The network is looked for again and
again: another one that is left there is checked, and takes over while flows go on being scored.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

_HERE = Path(__file__).resolve().parent
for _folder in (_HERE.parent / "jobs", _HERE.parent / "jobs" / "nids"):
    if _folder.is_dir():
        sys.path.append(str(_folder))

import networks  # noqa: E402 - found through the lines above

# Before numpy is imported: the same kernels as in training, one thread for each batch.
os.environ.update({name: os.environ.get(name, value) for name, value in networks.ENVIRONMENT.items()})

import oneoff  # noqa: E402
import scoring_answers  # noqa: E402
import scoring_flows  # noqa: E402
import scoring_server  # noqa: E402
import scoring_sources  # noqa: E402
from nids_input import LAST_PORT  # noqa: E402
from scoring_model import Door, Place  # noqa: E402


def say(text: str) -> None:
    """A line of the log."""
    # At once: print would write the end of the line apart, after another thread's.
    sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}\n")


class Application:
    """Network, sources and server together."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Listens. Raises OSError where it can't, ImportError where something is not installed."""
        self.stop = threading.Event()
        self.door = Door(Place(options.model, options.name), say)
        self.counts = scoring_answers.Counts()
        self.told: dict[str, str] = {}
        self._answers: TextIO | None = options.answers.open("a") if options.answers else None
        self._writes = threading.Lock()
        self.sources: list[scoring_sources.Source] = [scoring_sources.Followed(path) for path in options.follow]
        if options.kafka:
            self.sources.append(scoring_sources.Kafka(options.kafka, options.topic, options.group))
        hosts = scoring_server.hosts_of(options.host, options.allow_host)
        service = scoring_server.Service(self.door, self.counts, self.told, hosts)
        self.server = scoring_server.Server((options.host, options.port), service)
        self._look = options.look

    def run(self) -> None:
        """Until it is to stop; then what there is is finished."""
        watch = threading.Thread(target=self.door.watch, args=(self._look, self.stop), daemon=True)
        watch.start()
        threads = [
            scoring_sources.follow(source, self.door.ready, self._take, self._teller(source.name), self.stop)
            for source in self.sources
        ]
        serving = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        serving.start()
        self.stop.wait()
        self.server.stop()
        for thread in threads:
            thread.join(scoring_server.STOP_SECONDS)
        if self._answers:
            self._answers.close()
        say(f"stopped: {self.counts.flows} flows were scored")

    def _take(self, lines: Sequence[bytes], source: str) -> None:
        """Scores lines of a source."""
        network = self.door.network
        assert network  # sources begin once there is one
        began = time.perf_counter()
        scored = scoring_answers.score(network, lines)
        if self._answers:
            with self._writes:
                self._answers.write("".join(f"{answer}\n" for answer in scored.answers))
                self._answers.flush()
        self.counts.add(scored, time.perf_counter() - began, source)

    def _teller(self, name: str) -> Callable[[str], None]:
        def tell(how: str) -> None:
            if self.told.get(name) != how:
                self.told[name] = how
                say(f"{name}: {how}")

        return tell


def port(text: str) -> int:
    """Argument type: a port, or 0 for any that is free."""
    if not text.isdecimal() or int(text) > LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to {LAST_PORT}")
    return int(text)


def seconds(text: str) -> float:
    """Argument type: a time of at least a tenth of a second."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0.1 to 86400")
    return value


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = oneoff.ArgumentParser(description="Score network flows with a network of job nids, and show it on a page.")
    about = (
        "table networks of a lake (its newest run that succeeded), a run's folder in it, a .parquet file of it, or a "
    )
    about += "folder with model.onnx and model.json; also s3://, gs:// or webhdfs://"
    parser.add_argument("--model", required=True, metavar="ADDRESS", help=about)
    parser.add_argument("--name", default="classifier", help="which network of a table (default: %(default)s)")
    parser.add_argument(
        "--look", type=seconds, default=5.0, metavar="SECONDS", help="how often it is looked for (default: 5)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=port, default=8000, help="0 for any that is free (default: %(default)s)")
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="another name that it may be asked for by"
    )
    parser.add_argument(
        "--follow",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="a file, or a folder of files, that grow",
    )
    parser.add_argument("--kafka", metavar="HOST:PORT", help="broker, or several separated by commas; with --topic")
    parser.add_argument("--topic", help="whose messages are flows, a line each or several")
    parser.add_argument("--group", default="oneoff-scoring", help="of consumers (default: %(default)s)")
    parser.add_argument(
        "--answers", type=Path, metavar="FILE", help="where answers to followed flows are added, as JSON lines"
    )
    options = parser.parse_args(arguments)
    if bool(options.kafka) != bool(options.topic):
        parser.error("--kafka and --topic are given together")
    try:
        application = Application(options)
    except ImportError as problem:
        parser.error(f"--kafka: {problem}: install it with pip install -r {_HERE / 'kafka' / 'requirements.txt'}")
    except OSError as problem:
        parser.error(f"can't listen on {options.host}:{options.port} or write: {problem.strerror or problem}")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: application.stop.set())
    scoring_flows.warm()
    say(f"page: http://{options.host}:{application.server.server_address[1]}/")
    application.run()


if __name__ == "__main__":
    main()
