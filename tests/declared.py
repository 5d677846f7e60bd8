"""Tables as jobs declare them, for tests of what runs steps."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def table(name: str, /, *, may_be_empty: bool = False, **types: str) -> dict[str, Any]:
    """As a job has it: its columns and their types."""
    columns = [{"name": column, "type": kind} for column, kind in types.items()]
    return {"name": name, "about": "A row", "columns": columns, "mayBeEmpty": may_be_empty}


def declaration(name: str, /, *, may_be_empty: bool = False, **types: str) -> dict[str, Any]:
    """As core/declared-table.ts has it."""
    columns = [{"name": column, "type": kind, "measured": False} for column, kind in types.items()]
    return {"name": name, "columns": columns, "partitions": [], "mayBeEmpty": may_be_empty}


def job_file(
    job: str, leaves: Mapping[str, Sequence[str]], tables: Sequence[dict[str, Any]], endless: Sequence[str] = ()
) -> str:
    """What step.py is told of a job. leaves: by the steps, in their order."""
    steps = [{"name": step, "leaves": list(names), "endless": step in endless} for step, names in leaves.items()]
    return json.dumps({"job": job, "steps": steps, "tables": list(tables)})


def tables_of(job: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Those of a shipped job, in both ways. job: an expression, such as "xo()"."""
    program = f"""
        import {{ londonPower, xo }} from "./assets/jobs/index.ts";
        import {{ declaredTable }} from "./core/declared-table.ts";
        const {{ tables }} = {job};
        console.log(JSON.stringify([tables, tables.map(declaredTable)]));
    """
    node = [str(ROOT / "node_modules/.bin/node"), "--input-type=module", "--eval", program]
    return tuple(json.loads(subprocess.check_output(node, cwd=ROOT, text=True)))
