"""Prints the secrets of a run, from Systems Manager, as JSON: text by name. By the credentials of whoever runs it.

job_secrets.py NAME=PARAMETER...
"""

from __future__ import annotations

import argparse
import json

import units
from fleet_hdfs import run


def named(text: str) -> tuple[str, str]:
    """A secret's name, and that of the parameter which holds it."""
    name, separator, parameter = text.partition("=")
    if not (name and separator and parameter):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=PARAMETER")
    return name, parameter


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("secrets", nargs="+", type=named, metavar="NAME=PARAMETER", help="a secret, and where it is")
    options = parser.parse_args()
    print(json.dumps({name: units.parameter(parameter) for name, parameter in options.secrets}))


if __name__ == "__main__":
    run("job_secrets", main)
