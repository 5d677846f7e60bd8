"""Installed requirements that are kept for later runs: made once, whole, and never taken from under a run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from steps_support import ROOT

sys.path.append(str(ROOT / "assets" / "driver"))
import kept

LINES = ["a==1 --hash=sha256:00"]


class Pip:
    """Installs a module and a data file, and counts how often."""

    def __init__(self, seconds: float = 0) -> None:
        self.seconds, self.calls = seconds, 0

    def __call__(self, site: Path) -> None:
        self.calls += 1
        time.sleep(self.seconds)
        (site / "a").mkdir(parents=True)
        (site / "a" / "__init__.py").write_text("answer = 42\n")
        (site / "a" / "data").write_bytes(b"0" * 1_000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "requirements"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "lock")


def test_what_is_kept_is_installed_once_and_for_its_user_alone(folder: Path) -> None:
    pip = Pip()
    places = [kept.keep(folder, LINES, pip) for _ in range(3)]
    assert places == [folder / kept.key(LINES)] * 3 and pip.calls == 1
    assert (places[0] / "site" / "a" / "__init__.py").read_text() == "answer = 42\n"
    assert [path.stat().st_mode & 0o777 for path in (folder, places[0])] == [0o700] * 2
    assert json.loads((places[0] / "made.json").read_text())["bytes"] == 1_012  # as `oneoff doctor` adds it up


def test_two_at_once_install_once(folder: Path) -> None:
    pip = Pip(seconds=0.2)
    with ThreadPoolExecutor(2) as threads:
        places = list(threads.map(lambda _: kept.keep(folder, LINES, pip), range(2)))
    assert places[0] == places[1] and pip.calls == 1


def test_the_name_has_all_that_decides_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {kept.key(LINES), kept.key(["a==1 --hash=sha256:01"]), kept.key([*LINES, "b==1 --hash=sha256:00"])}
    assert kept.key(["x", "y"]) == kept.key(["y", "x"])
    monkeypatch.setattr(sysconfig, "get_platform", lambda: "macosx-11-arm64")
    found.add(kept.key(LINES))
    monkeypatch.setattr(sys.implementation, "cache_tag", "cpython-399")
    found.add(kept.key(LINES))
    assert len(found) == 5


def rewrite(path: Path) -> None:
    """As `cp -p` does. A Mac is not asked when it was changed."""
    times = path.stat()
    path.write_bytes(b"1" * times.st_size)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns + (sys.platform != "linux")))


CHANGES: dict[str, Callable[[Path], object]] = {
    "a file is another": lambda place: (place / "site" / "a" / "data").write_bytes(b"1"),
    "a file is newer": lambda place: os.utime(place / "site" / "a" / "data", (1, 1)),
    "a file is another of that size and age": lambda place: rewrite(place / "site" / "a" / "data"),
    "a file is gone": lambda place: (place / "site" / "a" / "data").unlink(),
    "a file is more": lambda place: (place / "site" / "b.py").write_text(""),
    "all is gone": lambda place: shutil.rmtree(place / "site"),
    "a link": lambda place: ((place / "site").rename(place / "b"), (place / "site").symlink_to(place / "b")),
    "open to others": lambda place: place.chmod(0o755),
    "nothing says how it was made": lambda place: (place / "made.json").unlink(),
    "what says how it was made is cut off": lambda place: (place / "made.json").write_text('{"bytes"'),
    "no folder": lambda place: (shutil.rmtree(place), place.write_text("")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_not_as_it_was_made_is_made_anew(
    change: Callable[[Path], object], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pip = Pip()
    place = kept.keep(folder, LINES, pip)
    assert place and capsys.readouterr().out == ""
    change(place)
    assert kept.keep(folder, LINES, pip) == place and pip.calls == 2
    assert capsys.readouterr().out == f"{place} is not as it was made; it is installed anew\n"
    assert (place / "site" / "a" / "data").read_bytes() == b"0" * 1_000
    assert kept.keep(folder, LINES, pip) == place and pip.calls == 2


def test_another_users_is_not_taken(folder: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give a file away")
    pip = Pip()
    place = kept.keep(folder, LINES, pip)
    assert place
    os.chown(place, 12_345, -1)
    assert kept.keep(folder, LINES, pip) == place and pip.calls == 2
    os.chown(folder, 12_345, -1)
    with pytest.raises(PermissionError, match="its user alone"):
        kept.keep(folder, LINES, pip)


def test_a_folder_that_others_may_open_is_not_used(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o770)
    with pytest.raises(PermissionError, match=f"{folder} is not a folder that its user alone may open"):
        kept.keep(folder, LINES, pytest.fail)


def test_what_fails_or_is_killed_leaves_nothing(folder: Path) -> None:
    def fail(site: Path) -> None:
        Pip()(site)
        sys.exit("pip could not install a")

    with pytest.raises(SystemExit):
        kept.keep(folder, LINES, fail)
    assert names(folder) == []
    half = folder / f".{kept.key(LINES)}"
    Pip()(half / "site")
    other = folder / f".{kept.key(['b'])}"
    Pip()(other / "site")
    pip = Pip()
    kept.keep(folder, LINES, pip)
    assert names(folder) == [kept.key(LINES)] and pip.calls == 1


def test_what_a_disk_has_no_room_for_is_not_begun(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "LEAST_FREE", 1 << 62)
    with pytest.raises(OSError, match="MB of its disk are free"):
        kept.keep(folder, ["a==1 --hash=sha256:00"], lambda _: pytest.fail("it was installed"))
    assert names(folder) == []


def hold_elsewhere(place: Path) -> subprocess.Popen[bytes]:
    """A run, as far as its hold goes."""
    code = "import kept, pathlib, sys, time; print(kept.hold(pathlib.Path(sys.argv[1])), flush=True); time.sleep(60)"
    env = {**os.environ, "PYTHONPATH": str(ROOT / "assets" / "driver")}
    run = subprocess.Popen([sys.executable, "-c", code, place], env=env, stdout=subprocess.PIPE)
    assert run.stdout and run.stdout.readline() == b"True\n"
    return run


def test_the_least_lately_used_go_but_not_from_under_a_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_SETS", 3)
    sets = [[f"{name}==1 --hash=sha256:00"] for name in "abcdef"]
    called = [kept.key(lines) for lines in sets]
    for age, lines in enumerate(sets[:3]):
        place = kept.keep(folder, lines, Pip())
        assert place
        os.utime(place, (age, age))
    run = hold_elsewhere(folder / called[0])
    try:
        kept.keep(folder, sets[1], pytest.fail)  # is used again
        kept.keep(folder, sets[3], Pip())
        assert names(folder) == sorted(called[:4]), "one too many, but that a run has"
        (folder / called[0] / "site" / "a" / "data").unlink()
        assert kept.keep(folder, sets[0], pytest.fail) is None, "nor is it made anew"
    finally:
        run.kill()
        run.wait()
        run.stdout.close()  # type: ignore[union-attr]
    kept.keep(folder, sets[4], Pip())
    assert names(folder) == sorted(called[n] for n in (1, 3, 4))
    monkeypatch.setattr(kept, "MOST_BYTES", 2_500)
    kept.keep(folder, sets[5], Pip())
    assert names(folder) == sorted(called[n] for n in (4, 5))


def test_what_is_gone_cannot_be_held(folder: Path) -> None:
    assert not kept.hold(folder / "0")


# With run.py and pip -------------------------------------------------------------------------------------------------


def wheel(folder: Path) -> str:
    """Makes a package that is nowhere else; what a requirements file says of it."""
    path = folder / "oneoff_test_module-1.0-py3-none-any.whl"
    info = "oneoff_test_module-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("oneoff_test_module.py", "answer = 42\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: oneoff-test-module\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return f"oneoff-test-module==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def run_once(
    home: Path, run: str, requirements: str, folder: Path, code: str, master: str = "local[1]"
) -> tuple[dict, str]:
    """Runs a step that is but a Python program; the run's record, and what was said of its requirements."""
    work = home / f"work-{run}"
    for folder_of in ("driver", "steps"):
        shutil.copytree(ROOT / "assets" / folder_of, work / "code", dirs_exist_ok=True)
    shutil.copy(ROOT / "assets" / "jobs" / "oneoff.py", work / "code")
    (work / "secrets").mkdir()
    (home / "requirements.txt").write_text(requirements)
    program = home / "step"
    program.write_text(f"#!{sys.executable}\n{code}\n")
    program.chmod(0o755)
    step = {
        "name": "a",
        "command": [str(program)],
        "pythonPath": [],
        "timeLimitSeconds": 60,
        "endless": False,
        "leaves": [],
    }
    spec = {
        **{"run": run, "job": "j", "lake": str(home / "lake"), "stage": None, "scratch": str(work / "scratch")},
        **{"work": str(work), "deadlineSeconds": 60, "master": master, "masterPage": None, "tables": []},
        **{"steps": [{**step, "requirements": str(home / "requirements.txt")}]},
        **{"secretsFile": None, "secretsCommand": None, "exactRequirements": False, "origin": None},
    }
    (home / "spec.json").write_text(json.dumps(spec))
    options = ["--spec", home / "spec.json", "--quiet", "--kept", folder]
    env = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(home)}
    subprocess.run([sys.executable, work / "code" / "run.py", *options], env=env, check=False)
    assert not work.exists()
    record = json.loads((home / "lake" / "_runs" / f"{run}.json").read_text())
    return record, (home / "lake" / "_logs" / run / "requirements.log").read_text()


def test_a_run_has_what_an_earlier_one_installed(folder: Path, tmp_path: Path) -> None:
    line = wheel(tmp_path)
    where = "import oneoff_test_module as m, os; assert m.answer == 42; print(os.path.realpath(m.__file__))"
    record, said = run_once(tmp_path, "1", f"{line}\n", folder, where)
    assert (record["state"], said) == ("succeeded", "")
    (name,) = names(folder)
    (tmp_path / "oneoff_test_module-1.0-py3-none-any.whl").rename(tmp_path / "gone")
    # While it runs it is held, and Python leaves nothing in it.
    held = f"""{where}
import fcntl
opened = os.open({str(folder / name)!r}, os.O_RDONLY)
try:
    fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    raise SystemExit(0)
raise SystemExit("nobody holds it")
"""
    record, _ = run_once(tmp_path, "2", f"{line}\n", folder, held)
    assert record["state"] == "succeeded", record
    printed = [(tmp_path / "lake" / "_logs" / run / "a.log").read_text() for run in "12"]
    assert printed == [f"{folder / name / 'site' / 'oneoff_test_module.py'}\n"] * 2
    # Executors elsewhere get the packages themselves, and no link to where they are on this machine.
    packed = "import sys, tarfile; print(*tarfile.open(sys.argv[sys.argv.index('--archives') + 1][:-5]).getnames())"
    record, _ = run_once(tmp_path, "3", f"{line}\n", folder, packed, "spark://127.0.0.1:1")
    assert record["state"] == "succeeded", record
    assert "./oneoff_test_module.py" in (tmp_path / "lake" / "_logs" / "3" / "a.log").read_text().split()
    assert kept.keep(folder, [line], pytest.fail) == folder / name


def test_what_cannot_be_kept_is_installed_for_the_run_alone(folder: Path, tmp_path: Path) -> None:
    line = wheel(tmp_path)
    code = "import oneoff_test_module"
    record, _ = run_once(tmp_path, "1", line.partition(" ")[0], folder, code)
    assert record["state"] == "succeeded" and not folder.exists(), "it is not pinned by a hash"
    folder.parent.mkdir()
    folder.write_text("no folder")
    record, said = run_once(tmp_path, "2", line, folder, code)
    assert record["state"] == "succeeded" and "requirements are not kept for other runs: " in said
