"""Runs one step of a run on the primary node of a cluster, and tells the lake of it.

The run's record says how the run stands; `_logs/<run>/<step>.log` has what the step prints, while it prints it. EMR
and Dataproc give steps no time limit and take a `spark-submit` that ended for an application that ended: here the first
is set and the second made true.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import oneoff
import run_record
from step_endless import keep_running
from step_log import open_log
from step_problem import Cures, one_line, why
from step_runner import (
    EXIT_TERMINATED,
    Ended,
    ProgramError,
    StepError,
    TerminatedError,
    ignore_sigterm,
    raise_on_sigterm,
    run_program,
    spoken,
    states_of,
)
from step_tools import (
    SECRETS,
    TOOL_SECONDS,
    clear_folder,
    end_applications,
    find_region,
    is_secret_address,
    secret_files,
    uses_yarn,
    with_tag,
    yarn_tag,
)
from table_check import Table, check_left
from typed_json import typed


@dataclasses.dataclass(frozen=True)
class JobStep:
    """A step, and the tables that are complete when it ends."""

    name: str
    leaves: list[str]
    endless: bool


@dataclasses.dataclass(frozen=True)
class JobFile:
    """As core/job-file.ts has it."""

    job: str
    steps: list[JobStep]
    tables: list[Table]


_SPACE = "no space is left on a node's disk; give the cluster's nodes larger ones (oneoff:disk)"
_ON_AWS = Cures(
    driver="give the driver more (oneoff:driverMemory)",
    executor="give each executor more (oneoff:executorMemory, which goes with oneoff:executors)",
    killed="take a larger primary node (oneoff:primaryType)",
    space=_SPACE,
)
_ON_GOOGLE = Cures(
    driver="give the driver more (oneoff:driverMemory)",
    executor="take larger workers (oneoff:workerType)",
    killed="take a larger primary node (oneoff:primaryType; in mode batch oneoff:driverMemory)",
    space=_SPACE,
)


class Runner:
    """One step while it runs."""

    def __init__(self, options: argparse.Namespace) -> None:
        """options: as `parse` returns them."""
        self.options = options
        self.job: JobFile = options.job
        self.name = f'step "{options.step}"'
        self.tag = yarn_tag(options.run, options.step)
        self.ends = time.monotonic() + options.time_limit
        self.log = open_log(f"{options.lake}/_logs/{options.run}/{options.step}.log", options.log_every)
        self.state = "pending"
        self.failed = False
        self.origin = json.loads(oneoff._get(f"{options.lake}/_clusters/{options.run}/origin.json") or "null")

    def run(self) -> None:
        """Runs the step's command, and looks at what it left; after the last brings staged tables into the lake.

        Raises StepError.
        """
        with secret_files(self.options.secrets):
            self.run_program(with_tag(self.options.command, self.tag))
        if self.options.stage and self.is_last():
            self.copy_tables(self.options.stage.rstrip("/"))
        self.check_tables()

    def run_program(self, command: Sequence[str]) -> None:
        """Runs the step's program, one that is endless until it ends by itself."""
        if self.options.step not in self.endless():
            self.execute(command, self.name)
            return

        def goes_on() -> bool:
            self.end_applications()
            asked = run_record.cancelled(self.options.lake, self.options.run)
            return not asked and time.monotonic() < self.ends

        keep_running(lambda: self.execute(command, self.name), goes_on, lambda line: self.log.say(f"step.py: {line}"))

    def endless(self) -> list[str]:
        """Names of the job's steps that go on until somebody asks for their end."""
        return [step.name for step in self.job.steps if step.endless]

    def check_tables(self) -> None:
        """Holds the tables that are complete by now against their declarations; staged ones are not in the lake yet."""
        options = self.options
        leaves = [] if options.stage else next(step.leaves for step in self.job.steps if step.name == options.step)
        try:
            for told in check_left(self.job.tables, leaves, options.lake, options.run):
                self.log.say(f"step.py: {told}")
        except (ValueError, OSError) as problem:
            raise StepError(f"{self.name}: {problem}") from problem

    def execute(self, command: Sequence[str], what: str) -> None:
        """Runs a program within what is left of the time limit, and ends whatever it leaves behind."""
        left = self.ends - time.monotonic()
        ended = run_program(command, self.log, left, on_sigterm=lambda reason: self.fail(str(reason)))
        if ended.timed_out:
            raise StepError(f"{self.name} took longer than its time limit of {spoken(self.options.time_limit)}")
        if ended.code:
            raise ProgramError(ended.code, f"{what} failed (exit {ended.code}): {self.why(ended)}")

    def why(self, ended: Ended) -> str:
        """Why a program failed."""
        cures = _ON_GOOGLE if self.options.lake.startswith("gs://") else _ON_AWS
        return why(ended.code, ended.output, ended.errors, cures)

    def copy_tables(self, stage: str) -> None:
        """Brings what the steps left in HDFS into the lake."""
        for table in self.job.tables:
            source, target = f"{stage}/{table.name}", f"{self.options.lake}/{table.name}/run={self.options.run}"
            test = ["hdfs", "dfs", "-test", "-d", source]
            code = subprocess.run(test, check=False, timeout=TOOL_SECONDS).returncode
            if code == 0:
                what = f"{self.name}: copying {source} to {target}"
                self.execute(["s3-dist-cp", "--src", source, "--dest", target], what)
                # An HDFS that is fuller than a tenth keeps a cluster from being idle.
                self.execute(["hdfs", "dfs", "-rm", "-r", "-skipTrash", source], f"{self.name}: clearing {source}")
            elif code != 1:  # 1: there is none
                raise StepError(f"{self.name}: HDFS did not say whether {source} is there (exit {code})")

    def is_last(self) -> bool:
        """Whether the run ends with the step."""
        return self.options.step == self.job.steps[-1].name

    def end_applications(self) -> None:
        """Makes sure that nothing of the step still runs on the cluster."""
        if not uses_yarn(self.options.command):
            return
        try:
            for application in end_applications(self.tag):
                self.log.say(f"step.py: ended {application}, which was still running")
        except StepError as problem:
            self.log.say(f"step.py: whether something still runs is not known: {problem}")

    def clear_scratch(self) -> None:
        """Removes what the steps of the run kept for each other, after the last or one that failed."""
        options = self.options
        if not options.scratch or not (self.failed or self.is_last()):
            return
        try:
            clear_folder(options.scratch)
        except StepError as problem:
            self.log.say(f"step.py: {options.scratch} could not be removed: {problem}")

    def begin(self) -> None:
        """Takes the step on. Raises RunEndedError, and RunCancelledError when it must not be begun."""
        self.record("running", "running")
        self.state = "running"

    def record(self, state: str, step_state: str, error: str | None = None) -> None:
        """Writes the run's record, which the first time says what made the run."""
        options = self.options
        run_record.record(
            options.lake,
            options.run,
            self.job.job,
            state,
            steps=states_of([step.name for step in self.job.steps], options.step, step_state),
            endless=self.endless(),
            tables=self.job.tables,
            deadline=options.deadline,
            error=error,
            origin=self.origin,
        )

    def succeed(self) -> None:
        """Records that the step succeeded, and with the last one the run: then the tables' digests are computed.

        Raises StepError, and RunCancelledError when another step was to follow.
        """
        self.state = "succeeded"
        try:
            self.record("succeeded" if self.is_last() else "running", "succeeded")
        except (OSError, ValueError) as problem:
            raise StepError(f"{self.name} ran, but its tables could not be recorded: {problem}") from problem

    def fail(self, reason: str, step_state: str = "failed") -> None:
        """Records that the run failed, for the first reason given, or was cancelled, where somebody asked for that."""
        if self.failed:
            return
        self.failed = True
        self.log.say(f"step.py: error: {one_line(reason)}")
        try:
            self.record("failed", step_state, reason)
        except Exception as problem:
            self.log.say(f"step.py: error: the run's record could not be written: {one_line(problem)}")


def _secret(text: str) -> tuple[str, str]:
    name, _, address = text.partition("=")
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name) or not is_secret_address(address):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=ARN or NAME=projects/P/secrets/S/versions/V")
    return name, address


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line's options."""
    parser = oneoff.ArgumentParser(
        prog="step.py",
        usage="step.py [options] -- COMMAND ...",
        description="Run one step of a run, and tell the lake of it. Exit code 0: the step succeeded; 1: it failed; "
        f"{run_record.EXIT_RUN_ENDED}: the run had ended before, or is to be cancelled, so nothing more is run; "
        f"{EXIT_TERMINATED}: SIGTERM came.",
    )
    run_record.add_record_arguments(parser)
    parser.add_argument("--step", required=True, help="name of the step")
    job = "the job's steps and tables (default: job.json beside this file)"
    parser.add_argument("--job-file", default=Path(__file__).with_name("job.json"), type=Path, metavar="FILE", help=job)
    limit = "the step is ended when it takes longer"
    parser.add_argument("--time-limit", required=True, type=oneoff.count, metavar="SECONDS", help=limit)
    stage = "in HDFS: its tables are copied into the lake, which is in S3, at the end"
    parser.add_argument("--stage", metavar="FOLDER", help=stage)
    scratch = "what the steps keep for each other, in S3 or Cloud Storage: it is removed at the end"
    parser.add_argument("--scratch", metavar="FOLDER", help=scratch)
    parser.add_argument(
        "--secret",
        dest="secrets",
        action="append",
        default=[],
        type=_secret,
        metavar="NAME=ADDRESS",
        help=f"once per secret: it is in {SECRETS}/oneoff-NAME while the step runs",
    )
    parser.add_argument("--log-every", type=float, default=5, metavar="SECONDS", help="how often the log is put")
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="what to run; spark-submit is given a YARN tag")
    options = parser.parse_args(arguments)
    options.lake = options.lake.rstrip("/")
    if options.stage and not options.lake.startswith("s3://"):
        parser.error(f"argument --stage: {options.stage!r} needs a --lake in S3, which {options.lake!r} is not")
    try:
        options.job = typed(json.loads(options.job_file.read_text(encoding="utf-8")), JobFile, options.job_file.name)
    except (ValueError, OSError) as problem:
        parser.error(f"argument --job-file: {one_line(problem)}")
    steps = [step.name for step in options.job.steps]
    if options.step not in steps:
        parser.error(f"argument --step: {options.step!r} is not among the job's steps {', '.join(steps)}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    options = parse(arguments)
    if options.lake.startswith("s3://"):
        find_region()
    raise_on_sigterm("ended by SIGTERM (the cluster was terminated, or the step cancelled)")
    step = Runner(options)
    code = 0
    try:
        step.begin()
        step.run()
        step.succeed()
    except Exception as problem:
        ignore_sigterm()
        if isinstance(problem, run_record.RunEndedError):
            print(f"step.py: error: {problem}", file=sys.stderr)
            return run_record.EXIT_RUN_ENDED
        if isinstance(problem, run_record.RunCancelledError):
            code = run_record.EXIT_RUN_ENDED
            step.fail(str(problem), step.state)  # between two steps, so it is none that was cancelled
        else:
            code = EXIT_TERMINATED if isinstance(problem, TerminatedError) else 1
            ours = isinstance(problem, (StepError, TerminatedError))
            step.fail(str(problem) if ours else f"{step.name} could not be run: {type(problem).__name__}: {problem}")
    ignore_sigterm()
    step.end_applications()
    step.clear_scratch()
    step.log.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
