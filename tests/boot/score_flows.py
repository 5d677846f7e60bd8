"""Has ADDRESS score flows again and again, until a network of run UNTIL does; prints what became of them, as JSON."""

import json
import sys
import time
import urllib.request
from pathlib import Path

address, until = sys.argv[1:]
flows = Path("/lake/_flows.csv").read_bytes()
runs: list[str] = []
told = {"flows": 0, "failed": 0, "runs": runs}
end = time.monotonic() + 100
while until not in runs and time.monotonic() < end:
    with urllib.request.urlopen(f"http://{address}/version", timeout=10) as answer:
        run = json.load(answer)["model"]["run"]
    if run not in runs:
        runs.append(run)
    try:
        with urllib.request.urlopen(f"http://{address}/flows", flows, timeout=10) as answer:
            lines = [json.loads(line) for line in answer.read().splitlines()]
        told["failed"] += 100 - sum("score" in line for line in lines)
    except OSError:
        told["failed"] += 100
    told["flows"] += 100
print(json.dumps(told))
