"""Compares step train of job nids with scikit-learn by hand, by the CPU time of all their processes. Prints JSON.

By hand is what somebody writes who wants the same three networks of the same flows, prepared by scikit-learn's own
transformers, one after another in one process: no Spark, no curves, no ONNX file that is held against them.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import sweep
from sweep import JOBS, MASTER, measure, venv

NIDS = JOBS / "nids"
sys.path[:0] = [str(NIDS)]

import networks  # noqa: E402 - found through the line above
import nids_layouts  # noqa: E402
import nids_train  # noqa: E402
import nids_twin as twins  # noqa: E402
import oneoff  # noqa: E402

FLOWS, EPOCHS = 50_000, 15


def by_hand(folder: str) -> dict[str, float]:
    """Trains the three networks; part of the attacks that each detects at 1 % false alarms."""
    import numpy as np
    import pyarrow.parquet as pq
    from sklearn.compose import make_column_transformer
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    flows = pq.read_table(folder).to_pandas()
    numbers = [name for name in nids_layouts.NUMBERS if flows[name].notna().any()]
    train, test = flows[flows["part"] == "train"], flows[flows["part"] == "held out"]
    scaled = make_pipeline(FunctionTransformer(np.log1p, validate=False), StandardScaler())
    prepare = make_column_transformer(
        (scaled, numbers),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), list(nids_layouts.CATEGORIES)),
    )
    inputs, held_out = prepare.fit_transform(train).astype("float32"), prepare.transform(test).astype("float32")
    known = {"max_iter": EPOCHS, "n_iter_no_change": EPOCHS, "tol": 0.0, "random_state": 1, "batch_size": 200}
    classifier = MLPClassifier((64, 32), **known).fit(inputs, train["family"])
    normal = inputs[train["family"] == "Normal"]
    autoencoder = MLPRegressor(hidden_layer_sizes=(24, 8, 24), **known).fit(normal, normal)
    errors = [((autoencoder.predict(each) - each) ** 2).mean(axis=1) for each in (inputs, held_out)]
    imitation = MLPRegressor(hidden_layer_sizes=(64, 32), **known).fit(inputs, np.log(errors[0] + 1e-6))
    normally = list(classifier.classes_).index("Normal")
    scores = {
        "classifier": 1 - classifier.predict_proba(held_out)[:, normally],
        "autoencoder": errors[1],
        "imitation": imitation.predict(held_out),
    }
    attacks = (test["family"] != "Normal").to_numpy()
    return {name: float((each[attacks] > networks.threshold(each[~attacks])).mean()) for name, each in scores.items()}


def compare(folder: Path) -> dict[str, object]:
    """Figures of both."""
    twin = twins.Twin(1, FLOWS, 0.3)
    for first, last in twins.parts(FLOWS):
        for table, name in zip(twins.tables(twin, first, last), ("flows", "truth"), strict=True):
            oneoff.write_part(table, str(folder / name), f"{first}")
    start, _ = measure([sys.executable, sweep.__file__, "session"])
    hand, output = measure([sys.executable, __file__, "by-hand", str(folder / "flows")])
    tables = [f"--{table}={folder / table}" for table in ("flows", "truth", *nids_train.COLUMNS)]
    modules = ["--py-files", ",".join(map(str, [JOBS / "oneoff.py", JOBS / "networks.py", JOBS / "networks_onnx.py"]))]
    step = [*modules, NIDS / "nids_train.py", *tables, f"--epochs={EPOCHS}"]
    ours, _ = measure([venv("spark-submit"), "--master", MASTER, *step])
    rows = oneoff.read_table(str(folder / "detection"), ["model", "detected"]).to_pylist()
    return {
        "start": start,
        "by_hand": hand,
        "ours": ours,
        "detected_by_hand": json.loads(output.splitlines()[-1]),
        "detected": {row["model"]: row["detected"] for row in rows},
    }


def main() -> None:
    """The command line."""
    if sys.argv[1:2] == ["by-hand"]:
        os.environ.update(networks.ENVIRONMENT)
        print(json.dumps(by_hand(sys.argv[2])))
        return
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(compare(Path(folder)), indent=2))


if __name__ == "__main__":
    main()
