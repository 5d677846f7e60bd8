"""For tests of job nids: its modules, and both of its steps in one Spark of this process."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import oneoff
from conftest import JOBS

FOLDER = JOBS / "nids"
sys.path.append(str(FOLDER))  # behind xo's

import nids_layouts  # noqa: E402 - found through the line above
import nids_train  # noqa: E402

RESULTS = tuple(nids_train.COLUMNS)


def load_flows() -> ModuleType:
    """Script flows.py as a module."""
    if "nids_flows" not in sys.modules:
        spec = importlib.util.spec_from_file_location("nids_flows", FOLDER / "flows.py")
        assert spec and spec.loader
        sys.modules["nids_flows"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["nids_flows"])
    return sys.modules["nids_flows"]


def flows_arguments(folder: Path, *more: str) -> list[str]:
    return [f"--flows={folder / 'flows'}", f"--truth={folder / 'truth'}", *more]


def train_arguments(folder: Path, *more: str, into: Path | None = None) -> list[str]:
    results = [f"--{table}={(into or folder) / table}" for table in RESULTS]
    return [*flows_arguments(folder), *results, *more]


def rows(folder: Path, table: str) -> list[dict[str, Any]]:
    columns = {**{name: list(kinds) for name, kinds in nids_train.COLUMNS.items()}, "flows": list(nids_layouts.COLUMNS)}
    found = oneoff.read_table(str(folder / table), columns[table])
    return [] if found is None else found.to_pylist()


# Published files -----------------------------------------------------------------------------------------------------

# A flow as UNSW-NB15's whole set has it, by the names of its columns.
WHOLE = {
    **{field.name: "0" for field in nids_layouts.UNSW_WHOLE.fields},
    **{
        "srcip": "59.166.0.1",
        "sport": "1390",
        "dstip": "149.171.126.6",
        "dsport": "53",
        "proto": "udp",
        "state": "CON",
    },
    **{"dur": "0.001055", "sbytes": "132", "dbytes": "164", "service": "dns", "sload": "500473.9375"},
    **{"stime": "1421927414", "ltime": "1421927414", "ct_ftp_cmd": " ", "attack_cat": "", "label": "0"},
}
SPLIT = {
    **{field.name: "0" for field in nids_layouts.UNSW_SPLIT.fields},
    **{"id": "1", "dur": "0.121478", "proto": "tcp", "service": "-", "state": "FIN", "attack_cat": "Normal"},
}
KDD = {
    **{field.name: "0" for field in nids_layouts.NSL_KDD.fields},
    **{"protocol_type": "tcp", "service": "http", "flag": "SF", "label": "normal", "difficulty": "21"},
}


def line(flow: dict[str, str], **other: str) -> str:
    return ",".join({**flow, **other}.values())


def write_file(path: Path, *lines: str, end: str = "\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{text}{end}" for text in lines).encode())
    return path
