"""What a detector sees of services: lines counted by pattern, in the windows of ten minutes until now.

A pattern is a line's text without what differs from line to line: numbers, addresses, identifiers. Nothing here knows
which patterns there are, or how logs were made up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from networks import NORMAL, Examples

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

FAILING = "Failing"
# Of five hosts two are held out, and of the time the last two fifths: as in job nids.
HELD_OUT_FIFTHS, FIFTHS = 2, 5
SPANS = (1, 6, 24)  # windows over which lines are summed up: ten minutes, an hour, four hours
STARTS = "Started "  # what a service's first line begins with
# A word of hexadecimal digits, eight or with a figure in it, and what hangs on it: an address, a port, a fraction.
VARIABLE = r"\b([0-9a-f]{8,}|[0-9a-f]*[0-9][0-9a-f]*([.:][0-9a-f]+)*)\b"
TROUBLE = ("WARNING", "ERROR")


class Service(NamedTuple):
    """What a service logged: lines by window and pattern, those that tell of trouble by window; when it started."""

    host: str
    name: str
    patterns: Sequence[str]
    window: np.ndarray
    pattern: np.ndarray  # places in `patterns`
    lines: np.ndarray
    trouble: np.ndarray
    starts: np.ndarray


def patterns(messages: pa.ChunkedArray) -> pa.ChunkedArray:
    """The pattern of each line."""
    import pyarrow.compute as pc

    return pc.replace_substring_regex(messages, VARIABLE, "#")


def services(table: pa.Table, begin: int, seconds: int, windows: int) -> list[Service]:
    """Counts the lines of table `logs`, of services that are whole in it; `begin`: second in which windows begin."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    moment = (table["time"].cast(pa.int64()).to_numpy() // 1_000_000 - begin) // seconds
    if len(moment) and not 0 <= moment.min() <= moment.max() < windows:
        raise ValueError(f"expected lines of {windows} windows from second {begin}, found some of others")
    table = pa.table(
        {
            **{name: table[name] for name in ("host", "service", "severity")},
            "window": pa.array(moment),
            "pattern": patterns(table["message"]),
        }
    )
    keys = ["host", "service", "window", "pattern", "severity"]
    counted = table.group_by(keys).aggregate([([], "count_all")]).sort_by([(key, "ascending") for key in keys])
    found = []
    for pair in counted.select(["host", "service"]).group_by(["host", "service"]).aggregate([]).to_pylist():
        mine = counted.filter(pc.and_(*(pc.equal(counted[key], pair[key]) for key in ("host", "service"))))
        window, lines = mine["window"].to_numpy(), mine["count_all"].to_numpy()
        encoded = mine["pattern"].combine_chunks().dictionary_encode()
        texts, pattern = encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
        trouble = np.zeros(windows, np.int64)
        bad = np.isin(mine["severity"].to_pylist(), TROUBLE)
        np.add.at(trouble, window[bad], lines[bad])
        starts = np.unique(window[np.array([text.startswith(STARTS) for text in texts])[pattern]])
        found.append(Service(pair["host"], pair["service"], texts, window, pattern, lines, trouble, starts))
    return found


def ahead(fails: Sequence[int], windows: int) -> np.ndarray:
    """Of each window, how many later the service fails next; -1 where it doesn't. It fails at the end of `fails`."""
    import numpy as np

    found = np.full(windows, -1)
    for first, last in zip([0, *(last + 1 for last in fails[:-1])], fails, strict=False):
        found[first : last + 1] = last - np.arange(first, last + 1)
    return found


def held_out_hosts(hosts: Iterable[str]) -> frozenset[str]:
    """Two of five, by a hash of their names."""
    ordered = sorted(set(hosts), key=lambda host: hashlib.blake2b(host.encode()).digest())
    return frozenset(ordered[: len(ordered) * HELD_OUT_FIFTHS // FIFTHS])


@dataclass(frozen=True)
class Windows:
    """Some windows: what goes into a network, and what was, of each."""

    examples: Examples
    ahead: np.ndarray  # windows until the service fails, -1 where it isn't known to
    trouble: np.ndarray  # lines that tell of it, within an hour
    service: np.ndarray  # number
    window: np.ndarray


def part_of(until: np.ndarray, horizon: int, held_out: bool) -> np.ndarray:
    """Of a service's windows those that are learnt from, or those that are measured on. until: what `ahead` says."""
    import numpy as np

    every = np.arange(len(until))
    cut = len(until) * (FIFTHS - HELD_OUT_FIFTHS) // FIFTHS
    # At a failure's own window nothing can be foretold any more; towards the end nobody knows what came.
    known = (until > 0) | ((until < 0) & (every < len(until) - horizon))
    # What is learnt from knows what comes within the horizon, which has to be before what is measured on.
    return np.flatnonzero(known & (every >= cut if held_out else every < cut - horizon))


def features(service: Service, columns: Mapping[tuple[str, str], int], chosen: np.ndarray) -> np.ndarray:
    """float32, chosen windows x inputs: lines of each pattern over each span since the start, and how long that is ago.

    columns: place of each pattern of a service.
    """
    import numpy as np

    windows = len(service.trouble)
    place = np.array([columns.get((service.name, text), -1) for text in service.patterns])[service.pattern]
    counts = np.zeros((windows + 1, len(columns)), np.int64)
    np.add.at(counts, (service.window[place >= 0] + 1, place[place >= 0]), service.lines[place >= 0])
    sums = counts.cumsum(axis=0)
    began = last_start(service)[chosen]
    columns_of = [sums[chosen + 1] - sums[np.maximum(chosen + 1 - span, began)] for span in SPANS]
    return np.concatenate([*columns_of, (chosen - began)[:, None]], axis=1).astype(np.float32)


def last_start(service: Service) -> np.ndarray:
    """Of each window, the one in which the service started last."""
    import numpy as np

    every = np.arange(len(service.trouble))
    place = np.searchsorted(service.starts, every, side="right") - 1
    return np.where(place >= 0, service.starts[np.maximum(place, 0)] if len(service.starts) else 0, 0)


def input_names(columns: Mapping[tuple[str, str], int], minutes: int) -> list[str]:
    """What goes into a network, in order."""
    spans = [f"{name}: {text} ({span * minutes} min)" for span in SPANS for name, text in columns]
    return [*spans, "windows since the start"]


def choose(
    found: Sequence[Service], until: Sequence[np.ndarray], horizon: int, most: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Of each service the windows that are learnt from and those that are measured on, of either so many at most.

    Of the former every so manieth; of the latter, of a service all or none, so that its alarms have an order.
    """
    apart = held_out_hosts(service.host for service in found)
    learnt, measured = (
        [
            part_of(of_service, horizon, held_out)[: None if (service.host in apart) == held_out else 0]
            for service, of_service in zip(found, until, strict=True)
        ]
        for held_out in (False, True)
    )
    every = max(1, -(-sum(map(len, learnt)) // most))
    seen = 0
    for place, part in enumerate(learnt):
        learnt[place] = part[-seen % every :: every]
        seen += len(part)
    every, seen = max(1, -(-sum(map(len, measured)) // most)), 0
    for place, part in enumerate(measured):
        if seen % every:
            measured[place] = part[:0]
        seen += len(part) > 0
    return learnt, measured


def gather(
    found: Sequence[Service],
    until: Sequence[np.ndarray],
    chosen: Sequence[np.ndarray],
    columns: Mapping[tuple[str, str], int],
    horizon: int,
) -> Windows:
    """Chosen windows of services."""
    import numpy as np

    numbers = [features(service, columns, mine) for service, mine in zip(found, chosen, strict=True)]
    left = np.concatenate([ahead[mine] for ahead, mine in zip(until, chosen, strict=True)])
    names = np.repeat(np.array([service.name for service in found], object), [len(mine) for mine in chosen])
    labels = np.where((left > 0) & (left <= horizon), FAILING, NORMAL)
    trouble = []
    for service, mine in zip(found, chosen, strict=True):
        sums = np.concatenate([[0], service.trouble.cumsum()])
        trouble.append(sums[mine + 1] - sums[np.maximum(mine + 1 - SPANS[1], last_start(service)[mine])])
    return Windows(
        Examples(np.concatenate(numbers), names[:, None], labels),
        left,
        np.concatenate(trouble),
        np.repeat(np.arange(len(found)), [len(mine) for mine in chosen]),
        np.concatenate(chosen),
    )
