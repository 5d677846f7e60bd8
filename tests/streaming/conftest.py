"""Puts the job's modules, and what its tests share, where tests can import them."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tests/jobs"), str(ROOT / "assets/jobs/streaming-regression"), str(ROOT / "assets/jobs")]
