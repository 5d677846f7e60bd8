"""Made-up services whose hazard is known, and so the best that anybody who reads their logs can foretell.

How strained a service is goes up and down in levels, one window of ten minutes after another. In each window it logs
lines by its level, as many of a kind as a Poisson distribution says, and at the window's end it fails with a
probability that a level more makes exp(hazard) times as large. It starts anew in the next window, at ease. With a
hazard of 0 failures have nothing to do with strain, and so nothing with what is logged.

From all that a service has logged until now follows, by Bayes and exactly, how probable each level is and with it how
probable the service fails within the horizon: a filter, as of any hidden Markov model. By the lemma of Neyman and
Pearson no alarm is raised before more failures, at as many false alarms, than one at a threshold on that probability.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple

from failures_services import DOWN, FAILURES, INFO, LEVELS, SERVICES, STARTED, UP

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

BEGIN = datetime(2026, 1, 5, tzinfo=timezone.utc)
WINDOW = timedelta(minutes=10)
WINDOWS_A_DAY = timedelta(days=1) // WINDOW
HORIZON = 12  # windows ahead that a failure is foretold: two hours
MOST_PROBABLE = 0.5  # that a service fails in a window


class Twin(NamedTuple):
    """All that the logs depend on."""

    seed: int
    hosts: int
    days: int
    hazard: float

    @property
    def windows(self) -> int:
        """Of each service."""
        return self.days * WINDOWS_A_DAY

    @property
    def services(self) -> list[tuple[str, str]]:
        """Host and name of each."""
        return [(f"node-{host + 1:03d}", name) for host in range(self.hosts) for name in SERVICES]


def hazards(hazard: float) -> np.ndarray:
    """How probable a service fails in a window, by its level."""
    import numpy as np

    stays = np.ones(LEVELS)
    for level in range(1, LEVELS):
        stays[level] = stays[level - 1] * UP[level - 1] / DOWN[level]
    growth = np.exp(hazard * np.arange(LEVELS))
    return np.minimum(FAILURES * growth / ((stays / stays.sum()) * growth).sum(), MOST_PROBABLE)


def rates(service: str) -> np.ndarray:
    """Lines of each pattern in a window: patterns x levels."""
    import numpy as np

    return np.array([[p.rate * np.exp(p.gain * level) for level in range(LEVELS)] for p in SERVICES[service]])


# Drawing -------------------------------------------------------------------------------------------------------------


class Lives(NamedTuple):
    """What happens to some services: arrays of services x windows."""

    level: np.ndarray
    fails: np.ndarray  # at the window's end
    lines: np.ndarray  # services x windows x patterns


def generator(twin: Twin, number: int) -> np.random.Generator:
    """That of a service; its life depends on nothing but the twin and its number."""
    import numpy as np

    return np.random.Generator(np.random.Philox(key=np.array([twin.seed, number], np.uint64)))


def live(twin: Twin, randoms: Sequence[np.random.Generator], names: Sequence[str]) -> Lives:
    """Services of these names, each with a generator of its own."""
    import numpy as np

    move, end = (np.array([random.random(twin.windows) for random in randoms]) for _ in range(2))
    up, down, hazard = np.array(UP), np.array(DOWN), hazards(twin.hazard)
    level, fails = np.zeros(move.shape, np.int64), np.zeros(move.shape, bool)
    now = np.zeros(len(names), np.int64)
    for window in range(twin.windows):
        if window:
            moved = now + (move[:, window] < up[now]) - (move[:, window] > 1 - down[now])
            now = np.where(fails[:, window - 1], 0, moved)
        level[:, window] = now
        fails[:, window] = end[:, window] < hazard[now]
    lines = [
        np.stack([random.poisson(of_pattern[levels]) for of_pattern in rates(name)], axis=1)
        for random, name, levels in zip(randoms, names, level, strict=True)
    ]
    return Lives(level, fails, np.array(lines))


# What can be foretold ------------------------------------------------------------------------------------------------


def survival(twin: Twin, windows: int = HORIZON) -> np.ndarray:
    """How probable a service that hasn't failed yet lives on for so many windows more, by its level now."""
    import numpy as np

    lives, hazard = np.ones(LEVELS), hazards(twin.hazard)
    for _ in range(windows):
        lives = _moved_from((1 - hazard) * lives)
    return lives


def log_odds(twin: Twin, names: Sequence[str], lives: Lives) -> np.ndarray:
    """That a service fails within the horizon, given all that it logged until now and that it hasn't failed.

    Services x windows. Element by element, so that services that are worked out together make no difference.
    """
    import numpy as np

    likely = np.zeros((*lives.level.shape, LEVELS))
    for place, name in enumerate(names):
        for pattern, of_level in enumerate(rates(name)):
            likely[place] += lives.lines[place, :, pattern, None] * np.log(of_level) - of_level
    likely = np.exp(likely - likely.max(axis=2, keepdims=True))
    hazard, dies = hazards(twin.hazard), 1 - survival(twin)
    at_ease = np.eye(LEVELS)[0]
    found = np.empty(lives.level.shape)
    before = np.tile(at_ease, (len(names), 1))
    for window in range(twin.windows):
        if window:
            before = np.where(lives.fails[:, window - 1, None], at_ease, _moved_to(before))
        after = before * likely[:, window] * (1 - hazard)
        after /= after.sum(axis=1, keepdims=True)
        found[:, window] = (after * dies).sum(axis=1)
        before = after
    return np.log(found) - np.log1p(-found)


def _moved_to(probable: np.ndarray) -> np.ndarray:
    """How probable each level is one window later: ... x levels."""
    import numpy as np

    up, down = np.array(UP), np.array(DOWN)
    later = probable * (1 - up - down)
    later[..., 1:] += (probable * up)[..., :-1]
    later[..., :-1] += (probable * down)[..., 1:]
    return later


def _moved_from(values: np.ndarray) -> np.ndarray:
    """What is expected of a value of each level, one window earlier."""
    import numpy as np

    up, down = np.array(UP), np.array(DOWN)
    earlier = values * (1 - up - down)
    earlier[:-1] += up[:-1] * values[1:]
    earlier[1:] += down[1:] * values[:-1]
    return earlier


# Tables --------------------------------------------------------------------------------------------------------------


def parts(twin: Twin, least: int = 8, most: int = 50) -> list[tuple[int, int]]:
    """First and last service of each part file; they depend on nothing but how many there are."""
    services = len(twin.services)
    number = min(services, max(least, -(-services // most)))
    return [(services * n // number, services * (n + 1) // number) for n in range(number)]


def tables(twin: Twin, first: int, last: int) -> Mapping[str, pa.Table]:
    """Rows of tables `logs`, `failures` and `truth` of services `first` to `last - 1`."""
    import numpy as np
    import pyarrow as pa

    names = twin.services[first:last]
    randoms = [generator(twin, number) for number in range(first, last)]
    lives = live(twin, randoms, [name for _, name in names])
    odds = log_odds(twin, [name for _, name in names], lives)
    logs, failures, truth = [], [], []
    for place, (random, (host, name)) in enumerate(zip(randoms, names, strict=True)):
        logs.append(_logs(random, host, name, lives.lines[place], lives.fails[place]))
        failed = np.flatnonzero(lives.fails[place])
        failures.append(
            pa.table({**_of_service(len(failed), host, name), "time": _times((failed + 1) * WINDOW.total_seconds())})
        )
        windows = np.arange(twin.windows)
        known = {"window_number": windows, "strain": lives.level[place], "log_odds": odds[place]}
        truth.append(pa.table({**_of_service(len(windows), host, name), **known}))
    return {
        name: pa.concat_tables(of_name) for name, of_name in (("logs", logs), ("failures", failures), ("truth", truth))
    }


def _of_service(rows: int, host: str, name: str) -> dict[str, pa.Array]:
    import pyarrow as pa

    return {"host": pa.repeat(host, rows), "service": pa.repeat(name, rows)}


def _times(seconds: np.ndarray) -> pa.Array:
    """Of seconds since BEGIN."""
    import numpy as np
    import pyarrow as pa

    micros = int(BEGIN.timestamp()) * 1_000_000 + np.round(np.asarray(seconds, float) * 1000).astype(np.int64) * 1000
    return pa.array(micros).cast(pa.timestamp("us", "UTC"))


def _logs(random: np.random.Generator, host: str, name: str, lines: np.ndarray, fails: np.ndarray) -> pa.Table:
    """The lines of a service, in the order of their times."""
    import numpy as np
    import pyarrow as pa

    starts = np.flatnonzero(np.concatenate([[True], fails[:-1]]))
    windows, severities, texts = [starts], [np.full(len(starts), INFO)], _fill(random, STARTED, len(starts), name)
    within = [np.zeros(len(starts))]
    for place, pattern in enumerate(SERVICES[name]):
        of_pattern = np.repeat(np.arange(len(lines)), lines[:, place])
        windows.append(of_pattern)
        within.append(1 + random.random(len(of_pattern)) * (WINDOW.total_seconds() - 2))
        severities.append(np.full(len(of_pattern), pattern.severity))
        texts += _fill(random, pattern.text, len(of_pattern), name)
    seconds = np.concatenate(windows) * WINDOW.total_seconds() + np.concatenate(within)
    order = np.argsort(seconds, kind="stable")
    table = pa.table(
        {
            "time": _times(seconds),
            **_of_service(len(seconds), host, name),
            "severity": pa.array(np.concatenate(severities)),
            "message": pa.array(texts, pa.string()),
        }
    )
    return table.take(pa.array(order))


def _fill(random: np.random.Generator, text: str, number: int, name: str) -> list[str]:
    """So many lines of a pattern."""
    import numpy as np

    values = random.integers(0, 2**32, (number, 2)).tolist()
    sizes = np.floor(np.exp(6 + 1.5 * random.standard_normal((number, 2)))).astype(np.int64) + 1
    numbers = sizes.tolist()
    said = text.replace("{service}", name).replace("{id}", "%(id)08x").replace("{ip}", "%(ip)s")
    said = said.replace("{n}", "%(n)d", 1).replace("{n}", "%(m)d")
    return [
        said % {"id": one, "ip": f"10.3.{other % 4}.{other // 4 % 250 + 1}", "n": n, "m": m}
        for (one, other), (n, m) in zip(values, numbers, strict=True)
    ]
