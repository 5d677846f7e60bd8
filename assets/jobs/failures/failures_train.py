"""Step train of job failures: a network that foretells them from logs, and how early, at how many false alarms.

Spark tasks count the lines of services by pattern, and one trains the network, with scikit-learn, on one core. It
leaves as an ONNX file in a row of table `networks`, once ONNX Runtime agrees with scikit-learn about it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

try:
    import networks
    import oneoff
except ImportError:  # not submitted with --py-files: some lie one folder up
    sys.path[:0] = [str(Path(__file__).resolve().parents[n]) for n in (0, 1)]
    import networks
    import oneoff

import failures_data
import failures_measure
import failures_services
import failures_twin
import failures_windows
import networks_onnx
from failures_data import Data
from failures_measure import BEST, TROUBLE

if TYPE_CHECKING:
    from pyspark import SparkContext

TEXT, WHOLE, NUMBER, MOMENT = "string", "int64", "double", "moment"
COLUMNS: dict[str, dict[str, str]] = {
    "roc": {"model": TEXT, "false_alarms": NUMBER, "detected": NUMBER},
    "detection": {
        **{"model": TEXT, "failures": WHOLE, "failing": WHOLE, "normal": WHOLE, "auc": NUMBER, "detected": NUMBER},
        **{"detected_se": NUMBER, "best": NUMBER, "announced": NUMBER, "warning": NUMBER},
    },
    "leads": {"model": TEXT, "false_alarms": NUMBER, "minutes": WHOLE, "failures": WHOLE, "foretold": NUMBER},
    "services": {"model": TEXT, "service": TEXT, "failing": WHOLE, "detected": NUMBER, "best": NUMBER},
    "patterns": {"service": TEXT, "pattern": TEXT, "normal": NUMBER, "failing": NUMBER},
    "examples": {
        **{"service": TEXT, "host": TEXT, "time": MOMENT, "failed": MOMENT, "severity": TEXT, "message": TEXT},
        **{"score": NUMBER, "alarm": "bool"},
    },
    "curves": {"model": TEXT, "epoch": WHOLE, "training_loss": NUMBER, "held_out_loss": NUMBER},
    "networks": {
        **{"model": TEXT, "onnx": TEXT, "sha256": TEXT, "onnx_bytes": WHOLE, "input_schema": TEXT, "golden": TEXT},
        **{"threshold": NUMBER, "licence": TEXT, "off": NUMBER, "seconds": NUMBER},
    },
}
LICENCE = "trained on logs that were made up: no terms of a data set"


def write(rows: dict[str, list[dict[str, Any]]], folders: dict[str, str], name: str) -> None:
    """Writes part files, those of `networks` last: who sees a network can look up how it does."""
    import pyarrow as pa

    moment = pa.timestamp("us", "UTC")
    for table, columns in COLUMNS.items():
        if rows.get(table):
            kinds = pa.schema([(column, moment if kind == MOMENT else kind) for column, kind in columns.items()])
            oneoff.write_part(pa.Table.from_pylist(rows[table], kinds), folders[table], name)


def train(spark: SparkContext, data: Data, hidden: Sequence[int], epochs: int, seed: int) -> dict[str, Any]:
    """The network's rows of tables, and its scores of windows held out."""
    shared = spark.broadcast((vars(data.train.examples), vars(data.test.examples), data.columns))

    def task(_: int) -> dict[str, Any]:
        import sklearn.neural_network  # noqa: F401 - its first import takes a second, which is no training

        learnt, held_out, columns = shared.value
        train, test = networks.Examples(**learnt), networks.Examples(**held_out)
        start = time.perf_counter()
        network = networks.learn_labels(train, test, hidden, epochs, seed)
        seconds = time.perf_counter() - start
        given = networks_onnx.Inputs(columns, ["service"], "windows")
        return {
            "scores": network.scores(test),
            "networks": [networks_onnx.file_row(network, test, given, LICENCE, seconds)],
            "curves": [{"model": network.kind, **vars(epoch)} for epoch in network.curve],
        }

    return oneoff.collect(spark.parallelize([0], 1).map(task), "networks")[0]


def sentence(row: dict[str, Any]) -> str:
    """What a model reaches."""
    reached = f"foretells {row['detected']:.1%} of the two hours before {row['failures']} failures"
    return f"{row['model']}: {reached} at 1 % false alarms, of {row['best']:.1%} that can be reached"


@contextmanager
def session() -> Iterator[SparkContext]:
    """Spark, whose tasks have one core each."""
    from pyspark import SparkConf, SparkContext

    modules = [oneoff, networks, networks_onnx, failures_data, failures_measure, failures_windows]
    modules += [failures_services, failures_twin]
    conf = SparkConf().setAppName("failures: train").setExecutorEnv(pairs=list(networks.ENVIRONMENT.items()))
    with SparkContext(conf=conf, pyFiles=[str(module.__file__) for module in modules]) as spark:
        yield spark


def sizes(text: str) -> list[int]:
    """Argument type: whole numbers of at least 1, separated by commas."""
    return [oneoff.count(number) for number in text.split(",")]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = oneoff.ArgumentParser(description="Train a network that foretells failures from logs.")
    for table in ("logs", "failures", "truth"):
        parser.add_argument(f"--{table}", required=True, metavar="FOLDER", help=f"rows of {table} of logs.py")
    for table in COLUMNS:
        parser.add_argument(f"--{table}", required=True, metavar="FOLDER", help=f"where the rows of {table} go")
    parser.add_argument("--days", type=oneoff.count, default=14, help="days of logs (default: %(default)s)")
    parser.add_argument("--hidden", type=sizes, default=[64, 32], help="neurons of the hidden layers (default: 64,32)")
    parser.add_argument("--epochs", type=oneoff.count, default=15, help="looks at all windows (default: %(default)s)")
    parser.add_argument(
        "--sample", type=oneoff.count, default=100_000, help="windows of a part at most (default: %(default)s)"
    )
    parser.add_argument("--seed", type=oneoff.whole, default=1, help="of the network (default: %(default)s)")
    options = parser.parse_args(arguments)
    folders = {table: getattr(options, table) for table in COLUMNS}
    with session() as spark:
        try:
            found = failures_data.count_lines(spark, options.logs, options.days)
            data = failures_data.arrange(found, options.failures, options.truth, options.days, options.sample)
        except (ValueError, OSError) as problem:
            parser.error(f"nothing to learn from {options.logs}: {' '.join(str(problem).split())}")
        trained = train(spark, data, options.hidden, options.epochs, options.seed)
        scores = trained.pop("scores")
        lines = failures_data.examples(spark, options.logs, data, scores)
    minutes, failing = failures_data.MINUTES, data.test.examples.abnormal
    best = {
        "roc": failures_measure.roc(BEST, data.log_odds, failing),
        "leads": failures_measure.leads(BEST, data.log_odds, data.test, minutes),
        "patterns": failures_measure.patterns(data.train, data.patterns, minutes),
    }
    write(best, folders, "best")
    for model, of_model, more in (
        (TROUBLE, data.test.trouble.astype(float), {}),
        (networks.CLASSIFIER, scores, {**trained, "examples": lines}),
    ):
        rows = failures_measure.measure(model, of_model, data.test, data.log_odds, data.names, minutes)
        write({**rows, **more}, folders, model.replace(" ", "-"))
        print(sentence(rows["detection"][0]))


if __name__ == "__main__":
    main()
