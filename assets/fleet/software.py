"""Installs on a node what its fleet has put into the lake, for nodes have no way to the internet.

  software.py install --manifest DIGEST --bucket BUCKET    once, when the node starts; again, it does what is missing
  software.py venv DIGEST                                  an environment for what a job requires; prints its Python
  software.py run DIGEST -- ARGUMENT...                    becomes that Python, which holds its environment

A digest is the SHA-256 of a manifest, `_software/manifests/DIGEST.json` in the lake: a list of files with a SHA-256
each. What isn't what they say is refused, and nothing is installed from it. Below --root there is then

  scripts/   files of our own                  hadoop/    lib and webapps, as HADOOP_HOME
  python/    an environment with PySpark       jupyter/   JupyterLab as pip's --target has it, for that Python
  venvs/     environments of jobs, on top of python/

each a link to what is whole. It needs Python 3.11 with venv and pip, and the AWS command line, or --fetch.
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
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path("/opt/oneoff")
PREFIX = "_software"
PARTS = ("scripts", "hadoop", "python", "jupyter")
KINDS = ("jar", "script", "sdist", "wheel")
FETCHES_AT_ONCE = 4
MOST_VENVS = 8
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
    entries = [Entry(**each) for each in json.loads(data)]
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

    def make_venv(self, folder: Path, entries: Sequence[Entry]) -> None:
        """An environment that has what the node's has, but for what it has itself."""
        base = (self.root / "python").resolve()
        command(base / "bin/python", "-m", "venv", folder, scratch=self.work / "tmp")
        (site_of(folder) / "oneoff-base.pth").write_text(f"{site_of(base)}\n")
        self.install(folder / "bin/python", entries, "wheel")

    def make_jupyter(self, folder: Path, entries: Sequence[Entry]) -> None:
        """A folder that the node's Python imports from when it is told to."""
        self.install(self.root / "python/bin/python", entries, "wheel", "--target", folder)

    def install(self, python: Path, entries: Iterable[Entry], kind: str, *options: str | Path) -> None:
        """Has pip install what is here and was checked, and nothing else."""
        files = [self.work / entry.key for entry in entries if entry.kind == kind]
        if files:
            pip = (python, "-m", "pip", "--isolated", "install", "--quiet", "--no-input", "--disable-pip-version-check")
            command(*pip, "--no-cache-dir", "--no-index", "--no-deps", *options, *files, scratch=self.work / "tmp")


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
    }
    for part, place in places.items():
        if part in missing:
            make_whole(place, functools.partial(making[part], entries=chosen[part]))
        link(node.root / part, place)
    shutil.rmtree(node.work, ignore_errors=True)
    return {"made": missing, "bytes": size, "seconds": round(time.monotonic() - began, 1)}


def link(path: Path, place: Path) -> None:
    """Has a path lead to a place, at once."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(os.path.relpath(place, path.parent))
    fresh.replace(path)


# What a job has -------------------------------------------------------------------------------------------------------


def hold_venv(node: Node, lake: Callable[[], Lake], digest: str) -> tuple[Path, int]:
    """A job's environment, made if it isn't there, and the open file that keeps it from being removed."""
    manifest_key(digest)
    venvs = node.root / "venvs"
    # Another one on another base.
    place = venvs / f"{digest[:32]}-{(node.root / 'python').resolve().name.rpartition('-')[2]}"
    opened = os.open(lock_of(place), os.O_RDONLY | os.O_CREAT, 0o644)
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
                make_job_venv(Node(node.root, node.python, Path(work)), lake(), digest, place)
            prune(venvs, place)


def make_job_venv(node: Node, lake: Lake, digest: str, place: Path) -> None:
    """Fetches it and makes it."""
    entries = read_manifest(lake, node.work, digest)
    bring(lake, node.work, {entry.key: entry.sha256 for entry in entries})
    make_whole(place, functools.partial(node.make_venv, entries=entries))


def lock_of(place: Path) -> Path:
    """What is locked by who makes an environment, and shared by all that run in it. It stays."""
    return place.with_name(f"{place.name}.lock")


def prune(venvs: Path, newest: Path) -> None:
    """Removes those used least lately that nobody runs in, beyond so many."""
    stamps = sorted(venvs.glob("*.whole"), key=lambda stamp: stamp.stat().st_mtime, reverse=True)
    for stamp in stamps[MOST_VENVS:]:
        place = stamp.with_suffix("")
        with lock_of(place).open() as opened, contextlib.suppress(BlockingIOError):
            if place != newest:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                stamp.unlink()
                shutil.rmtree(place, ignore_errors=True)


# The command line -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """One at a time."""
    root.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def lake_of(options: argparse.Namespace) -> Lake:
    """What the command line says, or else what it said when the node was installed."""
    if options.bucket or options.fetch:
        return Lake(options.bucket or "", tuple(options.fetch))
    try:
        known = json.loads((options.root / "software.json").read_text())
    except (OSError, ValueError) as error:
        raise SoftwareError(
            "--bucket is missing: say which bucket is the lake, or give a command to --fetch"
        ) from error
    return Lake(known["bucket"], tuple(known["fetch"]))


def do_install(options: argparse.Namespace, node: Node) -> None:
    """The command `install`."""
    lake = lake_of(options)
    with alone(options.root):
        known = options.root / "software.json"
        known.write_text(json.dumps({"bucket": lake.bucket, "fetch": lake.fetch}))
        venvs = options.root / "venvs"
        venvs.mkdir(exist_ok=True)
        if options.venvs_of:
            shutil.chown(venvs, options.venvs_of)
        print(json.dumps(install(node, lake, options.manifest, options.part)))


def do_venv(options: argparse.Namespace, node: Node) -> None:
    """The command `venv`."""
    place, _ = hold_venv(node, lambda: lake_of(options), options.digest)
    print(place / "bin/python")


def do_run(options: argparse.Namespace, node: Node) -> None:
    """The command `run`, which doesn't come back. What runs in an environment has its lock, and so do its children."""
    place, opened = hold_venv(node, lambda: lake_of(options), options.digest)
    os.set_inheritable(opened, True)
    python = str(place / "bin/python")
    os.execv(python, [python, *options.arguments[options.arguments[:1] == ["--"] :]])


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=ROOT, metavar="DIR", help="default: %(default)s")
    parser.add_argument("--python", default="python3.11", help="for new environments (default: %(default)s)")
    commands = parser.add_subparsers(dest="command", required=True)
    installing = commands.add_parser("install", help="have the node have what a manifest says")
    installing.set_defaults(do=do_install)
    installing.add_argument("--manifest", required=True, metavar="DIGEST")
    installing.add_argument("--part", action="append", default=[], choices=PARTS, help="only this; default: all")
    installing.add_argument("--venvs-of", metavar="USER", help="the account that makes environments of jobs")
    making = commands.add_parser("venv", help="make the environment of a job, unless it is there; print its Python")
    making.set_defaults(do=do_venv)
    running = commands.add_parser("run", help="become that Python")
    running.set_defaults(do=do_run, bucket=None, fetch=[])
    for each in (making, running):
        each.add_argument("digest", metavar="DIGEST", help="of its manifest")
    running.add_argument("arguments", nargs=argparse.REMAINDER, metavar="-- ARGUMENT")
    for each in (installing, making):
        each.add_argument("--bucket", help="the lake, which the AWS command line reads; kept for jobs by install")
        each.add_argument(
            "--fetch",
            nargs=argparse.REMAINDER,
            default=[],
            metavar="COMMAND",
            help="what fetches instead, the last option: is given a folder and keys, and puts each below its key there",
        )
    return parser.parse_args()


def main() -> None:
    """Ends with 1, and one line, when something went wrong."""
    options = parse()
    try:
        options.do(options, Node(options.root, options.python, options.root / "work"))
    except SoftwareError as error:
        sys.exit(f"software: {error}")
    except OSError as error:
        sys.exit(f"software: {error.filename or options.root}: {error.strerror}; calling it again goes on")


if __name__ == "__main__":
    main()
