"""software.py and job_python.py with small packages, and a folder as the lake."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import job_python
import pytest
import software
from fleet_support import Called

FLEET = Path(software.__file__).parent
# What stands in for the AWS command line: notes the keys, and copies what is there. `broken` has keys that don't come.
FETCH = """
import pathlib, shutil, sys
lake, folder, *keys = map(pathlib.Path, sys.argv[1:])
with (lake / "asked").open("a") as asked:
    asked.writelines(f"{key}\\n" for key in keys)
broken = (lake / "broken").read_text() if (lake / "broken").exists() else ""
for key in keys:
    if (lake / key).exists() and str(key) not in broken:
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(lake / key, folder / key)
    else:
        print(f"{key} is not in the lake", file=sys.stderr)
"""
# Makes a wheel of a source without anything that isn't Python's own.
BACKEND = """
import zipfile
def build_wheel(folder, *_):
    with zipfile.ZipFile(f"{folder}/made-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("made.py", "VERSION = '1.0'")
        wheel.writestr("made-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: made\\nVersion: 1.0\\n")
        wheel.writestr("made-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("made-1.0.dist-info/RECORD", "")
    return "made-1.0-py3-none-any.whl"
"""


def wheel(name: str, version: str) -> bytes:
    """A package of one module, that says its version."""
    about = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    hashes = {path: hashlib.sha256(text.encode()).digest() for path, text in files.items()}
    encoded = {path: base64.urlsafe_b64encode(digest).decode().rstrip("=") for path, digest in hashes.items()}
    files[f"{about}/RECORD"] = "".join(f"{path},sha256={digest},\n" for path, digest in encoded.items())
    return zip_of(files)


def zip_of(files: Mapping[str, str]) -> bytes:
    """A zip file."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as opened:
        for path, text in files.items():
            opened.writestr(zipfile.ZipInfo(path), text)  # of the same time always
    return data.getvalue()


def source() -> bytes:
    """A package that has to be made into a wheel."""
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as opened:
        for path, text in {"pyproject.toml": project, "backend.py": BACKEND}.items():
            info = tarfile.TarInfo(f"made-1.0/{path}")
            info.size = len(text)
            opened.addfile(info, io.BytesIO(text.encode()))
    return data.getvalue()


class Lake:
    """A folder, with manifests as assets/fleet-stager makes them."""

    def __init__(self, folder: Path) -> None:
        """An empty one."""
        self.folder = folder
        folder.mkdir()
        (folder / "fetch.py").write_text(FETCH)

    def put(self, key: str, data: bytes) -> None:
        """An object."""
        (self.folder / key).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / key).write_bytes(data)

    def entry(self, part: str, kind: str, name: str, data: bytes) -> dict[str, str]:
        """A file of a manifest, which is put there."""
        digest = hashlib.sha256(data).hexdigest()
        key = f"_software/{digest}/{name.rpartition('/')[2]}"
        self.put(key, data)
        return {"part": part, "kind": kind, "name": name, "key": key, "sha256": digest}

    def manifest(self, *entries: dict[str, str]) -> str:
        """Its digest."""
        data = json.dumps(entries).encode()
        digest = hashlib.sha256(data).hexdigest()
        self.put(f"_software/manifests/{digest}.json", data)
        return digest

    def asked(self) -> list[str]:
        """Names of files that were asked for since it was asked the last time."""
        file = self.folder / "asked"
        keys = file.read_text().split() if file.exists() else []
        file.unlink(missing_ok=True)
        return sorted(key.rpartition("/")[2] for key in keys)

    def fetch(self) -> list[str]:
        """What reads it."""
        return [sys.executable, str(self.folder / "fetch.py"), str(self.folder)]


@pytest.fixture(scope="module")
def scripts() -> dict[str, bytes]:
    """Those that a node needs for environments of jobs."""
    return {f"fleet/{name}": (FLEET / name).read_bytes() for name in ("software.py", "job_python.py", "run-python")}


class Site:
    """A lake and a node."""

    def __init__(self, folder: Path) -> None:
        """Nothing is installed yet."""
        self.lake = Lake(folder / "lake")
        self.root = folder / "node"

    def install(self, capsys: pytest.CaptureFixture[str], digest: str, *options: str) -> Called:
        """Runs software.py."""
        python = ("--python", sys.executable)
        where = ("--root", self.root, *python, *options, "--fetch", *self.lake.fetch())
        code, why = 0, ""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["software", "install", "--manifest", digest, *map(str, where)])
            try:
                software.run("software", software.main)
            except SystemExit as error:
                code, why = 1, str(error.code)
        out, err = capsys.readouterr()
        return Called(code, out, f"{err}{why}")

    def python(self, requirements: str, *arguments: str) -> subprocess.Popen[str]:
        """Runs run-python, as Spark does."""
        env = {**os.environ, "ONEOFF_SOFTWARE": str(self.root), "ONEOFF_REQUIREMENTS": requirements, "PYTHONPATH": "/x"}
        words = [str(self.root / "scripts/fleet/run-python"), *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(words, env=env, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def says(self, requirements: str, program: str) -> str:
        """What a program prints in that Python."""
        with self.python(requirements, "-c", program) as running:
            out, err = running.communicate()
        assert running.returncode == 0, err
        return out.strip()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An empty one."""
    return Site(tmp_path)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, scripts: dict[str, bytes]) -> Site:
    """A node that has everything."""
    site = Site(tmp_path_factory.mktemp("installed"))
    entry = site.lake.entry
    pages = {"webapps/hdfs/index.html": "a page", "webapps/hdfs/js/x.js": "", "org/Test.class": "a test"}
    digest = site.lake.manifest(
        *(entry("scripts", "script", name, data) for name, data in scripts.items()),
        entry("hadoop", "jar", "hdfs-1.jar", b"a jar"),
        entry("hadoop", "jar", "hdfs-1-tests.jar", zip_of(pages)),
        entry("python", "wheel", "base-1.0-py3-none-any.whl", wheel("base", "1.0")),
        entry("python", "wheel", "both-1.0-py3-none-any.whl", wheel("both", "1.0")),
        entry("python", "sdist", "made-1.0.tar.gz", source()),
        entry("jupyter", "wheel", "lab-1.0-py3-none-any.whl", wheel("lab", "1.0")),
        entry("scoring", "script", "scoring/page/page.css", b"body {}"),
        entry("scoring", "wheel", "both-1.0-py3-none-any.whl", wheel("both", "1.0")),
        entry("yarn", "script", "yarn/entrypoint", b"#!/bin/sh"),
        entry("yarn", "jar", "yarn-1.jar", b"a jar"),
    )
    words = [sys.executable, str(FLEET / "software.py"), "install", "--root", str(site.root), "--python"]
    more = [sys.executable, "--manifest", digest, "--fetch", *site.lake.fetch()]
    env = {**os.environ, "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PYTHONPATH": "/x"}
    done = subprocess.run([*words, *more], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["made"] == ["scripts", "hadoop", "python", "jupyter", "scoring", "yarn"]
    (site.root / "digest").write_text(digest)
    site.lake.asked()
    return site


# A node ---------------------------------------------------------------------------------------------------------------


def test_a_node_has_what_its_manifest_says(installed: Site) -> None:
    root = installed.root
    assert os.access(root / "scripts/fleet/run-python", os.X_OK)
    assert not os.access(root / "scripts/fleet/software.py", os.X_OK)
    assert os.access(root / "yarn/yarn/entrypoint", os.X_OK)
    assert (root / "yarn/lib/yarn-1.jar").read_bytes() == b"a jar"
    hadoop = root / "hadoop"
    assert sorted(str(path.relative_to(hadoop)) for path in hadoop.rglob("*") if path.is_file()) == [
        "lib/hdfs-1.jar",
        "webapps/hdfs/index.html",
        "webapps/hdfs/js/x.js",
    ]
    program = "import base, both, made; print(base.VERSION, both.VERSION, made.VERSION)"
    assert installed.says("", program) == "1.0 1.0 1.0"
    with_jupyter = f"import sys; sys.path.append({str(root / 'jupyter')!r}); import lab; print(lab.VERSION)"
    assert installed.says("", with_jupyter) == "1.0"
    assert (root / "scoring/scoring/page/page.css").read_text() == "body {}"
    assert (root / "scoring/packages/both.py").exists()
    assert not (root / "work").exists()


def test_a_second_call_does_nothing(installed: Site, capsys: pytest.CaptureFixture[str]) -> None:
    done = installed.install(capsys, (installed.root / "digest").read_text())
    assert done.code == 0
    assert json.loads(done.out) | {"seconds": 0} == {"made": [], "bytes": 0, "seconds": 0}
    assert installed.lake.asked() == []


def test_one_that_was_broken_off_goes_on(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    jars = [site.lake.entry("hadoop", "jar", f"{name}.jar", name.encode()) for name in "abcdef"]
    digest = site.lake.manifest(*jars, site.lake.entry("scripts", "script", "x/go.py", b"print()"))
    (site.lake.folder / "broken").write_text(jars[2]["key"])
    done = site.install(capsys, digest)
    why = f"software: {jars[2]['key']} did not come from the lake: {jars[2]['key']} is not in the lake"
    assert (done.code, done.err.strip()) == (1, why)
    assert not (site.root / "hadoop").exists() and not (site.root / "scripts").exists()
    site.lake.asked()
    (site.lake.folder / "broken").unlink()
    # What a call that was killed left of a part.
    place = site.root / "parts" / f"hadoop-{software.digest_of([software.Entry(**jar) for jar in jars])}"
    (place / "lib").mkdir(parents=True)
    (place / "lib/strange.jar").touch()
    assert site.install(capsys, digest).code == 0
    assert site.lake.asked() == ["c.jar"]
    assert sorted(path.name for path in (site.root / "hadoop/lib").iterdir()) == [f"{name}.jar" for name in "abcdef"]


def test_another_file_than_the_manifests_is_refused(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    jar = site.lake.entry("hadoop", "jar", "a.jar", b"what was staged")
    digest = site.lake.manifest(jar)
    site.lake.put(jar["key"], b"what somebody put there")
    found = hashlib.sha256(b"what somebody put there").hexdigest()
    done = site.install(capsys, digest)
    assert done.code == 1
    assert done.err.strip() == (
        f"software: {jar['key']} has the SHA-256 {found} and not {jar['sha256']}: "
        "it is another file, and was not installed"
    )
    assert not (site.root / "hadoop").exists()
    assert not (site.root / "work" / jar["key"]).exists()


def test_another_manifest_at_its_place_is_refused(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    digest = site.lake.manifest(site.lake.entry("hadoop", "jar", "a.jar", b"a"))
    site.lake.put(f"_software/manifests/{digest}.json", b"[]")
    assert "it is another file, and was not installed" in site.install(capsys, digest).err


def test_another_manifest_leaves_what_runs(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    script = site.lake.entry("scripts", "script", "go.sh", b"#!/bin/sh\necho 1\n")
    jar = site.lake.entry("hadoop", "jar", "a.jar", b"a")
    assert site.install(capsys, site.lake.manifest(script, jar)).code == 0
    before = (site.root / "scripts").resolve()
    newer = site.lake.entry("scripts", "script", "go.sh", b"#!/bin/sh\necho 2\n")
    done = site.install(capsys, site.lake.manifest(newer, jar))
    assert json.loads(done.out)["made"] == ["scripts"]
    assert "echo 2" in (site.root / "scripts/go.sh").read_text()
    assert "echo 1" in (before / "go.sh").read_text()
    # What was there before the last release goes, but for a Python that a job's environment is of.
    used, unused = site.root / "parts/python-00", site.root / "parts/python-11"
    for place in (used, unused):
        place.mkdir()
        (place.parent / f"{place.name}.whole").touch()
    (site.root / "venvs/job-00.whole").touch()
    newest = site.lake.entry("scripts", "script", "go.sh", b"#!/bin/sh\necho 3\n")
    assert site.install(capsys, site.lake.manifest(newest, jar)).code == 0
    left = sorted(place.name for place in (site.root / "parts").iterdir() if place.is_dir())
    assert [name.partition("-")[0] for name in left] == ["hadoop", "python", "scripts", "scripts"]
    assert used.exists()
    assert not before.exists()


def test_a_part_alone(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    script = site.lake.entry("scripts", "script", "go.sh", b"#!/bin/sh\n")
    digest = site.lake.manifest(script, site.lake.entry("hadoop", "jar", "a.jar", b"a"))
    assert json.loads(site.install(capsys, digest, "--part", "hadoop").out)["made"] == ["hadoop"]
    assert not (site.root / "scripts").exists()
    assert site.install(capsys, digest, "--part", "jupyter").err.strip() == (
        "software: --part is jupyter, which the manifest hasn't: it has scripts, hadoop"
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"name": "../a.sh"}, 'the manifest has "../a.sh" at'),
        ({"name": "/etc/a.sh"}, 'the manifest has "/etc/a.sh" at'),
        ({"key": "_runs/a.sh"}, 'at "_runs/a.sh", which nothing here can be'),
        ({"kind": "rpm"}, "which nothing here can be"),
        ({"part": "torch"}, "the manifest has torch, which only a newer software.py knows"),
        ({"more": "1"}, "the manifest is none that this software.py knows"),
    ],
)
def test_a_manifest_of_something_else_is_refused(
    site: Site, capsys: pytest.CaptureFixture[str], change: dict[str, str], why: str
) -> None:
    entry = site.lake.entry("scripts", "script", "a.sh", b"#!/bin/sh\n")
    done = site.install(capsys, site.lake.manifest({**entry, **change}))
    assert done.code == 1
    assert why in done.err
    assert not (site.root / "parts").exists()


def test_what_is_no_digest_is_refused(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.install(capsys, "../x").err.strip() == (
        'software: "../x" is no digest of a manifest: expected 64 digits of a SHA-256'
    )


def test_the_aws_command_line_fetches_many_at_once() -> None:
    words = software.Lake("the-lake", ()).command(Path("/w"), ["_software/1/a.jar", "_software/manifests/2.json"])
    assert words == [
        *("aws", "s3", "cp", "--recursive", "--only-show-errors", "--exclude", "*"),
        *("--include", "1/a.jar", "--include", "manifests/2.json", "s3://the-lake/_software/", "/w/_software/"),
    ]


# A job ----------------------------------------------------------------------------------------------------------------

SHOW = "import sys, own, both, base; print(own.VERSION, both.VERSION, base.VERSION, sys.path.count('/x'))"


def job(lake: Lake, version: str) -> str:
    """What one requires: a package of its own, and another version of one that the node has."""
    packages = {"own": version, "both": "2.0"}
    return lake.manifest(
        *(
            lake.entry("venv", "wheel", f"{name}-{found}-py3-none-any.whl", wheel(name, found))
            for name, found in packages.items()
        )
    )


def test_a_job_has_its_packages_on_top_of_the_nodes(installed: Site) -> None:
    digest = job(installed.lake, "1.0")
    both = [installed.python(digest, "-c", SHOW) for _ in range(2)]
    said = [each.communicate() for each in both]
    # What is for the job's Python is for that alone.
    assert [out.strip() for out, _ in said] == ["1.0 2.0 1.0 1"] * 2, said
    assert installed.lake.asked() == sorted([f"{digest}.json", "both-2.0-py3-none-any.whl", "own-1.0-py3-none-any.whl"])
    assert installed.says(digest, SHOW) == "1.0 2.0 1.0 1"
    assert installed.lake.asked() == []
    assert installed.says("", "import both; print(both.VERSION)") == "1.0"
    arguments = ["-c", "import sys; print(sys.argv[1:])", "--", "-m", "a b"]
    with installed.python(digest, *arguments) as running:
        assert running.communicate()[0].strip() == "['--', '-m', 'a b']"


def test_a_jobs_packages_alone_are_brought_once(installed: Site, tmp_path: Path) -> None:
    digest = job(installed.lake, "3.0")
    folder = tmp_path / "runs/1/wheels"
    installed.lake.asked()
    job_python.bring_packages(installed.root, digest, folder)
    names = ["both-2.0-py3-none-any.whl", "own-3.0-py3-none-any.whl"]
    assert sorted(path.name for path in folder.iterdir()) == names
    (folder / names[1]).write_bytes(b"half of i")
    installed.lake.asked()
    job_python.bring_packages(installed.root, digest, folder)
    assert installed.lake.asked() == sorted([f"{digest}.json", names[1]])
    assert (folder / names[1]).read_bytes() == wheel("own", "3.0")


@pytest.mark.parametrize(
    ("digest", "why"),
    [
        ("nonsense", 'job_python: "nonsense" is no digest of a manifest: expected 64 digits of a SHA-256'),
        ("0" * 64, f"_software/manifests/{'0' * 64}.json did not come from the lake"),
    ],
)
def test_a_job_whose_requirements_are_not_there_is_told_so(installed: Site, digest: str, why: str) -> None:
    with installed.python(digest, "-c", "print(1)") as running:
        out, err = running.communicate()
    assert (running.returncode, out) == (1, "")
    assert why in err and "Traceback" not in err
    assert not list((installed.root / "venvs").glob(f"{digest[:32]}*.whole"))


def test_who_may_not_make_an_environment_is_told_who_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: int) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(job_python.os, "open", refuse)
    with pytest.raises(software.SoftwareError) as refused:
        job_python.hold_venv(tmp_path, "1" * 64)
    said = str(refused.value)
    assert f"{tmp_path / 'venvs'} is not this account's to write to" in said
    assert said.endswith(f"job_python.py venv {'1' * 64} makes it")


def test_what_is_used_least_goes_unless_something_runs_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_python, "MOST_VENVS", 2)
    (tmp_path / "python").mkdir()
    venvs = tmp_path / "venvs"
    venvs.mkdir()
    monkeypatch.setattr(job_python, "bring_venv", lambda _node, _digest, place: software.make_whole(place, Path.mkdir))
    held: list[int] = []
    before = time.time() - 100
    for number in range(5):
        place, opened = job_python.hold_venv(tmp_path, f"{number}" * 64)
        os.utime(software.stamp_of(place), (before + number, before + number))
        if number == 1:
            held.append(opened)
        else:
            os.close(opened)
    names = sorted(path.name[0] for path in venvs.glob("*.whole"))
    assert names == ["1", "3", "4"]
    assert sorted(path.name[0] for path in venvs.iterdir() if path.is_dir()) == names
    os.close(held[0])
