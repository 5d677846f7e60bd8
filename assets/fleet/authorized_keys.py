"""The keys that an account may be entered by, for sshd's AuthorizedKeysCommand.

They are those that users.py admits, and nobody else has any. There are none for anybody once the list of users was not
confirmed for 10 minutes, since somebody may have been taken from it meanwhile. A key lets its owner have a terminal,
run commands and forward ports, as far as sshd's settings go; it forwards neither an agent nor X11.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

ADMITTED = Path("/run/oneoff/admitted.json")
CONFIRMED_WITHIN_S = 600
# Clocks are set; more than that is no clock that anything can be told by.
AHEAD_S = 60
OPTIONS = "restrict,port-forwarding,pty"


def lines(file: Path, name: str, now: float) -> list[str]:
    """As a file authorized_keys would have them."""
    admitted = json.loads(file.read_text())
    age = now - admitted["confirmed"]
    if not -AHEAD_S <= age <= CONFIRMED_WITHIN_S:
        print(
            f"authorized_keys: the list of users was not confirmed for {age:.0f} s: nobody may enter", file=sys.stderr
        )
        return []
    return [f"{OPTIONS} {key} {name}" for key in admitted["users"].get(name, [])]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, default=ADMITTED, help="what users.py wrote (default: %(default)s)")
    parser.add_argument("name", help="of the account")
    options = parser.parse_args()
    try:
        found = lines(options.file, options.name, time.time())
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"authorized_keys: {options.file} can't be read, so nobody may enter: {error!r}", file=sys.stderr)
        sys.exit(1)
    for line in found:
        print(line)


if __name__ == "__main__":
    main()
