"""Why a machine of a fleet is not idle, or since when it is: one line of JSON.

It is not idle while any of these is so, or can't be found out:

- an application on Spark's master, or YARN, holds cores or waits for some. One without cores whose user has kernels,
  all of them idle, is a notebook's and doesn't count;
- a kernel of JupyterLab is busy, or was used within the last minutes (--active);
- a user has an SSH session, be it for forwarded ports alone;
- a GPU is in use, or was within --for, as work on it takes breaks. It is when its utilization is at least --gpu-below.
  Memory that a process holds there is no use: notebooks hold it for days.

What runs beside them, such as a program that somebody left in the background on a CPU, doesn't count.
"""

from __future__ import annotations

import argparse
import json
import pwd
import subprocess
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from fleet_accounts import ssh_sessions
from fleet_hdfs import FleetError, run
from fleet_status import MASTER, ask_master, master_address
from reset import Jupyter, read_token
from users import write

ACTIVE_S = 300
GPU_FOR_S = 600
# Nobody looked for longer than that, as the machine was off or its clock was set: what was then is not known.
GAP_S = 900
SMI = ("nvidia-smi", "--query-gpu=index,utilization.gpu,memory.used", "--format=csv,noheader,nounits")
SMI_S = 20
MOST_SHOWN = 80


# What is asked --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Notebooks:
    """What a user's JupyterLab tells."""

    user: str
    kernels: list[dict[str, Any]]
    paths: dict[str, str]  # of the notebooks, by their kernels

    def reasons(self, active: float, now: float) -> Iterator[str]:
        """What is done there."""
        for kernel in self.kernels:
            what = f"{self.user}'s kernel {shown(self.paths.get(kernel['id']) or kernel['name'])}"
            ago = now - datetime.fromisoformat(kernel["last_activity"].replace("Z", "+00:00")).timestamp()
            if kernel["execution_state"] == "busy":
                yield f"{what} is busy"
            elif ago < active:
                yield f"{what} was used {in_time(ago)} ago"


def ask_notebooks(url: str, token_file: Path) -> Notebooks:
    """Of whoever the file with the token belongs to."""
    jupyter = Jupyter(url, read_token(token_file))
    sessions = jupyter.ask("GET", "sessions") or []
    return Notebooks(
        user=name_of(token_file.stat().st_uid),
        kernels=jupyter.ask("GET", "kernels") or [],
        paths={each["kernel"]["id"]: each["path"] for each in sessions if each.get("kernel")},
    )


def ask_gpus() -> dict[str, tuple[float, int]]:
    """Utilization in percent and mebibytes held of each GPU."""
    try:
        done = subprocess.run(SMI, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=SMI_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FleetError(f"nvidia-smi does not answer: {error}") from error
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise FleetError(f"nvidia-smi ended with {done.returncode}: {shown(said[-1]) if said else 'it said nothing'}")
    rows = [line.split(",") for line in done.stdout.splitlines()]
    try:
        return {index.strip(): (float(percent), int(mebibytes)) for index, percent, mebibytes in rows}
    except ValueError as error:
        raise FleetError(f"nvidia-smi doesn't tell how much is used: {shown(done.stdout)}") from error


# What it means --------------------------------------------------------------------------------------------------------


def spark_reasons(applications: list[dict[str, Any]], idle: Collection[str]) -> Iterator[str]:
    """`idle` are those whose kernels are."""
    for each in applications:
        what = f"{shown(each['user'])}'s application {shown(each['name'])}"
        if each["cores"]:
            yield f"{what} holds {each['cores']} core{'' if each['cores'] == 1 else 's'}"
        elif each["user"] not in idle:
            yield f"{what} waits for cores"


def gpu_reasons(
    gpus: dict[str, tuple[float, int]], below: float, lasting: float, last: dict[str, float], now: float
) -> Iterator[str]:
    """`last` is when each was in use, which is renewed."""
    for index, (percent, mebibytes) in gpus.items():
        if percent >= below:
            last[index] = now
            yield f"GPU {index} is at {percent:g} %"
        elif index in last and now - last[index] < lasting:
            yield (
                f"GPU {index} was in use {in_time(now - last[index])} ago; it is at {percent:g} % now, "
                f"and {mebibytes} MiB are held"
            )


def part(what: str, ask: Callable[[], Iterable[str]]) -> list[str]:
    """What is done in one place, or why that can't be told."""
    try:
        return list(ask())
    except FleetError as error:
        return [str(error)]
    except Exception as error:  # an answer of another version, or half of one
        return [f"{what} gave no answer that can be read: {error!r}"]


def look(options: argparse.Namespace, last: dict[str, float], now: float) -> list[str]:
    """Everything that is done."""
    with ThreadPoolExecutor(len(options.jupyter) + 2) as pool:
        master = pool.submit(ask_master, options.master) if options.master else None
        gpus = pool.submit(ask_gpus) if options.gpu_below is not None else None
        places = zip(options.jupyter, options.token_file, strict=True)
        notebooks = {url: pool.submit(ask_notebooks, url, file) for url, file in places}
    reasons: list[str] = []
    idle: set[str] = set()
    for url, found in notebooks.items():
        said = part(f"the notebook {url}", lambda found=found: found.result().reasons(options.active, now))
        reasons += said
        if not said and found.result().kernels:
            idle.add(found.result().user)
    if master:
        what = f"the master {options.master}"
        reasons += part(what, lambda: spark_reasons(master.result()["activeapps"], idle))
    reasons += [f"{user} has an SSH session" for user in sorted({name_of(uid) for _, uid in ssh_sessions()})]
    if gpus:
        limits = (options.gpu_below, options.lasting)
        reasons += part("nvidia-smi", lambda: gpu_reasons(gpus.result(), *limits, last, now))
    return reasons


# Since when -----------------------------------------------------------------------------------------------------------


def read_state(file: Path, now: float) -> dict[str, Any]:
    """What was known at the last look, if that was a short while ago."""
    try:
        found = json.loads(file.read_text())
        if 0 <= now - found["looked"] <= GAP_S:
            return {"since": found["since"], "gpus": dict(found["gpus"])}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {"since": None, "gpus": {}}


def tell(options: argparse.Namespace, now: float) -> dict[str, Any]:
    """Looks, and keeps since when there is nothing."""
    state = read_state(options.state, now)
    reasons = look(options, state["gpus"], now)
    since = None if reasons else state["since"] if state["since"] is not None else now
    try:
        write(options.state, {"looked": now, "since": since, "gpus": state["gpus"]}, 0o600)
    except OSError as error:
        raise FleetError(f"--state is {options.state}, which can't be written: {error.strerror}") from error
    return {"busy": bool(reasons), "reasons": reasons, "idleSince": iso(since), "looked": iso(now)}


# Words ----------------------------------------------------------------------------------------------------------------


def name_of(uid: int) -> str:
    """Of an account."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def shown(text: str) -> str:
    """What a user named, as it may be printed."""
    return "".join(each if each.isprintable() else " " for each in str(text).strip())[:MOST_SHOWN]


def in_time(seconds: float) -> str:
    """For people."""
    return f"{max(seconds, 0):.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def iso(moment: float | None) -> str | None:
    """In UTC."""
    return None if moment is None else datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="seconds")


def percent(text: str) -> float:
    """More than nothing, and at most all of it."""
    found = float(text)
    if not 0 < found <= 100:
        raise argparse.ArgumentTypeError(f'"{text}" is no share: expected more than 0, and at most 100')
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, required=True, metavar="FILE", help="keeps since when; it is made")
    parser.add_argument("--master", type=master_address, metavar=MASTER, help="address of the master's page")
    parser.add_argument("--jupyter", action="append", default=[], metavar="URL", help="a user's JupyterLab")
    parser.add_argument(
        "--token-file",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="its token, in a file of its user's",
    )
    parser.add_argument(
        "--active", type=float, default=ACTIVE_S, metavar="SECONDS", help="kernels count as long (default: %(default)s)"
    )
    parser.add_argument("--gpu-below", type=percent, metavar="PERCENT", help="asks GPUs, which are idle below that")
    parser.add_argument(
        "--for",
        type=float,
        default=GPU_FOR_S,
        dest="lasting",
        metavar="SECONDS",
        help="and have been for as long (default: %(default)s)",
    )
    options = parser.parse_args()
    if len(options.jupyter) != len(options.token_file):
        parser.error("each --jupyter needs its --token-file")
    print(json.dumps(tell(options, time.time())))


if __name__ == "__main__":
    run("idle", main)
