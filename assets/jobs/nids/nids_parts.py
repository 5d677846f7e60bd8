"""Divides published flows into those that networks learn from, those that they are measured on, and neither."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nids_input import File, read
from nids_layouts import FIFTHS, HELD_OUT, HELD_OUT_FIFTHS, LEFT_OUT, NORMAL, TRAIN

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


@dataclass(frozen=True)
class Outline:
    """What the division needs to know of a file."""

    flows: int
    hosts: Mapping[str, bool]  # that begin flows, and whether any of them is an attack
    seconds: Mapping[int, int]  # how many flows begin in each


def outline(file: File) -> Outline:
    """Reads a file once."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    flows, hosts, seconds = 0, {}, {}
    for table in read(file):
        flows += table.num_rows
        if table["srcip"].null_count:
            continue
        attack = pc.not_equal(table["family"], NORMAL)
        grouped = pa.table({"host": table["srcip"], "attack": attack}).group_by("host").aggregate([("attack", "any")])
        for row in grouped.to_pylist():
            hosts[row["host"]] = hosts.get(row["host"], False) or row["attack_any"]
        values, counts = np.unique(_whole_seconds(table), return_counts=True)
        for value, number in zip(values.tolist(), counts.tolist(), strict=True):
            seconds[value] = seconds.get(value, 0) + number
    return Outline(flows, hosts, seconds)


def _whole_seconds(table: pa.Table) -> np.ndarray:
    import pyarrow as pa

    return table["time"].cast(pa.int64()).to_numpy() // 1_000_000


@dataclass(frozen=True)
class Division:
    """Which flows are learnt from and which are held out.

    By host and time, where the layout has both; by the files' names, where they are training and testing sets; else
    the last lines of each file are held out.
    """

    cut: int | None = None  # second from which flows are late
    hosts: frozenset[str] = frozenset()  # that are held out
    by_name: bool = False
    flows: tuple[int, ...] = ()  # of each file

    @property
    def about(self) -> str:
        """A sentence."""
        if self.cut is not None:
            return f"divided by time and host: {len(self.hosts)} hosts are held out"
        if self.by_name:
            return "divided as published, into the files named train and test"
        return (
            "divided by line, as there are neither hosts nor files named train and test: each file's last are held out"
        )

    def parts(self, file: File, table: pa.Table, first: int) -> pa.Array:
        """The part of each row; `first`: how many rows of the file come before."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.cut is not None:
            late = _whole_seconds(table) >= self.cut
            apart = pc.is_in(table["srcip"], pa.array(sorted(self.hosts), pa.string())).to_numpy()
            return pa.array(np.where(late & apart, HELD_OUT, np.where(late | apart, LEFT_OUT, TRAIN)), pa.string())
        if self.by_name:
            return pa.repeat(_named_part(file), table.num_rows)
        late = (first + np.arange(table.num_rows)) * FIFTHS >= self.flows[file.number] * (FIFTHS - HELD_OUT_FIFTHS)
        return pa.array(np.where(late, HELD_OUT, TRAIN), pa.string())


def _named_part(file: File) -> str | None:
    name = file.name.rpartition("/")[2].lower()  # UNSW-NB15 has both in a folder "Training and Testing Sets"
    return TRAIN if "train" in name else HELD_OUT if "test" in name else None


def divide(files: Sequence[File], outlines: Sequence[Outline]) -> Division:
    """Divides the flows of all files."""
    hosts: dict[str, bool] = {}
    seconds: dict[int, int] = {}
    for each in outlines:
        for host, attacks in each.hosts.items():
            hosts[host] = hosts.get(host, False) or attacks
        for second, number in each.seconds.items():
            seconds[second] = seconds.get(second, 0) + number
    flows = tuple(each.flows for each in outlines)
    if not hosts:
        by_name = {_named_part(file) for file in files} == {TRAIN, HELD_OUT}
        return Division(by_name=by_name, flows=flows)
    before, cut = 0, None
    for second in sorted(seconds):
        if before * FIFTHS >= sum(flows) * (FIFTHS - HELD_OUT_FIFTHS):
            cut = second
            break
        before += seconds[second]
    # Those that attack and the others apart, or the few of UNSW-NB15 that do could all be on one side.
    kinds = [[host for host, attacks in hosts.items() if attacks == kind] for kind in (True, False)]
    chosen = [sorted(kind, key=_shuffled)[: _held_out(len(kind))] for kind in kinds]
    return Division(max(seconds) if cut is None else cut, frozenset(host for kind in chosen for host in kind))


def _held_out(hosts: int) -> int:
    return max(1, hosts * HELD_OUT_FIFTHS // FIFTHS) if hosts > 1 else 0


def _shuffled(host: str) -> bytes:
    return hashlib.blake2b(host.encode()).digest()
