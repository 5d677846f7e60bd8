"""Step train of job xo: its numbers against scikit-learn used directly, and the sweep while it runs."""

from __future__ import annotations

import math
import re
import statistics
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import generate
import numpy as np
import oneoff
import pyarrow as pa
import pytest
import train
from conftest import JOBS, run_here, run_python, submit
from sklearn.neural_network import MLPClassifier

SCRIPT = JOBS / "xo" / "train.py"
ROWS, HIDDEN, SEEDS, GRID = 5_000, (4, 30, 8, 50), 2, 20
COLUMNS = {
    "models": ["hidden", "seed", "accuracy", "accuracy_se", "seconds"],
    "surface": ["hidden", "seed", "x", "y", "predicted"],
    "optimum": ["hidden", "accuracy", "accuracy_se", "reason"],
}


def arguments(points: Path, results: Path) -> list[str]:
    tables = [f"--{name}={results / name}" for name in COLUMNS]
    return [f"--points={points}", *tables, f"--hidden={','.join(map(str, HIDDEN))}", f"--seeds={SEEDS}"]


def read(folder: Path, name: str) -> list[dict[str, Any]]:
    table = oneoff.read_table(str(folder / name), COLUMNS[name])
    assert table is not None
    return table.to_pylist()


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("points")
    for part in generate.parts(ROWS):
        generate.write(str(folder), 1, ROWS, part)
    return folder


@pytest.fixture(scope="module")
def results(points: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of a sweep on one core, which was watched while it ran."""
    folder = tmp_path_factory.mktemp("results")
    step = submit(SCRIPT, *arguments(points, folder), f"--grid={GRID}", cores=1)
    assert step.stdout
    total, seen, partial = len(HIDDEN) * SEEDS, [], False
    for line in step.stdout:
        if progress := re.fullmatch(r"\[oneoff\] models (\d+)/(\d+)\n", line):
            done = int(progress[1])
            assert int(progress[2]) == total
            files = [len(list((folder / name).glob("[!._]*.parquet"))) for name in ("models", "surface")]
            assert min(files) >= done, "a network that is reported must be in the lake"
            partial = partial or 0 < max(files) < total
            seen.append(done)
    assert step.wait() == 0
    assert seen == sorted(set(seen)) and (seen[0], seen[-1]) == (0, total)
    assert partial and len(seen) > 3, "progress must be told while networks train, not at the end only"
    return folder


def held_out_and_rest() -> tuple[tuple[np.ndarray, list[str]], tuple[np.ndarray, list[str]]]:
    rows = generate.points(1, 0, ROWS // generate.BLOCK, ROWS).to_pylist()
    parts = ([row for row in rows if row["id"] % 5 == 0], [row for row in rows if row["id"] % 5])
    held_out, rest = ((np.array([(r["x"], r["y"]) for r in p], np.float32), [r["label"] for r in p]) for p in parts)
    return held_out, rest


def train_directly(hidden: int, seed: int) -> tuple[MLPClassifier, np.ndarray, np.ndarray]:
    """The network of train.py written down once more, and what its inputs are multiplied by and moved by."""
    _, (places, labels) = held_out_and_rest()
    slope = 8 / (places.max(axis=0) - places.min(axis=0))
    shift = -4 - places.min(axis=0) * slope
    network = MLPClassifier((hidden,), activation="tanh", batch_size=250, random_state=seed, warm_start=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for rate, epochs in ((0.2, 38), (0.05, 12), (0.0125, 12), (0.003, 12)):  # 4,000 points are 16 batches
            network.set_params(learning_rate_init=rate, max_iter=epochs, n_iter_no_change=epochs)
            network.fit(places * slope + shift, labels)
    return network, slope, shift


@pytest.mark.parametrize(("hidden", "seed"), [(4, 0), (30, 1)])
def test_accuracy_and_surface_are_those_of_scikit_learn(results: Path, hidden: int, seed: int) -> None:
    (places, labels), _ = held_out_and_rest()
    network, slope, shift = train_directly(hidden, seed)
    correct = network.predict(places * slope + shift) == np.array(labels)
    accuracy = statistics.fmean(correct.tolist())
    error = statistics.pstdev(map(float, correct)) / math.sqrt(len(correct))
    (row,) = (row for row in read(results, "models") if (row["hidden"], row["seed"]) == (hidden, seed))
    assert row["accuracy"] == pytest.approx(accuracy, abs=1e-12)
    assert row["accuracy_se"] == pytest.approx(error, abs=1e-9)
    assert row["seconds"] > 0

    surface = [row for row in read(results, "surface") if (row["hidden"], row["seed"]) == (hidden, seed)]
    lattice = np.array([(row["x"], row["y"]) for row in surface], np.float32)
    expected = network.predict(lattice * slope + shift).tolist()
    assert [row["predicted"] for row in surface] == expected


def test_every_network_has_a_row_and_a_lattice(results: Path) -> None:
    networks = {(hidden, seed) for hidden in HIDDEN for seed in range(SEEDS)}
    models = [(row["hidden"], row["seed"]) for row in read(results, "models")]
    assert len(models) == len(networks) and set(models) == networks
    surface = read(results, "surface")
    cells = {(row["hidden"], row["seed"], row["x"], row["y"]) for row in surface}
    assert len(surface) == len(cells) == len(networks) * GRID**2
    x, y = (sorted({row[axis] for row in surface}) for axis in "xy")
    assert x == pytest.approx([-2 + 4 * (n + 0.5) / GRID for n in range(GRID)], abs=1e-4)
    assert y == pytest.approx([-1 + 2 * (n + 0.5) / GRID for n in range(GRID)], abs=1e-4)


def test_large_networks_draw_the_letters_and_small_ones_cannot(results: Path) -> None:
    agree: dict[int, list[bool]] = {}
    for row in read(results, "surface"):
        truth = str(generate.letters(np.array(row["x"]), np.array(row["y"])))
        agree.setdefault(row["hidden"], []).append(row["predicted"] == truth)
    share = {hidden: statistics.fmean(several) for hidden, several in agree.items()}
    assert share[50] > 0.95 and share[4] < 0.85
    means = {h: statistics.fmean(r["accuracy"] for r in read(results, "models") if r["hidden"] == h) for h in HIDDEN}
    ordered = [means[hidden] for hidden in sorted(HIDDEN)]
    assert ordered[0] + 0.1 < ordered[2] and all(b > a - 0.01 for a, b in pairwise(ordered))


def test_optimum_is_the_smallest_within_one_standard_error(results: Path) -> None:
    held_out = ROWS // 5
    accuracy: dict[int, list[float]] = {}
    for row in read(results, "models"):
        accuracy.setdefault(row["hidden"], []).append(row["accuracy"])
    mean = {hidden: statistics.fmean(several) for hidden, several in accuracy.items()}
    best = max(mean.values())
    bar = best - math.sqrt(best * (1 - best) / held_out)
    chosen = min(hidden for hidden in mean if mean[hidden] >= bar)
    (optimum,) = read(results, "optimum")
    assert optimum["hidden"] == chosen
    assert optimum["accuracy"] == pytest.approx(mean[chosen], abs=1e-12)
    assert optimum["accuracy_se"] == pytest.approx(math.sqrt(mean[chosen] * (1 - mean[chosen]) / held_out), abs=1e-12)
    assert f"{chosen} neurons" in optimum["reason"] and f"{mean[chosen]:.4f}" in optimum["reason"]


def test_four_cores_give_the_same_results(points: Path, results: Path, tmp_path: Path) -> None:
    step = submit(SCRIPT, *arguments(points, tmp_path), f"--grid={GRID}", cores=4)
    step.communicate()
    assert step.returncode == 0
    for name, columns in COLUMNS.items():
        result = [column for column in columns if column != "seconds"]
        assert oneoff.digest(str(tmp_path / name), result) == oneoff.digest(str(results / name), result)


def models(**accuracies: float) -> list[train.Model]:
    """`h10_0=0.9` is the network of 10 neurons with seed 0 and an accuracy of 0.9."""
    pairs = [(*map(int, name[1:].split("_")), accuracy) for name, accuracy in accuracies.items()]
    return [train.Model(hidden, seed, accuracy, 0.0, 1.0) for hidden, seed, accuracy in pairs]


@pytest.mark.parametrize(
    ("given", "hidden", "reason"),
    [
        # The best has a standard error of sqrt(0.9 * 0.1 / 900) = 0.01.
        (
            models(h5_0=0.8, h10_0=0.8901, h20_0=0.9),
            10,
            "10 neurons have an accuracy of 0.8901 on 900 held-out points: it is the smallest size within one standard "
            "error, 0.0100, of the best accuracy, 0.9000 with 20 neurons.",
        ),
        (
            models(h5_0=0.8, h10_0=0.8899, h20_0=0.9),
            20,
            "20 neurons have an accuracy of 0.9000 on 900 held-out points: no other size has a higher one and no "
            "smaller size comes within its standard error of 0.0100.",
        ),
        (
            models(h20_0=0.93, h20_1=0.87, h5_0=0.88, h5_1=0.91),
            5,
            "5 neurons have an accuracy of 0.8950, the mean of 2 networks, on 900 held-out points: it is the smallest "
            "size within one standard error, 0.0100, of the best accuracy, 0.9000 with 20 neurons.",
        ),
        (models(h20_0=1.0, h5_0=0.99), 20, "20 neurons have an accuracy of 1.0000"),
    ],
)
def test_one_standard_error_rule(given: list[train.Model], hidden: int, reason: str) -> None:
    optimum = train.find_optimum(given, points=900)
    assert optimum.hidden == hidden
    assert optimum.reason.startswith(reason)


def refusal(*given: str) -> str:
    refused = run_here(SCRIPT, *given)
    assert refused.returncode == 2
    message = re.fullmatch(r"train\.py: error: (.+)\n", refused.stderr)
    assert message, refused.stderr
    return message[1]


TABLES = ["--models=m", "--surface=s", "--optimum=o"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--hidden=5"], "the following arguments are required: --points"),
        (["--points=p", "--hidden=5,x"], "argument --hidden: 'x' is not a whole number of at least 1"),
        (["--points=p", "--hidden="], "argument --hidden: '' is not a whole number of at least 1"),
        (["--points=p", "--hidden=5,0"], "argument --hidden: '0' is not a whole number of at least 1"),
        (["--points=p", "--hidden=5,9,5"], "argument --hidden: '5,9,5' has a size twice"),
        (["--points=p", "--hidden=5", "--seeds=0"], "argument --seeds: '0' is not a whole number of at least 1"),
        (["--points=p", "--hidden=5", "--grid=-1"], "argument --grid: '-1' is not a whole number of at least 1"),
    ],
)
def test_bad_arguments(given: list[str], message: str) -> None:
    assert refusal(*TABLES, *given) == message


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "there are none; generate.py makes them"),
        ({"part": generate.points(1, 0, 1, 1).slice(0, 0)}, "there are none; generate.py makes them"),
        ({"part": pa.table({"id": [1]})}, "has no column 'x'"),
        ({"part": generate.points(1, 0, 1, 1)}, "1 are too few to learn from"),
        ({"a": generate.points(1, 0, 1, 9), "b": generate.points(2, 0, 1, 9)}, "some ids stand twice"),
    ],
)
def test_points_that_are_no_use(tmp_path: Path, files: dict[str, pa.Table], message: str) -> None:
    folder = tmp_path / "points"
    for name, table in files.items():
        oneoff.write_part(table, str(folder), name)
    refused = refusal(*TABLES, f"--points={folder}", "--hidden=5")
    assert refused.startswith(f"no points to be had from {folder}: ") and message in refused


def test_points_that_are_no_parquet(tmp_path: Path) -> None:
    (tmp_path / "part.parquet").write_text("no Parquet")
    assert "no points to be had" in refusal(*TABLES, f"--points={tmp_path}", "--hidden=5")


def test_a_place_that_cannot_be_written_is_told_in_one_line(points: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    step = submit(SCRIPT, *arguments(points, tmp_path / "file"), "--hidden=4", cores=1)
    output, _ = step.communicate()
    assert step.returncode == 1
    assert (
        output.splitlines()[-1]
        == f"train.py: error: models: NotADirectoryError: [Errno 20] Not a directory: '{tmp_path}/file/surface'"
    )


def test_help() -> None:
    assert "--hidden" in run_python(SCRIPT, "--help").stdout
