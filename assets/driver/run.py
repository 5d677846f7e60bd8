"""Runs a job: waits for the cluster, runs the steps one after another, and tells the lake of it.

All that differs from run to run, and from cluster to cluster, is said in a description of the run (run_spec.py). A
Swarm is given an archive whose main program this is, with the description and the steps' files
(components/docker/run.ts); on one machine all of that lies in a folder (provider/run.ts).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from threading import Thread
from typing import Any

import kept
import oneoff
import run_record
import run_spec
from run_cancel import CancelWatch, asking_on_sigterm
from run_secrets import printed_secrets, read_secrets, write_secrets
from run_services import YARN, address_towards, is_hdfs, missing_of_hdfs, missing_of_spark
from run_space import is_full, no_space
from run_spec import RunSpec, Step
from run_status import SPARE, Status, iso, now
from run_tables import Stage, make_folder, remove_folder
from step_endless import ENDS_SECONDS, keep_running
from step_log import Log, open_log
from step_problem import Cures, one_line, why
from step_runner import (
    EXIT_TERMINATED,
    KILL_AFTER,
    Ended,
    ProgramError,
    StepError,
    TerminatedError,
    ignore_sigterm,
    raise_on_sigterm,
    run_program,
    spoken,
    with_options,
)
from table_check import check_left
from typed_json import JsonError

DESTROYED = "the cluster was destroyed before its run ended"
CLEAR_SECONDS = 60  # that removing what nobody needs any more may take
# Whoever destroys the cluster waits for it: Docker 2 minutes (components/docker/service.ts), the provider seconds.
TERMINATED_AFTER = 3  # seconds that a step has to end itself
TERMINATED_CLEAR_SECONDS = 3
LAKE_CREDENTIALS = "lake-credentials"  # the secret that opens the lake
LOCAL_KILL_AFTER = 3  # seconds that a program of this machine has to end itself when its time is up
_HERE = Cures(
    driver="give Spark more (oneoff:memory)",
    executor="give Spark more (oneoff:memory)",
    killed="lower oneoff:memory or oneoff:cores, so that Spark and a Python worker per core fit into this machine",
    space="",  # as `no_space` says it
)
_IN_A_SWARM = Cures(
    driver="give the driver more (oneoff:driverMemory)",
    executor="give the workers more (oneoff:workerMemory)",
    killed="give the driver more (oneoff:driverMemory)",
    space="no space is left on a node's disk; free some",
)


class Run:
    """A run of a job while it runs."""

    def __init__(self, spec: RunSpec, options: argparse.Namespace) -> None:
        """options: as `parse` returns them."""
        self.spec, self.options = spec, options
        self.work = Path(spec.work)
        started = datetime.now(timezone.utc)
        # By the clock of the day: a machine that sleeps does not stop it.
        self.ends = started.timestamp() + spec.deadline_seconds
        self.status = Status(
            f"{spec.lake}/_clusters/{spec.run}/status.json",
            {
                "run": spec.run,
                "job": spec.job,
                "state": "running",
                "started": iso(started),
                "deadline": iso(started + timedelta(seconds=spec.deadline_seconds)),
                "steps": [
                    {"name": step.name, "state": "pending", **({"endless": True} if step.endless else {})}
                    for step in spec.steps
                ],
            },
        )
        names = [table.name for table in spec.tables]
        self.stage = Stage(spec.stage, spec.lake, spec.run, names) if spec.stage else None
        self.log: Log | None = None
        self.sites: dict[str, Path] = {}
        self.failed = False
        self.patience = 0.0  # seconds that what runs now has to end itself once somebody asks for that

    def run(self) -> None:
        """From the record's beginning to its end.

        Raises RunEndedError, RunCancelledError, StepError, TerminatedError and OSError.
        """
        try:
            self.unpack_secrets()
        except StepError:
            with contextlib.suppress(OSError, StepError):  # it may be that nothing but secrets opens the lake
                self.begin()
            raise
        self.begin()
        self.wait_for_services()
        for number, file in enumerate(dict.fromkeys(filter(None, (step.requirements for step in self.spec.steps)))):
            self.install(file, self.work / f"site-{number}")
        for index, step in enumerate(self.spec.steps):
            self.run_step(index, step)
        self.clear(CLEAR_SECONDS)
        try:
            self.end("succeeded")
        except (OSError, ValueError) as problem:
            raise StepError(f"the steps ran, but their tables could not be recorded: {problem}") from problem

    def unpack_secrets(self) -> None:
        """Gives each secret a file of its own, and opens the lake with the one that is meant for it."""
        folder = self.work / "secrets"
        if command := self.spec.secrets_command:
            write_secrets(printed_secrets(command), folder)
        elif file := self.spec.secrets_file:
            write_secrets(read_secrets(file), folder)
        path = folder / LAKE_CREDENTIALS
        if path.exists():
            os.environ.update(AWS_SHARED_CREDENTIALS_FILE=str(path), GOOGLE_APPLICATION_CREDENTIALS=str(path))

    def begin(self) -> None:
        """Takes the run on. Whoever was killed while it had the run left half-written tables: nothing is run then."""
        started = self.status.content["started"]
        self.status.content["started"] = self.record("running")["started"]
        self.status.start()
        oneoff.reserve(f"{self.spec.lake}/_runs/{self.spec.run}.json", SPARE)
        if self.status.content["started"] < started and not any(step.endless for step in self.spec.steps):
            raise StepError("its container was killed, or the machine restarted, before the run ended")

    def wait_for_services(self) -> None:
        """Until Spark has a worker and HDFS, where it is used, a datanode."""
        spec, shared = self.spec, self.spec.stage or self.spec.scratch
        if spec.master_page is not None:
            self.wait(lambda: missing_of_spark(spec.master, spec.master_page))
        if is_hdfs(shared):
            self.wait(lambda: missing_of_hdfs(shared))
        self.status.change(cluster=None)

    def wait(self, missing: Callable[[], str | None]) -> None:
        """Until nothing is missing, or for so long as the options say."""
        ends, said = time.monotonic() + self.options.patience, None
        while what := missing():
            if what != said:
                said = what
                self.status.change(cluster={"state": "waiting", "reason": what})
                self.say(f"run.py: waiting: {what}")
            if time.monotonic() > ends:
                raise StepError(f"{what} within {spoken(self.options.patience)}")
            self.time_left()
            time.sleep(1)

    def install(self, file: str, site: Path) -> None:
        """Installs what a requirements file asks for and this Python lacks, and packs it for the executors."""
        self.open_log("requirements")
        exact = ["--exact"] if self.spec.exact_requirements else []
        keep = ["--kept", str(self.options.kept)] if self.options.kept else []
        command = [
            sys.executable,
            str(self.work / "code" / "requirements.py"),
            *exact,
            *keep,
            "--into",
            str(site),
            file,
        ]
        self.execute(command, "installing the steps' requirements")
        while site.is_symlink() and not kept.hold(site.resolve().parent):  # it was removed in that moment
            site.unlink()
            self.execute(command, "installing the steps' requirements")
        if site.exists():
            self.sites[file] = site
        if site.exists() and not self.is_local():
            with tarfile.open(f"{site}.tar.gz", "w:gz", compresslevel=1) as archive:
                archive.add(site.resolve(), arcname=".")  # which may be a link to what is kept

    def run_step(self, index: int, step: Step) -> None:
        """Runs a step and brings the tables that it wrote into the lake."""
        self.status.change_step(index, state="running", started=now())
        try:
            self.record_progress()
        except run_record.RunCancelledError:
            self.status.change_step(index, state="pending", started=None)
            raise
        try:
            make_folder(self.spec.scratch)  # a step before may have taken it away
            self.open_log(step.name)
            self.run_program(index, step)
            if self.stage:
                self.copy_tables(self.stage)
            self.check_tables(step)
        except Exception:
            self.status.change_step(index, state="failed", ended=now())
            raise
        self.status.change_step(index, state="succeeded", ended=now())

    def run_program(self, index: int, step: Step) -> None:
        """Runs a step's program, one that is endless until it ends by itself."""

        def execute() -> None:
            self.execute(
                self.command_of(step),
                f'step "{step.name}"',
                step.time_limit_seconds,
                self.environment_of(step),
                lambda line: self.status.note_progress(index, line),
            )

        if not step.endless:
            execute()
            return
        self.patience = ENDS_SECONDS
        lake, run = self.spec.lake, self.spec.run
        asks = asking_on_sigterm(lake, run, DESTROYED) if self.options.sigterm_asks else contextlib.nullcontext()
        with asks:
            keep_running(execute, lambda: not run_record.cancelled(lake, run) and self.time_left() > 0, self.say)

    def check_tables(self, step: Step) -> None:
        """Holds the tables that are complete by now against their declarations."""
        try:
            for told in check_left(self.spec.tables, step.leaves, self.spec.lake, self.spec.run):
                self.say(f"run.py: {told}")
        except (ValueError, OSError) as problem:
            raise StepError(f'step "{step.name}": {problem}') from problem

    def copy_tables(self, stage: Stage) -> None:
        """Brings what is new in the stage into the lake."""
        started = time.monotonic()
        files, size = stage.copy(self.time_left())
        seconds = time.monotonic() - started
        self.say(f"run.py: {files} part files ({size} bytes) copied to {self.spec.lake} in {seconds:.1f} s")

    def execute(
        self,
        command: Sequence[str],
        what: str,
        limit: float = float("inf"),
        env: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        """Runs a program within its time limit and what is left until the deadline."""
        assert self.log
        left = self.time_left()
        ended = run_program(
            command,
            self.log,
            min(left, limit),
            env={**os.environ, **(env or {})},
            folder=self.work,
            on_line=on_line,
            on_sigterm=lambda reason: self.fail(str(reason)),  # at once: there may be no time for it later
            terminated_after=TERMINATED_AFTER,
            kill_after=LOCAL_KILL_AFTER if self.is_local() else KILL_AFTER,
        )
        if ended.timed_out:
            if limit < left:
                raise StepError(f"{what} took longer than its time limit of {spoken(limit)}")
            self.time_left()
        if ended.code:
            raise ProgramError(ended.code, f"{what} failed (exit {ended.code}): {self.why(ended)}")

    def why(self, ended: Ended) -> str:
        """Why a program failed."""
        if not self.is_local():
            return why(ended.code, ended.output, ended.errors, _IN_A_SWARM)
        space = no_space(self.spec.lake)
        reason = why(ended.code, ended.output, ended.errors, _HERE._replace(space=space))
        # Whatever else a program says: it can't do without.
        return f"{space}: {reason}" if is_full(self.spec.lake) and not reason.startswith(space) else reason

    def reason(self, problem: Exception) -> str:
        """Why a run failed that raised this."""
        if isinstance(problem, (StepError, TerminatedError, run_record.RunCancelledError)):
            return str(problem)
        if oneoff.is_full_disk(problem) and "://" not in self.spec.lake:
            return f"{no_space(self.spec.lake)}: {problem}"
        return f"the run broke off: {type(problem).__name__}: {problem}"

    def time_left(self) -> float:
        """Seconds until the deadline. Raises StepError when it has passed."""
        left = self.ends - time.time()
        if left <= 0:
            raise StepError(f"the deadline of {spoken(self.spec.deadline_seconds)} has passed")
        return left

    def is_local(self) -> bool:
        """Whether executors are threads of the driver, on this machine, with everything on its disk."""
        return self.spec.master.startswith("local")

    def command_of(self, step: Step) -> list[str]:
        """A step's command, with what is known only here."""
        if self.is_local():
            return step.command
        # Executors connect to the driver; of several networks only the cluster's is theirs too.
        manager = self.spec.master_page if self.spec.master == YARN else self.spec.master
        host = address_towards(manager or "") or socket.gethostname()
        options = ["--conf", f"spark.driver.host={host}"]
        if site := self.sites.get(step.requirements or ""):
            options += ["--archives", f"{site}.tar.gz#site", "--conf", "spark.executorEnv.PYTHONPATH=site"]
        return with_options(step.command, *options)

    def environment_of(self, step: Step) -> Mapping[str, str]:
        """What a step has in its environment beside ours."""
        site = self.sites.get(step.requirements or "")
        folders = [*step.python_path, *([str(site)] if site else []), os.environ.get("PYTHONPATH")]
        return {"PYTHONPATH": os.pathsep.join(filter(None, folders))}

    def clear(self, seconds: float) -> None:
        """Removes all that was for the run alone, and is in the lake by now, as well as that can be done."""
        spec = self.spec
        apart = [address for address in (spec.scratch, spec.stage) if address and not is_below(address, spec.work)]
        threads = [Thread(target=self.clear_folder, args=(address,), daemon=True) for address in (*apart, spec.work)]
        ends = time.monotonic() + seconds
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0, ends - time.monotonic()))
        if any(thread.is_alive() for thread in threads):
            self.say(f"run.py: what was for the run alone was not removed within {spoken(round(seconds))}")

    def clear_folder(self, address: str) -> None:
        """Says so when a folder can't be removed."""
        try:
            remove_folder(address)
            if "://" not in address and Path(address).parent.name.startswith("_"):
                with contextlib.suppress(OSError):  # runs may share it
                    Path(address).parent.rmdir()
        except Exception as problem:
            self.say(f"run.py: {address} could not be removed: {one_line(problem)}")

    def fail(self, reason: str) -> None:
        """Records that the run failed, for the first reason given, or was cancelled, where somebody asked for that."""
        if self.failed:
            return
        self.failed = True
        for index, step in enumerate(self.status.content["steps"]):
            if step["state"] == "running":
                self.status.change_step(index, state="failed", ended=now())
        try:
            self.end("failed", one_line(reason))
        except Exception as problem:
            self.say(f"run.py: error: the run's record could not be written: {one_line(problem)}")
            self.status.change(state="failed", error=one_line(reason), ended=now(), cluster=None)
        if said := self.status.content.get("error"):
            self.say(f"run.py: {said}" if self.status.content["state"] == "cancelled" else f"run.py: error: {said}")

    def end(self, state: str, error: str | None = None) -> None:
        """Writes the record and the status for the last time; with success the tables' digests are computed."""
        try:
            content = self.record(state, error)
            state, error, ended = content["state"], content.get("error"), content["ended"]
        except (
            run_record.RunEndedError
        ) as before:  # SIGTERM came just after the record was written, or somebody else did
            state, error, ended = before.state, before.error, before.ended
        self.status.change(state=state, error=error, ended=ended, cluster=None)

    def record(self, state: str, error: str | None = None) -> dict[str, Any]:
        """Writes the run's record; returns it."""
        spec, status = self.spec, self.status.content
        return run_record.record(
            spec.lake,
            spec.run,
            spec.job,
            state,
            steps=[(step["name"], step["state"]) for step in status["steps"]],
            endless=[step.name for step in spec.steps if step.endless],
            tables=spec.tables,
            origin=json.loads(spec.origin or "null"),
            deadline=status["deadline"],
            error=error,
        )

    def record_progress(self) -> None:
        """For those who watch; the record at the end is the one that counts."""
        try:
            self.record("running")
        except OSError as problem:
            self.say(f"run.py: the run's record could not be written: {one_line(problem)}")

    def open_log(self, name: str) -> None:
        """From here on, what is said goes to `_logs/<run>/<name>.log`."""
        if self.log:
            self.log.close()
        address = f"{self.spec.lake}/_logs/{self.spec.run}/{name}.log"
        self.log = open_log(address, self.options.log_every, echo=not self.options.quiet)

    def say(self, line: str) -> None:
        """Tells those who read the step's log, or the container's."""
        if self.log:
            self.log.say(line)
        else:
            with contextlib.suppress(OSError):
                print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Puts the last of log and status."""
        if self.log:
            self.log.close()
        self.status.close()


def is_below(address: str, folder: str) -> bool:
    """Whether an address is that of a file or folder within a folder."""
    return "://" not in address and Path(address).is_relative_to(folder)


def perform(run: Run) -> int:
    """Runs it, whatever comes of it; returns the exit code."""
    raise_on_sigterm(DESTROYED)
    watch = CancelWatch(run.spec.lake, run.spec.run, lambda: run.patience)
    watch.start()
    code = 0
    try:
        run.run()
    except Exception as problem:
        ignore_sigterm()
        if isinstance(problem, run_record.RunEndedError):
            print(f"run.py: {problem}; nothing is run", file=sys.stderr)
            return 0
        code, reason = 1, run.reason(problem)
        if isinstance(problem, (TerminatedError, run_record.RunCancelledError)):
            code = EXIT_TERMINATED
            run.fail(reason)  # first: there may be no time for it later
            run.clear(TERMINATED_CLEAR_SECONDS)
        else:
            run.clear(CLEAR_SECONDS)  # first: it makes room for the record where the disk is full
            run.fail(reason)
    finally:
        watch.end()
    ignore_sigterm()
    run.close()
    return code


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line's options."""
    parser = oneoff.ArgumentParser(
        prog="run.py",
        description="Run a job. Exit code 0: it succeeded, or had ended before; 1: it failed; 2: it is not described "
        f"as it should be; {EXIT_TERMINATED}: SIGTERM came, or it was cancelled.",
    )
    about = "description of the run; the driver lies in the folder `code` of its `work` (default: that of this archive)"
    parser.add_argument("--spec", type=Path, metavar="FILE", help=about)
    patience = "how long to wait for Spark and HDFS (default: %(default)s)"
    parser.add_argument("--patience", type=oneoff.count, default=180, metavar="SECONDS", help=patience)
    often = "how often a log that is an object is put (default: %(default)s)"
    parser.add_argument("--log-every", type=float, default=5, metavar="SECONDS", help=often)
    place = "where installed requirements are kept for other runs on this machine (default: nowhere)"
    parser.add_argument("--kept", type=Path, metavar="FOLDER", help=place)
    about = "SIGTERM asks an endless step for its end, as `oneoff cancel` does: whoever sends it waits for that"
    parser.add_argument("--sigterm-asks", action="store_true", help=about)
    quiet = "write what the steps print into their logs alone"
    parser.add_argument("--quiet", action="store_true", help=quiet)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    options = parse(arguments)
    archive = Path(__file__).parent
    try:
        spec = run_spec.read(options.spec or zipfile.Path(archive, "run.json"))
    except (JsonError, OSError) as problem:
        print(f"run.py: error: {one_line(problem)}", file=sys.stderr)
        return 2
    work = Path(spec.work)
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        if not options.spec:
            with zipfile.ZipFile(archive) as opened:
                opened.extractall(work / "code")
        return perform(Run(spec, options))
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
