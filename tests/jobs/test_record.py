"""run_record.py: the record of a run, as the components read it."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import declared
import oneoff
import pyarrow as pa
import pytest
import run_record
from conftest import ROOT, STEPS, run_here, run_python
from table_check import Table, TableError
from typed_json import typed

SCRIPT = STEPS / "run_record.py"
STEPS = ["--step", "generate=succeeded", "--step", "train=running"]


def record(lake: Path, *arguments: str, run: str = "r1") -> subprocess.CompletedProcess[str]:
    return run_here(SCRIPT, "--lake", str(lake), "--run", run, "--job", "xo", *arguments)


def written(lake: Path, run: str = "r1") -> dict[str, Any]:
    return json.loads((lake / "_runs" / f"{run}.json").read_text())


def parse(text: str) -> subprocess.CompletedProcess[str]:
    """What RunRecord of core/run.ts says of it."""
    program = """
        import { RunRecord } from "./core/run.ts";
        import { readFileSync } from "node:fs";
        const found = RunRecord.in.parse(JSON.parse(readFileSync(0, "utf8")));
        console.log(RunRecord.out.strict().parse(found).state);
    """
    node = [ROOT / "node_modules" / ".bin" / "node", "--input-type=module", "-e", program]
    return subprocess.run(node, input=text, capture_output=True, text=True, cwd=ROOT, check=False)


def test_running_then_succeeded(tmp_path: Path) -> None:
    assert record(tmp_path, "--state", "running", "--deadline", "2026-11-21T15:30:00+02:00", *STEPS).returncode == 0
    first = written(tmp_path)
    assert first == {
        "run": "r1",
        "job": "xo",
        "state": "running",
        "started": first["started"],
        "deadline": "2026-11-21T13:30:00.000Z",
        "steps": [{"name": "generate", "state": "succeeded"}, {"name": "train", "state": "running"}],
        "tables": {},
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["started"])

    table = pa.table({"id": [1, 2], "seconds": [0.5, 0.25]})
    oneoff.write_part(table, str(tmp_path / "models" / "run=r1"), "part")
    oneoff.write_part(table, str(tmp_path / "models" / "run=r2"), "part")
    seconds = {"name": "seconds", "type": "double", "measured": True}
    models = declared.declaration("models", id="integer")
    models["columns"].append(seconds)
    absent = declared.declaration("absent", id="integer", may_be_empty=True)
    tables = [typed(table, Table, "a table") for table in (models, absent)]
    run_record.record(str(tmp_path), "r1", "xo", "succeeded", steps=[("train", "succeeded")], tables=tables)
    last = written(tmp_path)
    assert last == {
        **first,
        "state": "succeeded",
        "steps": [{"name": "train", "state": "succeeded"}],
        "ended": last["ended"],
        "tables": {
            "models": {"rows": 2, "digest": oneoff.digest(str(tmp_path / "models" / "run=r1"), ["id"])[1]},
            "absent": {"rows": 0, "digest": "0" * 32},
        },
    }
    started, ended = (datetime.fromisoformat(last[key]) for key in ("started", "ended"))
    assert started < ended
    assert [path.name for path in (tmp_path / "_runs").iterdir()] == ["r1.json"]


def test_failed_says_why_in_one_line(tmp_path: Path) -> None:
    assert record(tmp_path, "--state", "failed", "--error", "step train:\n  out of memory\n").returncode == 0
    assert written(tmp_path)["error"] == "step train: out of memory"
    assert "ended" in written(tmp_path)


@pytest.mark.parametrize("end", ["succeeded", "failed"])
@pytest.mark.parametrize("later", ["running", "failed"])
def test_what_has_ended_stays_as_it_is(tmp_path: Path, end: str, later: str) -> None:
    run_record.record(str(tmp_path), "r1", "xo", end)
    before = (tmp_path / "_runs" / "r1.json").read_bytes()
    refused = record(tmp_path, "--state", later)
    assert refused.returncode == run_record.EXIT_RUN_ENDED == 3
    assert re.fullmatch(
        rf"run_record\.py: error: run r1 has ended: it {end} at \S+; its record is kept\n", refused.stderr
    )
    assert (tmp_path / "_runs" / "r1.json").read_bytes() == before
    assert record(tmp_path, "--state", later, run="r2").returncode == 0


def test_components_can_read_every_state(tmp_path: Path) -> None:
    table = typed(declared.declaration("t", a="string", may_be_empty=True), Table, "a table")
    more = {"deadline": "2026-11-21T13:30:00Z", "steps": [("train", "running")], "tables": [table]}
    for state in run_record.RUN_STATES:
        run_record.record(str(tmp_path), state, "xo", state, error="why" if state == "failed" else None, **more)
        parsed = parse((tmp_path / "_runs" / f"{state}.json").read_text())
        assert (parsed.returncode, parsed.stdout) == (0, f"{state}\n"), parsed.stderr
    wrong = {**written(tmp_path, "running"), "state": "pending"}
    assert parse(json.dumps(wrong)).returncode != 0


ASKED = "2026-11-30T10:00:00.000Z"
CANCELLED = f"cancelled: that was asked for at {ASKED}"


def ask(lake: Path, run: str = "r1", content: str | None = None) -> None:
    """As `oneoff cancel` does."""
    (lake / "_cancels").mkdir(exist_ok=True)
    (lake / "_cancels" / f"{run}.json").write_text(content or json.dumps({"run": run, "at": ASKED}))


def test_a_run_that_is_to_be_cancelled_is_neither_begun_nor_gone_on_with(tmp_path: Path) -> None:
    ask(tmp_path)
    refused = record(tmp_path, "--state", "running", *STEPS)
    assert (refused.returncode, refused.stderr) == (3, f"run_record.py: error: {CANCELLED}\n")
    assert not (tmp_path / "_runs").exists()
    with pytest.raises(run_record.RunCancelledError, match=CANCELLED):
        run_record.record(str(tmp_path), "r1", "xo", "running")
    assert record(tmp_path, "--state", "running", run="r2").returncode == 0


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_what_was_to_be_cancelled_is_and_has_not_failed(tmp_path: Path, state: str) -> None:
    record(tmp_path, "--state", "running", *STEPS)
    ask(tmp_path)
    steps = ["--step", "generate=succeeded", "--step", f"train={state}", "--step", "last=pending"]
    assert record(tmp_path, "--state", state, "--error", CANCELLED, *steps).returncode == 0
    # As those of before there was such a state take it: as one that has failed.
    assert (written(tmp_path)["state"], written(tmp_path)["cancelled"]) == ("failed", True)
    assert [step["state"] for step in written(tmp_path)["steps"]] == ["succeeded", "failed", "pending"]
    assert written(tmp_path)["error"] == CANCELLED
    for later in ("running", "failed", "cancelled"):
        refused = record(tmp_path, "--state", later)
        assert refused.returncode == 3
        assert "run r1 has ended: it was cancelled at" in refused.stderr
    ended = run_record.record(str(tmp_path), "r3", "xo", "cancelled", steps=[("train", "cancelled")])
    assert (ended["state"], ended["steps"][0]["state"]) == ("cancelled", "cancelled")


def test_what_succeeds_before_it_sees_the_request_has_succeeded(tmp_path: Path) -> None:
    record(tmp_path, "--state", "running", *STEPS)
    ask(tmp_path)
    assert run_record.record(str(tmp_path), "r1", "xo", "succeeded")["state"] == "succeeded"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "7"])
def test_a_request_that_is_none_asks_for_nothing(tmp_path: Path, content: str) -> None:
    ask(tmp_path, content=content or " ")
    assert record(tmp_path, "--state", "failed", "--error", "why").returncode == 0
    assert (written(tmp_path)["error"], written(tmp_path)["state"]) == ("why", "failed")
    assert "cancelled" not in written(tmp_path)


def test_a_digest_that_cannot_be_had_leaves_the_run_running(tmp_path: Path) -> None:
    record(tmp_path, "--state", "running")
    oneoff.write_part(pa.table({"id": [1]}), str(tmp_path / "models" / "run=r1"), "part")
    table = typed(declared.declaration("models", id="integer", absent="string"), Table, "a table")
    with pytest.raises(TableError, match=r'^table "models": part\.parquet has no column "absent" \(string\): have the'):
        run_record.record(str(tmp_path), "r1", "xo", "succeeded", tables=[table])
    assert written(tmp_path)["state"] == "running"


def test_in_an_object_store(object_store: Path) -> None:
    (object_store / "bucket" / "_runs").mkdir(parents=True)
    running = run_record.record("s3://bucket", "r1", "xo", "running")
    assert written(object_store / "bucket") == running
    ended = run_record.record("s3://bucket", "r1", "xo", "failed", error="why")
    assert written(object_store / "bucket") == ended
    assert ended["started"] == running["started"]
    with pytest.raises(run_record.RunEndedError):
        run_record.record("s3://bucket", "r1", "xo", "succeeded")
    ask(object_store / "bucket", "r2")
    assert run_record.record("s3://bucket", "r2", "xo", "failed", error="why")["state"] == "cancelled"


def test_a_record_without_digests_loads_the_standard_library_only(tmp_path: Path) -> None:
    arguments = ["--lake", str(tmp_path), "--run", "r1", "--job", "xo", "--state", "running"]
    done = run_python(SCRIPT, *arguments, flags=["-X", "importtime"])
    assert done.returncode == 0
    loaded = done.stderr
    assert "argparse" in loaded
    assert not re.search(r"\b(numpy|pyarrow|pyspark)\b", loaded)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: --state"),
        (["--state", "done"], "argument --state: invalid choice"),
        (["--state", "running", "--step", "train"], "argument --step: 'train' is not NAME=STATE"),
        (["--state", "running", "--step", "train=done"], "argument --step: 'train=done' is not NAME=STATE"),
        (["--state", "running", "--deadline", "soon"], "argument --deadline: 'soon' is not a time"),
        (["--state", "running", "--deadline", "2026-11-21T13:30:00"], "argument --deadline: '2026-11-21T13:30:00'"),
        (["--state", "running", "--run", "../r1"], "argument --run: '../r1' is not"),
        (["--state", "running", "--error", "why"], "--error goes with --state failed or cancelled only"),
    ],
)
def test_bad_arguments(tmp_path: Path, arguments: list[str], message: str) -> None:
    refused = record(tmp_path, *arguments)
    assert refused.returncode == 2
    assert re.fullmatch(rf"run_record\.py: error: {re.escape(message)}.*\n", refused.stderr)
    assert list(tmp_path.iterdir()) == []


def test_help() -> None:
    assert "--deadline" in run_python(SCRIPT, "--help").stdout


def test_rows_of_a_table_that_each_run_measures_anew(tmp_path: Path) -> None:
    oneoff.write_part(pa.table({"seconds": [0.5, 0.25]}), str(tmp_path / "times" / "run=r1"), "part")
    declaration = declared.declaration("times", seconds="double")
    declaration["columns"][0]["measured"] = True
    tables = [typed(declaration, Table, "a table")]
    content = run_record.record(str(tmp_path), "r1", "xo", "succeeded", tables=tables)
    assert content["tables"]["times"]["rows"] == 2
