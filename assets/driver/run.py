"""Runs a job in a Swarm: waits for the cluster, runs the steps one after another, and tells the lake of it.

It is the main program of an archive, which has beside it the steps' files and `run.json`, where all that differs from
run to run is said; components/docker/run.ts makes it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import socket
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import oneoff
from run_services import address_towards, is_hdfs, missing_of_hdfs, missing_of_spark
from run_status import Status, iso, now
from run_tables import Stage, make_folder, remove_folder
from step_log import Log, open_log
from step_runner import (
    EXIT_TERMINATED,
    StepError,
    TerminatedError,
    ignore_sigterm,
    one_line,
    raise_on_sigterm,
    run_program,
    spoken,
    why,
)

DESTROYED = "the cluster was destroyed before its run ended"
CLEAR_SECONDS = 60  # that removing what nobody needs any more may take
# After SIGTERM the service has 2 minutes (components/docker/service.ts), but whoever destroys it waits for it:
TERMINATED_AFTER = 3  # seconds that a step has to end itself
TERMINATED_CLEAR_SECONDS = 3
LAKE_CREDENTIALS = "lake-credentials"  # the secret that opens the lake
_KILLED = (-9, 137)  # exit codes of a program that was sent SIGKILL

Spec = Mapping[str, Any]


class Run:
    """A run of a job while it runs."""

    def __init__(self, spec: Spec, code: Path, work: Path, options: argparse.Namespace) -> None:
        """spec: run.json. code: the unpacked archive. work: a folder for what is not to be kept."""
        self.spec, self.code, self.work, self.options = spec, code, work, options
        self.steps: Sequence[Spec] = spec["steps"]
        started = datetime.now(timezone.utc)
        self.ends = time.monotonic() + spec["deadlineSeconds"]
        self.status = Status(
            f"{spec['lake']}/_clusters/{spec['run']}/status.json",
            {
                "run": spec["run"],
                "job": spec["job"],
                "state": "running",
                "started": iso(started),
                "deadline": iso(started + timedelta(seconds=spec["deadlineSeconds"])),
                "steps": [{"name": step["name"], "state": "pending"} for step in self.steps],
            },
        )
        names = [table["name"] for table in spec["tables"]]
        self.stage = Stage(spec["stage"], spec["lake"], spec["run"], names) if spec["stage"] else None
        self.log: Log | None = None
        self.sites: dict[str, Path] = {}
        self.secrets: dict[str, Path] = {}
        self.failed = False

    def run(self) -> None:
        """From the record's beginning to its end. Raises RunEndedError, StepError, TerminatedError and OSError."""
        try:
            self.unpack_secrets()
        except StepError:
            with contextlib.suppress(OSError, StepError):  # it may be that nothing but secrets opens the lake
                self.begin()
            raise
        self.begin()
        self.wait_for_services()
        self.make_folders()
        for number, file in enumerate(dict.fromkeys(filter(None, (step.get("requirements") for step in self.steps)))):
            self.install(file, self.work / f"site-{number}")
        for index, step in enumerate(self.steps):
            self.run_step(index, step)
        self.clear(CLEAR_SECONDS)
        self.end("succeeded")

    def unpack_secrets(self) -> None:
        """Gives each secret a file of its own, and opens the lake with the one that is meant for it."""
        file = self.spec["secretsFile"]
        try:
            values = json.loads(Path(file).read_text(encoding="utf-8"))
        except OSError as problem:
            raise StepError(f"the run's secrets could not be read: {problem}") from None
        except ValueError:  # what it says may repeat some of them
            values = None
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            raise StepError(f"the run's secrets could not be read: {file} is no JSON object of text values")
        folder = self.work / "secrets"
        folder.mkdir(mode=0o700)
        for name, value in values.items():
            self.secrets[name] = folder / name
            self.secrets[name].touch(mode=0o600)
            self.secrets[name].write_bytes(value.encode())
        if path := self.secrets.get(LAKE_CREDENTIALS):
            os.environ.update(AWS_SHARED_CREDENTIALS_FILE=str(path), GOOGLE_APPLICATION_CREDENTIALS=str(path))

    def begin(self) -> None:
        """Takes the run on. Whoever was killed while it had the run left half-written tables: nothing is run then."""
        started = self.status.content["started"]
        self.status.content["started"] = self.record("running")["started"]
        self.status.start()
        if self.status.content["started"] < started:
            raise StepError("its container was killed, or the machine restarted, before the run ended")

    def wait_for_services(self) -> None:
        """Until Spark has a worker and HDFS, where it is used, a datanode."""
        master, ui_port = self.spec["master"], self.spec.get("masterUiPort", 8080)
        self.wait(lambda: missing_of_spark(master, ui_port))
        for address in filter(is_hdfs, (self.spec["stage"] or self.spec["scratch"],)):
            self.wait(lambda address=address: missing_of_hdfs(address))
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

    def make_folders(self) -> None:
        """What steps and Spark expect to be there."""
        make_folder(self.spec["scratch"])
        events = self.spec["conf"].get("spark.eventLog.dir", "")
        if events.startswith("file:"):
            make_folder(urlsplit(events).path)
        elif events.startswith("hdfs:") and self.spec["stage"]:
            make_folder(f"webhdfs://{urlsplit(self.spec['stage']).netloc}{urlsplit(events).path}")

    def install(self, file: str, site: Path) -> None:
        """Installs what a requirements file asks for and the image lacks, and packs it for the executors."""
        self.open_log("requirements")
        command = [sys.executable, str(self.code / "requirements.py"), "--exact", "--into", str(site)]
        self.execute([*command, str(self.code / file)], "installing the steps' requirements")
        if site.exists():
            self.sites[file] = site
            with tarfile.open(f"{site}.tar.gz", "w:gz", compresslevel=1) as archive:
                archive.add(site, arcname=".")

    def run_step(self, index: int, step: Spec) -> None:
        """Runs a step and brings the tables that it wrote into the lake."""
        self.status.change_step(index, state="running", started=now())
        try:
            self.record_progress()
            self.open_log(step["name"])
            command, env = self.spark_submit(step)
            what, limit = f'step "{step["name"]}"', step["timeLimitSeconds"]
            self.execute(command, what, limit, env, lambda line: self.status.note_progress(index, line))
            if self.stage:
                self.copy_tables(self.stage)
        except Exception:
            self.status.change_step(index, state="failed", ended=now())
            raise
        self.status.change_step(index, state="succeeded", ended=now())

    def copy_tables(self, stage: Stage) -> None:
        """Brings what is new in the stage into the lake."""
        started = time.monotonic()
        files, size = stage.copy(self.time_left())
        seconds = time.monotonic() - started
        self.say(f"run.py: {files} part files ({size} bytes) copied to {self.spec['lake']} in {seconds:.1f} s")

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
        )
        if ended.timed_out:
            if limit < left:
                raise StepError(f"{what} took longer than its time limit of {spoken(limit)}")
            self.time_left()
        if ended.code in _KILLED:
            raise StepError(f"{what} was killed; the memory of its container may be too small: {why(ended.printed)}")
        if ended.code:
            raise StepError(f"{what} failed (exit {ended.code}): {why(ended.printed)}")

    def time_left(self) -> float:
        """Seconds until the deadline. Raises StepError when it has passed."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise StepError(f"the deadline of {spoken(self.spec['deadlineSeconds'])} has passed")
        return left

    def spark_submit(self, step: Spec) -> tuple[list[str], dict[str, str]]:
        """The command of a step and what it adds to the environment."""
        spec, site = self.spec, self.sites.get(step.get("requirements", ""))
        conf = {
            # Executors connect to the driver; of several networks only the cluster's is theirs too.
            "spark.driver.host": address_towards(spec["master"]) or socket.gethostname(),
            "spark.log.level": "WARN",
            "spark.sql.warehouse.dir": str(self.work / "warehouse"),
            "spark.ui.showConsoleProgress": "false",
            **({"spark.executorEnv.PYTHONPATH": "site"} if site else {}),
            **spec["conf"],
            **step["conf"],
        }
        # Of a module that goes by --py-files the driver gets a copy, and Spark refuses steps that add the copy as well,
        # by `SparkContext(pyFiles=[module.__file__])`. Executors can import what goes by --files; the driver, where it
        # lies.
        given = [self.code / path for path in step["pyFiles"]]
        modules = [path for path in given if path.suffix == ".py"]
        packed = [path for path in given if path.suffix != ".py"]
        files = [*modules, *(self.code / path for path in step["files"])]
        command = [
            *("spark-submit", "--master", spec["master"], "--deploy-mode", "client"),
            *("--name", f"{spec['job']} {spec['run']} {step['name']}"),
            *("--driver-memory", f"{spec['driverMemoryMebibytes']}m"),
            *(word for key, value in conf.items() for word in ("--conf", f"{key}={value}")),
            *_listed("--archives", [f"{site}.tar.gz#site"] if site else []),
            *_listed("--files", map(str, files)),
            *_listed("--py-files", map(str, packed)),
            *_listed("--packages", step["packages"]),
            *(("--class", step["mainClass"]) if step.get("mainClass") else ()),
            str(self.code / (step.get("script") or step["jar"])),
            *(re.sub(r"\{([^{}]*)\}", lambda found: self.place(found[1]), text) for text in step["arguments"]),
        ]
        folders = [*(path.parent for path in modules), *([site] if site else []), os.environ.get("PYTHONPATH")]
        return command, {"PYTHONPATH": os.pathsep.join(str(folder) for folder in folders if folder)}

    def place(self, placeholder: str) -> str:
        """What a placeholder of a step's arguments stands for."""
        spec = self.spec
        if placeholder in ("run", "lake", "scratch"):
            return spec[placeholder]
        if placeholder.startswith("secret:"):
            return str(self.secrets[placeholder.removeprefix("secret:")])
        return f"{spec['stage'] or spec['lake']}/{placeholder}/run={spec['run']}"

    def clear(self, seconds: float) -> None:
        """Removes what the steps kept for each other and what is in the lake by now, as well as that can be done."""
        threads = [
            Thread(target=self.clear_folder, args=(address,), daemon=True)
            for address in (self.spec["scratch"], self.spec["stage"])
            if address
        ]
        ends = time.monotonic() + seconds
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0, ends - time.monotonic()))
        if any(thread.is_alive() for thread in threads):
            self.say(f"run.py: scratch and stage were not removed within {spoken(round(seconds))}")

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
        """Records that the run failed, for the first reason given."""
        if self.failed:
            return
        self.failed = True
        self.say(f"run.py: error: {one_line(reason)}")
        for index, step in enumerate(self.status.content["steps"]):
            if step["state"] == "running":
                self.status.change_step(index, state="failed", ended=now())
        try:
            self.end("failed", one_line(reason))
        except Exception as problem:
            self.say(f"run.py: error: the run's record could not be written: {one_line(problem)}")
            self.status.change(state="failed", error=one_line(reason), ended=now(), cluster=None)

    def end(self, state: str, error: str | None = None) -> None:
        """Writes the record and the status for the last time; with success the tables' digests are computed."""
        try:
            ended = self.record(state, error)["ended"]
        except oneoff.RunEndedError:  # SIGTERM came just after the record was written
            state, error, ended = "succeeded", None, now()
        self.status.change(state=state, error=error, ended=ended, cluster=None)

    def record(self, state: str, error: str | None = None) -> dict[str, Any]:
        """Writes the run's record; returns it."""
        spec, status = self.spec, self.status.content
        return oneoff.record(
            spec["lake"],
            spec["run"],
            spec["job"],
            state,
            steps=[(step["name"], step["state"]) for step in status["steps"]],
            tables=[(table["name"], table["columns"]) for table in spec["tables"]],
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
        self.log = open_log(f"{self.spec['lake']}/_logs/{self.spec['run']}/{name}.log", self.options.log_every)

    def say(self, line: str) -> None:
        """Tells those who read the step's log, or the container's."""
        if self.log:
            self.log.say(line)
        else:
            print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Puts the last of log and status."""
        if self.log:
            self.log.close()
        self.status.close()


def _listed(option: str, items: Iterable[str]) -> list[str]:
    joined = ",".join(items)
    return [option, joined] if joined else []


def perform(run: Run) -> int:
    """Runs it, whatever comes of it; returns the exit code."""
    raise_on_sigterm(DESTROYED)
    code = 0
    try:
        run.run()
    except Exception as problem:
        ignore_sigterm()
        if isinstance(problem, oneoff.RunEndedError):
            print(f"run.py: {problem}; nothing is run", file=sys.stderr)
            return 0
        code = 1
        if isinstance(problem, TerminatedError):
            code = EXIT_TERMINATED
            run.fail(str(problem))  # first: there may be no time for it later
            run.clear(TERMINATED_CLEAR_SECONDS)
        else:
            run.clear(CLEAR_SECONDS)  # first: it makes room for the record where the disk is full
            ours = isinstance(problem, StepError)
            run.fail(str(problem) if ours else f"the run broke off: {type(problem).__name__}: {problem}")
    ignore_sigterm()
    run.close()
    return code


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line's options."""
    parser = oneoff.ArgumentParser(
        prog="run.py",
        description="Run the job of this archive. Exit code 0: it succeeded, or had ended before; 1: it failed; "
        f"{EXIT_TERMINATED}: SIGTERM came.",
    )
    patience = "how long to wait for Spark and HDFS (default: %(default)s)"
    parser.add_argument("--patience", type=oneoff.count, default=180, metavar="SECONDS", help=patience)
    often = "how often the log is put (default: %(default)s)"
    parser.add_argument("--log-every", type=float, default=5, metavar="SECONDS", help=often)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    options = parse(arguments)
    with tempfile.TemporaryDirectory(prefix="oneoff-", ignore_cleanup_errors=True) as folder:
        code, work = Path(folder, "code"), Path(folder, "work")
        work.mkdir()
        with zipfile.ZipFile(Path(__file__).parent) as archive:
            archive.extractall(code)
        spec = json.loads((code / "run.json").read_text(encoding="utf-8"))
        return perform(Run(spec, code, work, options))


if __name__ == "__main__":
    sys.exit(main())
