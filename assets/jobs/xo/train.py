"""Step 2 of job xo: trains networks of several sizes and finds the smallest that does as well as the best.

One Spark task trains one network with scikit-learn, on one core. Its rows of `models` and `surface` are in the lake as
soon as it has finished, while others still train.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

try:
    import oneoff
except ImportError:  # not submitted with --py-files: it lies one folder up
    sys.path.append(str(Path(__file__).resolve().parents[1]))
    import oneoff

if TYPE_CHECKING:
    import numpy as np
    from sklearn.pipeline import Pipeline

HELD_OUT = 5  # every fifth point, by id, is kept for measuring accuracy
BATCH = 250  # points
# Adam's learning rate and the number of batches at that rate. Large first and then ever smaller takes a fraction of the
# time of one rate throughout; the number of batches does not grow with the points, so neither does the time.
SCHEDULE = ((0.2, 600), (0.05, 200), (0.0125, 200), (0.003, 200))
# A task has one core. On x86 all processors with AVX2 must take the same kernels, or the last bits of the weights and
# with them the digests would depend on the machine. numpy reads this when it is first imported.
BLAS_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OPENBLAS_CORETYPE": "Haswell"}
# tanh of small inputs is nearly a straight line, of which no letters are made.
INPUT_RANGE = (-4, 4)


@dataclass(frozen=True)
class Points:
    """Points in the order of their ids.

    places: float32, number of points x 2 (x and y). labels: text, number of points.
    """

    places: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Model:
    """How well a trained network does; `accuracy_se` is the standard error of `accuracy`."""

    hidden: int
    seed: int
    accuracy: float
    accuracy_se: float
    seconds: float


@dataclass(frozen=True)
class Optimum:
    """The hidden size to choose, its mean accuracy over the seeds, the standard error of that, and why."""

    hidden: int
    accuracy: float
    accuracy_se: float
    reason: str


def standard_error(accuracy: float, points: int) -> float:
    """Of an accuracy measured on so many points (binomial)."""
    return math.sqrt(accuracy * (1 - accuracy) / points)


def split(folder: str) -> tuple[Points, Points]:
    """The points to train on and those held out. Raises ValueError when there is nothing to learn from them."""
    import numpy as np

    table = oneoff.read_table(folder, ["id", "x", "y", "label"])
    if table is None:
        raise ValueError("there are none; generate.py makes them")
    table = table.sort_by("id")
    ids, label = table["id"].to_numpy(), np.array(table["label"].to_pylist())
    if (np.diff(ids) == 0).any():
        raise ValueError("some ids stand twice; the folder must have the points of one run only")
    place = np.column_stack([table["x"].to_numpy(), table["y"].to_numpy()]).astype(np.float32)
    held_out = ids % HELD_OUT == 0
    train, test = (Points(place[chosen], label[chosen]) for chosen in (~held_out, held_out))
    if len(test.labels) == 0 or len(set(train.labels)) < 2:
        raise ValueError(f"{len(ids)} are too few to learn from")
    return train, test


def fit(train: Points, hidden: int, seed: int) -> Pipeline:
    """A network with one layer of `hidden` neurons, and the scaling of its inputs."""
    import numpy as np
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler

    batch = min(BATCH, len(train.labels))
    batches = -(-len(train.labels) // batch)  # per epoch
    # warm_start keeps the weights from one learning rate to the next; only SCHEDULE decides when training ends.
    network = MLPClassifier(
        (hidden,), activation="tanh", batch_size=batch, n_iter_no_change=np.inf, random_state=seed, warm_start=True
    )
    model = make_pipeline(MinMaxScaler(INPUT_RANGE), network)
    for rate, steps in SCHEDULE:
        network.set_params(learning_rate_init=rate, max_iter=max(1, round(steps / batches)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(train.places, train.labels)
    return model


def lattice(places: np.ndarray, grid: int) -> np.ndarray:
    """Centres of `grid` x `grid` equal cells that cover the points: float64, grid^2 x 2."""
    import numpy as np

    low, high = places.min(axis=0).round(2), places.max(axis=0).round(2)
    centres = low + (high - low) * (np.arange(grid)[:, None] + 0.5) / grid
    # Rounded, as they are shown and compared, and sent to a browser by the thousand.
    return np.stack(np.meshgrid(*centres.T), axis=-1).reshape(-1, 2).round(4)


def evaluate(train: Points, test: Points, hidden: int, seed: int, grid: int) -> tuple[Model, np.ndarray, np.ndarray]:
    """A trained network's accuracy, the lattice (grid^2 x 2) and what it predicts there (grid^2)."""
    import numpy as np
    import sklearn.neural_network  # noqa: F401 - the first import takes a second, which is no training

    start = time.perf_counter()
    model = fit(train, hidden, seed)
    seconds = time.perf_counter() - start
    accuracy = float(model.score(test.places, test.labels))
    places = lattice(train.places, grid)
    predicted = model.predict(places.astype(np.float32))
    return Model(hidden, seed, accuracy, standard_error(accuracy, len(test.labels)), seconds), places, predicted


def write(model: Model, places: np.ndarray, predicted: np.ndarray, models: str, surface: str) -> None:
    """Writes the part files of one network. Its row of `models` comes last, so whoever sees it can draw the surface."""
    import numpy as np
    import pyarrow as pa

    name = f"hidden-{model.hidden}-seed-{model.seed}"
    constant = {key: np.full(len(places), getattr(model, key)) for key in ("hidden", "seed")}
    columns = {**constant, "x": places[:, 0], "y": places[:, 1], "predicted": pa.array(predicted, pa.string())}
    oneoff.write_part(pa.table(columns), surface, name)
    oneoff.write_part(pa.Table.from_pylist([vars(model)]), models, name)


def find_optimum(models: Sequence[Model], points: int) -> Optimum:
    """The one-standard-error rule: the smallest size whose mean accuracy is within one standard error of the best.

    points: number of held-out points. All networks are measured on the same ones, so the mean over seeds is as
    uncertain as a single accuracy is.
    """
    by_size: dict[int, list[float]] = {}
    for model in models:
        by_size.setdefault(model.hidden, []).append(model.accuracy)
    mean = {hidden: sum(accuracies) / len(accuracies) for hidden, accuracies in sorted(by_size.items())}
    best = max(mean, key=mean.__getitem__)
    margin = standard_error(mean[best], points)
    chosen = next(hidden for hidden in mean if mean[hidden] >= mean[best] - margin)
    seeds = len(by_size[chosen])
    average = f", the mean of {seeds} networks," if seeds > 1 else ""
    if chosen == best:
        why = f"no other size has a higher one and no smaller size comes within its standard error of {margin:.4f}"
    else:
        why = (
            f"it is the smallest size within one standard error, {margin:.4f}, "
            f"of the best accuracy, {mean[best]:.4f} with {best} neurons"
        )
    reason = f"{chosen} neurons have an accuracy of {mean[chosen]:.4f}{average} on {points} held-out points: {why}."
    return Optimum(chosen, mean[chosen], standard_error(mean[chosen], points), reason)


def sweep(train: Points, test: Points, options: argparse.Namespace) -> list[Model]:
    """Trains all networks, a Spark task each, and writes their part files."""
    from pyspark import SparkConf, SparkContext

    models, surface, grid = options.models, options.surface, options.grid
    conf = SparkConf().setAppName("xo: train").setExecutorEnv(pairs=list(BLAS_ENVIRONMENT.items()))
    # The largest first, or the last task would be the longest and the other cores would wait for it.
    tasks = [(hidden, seed) for hidden in sorted(options.hidden, reverse=True) for seed in range(options.seeds)]
    with SparkContext(conf=conf, pyFiles=[oneoff.__file__]) as spark:
        # Arrays, not Points: a broadcast cannot carry a class of this script.
        shared = spark.broadcast([(part.places, part.labels) for part in (train, test)])

        def task(network: tuple[int, int]) -> Model:
            hidden, seed = network
            model, places, predicted = evaluate(*(Points(*part) for part in shared.value), hidden, seed, grid)
            write(model, places, predicted, models, surface)
            return model

        return oneoff.collect(spark.parallelize(tasks, len(tasks)).map(task), "models")


def sizes(text: str) -> list[int]:
    """Argument type: whole numbers of at least 1, all different, separated by commas."""
    numbers = [oneoff.count(number) for number in text.split(",")]
    if len(set(numbers)) < len(numbers):
        raise argparse.ArgumentTypeError(f"{text!r} has a size twice")
    return numbers


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = oneoff.ArgumentParser(description="Train networks of several sizes and find the smallest good one.")
    parser.add_argument("--points", required=True, metavar="FOLDER", help="part files of generate.py")
    parser.add_argument("--models", required=True, metavar="FOLDER", help="where a row per network goes")
    parser.add_argument("--surface", required=True, metavar="FOLDER", help="where the predictions on a grid go")
    parser.add_argument("--optimum", required=True, metavar="FOLDER", help="where the size to choose goes")
    parser.add_argument("--hidden", required=True, type=sizes, help="neurons in the hidden layer, such as 5,10,20")
    parser.add_argument("--seeds", type=oneoff.count, default=3, help="networks per size (default: %(default)s)")
    parser.add_argument("--grid", type=oneoff.count, default=60, help="points per side (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        train, test = split(options.points)
    except (ValueError, OSError) as problem:
        parser.error(f"no points to be had from {options.points}: {' '.join(str(problem).split())}")

    import pyarrow as pa

    optimum = find_optimum(sweep(train, test, options), len(test.labels))
    oneoff.write_part(pa.Table.from_pylist([vars(optimum)]), options.optimum, "optimum")
    print(optimum.reason)


if __name__ == "__main__":
    main()
