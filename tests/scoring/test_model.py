"""The door: which networks are found, which are let in, and what goes on when one is not."""

from __future__ import annotations

import base64
import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import scoring_model
from onnx import TensorProto, helper
from scoring_model import Door, Network, Place, RefusedError, check_apart
from scoring_support import Row, candidate, leave_folder, leave_run, with_file


def door(place: Path | str, name: str = "classifier") -> tuple[Door, list[str]]:
    said: list[str] = []
    return Door(Place(str(place), name), said.append), said


def sha256(of: Door) -> str | None:
    return of.network and of.network.found.sha256


# Where a network is ---------------------------------------------------------------------------------------------------


def test_of_a_table_it_is_the_newest_run_that_succeeded(lake: Path, rows: list[Row]) -> None:
    looked, said = door(lake / "networks")
    looked.look()
    assert looked.network and looked.network.found.run == "1"
    leave_run(lake, "older", rows[1], "2025-01-01T00:00:00Z")
    leave_run(lake, "broken", rows[1], "2027-01-01T00:00:00Z", state="failed")
    leave_run(lake, "gone", rows[1], "2027-01-01T00:00:00Z", removed="2027-01-02T00:00:00Z")
    looked.look()
    assert looked.network.found.run == "1"
    leave_run(lake, "newer", rows[1], "2026-06-01T00:00:00Z")
    looked.look()
    assert (looked.network.found.run, sha256(looked), looked.swaps) == ("newer", rows[1]["sha256"], 1)
    assert [line.partition(" scores now")[0].split()[1] for line in said] == ["classifier", "classifier"]


def test_it_may_be_a_run_a_file_or_a_folder(lake: Path, tmp_path: Path, rows: list[Row]) -> None:
    (file,) = (lake / "networks" / "run=1").glob("*.parquet")
    leave_folder(tmp_path / "folder", rows[0])
    for place in (lake / "networks" / "run=1", file, f"{tmp_path / 'folder'}/"):
        looked, _ = door(place)
        looked.look()
        assert sha256(looked) == rows[0]["sha256"], place


def test_nothing_there_is_no_refusal(tmp_path: Path, lake: Path, rows: list[Row]) -> None:
    leave_run(tmp_path / "other", "1", rows[0], "2026-01-01T00:00:00Z", state="running")
    for place in (tmp_path / "nowhere", tmp_path / "x.parquet", tmp_path / "run=1", tmp_path / "other" / "networks"):
        looked, said = door(place)
        looked.look()
        assert (looked.network, looked.refused, said) == (None, None, []), place
    looked, said = door(lake / "networks", "autoencoder")
    looked.look()
    looked.look()
    assert looked.refused and "expected one row with model autoencoder" in looked.refused.why
    assert len(said) == 1


def test_a_folder_is_taken_once_it_is_whole(tmp_path: Path, rows: list[Row]) -> None:
    folder = tmp_path / "models"
    leave_folder(folder, rows[0])
    looked, said = door(folder)
    looked.look()
    (folder / "model.onnx").write_bytes(base64.b64decode(rows[1]["onnx"]))  # its model.json is still to come
    looked.look()
    assert sha256(looked) == rows[0]["sha256"]
    assert looked.refused and "another SHA-256 than is said of it" in looked.refused.why
    assert said[-1].endswith(f"classifier {rows[0]['sha256'][:12]} goes on")
    leave_folder(folder, rows[1])
    looked.look()
    assert (sha256(looked), looked.refused, looked.swaps) == (rows[1]["sha256"], None, 1)


def test_what_cannot_be_read_just_now_is_looked_at_again(lake: Path, rows: list[Row]) -> None:
    (file,) = (lake / "networks" / "run=1").glob("*.parquet")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    looked, said = door(file)
    looked.look()
    looked.look()
    assert looked.network is None and looked.refused and "can't be read just now" in looked.refused.why
    assert len(said) == 1
    file.write_bytes(whole)
    looked.look()
    assert (sha256(looked), looked.refused) == (rows[0]["sha256"], None)


# What is let in -------------------------------------------------------------------------------------------------------


def graph(row: Row, **change: object) -> bytes:
    """A row's file with something else in it."""
    made = onnx.load_from_string(base64.b64decode(row["onnx"]))
    for output in made.graph.output:
        if output.name == change.get("without"):
            made.graph.output.remove(output)
            break
    if change.get("more"):
        made.graph.input.append(helper.make_tensor_value_info("times", TensorProto.FLOAT, ["flows"]))
        made.graph.node.append(helper.make_node("Identity", ["times"], ["same"]))
    if change.get("outside"):
        weights = made.graph.initializer[0]
        weights.ClearField("raw_data")
        weights.data_location = TensorProto.EXTERNAL
        weights.external_data.append(onnx.StringStringEntryProto(key="location", value="../../../etc/hostname"))
    return made.SerializeToString()


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return (exec, ("raise SystemExit(99)",))


def said_of(row: Row, name: str, change: object) -> Row:
    """A row of which something else is said: `change` is merged into JSON."""
    said = json.loads(row[name])
    return {**row, name: json.dumps({**said, **change})}  # type: ignore[dict-item]


def without_column(row: Row) -> Row:
    schema = json.loads(row["input_schema"])
    schema["inputs"][0]["columns"] = schema["inputs"][0]["columns"][1:]
    return {**row, "input_schema": json.dumps(schema)}


def renamed_column(row: Row) -> Row:
    return {**row, "input_schema": row["input_schema"].replace('"dur"', '"hour"')}


def without_normal(row: Row) -> Row:
    return {**row, "input_schema": row["input_schema"].replace('"Normal"', '"Abnormal"')}


def off_golden(row: Row) -> Row:
    outputs = json.loads(row["golden"])["outputs"]
    outputs["score"][3] += 0.01
    return said_of(row, "golden", {"outputs": outputs})


REFUSED = {
    "a pickle": (lambda row: with_file(row, pickle.dumps(Bomb())), "expected an ONNX file"),
    "nothing": (lambda row: with_file(row, b""), "expected an ONNX file"),
    "half a file": (lambda row: with_file(row, base64.b64decode(row["onnx"])[:2_000]), "expected an ONNX file"),
    "weights elsewhere": (lambda row: with_file(row, graph(row, outside=True)), "expected an ONNX file"),
    "another input": (lambda row: with_file(row, graph(row, more=True)), "its file takes"),
    "an output less": (lambda row: with_file(row, graph(row, without="probabilities")), "has no output probabilities"),
    "no score": (lambda row: with_file(row, graph(row, without="score")), "has no output score"),
    "a damaged file": (lambda row: {**row, "sha256": "0" * 64}, "another SHA-256"),
    "no base64": (lambda row: {**row, "onnx": "?"}, "expected a row of table networks"),
    "no JSON": (lambda row: {**row, "golden": "{"}, "expected a row of table networks"),
    "no object": (lambda row: {**row, "input_schema": "[]"}, "expected an input numbers"),
    "no threshold": (lambda row: {**row, "threshold": float("nan")}, "expected a threshold"),
    "a column less": (without_column, "expected golden inputs and outputs"),
    "a strange column": (renamed_column, "it wants columns that flows don't have: hour"),
    "no families": (without_normal, "expected families, Normal among them"),
    "golden outputs off": (off_golden, "score of its golden flows is 0.01 off, more than 0.0001"),
    "a wide tolerance": (lambda row: said_of(row, "golden", {"tolerance": 1e9}), "a tolerance of at most 0.01"),
    "no golden flows": (lambda row: said_of(row, "golden", {"inputs": {}}), "expected golden inputs and outputs"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what: str, rows: list[Row]) -> None:
    change, told = REFUSED[what]
    with pytest.raises(RefusedError) as refused:
        Network(candidate(change(rows[0])))
    assert told in str(refused.value)


def test_golden_flows_of_another_network_are_off(rows: list[Row]) -> None:
    with pytest.raises(RefusedError, match="golden flows is"):
        Network(candidate({**rows[0], "golden": rows[1]["golden"]}))


def test_too_large(rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring_model, "LARGEST", 1_000)
    with pytest.raises(RefusedError, match="expected a file of at most"):
        Network(candidate(rows[0]))


def test_what_crashes_or_hangs_does_so_elsewhere(
    rows: list[Row], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = candidate(rows[0])
    check_apart(found)
    with pytest.raises(RefusedError, match=r"^expected an ONNX file"):
        check_apart(replace(candidate(with_file(rows[0], b"x"))))
    script = tmp_path / "check.py"
    monkeypatch.setattr(scoring_model, "__file__", str(script))
    script.write_text("import os; os.abort()")
    with pytest.raises(RefusedError, match="ended with -6"):
        check_apart(found)
    script.write_text("import time; time.sleep(60)")
    monkeypatch.setattr(scoring_model, "CHECK_SECONDS", 0.3)
    with pytest.raises(RefusedError, match="took more than"):
        check_apart(found)


def test_it_scores_as_its_golden_flows_say(network: Network, rows: list[Row]) -> None:
    golden = json.loads(rows[0]["golden"])
    numbers = np.array(golden["inputs"]["numbers"], np.float32)
    found = network.run(numbers, np.array(golden["inputs"]["categories"], object))
    np.testing.assert_allclose(found["score"], golden["outputs"]["score"], atol=1e-4)
