"""How well failures are foretold: how many, how early, and at how many false alarms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import networks
from failures_windows import SPANS, Windows

if TYPE_CHECKING:
    import numpy as np

BEST = "best reachable"
TROUBLE = "counting errors"  # what monitoring does without any learning
# Parts of false alarms at which the ROC is told, and those at which it is told how early.
RATES = (0.0, *(round(10 ** (n / 10 - 3), 6) for n in range(31)))
LEAD_RATES = (0.001, 0.003, 0.01, 0.03, 0.1)


def measure(
    model: str, scores: np.ndarray, test: Windows, odds: np.ndarray, names: Sequence[str], minutes: int
) -> dict[str, list[dict[str, Any]]]:
    """Rows of the tables that tell how well a model does. names: of the services, by their numbers."""
    import numpy as np

    failing = test.examples.abnormal
    alarms, best = (each > networks.threshold(each[~failing]) for each in (scores, odds))
    # A failure's windows rise and fall together: the error of the mean is that of failures, not of windows.
    _, failure = np.unique(
        np.column_stack([test.service, test.window + test.ahead])[failing], axis=0, return_inverse=True
    )
    failure = failure.reshape(-1)
    windows = np.bincount(failure)
    found = np.bincount(failure, alarms[failing])
    detected = float(alarms[failing].mean())
    off = np.sqrt(((found - detected * windows) ** 2).sum()) / windows.sum()
    of_service = np.array(names, object)[test.service]
    return {
        "roc": roc(model, scores, failing),
        "detection": [
            {
                "model": model,
                **{"failures": len(windows), "failing": int(failing.sum()), "normal": int((~failing).sum())},
                "auc": networks.area(scores, failing),
                **{"detected": detected, "detected_se": float(off), "best": float(best[failing].mean())},
                **{"announced": float((found > 0).mean()), "warning": _median_lead(alarms, test, failure) * minutes},
            }
        ],
        "services": [
            {
                **{"model": model, "service": name, "failing": int(mine.sum())},
                **{"detected": float(alarms[mine].mean()), "best": float(best[mine].mean())},
            }
            for name in sorted(set(of_service.tolist()))
            for mine in [failing & (of_service == name)]
            if mine.any()
        ],
        "leads": leads(model, scores, test, minutes),
    }


def _median_lead(alarms: np.ndarray, test: Windows, failure: np.ndarray) -> float:
    """How many windows before it half of the failures are announced at the latest, by an alarm within the horizon."""
    import numpy as np

    failing = test.examples.abnormal
    earliest = np.zeros(failure.max() + 1)
    np.maximum.at(earliest, failure, np.where(alarms[failing], test.ahead[failing], 0))
    return float(np.median(earliest))


def roc(model: str, scores: np.ndarray, failing: np.ndarray) -> list[dict[str, Any]]:
    """Rows of table `roc`."""
    points = networks.roc(scores, failing, RATES)
    return [{"model": model, "false_alarms": rate, "detected": detected} for rate, detected in points]


def leads(model: str, scores: np.ndarray, test: Windows, minutes: int) -> list[dict[str, Any]]:
    """Rows of table `leads`: of so many minutes before failures, in how many an alarm stands."""
    failing = test.examples.abnormal
    rows = []
    for rate in LEAD_RATES:
        alarms = scores > networks.threshold(scores[~failing], rate)
        for ahead in sorted(set(test.ahead[failing].tolist())):
            mine = failing & (test.ahead == ahead)
            alarmed = {"failures": int(mine.sum()), "foretold": float(alarms[mine].mean())}
            rows.append({"model": model, "false_alarms": rate, "minutes": ahead * minutes, **alarmed})
    return rows


def patterns(train: Windows, columns: Mapping[tuple[str, str], int], minutes: int) -> list[dict[str, Any]]:
    """Rows of table `patterns`: how many lines of each an hour has, of services that fail soon and of the others."""
    failing, service = train.examples.abnormal, train.examples.categories[:, 0]
    rows = []
    for (name, text), place in columns.items():
        lines, mine = train.examples.numbers[:, place], service == name
        rates = [
            float(lines[mine & chosen].mean(dtype=float)) * 60 / minutes if (mine & chosen).any() else None
            for chosen in (~failing, failing)
        ]
        rows.append({"service": name, "pattern": text, "normal": rates[0], "failing": rates[1]})
    assert SPANS[0] == 1  # the first columns are of one window
    return rows
