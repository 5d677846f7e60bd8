"""Puts the steps' modules where tests can import them, and runs steps as a cluster does."""

from __future__ import annotations

import contextlib
import io
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark import SparkContext

ROOT = Path(__file__).resolve().parents[2]
JOBS = ROOT / "assets" / "jobs"
STEPS = ROOT / "assets" / "steps"
BENCH = ROOT / "tests" / "bench"
sys.path[:0] = [str(JOBS), str(JOBS / "xo"), str(STEPS), str(BENCH), str(ROOT / "tests")]
sys.path.append(str(JOBS / "streaming-regression"))

import oneoff  # noqa: E402 - found through the line above
import train  # noqa: E402

# Before numpy is imported anywhere: what a test trains must agree in every bit with what a step trains.
os.environ.update(train.BLAS_ENVIRONMENT)


@pytest.fixture
def object_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that stands for s3:// and gs://. It shows which paths are used, not that a cloud takes them."""
    import pyarrow.fs

    store = pyarrow.fs.SubTreeFileSystem(str(tmp_path), pyarrow.fs.LocalFileSystem())

    class Clouds:
        @staticmethod
        def from_uri(uri: str) -> tuple[pyarrow.fs.FileSystem, str]:
            return store, uri.partition("://")[2]

    monkeypatch.setattr(pyarrow.fs, "FileSystem", Clouds)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):  # with a region, S3 is not found by its address
        monkeypatch.delenv(name, raising=False)
    oneoff._gcs.cache_clear()
    yield tmp_path
    oneoff._gcs.cache_clear()


def run_python(script: Path, *arguments: str, flags: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Runs a script without Spark."""
    env = {**os.environ, "PYTHONPATH": str(JOBS)}
    return subprocess.run(
        [sys.executable, *flags, script, *arguments], env=env, capture_output=True, text=True, check=False
    )


def run_here(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The same in this process, where what the script imports is loaded already."""
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as err,
    ):
        patch.setattr(sys, "argv", [str(script), *arguments])
        patch.setattr(sys, "path", [str(script.parent), *sys.path])
        code: int | str | None = 0
        try:
            runpy.run_path(str(script), run_name="__main__")
        except SystemExit as end:
            code = end.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
    return subprocess.CompletedProcess([script, *arguments], code or 0, out.getvalue(), err.getvalue())


def submit(script: Path, *arguments: str, cores: int) -> subprocess.Popen[str]:
    """Starts a step on a local Spark; its output, errors among it, can be read line by line while it runs."""
    here = Path(sys.executable).parent
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "PATH": f"{here}:{os.environ['PATH']}"}
    spark = [here / "spark-submit", "--master", f"local[{cores}]", "--conf", "spark.ui.enabled=false"]
    spark += ["--conf", f"spark.sql.shuffle.partitions={2 * cores}"]
    # The quick compiler is enough for a JVM that lives for seconds.
    java = ["--driver-java-options", "-XX:TieredStopAtLevel=1"]
    step = ["--py-files", JOBS / "oneoff.py", script, *arguments]
    return subprocess.Popen([*spark, *java, *step], env=environment, stdout=subprocess.PIPE, text=True)


@contextlib.contextmanager
def spark_here(*modules: Path) -> Iterator[SparkContext]:
    """Spark in this process, whose tasks can import modules of a job and those that jobs share."""
    from pyspark import SparkConf, SparkContext

    conf = SparkConf().setMaster("local[2]").setAppName("tests").set("spark.ui.enabled", "false")
    conf.set("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        with SparkContext(conf=conf, pyFiles=[str(path) for path in [*modules, *JOBS.glob("*.py")]]) as context:
            context.setLogLevel("OFF")
            yield context


def run_step(spark: SparkContext, step: ModuleType, arguments: Sequence[str]) -> str:
    """Runs a step in a Spark that is there already; returns what it prints."""

    @contextlib.contextmanager
    def same() -> Iterator[SparkContext]:
        yield spark

    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as printed:
        patch.setattr(step, "session", same)
        step.main(arguments)
    return printed.getvalue()
