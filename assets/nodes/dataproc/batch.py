"""The main file of a serverless batch: runs one step of a run as step.py does, in the batch's own Spark.

    batch.py --code gs://BUCKET/_code/DIGEST --packages gs://BUCKET/_wheels/DIGEST/packages.zip OPTIONS -- SCRIPT ...

OPTIONS are step.py's, SCRIPT is a path below --code, and the packages are what it imports. The script's process finds
the batch's JVM by the environment, as any Python that spark-submit starts does. google_cloud.py must be importable:
it is a Python file of the batch.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import google_cloud

ARCHIVE = Path("packages")  # where the batch has unpacked the first of --packages, if it has


def parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str], list[str]]:
    """Our own options, those of step.py, and the script with its arguments."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(prog="batch.py", allow_abbrev=False, description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--code", required=True, metavar="ADDRESS", help="gs://BUCKET/_code/DIGEST")
    archives = "a zip of importable packages; once per archive, the first found first"
    parser.add_argument("--packages", action="append", default=[], metavar="ADDRESS", help=archives)
    options, rest = parser.parse_known_args(arguments[:at])
    command = list(arguments[at + 1 :])
    if not command:
        parser.error("there is no script after --")
    return options, rest, command


def unpacked(number: int, address: str, folder: Path) -> Path:
    """A folder with the packages of an archive."""
    if number == 0 and ARCHIVE.is_dir():
        return ARCHIVE.resolve()
    target = folder / f"packages-{number}"
    archive = target.with_suffix(".zip")
    google_cloud.fetch_file(address, archive)
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(target)
    archive.unlink()
    return target


def main(arguments: Sequence[str]) -> int:
    """The command line; returns the exit code, which is step.py's."""
    options, rest, (script, *given) = parse(arguments)
    with tempfile.TemporaryDirectory(prefix="oneoff-") as name:
        folder = Path(name)
        try:
            google_cloud.fetch_folder(options.code, folder / "code")
            packages = [str(unpacked(*each, folder)) for each in enumerate(options.packages)]
        except (OSError, zipfile.BadZipFile) as problem:
            print(f"batch.py: error: the step's code could not be had: {problem}", file=sys.stderr)
            return 1
        sys.path[:0] = [str(folder / "code" / "node"), *packages]
        inherited = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = os.pathsep.join([*packages, *([inherited] if inherited else [])])
        import step
        from step_runner import end_with_parent

        end_with_parent()
        return step.main([*rest, "--", sys.executable, str(folder / "code" / script), *given])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
