"""Job nids: flows host by host, and what can be reached by who knows all of a host's until now. All but PyTorch."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path

import nids_support as support
import numpy as np
import oneoff
import pyarrow as pa
import pytest

import nids_recurrent  # isort: skip - nids_support says where it is
import nids_sequences as sequences  # isort: skip
import nids_twin as twins  # isort: skip
from nids_data import Data  # isort: skip
from nids_layouts import NORMAL  # isort: skip
from networks import threshold  # isort: skip

TWIN = twins.Twin(1, 12_000, 0.3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flows")
    for table, name in zip(twins.tables(TWIN, 0, 12), ("flows", "truth"), strict=True):
        oneoff.write_part(table, str(folder / name), "one")
    return folder


@pytest.fixture(scope="module")
def data(folder: Path) -> Data:
    return sequences.load(str(folder / "flows"), str(folder / "truth"), 100_000)


def of_part(folder: Path, part: str) -> list[dict]:
    found = [row for row in support.rows(folder, "flows") if row["part"] == part]
    return sorted(found, key=lambda row: (row["srcip"], row["time"]))


def test_flows_of_a_host_follow_each_other(folder: Path, data: Data) -> None:
    for flows, part in ((data.train, "train"), (data.test, "held out")):
        wanted = of_part(folder, part)
        assert flows.families.tolist() == [row["family"] for row in wanted]
        assert flows.numbers[:, data.columns.index("sbytes")] == pytest.approx([row["sbytes"] for row in wanted])
        hosts = [{row["srcip"] for row in wanted[first:last]} for first, last in flows.ends]
        assert all(len(host) == 1 for host in hosts)
        assert len(set().union(*hosts)) == len(hosts) and sum(last - first for first, last in flows.ends) == len(wanted)


def test_a_sample_has_whole_hosts(folder: Path, data: Data) -> None:
    few = sequences.load(str(folder / "flows"), str(folder / "truth"), 1_000)
    for flows, all_of in ((few.train, data.train), (few.test, data.test)):
        lengths, known = ([last - first for first, last in each.ends] for each in (flows, all_of))
        assert 300 < len(flows.labels) < 1_500 and len(lengths) < len(known)
        assert lengths == known[:: -(-len(all_of.labels) // 1_000)]


def test_what_is_known_of_a_flow_by_its_host_is_worked_out_once_more() -> None:
    """Kind by kind, flow by flow, as products of probabilities."""
    ratios = np.array([0.3, -1.2, 2.0, 0.0, 1.5])
    flows = sequences.HostFlows(np.empty((5, 0)), np.empty((5, 0)), np.full(5, NORMAL), (0, 3))
    found = sequences.of_hosts(ratios, flows)
    attack = 0.4 / (0.6 + 0.134 + 0.112 + 0.061 + 0.041 + 0.035 + 0.0067 + 0.0058 + 0.0038 + 0.0007)
    of_attackers = attack * 0.9 + (1 - attack) * 0.1
    for first, last in ((0, 3), (3, 5)):
        kinds = [[of_attackers, attack * 0.9 / of_attackers], [1 - of_attackers, attack * 0.1 / (1 - of_attackers)]]
        for place in range(first, last):
            one, other = sum(p * q for p, q in kinds), sum(p * (1 - q) for p, q in kinds)
            assert found[place] == pytest.approx(ratios[place] + math.log(one / other), abs=0.005)
            for kind in kinds:
                kind[0] *= kind[1] * math.exp(ratios[place]) + 1 - kind[1]


def test_ratios_say_how_many_flows_are_attacks(data: Data) -> None:
    """Of flows that are attacks with a probability of p, given their hosts' until then, about that part are."""
    prior = 1 - twins.PRIORS[NORMAL] / sum(twins.PRIORS.values())
    probable = 1 / (1 + np.exp(np.clip(-data.log_ratio - math.log(prior / (1 - prior)), -700, 700)))
    for chosen in np.array_split(np.argsort(probable), 8):
        error = math.sqrt((probable[chosen] * (1 - probable[chosen])).sum())
        assert abs(data.test.attacks[chosen].sum() - probable[chosen].sum()) < 4.5 * error + 1


def test_who_knows_the_host_can_reach_more(folder: Path, data: Data) -> None:
    wanted = of_part(folder, "held out")
    known = {
        row["flow"]: row["log_ratio"]
        for row in oneoff.read_table(str(folder / "truth"), ["flow", "log_ratio"]).to_pylist()
    }
    alone = np.array([known[row["flow"]] for row in wanted])
    attacks = data.test.attacks
    one, other = ((each[attacks] > threshold(each[~attacks])).mean() for each in (data.log_ratio, alone))
    assert other + 0.03 < one < 1
    # A host's first flow is all that is known of it.
    first = list(data.test.starts)
    assert np.argsort(data.log_ratio[first], kind="stable").tolist() == np.argsort(alone[first], kind="stable").tolist()


def test_flows_without_hosts_have_no_order(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = oneoff.read_table(str(folder / "flows"), list(support.nids_layouts.COLUMNS))
    place = table.schema.get_field_index("srcip")
    oneoff.write_part(
        table.set_column(place, "srcip", pa.nulls(table.num_rows, pa.string())), str(tmp_path / "flows"), "one"
    )
    message = "these flows of made up have no srcip, by which hosts' flows follow each other"
    with pytest.raises(ValueError, match=re.escape(message)):
        sequences.load(str(tmp_path / "flows"), str(folder / "truth"), 100)


def test_processes_are_given_all_that_they_import(tmp_path: Path) -> None:
    for name, text in nids_recurrent.sources().items():
        (tmp_path / name).write_text(text)
    program = "import sys; sys.path.insert(0, sys.argv[1]); import nids_gru, nids_sequences; print(nids_gru.__file__)"
    done = subprocess.run([sys.executable, "-I", "-c", program, tmp_path], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == (f"{tmp_path}/nids_gru.py\n", 0), done.stderr


def test_a_python_without_pytorch_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(SystemExit):
        nids_recurrent.main([*support.train_arguments(tmp_path), f"--kept={tmp_path}"])
    error = capsys.readouterr().err
    assert "error: PyTorch can't be had (" in error and "see docs/nids.md" in error and error.count("\n") == 1
