"""Runs steps one after another in one JVM, which takes a fraction of the time of a spark-submit for each of them.

It is given [[SCRIPT, ARGUMENT, ...], ...] as JSON; what the scripts import is in PYTHONPATH.
"""

from __future__ import annotations

import json
import runpy
import sys

for script, *arguments in json.loads(sys.argv[1]):
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")
