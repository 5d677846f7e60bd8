"""Models that learn from one example after another: two of ours, and whatever a Python file of the user's defines."""

from __future__ import annotations

import importlib.util
import inspect
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np

RIDGE = 1e-3  # what recursive least squares begins with: weights of 0, held as by so much of each feature's square


class Model(Protocol):
    """What predicts y, learns from y, and can be kept as JSON."""

    name: str  # a state of a model of another name is refused

    def predict(self, x: Sequence[float]) -> float:
        """What y is going to be."""
        ...

    def learn(self, x: Sequence[float], y: float) -> None:
        """Takes in what y was."""
        ...

    def dump(self) -> Any:  # noqa: ANN401 - JSON
        """What it has learnt, as JSON can hold it."""
        ...

    def load(self, kept: Any) -> None:  # noqa: ANN401 - JSON
        """Goes on from there."""
        ...


class ModelError(ValueError):
    """What is wrong with a model, in one line."""


class PredictionError(ModelError):
    """The same, of an example that it can't predict."""


class Rls:
    """Linear regression by recursive least squares: after each example the best weights for all examples so far.

    forgetting: 1 for that; with less, an example that lies n back counts forgetting^n as much, so that weights follow
    a truth that drifts. Where examples tell nothing new for long, what is forgotten is not replaced: P would grow
    beyond all bounds, and so its trace may not exceed that which it began with.
    """

    name = "rls"

    def __init__(self, features: int, forgetting: float = 1.0) -> None:
        """The last weight is the constant."""
        self.weights = np.zeros(features + 1)
        self.p = np.eye(features + 1) / RIDGE
        self._most, self._forgetting = float(np.trace(self.p)), forgetting

    def predict(self, x: Sequence[float]) -> float:
        return float(self.weights @ _with_constant(x))

    def learn(self, x: Sequence[float], y: float) -> None:
        z = _with_constant(x)
        pz = self.p @ z
        gain = pz / (self._forgetting + z @ pz)
        self.weights = self.weights + gain * (y - self.weights @ z)
        p = (self.p - np.outer(gain, pz)) / self._forgetting
        p = (p + p.T) / 2
        self.p = p * min(1.0, self._most / float(np.trace(p)))

    def dump(self) -> dict[str, Any]:
        return {"weights": self.weights.tolist(), "p": self.p.tolist()}

    def load(self, kept: dict[str, Any]) -> None:
        self.weights, self.p = np.array(kept["weights"]), np.array(kept["p"])


class Sgd:
    """Linear regression by stochastic gradient descent, a step per example.

    A step is at most that which has the example predicted right, so that no learning rate and no example, however
    large, makes the weights infinite.
    """

    name = "sgd"

    def __init__(self, features: int, learning_rate: float = 0.01) -> None:
        """The last weight is the constant."""
        self.weights, self._rate = np.zeros(features + 1), learning_rate

    def predict(self, x: Sequence[float]) -> float:
        return float(self.weights @ _with_constant(x))

    def learn(self, x: Sequence[float], y: float) -> None:
        z = _with_constant(x)
        self.weights = self.weights + min(self._rate, 1 / (z @ z)) * (y - self.weights @ z) * z

    def dump(self) -> dict[str, Any]:
        return {"weights": self.weights.tolist()}

    def load(self, kept: dict[str, Any]) -> None:
        self.weights = np.array(kept["weights"])


def _with_constant(x: Sequence[float]) -> np.ndarray:
    return np.array([*x, 1.0])


class Own:
    """A model of the user's: a file with `predict(state, x)` and `learn(state, x, y)`.

    The state is what `start(features)` returns, where there is one, else an empty dict; `learn` changes it or returns
    another. JSON must hold it. After each batch it is what JSON makes of it, so that no restart can change it.
    """

    def __init__(self, file: Path, features: int) -> None:
        """Raises ModelError."""
        self.name = f"file {file.name}"
        module = _load(file)
        self._predict, self._learn = (_function(module, file, *each) for each in (("predict", 2), ("learn", 3)))
        self.state: Any = {}
        if hasattr(module, "start"):
            self.state = self._try(_function(module, file, "start", 1), features)
        self.dump()

    def predict(self, x: Sequence[float]) -> float:
        try:
            given = self._try(self._predict, self.state, list(x))
            prediction = float(given)
        except ModelError as problem:
            raise PredictionError(str(problem)) from problem
        except (TypeError, ValueError):
            raise PredictionError(f"{self.name}: predict returned {given!r}, which is no number") from None
        if not math.isfinite(prediction):
            raise PredictionError(f"{self.name}: predict returned {prediction}, which is not finite")
        return prediction

    def learn(self, x: Sequence[float], y: float) -> None:
        changed = self._try(self._learn, self.state, list(x), y)
        if changed is not None:
            self.state = changed

    def dump(self) -> Any:  # noqa: ANN401 - JSON
        try:
            text = json.dumps(self.state, allow_nan=False)
        except (TypeError, ValueError) as problem:
            raise ModelError(f"{self.name}: JSON can't hold its state ({problem}): use lists, dicts, numbers") from None
        self.state = json.loads(text)
        return json.loads(text)

    def load(self, kept: Any) -> None:  # noqa: ANN401 - JSON
        self.state = kept

    def _try(self, function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - whatever it returns
        try:
            return function(*arguments)
        except Exception as problem:
            told = f"{type(problem).__name__}: {problem}"
            raise ModelError(f"{self.name}: {function.__name__} failed: {told}") from problem


def _load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("own_model", file)
    if spec is None or spec.loader is None or not file.is_file():
        raise ModelError(f"there is no Python file {file}")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as problem:
        raise ModelError(f"{file} can't be imported: {type(problem).__name__}: {problem}") from problem
    return module


def _function(module: ModuleType, file: Path, name: str, arguments: int) -> Callable[..., Any]:
    function = getattr(module, name, None)
    if not callable(function):
        raise ModelError(f"{file.name} has no function {name}: it needs predict(state, x) and learn(state, x, y)")
    try:
        inspect.signature(function).bind(*range(arguments))
    except TypeError:
        raise ModelError(f"{file.name}: {name} can't be called with {arguments} arguments") from None
    return function
