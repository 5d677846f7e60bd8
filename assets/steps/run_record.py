"""The record of a run: what the lake says of it, which nothing else writes while a machine of the run is left."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import oneoff
from table_check import Look, Table

RUN_STATES = ("running", "succeeded", "failed", "cancelled")
STEP_STATES = ("pending", *RUN_STATES)
EXIT_RUN_ENDED = 3

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class RunEndedError(Exception):
    """The run has ended, so its record stays as it is."""

    def __init__(self, run: str, record: Mapping[str, Any]) -> None:
        """record: as the lake has it."""
        self.state: str = "cancelled" if record.get("cancelled") else record["state"]
        self.error: str | None = record.get("error")
        self.ended: str = record["ended"]
        what = "was cancelled" if self.state == "cancelled" else self.state
        super().__init__(f"run {run} has ended: it {what} at {self.ended}; its record is kept")


class RunCancelledError(Exception):
    """Somebody asked for the run to be cancelled, so nothing more of it is run; the text says so."""


def cancelled(lake: str, run: str) -> str | None:
    """What to say of a run that is to be cancelled; None when nobody asked for that, or it can't be told.

    As core/run.ts has it (cancelledError). Who asks, by `oneoff cancel`, writes `<lake>/_cancels/<run>.json`.
    """
    at = oneoff.end_asked_at(lake, run)
    return None if at is None else f"cancelled: that was asked for at {at}"


def as_written(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """A record or status as a lake has it: `asWritten` of core/run.ts says why it is not as it is."""
    if content["state"] != "cancelled":
        return content
    steps = [{**step, "state": "failed"} if step["state"] == "cancelled" else step for step in content["steps"]]
    return {**content, "state": "failed", "cancelled": True, "steps": steps}


def record(
    lake: str,
    run: str,
    job: str,
    state: str,
    *,
    steps: Sequence[tuple[str, str]] = (),
    endless: Sequence[str] = (),
    tables: Sequence[Table] = (),
    deadline: str | None = None,
    error: str | None = None,
    origin: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Writes `<lake>/_runs/<run>.json` whole and atomically, and returns what it wrote.

    steps: name and state, in the order they run. endless: names of those that go on until somebody asks for their
    end. tables: held against their declarations, and their digests computed,
    when `state` is "succeeded". origin: what made the run (core/run-origin.ts), unless its record says so already.
    A run that somebody asked to be cancelled does not fail, whatever happens to it: it is recorded as cancelled.
    Raises RunEndedError when the record says that the run has ended, RunCancelledError when it would go on and must
    not, and TableError.
    """
    address = oneoff._join(lake, f"_runs/{run}.json")
    written = oneoff._get(address)
    before: dict[str, Any] = json.loads(written) if written else {}
    if before.get("state", "running") != "running":
        raise RunEndedError(run, before)
    if state in ("running", "failed") and (asked := cancelled(lake, run)):
        if state == "running":
            raise RunCancelledError(asked)
        state, error = "cancelled", asked
        steps = [(name, "cancelled" if step_state == "failed" else step_state) for name, step_state in steps]
    content: dict[str, Any] = {"run": run, "job": job, "state": state, "started": before.get("started", _now())}
    if deadline or "deadline" in before:
        content["deadline"] = deadline or before["deadline"]
    if error:
        content["error"] = " ".join(error.split())
    content["steps"] = [
        {"name": name, "state": step_state, **({"endless": True} if name in endless else {})}
        for name, step_state in steps
    ]
    content["tables"] = {}
    if made := before.get("origin") or origin:
        content["origin"] = made
    if state == "succeeded":
        for table in tables:
            folder = oneoff._join(lake, f"{table.name}/run={run}")
            look = Look(table, folder)
            _, hexadecimal = oneoff.digest(folder, table.digest_columns(), look.see)
            rows = look.end()  # a digest of no columns knows of no rows
            content["tables"][table.name] = {"rows": rows, "digest": hexadecimal}
    if state != "running":
        content["ended"] = _now()
    oneoff.put(address, (json.dumps(as_written(content), indent=2) + "\n").encode(), last=state != "running")
    return content


def _iso(time: datetime) -> str:
    return time.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _now() -> str:
    return _iso(datetime.now(timezone.utc))


def _instant(text: str) -> str:
    try:
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2026-11-21T13:30:00Z")
    return _iso(time)


def _run_id(text: str) -> str:
    if not _RUN_ID.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 to 63 letters, digits, dots, dashes or underscores")
    return text


def _step(text: str) -> tuple[str, str]:
    name, _, state = text.rpartition("=")
    if not name or state not in STEP_STATES:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=STATE with one of the states {', '.join(STEP_STATES)}")
    return name, state


def add_record_arguments(parser: argparse.ArgumentParser) -> None:
    """What is the same in every record of a run: --lake, --run and --deadline."""
    parser.add_argument("--lake", required=True, help="a folder, or s3://BUCKET/PREFIX or gs://BUCKET/PREFIX")
    parser.add_argument("--run", required=True, type=_run_id, help="id of the run")
    parser.add_argument("--deadline", type=_instant, help="when the cluster ends whatever happens (ISO 8601)")


def _parser() -> argparse.ArgumentParser:
    parser = oneoff.ArgumentParser(
        prog="run_record.py",
        description="Write what the lake says of a run: <lake>/_runs/<run>.json. "
        f"Exit code {EXIT_RUN_ENDED}: the run has ended, and its record stays as it is, or is to be cancelled.",
    )
    add_record_arguments(parser)
    parser.add_argument("--job", required=True, help="name of the job")
    parser.add_argument("--state", required=True, choices=("running", "failed", "cancelled"))
    parser.add_argument("--error", help="why the run failed or was cancelled")
    parser.add_argument(
        "--step",
        dest="steps",
        action="append",
        default=[],
        type=_step,
        metavar="NAME=STATE",
        help=f"once per step, in the order they run; states: {', '.join(STEP_STATES)}",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.error and options.state == "running":
        parser.error("--error goes with --state failed or cancelled only")
    try:
        record(**vars(options))
    except (RunEndedError, RunCancelledError, OSError, ValueError) as problem:
        print(f"{parser.prog}: error: {' '.join(str(problem).split())}", file=sys.stderr)
        return EXIT_RUN_ENDED if isinstance(problem, (RunEndedError, RunCancelledError)) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
