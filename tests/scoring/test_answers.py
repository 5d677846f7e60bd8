"""What is answered, and what is counted of it."""

from __future__ import annotations

import json
import re

import numpy as np
import scoring_answers
from nids_arrays import arrays
from nids_layouts import NORMAL
from scoring_answers import LATEST, SECONDS, Counts, Scored, label, score
from scoring_model import Network
from scoring_support import COLUMNS, Row, candidate, csv_lines, flows


def test_answers_are_the_networks_in_the_order_of_the_lines(network: Network) -> None:
    lines = csv_lines(300)
    scored = score(network, [lines[0], b"", b"bad", *lines[1:]])
    answers = [json.loads(answer) for answer in scored.answers]
    assert answers.pop(1)["line"] == 3
    numbers, words = arrays(flows(1_000).slice(0, 300), COLUMNS)
    made = network.run(np.nan_to_num(numbers), words)
    np.testing.assert_allclose([answer["score"] for answer in answers], made["score"], rtol=1e-5)
    alarm = made["score"] > network.found.threshold
    assert [answer["alarm"] for answer in answers] == alarm.tolist()
    assert 0 < scored.alarms == sum(alarm) == sum(scored.families.values())
    normal = network.families.index(NORMAL)
    for place, answer in enumerate(answers):
        likeliest = np.delete(made["probabilities"][place], normal).argmax()
        attack = [name for name in network.families if name != NORMAL][likeliest]
        assert answer["family"] == (attack if alarm[place] else NORMAL)
    assert scored.latest[-1]["srcip"] == flows(1_000)["srcip"][int(np.flatnonzero(alarm)[-1])].as_py()
    assert (scored.flows, len(scored.faults)) == (300, 1)


def test_an_answer_is_json_whatever_a_family_is_called(network: Network, rows: list[Row]) -> None:
    odd = 'x"\\\n'
    schema = json.loads(rows[0]["input_schema"])
    columns = schema["outputs"][1]["columns"]
    schema["outputs"][1]["columns"] = [odd if name == "Generic" else name for name in columns]
    scored = score(Network(candidate(rows[0], input_schema=json.dumps(schema))), csv_lines(300))
    assert odd in {json.loads(answer)["family"] for answer in scored.answers}


def test_nothing_is_nothing(network: Network) -> None:
    assert score(network, []) == Scored([], 0, 0, {}, [], [])
    assert score(network, [b"", b" "]) == Scored([], 0, 0, {}, [], [])


def many(number: int) -> Scored:
    alarms = [{"score": 0.9, "family": "DoS", "srcip": str(place)} for place in range(min(number, LATEST))]
    return Scored([""] * number, number, number, {f"family {number}": number}, alarms, ["line 1: bad"] * number)


def test_counts_take_no_more_memory_than_at_first() -> None:
    now = [1_000_000.0]
    counts = Counts(lambda: now[0])
    for number in range(3_000):
        now[0] += 1
        counts.add(many(number % 70 + 1), 0.002, "here")
    state = counts.state()
    assert state["flows"] == state["alarms"] == state["faults"] == sum(number % 70 + 1 for number in range(3_000))
    assert len(state["times"]) == SECONDS
    assert (len(state["latest"]), len(state["unread"])) == (LATEST, LATEST)
    assert (
        len([line for line in counts.metrics() if "family_alarms_total{" in line]) == scoring_answers.MOST_FAMILIES + 1
    )
    assert state["times"][-1] == [1_003_000, 60, 60, 60]
    assert state["latest"][0]["at"] == "1970-01-12T14:36:40Z"
    assert state["rate"] == sum(number % 70 + 1 for number in range(2_989, 2_999)) / 10
    now[0] += 2 * SECONDS
    quiet = counts.state()
    assert (quiet["times"], quiet["families"], quiet["rate"], quiet["flows"]) == ([], {}, 0, state["flows"])


def test_metrics_are_prometheus_text() -> None:
    counts = Counts()
    counts.add(many(3), 0.002, "here")
    counts.add(many(3), 0.2, "here")
    lines = counts.metrics()
    sample = re.compile(r'[a-z_]+(\{[a-z]+="[^"\n]*"\})? [0-9.e+-]+')
    assert all(line.startswith(("# HELP ", "# TYPE ")) or sample.fullmatch(line) for line in lines)
    assert "oneoff_scoring_flows_total 6" in lines
    assert 'oneoff_scoring_batch_seconds_bucket{le="0.0025"} 1' in lines
    assert 'oneoff_scoring_batch_seconds_bucket{le="0.25"} 2' in lines
    assert 'oneoff_scoring_batch_seconds_bucket{le="+Inf"} 2' in lines
    assert label(a='x"\\\n') == '{a="x\\"\\\\\\n"}'
