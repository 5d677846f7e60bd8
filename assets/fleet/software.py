"""Installs on a node what its fleet has put into the lake, for nodes have no way to the internet.

  software.py install --manifest DIGEST --bucket BUCKET    when a node starts; again, it does what is missing

The digest is the SHA-256 of a manifest, `_software/manifests/DIGEST.json` in the lake: a list of files with a SHA-256
each. What isn't what they say is refused, and nothing is installed from it. Below --root there is then

  scripts/   files of our own                        hadoop/    lib and webapps, as HADOOP_HOME
  python/    an environment with PySpark             jupyter/   JupyterLab as pip's --target has it, for that Python
  scoring/   what scores flows, with its packages    yarn/      YARN and its lib, as HADOOP_HOME
  venvs/     environments of jobs: job_python.py; whoever makes them has to be let write there

each a link to what is whole. It needs Python 3.11 with venv and pip, and the AWS command line, or --fetch. This file
needs no other, since it is what a node fetches first.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path("/opt/oneoff")
PREFIX = "_software"
PARTS = ("scripts", "hadoop", "python", "jupyter", "scoring", "yarn")
KINDS = ("jar", "script", "sdist", "wheel")
FETCHES_AT_ONCE = 4
PAGES = re.compile(r"webapps/(hdfs|datanode|static)/.*[^/]")


class SoftwareError(Exception):
    """What a user is told, in one sentence."""


# What is in the lake --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """A file of a manifest."""

    part: str
    kind: str
    name: str
    key: str
    sha256: str

    @property
    def file(self) -> str:
        """Its name without folders."""
        return PurePosixPath(self.name).name


def manifest_key(digest: str) -> str:
    """Where a manifest lies."""
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise SoftwareError(f'"{digest}" is no digest of a manifest: expected 64 digits of a SHA-256')
    return f"{PREFIX}/manifests/{digest}.json"


def entries_of(data: bytes) -> list[Entry]:
    """What a manifest says."""
    try:
        entries = [Entry(**each) for each in json.loads(data)]
    except (TypeError, ValueError) as error:
        raise SoftwareError(f"the manifest is none that this software.py knows: {error}") from error
    for entry in entries:
        path = PurePosixPath(entry.name)
        proper = path.parts and not path.is_absolute() and ".." not in path.parts and entry.kind in KINDS
        if not proper or entry.key != f"{PREFIX}/{entry.sha256}/{entry.file}":
            raise SoftwareError(f'the manifest has "{entry.name}" at "{entry.key}", which nothing here can be')
    return entries


@dataclass(frozen=True)
class Lake:
    """How what is there comes here."""

    bucket: str
    # Is given a folder and keys, and puts each there below its key.
    fetch: tuple[str, ...]

    def command(self, folder: Path, keys: Sequence[str]) -> list[str]:
        """What fetches keys into a folder: one process for many, since each would take most of a second to start."""
        if self.fetch:
            return [*self.fetch, str(folder), *keys]
        chosen = [word for key in keys for word in ("--include", key.removeprefix(f"{PREFIX}/"))]
        copy = ["aws", "s3", "cp", "--recursive", "--only-show-errors", "--exclude", "*", *chosen]
        return [*copy, f"s3://{self.bucket}/{PREFIX}/", f"{folder}/{PREFIX}/"]


def remember(root: Path, lake: Lake) -> None:
    """Keeps how it is reached, for who makes environments of jobs."""
    (root / "lake.json").write_text(json.dumps({"bucket": lake.bucket, "fetch": lake.fetch}))


def remembered(root: Path) -> Lake:
    """The lake that a node was installed from."""
    try:
        known = json.loads((root / "lake.json").read_text())
    except OSError as error:
        raise SoftwareError(f"{root} has nothing of a fleet: software.py installs it") from error
    return Lake(known["bucket"], tuple(known["fetch"]))


def sha256_of(file: Path) -> str:
    """Hexadecimal."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while piece := opened.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def bring(lake: Lake, folder: Path, wanted: dict[str, str]) -> int:
    """Has files be in a folder below their keys, and be what they should; says how many bytes came.

    wanted: digests by key. What is there already and right isn't fetched.
    """
    missing = [key for key, digest in wanted.items() if not is_right(folder / key, digest)]
    batches = [missing[at::FETCHES_AT_ONCE] for at in range(FETCHES_AT_ONCE)]
    with ThreadPoolExecutor(FETCHES_AT_ONCE) as pool:
        return sum(pool.map(lambda keys: fetch_all(lake, folder, keys, wanted), filter(None, batches)))


def is_right(file: Path, digest: str) -> bool:
    """Whether a file is there and has that digest."""
    return file.is_file() and sha256_of(file) == digest


def fetch_all(lake: Lake, folder: Path, keys: Sequence[str], wanted: dict[str, str]) -> int:
    """Fetches some; says how many bytes they are."""
    words = lake.command(folder, keys)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except OSError as error:
        raise SoftwareError(f"{words[0]} can't be started: {error.strerror}") from error
    size = 0
    for key in keys:
        file = folder / key
        if not file.is_file():
            said = last_line(done.stderr) or f"{words[0]} ended with {done.returncode}"
            raise SoftwareError(f"{key} did not come from the lake: {said}")
        found = sha256_of(file)
        if found != wanted[key]:
            file.unlink()
            raise SoftwareError(
                f"{key} has the SHA-256 {found} and not {wanted[key]}: it is another file, and was not installed"
            )
        size += file.stat().st_size
    return size


def read_manifest(lake: Lake, folder: Path, digest: str) -> list[Entry]:
    """A manifest, once it is here."""
    key = manifest_key(digest)
    bring(lake, folder, {key: digest})
    return entries_of((folder / key).read_bytes())


def last_line(text: str) -> str:
    """The last that a program said."""
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


# What is made of it ---------------------------------------------------------------------------------------------------


def command(*words: str | Path, scratch: Path) -> None:
    """Runs a program, which says what is wrong if something is. scratch: its folder for what it needs meanwhile."""
    # A job's may be set: nothing of it is for what is installed.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_"))}
    scratch.mkdir(parents=True, exist_ok=True)
    env["TMPDIR"] = str(scratch)  # /tmp is in memory on Amazon Linux 2023
    try:
        done = subprocess.run(
            [str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env
        )
    except OSError as error:
        raise SoftwareError(f"{words[0]} can't be started: {error.strerror}") from error
    if done.returncode:
        said = last_line(done.stderr) or last_line(done.stdout) or "it said nothing"
        raise SoftwareError(f"{' '.join(map(str, words[:4]))} ended with {done.returncode}: {said}")


@dataclass(frozen=True)
class Node:
    """A machine: where things go, and the Python that environments are made with."""

    root: Path
    python: str
    # What was fetched, until it is installed, and where pip works.
    work: Path

    def make_scripts(self, folder: Path, entries: Sequence[Entry]) -> None:
        """Files of our own; those that are programs can be started."""
        for entry in entries:
            file = folder / entry.name
            file.parent.mkdir(parents=True, exist_ok=True)
            data = (self.work / entry.key).read_bytes()
            file.write_bytes(data)
            file.chmod(0o755 if data.startswith(b"#!") else 0o644)

    def make_hadoop(self, folder: Path, entries: Sequence[Entry]) -> None:
        """What assets/images/hdfs/Dockerfile has: the tests' jar is the only one with the web pages."""
        (folder / "lib").mkdir(parents=True)
        for entry in entries:
            file = self.work / entry.key
            if entry.file.endswith("-tests.jar"):
                with zipfile.ZipFile(file) as jar:
                    jar.extractall(folder, filter(PAGES.fullmatch, jar.namelist()))
            else:
                shutil.copyfile(file, folder / "lib" / entry.file)

    def make_python(self, folder: Path, entries: Sequence[Entry]) -> None:
        """An environment with all wheels, and then what has to be made into one by them."""
        command(self.python, "-m", "venv", folder, scratch=self.work / "tmp")
        self.install(folder / "bin/python", entries, "wheel")
        self.install(folder / "bin/python", entries, "sdist", "--no-build-isolation", "--use-pep517")

    def make_jupyter(self, folder: Path, entries: Sequence[Entry]) -> None:
        """A folder that the node's Python imports from when it is told to."""
        self.install(self.root / "python/bin/python", entries, "wheel", "--target", folder)

    def make_scoring(self, folder: Path, entries: Sequence[Entry]) -> None:
        """Files of our own, and beside them what they import."""
        self.make_scripts(folder, [each for each in entries if each.kind == "script"])
        self.install(self.root / "python/bin/python", entries, "wheel", "--target", folder / "packages")

    def make_yarn(self, folder: Path, entries: Sequence[Entry]) -> None:
        """Files of our own, and beside them the jars."""
        self.make_scripts(folder, [each for each in entries if each.kind == "script"])
        self.make_hadoop(folder, [each for each in entries if each.kind == "jar"])

    def install(
        self, python: Path, entries: Iterable[Entry], kind: str, *options: str | Path, into: Path | None = None
    ) -> None:
        """Has a Python's pip install what is here and was checked, and nothing else. into: for another Python."""
        files = [self.work / entry.key for entry in entries if entry.kind == kind]
        if files:
            pip = (python, "-m", "pip", "--isolated", *(("--python", into) if into else ()))
            quiet = ("--quiet", "--no-input", "--disable-pip-version-check", "--no-cache-dir")
            command(*pip, "install", *quiet, "--no-index", "--no-deps", *options, *files, scratch=self.work / "tmp")


def site_of(environment: Path) -> Path:
    """Where an environment has its packages."""
    return next((environment / "lib").glob("python3*")) / "site-packages"


def digest_of(entries: Iterable[Entry]) -> str:
    """What decides what is made of them, short."""
    lines = sorted(f"{entry.kind} {entry.name} {entry.sha256}" for entry in entries)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def is_whole(place: Path) -> bool:
    """Whether what is there was made to its end."""
    return stamp_of(place).exists()


def stamp_of(place: Path) -> Path:
    """What is there once a folder is whole. An environment can't be moved, so it can't be made aside and renamed."""
    return place.with_name(f"{place.name}.whole")


def make_whole(place: Path, make: Callable[[Path], None]) -> None:
    """Makes a folder, in place of half of one."""
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    make(place)
    stamp_of(place).touch()
    say(f"{place.name}: {time.monotonic() - began:.0f} s")


def say(text: str) -> None:
    """For the log."""
    print(f"software: {text}", file=sys.stderr, flush=True)


# What a node has ------------------------------------------------------------------------------------------------------


def install(node: Node, lake: Lake, digest: str, parts: Sequence[str]) -> dict[str, object]:
    """Has a node have these parts of a manifest, each in a folder of its own, so that what runs keeps what it has."""
    began = time.monotonic()
    entries = read_manifest(lake, node.root / "known", digest)
    strange = sorted({entry.part for entry in entries} - set(PARTS))
    if strange:
        raise SoftwareError(f"the manifest has {', '.join(strange)}, which only a newer software.py knows")
    chosen = {part: of_part for part in PARTS if (of_part := [each for each in entries if each.part == part])}
    lacking = [part for part in parts if part not in chosen]
    if lacking:
        raise SoftwareError(f"--part is {lacking[0]}, which the manifest hasn't: it has {', '.join(chosen)}")
    places = {
        part: node.root / "parts" / f"{part}-{digest_of(of_part)}"
        for part, of_part in chosen.items()
        if part in (parts or chosen)
    }
    missing = [part for part, place in places.items() if not is_whole(place)]
    size = bring(lake, node.work, {entry.key: entry.sha256 for part in missing for entry in chosen[part]})
    if missing:
        say(f"fetched {size} bytes: {time.monotonic() - began:.0f} s")
    making: dict[str, Callable[[Path, Sequence[Entry]], None]] = {
        "scripts": node.make_scripts,
        "hadoop": node.make_hadoop,
        "python": node.make_python,
        "jupyter": node.make_jupyter,
        "scoring": node.make_scoring,
        "yarn": node.make_yarn,
    }
    before = linked(node.root)
    for part, place in places.items():
        if part in missing:
            make_whole(place, functools.partial(making[part], entries=chosen[part]))
        link(node.root / part, place)
    remove_old(node.root, before | linked(node.root))
    shutil.rmtree(node.work, ignore_errors=True)
    return {"made": missing, "bytes": size, "seconds": round(time.monotonic() - began, 1)}


def link(path: Path, place: Path) -> None:
    """Has a path lead to a place, at once."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(os.path.relpath(place, path.parent))
    fresh.replace(path)


def linked(root: Path) -> set[str]:
    """Names of the folders that the parts are now."""
    return {(root / part).resolve().name for part in PARTS if (root / part).is_symlink()}


def remove_old(root: Path, keep: set[str]) -> None:
    """Takes away folders of earlier releases. keep: those that are there, and those that what runs was started from."""
    pythons = {stamp.stem.rpartition("-")[2] for stamp in (root / "venvs").glob("*.whole")}
    for place in sorted((root / "parts").iterdir()):
        part, _, digest = place.name.removesuffix(".whole").partition("-")
        if f"{part}-{digest}" in keep or (part == "python" and digest in pythons):
            continue
        if place.is_dir():
            stamp_of(place).unlink(missing_ok=True)
            shutil.rmtree(place, ignore_errors=True)


# The command line -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """One at a time."""
    root.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="install")
    installing = commands.add_parser("install", help="have the node have what a manifest says")
    installing.add_argument("--root", type=Path, default=ROOT, metavar="DIR", help="default: %(default)s")
    installing.add_argument("--manifest", required=True, metavar="DIGEST")
    installing.add_argument("--part", action="append", default=[], choices=PARTS, help="this alone (default: all)")
    installing.add_argument("--python", default="python3.11", help="what makes environments (default: %(default)s)")
    source = installing.add_mutually_exclusive_group(required=True)
    source.add_argument("--bucket", default="", help="the lake, which the AWS command line reads")
    source.add_argument(
        "--fetch",
        nargs=argparse.REMAINDER,
        default=[],
        metavar="COMMAND",
        help="what fetches instead, the last option: is given a folder and keys, and puts each below its key there",
    )
    options = parser.parse_args()
    os.umask(0o022)
    lake = Lake(options.bucket, tuple(options.fetch))
    with alone(options.root):
        remember(options.root, lake)
        (options.root / "venvs").mkdir(exist_ok=True)
        node = Node(options.root, options.python, options.root / "work")
        print(json.dumps(install(node, lake, options.manifest, options.part)))


def run(name: str, main: Callable[[], None]) -> None:
    """Runs a script, which ends with 1, and one line, when something went wrong."""
    try:
        main()
    except SoftwareError as error:
        sys.exit(f"{name}: {error}")
    except OSError as error:
        sys.exit(f"{name}: {error.filename or error}: {error.strerror}; calling it again goes on")


if __name__ == "__main__":
    run("software", main)
