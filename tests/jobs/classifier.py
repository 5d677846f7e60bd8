"""Logistic regression of three features, as a user's own model for job streaming-regression."""

from __future__ import annotations

import math
from typing import Any

RATE = 0.2


def start(features: int) -> dict[str, Any]:
    """What it begins with."""
    return {"weights": [0.0] * features, "constant": 0.0}


def predict(state: dict[str, Any], x: list[float]) -> float:
    """How probable it is that y is 1."""
    total = state["constant"] + sum(weight * value for weight, value in zip(state["weights"], x, strict=True))
    return 1 / (1 + math.exp(-max(-50, min(50, total))))


def learn(state: dict[str, Any], x: list[float], y: float) -> None:
    """Changes the state."""
    step = RATE * (y - predict(state, x))
    state["weights"] = [weight + step * value for weight, value in zip(state["weights"], x, strict=True)]
    state["constant"] += step
