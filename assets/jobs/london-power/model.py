"""Step model of job london-power: predicts what a household uses in a half hour of the day.

Known are its Acorn group and tariff, the half hour, the month and whether it is a weekend; predicted is its mean
consumption in such half hours. Four models of Spark's MLlib and the same four of scikit-learn learn from four fifths of
the households and are measured on the others.

What a model knows of a household has few values, so many households are alike to it. Spark adds up those that are: how
many they are, their consumption and its square, in whole numbers. Least squares need no more: models that learn from
these cells, each counting by its households, learn what the households would teach, and errors on cells are those on
the households, exactly. So models take as long for 5,567 households as for 100, memory does not grow, scikit-learn
needs no sample, and the results are the same on any cluster.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import london_mongo
import london_readings as readings_of
from pyspark.sql import functions as F

try:
    import oneoff
except ImportError:  # not submitted with --py-files: it lies one folder up
    sys.path.append(str(Path(__file__).resolve().parents[1]))
    import oneoff

if TYPE_CHECKING:
    import numpy as np
    from pyspark.sql import DataFrame, SparkSession

HELD_OUT = 5  # every fifth household, in the order of hashes of their names, is kept for measuring errors
KWH = 10_000  # consumption is added up in tenths of a watt-hour: a mean of watt-hours is no whole number
FEATURES = ("acorn_group", "tariff", "half_hour", "month", "weekend")

TREES = 30  # of a forest, and so many are added one after the other in boosting
DEPTH, FEATURES_PER_SPLIT = 8, 2
BOOSTED_DEPTH, LEARNING_RATE = 4, 0.2
BINS = 64  # more than any feature has values, so MLlib tries every split, as scikit-learn does
# On x86 all processors with AVX2 must take the same kernels, or the last bits of what scikit-learn solves would depend
# on the machine. It reads this when it is first imported.
BLAS_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OPENBLAS_CORETYPE": "Haswell"}


@dataclass(frozen=True)
class Cells:
    """Households that are alike to a model, an entry per kind, in the order of their features.

    codes: float64, n x 5, each of FEATURES as a number. dummies: float64, n x k, as 0 or 1 per value. households: how
    many they are. mean: of their consumption in kWh. square: of the squares of their consumption in kWh^2. All but the
    first two: float64, n.
    """

    codes: np.ndarray
    dummies: np.ndarray
    households: np.ndarray
    mean: np.ndarray
    square: np.ndarray

    def mse(self, predicted: np.ndarray) -> float:
        """Mean squared error over the households, of a prediction per cell."""
        errors = self.square - 2 * predicted * self.mean + predicted**2
        return float((self.households * errors).sum() / self.households.sum())

    @property
    def mean_of_all(self) -> float:
        """Mean consumption over the households."""
        return float((self.households * self.mean).sum() / self.households.sum())


def profiles(spark: SparkSession, folder: str) -> DataFrame:
    """What each household uses on average in each half hour of the day, by month of the year and weekend: `tenths`."""
    readings = readings_of.read(spark, folder)
    half_hours = readings_of.half_hours(readings, readings.count()).withColumn("local", readings_of.local_time())
    profiles = half_hours.groupBy(
        "household",
        "acorn_group",
        "tariff",
        readings_of.half_hour_of_day().alias("half_hour"),
        F.month("local").alias("month"),
        (F.dayofweek("local").isin(1, 7)).cast("int").alias("weekend"),
    ).agg(F.sum("wh").alias("wh"), F.count("*").alias("readings"))
    # Rounded in whole numbers.
    return profiles.withColumn("tenths", F.expr("(20 * wh + readings) DIV (2 * readings)"))


def split(spark: SparkSession, folder: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Cells to learn from and of the households held out. Raises ValueError when there are too few households."""
    from pyspark import StorageLevel

    of_household = (
        profiles(spark, folder).withColumn("hash", F.crc32("household")).persist(StorageLevel.MEMORY_AND_DISK)
    )
    hashes = sorted(row[0] for row in of_household.select("hash").distinct().collect())
    if len(hashes) < 2:
        raise ValueError(
            "there are none; convert.py makes them" if not hashes else "of one household nothing is learnt"
        )
    last = hashes[max(1, len(hashes) // HELD_OUT) - 1]
    cells = of_household.groupBy((F.col("hash") <= last).alias("held_out"), *FEATURES).agg(
        F.count("*").alias("households"),
        F.sum("tenths").alias("sum"),
        F.sum(F.col("tenths") * F.col("tenths")).alias("squares"),
    )
    rows = [row.asDict() for row in cells.orderBy(*FEATURES).collect()]
    return [row for row in rows if not row["held_out"]], [row for row in rows if row["held_out"]]


def encode(train: Sequence[dict[str, Any]], test: Sequence[dict[str, Any]]) -> tuple[Cells, Cells]:
    """Features as numbers. Words are in the order of their consumption in `train`, as trees want them."""
    import numpy as np

    values = {feature: _values(train, feature) for feature in FEATURES}

    def cells(rows: Sequence[dict[str, Any]]) -> Cells:
        codes = [[_code(values[feature], row[feature]) for feature in FEATURES] for row in rows]
        # The first value is told by all others being 0; a value that was never learnt from looks the same.
        dummies = [[float(row[f] == value) for f in FEATURES for value in values[f][1:]] for row in rows]
        households, total, squares = (
            np.array([row[name] for row in rows], float) for name in ("households", "sum", "squares")
        )
        mean, square = total / households / KWH, squares / households / KWH**2
        return Cells(np.array(codes, float), np.array(dummies, float), households, mean, square)

    return cells(train), cells(test)


def _values(rows: Sequence[dict[str, Any]], feature: str) -> list[Any]:
    found = sorted({row[feature] for row in rows})
    if not isinstance(found[0], str):
        return found

    def mean(value: str) -> float:
        of_value = [row for row in rows if row[feature] == value]
        return sum(row["sum"] for row in of_value) / sum(row["households"] for row in of_value)

    return sorted(found, key=mean)


def _code(values: Sequence[Any], value: object) -> float:
    if not isinstance(value, str):
        return float(value)  # type: ignore[arg-type]
    return float(values.index(value) if value in values else len(values))


# Models --------------------------------------------------------------------------------------------------------------

Fitted = tuple["np.ndarray", float]  # predictions for the test cells, and seconds of learning
LINEAR = "linear regression"
Learner = Callable[[Cells, Cells], Fitted]


def scikit_learn(seed: int, trees: int) -> dict[str, Any]:
    """The four models of scikit-learn, by name."""
    from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
    from sklearn.linear_model import LinearRegression
    from sklearn.tree import DecisionTreeRegressor

    random = {"random_state": seed % 2**32}
    return {
        LINEAR: LinearRegression(),
        "decision tree": DecisionTreeRegressor(max_depth=DEPTH, **random),
        "random forest": RandomForestRegressor(trees, max_depth=DEPTH, max_features=FEATURES_PER_SPLIT, **random),
        "gradient-boosted trees": GradientBoostingRegressor(
            n_estimators=trees, max_depth=BOOSTED_DEPTH, learning_rate=LEARNING_RATE, **random
        ),
    }


def mllib(seed: int, trees: int) -> dict[str, Any]:
    """The same four of MLlib."""
    from pyspark.ml.regression import DecisionTreeRegressor, GBTRegressor, LinearRegression, RandomForestRegressor

    columns = {"labelCol": "kwh", "weightCol": "households"}
    tree = {**columns, "maxBins": BINS, "seed": seed}
    return {
        LINEAR: LinearRegression(solver="normal", **columns),
        "decision tree": DecisionTreeRegressor(maxDepth=DEPTH, **tree),
        "random forest": RandomForestRegressor(
            maxDepth=DEPTH, numTrees=trees, featureSubsetStrategy=str(FEATURES_PER_SPLIT), **tree
        ),
        "gradient-boosted trees": GBTRegressor(maxDepth=BOOSTED_DEPTH, maxIter=trees, stepSize=LEARNING_RATE, **tree),
    }


def _inputs(cells: Cells, name: str) -> np.ndarray:
    return cells.dummies if name == LINEAR else cells.codes


def learn_here(name: str, model: Any, train: Cells, test: Cells) -> Fitted:  # noqa: ANN401 - any regressor
    """A model of scikit-learn."""
    start = time.perf_counter()
    model.fit(_inputs(train, name), train.mean, sample_weight=train.households)
    seconds = time.perf_counter() - start
    return model.predict(_inputs(test, name)), seconds


def learn_on_spark(spark: SparkSession, name: str, model: Any, train: Cells, test: Cells) -> Fitted:  # noqa: ANN401
    """A model of MLlib."""
    import numpy as np
    from pyspark.ml.linalg import Vectors

    def frame(cells: Cells) -> DataFrame:
        rows = [
            (number, Vectors.dense(features), float(mean), float(households))
            for number, (features, mean, households) in enumerate(
                zip(_inputs(cells, name), cells.mean, cells.households, strict=True)
            )
        ]
        # One partition: sums of several would end in other digits as their tasks end in another order.
        return spark.createDataFrame(rows, ["number", "features", "kwh", "households"]).coalesce(1).cache()

    learnt_from, tried_on = frame(train), frame(test)
    learnt_from.count()
    start = time.perf_counter()
    fitted = model.fit(learnt_from)
    seconds = time.perf_counter() - start
    predicted = fitted.transform(tried_on).orderBy("number").select("prediction").collect()
    learnt_from.unpersist()
    tried_on.unpersist()
    return np.array([row[0] for row in predicted]), seconds


def measure(train: Cells, test: Cells, fitted: Fitted) -> dict[str, float]:
    """How far predictions are off for the households held out."""
    import numpy as np

    predicted, seconds = fitted
    mse, spread, baseline = (
        test.mse(guess) for guess in (predicted, np.array(test.mean_of_all), np.array(train.mean_of_all))
    )
    r2 = 1 - mse / spread if spread else 0.0
    return {"mse": mse, "rmse": mse**0.5, "r2": r2, "baseline_mse": baseline, "seconds": seconds}


def compare(spark: SparkSession, train: Cells, test: Cells, seed: int, trees: int) -> list[dict[str, Any]]:
    """A row per model and library."""
    libraries = {"MLlib": mllib(seed, trees), "scikit-learn": scikit_learn(seed, trees)}
    rows: list[dict[str, Any]] = []
    total = sum(map(len, libraries.values()))
    oneoff.progress("models", 0, total)
    for library, models in libraries.items():
        for name, model in models.items():
            if library == "MLlib":
                fitted = learn_on_spark(spark, name, model, train, test)
            else:
                fitted = learn_here(name, model, train, test)
            rows.append({"model": name, "library": library, **measure(train, test, fitted)})
            oneoff.progress("models", len(rows), total)
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = oneoff.ArgumentParser(description="Predict what a household uses in a half hour, by eight models.")
    parser.add_argument("--readings", required=True, metavar="FOLDER", help="part files of convert.py")
    parser.add_argument("--models", required=True, metavar="FOLDER", help="where a row per model goes")
    parser.add_argument("--mongo-uri", metavar="FILE", help="a connection string: the results go to MongoDB too")
    parser.add_argument("--seed", type=oneoff.count, default=1, help="of what models choose at random (default: 1)")
    parser.add_argument("--trees", type=oneoff.count, default=TREES, help="of each ensemble (default: %(default)s)")
    options: argparse.Namespace = parser.parse_args(arguments)
    os.environ.update(BLAS_ENVIRONMENT)

    import pyarrow as pa

    with readings_of.spark_session("model") as spark:
        try:
            train, test = encode(*split(spark, options.readings))
        except ValueError as problem:
            readings_of.fail(f"no readings to be had from {options.readings}: {problem}")
        table = pa.Table.from_pylist(compare(spark, train, test, options.seed, options.trees))
    oneoff.write_part(table, options.models, "models")
    if options.mongo_uri:
        rows = london_mongo.documents(table, ("library", "model"))
        try:
            london_mongo.replace_collection(options.mongo_uri, "models", rows)
        except ConnectionError as problem:
            readings_of.fail(f"models: {problem}")


if __name__ == "__main__":
    main()
