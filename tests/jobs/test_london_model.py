"""Step model of job london-power: cells against households one by one, and what is held out."""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import london_sample as sample
import numpy as np
import oneoff
import pytest
from conftest import run_python, submit
from pyspark.sql import SparkSession

import model  # isort: skip - london_sample says where it is

SCRIPT = sample.FOLDER / "model.py"
COLUMNS = ["model", "library", "mse", "rmse", "r2", "baseline_mse", "seconds"]
ROWS = sample.readings()
NAMES = ["decision tree", "gradient-boosted trees", "linear regression", "random forest"]

# Acorn group, tariff, half hour, month and weekend; and of those a household's mean consumption.
Profiles = dict[tuple[str, tuple[str, str, int, int, int]], float]


def profiles(rows: list[dict[str, Any]]) -> Profiles:
    several = defaultdict(list)
    for household, tariff, group, local, wh in sample.counted(rows):
        half_hour = local.hour * 2 + local.minute // 30
        features = group, tariff, half_hour, local.month, int(local.isoweekday() > 5)
        several[household, features].append(wh / 1000)
    return {key: sum(kwh) / len(kwh) for key, kwh in several.items()}


def held_out() -> set[str]:
    """A fifth of the households: those whose names have the smallest checksums."""
    households = sorted({row["household"] for row in ROWS}, key=lambda name: zlib.crc32(name.encode()))
    return set(households[: len(households) // 5])


def tried_on(rows: list[dict[str, Any]], *, seen: bool) -> Profiles:
    return {key: kwh for key, kwh in profiles(rows).items() if (key[0] not in held_out()) == seen}


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkSession]:
    with sample.spark() as session:
        yield session


@pytest.fixture(scope="module")
def readings(tmp_path_factory: pytest.TempPathFactory) -> str:
    return sample.write(tmp_path_factory.mktemp("readings"), ROWS)


Split = tuple[list[dict[str, Any]], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def split(spark: SparkSession, readings: str) -> Split:
    return model.split(spark, readings)


def arguments(readings: str, models: Path) -> list[str]:
    return [f"--readings={readings}", f"--models={models}", "--seed=3", "--trees=3"]


def check_progress(output: str) -> None:
    told = re.findall(r"^\[oneoff\] models (\d)/8", output, re.MULTILINE)
    assert [int(done) for done in told] == list(range(9))


@pytest.fixture(scope="module")
def results(spark: SparkSession, readings: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of two cores."""
    folder = tmp_path_factory.mktemp("models")
    check_progress(sample.run_here(spark, model.main, arguments(readings, folder)))
    return folder


def rows_of(folder: Path) -> dict[tuple[str, str], dict[str, float]]:
    table = oneoff.read_table(str(folder), COLUMNS)
    assert table is not None
    return {(row.pop("model"), row.pop("library")): row for row in table.to_pylist()}


def test_cells_are_the_households_that_are_alike(split: Split) -> None:
    for cells, seen in zip(split, (True, False), strict=True):
        expected = defaultdict(list)
        for (_, features), kwh in tried_on(ROWS, seen=seen).items():
            expected[features].append(kwh)
        found = {tuple(cell[feature] for feature in model.FEATURES): cell for cell in cells}
        assert len(cells) == len(found) and found.keys() == expected.keys()
        for features, cell in found.items():
            several = expected[features]
            assert cell["households"] == len(several)
            # Each is rounded to a tenth of a watt-hour.
            assert cell["sum"] == pytest.approx(10_000 * sum(several), abs=0.5001 * len(several))
            assert cell["squares"] == pytest.approx(1e8 * sum(kwh**2 for kwh in several), rel=0.005)


def test_errors_on_cells_are_those_on_households(split: Split) -> None:
    _, test = model.encode(*split)
    half_hours, months = test.codes[:, 2], test.codes[:, 3]
    guess = 0.2 + half_hours / 100 + months / 1000  # as good as any
    households = tried_on(ROWS, seen=False)
    errors = [
        (0.2 + half_hour / 100 + month / 1000 - kwh) ** 2
        for (_, (_, _, half_hour, month, _)), kwh in households.items()
    ]
    assert test.mse(guess) == pytest.approx(np.mean(errors), rel=1e-4)
    measured = model.measure(test, test, (guess, 1.0))
    kwh = np.array(list(households.values()))
    assert measured["baseline_mse"] == pytest.approx(kwh.var(), rel=1e-4)
    assert measured["r2"] == pytest.approx(1 - np.mean(errors) / kwh.var(), rel=1e-3)
    assert measured["rmse"] == measured["mse"] ** 0.5


def test_linear_regression_is_that_on_households(results: Path) -> None:
    """Solved once more, by least squares on every household by itself."""
    seen, unseen = (tried_on(ROWS, seen=seen) for seen in (True, False))
    values = [sorted({key[1][n] for key in seen}) for n in range(5)]

    def inputs(households: Profiles) -> np.ndarray:
        ones = [[features[n] == value for n in range(5) for value in values[n][1:]] for _, features in households]
        return np.column_stack([np.ones(len(ones)), np.array(ones, float)])

    def kwh(households: Profiles) -> np.ndarray:
        return np.array(list(households.values()))

    weights, *_ = np.linalg.lstsq(inputs(seen), kwh(seen), rcond=None)
    mse = np.mean((inputs(unseen) @ weights - kwh(unseen)) ** 2)
    for library in ("MLlib", "scikit-learn"):
        row = rows_of(results)[model.LINEAR, library]
        assert row["mse"] == pytest.approx(mse, rel=1e-3)
        assert row["baseline_mse"] == pytest.approx(np.mean((kwh(seen).mean() - kwh(unseen)) ** 2), rel=1e-3)


def test_every_model_is_better_than_the_mean(results: Path) -> None:
    rows = rows_of(results)
    assert sorted(rows) == [(name, library) for name in NAMES for library in ("MLlib", "scikit-learn")]
    for (name, _), row in rows.items():
        assert row["mse"] < 0.75 * row["baseline_mse"], name
        assert row["seconds"] > 0
    # The ensembles draw at random, and of boosted trees MLlib counts the first whole.
    for name in ("decision tree", "linear regression"):
        assert rows[name, "MLlib"]["mse"] == pytest.approx(rows[name, "scikit-learn"]["mse"], rel=0.1)


def test_one_core_gives_the_same_models(readings: str, results: Path, tmp_path: Path) -> None:
    """And the step can be submitted."""
    step = submit(SCRIPT, *arguments(readings, tmp_path), cores=1)
    output, _ = step.communicate()
    assert step.returncode == 0, output
    check_progress(output)
    result = COLUMNS[:-1]
    assert oneoff.digest(str(tmp_path), result) == oneoff.digest(str(results), result)


def test_nothing_is_learnt_from_households_that_are_held_out(spark: SparkSession, split: Split, tmp_path: Path) -> None:
    assert len(held_out()) == 3
    changed = [{**row, "kwh": 5.0} if row["household"] in held_out() else row for row in ROWS]
    train, test = model.split(spark, sample.write(tmp_path, changed))
    assert train == split[0]
    assert {cell["sum"] / cell["households"] for cell in test} == {50_000}


def test_values_that_were_never_learnt_from_can_be_tried(split: Split) -> None:
    train = [cell for cell in split[0] if cell["acorn_group"] != "Affluent"]
    learnt, tried = model.encode(train, split[1])
    assert set(learnt.codes[:, 0]) == {0, 1, 2}  # in the order of what the groups use
    affluent = [cell["acorn_group"] == "Affluent" for cell in split[1]]
    assert set(tried.codes[affluent, 0]) == {3}
    assert learnt.dummies.shape[1] == tried.dummies.shape[1] == 2 + 1 + 47 + 3 + 1


@pytest.mark.parametrize(("households", "message"), [(0, "there are none"), (1, "of one household nothing is learnt")])
def test_too_few_households(spark: SparkSession, tmp_path: Path, households: int, message: str) -> None:
    rows = [sample.reading(household, datetime(2012, 1, 1), 0.1) for household in range(households)]
    with pytest.raises(ValueError, match=message):
        model.split(spark, sample.write(tmp_path, rows))


def test_bad_arguments() -> None:
    refused = run_python(SCRIPT, "--readings=r", "--models=m", "--seed=0")
    assert (refused.returncode, refused.stderr) == (
        2,
        "model.py: error: argument --seed: '0' is not a whole number of at least 1\n",
    )
    assert "--trees" in run_python(SCRIPT, "--help").stdout
