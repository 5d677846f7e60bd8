"""Why a program failed, in one line, by what it printed and how it ended."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

MOST = 600  # characters of a reason
_LONGEST = 2000  # characters of a line that are looked at
_MOST_LINES = 20_000
_MESSAGE_LINES = 3  # of an exception
_LAST_LINES = 3  # where nothing tells which line is the error
_KILLED = (-9, 137)  # exit codes of a program that was sent SIGKILL
_BINARY = 0.1  # of a line's characters that are none

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\r\n]*(?:\x07|\x1b\\|$)|[ -/]*[0-~])")
# Control characters, those that turn the direction of text, and what was no UTF-8.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffd]")

_LOGGED = re.compile(  # as Spark and Python's logging print it
    r"\[?\d[\d/.:T,Z-]* .{0,60}?\b(?P<level>TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|CRITICAL)\b"
    r"|(?P<python>DEBUG|INFO|WARNING|ERROR|CRITICAL):[\w.]+:"
)
_QUIET = ("TRACE", "DEBUG", "INFO", "WARN", "WARNING")
_CHATTER = re.compile(
    r"\[oneoff\]|(?:NOTE: )?Picked up \w+_OPTIONS: |(?:WARNING|WARN|NOTE|INFO|DEBUG): |SLF4J: |:: |sys:1: "
    r"|Setting default log level |To adjust logging level |Using Spark's default log4j |Using properties file: "
    r"|Exception ignored in"
)
_TRACEBACK = "Traceback (most recent call last):"
_LINKS = {
    "The above exception was the direct cause of the following exception:": "caused by",
    "During handling of the above exception, another exception occurred:": "while handling",
}
_PASSED_OVER = ("Exception ignored in", "Error in atexit._run_exitfuncs")
_FRAME = re.compile(r"\s+at |\s+\.\.\. \d+ more$|Driver stacktrace:")
_EXCEPTION = re.compile(
    r'(?P<link>Caused by: |: )?(?:Exception in thread "[^"]*" )?'
    r"(?P<text>[\w.$]*(?:Error|Exception|Interrupt|Throwable)\b(?:: .*|:?$))"
)
_ERROR = re.compile(r"(?:[\w./-]+: )?(?:fatal )?error: ?\S|fatal: ", re.IGNORECASE)
_GROUP = re.compile(r"\A(?:\s*[|+](?= |-))+(?:[ -]*\d* -+$| )?")  # what stands before each line of an exception group
# What only wraps the exception that matters.
_WRAPPER = re.compile(
    r"[\w.$]*\b(?:Py4JJavaError|PythonException|InvocationTargetException|UndeclaredThrowableException"
    r"|ExecutionException|SparkUserAppException)\b|.*\b(?:[Jj]ob aborted|Task failed while writing)\b"
)
_LOST_TASK = re.compile(r"\A.*most recent failure: Lost task [^:]*: ")
# What may follow when Spark's virtual machine, an executor or its disk is gone.
_CONSEQUENCE = re.compile(
    r"Py4J(?:Network)?Error|Connection(?:Refused|Reset)|BrokenPipe|EOFError|SparkContext was shut ?down|[Jj]ob aborted"
    r"|Lost task|ExecutorLost|Answer from Java side|FetchFailed"
)
_NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded")
_NO_HEAP = re.compile(r"OutOfMemoryError|GC overhead limit exceeded|Unable to acquire \d+ bytes of memory")
_NO_CONTAINER = re.compile(
    r"(?:exceeding|beyond) (?:the )?(?:'?physical'? |'?virtual'? )?memory limit"
    r"|[Ee]xit(?:ed)? (?:with )?(?:code|status):? (?:137|52)\b"
)
_NO_MEMORY = re.compile(r"MemoryError\b|std::bad_alloc|[Cc]annot allocate memory")
_OF_EXECUTOR = re.compile(r"Lost task|ExecutorLost|Executor task launch worker|\bExecutor: ")


class Cures(NamedTuple):
    """What is to be done where a program lacked something, which is another setting on each cluster."""

    driver: str  # Spark's driver lacked memory
    executor: str  # an executor did
    killed: str  # another program did, or was killed
    space: str  # a disk is full: says so too


def why(code: int, output: str, errors: str, cures: Cures) -> str:
    """Why a program failed: what it lacked with the cure, where that can be told, else what it says itself.

    code: its exit code, or minus the signal that ended it. output, errors: what it printed, or the end of it.
    """
    said, is_certain = _problem(output, errors)
    # Where what a program says is but what followed, what came before it tells.
    more = [] if is_certain and not _CONSEQUENCE.search(said) else [*_lines(errors), *_lines(output)]
    if line := _first(_NO_SPACE, said, *more):
        return _bounded(f"{cures.space}: {line}")
    if line := _first(_NO_CONTAINER, said, *more):
        return _bounded(f"memory ran out, {cures.executor}: {line}")
    if line := _first(_NO_HEAP, said, *more):
        return _bounded(f"memory ran out, {cures.executor if _OF_EXECUTOR.search(line) else cures.driver}: {line}")
    if line := _first(_NO_MEMORY, said, *more):
        return _bounded(f"memory ran out, {cures.killed}: {line}")
    if code in _KILLED:
        return _bounded(f"it was killed; it may have taken more memory than there is, then {cures.killed}: {said}")
    return _bounded(said)


def problem(output: str, errors: str = "") -> str:
    """What a program says of its failure: its exception and the cause, or its `error:` line, or its last lines."""
    return _bounded(_problem(output, errors)[0])


def one_line(text: object) -> str:
    """The text without line breaks, and what a terminal would take for something else than text."""
    lines = (_ESCAPE.sub("", line) for line in str(text)[:_LONGEST].splitlines())
    return " ".join(_UNPRINTABLE.sub("", " ".join(lines)).split())


def _lines(text: str) -> list[str]:
    """What is text among the lines, as a terminal would show them."""
    # Bounded first: a pattern may take the square of a line's length.
    lines = [_ESCAPE.sub("", line[:_LONGEST]) for line in text.splitlines()[-_MOST_LINES:]]
    if any(line.endswith(f"Exception Group {_TRACEBACK}") for line in lines):
        lines = [_GROUP.sub("", line) for line in lines]
    return [_UNPRINTABLE.sub("", line).rstrip() for line in lines if not _is_binary(line)]


def _is_binary(line: str) -> bool:
    return len(_UNPRINTABLE.findall(line)) > _BINARY * len(line)


def _bounded(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MOST else f"{line[: MOST - 1].rstrip()}…"


def _first(pattern: re.Pattern[str], *lines: str) -> str | None:
    return next((_LOST_TASK.sub("", line).strip() for line in lines if pattern.search(line)), None)


class _Report:
    """A failure as it stands in a log: the exception that was not caught and what led to it."""

    def __init__(self, text: str, *, logged: bool = False) -> None:
        self.outer, self.link, self.root = text, "", ""
        self.logged = logged  # and the program went on

    def lead(self, link: str, text: str) -> None:
        self.link, self.root = link, text

    def text(self) -> str:
        outer, root = (_LOST_TASK.sub("", text).strip() for text in (self.outer, self.root))
        if not root or root in outer:
            return outer
        return root if _WRAPPER.match(self.outer) else f"{outer}; {self.link} {root}"


def _problem(output: str, errors: str) -> tuple[str, bool]:
    """What a program says of its failure, and whether that is what ended it for certain."""
    # What a PySpark program prints as an error is among the output of spark-submit, whose errors are Spark's log.
    streams = (_lines(output), _lines(errors))
    reports = [report for lines in streams for report in _reports(lines)]
    uncaught = [report.text() for report in reports if not report.logged]
    # Of several the last that is more than a shell around another program's failure.
    if said := [text for text in uncaught if not _WRAPPER.match(text)] or uncaught:
        return said[-1], True
    if reports:
        return reports[-1].text(), False
    for lines in reversed(streams):
        if said := [line.strip() for line in lines if line and not _is_chatter(line) and not _FRAME.match(line)]:
            return " / ".join(said[-_LAST_LINES:]), False
    return ("it does not say why" if any(streams) else "it printed nothing"), False


def _is_chatter(line: str) -> bool:
    found = _LOGGED.match(line)
    return bool(_CHATTER.match(line) or (found and (found["level"] or found["python"]) in _QUIET))


def _reports(lines: Sequence[str]) -> Iterator[_Report]:
    """The failures that a log names, in their order."""
    report: _Report | None = None
    link, before, at = "", "", 0
    while at < len(lines):
        line, start = lines[at], at
        found = _EXCEPTION.match(line)
        logged = bool(_LOGGED.match(line) or _LOGGED.match(before))
        if line.endswith(_TRACEBACK) and at + 1 < len(lines):
            at += 1
            while at < len(lines) - 1 and lines[at][:1] in (" ", "\t"):
                at += 1
            message = _message(lines[at : at + 1 + _MESSAGE_LINES])
            if before.startswith(_PASSED_OVER):
                pass
            elif report and not line.startswith(_TRACEBACK) and not logged:  # of an executor's Python
                report.lead("caused by", message)
            else:
                cause, report = report, _Report(message, logged=logged)
                if cause and link:
                    report.lead(link, cause.root or cause.outer)
                yield report
            link = ""
        elif line in _LINKS:
            link = _LINKS[line]
        elif found and found["link"] and report:
            report.lead("caused by", _message([found["text"], *lines[at + 1 : at + 1 + _MESSAGE_LINES]]))
        elif found and not _FRAME.match(line):
            report = _Report(_message([found["text"], *lines[at + 1 : at + 1 + _MESSAGE_LINES]]), logged=logged)
            yield report
        elif _ERROR.match(line) and not _LOGGED.match(line):
            while at + 1 < len(lines) and _ERROR.match(lines[at + 1]):
                at += 1
            report = _Report(" ".join(lines[start : at + 1][:_MESSAGE_LINES]))
            yield report
        before = lines[at] or before
        at += 1


def _message(lines: Sequence[str]) -> str:
    """The first lines of an exception's message, without what was printed after it."""
    first, more = lines[0], lines[1 : 1 + _MESSAGE_LINES]
    # Java's frames end it; in Python nothing does, but what goes on is indented, or was announced.
    frame = next((at for at, line in enumerate(more) if _FRAME.match(line)), None)
    indented = [at for at, line in enumerate(more) if line[:1] in (" ", "\t")]
    if frame is not None:
        more = more[:frame]
    elif not first.endswith((":", ";", ",", "(")) and not (indented and indented[0] < _MESSAGE_LINES - 1):
        return first
    message = [first]
    for line in more[: _MESSAGE_LINES - 1]:
        if not line or line in _LINKS or line.endswith(_TRACEBACK) or _is_chatter(line) or _LOGGED.match(line):
            break
        if (found := _EXCEPTION.match(line)) and found["link"]:
            break
        message.append(line)
    return " ".join(message)
