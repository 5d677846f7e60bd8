"""Lines of flows: what is read of them, and what is said of those that are none."""

from __future__ import annotations

import math

import nids_layouts as layouts
import numpy as np
import pytest
import scoring_flows
from nids_arrays import arrays
from scoring_support import COLUMNS, csv_line, csv_lines, flows, json_line

ROWS = flows().slice(0, 20).to_pylist()
WHOLE, WHOLE_LEFT = layouts.unlabelled(layouts.UNSW_WHOLE)
SPLIT, SPLIT_LEFT = layouts.unlabelled(layouts.UNSW_SPLIT)
KDD, KDD_LEFT = layouts.unlabelled(layouts.NSL_KDD)


@pytest.mark.parametrize("layout", [layouts.UNSW_WHOLE, WHOLE_LEFT, layouts.UNSW_SPLIT, SPLIT_LEFT])
def test_a_layout_is_read_as_training_reads_it(layout: layouts.Layout) -> None:
    batch = scoring_flows.read([csv_line(row, layout) for row in ROWS], COLUMNS)
    numbers, words = arrays(flows().slice(0, 20), COLUMNS)
    assert (batch.lines, batch.places, batch.faults) == (20, list(range(20)), {})
    np.testing.assert_array_equal(batch.numbers, np.nan_to_num(numbers))  # the twin has none of some, files have 0
    np.testing.assert_array_equal(batch.words, words)


def test_json_is_read_as_training_reads_it() -> None:
    batch = scoring_flows.read([json_line(row) for row in ROWS], COLUMNS)
    numbers, words = arrays(flows().slice(0, 20), COLUMNS)
    np.testing.assert_array_equal(batch.numbers, numbers)
    np.testing.assert_array_equal(batch.words, words)
    assert batch.telling.slice(3, 1).to_pylist() == [{name: ROWS[3][name] for name in scoring_flows.TELLING}]


def test_kdd_is_told_from_unsw_where_it_is_as_wide() -> None:
    assert len(SPLIT_LEFT.fields) == len(KDD.fields) == 43
    columns = ("dur", "sbytes", "kdd_hot")
    row = {"protocol": "tcp", "service": "http", "state": "SF", "dur": 1.5, "sbytes": 2.0, "kdd_hot": 3.0}
    for layout in (layouts.NSL_KDD, KDD_LEFT):
        batch = scoring_flows.read([csv_line(row, layout, label="neptune")], columns)
        assert batch.numbers.tolist() == [[1.5, 2.0, 3.0]]
    told = scoring_flows.read([csv_line(row, layouts.NSL_KDD)], COLUMNS).faults
    assert told == {
        0: "expected flows as those that the network was trained on, and NSL-KDD has no sttl",
    }


def test_blank_lines_and_headers_are_no_flows() -> None:
    header = ",".join(f'"{field.name.upper()}"' for field in layouts.UNSW_SPLIT.fields).encode()
    lines = [b"\xef\xbb\xbf" + header, b"", csv_line(ROWS[0], layouts.UNSW_SPLIT), b"  \r", json_line(ROWS[1]) + b"\r"]
    batch = scoring_flows.read(lines, COLUMNS)
    assert (batch.lines, sorted(batch.places), batch.faults) == (2, [2, 4], {})


def test_missing_numbers_are_none_and_a_label_is_not_looked_at() -> None:
    line = b'{"protocol": "tcp", "service": "-", "state": "FIN", "dur": null, "sbytes": 7, "family": 3, "mine": [{}]}'
    batch = scoring_flows.read([line], ("dur", "sbytes", "dbytes"))
    assert [math.isnan(value) for value in batch.numbers[0]] == [True, False, True]
    assert scoring_flows.read([csv_line(ROWS[0], attack_cat="no such", label="9")], COLUMNS).faults == {}


FINE = b'{"protocol": "tcp", "service": "-", "state": "FIN"'
BAD: list[tuple[bytes, str]] = [
    (
        b"nonsense",
        "expected a flow: JSON with the columns of table flows, or CSV with 41, 43, 45, 47, 49 fields",
    ),
    (b"1,2,3", "expected a flow: JSON"),
    (b"\x00\xff\xfe", "found bytes that are no text"),
    (b"x" * 70_000, "found 70000 bytes, more than 65536"),
    (b"{" + b" " * 70_000 + b"}", "found 70002 bytes, more than 65536"),
    (b"{", "expected a JSON object in one line, found '{'"),
    (b"{}", "expected a word in column protocol"),
    (b'{"protocol": 3}', "expected a word in column protocol"),
    (b'{"protocol": "", "service": "-", "state": "FIN"}', "expected a word in column protocol"),
    (FINE + b', "dur": "1"}', "expected a number in column dur"),
    (FINE + b', "dur": true}', "expected a number in column dur"),
    (FINE + b', "dur": {"a": 1}}', "expected a number in column dur"),
    (FINE + b', "dur": 1e999}', "expected JSON: number too big"),
    (FINE + b', "dur": -Infinity}', "expected a finite number in column dur"),
    (FINE + b', "dur": 1, "dur": 2}', "expected each name once, and dur is there twice"),
    (FINE + b', "sport": 1.5}', "expected JSON: failed to convert JSON to int64"),
    (FINE + b"}" + FINE + b"}", "expected one JSON object in a line"),
    (b'{"protocol": "\xff", "service": "-", "state": "FIN"}', "expected UTF-8"),
    (b'{"protocol": "\\ud800", "service": "-", "state": "FIN"}', "expected JSON: the surrogate pair"),
    (b'{"a": ' + b"[" * 30_000 + b"}", "expected JSON: "),
    (csv_line(ROWS[0], dur="much"), "expected a number in column dur, found '"),
    (csv_line(ROWS[0], dur="nan"), "expected a finite number in column dur, found"),
    (csv_line(ROWS[0], sport="99999"), "expected a port, also in hexadecimal, in column sport"),
    (csv_line(ROWS[0], proto=""), "expected a word in column proto"),
]


@pytest.mark.parametrize(("line", "told"), BAD)
def test_what_is_no_flow_is_told_and_the_others_are_read(line: bytes, told: str) -> None:
    good = [json_line(ROWS[0]), csv_line(ROWS[1])]
    batch = scoring_flows.read([good[0], line, good[1], line], COLUMNS)
    assert sorted(batch.places) == [0, 2]
    assert sorted(batch.faults) == [1, 3]
    assert told in batch.faults[1]
    assert len(batch.faults[1]) < 300


def test_all_at_once() -> None:
    lines = [line for pair in zip(csv_lines(len(BAD)), (line for line, _ in BAD), strict=True) for line in pair]
    batch = scoring_flows.read(lines, COLUMNS)
    assert sorted(batch.places) == list(range(0, len(lines), 2))
    assert sorted(batch.faults) == list(range(1, len(lines), 2))
    order = np.argsort(batch.places)
    alone = scoring_flows.read(lines[::2], COLUMNS)
    np.testing.assert_array_equal(batch.numbers[order], alone.numbers)


def test_deeply_nested_is_no_end() -> None:
    deep = FINE + b', "mine": ' + b"[" * 30_000 + b"]" * 30_000 + b"}"
    assert scoring_flows.read([deep], COLUMNS).places == [0]
