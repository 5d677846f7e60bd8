"""Leaves in LAKE what run RUN of job nids would, a network trained with SEED, and flows beside the tables."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scoring"))

import conftest  # noqa: F401 - it says where everything is
import scoring_support as support

lake, run, seed = sys.argv[1:]
support.leave_run(Path(lake), run, support.train(int(seed)), datetime.now(timezone.utc).isoformat())
(Path(lake) / "_runs").chmod(0o777)  # for other runs, as in a bucket
(Path(lake) / "_flows.csv").write_bytes(b"\n".join(support.csv_lines(100)))
