"""push.py against what stands in for HDFS."""

from __future__ import annotations

import gzip
import io
import json
import random
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import fleet_archive
import fleet_checksum
import pytest
from fleet_support import BLOCK, Called, FakeHdfs, call, fake_hdfs, say, serving, special, tgz

LARGE = random.Random(1).randbytes(BLOCK + 5000)  # two blocks, and more than a piece
FILES = [("./", None), ("./a/one.txt", "one"), ("./a/b c+%ä/two", "2" * 5000), ("./none", ""), ("./empty", None)]


@pytest.fixture
def hdfs() -> Iterator[FakeHdfs]:
    with fake_hdfs() as fake:
        yield fake


@pytest.fixture
def push(hdfs: FakeHdfs, tmp_path: Path, capsys: pytest.CaptureFixture[str]):  # noqa: ANN201
    def pushed(archive: bytes | str, target: str = "/data", *options: str) -> Called:
        source = archive
        if isinstance(archive, bytes):
            source = tmp_path / "set.tgz"
            source.write_bytes(archive)
        return call(capsys, "push", "--namenode", hdfs.place, *options, source, target)

    return pushed


def test_checksum_is_that_of_hdfs() -> None:
    """What HDFS 3.4.2 said of this content, in pieces of 512 bytes."""
    checksum = fleet_checksum.Checksum(128 << 20, 512)
    data = bytes(range(256)) * 5000
    for at in range(0, len(data), 1000):
        checksum.update(data[at : at + 1000])
    assert checksum.hexdigest() == "3d54e7067a47576048089d2b5cf5a22a"


def test_files_and_folders_are_there_and_nothing_else(hdfs: FakeHdfs, push) -> None:  # noqa: ANN001
    done = push(tgz(*FILES, ("large", LARGE)), "//data//set/")
    assert (done.code, done.err) == (0, "")
    result = json.loads(done.out)
    assert {**result, "seconds": 0} == {"files": 4, "skipped": 0, "bytes": 5003 + len(LARGE), "seconds": 0}
    assert hdfs.files() == {
        "/data": None,
        "/data/set": None,
        "/data/set/a": None,
        "/data/set/a/one.txt": b"one",
        "/data/set/a/b c+%ä": None,
        "/data/set/a/b c+%ä/two": b"2" * 5000,
        "/data/set/none": b"",
        "/data/set/empty": None,
        "/data/set/large": LARGE,
    }


def test_again_sends_nothing_and_more_sends_what_is_more(hdfs: FakeHdfs, push) -> None:  # noqa: ANN001
    push(tgz(*FILES, ("large", LARGE)))
    before = hdfs.files()
    hdfs.created.clear()
    assert json.loads(push(tgz(*FILES, ("large", LARGE))).out)["skipped"] == 4
    assert (hdfs.created, hdfs.files()) == ([], before)
    assert json.loads(push(tgz(*FILES, ("a/new", "x"), ("large", LARGE))).out)["skipped"] == 4
    assert [path.rpartition("/")[2] for path in hdfs.created] == ["new"]
    assert hdfs.files() == {**before, "/data/a/new": b"x"}


def test_what_was_interrupted_goes_on(hdfs: FakeHdfs, push) -> None:  # noqa: ANN001
    def end_at_two(path: str, data: bytes) -> bytes | None:
        return None if path.endswith("two") else data

    hdfs.spoil = end_at_two
    done = push(tgz(*FILES))
    assert done.code == 1
    assert "the disk is broken" in done.err
    assert not hdfs.files("/data")
    staged = next(path for path in hdfs.files() if path.endswith("one.txt"))
    hdfs.tree[staged.replace("one.txt", "b c+%ä/two")] = b"2222"  # half of it, as a data node leaves it
    hdfs.spoil = lambda _, data: data
    hdfs.created.clear()
    assert json.loads(push(tgz(*FILES)).out)["skipped"] == 2
    assert [path.rpartition("/")[2] for path in hdfs.created] == ["two"]
    assert hdfs.files()["/data/a/b c+%ä/two"] == b"2" * 5000
    assert not hdfs.files("/.push")


def test_what_was_put_aside_and_is_not_in_the_archive_stays_out(hdfs: FakeHdfs, push) -> None:  # noqa: ANN001
    hdfs.spoil = lambda path, data: None if path.endswith("two") else data
    push(tgz(*FILES, ("old/x", "x"), ("kept", "k"), ("turns", "into a folder")))
    hdfs.spoil = lambda _, data: data
    assert push(tgz(("kept", "k"), ("turns/into", "a file"))).code == 0
    assert hdfs.files() == {"/data": None, "/data/kept": b"k", "/data/turns": None, "/data/turns/into": b"a file"}


def test_a_data_node_that_fails_once_is_asked_again(hdfs: FakeHdfs, push) -> None:  # noqa: ANN001
    failures = iter([None])
    hdfs.spoil = lambda _, data: next(failures, data)
    assert push(tgz(*FILES)).code == 0


def test_what_hdfs_has_differently_is_an_error(hdfs: FakeHdfs, push) -> None:  # noqa: ANN001
    hdfs.spoil = lambda path, data: data.replace(b"n", b"m")
    done = push(tgz(*FILES))
    assert (done.code, done.err) == (1, "push: what HDFS has of a/one.txt is not what was sent: call it again\n")
    assert not hdfs.files("/data")


def test_another_push_takes_over(hdfs: FakeHdfs, push) -> None:  # noqa: ANN001
    def take_over(path: str, data: bytes) -> bytes:
        staging = "/".join(path.split("/")[:4])
        if staging in hdfs.tree and "mine" not in staging:
            hdfs.rename(staging, {"destination": staging.rpartition("/")[0] + "/mine", "renameoptions": "NONE"}, b"")
        return data

    hdfs.spoil = take_over
    done = push(tgz(*FILES))
    assert (done.code, done.err) == (1, "push: another push to /data has begun meanwhile: let that one end\n")
    assert not hdfs.files("/data")


def test_checksums_made_in_another_way_are_no_obstacle(hdfs: FakeHdfs, push) -> None:  # noqa: ANN001
    hdfs.algorithm = "MD5-of-0MD5-of-512CRC32C"
    assert push(tgz(*FILES)).code == 0
    assert json.loads(push(tgz(*FILES)).out)["skipped"] == 3
    hdfs.tree["/data/a/one.txt"] = b"eno"
    assert push(tgz(*FILES)).code == 2


def test_other_content_is_refused_or_overwritten(hdfs: FakeHdfs, push, tmp_path: Path) -> None:  # noqa: ANN001
    push(tgz(*FILES))
    before = hdfs.files()
    for other in ("eno", "another"):
        done = push(tgz(("new", "n"), ("a/one.txt", other)))
        source = tmp_path / "set.tgz"
        assert (done.code, done.out) == (2, "")
        assert done.err == (
            f"push: /data/a/one.txt is in HDFS with other content (3 bytes, and {len(other)} in {source}): "
            "name another folder, or say --overwrite\n"
        )
        assert hdfs.files() == before
    assert push(tgz(("new", "n"), ("a/one.txt", "eno")), "/data", "--overwrite").code == 0
    assert hdfs.files() == {**before, "/data/new": b"n", "/data/a/one.txt": b"eno"}


def test_what_is_in_the_way_is_refused(hdfs: FakeHdfs, push) -> None:  # noqa: ANN001
    push(tgz(("a/b", "x")))
    assert "/data/a is a folder in HDFS, and a file in" in push(tgz(("a", "x"))).err
    assert "/data/a/b is a file in HDFS, and a folder in" in push(tgz(("a/b", None))).err
    assert "TARGET is /data/a/b/c, and /data/a/b is a file in HDFS" in push(tgz(("a", "x")), "/data/a/b/c").err
    assert "is a file in HDFS" in push(tgz(("a/b/c", "x")), "/data").err


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (("../x", "x"), "'../x', which climbs out of its folder"),
        (("a/../../x", "x"), "'a/../../x', which climbs out of its folder"),
        (("/x", "x"), "'/x', which is absolute"),
        (special("l", tarfile.SYMTYPE, "a"), "'l', which is a symbolic link"),
        (special("l", tarfile.LNKTYPE, "ok"), "'l', which is a hard link"),
        (special("d", tarfile.CHRTYPE), "'d', which is a device"),
        (special("d", tarfile.BLKTYPE), "'d', which is a device"),
        (special("f", tarfile.FIFOTYPE), "'f', which is a FIFO"),
        (("a:b", "x"), "'a:b', which has a \":\", which no name in HDFS may have"),
        (("a//b", "x"), "'a//b', which has an empty part"),
        (("a\nb", "x"), "which has a control character"),
        (("a\udcff", "x"), "which is no UTF-8"),
        (("./ok", "x"), "'ok' more than once"),
        (("ok", None), "'ok' more than once"),
        (("ok/x", "x"), "'ok' as a file and as a folder"),
        (("n" * 256, "x"), "a name of 256 bytes, and HDFS takes 255: give it a shorter one"),
        (("n" * 256 + "/x", "x"), "a name of 256 bytes, and HDFS takes 255: give it a shorter one"),
        (("n/" * 1000 + "x", "x"), "a path of 2,001 letters and 1,001 folders, and 7,000 and 900 are the most here"),
        (("n" * 250 + "/" + "/".join(["m" * 250] * 28), "x"), "a path of 7,278 letters and 29 folders"),
        (("a/.snapshot", "x"), "'a/.snapshot', and HDFS has .snapshot for itself: rename it"),
    ],
)
def test_a_member_that_can_not_be_is_refused_before_anything_is_written(
    hdfs: FakeHdfs,
    push,  # noqa: ANN001
    member: tuple[str, str] | tarfile.TarInfo,
    said: str,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tarfile, "ENCODING", "utf-8")
        archive = tgz(("ok", "x"), member)
    done = push(archive)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.count("\n") == 1
    assert hdfs.files() == {}


def header(kind: bytes, size: int = 0, content: bytes = b"") -> bytes:
    """A member of an archive, with its content, as it would stand there."""
    info = tarfile.TarInfo("member")
    info.type, info.size = kind, size or len(content)
    return info.tobuf(tarfile.GNU_FORMAT) + content + b"\0" * (-len(content) % 512)


def extended(record: bytes) -> bytes:
    """An archive with a file of which an extended header says something."""
    line = f"{len(record) + 5:02} ".encode() + record + b"\n\n"
    return gzip.compress(header(tarfile.XHDTYPE, content=line) + header(tarfile.REGTYPE, content=b"x") + END)


END = b"\0" * 1024
ONE = header(tarfile.REGTYPE, content=b"one")


@pytest.mark.parametrize(
    "archive",
    [
        b"",
        b"PK\3\4 a zip",
        gzip.compress(b"no tar, but long enough to be taken for one" * 100),
        tgz(("a", LARGE))[:-100_000],
        tgz(("a", "x"))[:-4],
        tgz(("a", LARGE))[:-8] + b"12345678",
        tgz(("a", "x")) + tgz(("b", "x")),
        gzip.compress(ONE + END + ONE),
        gzip.compress(ONE + b"G" * 512 + ONE + END),
        gzip.compress(ONE + ONE[:100]),
        gzip.compress(header(tarfile.XHDTYPE) * 5000 + ONE + END),
        extended(b"size=many"),
        extended(b"GNU.sparse.map=a,b"),
    ],
    ids=[
        *["empty", "zip", "no tar", "half", "without its end", "spoiled", "two of them", "two in one"],
        *["a header spoiled", "a header cut off", "headers without end", "no size", "no map"],
    ],
)
def test_what_is_no_gzipped_tar_is_refused(hdfs: FakeHdfs, push, archive: bytes) -> None:  # noqa: ANN001
    done = push(archive)
    assert done.code == 2
    assert "set.tgz is no gzipped tar, or not all of one" in done.err
    assert hdfs.files() == {}


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_that_would_fill_the_memory_is_refused(hdfs: FakeHdfs, push, kind: bytes) -> None:  # noqa: ANN001
    done = push(gzip.compress(header(kind, 1 << 30) + ONE))
    assert (done.code, hdfs.files()) == (2, {})
    assert "a header of 1,073,741,824 bytes, of which 1,048,576 are the most here" in done.err


def test_a_size_below_zero_is_refused(hdfs: FakeHdfs, push) -> None:  # noqa: ANN001
    done = push(extended(b"size=-5"))
    assert (done.code, hdfs.files()) == (2, {})
    assert "has less than no bytes" in done.err


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("data", "is not absolute"),
        ("/", "is all of HDFS"),
        ("//", "is all of HDFS"),
        ("/a/../b", 'has ".." or "." in it'),
        ("/a:b", 'has a ":"'),
        ("/spark-events", "is the cluster's own"),
        ("/runs/1", "is the cluster's own"),
        ("/scratch/", "is the cluster's own"),
        ("/.push/x", "is the cluster's own"),
        ("/.reserved", "has a name that HDFS has for itself"),
    ],
)
def test_a_target_that_can_not_be_is_refused(push, target: str, why: str) -> None:  # noqa: ANN001
    done = push("nowhere.tgz", target)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f'push: TARGET is "{target}", which {why}')


def test_more_than_hdfs_has_room_for_is_refused(hdfs: FakeHdfs, push) -> None:  # noqa: ANN001
    node = {**hdfs.live["a"], "remaining": 9000}
    hdfs.live = {"a": node, "b": node, "c": {**node, "adminState": "Decommission In Progress"}}  # of one machine
    done = push(tgz(("a", "x" * 4501)))
    assert (done.code, hdfs.files()) == (2, {})
    assert "4.5 kB that HDFS does not have, which has room for 4.5 kB (9.0 kB at 2 copies of each block)" in done.err
    assert push(tgz(("a", "x" * 4500))).code == 0


def test_more_files_than_the_namenode_has_memory_for_are_refused(hdfs: FakeHdfs, push) -> None:  # noqa: ANN001
    hdfs.heap_mebibytes = 9 / 2**11  # for nine names and blocks, of which the root is one
    archive = tgz(*((f"a/{i}", "x") for i in range(3)))
    assert push(archive).code == 0
    assert push(archive).code == 0, "what is there already takes no more"
    done = push(tgz(*((f"a/{i}", "x") for i in range(6))))
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith(
        "has at least 2 files and folders that HDFS does not have, which has memory for 1 files: "
        "pack small ones into larger ones, or delete what is not needed any more\n"
    )
    assert len(hdfs.files("/data/a/")) == 3


def test_names_that_would_fill_the_memory_are_refused(push, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN001
    monkeypatch.setattr(fleet_archive, "MOST_NAMES", 5000)
    done = push(tgz(("/".join("abcdefghijklmnopqrstuvwxyz" * 2), "x")))
    assert (done.code, done.out) == (2, "")
    assert "files and folders, with paths of 5.1 kB, and 5.0 kB are the most here" in done.err
    monkeypatch.setattr(fleet_archive, "MOST_SAID", 100)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", pax_headers={"a": "b" * 60, "c": "d" * 60}) as tar:
        tar.addfile(tarfile.TarInfo("a"))
    assert "a header of 132 bytes, of which 100 are the most here" in push(packed.getvalue()).err
    monkeypatch.setattr(fleet_archive, "MOST_SAID", 132)
    assert push(packed.getvalue()).code == 0
    twice = gzip.decompress(packed.getvalue())
    twice = twice[:1024] + twice[:1024].replace(b"a=b", b"e=b").replace(b"c=d", b"f=d") + twice[1024:]
    assert "headers for all of it of more than 132 letters" in push(gzip.compress(twice)).err


def test_an_address_is_a_source_and_what_follows_its_path_stays_a_secret(hdfs: FakeHdfs, push) -> None:  # noqa: ANN001
    archive = tgz(*FILES)
    with serving(lambda handler, _: say(handler, archive, 200 if "secret" in handler.path else 403)) as place:
        assert push(f"http://{place}/set.tgz?signature=secret").code == 0
        done = push(f"http://{place}/set.tgz?signature=old")
    assert done.err == (
        f"push: http://{place}/set.tgz answers with status 403: is the address right, and still valid?\n"
    )
    assert "does not answer: Connection refused" in push(f"http://{place}/set.tgz?signature=secret").err


def test_the_standard_input_is_a_source(hdfs: FakeHdfs, push, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN001
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(tgz(*FILES))))
    assert push("-").code == 0
    assert hdfs.files()["/data/a/one.txt"] == b"one"


def test_a_namenode_that_is_not_there_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = call(capsys, "push", "--namenode", "127.0.0.1:1", tmp_path / "x", "/data")
    assert done == (1, "", "push: the namenode 127.0.0.1:1 does not answer: Connection refused\n")
    assert call(capsys, "push", "--namenode", "there", tmp_path / "x", "/data").code == 2
