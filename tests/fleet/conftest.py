"""Puts the fleet's scripts where tests can import them."""

import sys
from pathlib import Path

ASSETS = Path(__file__).resolve().parents[2] / "assets"
sys.path[:0] = [str(ASSETS / "fleet"), str(ASSETS / "jobs")]
