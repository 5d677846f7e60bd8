"""Steps that go on until somebody asks for their end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import steps_support  # noqa: F401

import step_endless  # isort: skip
from step_runner import ProgramError, StepError  # isort: skip


class Program:
    """Ends again and again, after so many seconds and with such a code each time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *ends: tuple[float, int]) -> None:
        self.ends: Iterator[tuple[float, int]] = iter(ends)
        self.now, self.waits, self.said = 0.0, [], []
        monkeypatch.setattr(step_endless.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(step_endless.time, "sleep", self.waits.append)

    def execute(self) -> None:
        seconds, code = next(self.ends)
        self.now += seconds
        if code:
            raise ProgramError(code, f"exit {code}")

    def keep(self, goes_on: bool = True) -> None:
        step_endless.keep_running(self.execute, lambda: goes_on, self.said.append)


def test_it_is_started_again_until_it_ends_with_0(monkeypatch: pytest.MonkeyPatch) -> None:
    program = Program(monkeypatch, *[(1, 137)] * 4, (60, 1), (1, 137), (5, 0))
    program.keep()
    assert program.waits == [2, 4, 8, 16, 1, 2]
    assert program.said[0] == "exit 137: it is started again"


@pytest.mark.parametrize(("ends", "tries"), [([(1, 1)] * 9, 5), ([(100, 2)], 1)])
def test_what_would_not_help_is_not_done(
    monkeypatch: pytest.MonkeyPatch, ends: list[tuple[float, int]], tries: int
) -> None:
    program = Program(monkeypatch, *ends)
    with pytest.raises(ProgramError):
        program.keep()
    assert len(program.said) == tries - 1


def test_nothing_is_started_again_when_the_end_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    program = Program(monkeypatch, (100, 1))
    with pytest.raises(ProgramError):
        program.keep(goes_on=False)


def test_other_problems_are_not_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    program = Program(monkeypatch)
    monkeypatch.setattr(program, "execute", lambda: (_ for _ in ()).throw(StepError("the deadline has passed")))
    with pytest.raises(StepError, match="deadline"):
        program.keep()
