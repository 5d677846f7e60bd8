"""update.sh of the dashboard's instance, with stubs for AWS, systemd and the dashboard."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from emr_support import ROOT, Node

pytest_plugins = "emr_fixtures"

SCRIPT = ROOT / "assets" / "dashboard" / "instance" / "aws" / "update.sh"
A, B, C = "a" * 16, "b" * 16, "c" * 16


class Instance(Node):
    """An instance whose service is the release that `current` named when it was last restarted."""

    @property
    def opt(self) -> Path:
        return self.home / "opt"

    @property
    def source(self) -> Path:
        return self.home / "s3" / "lake" / "_dashboard" / "d"

    def publish(self, digest: str) -> None:
        """Makes a release and has `current` name it."""
        (self.source / digest / "page").mkdir(parents=True, exist_ok=True)
        for name in ("index.mjs", "config.json", "page/index.html"):
            (self.source / digest / name).write_text(f"{digest} {name}\n")
        (self.source / "current").write_text(f"{digest}\n")

    def update(self, patience: int = 2) -> subprocess.CompletedProcess[str]:
        settings = {
            "SOURCE": "s3://lake/_dashboard/d",
            "PORT": "8765",
            "HOME": str(self.opt),
            "PATIENCE": str(patience),
        }
        return self.run("bash", SCRIPT, **{f"ONEOFF_{name}": value for name, value in settings.items()})

    def releases(self) -> list[str]:
        return sorted(path.name for path in (self.opt / "releases").iterdir())

    def restarts(self) -> int:
        return len([call for call in self.calls if call == "systemctl restart oneoff-dashboard.service"])

    def running(self) -> str:
        return (self.home / "running").read_text().strip()

    def break_release(self, digest: str) -> None:
        """It will not answer."""
        (self.home / f"broken-{digest}").touch()


@pytest.fixture
def instance(node: Node) -> Instance:
    """Release A is published, none is installed."""
    instance = Instance(node.home, node.env)
    instance.stub_s3()
    instance.stub("systemctl", 'basename "$(readlink "$HOME/opt/current")" >"$HOME/running"')
    answer = '{"name":"oneoff-dashboard","token":"t","pid":1}'
    instance.stub("curl", f"""[ ! -e "$HOME/broken-$(cat "$HOME/running")" ] && echo '{answer}'""")
    instance.publish(A)
    return instance


def test_fresh(instance: Instance) -> None:
    done = instance.update()
    assert (done.returncode, done.stderr) == (0, "")
    assert (instance.releases(), instance.running(), instance.restarts()) == ([A], A, 1)
    assert (instance.opt / "current" / "config.json").read_text() == f"{A} config.json\n"
    assert (instance.opt / "current" / "page" / "index.html").stat().st_mode & 0o777 == 0o644


def test_unchanged(instance: Instance) -> None:
    instance.update()
    before = instance.calls
    done = instance.update()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert instance.calls[len(before) :] == ["aws s3 cp --only-show-errors s3://lake/_dashboard/d/current -"]


def test_new_releases_and_the_one_before(instance: Instance) -> None:
    for digest, there in ((A, [A]), (B, [A, B]), (C, [B, C])):
        instance.publish(digest)
        assert instance.update().returncode == 0
        assert (instance.running(), instance.releases()) == (digest, there)
    downloads = len([call for call in instance.calls if "--recursive" in call])
    instance.publish(B)  # back to what is still there
    assert instance.update().returncode == 0
    assert (instance.running(), instance.releases()) == (B, [B, C])
    assert len([call for call in instance.calls if "--recursive" in call]) == downloads == 3


def test_a_broken_release_is_taken_back_and_not_tried_again(instance: Instance) -> None:
    instance.update()
    instance.publish(B)
    instance.break_release(B)
    done = instance.update()
    assert done.returncode == 1
    assert done.stderr == f"update: release {B} did not answer within 2 s; going back to {A}\n"
    assert (instance.running(), instance.releases(), instance.restarts()) == (A, [A], 3)
    done = instance.update()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert instance.restarts() == 3
    instance.publish(C)
    assert instance.update().returncode == 0
    assert (instance.running(), instance.releases()) == (C, [A, C])


def test_the_only_release_is_tried_until_it_answers(instance: Instance) -> None:
    instance.break_release(A)
    for _ in range(2):
        done = instance.update()
        assert done.returncode == 1
        assert done.stderr == f"update: release {A} does not answer yet, and there is no other\n"
    (instance.home / f"broken-{A}").unlink()
    assert instance.update().returncode == 0
    assert instance.running() == A


def test_a_service_that_cannot_be_started_is_a_broken_release(instance: Instance) -> None:
    instance.update()
    instance.publish(B)
    instance.break_release(B)
    instance.stub("systemctl", 'basename "$(readlink "$HOME/opt/current")" >"$HOME/running"; exit 1')
    assert instance.update().returncode == 1
    assert (instance.running(), instance.releases()) == (A, [A])


def test_an_interrupted_download_leaves_nothing(instance: Instance) -> None:
    instance.update()
    instance.publish(B)
    (instance.home / "interrupted").touch()
    assert instance.update().returncode == 1
    assert (instance.running(), instance.releases(), instance.restarts()) == (A, [A], 1)
    (instance.opt / "releases" / f"{B}.new").mkdir()  # as a machine that lost power leaves it
    (instance.opt / "current.new").symlink_to("releases/x")
    (instance.home / "interrupted").unlink()
    assert instance.update().returncode == 0
    assert (instance.running(), instance.releases()) == (B, [A, B])


@pytest.mark.parametrize("missing", ["index.mjs", "config.json", "page/index.html"])
def test_a_release_that_is_not_whole_yet(instance: Instance, missing: str) -> None:
    instance.update()
    instance.publish(B)
    (instance.source / B / missing).unlink()
    done = instance.update()
    assert done.returncode == 1
    assert done.stderr == f"update: release {B} lacks {missing}; keeping what there is\n"
    assert (instance.running(), instance.releases(), instance.restarts()) == (A, [A], 1)


def test_killed_while_it_switched(instance: Instance) -> None:
    instance.update()
    instance.publish(B)
    instance.stub("systemctl", 'kill -KILL "$PPID"')
    assert instance.update().returncode != 0
    instance.stub("systemctl", 'basename "$(readlink "$HOME/opt/current")" >"$HOME/running"')
    assert instance.running() == A
    assert instance.update().returncode == 0
    assert instance.running() == B


@pytest.mark.parametrize("digest", ["", "../../etc", "ABC DEF"])
def test_what_is_no_digest(instance: Instance, digest: str) -> None:
    (instance.source / "current").write_text(digest)
    done = instance.update()
    assert done.returncode == 1
    assert done.stderr.endswith("which is no digest\n")
    assert instance.restarts() == 0


def test_no_release_was_published(instance: Instance) -> None:
    (instance.source / "current").unlink()
    assert instance.update().returncode != 0
    assert instance.restarts() == 0


def test_one_at_a_time(instance: Instance) -> None:
    instance.opt.mkdir()
    with subprocess.Popen(["flock", instance.opt / "lock", "sleep", "30"]) as other:
        while subprocess.run(["flock", "-n", instance.opt / "lock", "true"], check=False).returncode == 0:
            pass
        done = instance.update()
        other.kill()
    assert (done.returncode, done.stdout, instance.calls) == (0, "", [])
