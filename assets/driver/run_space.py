"""Disks that are full."""

from __future__ import annotations

import shutil

CURE = "free some, or put the lake elsewhere (oneoff:lake)"
FULL_BYTES = 1 << 20  # a disk with less room is full


def no_space(folder: str) -> str:
    """That the disk of a folder is full, or was just now, with what is left of it and the cure."""
    usage = shutil.disk_usage(folder)
    is_full = usage.free < FULL_BYTES  # else what was written has been removed
    left = f"{usage.free / 1e6:.0f} of {usage.total / 1e6:.0f} MB are free{'' if is_full else ' again'}"
    return f"no space {'is' if is_full else 'was'} left on the disk of {folder} ({left}); {CURE}"


def is_full(folder: str) -> bool:
    """Whether next to nothing is left of its disk."""
    return shutil.disk_usage(folder).free < FULL_BYTES
