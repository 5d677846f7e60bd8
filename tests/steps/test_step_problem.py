"""Why a program failed, told by what real programs printed."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from typing import NamedTuple

import pytest
import steps_support  # noqa: F401

import oneoff  # isort: skip
import step_problem  # isort: skip

CURES = step_problem.Cures("more for the driver", "more for executors", "a larger machine", "the disk is full")


class Case(NamedTuple):
    """A program's end: its exit code and what it printed."""

    reason: str
    code: int = 1
    output: str = ""
    errors: str = ""


SPARK_LOG = """\
26/11/30 07:50:55 INFO SparkContext: Running Spark version 3.5.7
26/11/30 07:50:58 ERROR Executor: Exception in task 0.0 in stage 0.0 (TID 0)
org.apache.spark.api.python.PythonException: Traceback (most recent call last):
  File "worker.py", line 1247, in main
    process()
ValueError: reading 1 is no number

\tat org.apache.spark.api.python.BasePythonRunner$ReaderIterator.handlePythonException(PythonRunner.scala:572)
26/11/30 07:50:58 ERROR TaskSetManager: Task 0 in stage 0.0 failed 1 times; aborting job
26/11/30 07:50:59 INFO ShutdownHookManager: Deleting directory /tmp/spark-54473177
"""
PY4J = """\
Traceback (most recent call last):
  File "udf.py", line 4, in <module>
    s.sparkContext.parallelize([1, 2], 2).map(f).collect()
  File "py4j/protocol.py", line 326, in get_return_value
py4j.protocol.Py4JJavaError: An error occurred while calling z:org.apache.spark.api.python.PythonRDD.collectAndServe.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 0.0 failed 1 times, most recent \
failure: Lost task 0.0 in stage 0.0 (TID 0) (192.0.2.2 executor driver): {failure}

\tat org.apache.spark.scheduler.TaskSetManager.abort(TaskSetManager.scala:1)

Driver stacktrace:
\tat org.apache.spark.scheduler.DAGScheduler.failJobAndIndependentStages(DAGScheduler.scala:2856)
{cause}\t... 1 more

pandas 2.2.3
"""
PYTHON_FAILURE = """\
org.apache.spark.api.python.PythonException: Traceback (most recent call last):
  File "worker.py", line 1247, in main
    process()
ValueError: reading 1 is no number
"""
LOST = (
    "ExecutorLostFailure (executor 1 exited caused by one of the running tasks) Reason: Container killed by YARN for "
    "exceeding memory limits. 5.5 GB of 5.5 GB physical memory used."
)
CASES = {
    "PySpark, whose errors spark-submit has among its output": Case(
        "ValueError: reading 1 is no number",
        output=PY4J.format(failure=PYTHON_FAILURE, cause=f"Caused by: {PYTHON_FAILURE}\n\tat a.B\n"),
        errors=SPARK_LOG,
    ),
    "a task of Java's": Case(
        "java.io.FileNotFoundException: /part-0 (No such file or directory)",
        output=PY4J.format(
            failure="java.io.FileNotFoundException: /part-0 (No such file or directory)",
            cause="Caused by: java.io.FileNotFoundException: /part-0 (No such file or directory)\n\tat a.B\n",
        ),
    ),
    "what only Spark's log has": Case("ValueError: reading 1 is no number", output="pandas 2.2.3\n", errors=SPARK_LOG),
    "a message of many lines": Case(
        "pyspark.errors.exceptions.captured.AnalysisException: [UNRESOLVED_COLUMN.WITH_SUGGESTION] A column with name "
        "`usage` cannot be resolved. Did you mean one of the following? [`id`].; 'Project ['usage] "
        "+- Range (0, 3, step=1, splits=Some(1))",
        output="""\
Traceback (most recent call last):
  File "column.py", line 3, in <module>
    s.range(3).select("usage").show()
    ^^^^^^^^^^^^^^^^^^^^^^^^^^
pyspark.errors.exceptions.captured.AnalysisException: [UNRESOLVED_COLUMN.WITH_SUGGESTION] A column with name `usage` \
cannot be resolved. Did you mean one of the following? [`id`].;
'Project ['usage]
+- Range (0, 3, step=1, splits=Some(1))

pandas 2.2.3
""",
    ),
    "an option that spark-submit has not": Case(
        "Error: Unrecognized option: --nonsense",
        errors="Error: Unrecognized option: --nonsense\n\nUsage: spark-submit [options] <app jar> [app arguments]\n",
    ),
    "a class that is not there": Case(
        "Error: Failed to load class no.Such.",
        101,
        errors="26/11/30 07:51:26 WARN DependencyUtils: Local jar x.jar does not exist, skipping.\n"
        "Error: Failed to load class no.Such.\n26/11/30 07:51:26 INFO ShutdownHookManager: Shutdown hook called\n",
    ),
    "what a PySpark program says itself": Case(
        "no readings in 2012", output="no readings in 2012\n", errors="26/11/30 07:51:16 INFO SparkContext: Stopped\n"
    ),
    "Java": Case(
        "java.lang.RuntimeException: the table can't be read; caused by java.io.FileNotFoundException: /x (No file)",
        errors='Exception in thread "main" java.lang.RuntimeException: the table can\'t be read\n'
        "\tat Main.main(Main.java:2)\n"
        "Caused by: java.io.FileNotFoundException: /x (No file)\n\tat java.io.FileInputStream.open0(Native)\n"
        "\t... 9 more\nbye\n",
    ),
    "Java without memory": Case(
        "memory ran out, more for the driver: java.lang.OutOfMemoryError: Java heap space",
        errors='Exception in thread "main" java.lang.OutOfMemoryError: Java heap space\n\tat Heap.main(Heap.java:1)\n',
    ),
    "Spark's JVM that ended for want of memory": Case(
        'memory ran out, more for the driver: Exception in thread "Thread-4" java.lang.OutOfMemoryError: '
        "GC overhead limit exceeded",
        output='Traceback (most recent call last):\n  File "x.py", line 4, in <module>\n    f()\n'
        "py4j.protocol.Py4JNetworkError: Answer from Java side is empty\n",
        errors='26/11/30 07:51:16 INFO SparkContext: x\nException in thread "Thread-4" java.lang.OutOfMemoryError: '
        "GC overhead limit exceeded\n\tat java.base/java.lang.reflect.Array.newArray(Native Method)\n",
    ),
    "an executor without memory": Case(
        f"memory ran out, more for executors: {LOST}",
        output=PY4J.format(failure=LOST, cause=""),
    ),
    "a Python worker without memory": Case(
        "memory ran out, a larger machine: MemoryError",
        output=PY4J.format(
            failure=PYTHON_FAILURE.replace("ValueError: reading 1 is no number", "MemoryError"), cause=""
        ),
    ),
    "killed": Case(
        "it was killed; it may have taken more memory than there is, then a larger machine: reading",
        137,
        output="reading\n[oneoff] rows 12/300\n",
    ),
    "killed without a word": Case(
        "it was killed; it may have taken more memory than there is, then a larger machine: it printed nothing", -9
    ),
    "a full disk": Case(
        "the disk is full: java.io.IOException: No space left on device",
        output=PY4J.format(failure="java.io.IOException: No space left on device", cause=""),
    ),
    "a full disk that something else followed": Case(
        "the disk is full: java.io.IOException: No space left on device",
        output=PY4J.format(failure="FetchFailed(BlockManagerId(driver, 192.0.2.2, 1, None))", cause=""),
        errors="26/11/30 07:51:16 ERROR DiskBlockObjectWriter: Uncaught exception\n"
        "java.io.IOException: No space left on device\n\tat java.base/java.io.FileOutputStream.writeBytes(Native)\n",
    ),
    "what pip says": Case(
        "ERROR: Could not find a version that satisfies the requirement x (from versions: none) "
        "ERROR: No matching distribution found for x",
        errors="ERROR: Could not find a version that satisfies the requirement x (from versions: none)\n"
        "ERROR: No matching distribution found for x\n",
    ),
    "errors before output": Case(
        "the file is empty", 3, output="reading\npandas 2.2.3\n", errors="WARNING: slow\nthe file is empty\n"
    ),
    "the last lines of nothing but output": Case("b / c / d", output="a\nb\n\nc\nd\n[oneoff] rows 1/2\n"),
    "an error that was logged": Case(
        "26/01/01 ERROR x: y", errors="26/01/01 ERROR x: y\n26/01/01 INFO ShutdownHookManager: bye\n"
    ),
    "nothing but what it did": Case("it does not say why", errors="26/01/01 INFO ShutdownHookManager: bye\n"),
    "nothing": Case("it printed nothing"),
    "what is no text": Case(
        "ValueError: no luck",
        output="".join(map(chr, range(256))) + "\x00\x01\x02\x03",
        errors="\x1b]0;title\x07red\u202e\n\x1b[1mValueError\x1b[0m: \x1b[31mno\r\x00 luck\x1b[0m\n".replace("\r", ""),
    ),
    "a very long line": Case("ValueError: " + "x" * 587 + "…", errors="ValueError: " + "x" * 100_000),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_why(case: Case) -> None:
    assert step_problem.why(case.code, case.output, case.errors, CURES) == case.reason


PROGRAMS = {
    "what was the cause": (
        """
        import atexit
        atexit.register(lambda: print("pandas 2.2.3"))
        try:
            int("x")
        except ValueError as problem:
            raise RuntimeError("row 7 can't be read") from problem
        """,
        "RuntimeError: row 7 can't be read; caused by ValueError: invalid literal for int() with base 10: 'x'",
    ),
    "what was being handled": (
        """
        try:
            {}["usage"]
        except KeyError:
            raise OSError("no readings")
        """,
        "OSError: no readings; while handling KeyError: 'usage'",
    ),
    "a message of some lines, and not what comes after it": (
        r"""
        import atexit, sys
        atexit.register(lambda: print("bye", file=sys.stderr))
        raise ValueError("2 columns are wrong:\n  usage: text\n  day: missing")
        """,
        "ValueError: 2 columns are wrong: usage: text day: missing",
    ),
    "only the exception": (
        """
        import atexit, sys
        atexit.register(lambda: print("bye", file=sys.stderr))
        raise LookupError("no such day")
        """,
        "LookupError: no such day",
    ),
    "argparse": (
        """
        import argparse
        parser = argparse.ArgumentParser(prog="train.py")
        parser.add_argument("--rows", required=True)
        parser.parse_args()
        """,
        "train.py: error: the following arguments are required: --rows",
    ),
    "a syntax error": ("def f(:", "SyntaxError: invalid syntax"),
    "memory": ("raise MemoryError", "memory ran out, a larger machine: MemoryError"),
}


@pytest.mark.parametrize(("program", "reason"), PROGRAMS.values(), ids=PROGRAMS.keys())
def test_why_python_failed(program: str, reason: str) -> None:
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, check=False, text=True)
    assert step_problem.why(done.returncode, done.stdout, done.stderr, CURES) == reason


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (f"Job aborted: most recent failure: Lost task 0.0 in stage 0.0 (TID 0) (a executor 1): {LOST}", LOST),
        (
            f"Job aborted: Lost task: {PYTHON_FAILURE}\n\tat a.B\n\nDriver stacktrace:",
            "ValueError: reading 1 is no number",
        ),
        (
            f"{PYTHON_FAILURE}\nThe above exception was the direct cause of the following exception:\n\n"
            "Traceback (most recent call last):\n  File 'x'\nOSError: part 7\nis gone\n\n\tat a.B\n",
            "OSError: part 7 is gone; caused by ValueError: reading 1 is no number",
        ),
        ("Job 0 cancelled", "Job 0 cancelled"),
    ],
)
def test_why_a_task_failed(message: str, reason: str) -> None:
    assert oneoff._why(message) == reason


@pytest.mark.parametrize(
    "line",
    [
        "Error" * 12_000,
        "Py4JJavaError" * 4500,
        "\x1b]" * 30_000,
        "\x1b[" * 30_000,
        "FooException: a\nCaused by: BarError: b\n" * 1500,
        "Traceback (most recent call last):\n" * 1500,
        f"{' ' * 60_000}x\n  + Exception Group Traceback (most recent call last):",
    ],
)
def test_whatever_is_printed_is_looked_at_in_time(line: str) -> None:
    began = time.process_time()
    step_problem.why(1, f"{line}\n" * 18, "", CURES)
    assert time.process_time() - began < 5


def test_an_output_may_end_at_once_after_a_traceback_began() -> None:
    assert step_problem.problem("Traceback (most recent call last):\n") == "Traceback (most recent call last):"
    assert step_problem.problem("KeyError: 'x'\nTraceback (most recent call last):\n") == "KeyError: 'x'"


def test_one_line_is_text() -> None:
    assert step_problem.one_line("a\r\n\x1b[31mb\x1b[0m \x00c\u202e\n") == "a b c"


@pytest.mark.parametrize("text", ["\x1b]", "a/b-c", "exceeding the physical ", "Error", "  |", 'Exception in thread "'])
def test_lines_without_end_are_no_work_without_end(text: str) -> None:
    """Where the whole of a line was looked at, each of these took minutes."""
    endless = f"{text * (1_000_000 // len(text))}\n"
    assert step_problem.problem(f"{endless}ValueError: no luck\n") == "ValueError: no luck"
    assert len(step_problem.problem(endless)) <= step_problem.MOST
