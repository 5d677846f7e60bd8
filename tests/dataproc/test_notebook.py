"""The notebook for Dataproc's JupyterLab, on Spark in this process's machine and a lake in a folder."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import nbformat
import pyarrow as pa
import pytest
from dataproc_support import ROOT, spark_conf
from nbclient import NotebookClient

import oneoff  # isort: skip
import run_record  # isort: skip
from table_check import Table  # isort: skip
from typed_json import typed  # isort: skip

import declared

NOTEBOOK = ROOT / "assets" / "notebooks" / "lake.ipynb"
PLACEHOLDERS = ("{lake}", "{run}", "{dataset}")


def filled(lake: str, run: str, dataset: str) -> nbformat.NotebookNode:
    """As components put it into the staging bucket."""
    text = NOTEBOOK.read_text()
    for placeholder, value in zip(PLACEHOLDERS, (lake, run, dataset), strict=True):
        text = text.replace(placeholder, value)
    return nbformat.reads(text, as_version=4)


def test_placeholders_stand_once_in_the_first_cell_of_code() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code").source
    everything = "".join(cell.source for cell in notebook.cells)
    for placeholder in PLACEHOLDERS:
        assert everything.count(placeholder) == first.count(placeholder) == 1


TABLES = [
    typed(declaration, Table, "a table")
    for declaration in (
        declared.declaration("points", id="integer", x="double"),
        declared.declaration("models", hidden="integer"),
    )
]


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    lake = tmp_path / "lake"
    for run, rows in (("1", 50), ("2", 100)):
        points = {"id": list(range(rows)), "x": [n / 7 for n in range(rows)]}
        oneoff.write_part(pa.table(points), f"{lake}/points/run={run}", "part")
        oneoff.write_part(pa.table({"hidden": [5]}), f"{lake}/models/run={run}", "part")
        run_record.record(str(lake), run, "xo", "succeeded", steps=[("a", "succeeded")], tables=TABLES)
    run_record.record(str(lake), "3", "xo", "failed", error="why")
    return lake


def test_it_reads_the_lake(lake: Path, tmp_path: Path) -> None:
    notebook = filled(str(lake), "2", "project.dataset")
    left_out = [cell for cell in notebook.cells if "bigquery" in cell.metadata.get("tags", [])]
    assert len(left_out) == 1
    notebook.cells = [cell for cell in notebook.cells if cell not in left_out]
    conf = spark_conf(tmp_path / "conf")
    with (conf / "spark-defaults.conf").open("a") as file:
        file.write("spark.master local[2]\n")
    env = {**os.environ, "SPARK_CONF_DIR": str(conf), "PYSPARK_PYTHON": sys.executable}
    resources = {"metadata": {"path": tmp_path}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute(env=env)

    text = json.dumps([cell.get("outputs") for cell in notebook.cells])
    record = json.loads((lake / "_runs" / "2.json").read_text())
    assert f"points: 100 rows, digest {record['tables']['points']['digest']}" in text
    assert "100 rows in points" in text
    assert all(
        f"|{run}  |xo |{state}" in text for run, state in (("1", "succeeded"), ("2", "succeeded"), ("3", "failed"))
    )
    assert text.count("image/png") == 1
