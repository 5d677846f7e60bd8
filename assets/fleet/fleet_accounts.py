"""Accounts of a node that are users of its fleet, and what runs for them."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from fleet_hdfs import FleetError

HOMES = Path("/home")
PROC = Path("/proc")
# Above UID_MAX, so nobody gets ids below their own, and in what systemd leaves free.
IDS = range(70_000, 80_000)
# Nobody's. As it, what ends a user's processes can't be ended by them.
STRANGER = 69_999
TERM_S = 2.0
KILL_S = 10.0
LOOK_S = 0.05
NO_PASSWORD = "*"
LOCKED = "!"
SSHD = ("sshd", "sshd-session")


# Accounts -------------------------------------------------------------------------------------------------------------


def account_id(name: str) -> int | None:
    """Of the account of that name."""
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def is_taken(name: str) -> bool:
    """Whether anything on this machine has the name."""
    try:
        grp.getgrnam(name)
    except KeyError:
        return account_id(name) is not None or os.path.lexists(HOMES / name)
    return True


def free_id(taken: Collection[int]) -> int:
    """An id that nobody has or had."""
    others = {each.pw_uid for each in pwd.getpwall()} | {each.gr_gid for each in grp.getgrall()}
    try:
        return next(uid for uid in IDS if uid not in taken and uid not in others)
    except StopIteration:
        raise FleetError(f"no id from {IDS.start} to {IDS.stop - 1} is free") from None


def command(*words: str | Path) -> None:
    """Runs a program of the machine's, which says what is wrong if something is."""
    try:
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise FleetError(f"{words[0]} can't be started: {error.strerror}") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise FleetError(f"{words[0]} ended with {done.returncode}: {said[-1] if said else 'it said nothing'}")


def make_account(name: str, uid: int) -> None:
    """In no group but its own, with a home."""
    try:
        grp.getgrnam(name)
    except KeyError:
        command("groupadd", "--gid", str(uid), name)
    home = HOMES / name
    private = ("--key", "UMASK=077", "--key", "HOME_MODE=0700")
    own = ("--uid", str(uid), "--gid", str(uid), "--no-user-group", "--groups", "")
    shell = ("--shell", "/bin/bash", "--password", LOCKED)
    command("useradd", *own, *shell, *private, "--create-home", "--home-dir", home, name)
    os.chown(home, uid, uid)


def open_account(name: str) -> None:
    """There is no password still; sshd would refuse one that is locked."""
    command("usermod", "--password", NO_PASSWORD, "--expiredate", "", "--shell", "/bin/bash", name)


def lock_account(name: str) -> None:
    """Nothing starts for it any more: no session, and nothing that it left to be started later."""
    command("usermod", "--password", LOCKED, "--expiredate", "1", "--shell", "/sbin/nologin", name)


def close_home(name: str, uid: int) -> None:
    """Others can't look into it, whatever its owner did."""
    home = HOMES / name
    found = home.lstat()
    if stat.S_ISDIR(found.st_mode) and found.st_uid == uid and found.st_mode & 0o077:
        home.chmod(0o700)


# Processes ------------------------------------------------------------------------------------------------------------


def ssh_sessions() -> Iterator[tuple[int, int]]:
    """What serves one, which runs as its user and is there for forwarded ports too: ids of process and user."""
    for process in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            uid = process.stat().st_uid
            if uid in IDS and (process / "exe").readlink().name.removesuffix(" (deleted)") in SSHD:
                yield int(process.name), uid


def end_sessions(uids: Collection[int]) -> None:
    """Ends them, and nothing that was left to go on without one."""
    for process, uid in ssh_sessions():
        if uid in uids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)


def processes(uids: Collection[int]) -> set[int]:
    """Ids among those that a process that isn't dead has as any of its own."""
    found: set[int] = set()
    for status in PROC.glob("[0-9]*/status"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            lines = dict(line.partition(":")[::2] for line in status.read_text(errors="replace").splitlines())
            if lines["State"].split()[0] not in "ZX":
                found.update(int(each) for each in lines["Uid"].split())
    return found & set(uids)


def signal_all(uid: int, number: int) -> None:
    """Sends all of a user's processes a signal at once, so that none of them can begin another meanwhile."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.setgroups([])
            os.setresuid(STRANGER, uid, STRANGER)
            if os.getresuid() == (STRANGER, uid, STRANGER):
                os.kill(-1, number)
        os._exit(0)
    os.waitpid(child, 0)


def end_processes(uids: Collection[int]) -> set[int]:
    """Ends them, which are asked first; ids of which some are left nevertheless."""
    for uid in processes(uids):
        signal_all(uid, signal.SIGTERM)
    wait_for(lambda: not processes(uids), TERM_S)
    # Also where none was seen: those that multiply are in a list of all processes only by chance.
    for uid in uids:
        signal_all(uid, signal.SIGKILL)
    wait_for(lambda: not processes(uids), KILL_S)
    return processes(uids)


def wait_for(is_so: Callable[[], bool], patience: float) -> None:
    """Waits as long as that, and no longer."""
    end = time.monotonic() + patience
    while not is_so() and time.monotonic() < end:
        time.sleep(LOOK_S)
