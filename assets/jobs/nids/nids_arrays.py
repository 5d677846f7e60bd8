"""What a network takes of flows: numbers, NaN where there is none, and words. Training and scoring share it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nids_layouts import CATEGORIES

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


def arrays(table: pa.Table, columns: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Of rows of `flows`: the numbers in these columns (flows x columns), and the words (flows x CATEGORIES)."""
    import numpy as np

    numbers = [table[name].to_numpy() for name in columns]  # of what is null it makes NaN
    words = [np.array(table[name].to_pylist(), dtype=object) for name in CATEGORIES]
    stacked = np.column_stack(numbers) if columns else np.empty((table.num_rows, 0))
    with np.errstate(over="ignore"):  # what is too large for float32 is infinite, and farther than REACH either way
        return stacked.astype(np.float32), np.column_stack(words)
