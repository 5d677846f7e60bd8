"""Step flows of job nids: published files in each layout, with their traps, and what is refused."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import nids_support as support
import pyarrow as pa
import pytest
from nids_support import KDD, SPLIT, WHOLE, line, write_file

import nids_input  # isort: skip - nids_support says where it is
import nids_layouts  # isort: skip
import networks  # isort: skip
import nids_parts  # isort: skip
import nids_train  # isort: skip

SPLIT_HEADER = ",".join(SPLIT)


def read(path: Path) -> list[dict[str, Any]]:
    (file,) = nids_input.files(str(path))
    return pa.concat_tables(nids_input.read(file)).to_pylist()


def test_columns_of_the_published_layouts() -> None:
    assert [len(layout.fields) for layout in nids_layouts.LAYOUTS] == [49, 45, 43]
    for layout in nids_layouts.LAYOUTS:
        made = [field.to for field in layout.fields if field.to]
        assert len(set(made)) == len(made) and set(made) <= set(nids_layouts.COLUMNS), layout.name
    whole, split, kdd = ({field.to for field in layout.fields} for layout in nids_layouts.LAYOUTS)
    # What is learnt from the one layout of UNSW-NB15 can be used on the other.
    assert whole & set(nids_layouts.NUMBERS) == split & set(nids_layouts.NUMBERS) == set(nids_layouts.UNSW_NUMBERS)
    assert len(kdd & set(nids_layouts.NUMBERS)) == 38
    learnt = {*nids_layouts.NUMBERS, *nids_layouts.CATEGORIES}
    assert not learnt & {"srcip", "dstip", "sport", "dsport", "time", "flow", "stcpb", "dtcpb", "family"}


def test_whole_set_with_its_traps(tmp_path: Path) -> None:
    path = write_file(
        tmp_path / "UNSW-NB15_1.csv",
        "\ufeff" + line(WHOLE),
        "",
        line(WHOLE, sport="0x000b", dsport="-", attack_cat=" Fuzzers ", label="1"),
        line(WHOLE, dsport="0xc0a8", attack_cat="Backdoors", label="1", ct_ftp_cmd="2", is_ftp_login="", state=" FIN "),
        line(WHOLE, attack_cat="Reconnaissance ", label="1", ct_flw_http_mthd=" "),
        end="\r\n",
    )
    rows = read(path)
    assert [row["family"] for row in rows] == ["Normal", "Fuzzers", "Backdoor", "Reconnaissance"]
    assert [row["flow"] for row in rows] == [1, 3, 4, 5]
    assert [(row["sport"], row["dsport"]) for row in rows] == [(1390, 53), (11, None), (1390, 49320), (1390, 53)]
    assert [row["ct_ftp_cmd"] for row in rows] == [0, 0, 2, 0]
    first = rows[0]
    assert (first["protocol"], first["dur"], first["sload"]) == ("udp", 0.001055, 500473.9375)
    assert first["time"] == datetime(2015, 1, 22, 11, 50, 14, tzinfo=timezone.utc)
    assert (first["origin"], first["kdd_count"], rows[2]["state"]) == ("UNSW-NB15", None, "FIN")


def test_training_and_testing_sets(tmp_path: Path) -> None:
    path = write_file(
        tmp_path / "UNSW_NB15_training-set.csv",
        "\ufeff" + SPLIT_HEADER,
        line(SPLIT, sinpkt="24.2", smean="43", response_body_len="7"),
        line(SPLIT, attack_cat="DoS", label="1"),
    )
    first, second = read(path)
    assert (first["sintpkt"], first["smeansz"], first["res_bdy_len"], first["family"]) == (24.2, 43, 7, "Normal")
    assert (second["family"], second["time"], second["srcip"], second["flow"]) == ("DoS", None, None, 3)


def test_nsl_kdd(tmp_path: Path) -> None:
    path = write_file(
        tmp_path / "KDDTrain+.txt",
        line(KDD, src_bytes="491", count="2", same_srv_rate="0.08"),
        *(line(KDD, label=label) for label in ("neptune", "satan", "guess_passwd", "rootkit")),
    )
    rows = read(path)
    assert [row["family"] for row in rows] == ["Normal", "DoS", "Probe", "R2L", "U2R"]
    assert (rows[0]["sbytes"], rows[0]["kdd_count"], rows[0]["kdd_same_srv_rate"]) == (491, 2, 0.08)
    assert (rows[0]["protocol"], rows[0]["state"], rows[0]["sttl"]) == ("tcp", "SF", None)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (line(WHOLE, dur="soon"), "expected a number in column dur"),
        (line(WHOLE, sbytes=""), "expected a number in column sbytes"),
        (line(WHOLE, sload="inf"), "expected a finite number in column sload"),
        (line(WHOLE, sload="nan"), "expected a finite number in column sload"),
        (line(WHOLE, sport="0xzz"), "expected a port, also in hexadecimal, in column sport"),
        (line(WHOLE, sport="-5"), "expected a port, also in hexadecimal, in column sport"),
        (line(WHOLE, dsport="65536"), "expected a port, also in hexadecimal, in column dsport"),
        (line(WHOLE, proto=" "), "expected a word in column proto"),
        (line(WHOLE, stime="1e300"), "expected seconds since 1970 in column stime"),
        (
            line(WHOLE, attack_cat="Ransomware", label="1"),
            "expected a label of UNSW-NB15's whole set, one of analysis,",
        ),
        (line(WHOLE, attack_cat="Worms"), "expected label 0 for a normal flow and 1 for one with an attack_cat"),
        (line(WHOLE, label="1"), "expected label 0 for a normal flow"),
        (line(WHOLE) + ",5", "expected 49 fields of UNSW-NB15's whole set, and these are 50"),
        (line(WHOLE)[:40], "expected 49 fields of UNSW-NB15's whole set, and these are"),
        (line(WHOLE, service="d\rns"), "expected no carriage return within a line"),
    ],
)
def test_a_line_that_is_no_flow(tmp_path: Path, wrong: str, message: str) -> None:
    path = write_file(tmp_path / "a.csv", *[line(WHOLE)] * 500, "", wrong, *[line(WHOLE)] * 300)
    with pytest.raises(ValueError, match="line 502: ") as refused:
        read(path)
    assert str(refused.value).startswith(f"{path}, line 502: {message}")
    assert ", found " in str(refused.value)


def test_lines_are_counted_over_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nids_input, "BLOCK", 1000)
    path = write_file(tmp_path / "a.csv", *[line(WHOLE, sport=str(n)) for n in range(300)])
    rows = read(path)
    assert [row["flow"] for row in rows] == list(range(1, 301)) and rows[299]["sport"] == 299
    write_file(path, *[line(WHOLE)] * 299, line(WHOLE, dur="x"))
    with pytest.raises(ValueError, match=", line 300: expected a number in column dur"):
        read(path)


def test_bytes_that_are_no_text_are_not_shown(tmp_path: Path) -> None:
    path = write_file(tmp_path / "a.csv", line(WHOLE), line(WHOLE, service="d?s"))
    path.write_bytes(path.read_bytes().replace(b"d?s", b"d\xff\x1bs"))
    with pytest.raises(ValueError, match="line 2: expected UTF-8, found bytes that are no text"):
        read(path)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"a.csv": "a,b,c\n1,2,3\n"},
            r"/a\.csv, line 1: expected .*49 columns.*45.*43 columns\), found 3 fields, 'a,b,c'",
        ),
        ({"a.csv": ""}, r"/a\.csv, line 1: expected .* found 1 field, ''"),
        ({"a.csv": SPLIT_HEADER.replace("dur", "time")}, r"/a\.csv, line 1: expected .* found 45 fields, 'id,time"),
        ({"a.csv": "\x00\x01\x02"}, "found 1 field, bytes that are no text"),
        (
            {"a.csv": line(WHOLE), "b.txt": line(KDD)},
            r"/b\.txt, line 1: expected UNSW-NB15's whole set .* as .*a\.csv is",
        ),
        ({"a.csv.gz": ""}, r"/a\.csv\.gz: expected the published files, found an archive: unpack it"),
        ({"a.parquet": ""}, r"expected files that end in \.csv or \.txt, found none"),
    ],
)
def test_files_that_are_of_no_layout(tmp_path: Path, files: dict[str, str], message: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        nids_input.files(str(tmp_path))


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nids_input, "BLOCK", 1 << 17)
    path = write_file(tmp_path / "a.csv", line(WHOLE))
    with path.open("ab") as file:
        file.write(b"x" * (1 << 20))
    with pytest.raises(ValueError, match=r"line 2: expected a line, found \d+ bytes without an end"):
        read(path)


# Dividing ------------------------------------------------------------------------------------------------------------


def divided(folder: Path) -> list[tuple[nids_input.File, dict[str, Any]]]:
    files = nids_input.files(str(folder))
    division = nids_parts.divide(files, [nids_parts.outline(file) for file in files])
    rows = []
    for file in files:
        before = 0
        for table in nids_input.read(file):
            parts = division.parts(file, table, before).to_pylist()
            before += table.num_rows
            rows += [(file, {**row, "part": part}) for row, part in zip(table.to_pylist(), parts, strict=True)]
    return rows


def test_no_host_and_no_moment_is_in_both_parts(tmp_path: Path) -> None:
    begin = 1421927414

    def flow(n: int) -> str:
        attack = {"attack_cat": "DoS", "label": "1", "srcip": f"175.45.176.{n % 4}"} if n % 3 == 0 else {}
        return line(WHOLE, **{"srcip": f"192.168.0.{n % 10}", "stime": str(begin + n * 7 % 1000), **attack})

    write_file(tmp_path / "1.csv", *map(flow, range(500)))
    write_file(tmp_path / "2.csv", *map(flow, range(500, 1000)))
    rows = [row for _, row in divided(tmp_path)]
    parts = {part: [row for row in rows if row["part"] == part] for part in ("train", "held out", "left out")}
    assert all(parts.values()) and sum(map(len, parts.values())) == 1000
    train, test = parts["train"], parts["held out"]
    assert not {row["srcip"] for row in train} & {row["srcip"] for row in test}
    assert max(row["time"] for row in train) < min(row["time"] for row in test)
    # Of the few hosts that attack, and of the others, two fifths are held out.
    hosts = {row["srcip"] for row in test}
    assert (sum(host.startswith("175.") for host in hosts), len(hosts)) == (1, 5)
    assert {row["family"] for row in train} == {row["family"] for row in test} == {"Normal", "DoS"}
    assert 0.2 < len(train) / 1000 < 0.5 and 0.08 < len(test) / 1000 < 0.3


def test_published_parts_are_kept(tmp_path: Path) -> None:
    folder = "Training and Testing Sets"
    write_file(tmp_path / folder / "UNSW_NB15_training-set.csv", SPLIT_HEADER, *[line(SPLIT)] * 3)
    write_file(tmp_path / folder / "UNSW_NB15_testing-set.csv", SPLIT_HEADER, *[line(SPLIT)] * 2)
    assert [(file.name, row["part"]) for file, row in divided(tmp_path)] == [
        *[(f"{folder}/UNSW_NB15_testing-set.csv", "held out")] * 2,
        *[(f"{folder}/UNSW_NB15_training-set.csv", "train")] * 3,
    ]


def test_without_both_parts_the_last_lines_are_held_out(tmp_path: Path) -> None:
    write_file(tmp_path / "KDDTrain+.txt", *[line(KDD)] * 10)
    assert [row["part"] for _, row in divided(tmp_path)] == ["train"] * 6 + ["held out"] * 4


def test_preparation_of_what_a_layout_lacks() -> None:
    """A column without any number, one that is the same everywhere, and infinite ones."""
    import numpy as np

    numbers = np.array([[np.nan, 5, 1], [np.nan, 5, np.inf], [np.nan, 5, 3]], np.float32)
    flows = networks.Examples(numbers, np.array([["a"], ["b"], ["a"]], object), np.array(["Normal"] * 3))
    prepared = networks.Preparation().fit(flows).transform(flows)
    assert prepared.shape == (3, 5) and np.isfinite(prepared).all()


def test_nothing_to_learn_from_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        nids_train.main(support.train_arguments(tmp_path))
    assert f"nothing to learn from {tmp_path}/flows: there are none; flows.py makes them" in capsys.readouterr().err
