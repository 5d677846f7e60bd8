"""The flows that networks learn from and are measured on, out of table `flows`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import oneoff
from networks import Examples
from networks_onnx import Inputs
from nids_arrays import arrays
from nids_layouts import CATEGORIES, HELD_OUT, NUMBERS, TRAIN

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


class Flows(Examples):
    """Flows in the order of their ids; their labels are families."""

    @property
    def families(self) -> np.ndarray:
        """Text."""
        return self.labels

    @property
    def attacks(self) -> np.ndarray:
        """Which flows are attacks."""
        return self.abnormal


@dataclass(frozen=True)
class Data:
    """What there is to learn from and to measure on."""

    train: Flows
    test: Flows
    log_ratio: np.ndarray | None  # of `test`, of made-up flows; nothing learns from it
    columns: list[str]  # of numbers: those that the data set has
    origin: str

    @property
    def inputs(self) -> Inputs:
        """What goes into a network's file."""
        return Inputs(self.columns, CATEGORIES, "flows")


def load(flows: str, truth: str, most: int) -> Data:
    """The flows of both parts, of each so many at most. Raises ValueError when nothing can be learnt from them."""
    train, test = (read_part(flows, part, most) for part in (TRAIN, HELD_OUT))
    columns = [name for name in NUMBERS if train[name].null_count < train.num_rows]
    known = oneoff.read_table(truth, ["flow", "log_ratio"])
    return Data(
        to_flows(train, columns, f"to learn from, part {TRAIN!r}"),
        to_flows(test, columns, f"to measure on, part {HELD_OUT!r}"),
        None if known is None else ratios(known, test["flow"].to_numpy()),
        columns,
        train["origin"][0].as_py(),
    )


def ratios(known: pa.Table, ids: np.ndarray) -> np.ndarray:
    """Those of flows, by their numbers."""
    known = known.sort_by("flow")
    import numpy as np

    return known["log_ratio"].to_numpy()[np.searchsorted(known["flow"].to_numpy(), ids)]


def read_part(folder: str, part: str, most: int, more: Sequence[str] = ()) -> pa.Table:
    """Flows of a part, every so manieth, by their numbers; one file at a time, as there may be millions."""
    import pyarrow as pa
    import pyarrow.compute as pc

    filesystem, files = oneoff.part_files(folder)
    if not files:
        raise ValueError("there are none; flows.py makes them")
    wanted = ["flow", "origin", "family", *more, *CATEGORIES, *NUMBERS]
    total = 0
    for file in files:
        with oneoff.open_parquet(filesystem, file) as parquet:
            lacking = [name for name in ("part", *wanted) if name not in parquet.schema_arrow.names]
            if lacking:
                raise ValueError(f"{file.path} has no column {lacking[0]!r}")
            total += pc.sum(pc.equal(parquet.read(["part"])["part"], part)).as_py() or 0
    every, seen, tables = max(1, -(-total // most)), 0, []
    for file in files:
        with oneoff.open_parquet(filesystem, file) as parquet:
            rows = parquet.read(["part", *wanted])
        rows = rows.filter(pc.equal(rows["part"], part)).select(wanted)
        tables.append(rows.take(pa.array(range(-seen % every, rows.num_rows, every), pa.int64())))
        seen += rows.num_rows
    return pa.concat_tables(tables).sort_by("flow")


def to_flows(table: pa.Table, columns: Sequence[str], purpose: str) -> Flows:
    """Rows as flows. Raises ValueError when there are not both normal flows and attacks."""
    import numpy as np

    families = np.array(table["family"].to_pylist(), dtype=str)
    flows = Flows(*arrays(table, columns), families)
    attacks = int(flows.attacks.sum())
    if not 0 < attacks < len(families):
        raise ValueError(f"{purpose}, expected normal flows and attacks, found {len(families) - attacks} and {attacks}")
    return flows
