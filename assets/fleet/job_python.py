"""The Python of a job: the node's, with the packages that the job requires, made when it is first asked for.

  job_python.py venv DIGEST                   makes its environment, unless it is there; prints its Python
  job_python.py run DIGEST -- ARGUMENT...     becomes that Python
  job_python.py packages DIGEST FOLDER        puts the packages there, for pip's --find-links

The digest is that of a manifest in the lake, as software.py has it, with which the node was installed. Environments
lie below --root, in venvs: whoever may write there makes one, and others run in what is there. Two that ask at once get
one. Those used least lately go, beyond so many, unless something runs in them.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from software import (
    ROOT,
    Entry,
    Node,
    SoftwareError,
    bring,
    command,
    is_right,
    is_whole,
    make_whole,
    manifest_key,
    read_manifest,
    remembered,
    run,
    site_of,
    stamp_of,
)

MOST_VENVS = 8


def hold_venv(root: Path, digest: str) -> tuple[Path, int]:
    """A job's environment, made if it isn't there, and the open file that keeps it from being removed."""
    manifest_key(digest)
    venvs = root / "venvs"
    base = (root / "python").resolve()
    place = venvs / f"{digest[:32]}-{base.name.rpartition('-')[2]}"
    try:
        opened = os.open(lock_of(place), os.O_RDONLY | os.O_CREAT, 0o644)
    except PermissionError as error:
        raise SoftwareError(
            f"{place} is not there, and {venvs} is not this account's to write to: job_python.py venv {digest} makes it"
        ) from error
    while True:
        fcntl.flock(opened, fcntl.LOCK_SH)
        if is_whole(place):
            with contextlib.suppress(PermissionError):
                os.utime(stamp_of(place))
            return place, opened
        # Nobody else makes it meanwhile, whoever waits for that.
        fcntl.flock(opened, fcntl.LOCK_EX)
        if not is_whole(place):
            with tempfile.TemporaryDirectory(dir=venvs, prefix=".") as work:
                bring_venv(Node(root, str(base / "bin/python"), Path(work)), digest, place)
            prune(venvs, place)


def bring_venv(node: Node, digest: str, place: Path) -> None:
    """Fetches what one consists of, and makes it."""
    lake = remembered(node.root)
    entries = read_manifest(lake, node.work, digest)
    bring(lake, node.work, {entry.key: entry.sha256 for entry in entries})
    make_whole(place, lambda folder: make_venv(node, folder, entries))


def make_venv(node: Node, folder: Path, entries: Sequence[Entry]) -> None:
    """An environment that has what the node's has, but for what it has itself."""
    command(node.python, "-m", "venv", "--without-pip", folder, scratch=node.work)
    (site_of(folder) / "oneoff-base.pth").write_text(f"{site_of(Path(node.python).parents[1])}\n")
    node.install(Path(node.python), entries, "wheel", into=folder / "bin/python")


def bring_packages(root: Path, digest: str, folder: Path) -> None:
    """Has a folder have a manifest's files by their names. What is there already and right isn't fetched."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".") as work:
        lake = remembered(root)
        entries = read_manifest(lake, Path(work), digest)
        missing = [entry for entry in entries if not is_right(folder / entry.file, entry.sha256)]
        bring(lake, Path(work), {entry.key: entry.sha256 for entry in missing})
        for entry in missing:
            (Path(work) / entry.key).replace(folder / entry.file)


def lock_of(place: Path) -> Path:
    """What is locked by who makes an environment, and shared by all that run in it. It stays."""
    return place.with_name(f"{place.name}.lock")


def prune(venvs: Path, newest: Path) -> None:
    """Removes those used least lately that nobody runs in, beyond so many."""
    for stamp in sorted(venvs.glob("*.whole"), key=last_used, reverse=True)[MOST_VENVS:]:
        place = stamp.with_suffix("")
        if place == newest:
            continue
        with lock_of(place).open() as opened, contextlib.suppress(BlockingIOError):
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            stamp.unlink(missing_ok=True)
            shutil.rmtree(place, ignore_errors=True)


def last_used(stamp: Path) -> float:
    """When an environment was."""
    try:
        return stamp.stat().st_mtime
    except FileNotFoundError:  # somebody else has removed it
        return 0


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=ROOT, metavar="DIR", help="default: %(default)s")
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("venv", help="make the environment, unless it is there; print its Python")
    running = commands.add_parser("run", help="become that Python")
    bringing = commands.add_parser("packages", help="put its packages into a folder")
    for each in (making, running, bringing):
        each.add_argument("digest", metavar="DIGEST", help="of its manifest")
    running.add_argument("arguments", nargs=argparse.REMAINDER, metavar="-- ARGUMENT")
    bringing.add_argument("folder", type=Path, metavar="FOLDER", help="made if needed")
    options = parser.parse_args()
    if options.command == "packages":
        bring_packages(options.root, options.digest, options.folder)
        return
    place, opened = hold_venv(options.root, options.digest)
    python = str(place / "bin/python")
    if options.command == "venv":
        print(python)
        return
    # What runs in an environment holds it, and so do its children.
    os.set_inheritable(opened, True)
    os.execv(python, [python, *options.arguments[options.arguments[:1] == ["--"] :]])


if __name__ == "__main__":
    run("job_python", main)
