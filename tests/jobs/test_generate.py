"""Step generate of job xo: the picture, the noise, and the same points whatever the cluster."""

from __future__ import annotations

import math
import re
from pathlib import Path

import generate
import numpy as np
import oneoff
import pyarrow as pa
import pytest
from conftest import JOBS, run_here, run_python, submit

SCRIPT = JOBS / "xo" / "generate.py"
COLUMNS = ["id", "x", "y", "label"]

# The X by its corners, from the length of its arms and the width of its strokes.
A, N = 0.8, 0.2 * math.sqrt(2)
CORNERS = [(A, A), (A - N, A), (0, N), (N - A, A), (-A, A), (-A, A - N), (-N, 0), (-A, N - A)]
X_SHAPE = [(x - 1, y) for x, y in [*CORNERS, *((-x, -y) for x, y in CORNERS)]]
EDGES = list(zip(X_SHAPE, [*X_SHAPE[1:], X_SHAPE[0]], strict=True))
RADII = (0.36, 0.8)


def in_x(x: float, y: float) -> bool:
    """Even-odd rule: how many edges of the polygon a ray to the right crosses."""
    crossed = [(ay > y) != (by > y) and x < ax + (y - ay) / (by - ay) * (bx - ax) for (ax, ay), (bx, by) in EDGES]
    return sum(crossed) % 2 == 1


def letter(x: float, y: float) -> str:
    if in_x(x, y):
        return "X"
    return "O" if RADII[0] <= math.dist((x, y), (1, 0)) <= RADII[1] else "B"


def distance_to_edge(x: float, y: float) -> float:
    def to_segment(a: tuple[float, float], b: tuple[float, float]) -> float:
        along = ((x - a[0]) * (b[0] - a[0]) + (y - a[1]) * (b[1] - a[1])) / math.dist(a, b) ** 2
        along = min(1, max(0, along))
        return math.dist((x, y), (a[0] + along * (b[0] - a[0]), a[1] + along * (b[1] - a[1])))

    ring = [abs(math.dist((x, y), (1, 0)) - radius) for radius in RADII]
    return min(*ring, *(to_segment(a, b) for a, b in EDGES))


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return generate.points(seed=1, first=0, last=20, rows=20_000)


def test_letters_agree_with_another_calculation() -> None:
    places = np.random.default_rng(3).uniform([-2, -1], [2, 1], (3_000, 2))
    assert generate.letters(*places.T).tolist() == [letter(x, y) for x, y in places.tolist()]
    assert generate.letters(*(places + 0.1).T).tolist() != [letter(x, y) for x, y in places.tolist()]


def test_labels_are_wrong_near_the_edges_only(table: pa.Table) -> None:
    reach = generate.JITTER * math.sqrt(2)
    rows = table.to_pylist()
    wrong = [row for row in rows if letter(row["x"], row["y"]) != row["label"]]
    assert 0.02 < len(wrong) / len(rows) < 0.05
    assert all(distance_to_edge(row["x"], row["y"]) <= reach for row in wrong)
    near = sum(distance_to_edge(row["x"], row["y"]) <= reach for row in rows[:2_000])
    assert near < 800, "most points must be far from an edge, or the line above says nothing"


def test_points_fill_the_plane_evenly(table: pa.Table) -> None:
    assert table["id"].to_pylist() == list(range(20_000))
    x, y = table["x"].to_numpy(), table["y"].to_numpy()
    cells, _, _ = np.histogram2d(x, y, bins=(8, 4), range=((-2, 2), (-1, 1)))
    assert cells.sum() == 20_000
    assert ((cells - 625) ** 2 / 625).sum() < 61.1, "chi-squared, 31 degrees of freedom: 0.1 %"
    areas = {"X": 2 * 1.6 * 2 * N - (2 * N) ** 2 / 2 - 2 * N**2, "O": math.pi * (0.8**2 - 0.36**2)}
    for name, area in areas.items():
        share = np.mean(np.array(table["label"].to_pylist()) == name)
        assert share == pytest.approx(area / 8, abs=0.01)


def test_equal_seeds_make_equal_points_and_others_do_not(table: pa.Table) -> None:
    assert generate.points(1, 0, 20, 20_000) == table
    assert generate.points(2, 0, 20, 20_000) != table
    assert generate.points(2**64 - 1, 0, 1, 10).num_rows == 10


def test_points_do_not_depend_on_the_parts_nor_on_how_many_there_are(table: pa.Table) -> None:
    for rows in (1, 999, 1_000, 2_500, 20_000):
        parts = [generate.points(1, first, last, rows) for first, last in generate.parts(rows)]
        assert pa.concat_tables(parts).combine_chunks() == table.slice(0, rows).combine_chunks()


def test_parts_are_bounded_whatever_the_rows() -> None:
    for rows in (1, 8_000, 20_000, 3_000_001, 10**9):
        parts = generate.parts(rows)
        assert [first for first, _ in parts] == [0, *(last for _, last in parts[:-1])]
        assert parts[-1][1] == math.ceil(rows / generate.BLOCK)
        assert min(last - first for first, last in parts) >= 1
        assert max(last - first for first, last in parts) <= generate.BLOCKS_PER_PART
    assert len(generate.parts(20_000)) == 8


def test_a_step_on_four_cores_writes_the_points_that_one_makes(tmp_path: Path, table: pa.Table) -> None:
    step = submit(SCRIPT, "--points", str(tmp_path / "4"), "--rows=20000", "--seed=1", cores=4)
    output = step.communicate()[0].splitlines()
    assert step.returncode == 0
    lines = [re.fullmatch(r"\[oneoff\] parts (\d+)/8", line) for line in output]
    done = [int(line[1]) for line in lines if line]
    assert len(done) == len(output) and done == sorted(set(done))
    assert (done[0], done[-1]) == (0, 8)
    assert len(list((tmp_path / "4").iterdir())) == 8

    oneoff.write_part(table, str(tmp_path / "here"), "all")
    digests = {oneoff.digest(str(tmp_path / folder), COLUMNS) for folder in ("4", "here")}
    # The same on every machine: a change of this means that old runs can't be compared with new ones.
    assert digests == {(20_000, "cbb35a64ef48a28eee943c08204451e5")}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: --points"),
        (["--points", "p", "--rows", "0"], "argument --rows: '0' is not a whole number of at least 1"),
        (["--points", "p", "--rows", "1e3"], "argument --rows: '1e3' is not a whole number of at least 1"),
        (["--points", "p", "--seed", "-1"], "argument --seed: '-1' is not a whole number of at least 0"),
        (["--points", "p", "--seed", str(2**64)], f"argument --seed: '{2**64}' is not a whole number"),
        (["--points", "p", "--colour", "red"], "unrecognized arguments: --colour red"),
    ],
)
def test_bad_arguments(arguments: list[str], message: str) -> None:
    refused = run_here(SCRIPT, *arguments)
    assert refused.returncode == 2
    assert re.fullmatch(rf"generate\.py: error: {re.escape(message)}.*\n", refused.stderr)


def test_help() -> None:
    assert "--points" in run_python(SCRIPT, "--help").stdout
