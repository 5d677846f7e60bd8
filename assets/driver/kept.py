"""Requirements that were installed once and are kept for the runs to come, in a folder of the user's cache (ADR 12).

Below the folder, each set of requirements has one of its own, called by a digest of all that decides what is in it. It
is made beside and renamed when it is whole, by whoever holds the folder's lock; a run holds a lock of its set, which
goes with the run's process, and what is held isn't removed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import stat
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

MOST_SETS = 8
MOST_BYTES = 12 << 30  # one with PyTorch for GPUs has 5 GB
LEAST_FREE = 512 << 20  # bytes of its disk without which nothing is kept: the run's own may have room

SITE = "site"  # of a set: what Python imports from
_MADE = "made.json"  # of a set: what the site was when it was made
_NAME = re.compile(r"[0-9a-f]{32}")


def key(lines: Sequence[str]) -> str:
    """What a set is called: by its requirements, with their hashes, and by what wheels are chosen for."""
    runtime = (sys.implementation.cache_tag, sysconfig.get_config_var("SOABI"), sysconfig.get_platform())
    about = [sorted(lines), *runtime, *platform.libc_ver()]
    return hashlib.blake2b(json.dumps(about).encode(), digest_size=16).hexdigest()


def keep(folder: Path, lines: Sequence[str], install: Callable[[Path], None]) -> Path | None:
    """The set of these requirements, installed now if it isn't there as it was made.

    None when it was changed and a run works with it. Raises OSError, also when the folder is not the user's alone.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _is_ours(folder):
        raise PermissionError(f"{folder} is not a folder that its user alone may open: remove it, or chmod 700")
    place = folder / key(lines)
    with _locked(folder):
        if os.path.lexists(place):
            if _is_as_made(place):
                os.utime(place)
                return place
            print(f"{place} is not as it was made; it is installed anew")
            if not _remove(place):
                return None
        if shutil.disk_usage(folder).free < LEAST_FREE:
            raise OSError(errno.ENOSPC, f"less than {LEAST_FREE >> 20} MB of its disk are free", str(folder))
        _make(place, install)
        _prune(folder, place)
    return place


def hold(place: Path) -> bool:
    """Has a set stay for as long as this process lives; False when it is gone already."""
    try:
        opened = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)  # never closed
        fcntl.flock(opened, fcntl.LOCK_SH)
        return os.path.samestat(os.fstat(opened), place.stat())
    except OSError:
        return False


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """While nobody else changes what is in it."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waiting for another run, which installs its requirements", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(place: Path, install: Callable[[Path], None]) -> None:
    """Installs a set beside its place; there it is whole."""
    making = place.with_name(f".{place.name}")
    if os.path.lexists(making):  # of a run that was killed
        shutil.rmtree(making)
    making.mkdir(mode=0o700)
    try:
        install(making / SITE)
        (making / _MADE).write_text(json.dumps(_look(making / SITE)))
        making.rename(place)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise


def _look(site: Path) -> dict[str, Any]:
    """How large a site is, and a digest of what its folders say of the files: reading them would take seconds."""
    size, digest = 0, hashlib.blake2b(digest_size=16)
    for folder, folders, files in os.walk(site):
        folders.sort()
        for name in sorted(files):
            path = Path(folder, name)
            info = path.lstat()
            size += info.st_size
            # A Mac changes the second time of what it looked at.
            times = (info.st_mtime_ns, info.st_ctime_ns if sys.platform == "linux" else 0)
            about = (str(path.relative_to(site)), info.st_mode, info.st_uid, info.st_size, *times)
            digest.update(f"{about}\n".encode(errors="surrogateescape"))
    return {"bytes": size, "digest": digest.hexdigest()}


def _is_as_made(place: Path) -> bool:
    return _is_ours(place) and _is_ours(place / SITE, others=True) and _made(place) == _look(place / SITE)


def _made(place: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        made = json.loads((place / _MADE).read_bytes())
        if isinstance(made, dict) and isinstance(made.get("bytes"), int):
            return made
    return {}


def _is_ours(path: Path, others: bool = False) -> bool:
    """Whether it is a folder of this user's. others: whether others may open it."""
    try:
        info = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid() and (others or not info.st_mode & 0o077)


def _remove(place: Path) -> bool:
    """Removes a set; False when a run holds it."""
    if place.is_symlink() or not place.is_dir():
        place.unlink()
        return True
    opened = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        gone = place.with_name(f".{place.name}")
        place.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
        return True
    finally:
        os.close(opened)


def _prune(folder: Path, newest: Path) -> None:
    """Removes what was used least lately until what is left is within bounds, and what nobody finished."""
    with os.scandir(folder) as entries:
        paths = [Path(entry.path) for entry in entries]
    for path in paths:
        if _NAME.fullmatch(path.name[1:]) and path.name.startswith("."):
            shutil.rmtree(path, ignore_errors=True)
    kept = [path for path in paths if _NAME.fullmatch(path.name) and path != newest]
    kept.sort(key=lambda path: path.lstat().st_mtime, reverse=True)
    size = 0
    for number, path in enumerate([newest, *kept]):
        size += _made(path).get("bytes", 0)
        if path != newest and (number >= MOST_SETS or size > MOST_BYTES):
            _remove(path)
