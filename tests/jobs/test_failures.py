"""Job failures: the twin and what can be foretold of it, the network beside that, and its ONNX file."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import oneoff
import onnxruntime
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from conftest import JOBS, run_step, spark_here
from pyspark import SparkContext

FOLDER = JOBS / "failures"
sys.path.append(str(FOLDER))

import failures_data  # noqa: E402 - found through the line above
import failures_measure  # noqa: E402
import failures_train  # noqa: E402
import failures_twin as twins  # noqa: E402
import failures_windows as windows  # noqa: E402
import networks  # noqa: E402
from failures_services import DOWN, LEVELS, SERVICES, UP  # noqa: E402

HOSTS, DAYS = 40, 10
TWIN = twins.Twin(1, HOSTS, DAYS, 2.0)
HORIZON = twins.HORIZON
# The classifier comes so near to the best that can be reached, of the two hours before failures at 1 % false alarms.
MARGIN = 0.12
MADE = {
    "logs": ["time", "host", "service", "severity", "message"],
    "failures": ["host", "service", "time"],
    "truth": ["host", "service", "window_number", "strain", "log_odds"],
}


def load_logs() -> ModuleType:
    """Script logs.py as a module."""
    spec = importlib.util.spec_from_file_location("failures_logs", FOLDER / "logs.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


logs_step = load_logs()


def made_arguments(folder: Path, *more: str) -> list[str]:
    return [*(f"--{table}={folder / table}" for table in MADE), *more]


def train_arguments(folder: Path, *more: str) -> list[str]:
    return made_arguments(folder, *(f"--{table}={folder / table}" for table in failures_train.COLUMNS), *more)


def rows(folder: Path, table: str) -> list[dict[str, Any]]:
    found = oneoff.read_table(str(folder / table), MADE.get(table) or list(failures_train.COLUMNS[table]))
    return [] if found is None else found.to_pylist()


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkContext]:
    with spark_here(*FOLDER.glob("failures_*.py")) as context:
        yield context


@pytest.fixture(scope="module")
def results(spark: SparkContext, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of a run, which told what it reached."""
    folder = tmp_path_factory.mktemp("failures")
    run_step(spark, logs_step, made_arguments(folder, f"--hosts={HOSTS}", f"--days={DAYS}"))
    told = run_step(spark, failures_train, train_arguments(folder, f"--days={DAYS}", "--hidden=16", "--epochs=10"))
    reached = r"^([\w ]+): foretells [\d.]+% of the two hours before \d+ failures at 1 % false alarms, of [\d.]+% that"
    assert re.findall(reached, told, re.MULTILINE) == ["counting errors", "classifier"]
    return folder


@pytest.fixture(scope="module")
def found(spark: SparkContext, results: Path) -> list[windows.Service]:
    return failures_data.count_lines(spark, str(results / "logs"), DAYS)


@pytest.fixture(scope="module")
def data(found: list[windows.Service], results: Path) -> failures_data.Data:
    return failures_data.arrange(found, str(results / "failures"), str(results / "truth"), DAYS, 100_000)


def detected(scores: np.ndarray, failing: np.ndarray) -> np.ndarray:
    """Of each window before a failure, whether it raises an alarm at 1 % false alarms."""
    normal = np.sort(scores[~failing])
    return scores[failing] > normal[len(normal) - 1 - int(0.01 * len(normal))]


# Twin ----------------------------------------------------------------------------------------------------------------


def test_the_same_logs_however_they_are_divided(results: Path) -> None:
    first, last = twins.parts(TWIN)[1]
    between = first + 3
    one, two = twins.tables(TWIN, first, between), twins.tables(TWIN, between, last)
    for name in MADE:
        assert len(list((results / name).glob("*.parquet"))) == 8
        written = pq.read_table(results / name / f"services-{first:06d}-{last - 1:06d}.parquet")
        assert written == pa.concat_tables([one[name], two[name]])
    other = twins.tables(TWIN._replace(seed=2), 0, 1)["logs"]
    assert other["message"] != twins.tables(TWIN, 0, 1)["logs"]["message"]


def odds_by_hand(name: str, lines: np.ndarray, fails: np.ndarray, hazard: np.ndarray) -> list[float]:
    """By matrices: what is known before a window, times what its lines say, times that it doesn't fail in it."""
    moves = np.diag([1 - up - down for up, down in zip(UP, DOWN, strict=True)])
    for level in range(LEVELS):
        if UP[level]:
            moves[level, level + 1] = UP[level]
        if DOWN[level]:
            moves[level, level - 1] = DOWN[level]
    lives_on = np.linalg.matrix_power(moves @ np.diag(1 - hazard), HORIZON).sum(axis=1)
    known, found = np.eye(LEVELS)[0], []
    for counts, failed in zip(lines, fails, strict=True):
        for level in range(LEVELS):
            for count, pattern in zip(counts, SERVICES[name], strict=True):
                rate = pattern.rate * math.exp(pattern.gain * level)
                known[level] *= rate**count * math.exp(-rate)
        after = known * (1 - hazard) / (known * (1 - hazard)).sum()
        fails_soon = 1 - after @ lives_on
        found.append(math.log(fails_soon / (1 - fails_soon)))
        known = np.eye(LEVELS)[0] if failed else after @ moves
    return found


def test_odds_are_those_of_the_tables() -> None:
    """Worked out once more, window by window and level by level."""
    for hazard in (0.7, 2.0):
        twin = twins.Twin(5, 1, 5, hazard)
        names = [name for _, name in twin.services]
        lives = twins.live(twin, [twins.generator(twin, number) for number in range(5)], names)
        assert lives.fails.any()
        found = twins.log_odds(twin, names, lives)
        for place, name in enumerate(names):
            wanted = odds_by_hand(name, lives.lines[place], lives.fails[place], twins.hazards(hazard))
            assert found[place] == pytest.approx(wanted, abs=1e-9), name


def test_odds_say_how_many_services_fail(results: Path) -> None:
    """Of windows with a failure within two hours with a probability of p, about that part have one."""
    failures = {
        (row["host"], row["service"], (row["time"] - twins.BEGIN) // twins.WINDOW - 1)
        for row in rows(results, "failures")
    }
    probable, fails = [], []
    for row in rows(results, "truth"):
        window = row["window_number"]
        if window % HORIZON or window >= DAYS * 144 - HORIZON or (row["host"], row["service"], window) in failures:
            continue
        probable.append(1 / (1 + math.exp(-row["log_odds"])))
        ahead = range(window + 1, window + 1 + HORIZON)
        fails.append(any((row["host"], row["service"], later) in failures for later in ahead))
    probable, fails = np.array(probable), np.array(fails)
    for chosen in np.array_split(np.argsort(probable), 10):
        error = math.sqrt((probable[chosen] * (1 - probable[chosen])).sum())
        assert abs(fails[chosen].sum() - probable[chosen].sum()) < 4 * error + 1


def test_without_a_hazard_nothing_foretells_a_failure() -> None:
    twin = TWIN._replace(hosts=10, hazard=0.0)
    names = [name for _, name in twin.services]
    lives = twins.live(twin, [twins.generator(twin, number) for number in range(len(names))], names)
    found = twins.log_odds(twin, names, lives)
    assert lives.fails.sum() > 100 and np.ptp(found) < 1e-9
    # As often from any strain.
    shares = [lives.fails[lives.level == level].mean() for level in (0, 1)]
    assert shares == pytest.approx([1 / 144, 1 / 144], rel=0.3)
    rates = [twins.hazards(hazard)[-1] / twins.hazards(hazard)[0] for hazard in (0.0, 1.0, 2.0)]
    assert rates == pytest.approx([1, math.e**4, math.e**8])


# What a detector sees ------------------------------------------------------------------------------------------------


def test_what_differs_from_line_to_line_is_no_part_of_a_pattern() -> None:
    lines = {
        "AMQP server on 10.3.1.24:5672 is unreachable: timed out": "AMQP server on #:# is unreachable: timed out",
        "Created volume deadbeef of 12 GB": "Created volume # of # GB",
        "Volume 0a1b2c3d is slow: 41.5 ms": "Volume # is slow: # ms",
        "Deadlock found, a bad face": "Deadlock found, a bad face",
    }
    assert windows.patterns(pa.chunked_array([list(lines)])).to_pylist() == [
        text.replace("#:#", "#") for text in lines.values()
    ]
    texts = twins.tables(TWIN, 0, 5)["logs"]["message"]
    # Of each service those of its table, and its start.
    assert len(set(windows.patterns(texts).to_pylist())) == sum(map(len, SERVICES.values())) + len(SERVICES)


def test_features_are_counts_of_what_was_logged(results: Path, data: failures_data.Data) -> None:
    """Counted once more, line by line, at a few windows."""
    host, name = data.services[int(data.test.service[5_000])]
    logs = oneoff.read_table(str(results / "logs"), MADE["logs"])
    logs = logs.filter(pc.and_(pc.equal(logs["host"], host), pc.equal(logs["service"], name)))
    lines = [
        {**row, "pattern": pattern}
        for row, pattern in zip(logs.to_pylist(), windows.patterns(logs["message"]).to_pylist(), strict=True)
    ]
    starts = [row["time"] for row in lines if row["message"].startswith("Started ")]
    columns = data.columns
    for place in np.flatnonzero(data.test.service == data.test.service[5_000])[::90].tolist():
        end = twins.BEGIN + (int(data.test.window[place]) + 1) * twins.WINDOW
        start = max(time for time in starts if time < end)
        expected = Counter()
        for row in lines:
            for span in windows.SPANS:
                if start <= row["time"] and end - span * twins.WINDOW <= row["time"] < end:
                    expected[f"{name}: {row['pattern']} ({span * 10} min)"] += 1
        expected["windows since the start"] = (end - start) // twins.WINDOW - (0 if (end - start) % twins.WINDOW else 1)
        found = dict(zip(columns, data.test.examples.numbers[place].tolist(), strict=True))
        assert {key: value for key, value in found.items() if value} == {k: v for k, v in expected.items() if v}
        trouble = [
            row
            for row in lines
            if row["severity"] != "INFO" and max(start, end - 6 * twins.WINDOW) <= row["time"] < end
        ]
        assert data.test.trouble[place] == len(trouble)


def test_parts_share_neither_host_nor_moment(results: Path, data: failures_data.Data) -> None:
    train, test = data.train, data.test
    hosts = [{data.services[number][0] for number in set(part.service.tolist())} for part in (train, test)]
    assert not hosts[0] & hosts[1] and (len(hosts[0]), len(hosts[1])) == (HOSTS * 3 // 5, HOSTS * 2 // 5)
    # What comes within two hours of a window that is learnt from is over before what is measured on begins.
    assert train.window.max() + HORIZON < test.window.min()
    failed = {}
    for row in rows(results, "failures"):
        failed.setdefault((row["host"], row["service"]), []).append(
            (row["time"] - twins.BEGIN) / timedelta(minutes=10) - 1
        )
    for place in range(0, len(test.ahead), 53):
        later = [
            when - test.window[place]
            for when in failed.get(data.services[int(test.service[place])], [])
            if when >= test.window[place]
        ]
        assert test.ahead[place] == min(later, default=-1) and test.ahead[place] != 0
        assert test.examples.abnormal[place] == (0 < test.ahead[place] <= HORIZON)


def test_a_sample_has_all_windows_of_a_service_that_is_measured_on_or_none(
    found: list[windows.Service], results: Path
) -> None:
    few = failures_data.arrange(found, str(results / "failures"), str(results / "truth"), DAYS, 9_000)
    all_of = failures_data.arrange(found, str(results / "failures"), str(results / "truth"), DAYS, 10**9)
    assert 4_000 < len(few.train.ahead) <= 9_000 and 4_000 < len(few.test.ahead) <= 9_500
    counts = Counter(all_of.test.service.tolist())
    assert all(counts[number] == of_few for number, of_few in Counter(few.test.service.tolist()).items())


# Network -------------------------------------------------------------------------------------------------------------


def test_the_classifier_comes_near_the_best_and_does_not_beat_it(results: Path, data: failures_data.Data) -> None:
    of_model = {row["model"]: row for row in rows(results, "detection")}
    failing = data.test.examples.abnormal
    best = detected(data.log_odds, failing)
    assert all(row["best"] == pytest.approx(best.mean(), abs=1e-12) for row in of_model.values())
    row = of_model["classifier"]
    assert (row["failing"], row["normal"]) == (failing.sum(), (~failing).sum())
    assert best.mean() - MARGIN < row["detected"] < best.mean() + 2 * row["detected_se"]
    assert 0.01 < row["detected_se"] < 0.1  # of failures, and not of windows, of which there are ten times as many
    assert 0.03 < of_model["counting errors"]["detected"] < row["detected"] / 2
    assert row["announced"] > row["detected"] and row["warning"] >= 30


def test_shuffled_labels_bring_detection_to_chance(data: failures_data.Data) -> None:
    train, test = data.train.examples, data.test.examples
    reached = []
    for seed in range(6):  # what a network makes of strain that it was told nothing of is by chance, too
        some = train.only(np.arange(seed, len(train.labels), 6))
        shuffled = np.random.default_rng(seed).permutation(some.labels)
        network = networks.learn_labels(networks.Examples(some.numbers, some.categories, shuffled), test, [16], 1, seed)
        scores = network.scores(test)
        reached.append((detected(scores, test.abnormal).mean(), networks.area(scores, test.abnormal)))
    means = np.mean(reached, axis=0)
    assert means[0] < 0.06 and means[1] < 0.6


def test_without_a_hazard_detection_is_chance(tmp_path: Path) -> None:
    twin = twins.Twin(3, 10, 4, 0.0)
    found = []
    for first, last in twins.parts(twin):
        for name, table in twins.tables(twin, first, last).items():
            oneoff.write_part(table, str(tmp_path / name), f"{first}")
            if name == "logs":
                found += windows.services(table, int(twins.BEGIN.timestamp()), 600, twin.windows)
    tables = [str(tmp_path / name) for name in ("failures", "truth")]
    data = failures_data.arrange(found, *tables, 4, 100_000)
    test = data.test.examples
    network = networks.learn_labels(data.train.examples, test, [16], 5, 1)
    assert test.abnormal.sum() > 100
    assert detected(network.scores(test), test.abnormal).mean() < 0.06
    assert networks.area(network.scores(test), test.abnormal) == pytest.approx(0.5, abs=0.1)
    assert not detected(data.log_odds, test.abnormal).any()


def test_tables_of_a_run_add_up(results: Path, data: failures_data.Data) -> None:
    failing = data.test.examples.abnormal
    detection = {row["model"]: row for row in rows(results, "detection")}
    failures = {
        (s, w + a)
        for s, w, a in zip(
            *(each[failing].tolist() for each in (data.test.service, data.test.window, data.test.ahead)), strict=True
        )
    }
    assert {row["failures"] for row in detection.values()} == {len(failures)}
    for model, row in detection.items():
        of_service = [each for each in rows(results, "services") if each["model"] == model]
        assert sorted(each["service"] for each in of_service) == sorted(SERVICES)
        assert sum(each["failing"] for each in of_service) == failing.sum()
        for column in ("detected", "best"):
            mean = sum(each[column] * each["failing"] for each in of_service) / failing.sum()
            assert mean == pytest.approx(row[column], abs=1e-12)
        leads = [each for each in rows(results, "leads") if each["model"] == model and each["false_alarms"] == 0.01]
        assert [each["minutes"] for each in sorted(leads, key=lambda each: each["minutes"])] == list(range(10, 130, 10))
        mean = sum(each["foretold"] * each["failures"] for each in leads) / failing.sum()
        assert mean == pytest.approx(row["detected"], abs=1e-12)
        points = sorted(
            (each["false_alarms"], each["detected"]) for each in rows(results, "roc") if each["model"] == model
        )
        assert [part for _, part in points] == sorted(part for _, part in points)
        assert dict(points)[0.01] == pytest.approx(row["detected"])
    assert {row["model"] for row in rows(results, "roc")} == {*detection, "best reachable"}
    curves = sorted(rows(results, "curves"), key=lambda row: row["epoch"])
    assert [row["epoch"] for row in curves] == list(range(1, 11))
    assert curves[-1]["training_loss"] < curves[0]["training_loss"]


def test_patterns_that_foretell_are_those_that_grow_with_strain(results: Path) -> None:
    times = {(row["service"], row["pattern"]): row["failing"] / row["normal"] for row in rows(results, "patterns")}
    for name, patterns in SERVICES.items():
        for pattern in patterns:
            text = re.sub(r"\{(ip|n|id)\}(:\d+|:#)?", "#", pattern.text.replace("{n}", "#"))
            found = times[name, text]
            assert found > 1.6 if pattern.gain > 0.3 else found < 2, (name, text)
            assert pattern.gain or found > 0.6


def test_lines_before_a_failure(results: Path) -> None:
    found = rows(results, "examples")
    assert {row["service"] for row in found} == set(SERVICES)
    failures = {(row["host"], row["service"], row["time"]) for row in rows(results, "failures")}
    logs = oneoff.read_table(str(results / "logs"), MADE["logs"])
    logs = logs.filter(pc.is_in(logs["message"], pa.array(sorted({row["message"] for row in found}))))
    logged = {(row["host"], row["service"], row["time"], row["message"]) for row in logs.to_pylist()}
    for row in found:
        assert (row["host"], row["service"], row["failed"]) in failures
        assert (row["host"], row["service"], row["time"], row["message"]) in logged
        assert timedelta(0) < row["failed"] - row["time"] <= timedelta(hours=2)
    assert any(row["alarm"] for row in found)


def test_the_file_is_all_that_is_needed_to_run_the_network(results: Path, data: failures_data.Data) -> None:
    """By ONNX Runtime alone, from a row of the table; equal seeds make equal bytes."""
    (row,) = rows(results, "networks")
    file = base64.b64decode(row["onnx"])
    assert (hashlib.sha256(file).hexdigest(), len(file)) == (row["sha256"], row["onnx_bytes"])
    assert row["licence"] == "trained on logs that were made up: no terms of a data set"
    golden, schema = json.loads(row["golden"]), json.loads(row["input_schema"])
    assert [each["columns"] for each in schema["inputs"]] == [data.columns, ["service"]]
    running = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    numbers = np.array([[math.nan if n is None else n for n in each] for each in golden["inputs"]["numbers"]])
    given = {"numbers": numbers.astype(np.float32), "categories": np.array(golden["inputs"]["categories"], object)}
    for name, values in zip(golden["outputs"], running.run(list(golden["outputs"]), given), strict=True):
        assert values == pytest.approx(np.array(golden["outputs"][name]), rel=1e-4, abs=1e-4)
    test = data.test.examples
    (scores,) = running.run(["score"], {"numbers": test.numbers, "categories": test.categories})
    alarms = (scores > row["threshold"])[test.abnormal].mean()
    (reached,) = (each["detected"] for each in rows(results, "detection") if each["model"] == "classifier")
    assert alarms == pytest.approx(reached, abs=2 / test.abnormal.sum()) and row["off"] < 1e-5
    again = networks.learn_labels(data.train.examples, test, [16], 10, 1)
    given = failures_train.networks_onnx.Inputs(data.columns, ["service"], "windows")
    assert failures_train.networks_onnx.file_row(again, test, given, row["licence"], 0)["sha256"] == row["sha256"]


# Arguments -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "given", "message"),
    [
        (logs_step, ["--hazard=6"], "argument --hazard: '6' is not a number from 0 to 5"),
        (logs_step, ["--hazard=nan"], "argument --hazard: 'nan' is not a number from 0 to 5"),
        (logs_step, ["--hosts=0"], "argument --hosts: '0' is not a whole number of at least 1"),
        (logs_step, ["--seed=-1"], "argument --seed: '-1' is not a whole number of at least 0 and less than 2^64"),
        (failures_train, ["--hidden=8,x"], "argument --hidden: 'x' is not a whole number of at least 1"),
        (failures_train, ["--epochs=0"], "argument --epochs: '0' is not a whole number of at least 1"),
    ],
)
def test_bad_arguments(
    step: ModuleType,
    given: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = made_arguments if step is logs_step else train_arguments
    with pytest.raises(SystemExit):
        step.main(arguments(tmp_path, *given))
    assert message in capsys.readouterr().err


def test_nothing_to_learn_from_is_told_in_one_line(
    spark: SparkContext, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run_step(spark, failures_train, train_arguments(tmp_path))
    assert f"nothing to learn from {tmp_path / 'logs'}: there are none; logs.py makes them" in capsys.readouterr().err
    few = twins.tables(twins.Twin(1, 5, 2, 2.0), 0, 25)
    for name, table in few.items():
        oneoff.write_part(table.slice(0, 0) if name == "failures" else table, str(tmp_path / name), "one")
    with pytest.raises(SystemExit):
        run_step(spark, failures_train, train_arguments(tmp_path, "--days=2"))
    assert "to learn from, expected windows before failures and others, found 0 and" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        run_step(spark, failures_train, train_arguments(tmp_path, "--days=1"))
    assert "expected lines of 144 windows from second" in str(ended.value)


def test_roc_of_what_is_known() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.4, 0.9, 0.8])
    failing = np.array([False, False, False, False, True, True])
    assert {row["detected"] for row in failures_measure.roc("one", scores, failing)[:-1]} == {1.0}
