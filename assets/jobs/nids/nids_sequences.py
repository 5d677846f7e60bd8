"""Flows of a host in the order of their times, for a network that remembers what the host did before."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import nids_data
import oneoff
from nids_data import Data, Flows
from nids_layouts import HELD_OUT, NORMAL, NUMBERS, TRAIN
from nids_twin import PRIORS, STRAYED

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


@dataclass(frozen=True)
class HostFlows(Flows):
    """Flows host by host, those of each in the order of their times. starts: places of the first ones."""

    starts: tuple[int, ...] = (0,)

    def only(self, chosen: np.ndarray) -> HostFlows:
        """Some of them, as flows of one host."""
        return HostFlows(self.numbers[chosen], self.categories[chosen], self.labels[chosen])

    @property
    def ends(self) -> list[tuple[int, int]]:
        """The first place of each host, and the one behind its last."""
        return list(zip(self.starts, [*self.starts[1:], len(self.labels)], strict=True))


def load(flows: str, truth: str, most: int) -> Data:
    """The flows of both parts, of each whole hosts with so many at most. Raises ValueError where there are no hosts."""
    tables = [nids_data.read_part(flows, part, sys.maxsize, ("srcip", "time")) for part in (TRAIN, HELD_OUT)]
    for table in tables:
        for name in ("srcip", "time"):
            if table[name].null_count:
                origin = table["origin"][0].as_py()
                raise ValueError(f"these flows of {origin} have no {name}, by which hosts' flows follow each other")
    train, test = (_some_hosts(table, most) for table in tables)
    columns = [name for name in NUMBERS if train[name].null_count < train.num_rows]
    learnt, measured = (
        HostFlows(*vars(nids_data.to_flows(table, columns, f"of hosts, part {part!r}")).values(), _starts(table))
        for table, part in ((train, TRAIN), (test, HELD_OUT))
    )
    known = oneoff.read_table(truth, ["flow", "log_ratio"])
    ratio = None if known is None else of_hosts(nids_data.ratios(known, test["flow"].to_numpy()), measured)
    return Data(learnt, measured, ratio, columns, train["origin"][0].as_py())


def _some_hosts(table: pa.Table, most: int) -> pa.Table:
    """Every so manieth host, in the order of their names."""
    import pyarrow.compute as pc

    hosts = sorted(pc.unique(table["srcip"]).to_pylist())
    every = max(1, -(-table.num_rows // most))
    if every > 1:
        import pyarrow as pa

        table = table.filter(pc.is_in(table["srcip"], pa.array(hosts[::every])))
    return table.sort_by([("srcip", "ascending"), ("time", "ascending"), ("flow", "ascending")])


def _starts(table: pa.Table) -> tuple[int, ...]:
    import numpy as np

    hosts = np.array(table["srcip"].to_pylist(), object)
    return (0, *(np.flatnonzero(hosts[1:] != hosts[:-1]) + 1).tolist())


def of_hosts(log_ratio: np.ndarray, flows: HostFlows) -> np.ndarray:
    """How much likelier each flow is as an attack, given also the flows of its host before it.

    A made-up host is one of attackers or it isn't, and how many of its flows are attacks goes by that alone.
    """
    import numpy as np

    attacks = 1 - PRIORS[NORMAL] / sum(PRIORS.values())
    bad = attacks * (1 - STRAYED) + (1 - attacks) * STRAYED  # part of all flows that begin at attackers' hosts
    kinds = np.array([attacks * (1 - STRAYED) / bad, attacks * STRAYED / (1 - bad)])  # part of attacks, of both kinds
    found = np.empty(len(log_ratio))
    for first, last in flows.ends:
        own = log_ratio[first:last, None]
        # Of a flow as either kind's, less what is the same in both: log(p ratio + 1 - p).
        likely = np.logaddexp(np.log(kinds) + own, np.log1p(-kinds))
        before = np.concatenate([[[0.0, 0.0]], likely.cumsum(axis=0)[:-1]]) + np.log([bad, 1 - bad])
        as_attack, as_normal = (np.logaddexp.reduce(before + np.log(part), axis=1) for part in (kinds, 1 - kinds))
        found[first:last] = own[:, 0] + as_attack - as_normal
    return found
