"""Files that outlive this process and this machine's power, and a way to die between any two steps of writing them."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def reach(point: str) -> None:
    """Dies here where a test says so: ONEOFF_STREAM_DIES="POINT:N" has SIGKILL come the Nth time that it is reached."""
    wanted, _, number = os.environ.get("ONEOFF_STREAM_DIES", "").partition(":")
    if wanted != point:
        return
    _reached[point] = _reached.get(point, 0) + 1
    if _reached[point] == int(number or 1):
        os.kill(os.getpid(), signal.SIGKILL)


_reached: dict[str, int] = {}


def replace(path: Path, data: bytes) -> None:
    """Has a file hold these bytes or those before, whatever happens meanwhile."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(data[: len(data) // 2])
        file.flush()
        reach(f"{path.stem}-torn")
        file.write(data[len(data) // 2 :])
        file.flush()
        os.fsync(file.fileno())
    reach(f"{path.stem}-written")
    temporary.replace(path)
    reach(f"{path.stem}-renamed")
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Has the names in a folder outlive this machine's power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
