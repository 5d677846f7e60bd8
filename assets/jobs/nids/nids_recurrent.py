"""Step recurrent of job nids: a network that remembers what a host did before, and how well it does.

It learns in PyTorch, in processes that Spark starts side by side (TorchDistributor): one for each GPU that Spark hands
out or that this machine has, else on CPUs. Where one of them is lost all begin anew, from what was kept last.
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
except ImportError:  # not submitted with --py-files: one lies one folder up
    sys.path[:0] = [str(Path(__file__).resolve().parents[n]) for n in (0, 1)]
    import networks
    import oneoff

import nids_gru
import nids_gru_onnx
import nids_layouts
import nids_sequences
import nids_train

if TYPE_CHECKING:
    from nids_data import Data
    from pyspark.sql import SparkSession

BEST = "best, knowing the host"
MOST_ON_CPUS = 2  # processes: more would wait for each other
ATTEMPTS = 3  # without one more look at all flows
TASK_GPUS, EXECUTOR_GPUS = "spark.task.resource.gpu.amount", "spark.executor.resource.gpu.amount"


def place(spark: SparkSession) -> dict[str, Any]:
    """Where to learn: arguments of TorchDistributor."""
    import torch

    conf = spark.sparkContext.getConf()
    if float(conf.get(TASK_GPUS, "0")) >= 1:
        return {"num_processes": slots(spark), "local_mode": False, "use_gpu": True}
    if conf.get("spark.master", "").startswith("local") and torch.cuda.is_available():
        # Of this machine, which Spark knows nothing of: processes see all, and take one each.
        return {"num_processes": torch.cuda.device_count(), "local_mode": True, "use_gpu": False}
    return {"num_processes": min(MOST_ON_CPUS, slots(spark)), "local_mode": False, "use_gpu": False}


def slots(spark: SparkSession) -> int:
    """How many tasks Spark can have run at once; a gang of more would wait for ever."""
    spark.sparkContext.parallelize([0], 1).count()  # by then there are executors
    scala = spark.sparkContext._jsc.sc()
    return max(1, scala.maxNumConcurrentTasks(scala.resourceProfileManager().defaultResourceProfile()))


def sources() -> dict[str, str]:
    """What of ours is imported, by file names: processes know nothing of Spark, nor of its Python files."""
    ours = [name for name in sys.modules if name == "oneoff" or name.startswith(("networks", "nids_"))]
    return {f"{name}.py": Path(str(sys.modules[name].__file__)).read_text() for name in ours}


def learn(spark: SparkSession, plan: dict[str, Any], kept: str) -> None:
    """Has processes learn until all is learnt, however often one is lost."""
    from pyspark.ml.torch.distributor import TorchDistributor

    def member(sources: dict[str, str], plan: dict[str, Any], kept: str) -> None:
        import sys
        import tempfile
        from pathlib import Path

        with tempfile.TemporaryDirectory() as folder:
            for name, text in sources.items():
                (Path(folder) / name).write_text(text)
            sys.path.insert(0, folder)
            import nids_gru
            import nids_sequences
            import torch

            torch.set_num_threads(1)
            torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
            data = nids_sequences.load(plan["flows"], plan["truth"], plan["sample"])
            nids_gru.learn(data, plan["hidden"], plan["epochs"], plan["seed"], kept)
            torch.distributed.destroy_process_group()

    where = place(spark)
    print(f"recurrent: {where['num_processes']} processes learn, on {device(where)}", flush=True)
    failed, before = 0, 0
    while True:
        try:
            TorchDistributor(**where).run(member, sources(), plan, kept)
            return
        except Exception as problem:
            reached = nids_gru.epochs_kept(kept)
            failed, before = 1 if reached > before else failed + 1, reached
            if failed >= ATTEMPTS:
                raise
            why = str(problem).strip().splitlines() or [type(problem).__name__]
            print(f"recurrent: a process was lost ({why[0][:200]}); all go on after epoch {reached}", flush=True)


def device(where: dict[str, Any]) -> str:
    """What they learn on."""
    if where["use_gpu"]:
        return "the GPUs that Spark hands out"
    return "this machine's GPUs" if where["local_mode"] else "CPUs"


def rows(network: nids_gru.Recurrent, data: Data, seconds: float) -> dict[str, list[dict[str, Any]]]:
    """Rows of all tables."""
    found = nids_train.measure(network, data)
    if data.log_ratio is not None:
        found["roc"] += nids_train._roc(BEST, data.log_ratio, data.test.attacks)
    licence = nids_layouts.licence(data.origin)
    found["networks"] = [nids_gru_onnx.file_row(network, data.test, data.inputs, licence, seconds)]
    return found


@contextmanager
def session() -> Iterator[SparkSession]:
    """Spark, whose tasks have one core each, and a whole GPU where there are some."""
    from pyspark import SparkConf
    from pyspark.sql import SparkSession

    conf = SparkConf().setAppName("nids: recurrent").setExecutorEnv(pairs=list(networks.ENVIRONMENT.items()))
    if conf.get(EXECUTOR_GPUS, None):
        conf.set(TASK_GPUS, "1").set(EXECUTOR_GPUS, "1")
    with SparkSession.builder.config(conf=conf).getOrCreate() as spark:
        try:
            yield spark
        finally:
            stop_barrier_timer(spark)


def stop_barrier_timer(spark: SparkSession) -> None:
    """Ends a thread that barrier tasks leave in their JVM, which in Spark's local mode is ours and would never end."""
    barriers = getattr(getattr(spark.sparkContext._jvm.org.apache.spark, "BarrierTaskContext$"), "MODULE$")
    getattr(barriers, "org$apache$spark$BarrierTaskContext$$timer")().cancel()


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = oneoff.ArgumentParser(description="Train a network that remembers what a host did before.")
    parser.add_argument("--flows", required=True, metavar="FOLDER", help="part files of flows.py")
    parser.add_argument("--truth", required=True, metavar="FOLDER", help="likelihood ratios of flows.py, if there are")
    for table in nids_train.COLUMNS:
        parser.add_argument(f"--{table}", required=True, metavar="FOLDER", help=f"where the rows of {table} go")
    parser.add_argument("--kept", required=True, metavar="FOLDER", help="where the network is kept while it learns")
    parser.add_argument("--hidden", type=nids_train.sizes, default=[64, 32], help="neurons (default: 64,32)")
    parser.add_argument("--epochs", type=oneoff.count, default=15, help="looks at all flows (default: %(default)s)")
    parser.add_argument(
        "--sample", type=oneoff.count, default=100_000, help="flows of a part at most (default: %(default)s)"
    )
    parser.add_argument("--seed", type=oneoff.whole, default=1, help="of the network (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        import torch  # noqa: F401 - where it is not there, that is all there is to say
    except (ImportError, OSError, ValueError) as problem:
        parser.error(f"PyTorch can't be had ({problem}): install its CPU build into this Python, or see docs/nids.md")
    try:
        data = nids_sequences.load(options.flows, options.truth, options.sample)
    except (ValueError, OSError) as problem:
        parser.error(f"nothing to learn from {options.flows}: {' '.join(str(problem).split())}")
    plan = {name: getattr(options, name) for name in ("flows", "truth", "sample", "hidden", "epochs", "seed")}
    kept = f"{options.kept.rstrip('/')}/recurrent.pt"
    start = time.perf_counter()
    with session() as spark:
        learn(spark, plan, kept)
    network = nids_gru.trained(data, options.hidden, kept)
    found = rows(network, data, time.perf_counter() - start)
    nids_train.write(found, {table: getattr(options, table) for table in nids_train.COLUMNS}, nids_gru.RECURRENT)
    print(nids_train.sentence(found["detection"][0]))


if __name__ == "__main__":
    main()
