"""The notebooks on Spark in this process's machine, a small lake, and FerretDB in the place of MongoDB.

What reads HDFS reads a folder here: it is Spark that knows the difference.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pymongo
import pytest
from nbclient import NotebookClient
from swarm_support import JARS, JOBS, ROOT, free_port, wait_for

sys.path.append(str(JOBS / "london-power"))
import lcl

NOTEBOOKS = ROOT / "assets" / "notebooks"
PICTURES = ROOT / "tests" / "pictures"
MAVEN = os.environ.get("MAVEN", "https://repo1.maven.org/maven2")
PASSWORD = "a5ecretf0rthe7est"
RUN = "3"
# With a change of clocks in it.
FIRST, DAYS, HOUSEHOLDS = datetime(2012, 9, 20, tzinfo=timezone.utc), 50, 12


@dataclass(frozen=True)
class Place:
    """Where the notebooks run, and what they are to find."""

    folder: Path
    mongo: pymongo.database.Database
    readings: pd.DataFrame

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    @property
    def env(self) -> dict[str, str]:
        return {
            **os.environ,
            "ONEOFF_LAKE": str(self.lake),
            "ONEOFF_HDFS": f"file://{self.folder}/hdfs",
            "ONEOFF_SECRETS": str(self.folder / "secrets"),
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_CONF_DIR": str(self.folder / "conf"),
        }


def made_up() -> pd.DataFrame:
    """Readings with the quirks of the published ones: some are null, and some stand twice."""
    random = np.random.default_rng(1)
    times = [FIRST + i * timedelta(minutes=30) for i in range(DAYS * lcl.HALF_HOURS)]
    hour = np.array([lcl.london(time.replace(tzinfo=None)).hour for time in times])
    parts = []
    for number in range(HOUSEHOLDS):
        group = lcl.ACORN_GROUPS[number % 3]
        level = {"Affluent": 0.3, "Comfortable": 0.22, "Adversity": 0.16}[group] * (0.93 if number % 4 == 0 else 1)
        kwh = level * (0.5 + np.exp(-((hour - 18.5) ** 2) / 9) * 1.6) * random.lognormal(0, 0.3, len(times))
        part = pd.DataFrame({"time": times, "kwh": np.round(kwh, 3)})
        part["household"] = f"MAC{number:06}"
        part["tariff"] = "ToU" if number % 4 == 0 else "Std"
        part["acorn"] = next(acorn for acorn, of in lcl.ACORNS.items() if of == group)
        part["acorn_group"] = group
        part.loc[random.integers(len(times), size=20), "kwh"] = None
        parts += [part, part.iloc[:5]]
    return pd.concat(parts, ignore_index=True)


def half_hours(readings: pd.DataFrame) -> pd.DataFrame:
    """What counts, in London."""
    counted = readings.dropna(subset="kwh").drop_duplicates(["household", "time"])
    local = counted.time.dt.tz_convert("Europe/London")
    return counted.assign(month=local.dt.strftime("%Y-%m"), date=local.dt.date)


def truth(readings: pd.DataFrame) -> pd.DataFrame:
    """What the notebook's monthly table must be."""
    by = half_hours(readings).groupby(["month", "acorn_group"])
    return by.agg(households=("household", "nunique"), half_hours=("kwh", "size"), mean=("kwh", "mean")).reset_index()


def fill_lake(lake: Path, readings: pd.DataFrame) -> None:
    def write(name: str, table: pa.Table) -> None:
        folder = lake / name / f"run={RUN}"
        folder.mkdir(parents=True)
        pq.write_table(table, folder / "part-00000.parquet")

    write("readings", pa.Table.from_pandas(readings[list(lcl.COLUMNS)], lcl.schema(), preserve_index=False))
    write("summary", pa.table({"findings": ["Households on time of use use 6.5 % less."]}))
    by_day = half_hours(readings).groupby("date").kwh.sum() / HOUSEHOLDS
    days = pd.DataFrame({"date": by_day.index, "kwh_per_household": by_day.values})
    days["is_peak"] = days.kwh_per_household == days.kwh_per_household.max()
    write("days", pa.Table.from_pandas(days, preserve_index=False))
    (lake / "_runs").mkdir()
    for run, job, state, started in [
        (RUN, "london-power", "succeeded", "2026-01-02T10:00:00Z"),
        ("1", "london-power", "succeeded", "2026-01-01T10:00:00Z"),
        ("4", "london-power", "failed", "2026-01-03T10:00:00Z"),
        ("5", "xo", "succeeded", "2026-01-04T10:00:00Z"),
    ]:
        record = {"run": run, "job": job, "state": state, "started": started, "steps": []}
        (lake / "_runs" / f"{run}.json").write_text(json.dumps(record))


def fill_mongo(mongo: pymongo.database.Database, readings: pd.DataFrame) -> None:
    """As steps load and analyze of the job do."""
    documents = []
    counted = readings.drop_duplicates(["household", "time"])
    for (household, date), day in counted.groupby(["household", counted.time.dt.floor("D")]):
        first = day.iloc[0]
        kwh = [None if pd.isna(value) else value for value in day.sort_values("time").kwh]
        documents.append(
            {"_id": f"{household} {date:%Y-%m-%d}", "household": household, "tariff": first.tariff}
            | {"acorn_group": first.acorn_group, "date": date.to_pydatetime(), "kwh": kwh}
        )
    mongo.readings.insert_many(documents)
    monthly = truth(readings).rename(columns={"mean": "kwh_per_household_day"}).to_dict("records")
    mongo.monthly.insert_many([{"_id": f"{row['month']} {row['acorn_group']}", **row} for row in monthly])


def connector() -> list[Path]:
    """The jars that the Spark image has beside Spark's own."""
    jars = []
    for line in (ROOT / "assets" / "images" / "spark" / "jars.txt").read_text().splitlines():
        digest, path = line.split()
        jar = ROOT / ".oneoff" / "jars" / Path(path).name
        if not jar.exists():
            jar.parent.mkdir(parents=True, exist_ok=True)
            with urllib.request.urlopen(f"{MAVEN}/{path}") as response:
                content = response.read()
            assert hashlib.sha256(content).hexdigest() == digest, path
            half = jar.with_suffix(f".{os.getpid()}")
            half.write_bytes(content)
            half.rename(jar)
        jars.append(jar)
    return jars


@pytest.fixture(scope="module")
def ferretdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server that speaks MongoDB's protocol, with the cluster's users."""
    if shutil.which("go") is None:
        pytest.skip("go is not installed, which builds FerretDB: MongoDB's protocol goes untested")
    folder = tmp_path_factory.mktemp("ferretdb")
    program = folder / "oneoff-test-mongo"
    build = ["go", "build", "-o", program, "."]
    subprocess.run(build, cwd=ROOT / "tests/swarm/ferretdb", env={**os.environ, "CGO_ENABLED": "0"}, check=True)
    for name in ("mongo-root-password", "mongo-password"):
        (folder / name).write_text(PASSWORD)
    (folder / "data").mkdir()
    port = free_port()
    options = ["--listen", f"127.0.0.1:{port}", "--data", folder / "data", "--secrets", folder]
    uri = f"mongodb://oneoff:{PASSWORD}@127.0.0.1:{port}/power?authSource=power"
    server = subprocess.Popen([program, *options])
    try:
        with pymongo.MongoClient(uri) as client:
            wait_for(lambda: client.admin.command("ping"))
        yield uri
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, ferretdb: str) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("notebooks")
    for name in ("lake", "secrets", "conf"):
        (folder / name).mkdir()
    (folder / "secrets" / "mongo-uri").write_text(f"{ferretdb}\n")
    jars = os.pathsep.join([JARS, *map(str, connector())])
    (folder / "conf" / "spark-defaults.conf").write_text(
        "spark.master local[2]\nspark.ui.enabled false\nspark.driver.host 127.0.0.1\n"
        f"spark.driver.memory 700m\nspark.sql.shuffle.partitions 4\nspark.driver.extraClassPath {jars}\n"
    )
    readings = made_up()
    fill_lake(folder / "lake", readings)
    with pymongo.MongoClient(ferretdb) as client:
        mongo = client.get_default_database()
        fill_mongo(mongo, readings)
        yield Place(folder, mongo, readings)


def execute(name: str, place: Place) -> nbformat.NotebookNode:
    """Runs a copy of a notebook from top to bottom; fails as the first of its cells that does."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": place.folder}}
    )
    client.execute(env=place.env)
    return notebook


def printed(notebook: nbformat.NotebookNode) -> str:
    """All that a reader of the outputs sees."""
    return json.dumps([cell.get("outputs") for cell in notebook.cells])


def figures(notebook: nbformat.NotebookNode, name: str) -> int:
    """How many there are. They are kept, to be looked at."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pngs = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    PICTURES.mkdir(exist_ok=True)
    for number, png in enumerate(pngs):
        (PICTURES / f"notebook-{name}-{number}.png").write_bytes(base64.b64decode(png))
    return len(pngs)


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_it_is_committed_without_what_it_has_put_out(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert [cell for cell in code if cell.outputs or cell.execution_count is not None] == []


def test_startup_reads_hdfs_and_mongodb(place: Place) -> None:
    notebook = execute("startup", place)

    text = printed(notebook)
    assert f"Run {RUN} in" in text  # not the failed one, nor that of another job
    assert f"{len(place.readings):,} readings in file://" in text
    assert (place.folder / "hdfs/notebooks/readings" / f"run={RUN}" / "part-00000.parquet").exists()
    assert f"{HOUSEHOLDS * DAYS} documents in readings" in text
    assert "Affluent" in text
    assert PASSWORD not in text


def test_analysis_finds_what_is_there_and_saves_it(place: Place) -> None:
    copied = place.folder / "hdfs/notebooks/readings" / f"run={RUN}"
    if not copied.exists():  # as startup leaves it
        shutil.copytree(place.lake / "readings" / f"run={RUN}", copied)

    notebook = execute("analysis", place)

    saved = pd.DataFrame(place.mongo.notebook_monthly.find({}, {"_id": 0})).sort_values(["month", "acorn_group"])
    expected = truth(place.readings)
    assert saved[["month", "acorn_group", "households", "half_hours"]].values.tolist() == (
        expected[["month", "acorn_group", "households", "half_hours"]].values.tolist()
    )
    np.testing.assert_allclose(saved.kwh_per_household_day, expected["mean"] * 48)
    assert set(saved.run) == {RUN}
    kept = pd.read_parquet(place.lake / "_notebooks" / f"monthly-{RUN}.parquet")
    assert len(kept) == len(expected)
    assert figures(notebook, "analysis") == 4
    assert PASSWORD not in printed(notebook)
