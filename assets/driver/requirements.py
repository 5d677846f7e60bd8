"""Installs the pinned requirements of a job that this interpreter lacks into a folder of their own.

A package that is there in another version is left as it is unless `--exact` is given: a laptop rehearses the job, and
its Python may be another one than the 3.11 that the requirements are pinned for. The difference is printed.

With `--kept` they are installed once, in a folder for all runs, and the run's own is a link to what is there. What is
not pinned by hashes may be something else the next time, so it isn't kept.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

try:
    from packaging.requirements import Requirement
except ImportError:  # a bare environment has it with pip only
    from pip._vendor.packaging.requirements import Requirement


def pinned(file: Path) -> dict[str, str]:
    """The requirements of a file that apply to this interpreter: name to the full text with hashes."""
    text = re.sub(r"\\\n\s*", " ", file.read_text(encoding="utf-8-sig"))
    found = {}
    for line in (" ".join(each.split()) for each in text.splitlines()):
        if not line or line.startswith(("#", "-")):
            continue
        requirement = Requirement(line.split(" --hash", 1)[0])
        if requirement.marker is None or requirement.marker.evaluate():
            found[requirement.name] = line
    return found


def is_installed(name: str, line: str, exact: bool) -> bool:
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    if not Requirement(line.split(" --hash", 1)[0]).specifier.contains(version):
        print(f"{name} {version} is installed here, the job asks for {line.split(' ', 1)[0]}")
        return not exact
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, required=True, help="folder to install into, made if needed")
    parser.add_argument("--exact", action="store_true", help="install also what is there in another version")
    parser.add_argument("files", type=Path, nargs="+", help="pip requirements files with pinned versions and hashes")
    parser.add_argument("--kept", type=Path, metavar="FOLDER", help="where what was installed is kept for other runs")
    args = parser.parse_args()
    wanted = [pin for file in args.files for pin in pinned(file).items()]
    missing = [line for name, line in wanted if not is_installed(name, line, args.exact)]
    if missing and not (args.kept and link_to_kept(args.kept, missing, args.into)):
        install(missing, args.into)


def link_to_kept(folder: Path, missing: Sequence[str], into: Path) -> bool:
    """Whether `into` could be made a link to what is kept."""
    if not all(" --hash" in line for line in missing):
        return False
    import kept  # not beside this file where a run of an earlier version looks for it

    try:
        place = kept.keep(folder, missing, lambda site: install(missing, site))
    except OSError as problem:
        print(f"requirements are not kept for other runs: {problem}")
        return False
    if place:
        into.symlink_to(place / kept.SITE)
    return place is not None


def install(missing: Sequence[str], into: Path) -> None:
    """Has pip install requirements into a folder; ends the program when it can't."""
    if not importlib.util.find_spec("pip"):
        names = ", ".join(line.split(" ", 1)[0] for line in missing)
        sys.exit(f"{names} cannot be installed, as {sys.executable} has no pip: install them where it was made")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(missing))
        file.flush()
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--compile", "--target", str(into)]
        result = subprocess.run([*pip, "-r", file.name], check=False)
    if result.returncode != 0:
        sys.exit(f"pip could not install {', '.join(line.split(' ', 1)[0] for line in missing)}")


if __name__ == "__main__":
    main()
