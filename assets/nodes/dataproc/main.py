"""The main file of a Dataproc job: becomes step.py, with the arguments that it was given.

Dataproc starts it by a `spark-submit` whose Spark is never used. step.py starts another, which is why nothing of the
first must be left in the environment. step.py takes this process's place, so what ends the job's driver ends the step.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(os.environ.get("ONEOFF_ROOT", "/opt/oneoff"))  # init.sh has filled it
PYTHON = ROOT / "venv" / "recorder" / "bin" / "python"
NODE = ROOT / "code" / "node"

# What spark-submit and PythonRunner set for their program, and the next spark-submit would take over: where the other
# JVM listens and what the other Python imports, that the settings of spark-env.sh are there already, and that as many
# threads are wanted as the other driver has cores.
_OF_THE_OUTER = ("PYSPARK_", "_PYSPARK_", "_SPARK_", "SPARK_ENV_LOADED", "PYTHONPATH", "OMP_NUM_THREADS")


def inner_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what the outer spark-submit has put there."""
    return {name: value for name, value in environment.items() if not name.startswith(_OF_THE_OUTER)}


def own_tags() -> str:
    """The YARN tags of this job, by which Dataproc finds what it has to end when the job is cancelled."""
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        return ""
    try:
        from pyspark.java_gateway import launch_gateway

        return launch_gateway().jvm.java.lang.System.getProperty("spark.yarn.tags") or ""
    except Exception as problem:  # step.py finds its applications by a tag of its own
        print(f"main.py: the job's YARN tags are not known: {problem}", file=sys.stderr)
        return ""


def with_tags(arguments: Sequence[str], tags: str) -> list[str]:
    """The arguments with tags for the spark-submit that is among them. step.py adds its own."""
    at = arguments.index("--") + 1 if "--" in arguments else len(arguments)
    before, command = arguments[:at], arguments[at:]
    if not tags or not command or Path(command[0]).name != "spark-submit":
        return list(arguments)
    return [*before, command[0], "--conf", f"spark.yarn.tags={tags}", *command[1:]]


def main() -> NoReturn:
    """Ends where the process is another."""
    for needed in (PYTHON, NODE / "step.py"):
        if not needed.exists():
            sys.exit(f"main.py: error: {needed} is missing; the cluster needs the initialization action init.sh")
    arguments = with_tags(sys.argv[1:], own_tags())
    sys.path.insert(0, str(NODE))
    from step_runner import end_with_parent

    end_with_parent()
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(PYTHON, [str(PYTHON), str(NODE / "step.py"), *arguments], inner_environment(os.environ))


if __name__ == "__main__":
    main()
