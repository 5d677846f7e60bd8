"""Puts the modules that runners of steps share where tests can import them."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "assets" / "steps"), str(ROOT / "assets" / "jobs")]
