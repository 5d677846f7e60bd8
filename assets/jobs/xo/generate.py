"""Step 1 of job xo: points of the plane, labelled with the letter they lie on.

The points are uniform on [-2, 2] x [-1, 1]. On the left is a thick X, on the right a ring O, the rest is background,
B. The letter is read off at a place up to JITTER beside the recorded one, so near the edges labels are wrong at times,
about 3 % of all: no classifier reaches an accuracy of 1.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

try:
    import oneoff
except ImportError:  # not submitted with --py-files: it lies one folder up
    sys.path.append(str(Path(__file__).resolve().parents[1]))
    import oneoff

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

BLOCK = 1_000  # points drawn by one generator
BLOCKS_PER_PART = 1_000  # keeps a task below 100 MB
LEAST_PARTS = 8  # so that few points are spread over the cores too
JITTER = 0.03

REACH = 0.8  # of the X and the O from their centres, (-1, 0) and (1, 0)
HALF_STROKE = 0.2  # of the X
HOLE = 0.36  # radius, of the O


def letters(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The letter at each place: "X", "O" or "B"."""
    import numpy as np

    right, radius2 = x + 1, (x - 1) ** 2 + y**2
    box = np.maximum(np.abs(right), np.abs(y)) <= REACH
    stroke = np.minimum(np.abs(right - y), np.abs(right + y)) <= HALF_STROKE * 2**0.5
    ring = (radius2 >= HOLE**2) & (radius2 <= REACH**2)
    return np.where(box & stroke, "X", np.where(ring, "O", "B"))


def block(seed: int, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and label of the points `number * BLOCK` and up, which depend on nothing but `seed` and `number`."""
    import numpy as np

    random = np.random.Generator(np.random.Philox(key=np.array([seed, number], np.uint64)))
    x, y = random.uniform([[-2], [-1]], [[2], [1]], (2, BLOCK))
    aside, up = random.uniform(-JITTER, JITTER, (2, BLOCK))
    return x, y, letters(x + aside, y + up)


def points(seed: int, first: int, last: int, rows: int) -> pa.Table:
    """The points of blocks `first` to `last - 1`, without those past the first `rows` of all blocks."""
    import numpy as np
    import pyarrow as pa

    x, y, label = (np.concatenate(parts) for parts in zip(*(block(seed, n) for n in range(first, last)), strict=True))
    ids = np.arange(first * BLOCK, last * BLOCK)
    table = pa.table({"id": ids, "x": x, "y": y, "label": pa.array(label, pa.string())})
    return table.slice(0, rows - first * BLOCK)


def parts(rows: int) -> list[tuple[int, int]]:
    """First and last block of each part file.

    They depend on nothing but `rows`: tried again on a cluster of another size, a task writes the same files again.
    """
    blocks = -(-rows // BLOCK)
    number = min(blocks, max(LEAST_PARTS, -(-blocks // BLOCKS_PER_PART)))
    return [(blocks * n // number, blocks * (n + 1) // number) for n in range(number)]


def write(folder: str, seed: int, rows: int, part: tuple[int, int]) -> None:
    """Writes one part file."""
    first, last = part
    oneoff.write_part(points(seed, first, last, rows), folder, f"blocks-{first:09d}-{last - 1:09d}")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = oneoff.ArgumentParser(description="Generate points labelled X, O or B (background).")
    parser.add_argument("--points", required=True, metavar="FOLDER", help="where the part files go; empty or new")
    parser.add_argument("--rows", type=oneoff.count, default=20_000, help="number of points (default: %(default)s)")
    parser.add_argument(
        "--seed", type=oneoff.seed, default=1, help="equal seeds make equal points (default: %(default)s)"
    )
    options = parser.parse_args(arguments)

    from pyspark import SparkContext

    def task(part: tuple[int, int]) -> None:
        write(options.points, options.seed, options.rows, part)

    tasks = parts(options.rows)
    with SparkContext(appName="xo: generate", pyFiles=[oneoff.__file__]) as spark:
        oneoff.collect(spark.parallelize(tasks, len(tasks)).map(task), "parts")


if __name__ == "__main__":
    main()
