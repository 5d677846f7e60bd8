"""Networks that jobs have tell what is abnormal: what they learn from, how they learn, and how well they do.

Each gives an example a score, and the higher it is the less normal the example looks. The classifier's is how probable
it holds any label but NORMAL; the autoencoder's, how badly it draws the example from memory, having learnt from normal
ones alone; the imitation has learnt that error, by one small network that needs no second look at the example.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from sklearn.neural_network import MLPClassifier, MLPRegressor

NORMAL = "Normal"
CLASSIFIER, AUTOENCODER, IMITATION = "classifier", "autoencoder", "imitation"
BATCH = 200  # examples
REACH = 8.0  # deviations from the mean beyond which a number makes no more difference
LEAST_ERROR = 1e-6  # of the autoencoder, below which the imitation does not tell errors apart
FALSE_ALARMS = 0.01  # part of the normal examples
# A task has one core. On x86 all processors with AVX2 must take the same kernels, of OpenBLAS and of numpy, or the last
# bits of the weights and with them the digests would depend on the machine. numpy reads this when it is first imported.
ENVIRONMENT = {
    **{"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OPENBLAS_CORETYPE": "Haswell"},
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}


@dataclass(frozen=True)
class Examples:
    """What a network learns from, is measured on or is asked about.

    numbers: float32, examples x columns, NaN where there is none. categories: text, examples x columns. labels: text.
    """

    numbers: np.ndarray
    categories: np.ndarray
    labels: np.ndarray

    @property
    def abnormal(self) -> np.ndarray:
        """Which examples have another label than NORMAL."""
        return self.labels != NORMAL

    def only(self, chosen: np.ndarray) -> Examples:
        """Some of them."""
        return type(self)(self.numbers[chosen], self.categories[chosen], self.labels[chosen])


@dataclass
class Preparation:
    """Makes numbers of about one of whatever an example has; the ONNX file does the same (networks_onnx.py).

    A missing number is the median. Heavy tails become logarithms: sign(x) log(1 + |x| / scale), which are centred and
    scaled. A word is a column of its own, and one that was never seen is none of them.
    """

    median: np.ndarray = field(init=False)
    scale: np.ndarray = field(init=False)
    mean: np.ndarray = field(init=False)
    deviation: np.ndarray = field(init=False)
    words: list[list[str]] = field(init=False)

    def fit(self, examples: Examples) -> Preparation:
        """Learns medians, scales and words."""
        import numpy as np

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a column may have no number at all
            numbers = np.where(np.isfinite(examples.numbers), examples.numbers, np.nan)
            self.median = np.nan_to_num(np.nanmedian(numbers, axis=0)).astype(np.float32)
            positive = np.where(np.abs(numbers) > 0, np.abs(numbers), np.nan)
            # A time of some microseconds is as far from one of milliseconds as that is from seconds.
            scale = np.nanquantile(positive, 0.05, axis=0)
        self.scale = np.where(np.isfinite(scale), scale, 1).astype(np.float32)
        logs = self._logarithms(examples.numbers).astype(np.float64)
        logs = logs[np.isfinite(logs).all(axis=1)]
        self.mean = logs.mean(axis=0).astype(np.float32)
        deviation = logs.std(axis=0)
        self.deviation = np.where(deviation > 1e-6, deviation, 1).astype(np.float32)
        self.words = [sorted(set(column.tolist())) for column in examples.categories.T]
        return self

    def _logarithms(self, numbers: np.ndarray) -> np.ndarray:
        import numpy as np

        known = np.where(np.isnan(numbers), self.median, numbers).astype(np.float32)
        with np.errstate(over="ignore"):  # what is infinite ends at REACH
            return np.sign(known) * np.log(np.float32(1) + np.abs(known) / self.scale)

    def transform(self, examples: Examples) -> np.ndarray:
        """float32, examples x inputs of a network."""
        import numpy as np

        scaled = np.clip((self._logarithms(examples.numbers) - self.mean) / self.deviation, -REACH, REACH)
        columns = [
            (values[:, None] == np.array(words, dtype=object)[None, :]).astype(np.float32)
            for values, words in zip(examples.categories.T, self.words, strict=True)
        ]
        return np.concatenate([scaled, *columns], axis=1)


@dataclass(frozen=True)
class Epoch:
    """The loss after so many looks at all examples: of those learnt from, and of those held out."""

    epoch: int
    training_loss: float
    held_out_loss: float


@dataclass(frozen=True)
class Network:
    """A trained network with its preparation, in scikit-learn."""

    kind: str
    preparation: Preparation
    network: MLPClassifier | MLPRegressor
    curve: Sequence[Epoch]

    @property
    def labels(self) -> list[str]:
        """Of a classifier: those that it tells apart, in the order of its probabilities."""
        return self.network.classes_.tolist() if self.kind == CLASSIFIER else []

    def probabilities(self, examples: Examples) -> np.ndarray:
        """Of a classifier: examples x labels."""
        return self.network.predict_proba(self.preparation.transform(examples))

    def scores(self, examples: Examples) -> np.ndarray:
        """How abnormal each example looks."""
        import numpy as np

        if self.kind == CLASSIFIER:
            return 1 - self.probabilities(examples)[:, self.labels.index(NORMAL)]
        inputs = self.preparation.transform(examples)
        if self.kind == AUTOENCODER:
            return reconstruction_errors(self.network, inputs)
        return np.exp(self.network.predict(inputs))


def reconstruction_errors(network: MLPRegressor, inputs: np.ndarray) -> np.ndarray:
    """Mean squared difference of what goes into an autoencoder and what comes out, by example."""
    return ((network.predict(inputs) - inputs) ** 2).mean(axis=1)


# Learning ------------------------------------------------------------------------------------------------------------


def learn_labels(train: Examples, test: Examples, hidden: Sequence[int], epochs: int, seed: int) -> Network:
    """The classifier: which label an example has."""
    import numpy as np
    from sklearn.neural_network import MLPClassifier

    preparation = Preparation().fit(train)
    network = MLPClassifier(hidden_layer_sizes=tuple(hidden), batch_size=_batch(train), random_state=_random(seed))
    inputs, held_out = preparation.transform(train), preparation.transform(test)
    classes = np.unique(train.labels)
    # A label that was never seen has no place among the probabilities.
    known = np.isin(test.labels, classes)
    place = np.searchsorted(classes, test.labels[known])

    def loss() -> float:
        probable = network.predict_proba(held_out[known])[np.arange(len(place)), place]
        return float(-np.log(np.maximum(probable, 1e-10)).mean())

    curve = list(_epochs(network, inputs, train.labels, epochs, loss, classes))
    return Network(CLASSIFIER, preparation, network, curve)


def learn_normal(train: Examples, test: Examples, narrow: Sequence[int], epochs: int, seed: int) -> Network:
    """The autoencoder: draws normal examples from memory, through a few neurons."""
    from sklearn.neural_network import MLPRegressor

    normal = train.only(~train.abnormal)
    preparation = Preparation().fit(normal)
    inputs, held_out = preparation.transform(normal), preparation.transform(test.only(~test.abnormal))
    network = MLPRegressor(hidden_layer_sizes=tuple(narrow), batch_size=_batch(normal), random_state=_random(seed))

    def loss() -> float:
        return float(reconstruction_errors(network, held_out).mean() / 2)  # as scikit-learn counts it

    return Network(AUTOENCODER, preparation, network, list(_epochs(network, inputs, inputs, epochs, loss)))


def imitate(
    autoencoder: Network, train: Examples, test: Examples, hidden: Sequence[int], epochs: int, seed: int
) -> Network:
    """The imitation: learns the logarithm of the autoencoder's error, of all examples, not told which are what."""
    import numpy as np
    from sklearn.neural_network import MLPRegressor

    preparation = autoencoder.preparation
    inputs, held_out = preparation.transform(train), preparation.transform(test)
    wanted, beside = (
        np.log(np.maximum(reconstruction_errors(autoencoder.network, each), LEAST_ERROR)) for each in (inputs, held_out)
    )
    network = MLPRegressor(hidden_layer_sizes=tuple(hidden), batch_size=_batch(train), random_state=_random(seed))

    def loss() -> float:
        return float(((network.predict(held_out) - beside) ** 2).mean() / 2)

    return Network(IMITATION, preparation, network, list(_epochs(network, inputs, wanted, epochs, loss)))


def _batch(examples: Examples) -> int:
    return min(BATCH, len(examples.labels))


def _random(seed: int) -> np.random.RandomState:
    """One that goes on from epoch to epoch; from a number each would shuffle alike."""
    import numpy as np

    return np.random.RandomState(seed % 2**32)


def _epochs(
    network: MLPClassifier | MLPRegressor,
    inputs: np.ndarray,
    wanted: np.ndarray,
    epochs: int,
    held_out_loss: Callable[[], float],
    classes: np.ndarray | None = None,
) -> Iterator[Epoch]:
    """Has a network look at all examples so many times."""
    for epoch in range(1, epochs + 1):
        network.partial_fit(inputs, wanted, **({} if classes is None else {"classes": classes}))
        yield Epoch(epoch, float(network.loss_), held_out_loss())


# Measuring -----------------------------------------------------------------------------------------------------------


def threshold(normal: np.ndarray, false_alarms: float = FALSE_ALARMS) -> float:
    """The score above which at most that part of the normal examples is."""
    import numpy as np

    descending = np.sort(normal)[::-1]
    return float(descending[min(int(false_alarms * len(descending)), len(descending) - 1)])


def roc(scores: np.ndarray, abnormal: np.ndarray, rates: Sequence[float]) -> list[tuple[float, float]]:
    """Part of what is abnormal that is detected at each part of false alarms."""
    return [(rate, float((scores[abnormal] > threshold(scores[~abnormal], rate)).mean())) for rate in rates]


def area(scores: np.ndarray, abnormal: np.ndarray) -> float:
    """Area under the ROC curve."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(abnormal, scores))
