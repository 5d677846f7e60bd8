"""Compares three ways to train the sweep of job xo, by the CPU time of all their processes. Prints JSON.

1. oneoff: train.py, scikit-learn with a Spark task per network, as the job does it.
2. mllib: Spark's own MultilayerPerceptronClassifier, one network after another, on the same points, split and scaling,
   with the smallest number of iterations of a ladder that reaches the accuracy of oneoff minus one standard error. One
   network per size is trained and its time counted once per seed; the JVM's compiling is counted once.
3. sklearn: the networks of oneoff one after another in one process without Spark.

The iterations are found outside of the timing and can be kept in a file. A size stops climbing the ladder where the
next rung would take longer than the limit; then mllib is less accurate than oneoff, the report says so, and the ratio
is less than what it would be at equal accuracy.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

JOBS = Path(__file__).resolve().parents[2] / "assets" / "jobs"
sys.path[:0] = [str(JOBS), str(JOBS / "xo")]

import generate  # noqa: E402 - found through the line above
import oneoff  # noqa: E402
import train  # noqa: E402

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

LADDER = (25, 50, 100, 200, 400)  # iterations of L-BFGS
MASTER = "local[2]"
SAMPLE_SECONDS = 0.1
TICK = 1 / os.sysconf("SC_CLK_TCK")


# CPU time of a tree of processes --------------------------------------------------------------------------------------


def processes() -> Iterator[tuple[tuple[int, int], int, float]]:
    """Of every process: its identity (number and start), its parent's number, and its CPU seconds so far."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        yield (int(entry.name), int(fields[19])), int(fields[1]), (int(fields[11]) + int(fields[12])) * TICK


@dataclass
class CpuMeter:
    """CPU seconds of a process and all that it started, sampled, for the workers of PySpark are never waited for."""

    root: int
    seen: dict[tuple[int, int], float] = field(default_factory=dict)

    def sample(self) -> float:
        """CPU seconds so far."""
        everyone = list(processes())
        tree = {self.root}
        grown = True
        while grown:
            below = {identity[0] for identity, parent, _ in everyone if parent in tree or identity in self.seen}
            grown = not below <= tree
            tree |= below
        self.seen.update({identity: seconds for identity, _, seconds in everyone if identity[0] in tree})
        return sum(self.seen.values())


@contextmanager
def sampled(meter: CpuMeter) -> Iterator[None]:
    """Samples in the background until the end of the block."""
    ended = threading.Event()

    def loop() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            meter.sample()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def measure(command: Sequence[str | Path]) -> tuple[dict[str, float], str]:
    """Runs a command; CPU and wall seconds, and its output. Ends the program with the command's error if it fails."""
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "PATH": f"{venv('')}:{os.environ['PATH']}"}
    start = time.perf_counter()
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        meter = CpuMeter(process.pid)
        with sampled(meter):
            output, _ = process.communicate()
        wall = time.perf_counter() - start
        if process.returncode:
            errors.seek(0)
            sys.exit(f"sweep.py: error: {' '.join(map(str, command))} failed:\n{errors.read()[-4000:]}{output[-4000:]}")
    return {"cpu_seconds": round(sum(meter.seen.values()), 1), "wall_seconds": round(wall, 1)}, output


def venv(program: str) -> Path:
    """A program of the environment that runs this one."""
    return Path(sys.executable).parent / program


# The three ways -------------------------------------------------------------------------------------------------------


def run_oneoff(folder: Path, hidden: Sequence[int], seeds: int) -> tuple[dict[str, Any], dict[int, float]]:
    """Times train.py; its figures, and the mean accuracy of each size."""
    tables = [f"--{name}={folder / name}" for name in ("points", "models", "surface", "optimum")]
    script = ["--py-files", JOBS / "oneoff.py", JOBS / "xo" / "train.py"]
    sweep = [f"--hidden={','.join(map(str, hidden))}", f"--seeds={seeds}"]
    figures, _ = measure([venv("spark-submit"), "--master", MASTER, *script, *tables, *sweep])
    models = oneoff.read_table(str(folder / "models"), ["hidden", "accuracy"])
    mean = models.group_by("hidden").aggregate([("accuracy", "mean")]).to_pylist()
    return figures, {row["hidden"]: row["accuracy_mean"] for row in mean}


def run_here(what: str, *arguments: str) -> tuple[dict[str, Any], Any]:
    """Times one of the subcommands below in a process of its own; its figures and the JSON of its last line."""
    figures, output = measure([sys.executable, __file__, what, *arguments])
    return figures, json.loads(output.splitlines()[-1])


def start_session() -> SparkSession:
    """A session like that of train.py."""
    from pyspark.sql import SparkSession

    return SparkSession.builder.master(MASTER).appName("sweep").getOrCreate()


def prepare(spark: SparkSession, folder: str) -> tuple[DataFrame, DataFrame]:
    """Points to train on and points held out, with the inputs scaled as train.py scales them."""
    from pyspark.ml.feature import MinMaxScaler, StringIndexer, VectorAssembler

    low, high = train.INPUT_RANGE
    points = VectorAssembler(inputCols=["x", "y"], outputCol="place").transform(spark.read.parquet(folder))
    held_out = f"id % {train.HELD_OUT} = 0"
    scaler = MinMaxScaler(min=low, max=high, inputCol="place", outputCol="features")
    points = scaler.fit(points.filter(f"NOT {held_out}")).transform(points)
    points = (
        StringIndexer(inputCol="label", outputCol="letter", stringOrderType="alphabetAsc").fit(points).transform(points)
    )
    partitions = spark.sparkContext.defaultParallelism
    return tuple(points.filter(part).coalesce(partitions).cache() for part in (f"NOT {held_out}", held_out))


def fit_mllib(training: DataFrame, test: DataFrame, hidden: int, iterations: int) -> tuple[float, float]:
    """Trains one network of MLlib; its accuracy on the held-out points, and CPU seconds."""
    from pyspark.ml.classification import MultilayerPerceptronClassifier

    meter = CpuMeter(os.getpid())
    before = meter.sample()
    # Blocks of 1,000 points take less time than the default of 128; a tolerance of 0 leaves the end to the iterations.
    network = MultilayerPerceptronClassifier(
        layers=[2, hidden, 3], maxIter=iterations, tol=0, blockSize=1000, seed=1, labelCol="letter"
    )
    predicted = network.fit(training).transform(test)
    accuracy = predicted.filter("prediction = letter").count() / test.count()
    return accuracy, meter.sample() - before


def climb(training: DataFrame, test: DataFrame, hidden: int, target: float, limit: float) -> int:
    """The first rung of the ladder that reaches the target, or the last that takes less CPU seconds than the limit."""
    for iterations, further in zip(LADDER, (*LADDER[1:], None), strict=True):
        accuracy, seconds = fit_mllib(training, test, hidden, iterations)
        print(f"{hidden} neurons, {iterations} iterations: {accuracy:.4f}, to reach: {target:.4f}", file=sys.stderr)
        if accuracy >= target or further is None or seconds * further / iterations > limit:
            break
    return iterations


def calibrate(points: str, targets: dict[int, float], limit: float) -> dict[int, int]:
    """Iterations of MLlib for each size."""
    with start_session() as spark:
        training, test = prepare(spark, points)
        fit_mllib(training, test, 5, LADDER[0])  # the first one takes seconds more, for the JVM has to compile
        return {hidden: climb(training, test, hidden, target, limit) for hidden, target in targets.items()}


def sweep_mllib(points: str, iterations: dict[int, int]) -> dict[int, tuple[float, float]]:
    """Accuracy and CPU seconds of each size. The first size is trained twice, as its first time is mostly compiling."""
    with start_session() as spark:
        training, test = prepare(spark, points)
        fit_mllib(training, test, *next(iter(iterations.items())))
        return {hidden: fit_mllib(training, test, hidden, number) for hidden, number in iterations.items()}


def sweep_sklearn(points: str, hidden: Sequence[int], seeds: int) -> dict[int, float]:
    """Mean accuracy of each size."""
    training, test = train.split(points)
    accuracy = {
        size: [train.evaluate(training, test, size, seed, 60)[0].accuracy for seed in range(seeds)] for size in hidden
    }
    return {size: sum(several) / seeds for size, several in accuracy.items()}


# Report ---------------------------------------------------------------------------------------------------------------


def find_iterations(
    file: Path | None, rows: int, points: str, targets: dict[int, float], limit: float
) -> dict[int, int]:
    """Iterations of MLlib for each size, from the file if it has those of these points, else found and kept there."""
    if file and file.exists():
        kept = json.loads(file.read_text())
        if kept["rows"] == rows and set(kept["iterations"]) >= set(map(str, targets)):
            return {hidden: kept["iterations"][str(hidden)] for hidden in targets}
    found = calibrate(points, targets, limit)
    if file:
        file.write_text(json.dumps({"rows": rows, "limit": limit, "iterations": found}, indent=2) + "\n")
    return found


def compare(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All figures."""
    points = str(folder / "points")
    hidden, seeds = options.hidden, options.seeds
    for part in generate.parts(options.rows):
        generate.write(points, 1, options.rows, part)
    load = os.getloadavg()
    session, _ = run_here("session")
    ours, accuracy = run_oneoff(folder, hidden, seeds)
    sklearn, _ = run_here("sklearn", points, json.dumps(hidden), str(seeds))

    held_out = -(-options.rows // train.HELD_OUT)
    targets = {size: accuracy[size] - train.standard_error(accuracy[size], held_out) for size in hidden}
    iterations = find_iterations(options.calibration, options.rows, points, targets, options.limit)
    mllib, trained = run_here("mllib", points, json.dumps(iterations))
    fits = [seconds for _, seconds in trained.values()]
    mllib["cpu_seconds"] = round(mllib["cpu_seconds"] - fits[0] + (seeds - 1) * sum(fits), 1)
    del mllib["wall_seconds"]  # of one seed only
    start = session["cpu_seconds"]
    return {
        "rows": options.rows,
        "seeds": seeds,
        "load_average": load,
        "session_start": session,
        "oneoff": ours,
        "mllib": mllib,
        "sklearn": sklearn,
        "sizes": [
            {
                "hidden": size,
                "oneoff_accuracy": round(accuracy[size], 4),
                "target_accuracy": round(targets[size], 4),
                "mllib_accuracy": round(trained[str(size)][0], 4),
                "mllib_iterations": iterations[size],
                "mllib_cpu_seconds_per_network": round(trained[str(size)][1], 1),
                "reached": trained[str(size)][0] >= targets[size],
            }
            for size in hidden
        ],
        "mllib_to_oneoff": round(mllib["cpu_seconds"] / ours["cpu_seconds"], 2),
        "mllib_to_oneoff_without_session_start": round(
            (mllib["cpu_seconds"] - start) / (ours["cpu_seconds"] - start), 2
        ),
        "sklearn_to_oneoff": round(sklearn["cpu_seconds"] / ours["cpu_seconds"], 2),
    }


def main() -> None:
    """The command line. The subcommands are for `run_here`."""
    match sys.argv[1:]:
        case ["session"]:
            with start_session() as spark:
                spark.sparkContext.parallelize([0, 1], 2).count()
            print("null")
        case ["mllib", points, iterations]:
            print(json.dumps(sweep_mllib(points, {int(k): v for k, v in json.loads(iterations).items()})))
        case ["sklearn", points, hidden, seeds]:
            os.environ.update(train.BLAS_ENVIRONMENT)
            print(json.dumps(sweep_sklearn(points, json.loads(hidden), int(seeds))))
        case arguments:
            parser = oneoff.ArgumentParser(description="Compare three ways to train the sweep of job xo, in JSON.")
            parser.add_argument("--rows", type=oneoff.count, default=20_000)
            parser.add_argument("--hidden", type=train.sizes, default=[5, 10, 20, 30, 60, 100, 150, 250, 400, 600])
            parser.add_argument("--seeds", type=oneoff.count, default=3)
            parser.add_argument("--calibration", type=Path, help="file that keeps the iterations of MLlib")
            parser.add_argument("--limit", type=float, default=15, help="CPU seconds per MLlib network (default: 15)")
            options = parser.parse_args(arguments)
            with tempfile.TemporaryDirectory() as folder:
                print(json.dumps(compare(options, Path(folder)), indent=2))


if __name__ == "__main__":
    main()
