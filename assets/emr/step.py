"""Runs one step of a run on the primary node of an EMR cluster, and tells the lake of it.

The run's record says how the run stands; `_logs/<run>/<step>.log` has what the step prints, while it prints it. EMR
gives steps no time limit and takes a `spark-submit` that ended for an application that ended: here the first is set
and the second made true.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from threading import Thread
from typing import NoReturn

import oneoff
from step_log import Log, last_problem
from step_tools import (
    SECRETS,
    TOOL_SECONDS,
    StepError,
    end_applications,
    find_region,
    secret_files,
    with_tag,
    yarn_tag,
)

KILL_AFTER = 30  # seconds that a step has to end itself when its time is up
TERMINATED_AFTER = 10  # the same when the cluster ends, as nobody knows how long EMR waits
EXIT_TERMINATED = 128 + signal.SIGTERM


class TerminatedError(Exception):
    """SIGTERM came."""

    def __str__(self) -> str:
        """What the record says of it."""
        return "ended by SIGTERM (the cluster was terminated)"


class Runner:
    """One step while it runs."""

    def __init__(self, options: argparse.Namespace) -> None:
        """options: as `parse` returns them."""
        self.options = options
        self.name = f'step "{options.step}"'
        self.tag = yarn_tag(options.run, options.step)
        self.ends = time.monotonic() + options.time_limit
        self.log = Log(f"{options.lake}/_logs/{options.run}/{options.step}.log", options.log_every)
        self.failed = False

    def run(self) -> None:
        """Runs the step's command; after the last brings staged tables into the lake. Raises StepError."""
        with secret_files(self.options.secrets):
            self.execute(with_tag(self.options.command, self.tag), self.name)
        if self.options.stage and self.options.step == self.options.steps[-1]:
            self.copy_tables(self.options.stage.rstrip("/"))

    def execute(self, command: Sequence[str], what: str) -> None:
        """Runs a program within what is left of the time limit, and ends whatever it leaves behind."""
        limit = max(1, math.ceil(self.ends - time.monotonic()))
        before, started = self.log.size, time.monotonic()
        process = subprocess.Popen(
            ["timeout", "--signal=TERM", f"--kill-after={KILL_AFTER}", str(limit), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a process group of its own
        )
        streams = ((process.stdout, sys.stdout.buffer), (process.stderr, sys.stderr.buffer))
        readers = [Thread(target=self.log.copy, args=pair, daemon=True) for pair in streams]
        try:
            for reader in readers:
                reader.start()
            code = process.wait()
        except TerminatedError as reason:
            signal_group(process, signal.SIGTERM)
            self.fail(str(reason))  # at once: there may be no time for it later
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(TERMINATED_AFTER)
            raise
        finally:
            signal_group(process, signal.SIGKILL)
            for reader in readers:
                reader.join(5)
        if code and time.monotonic() - started >= limit:
            raise StepError(f"{self.name} took longer than its time limit of {spoken(self.options.time_limit)}")
        if code:
            raise StepError(f"{what} failed (exit {code}): {why(self.log.since(before))}")

    def copy_tables(self, stage: str) -> None:
        """Brings what the steps left in HDFS into the lake."""
        for table, _ in self.options.tables:
            source, target = f"{stage}/{table}", f"{self.options.lake}/{table}/run={self.options.run}"
            test = ["hdfs", "dfs", "-test", "-d", source]
            code = subprocess.run(test, check=False, timeout=TOOL_SECONDS).returncode
            if code == 0:
                what = f"{self.name}: copying {source} to {target}"
                self.execute(["s3-dist-cp", "--src", source, "--dest", target], what)
                # An HDFS that is fuller than a tenth keeps a cluster from being idle.
                self.execute(["hdfs", "dfs", "-rm", "-r", "-skipTrash", source], f"{self.name}: clearing {source}")
            elif code != 1:  # 1: there is none
                raise StepError(f"{self.name}: HDFS did not say whether {source} is there (exit {code})")

    def end_applications(self) -> None:
        """Makes sure that nothing of the step still runs on the cluster."""
        try:
            for application in end_applications(self.tag):
                self.log.say(f"step.py: ended {application}, which was still running")
        except StepError as problem:
            self.log.say(f"step.py: whether something still runs is not known: {problem}")

    def record(self, state: str, step_state: str, error: str | None = None) -> None:
        """Writes the run's record: the steps before this one have succeeded, or it would not run."""
        options = self.options
        position = options.steps.index(options.step)
        states = ["succeeded"] * position + [step_state] + ["pending"] * (len(options.steps) - position - 1)
        oneoff.record(
            options.lake,
            options.run,
            options.job,
            state,
            steps=list(zip(options.steps, states, strict=True)),
            tables=options.tables,
            deadline=options.deadline,
            error=error,
        )

    def succeed(self) -> None:
        """Records that the step succeeded, and with the last one the run: then the tables' digests are computed."""
        last = self.options.step == self.options.steps[-1]
        try:
            self.record("succeeded" if last else "running", "succeeded")
        except (OSError, ValueError) as problem:
            raise StepError(f"{self.name} ran, but its tables could not be recorded: {problem}") from problem

    def fail(self, reason: str) -> None:
        """Records that the run failed, for the first reason given."""
        if self.failed:
            return
        self.failed = True
        self.log.say(f"step.py: error: {one_line(reason)}")
        try:
            self.record("failed", "failed", reason)
        except Exception as problem:
            self.log.say(f"step.py: error: the run's record could not be written: {one_line(problem)}")


def signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    """Signals a process and all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def why(log: str) -> str:
    """Why a program failed, by what it printed."""
    if "No space left on device" in log:
        return "no space is left on a node's disk; give the cluster's nodes larger ones"
    return last_problem(log)


def one_line(text: object) -> str:
    """The text without line breaks."""
    return " ".join(str(text).split())


def spoken(total: int) -> str:
    """Seconds as people read them: "1 h 30 min", "45 s". As components/core/duration.ts has them."""
    parts = ((total // 86_400, "d"), (total // 3600 % 24, "h"), (total // 60 % 60, "min"), (total % 60, "s"))
    first = next(at for at, (number, _) in enumerate(parts) if number)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number)


def _secret(text: str) -> tuple[str, str]:
    name, _, arn = text.partition("=")
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name) or not arn:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=ARN")
    return name, arn


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line's options."""
    parser = oneoff.ArgumentParser(
        prog="step.py",
        usage="step.py [options] -- COMMAND ...",
        description="Run one step of a run, and tell the lake of it. Exit code 0: the step succeeded; 1: it failed; "
        f"{oneoff.EXIT_RUN_ENDED}: the run had ended before, so nothing was run; {EXIT_TERMINATED}: SIGTERM came.",
    )
    oneoff.add_record_arguments(parser)
    parser.add_argument("--step", required=True, help="name of the step")
    parser.add_argument("--steps", required=True, metavar="NAME,NAME", help="all steps of the job, in their order")
    limit = "the step is ended when it takes longer"
    parser.add_argument("--time-limit", required=True, type=oneoff.count, metavar="SECONDS", help=limit)
    parser.add_argument("--stage", metavar="FOLDER", help="in HDFS: its tables are copied into the lake at the end")
    parser.add_argument(
        "--secret",
        dest="secrets",
        action="append",
        default=[],
        type=_secret,
        metavar="NAME=ARN",
        help=f"once per secret: it is in {SECRETS}/oneoff-NAME while the step runs",
    )
    parser.add_argument("--log-every", type=float, default=5, metavar="SECONDS", help="how often the log is put")
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="what to run; spark-submit is given a YARN tag")
    options = parser.parse_args(arguments)
    options.lake = options.lake.rstrip("/")
    options.steps = options.steps.split(",")
    if options.step not in options.steps:
        parser.error(f"argument --step: {options.step!r} is not among --steps {','.join(options.steps)}")
    return options


def on_sigterm(*_: object) -> NoReturn:
    """Once is enough: what follows must not be interrupted."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise TerminatedError


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    options = parse(arguments)
    find_region()
    signal.signal(signal.SIGTERM, on_sigterm)
    step = Runner(options)
    code = 0
    try:
        step.record("running", "running")
        step.run()
        step.succeed()
    except Exception as problem:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if isinstance(problem, oneoff.RunEndedError):
            print(f"step.py: error: {problem}", file=sys.stderr)
            return oneoff.EXIT_RUN_ENDED
        code = EXIT_TERMINATED if isinstance(problem, TerminatedError) else 1
        ours = isinstance(problem, (StepError, TerminatedError))
        step.fail(str(problem) if ours else f"{step.name} could not be run: {type(problem).__name__}: {problem}")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    step.end_applications()
    step.log.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
