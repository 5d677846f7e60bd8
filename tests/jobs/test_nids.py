"""Job nids: the twin and what can be reached on it, the networks beside that, and their ONNX files."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import nids_support as support
import numpy as np
import oneoff
import onnx
import onnxruntime
import pyarrow as pa
import pytest
from conftest import run_step, spark_here
from nids_support import KDD, flows_arguments, line, rows, train_arguments, write_file
from pyspark import SparkContext
from scipy import stats

import nids_data  # isort: skip - nids_support says where it is
import networks  # isort: skip
import networks_onnx  # isort: skip
import nids_train  # isort: skip
import nids_twin as twins  # isort: skip
from nids_layouts import CATEGORIES, COLUMNS, NORMAL, NUMBERS  # isort: skip

FLOWS, OVERLAP = 15_000, 0.3
TWIN = twins.Twin(1, FLOWS, OVERLAP)
# The classifier comes so near to the best that can be reached, of attacks detected at 1 % false alarms.
MARGIN = 0.08
flows_step = support.load_flows()


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkContext]:
    with spark_here(*support.FOLDER.glob("nids_*.py")) as context:
        yield context


@pytest.fixture(scope="module")
def results(spark: SparkContext, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of a run, which told what it reached."""
    folder = tmp_path_factory.mktemp("nids")
    run_step(spark, flows_step, flows_arguments(folder, f"--number={FLOWS}", f"--overlap={OVERLAP}"))
    told = run_step(spark, nids_train, train_arguments(folder))
    assert re.findall(r"^\[oneoff\] tasks (\d)/2", told, re.MULTILINE)[-1] == "2"
    reached = re.findall(r"^(\w+): detects [\d.]+% of \d+ attacks at 1 % false alarms, of [\d.]+%", told, re.MULTILINE)
    assert reached == ["classifier", "autoencoder", "imitation"]
    return folder


@pytest.fixture(scope="module")
def data(results: Path) -> nids_data.Data:
    return nids_data.load(str(results / "flows"), str(results / "truth"), FLOWS)


def drawn(twin: twins.Twin, blocks: int) -> tuple[np.ndarray, np.ndarray]:
    """Families and log ratios."""
    both = [twins.draw(twin, twins.generator(twin, number)) for number in range(blocks)]
    ratios = [twins.log_ratio(twins.log_likelihoods(twin, block)) for block in both]
    return np.concatenate([block.family for block in both]), np.concatenate(ratios)


def detected(scores: np.ndarray, attacks: np.ndarray) -> np.ndarray:
    """Of each attack, whether it is detected at 1 % false alarms."""
    normal = np.sort(scores[~attacks])
    return scores[attacks] > normal[len(normal) - 1 - int(0.01 * len(normal))]


# Twin ----------------------------------------------------------------------------------------------------------------


def test_the_same_flows_however_they_are_divided(results: Path, tmp_path: Path) -> None:
    for tables, name in zip(twins.tables(TWIN, 0, FLOWS // twins.BLOCK), ("flows", "truth"), strict=True):
        oneoff.write_part(tables, str(tmp_path / name), "one")
        columns = tables.schema.names
        assert oneoff.digest(str(tmp_path / name), columns) == oneoff.digest(str(results / name), columns)
        assert len(list((results / name).glob("*.parquet"))) == 8
    other, _ = twins.tables(TWIN._replace(seed=2), 0, 1)
    assert other["dur"] != twins.tables(TWIN, 0, 1)[0]["dur"]
    assert twins.tables(TWIN._replace(flows=1_234), 1, 2)[0].num_rows == 234


def test_columns_and_parts(results: Path) -> None:
    found = rows(results, "flows")
    assert set(found[0]) == set(COLUMNS) and sorted(row["flow"] for row in found) == list(range(FLOWS))
    parts = {part: [row for row in found if row["part"] == part] for part in ("train", "held out", "left out")}
    train, test = parts["train"], parts["held out"]
    assert sum(map(len, parts.values())) == FLOWS
    assert not {row["srcip"] for row in train} & {row["srcip"] for row in test}
    assert max(row["time"] for row in train) < min(row["time"] for row in test)
    assert len(train) / FLOWS == pytest.approx(0.36, abs=0.02) and len(test) / FLOWS == pytest.approx(0.16, abs=0.02)
    assert all(row["sbytes"] == row["spkts"] * row["smeansz"] for row in found[:100])


def test_families_are_drawn_by_their_priors() -> None:
    family, _ = drawn(TWIN, 40)
    for place, (name, prior) in enumerate(twins.PRIORS.items()):
        share = prior / sum(twins.PRIORS.values())
        assert abs((family == place).mean() - share) < 4 * math.sqrt(share / len(family)), name


def test_log_likelihoods_of_whole_numbers() -> None:
    """Those of rounded log-normals, far into both tails."""
    values = np.arange(0, 3_000.0)
    of_whole = twins._log_of_whole(values, 2.3, 1.1)
    expected = np.diff(stats.lognorm.cdf(np.arange(0, 3_001), 1.1, scale=math.exp(2.3)))
    assert np.exp(of_whole) == pytest.approx(expected, rel=1e-6, abs=1e-15)
    assert np.isfinite(twins._log_of_whole(np.array([1e3, 1e9, 1e12]), -9.0, 0.3)).all()


def test_likelihoods_are_those_of_the_tables() -> None:
    """Worked out once more, flow by flow and family by family."""
    block = twins.draw(TWIN, twins.generator(TWIN, 0), 15)
    found = twins.log_likelihoods(TWIN, block)
    tcp = list(twins.CATEGORICAL["protocol"][0]).index("tcp")
    for n in range(15):
        expected = []
        for family in twins.FAMILIES:
            total = 0.0
            for column, how in twins.DRAWN.items():
                mean, deviation = twins.parameters(column, family, OVERLAP)
                log_normal, value = stats.lognorm(deviation, scale=math.exp(mean)), float(block.drawn[column][n])
                if how.least is not None:
                    low, high = value - how.least, value - how.least + 1
                    # One of the differences is exact, as it is of small numbers.
                    total += math.log(
                        max(log_normal.cdf(high) - log_normal.cdf(low), log_normal.sf(low) - log_normal.sf(high))
                    )
                elif column != "tcprtt" or block.words["protocol"][n] == tcp:
                    total += log_normal.logpdf(value)
            for column, places in block.words.items():
                total += math.log(twins.odds(column, family, OVERLAP)[places[n]])
            expected.append(total)
        # What is the same in all families is left out.
        assert found[n] - found[n, 0] == pytest.approx(np.array(expected) - expected[0], abs=1e-4)


def test_likelihood_ratios_say_how_many_flows_are_attacks() -> None:
    """Of flows that are attacks with a probability of p, by their ratio and the priors, about that part are."""
    prior = 1 - twins.PRIORS[NORMAL] / sum(twins.PRIORS.values())
    for overlap in (0.0, 0.3, 0.8):
        family, ratios = drawn(twins.Twin(3, 1, overlap), 40)
        probable = 1 / (1 + np.exp(np.clip(-ratios - math.log(prior / (1 - prior)), -700, 700)))
        for chosen in np.array_split(np.argsort(probable), 20):
            expected, found = probable[chosen].sum(), (family[chosen] != 0).sum()
            error = math.sqrt((probable[chosen] * (1 - probable[chosen])).sum())
            assert abs(found - expected) < 4.5 * error + 1, (overlap, expected, found)


def test_the_more_overlap_the_less_can_be_detected() -> None:
    reached = []
    for overlap in (0.0, 0.3, 0.6, 1.0):
        family, ratios = drawn(twins.Twin(3, 1, overlap), 10)
        reached.append(detected(ratios, family != 0).mean())
    assert reached == sorted(reached, reverse=True) and reached[0] > 0.97 and reached[-1] == 0
    assert np.abs(ratios).max() < 1e-9  # all are alike


# Networks ------------------------------------------------------------------------------------------------------------


def test_the_classifier_comes_near_the_best_and_does_not_beat_it(results: Path, data: nids_data.Data) -> None:
    of_model = {row["model"]: row for row in rows(results, "detection")}
    attacks, best = data.test.attacks, detected(data.log_ratio, data.test.attacks)
    assert all(row["best"] == pytest.approx(best.mean(), abs=1e-12) for row in of_model.values())
    row = of_model["classifier"]
    assert (row["attacks"], row["normal"]) == (attacks.sum(), (~attacks).sum())
    error = math.sqrt(best.mean() * (1 - best.mean()) / attacks.sum())
    assert best.mean() - MARGIN < row["detected"] < best.mean() + 2 * error
    # Who has learnt normal traffic alone finds less, and far more than by chance.
    for model in ("autoencoder", "imitation"):
        assert 0.15 < of_model[model]["detected"] < row["detected"]
        assert 0.75 < of_model[model]["auc"] < row["auc"]


def test_shuffled_labels_bring_detection_to_chance(data: nids_data.Data) -> None:
    shuffled = np.random.default_rng(5).permutation(data.train.families)
    train = nids_data.Flows(data.train.numbers, data.train.categories, shuffled)
    network = networks.learn_labels(train, data.test, [64, 32], 5, 1)
    assert detected(network.scores(data.test), data.test.attacks).mean() < 0.06
    assert networks.area(network.scores(data.test), data.test.attacks) == pytest.approx(0.5, abs=0.12)


def test_tables_of_a_run_add_up(results: Path, data: nids_data.Data) -> None:
    models = ["autoencoder", "classifier", "imitation"]
    attacks = data.test.attacks
    confusion = rows(results, "confusion")
    assert Counter(data.test.families.tolist()) == sum(
        (Counter({r["family"]: r["flows"]}) for r in confusion), Counter()
    )
    curves = rows(results, "curves")
    for model in models:
        of_model = sorted((row for row in curves if row["model"] == model), key=lambda row: row["epoch"])
        assert [row["epoch"] for row in of_model] == list(range(1, 16))
        assert of_model[-1]["training_loss"] < of_model[0]["training_loss"] / 2
        assert of_model[-1]["held_out_loss"] < of_model[0]["held_out_loss"]
    detection = {row["model"]: row for row in rows(results, "detection")}
    families = rows(results, "families")
    for model in models:
        of_model = [row for row in families if row["model"] == model]
        assert {row["family"] for row in of_model} == set(data.test.families[attacks].tolist())
        for column in ("detected", "best"):
            mean = sum(row[column] * row["flows"] for row in of_model) / attacks.sum()
            assert mean == pytest.approx(detection[model][column], abs=1e-12)
    roc = rows(results, "roc")
    assert {row["model"] for row in roc} == {*models, "best reachable"}
    for model in {row["model"] for row in roc}:
        points = sorted((row["false_alarms"], row["detected"]) for row in roc if row["model"] == model)
        assert [part for _, part in points] == sorted(part for _, part in points)
        at_one = dict(points)[0.01]
        assert at_one == pytest.approx(detection.get(model, {"detected": detection["classifier"]["best"]})["detected"])


# ONNX ----------------------------------------------------------------------------------------------------------------


def session(row: dict) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(base64.b64decode(row["onnx"]), providers=["CPUExecutionProvider"])


def test_a_file_is_all_that_is_needed_to_run_a_network(results: Path) -> None:
    """By ONNX Runtime alone, from a row of the table."""
    networks = {row["model"]: row for row in rows(results, "networks")}
    assert sorted(networks) == ["autoencoder", "classifier", "imitation"]
    for row in networks.values():
        file = base64.b64decode(row["onnx"])
        assert (hashlib.sha256(file).hexdigest(), len(file)) == (row["sha256"], row["onnx_bytes"])
        (about,) = [one.value for one in onnx.load_from_string(file).metadata_props if one.key == "licence"]
        assert about == row["licence"] == "trained on flows that were made up: no terms of a data set"
        golden, schema = json.loads(row["golden"]), json.loads(row["input_schema"])
        running = session(row)
        assert [one.name for one in running.get_inputs()] == [one["name"] for one in schema["inputs"]]
        assert [one.name for one in running.get_outputs()] == [one["name"] for one in schema["outputs"]]
        numbers = np.array([[math.nan if n is None else n for n in each] for each in golden["inputs"]["numbers"]])
        assert numbers.shape == (18, len(schema["inputs"][0]["columns"])) and np.isnan(numbers).any()
        given = {
            "numbers": numbers.astype(np.float32),
            "categories": np.array(golden["inputs"]["categories"], object),
        }
        for name, values in zip(golden["outputs"], running.run(list(golden["outputs"]), given), strict=True):
            assert values == pytest.approx(np.array(golden["outputs"][name]), rel=1e-4, abs=1e-4)
        assert row["off"] < 1e-5 and row["seconds"] > 0
    outputs = json.loads(networks["classifier"]["input_schema"])["outputs"]
    assert outputs[1]["columns"] == sorted(twins.FAMILIES)


@pytest.fixture(scope="module")
def trained(data: nids_data.Data) -> list[networks.Network]:
    plan = nids_train.Plan([64, 32], [24, 8, 24], 15, 1)
    return [network for kind in ("classifier", "autoencoder") for network, _ in nids_train.trained(kind, data, plan)]


def test_equal_seeds_make_equal_bytes(results: Path, data: nids_data.Data, trained: list[networks.Network]) -> None:
    wanted = {row["model"]: row for row in rows(results, "networks")}
    for network in trained:
        again = nids_train.file_row(network, data, 0.0)
        assert again["sha256"] == wanted[network.kind]["sha256"]
        assert again["golden"] == wanted[network.kind]["golden"]


def fresh() -> nids_data.Flows:
    """Flows of another seed, among them words never seen, numbers that are missing and some beyond all bounds."""
    table, _ = twins.tables(twins.Twin(77, 2_000, 0.0), 0, 2)
    columns = [name for name in NUMBERS if table[name].null_count == 0]
    numbers = np.column_stack([table[name].to_numpy() for name in columns]).astype(np.float32)
    categories = np.column_stack([np.array(table[name].to_pylist(), object) for name in CATEGORIES])
    random = np.random.default_rng(1)
    numbers[random.random(numbers.shape) < 0.05] = np.nan
    for place, odd in enumerate([np.nan, np.inf, -np.inf, 3e38, -3e38, 0.0, -1.0, 1e-45]):
        numbers[place] = odd
    categories[:10] = [["sctp", "", "\U0001f642"]] * 10
    categories[10:20, 1] = "never seen"
    return nids_data.Flows(numbers, categories, np.array(table["family"].to_pylist()))


def test_onnx_runtime_and_scikit_learn_agree_on_fresh_flows(trained: list[networks.Network]) -> None:
    flows = fresh()
    columns = [f"c{n}" for n in range(flows.numbers.shape[1])]
    for network in trained:
        file = networks_onnx.to_onnx(network, networks_onnx.Inputs(columns, CATEGORIES), "")
        assert networks_onnx.difference(file, network, flows) < 2e-5
        found = networks_onnx.run(file, flows)
        assert all(np.isfinite(values).all() for values in found.values())
        if network.kind == "classifier":
            wanted = network.probabilities(flows)
            assert (found["probabilities"].argmax(axis=1) == wanted.argmax(axis=1)).all()
            assert found["score"] == pytest.approx(1 - wanted[:, network.labels.index(NORMAL)], abs=1e-5)


def test_a_network_that_onnx_runtime_reads_otherwise_does_not_leave(
    data: nids_data.Data, trained: list[networks.Network], monkeypatch: pytest.MonkeyPatch
) -> None:
    for network in trained:
        right = networks_onnx.to_onnx(network, data.inputs, "")
        weights = network.network.coefs_[0].copy()
        network.network.coefs_[0] = weights * 1.01
        wrong = networks_onnx.to_onnx(network, data.inputs, "")
        network.network.coefs_[0] = weights
        assert networks_onnx.to_onnx(network, data.inputs, "") == right
        with pytest.raises(ValueError, match=f"{network.kind}: ONNX Runtime is .* off scikit-learn, more than 0.0001"):
            networks_onnx.difference(wrong, network, data.test)
    monkeypatch.setattr(networks_onnx, "to_onnx", lambda *_: wrong)
    with pytest.raises(ValueError, match="off scikit-learn"):
        nids_train.file_row(trained[-1], data, 0.0)


# Published data and arguments ----------------------------------------------------------------------------------------


def test_a_published_data_set_from_end_to_end(spark: SparkContext, tmp_path: Path) -> None:
    random = np.random.default_rng(1)

    def flow(attack: bool) -> str:
        count = str(random.integers(200, 500) if attack else random.integers(1, 20))
        return line(KDD, count=count, flag="S0" if attack else "SF", label="neptune" if attack else "normal")

    for name, number in (("KDDTrain+.txt", 600), ("KDDTest+.txt", 300)):
        write_file(tmp_path / "in" / name, *(flow(n % 3 == 0) for n in range(number)))
    told = run_step(spark, flows_step, flows_arguments(tmp_path, f"--input={tmp_path / 'in'}"))
    assert told.count("NSL-KDD: for research. Cite: Tavallaee") == 1
    assert "divided as published, into the files named train and test\n" in told and "[oneoff] flows 900/900" in told
    assert not (tmp_path / "truth").exists()
    few = ["--hidden=8", "--narrow=4", "--epochs=60", "--sample=400"]
    run_step(spark, nids_train, train_arguments(tmp_path, *few))
    (classifier,) = (row for row in rows(tmp_path, "detection") if row["model"] == "classifier")
    assert (classifier["attacks"], classifier["best"], classifier["detected"] > 0.95) == (100, None, True)
    assert {row["best"] for row in rows(tmp_path, "families")} == {None}
    for row in rows(tmp_path, "networks"):
        assert row["licence"].startswith("trained on NSL-KDD: for research. Cite: Tavallaee")
        assert len(json.loads(row["input_schema"])["inputs"][0]["columns"]) == 38
    # Of the flows to learn from every second, as there are more than 400.
    assert {row["model"] for row in rows(tmp_path, "roc")} == {"classifier", "autoencoder", "imitation"}


def test_a_line_that_is_no_flow_ends_the_step_with_one_line(
    spark: SparkContext, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_file(tmp_path / "KDDTrain+.txt", line(KDD), line(KDD, label="unheard of"))
    with pytest.raises(SystemExit) as ended:
        run_step(spark, flows_step, flows_arguments(tmp_path, f"--input={path}"))
    assert f"error: files looked at: ValueError: {path}, line 2: expected a label of NSL-KDD, one of" in str(
        ended.value
    )


def test_an_input_that_is_none_is_told_before_spark_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_file(tmp_path / "iris.csv", "5.1,3.5,1.4,0.2,setosa")
    for given, message in ((path, f"{path}, line 1: expected UNSW-NB15's whole set"), (tmp_path / "none", "no such")):
        with pytest.raises(SystemExit):
            flows_step.main(flows_arguments(tmp_path, f"--input={given}"))
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("step", "given", "message"),
    [
        (flows_step, ["--overlap=2"], "argument --overlap: '2' is not a number from 0 to 1"),
        (flows_step, ["--overlap=nan"], "argument --overlap: 'nan' is not a number from 0 to 1"),
        (flows_step, ["--number=0"], "argument --number: '0' is not a whole number of at least 1"),
        (flows_step, ["--seed=-1"], "argument --seed: '-1' is not a whole number of at least 0 and less than 2^64"),
        (nids_train, ["--hidden=8,x"], "argument --hidden: 'x' is not a whole number of at least 1"),
        (nids_train, ["--epochs=0"], "argument --epochs: '0' is not a whole number of at least 1"),
    ],
)
def test_bad_arguments(
    step: object, given: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = flows_arguments if step is flows_step else train_arguments
    with pytest.raises(SystemExit):
        step.main(arguments(tmp_path, *given))  # type: ignore[attr-defined]
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("families", "message"),
    [
        (
            ["Normal", "Normal", "DoS"],
            "to measure on, part 'held out', expected normal flows and attacks, found 0 and 1",
        ),
        (
            ["Normal", "Normal", "Normal"],
            "to learn from, part 'train', expected normal flows and attacks, found 2 and 0",
        ),
    ],
)
def test_flows_of_one_kind_only(tmp_path: Path, families: list[str], message: str) -> None:
    table, _ = twins.tables(twins.Twin(1, 3, 0.0), 0, 1)
    for name, values in (("family", families), ("part", ["train", "train", "held out"])):
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(values))
    if families[2] == "DoS":
        table = table.set_column(table.schema.get_field_index("family"), "family", pa.array(["Normal", "DoS", "DoS"]))
    oneoff.write_part(table, str(tmp_path / "flows"), "part")
    with pytest.raises(ValueError, match=re.escape(message)):
        nids_data.load(str(tmp_path / "flows"), str(tmp_path / "truth"), 100)


# Scoring on Spark ----------------------------------------------------------------------------------------------------


def test_a_stream_is_scored_on_spark_as_the_network_itself_scores(
    spark: SparkContext, results: Path, data: nids_data.Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(support.JOBS.parent / "scoring"))
    import scoring_stream

    lake, lines, out = tmp_path / "lake", tmp_path / "lines", tmp_path / "out"
    shutil.copytree(results / "networks", lake / "networks" / "run=1")
    record = {"run": "1", "state": "succeeded", "ended": "2026-01-01T00:00:00Z", "tables": {"networks": {}}}
    oneoff.put(str(lake / "_runs" / "1.json"), json.dumps(record).encode())
    flows = [row for row in rows(results, "flows") if row["part"] == "held out"]
    told = [json.dumps({**row, "time": None}, default=str) for row in flows]
    half = len(told) // 2
    lines.mkdir()
    arguments = [f"--model={lake / 'networks'}", f"--follow={lines}", f"--out={out}", "--files=1"]
    arguments.append(f"--checkpoint={tmp_path / 'checkpoint'}")
    (lines / "a.json").write_text("\n".join([*told[:half], "no flow"]))
    (lines / "b.json").write_text("\n".join(told[half:]))
    with redirect_stdout(io.StringIO()) as printed:
        scoring_stream.main(arguments)
    batches = re.findall(r"batch \d: (\d+) flows", printed.getvalue())
    assert sorted(batches) == sorted([str(half), str(len(told) - half)])

    scored = oneoff.read_table(str(out), list(scoring_stream.COLUMNS))
    assert scored is not None
    assert scored.num_rows == len(told) + 1
    (fault,) = (row for row in scored.to_pylist() if row["fault"])
    assert (fault["score"], fault["alarm"]) == (None, None) and fault["fault"].endswith("found 'no flow'")
    (network,) = (row for row in rows(results, "networks") if row["model"] == "classifier")
    expected = networks_onnx.run(base64.b64decode(network["onnx"]), data.test)["score"]
    flowed = [row for row in scored.to_pylist() if not row["fault"]]
    np.testing.assert_allclose(sorted(row["score"] for row in flowed), np.sort(expected), atol=1e-6)
    assert sum(row["alarm"] for row in flowed) == int((expected > network["threshold"]).sum()) > 0
    assert {row["model"] for row in flowed} == {network["sha256"]}
