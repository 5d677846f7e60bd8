"""Looks through a gzipped tar, and refuses what push.py would of it and of its folder, as far as that takes no HDFS."""

from __future__ import annotations

import argparse
import json

from fleet_archive import Source, members
from fleet_hdfs import run
from push_plan import refuse_name, target_folder


def look_through(source: Source) -> dict[str, int]:
    """How many files it has, and how many bytes they are."""
    found = {"files": 0, "bytes": 0}
    for path, member, _ in members(source):
        refuse_name(source, path)
        if not member.isdir():
            found["files"] += 1
            found["bytes"] += member.size
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", metavar="SOURCE", help="a gzipped tar")
    parser.add_argument("target", metavar="TARGET", help="the folder of HDFS that it is to go to")
    options = parser.parse_args()
    target_folder(options.target)
    print(json.dumps(look_through(Source(options.source))))


if __name__ == "__main__":
    run("check_archive", main)
