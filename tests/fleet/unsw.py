"""Writes flows as UNSW-NB15's whole set has them, made up, into three files of a folder: unsw.py FOLDER."""

import random
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests/jobs"), str(ROOT / "assets/jobs/nids"), str(ROOT / "assets/jobs")]
from nids_support import WHOLE, line, write_file  # noqa: E402 (it is found by the line before)

FILES, LINES = 3, 2000
made = random.Random(1)


def flow(number: int) -> str:
    """A line."""
    is_attack = made.random() < 0.3
    told = {"attack_cat": made.choice(["DoS", "Exploits"]), "label": "1", "srcip": f"175.45.176.{made.randrange(12)}"}
    return line(
        WHOLE,
        **{
            "srcip": f"192.168.0.{made.randrange(40)}",
            "stime": str(1421927414 + number),
            "dur": f"{made.lognormvariate(0.8 if is_attack else 0, 1):.6f}",
            "sbytes": str(int(made.lognormvariate(6 if is_attack else 5, 1))),
            "service": made.choice(["dns", "http", "-"]),
            **(told if is_attack else {}),
        },
    )


for file in range(FILES):
    write_file(Path(sys.argv[1]) / f"{file + 1}.csv", *(flow(file * LINES + each) for each in range(LINES)))
