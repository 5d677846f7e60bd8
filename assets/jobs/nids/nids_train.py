"""Step train of job nids: three networks that find attacks, and how well each does on hosts and times it has not seen.

A Spark task trains the classifier, another the autoencoder and then its imitation, with scikit-learn, on one core each.
A network leaves as an ONNX file in a row of table `networks`, once ONNX Runtime agrees with scikit-learn about it.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

try:
    import networks
    import oneoff
except ImportError:  # not submitted with --py-files: one lies one folder up
    sys.path[:0] = [str(Path(__file__).resolve().parents[n]) for n in (0, 1)]
    import networks
    import oneoff

import networks_onnx
import nids_arrays
import nids_data
import nids_layouts
from networks import CLASSIFIER, Network
from nids_data import Data, Flows

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from pyspark import SparkContext

BEST = "best reachable"
# Parts of false alarms at which the ROC is told.
RATES = (0.0, *(round(10 ** (n / 10 - 3), 6) for n in range(31)))
TEXT, WHOLE, NUMBER = "string", "int64", "double"
COLUMNS: dict[str, dict[str, str]] = {
    "roc": {"model": TEXT, "false_alarms": NUMBER, "detected": NUMBER},
    "detection": {
        **{"model": TEXT, "attacks": WHOLE, "normal": WHOLE, "auc": NUMBER, "detected": NUMBER, "detected_se": NUMBER},
        "best": NUMBER,
    },
    "families": {"model": TEXT, "family": TEXT, "flows": WHOLE, "detected": NUMBER, "best": NUMBER},
    "confusion": {"family": TEXT, "predicted": TEXT, "flows": WHOLE},
    "curves": {"model": TEXT, "epoch": WHOLE, "training_loss": NUMBER, "held_out_loss": NUMBER},
    "networks": {
        **{"model": TEXT, "onnx": TEXT, "sha256": TEXT, "onnx_bytes": WHOLE, "input_schema": TEXT, "golden": TEXT},
        **{"threshold": NUMBER, "licence": TEXT, "off": NUMBER, "seconds": NUMBER},
    },
}


# Measuring -----------------------------------------------------------------------------------------------------------


def measure(network: Network, data: Data) -> dict[str, list[dict[str, Any]]]:
    """Rows of the tables that tell how well a network does."""
    test, attacks = data.test, data.test.attacks
    scores = network.scores(test)
    caught = scores > networks.threshold(scores[~attacks])
    best = None
    if data.log_ratio is not None:
        best = data.log_ratio > networks.threshold(data.log_ratio[~attacks])
    detected = float(caught[attacks].mean())
    return {
        "roc": _roc(network.kind, scores, attacks),
        "detection": [
            {
                "model": network.kind,
                "attacks": int(attacks.sum()),
                "normal": int((~attacks).sum()),
                "auc": networks.area(scores, attacks),
                "detected": detected,
                "detected_se": math.sqrt(detected * (1 - detected) / int(attacks.sum())),
                "best": None if best is None else float(best[attacks].mean()),
            }
        ],
        "families": [
            {
                "model": network.kind,
                "family": family,
                "flows": int(of_family.sum()),
                "detected": float(caught[of_family].mean()),
                "best": None if best is None else float(best[of_family].mean()),
            }
            for family in sorted(set(test.families[attacks].tolist()))
            for of_family in [test.families == family]
        ],
        "confusion": _confusion(network, test) if network.kind == CLASSIFIER else [],
        "curves": [{"model": network.kind, **vars(epoch)} for epoch in network.curve],
    }


def _roc(model: str, scores: np.ndarray, attacks: np.ndarray) -> list[dict[str, Any]]:
    points = networks.roc(scores, attacks, RATES)
    return [{"model": model, "false_alarms": rate, "detected": detected} for rate, detected in points]


def _confusion(network: Network, test: Flows) -> list[dict[str, Any]]:
    import numpy as np

    predicted = np.array(network.labels)[network.probabilities(test).argmax(axis=1)]
    pairs, counts = np.unique(np.column_stack([test.families, predicted]), axis=0, return_counts=True)
    return [
        {"family": family, "predicted": guess, "flows": int(number)}
        for (family, guess), number in zip(pairs.tolist(), counts.tolist(), strict=True)
    ]


def file_row(network: Network, data: Data, seconds: float) -> dict[str, Any]:
    """A network's row of table `networks`. Raises ValueError when ONNX Runtime doesn't agree with scikit-learn."""
    return networks_onnx.file_row(network, data.test, data.inputs, nids_layouts.licence(data.origin), seconds)


def write(rows: dict[str, list[dict[str, Any]]], folders: dict[str, str], name: str) -> None:
    """Writes part files, those of `networks` last: who sees a network can look up how it does."""
    import pyarrow as pa

    for table in COLUMNS:
        if rows.get(table):
            made = pa.Table.from_pylist(rows[table], pa.schema(list(COLUMNS[table].items())))
            oneoff.write_part(made, folders[table], name)


# Training ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """What to train."""

    hidden: Sequence[int]
    narrow: Sequence[int]
    epochs: int
    seed: int


def trained(kind: str, data: Data, plan: Plan) -> Iterator[tuple[Network, float]]:
    """Trains the classifier, or the autoencoder and then its imitation; and the seconds that each took."""
    import sklearn.neural_network  # noqa: F401 - its first import takes a second, which is no training

    rest = (plan.epochs, plan.seed)
    start = time.perf_counter()
    if kind == CLASSIFIER:
        yield networks.learn_labels(data.train, data.test, plan.hidden, *rest), time.perf_counter() - start
        return
    autoencoder = networks.learn_normal(data.train, data.test, plan.narrow, *rest)
    yield autoencoder, time.perf_counter() - start
    start = time.perf_counter()
    yield networks.imitate(autoencoder, data.train, data.test, plan.hidden, *rest), time.perf_counter() - start


def train(spark: SparkContext, data: Data, plan: Plan, folders: dict[str, str]) -> list[str]:
    """Trains all, side by side, and writes their part files; a sentence of each."""
    parts = [vars(part) for part in (data.train, data.test)]
    # No classes of this script, which executors have under another name.
    shared = spark.broadcast((parts, data.log_ratio, data.columns, data.origin))
    plain = vars(plan)

    def task(kind: str) -> list[str]:
        import nids_train as here

        (train, test), log_ratio, columns, origin = shared.value
        data = here.Data(here.Flows(**train), here.Flows(**test), log_ratio, columns, origin)
        told = []
        for network, seconds in here.trained(kind, data, here.Plan(**plain)):
            rows = here.measure(network, data)
            rows["networks"] = [here.file_row(network, data, seconds)]
            here.write(rows, folders, network.kind)
            told.append(here.sentence(rows["detection"][0]))
        return told

    kinds = [CLASSIFIER, networks.AUTOENCODER]
    told = oneoff.collect(spark.parallelize(kinds, len(kinds)).map(task), "tasks")
    return [sentence for of_task in told for sentence in of_task]


def sentence(row: dict[str, Any]) -> str:
    """What a network reaches."""
    best = "" if row["best"] is None else f", of {row['best']:.1%} that can be reached"
    return f"{row['model']}: detects {row['detected']:.1%} of {row['attacks']} attacks at 1 % false alarms{best}"


@contextmanager
def session() -> Iterator[SparkContext]:
    """Spark, whose tasks have one core each."""
    from pyspark import SparkConf, SparkContext

    modules = [oneoff, nids_arrays, nids_data, nids_layouts, networks, networks_onnx]
    conf = SparkConf().setAppName("nids: train").setExecutorEnv(pairs=list(networks.ENVIRONMENT.items()))
    with SparkContext(
        conf=conf, pyFiles=[*(str(module.__file__) for module in modules), str(Path(__file__).resolve())]
    ) as spark:
        yield spark


def sizes(text: str) -> list[int]:
    """Argument type: whole numbers of at least 1, separated by commas."""
    return [oneoff.count(number) for number in text.split(",")]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = oneoff.ArgumentParser(description="Train networks that find attacks among network flows.")
    parser.add_argument("--flows", required=True, metavar="FOLDER", help="part files of flows.py")
    parser.add_argument("--truth", required=True, metavar="FOLDER", help="likelihood ratios of flows.py, if there are")
    for table in COLUMNS:
        parser.add_argument(f"--{table}", required=True, metavar="FOLDER", help=f"where the rows of {table} go")
    parser.add_argument("--hidden", type=sizes, default=[64, 32], help="neurons of the hidden layers (default: 64,32)")
    parser.add_argument("--narrow", type=sizes, default=[24, 8, 24], help="of the autoencoder (default: 24,8,24)")
    parser.add_argument("--epochs", type=oneoff.count, default=15, help="looks at all flows (default: %(default)s)")
    parser.add_argument(
        "--sample", type=oneoff.count, default=100_000, help="flows of a part at most (default: %(default)s)"
    )
    parser.add_argument("--seed", type=oneoff.whole, default=1, help="of the networks (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        data = nids_data.load(options.flows, options.truth, options.sample)
    except (ValueError, OSError) as problem:
        parser.error(f"nothing to learn from {options.flows}: {' '.join(str(problem).split())}")
    folders = {table: getattr(options, table) for table in COLUMNS}
    if data.log_ratio is not None:
        write({"roc": _roc(BEST, data.log_ratio, data.test.attacks)}, folders, "best")
    plan = Plan(options.hidden, options.narrow, options.epochs, options.seed)
    with session() as spark:
        for told in train(spark, data, plan, folders):
            print(told)


if __name__ == "__main__":
    main()
