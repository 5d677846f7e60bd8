"""What a step needs of the node it runs on: YARN, secrets, its scratch folder and the region."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import google_cloud
import oneoff
from step_problem import one_line, problem
from step_runner import StepError, with_options

TOOL_SECONDS = 60  # that yarn, hdfs and aws may take to answer
_CLEAR_SECONDS = 600  # that removing a folder may take: S3 takes a thousand objects at a time
SECRETS = Path("/dev/shm")  # memory, never a disk
_REGION = Path("/opt/oneoff/region")  # bootstrap.sh of EMR wrote it
_GOOGLE_SECRET = re.compile(r"projects/[^/]+/secrets/[^/]+/versions/[^/]+")
_TAG_LENGTH = 100  # YARN's yarn.resourcemanager.application.max-tag.length


def tool(*command: str, seconds: int = TOOL_SECONDS) -> str:
    """What a program prints. Raises StepError with what it says of its failure."""
    try:
        done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=seconds)
    except OSError as error:
        raise StepError(f"{command[0]} could not be started: {error}") from error
    except subprocess.TimeoutExpired as late:
        raise StepError(f"{command[0]} did not answer within {seconds} s") from late
    if done.returncode:
        raise StepError(f"{command[0]} failed (exit {done.returncode}): {problem(done.stdout, done.stderr)}")
    return done.stdout


def find_region() -> None:
    """Tells all that runs here in which region of AWS it is, so that no SDK has to look it up."""
    known = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not known:
        with contextlib.suppress(OSError):
            known = _REGION.read_text(encoding="utf-8").strip()
    if known:
        os.environ["AWS_REGION"] = os.environ["AWS_DEFAULT_REGION"] = known


def yarn_tag(run: str, step: str) -> str:
    """The YARN tag of a step's application. YARN puts tags into small letters and refuses long ones."""
    tag = f"oneoff-{run}-{step}".lower()
    return tag if len(tag) <= _TAG_LENGTH else f"oneoff-{hashlib.sha256(tag.encode()).hexdigest()[:32]}"


def uses_yarn(command: Sequence[str]) -> bool:
    """Whether a command may leave an application on the cluster."""
    return Path(command[0]).name == "spark-submit"


def with_tag(command: Sequence[str], tag: str) -> list[str]:
    """A `spark-submit` whose YARN application has the tag; any other command stays as it is."""
    if not uses_yarn(command):
        return list(command)
    tags, given = [tag], list(command[1:])
    # Of a property that stands twice Spark takes the last, so the job's own tags are taken over.
    for at in range(len(given) - 1, 0, -1):
        if given[at - 1] == "--conf" and given[at].startswith("spark.yarn.tags="):
            tags.append(given[at].partition("=")[2])
            del given[at - 1 : at + 1]
    return with_options([command[0], *given], "--conf", f"spark.yarn.tags={','.join(tags)}")


def end_applications(tag: str) -> list[str]:
    """Ends what has the tag and still runs: YARN does not notice that whoever submitted it has ended.

    Returns what it ended; nothing where there is no YARN. Raises StepError when YARN does not answer.
    """
    if not shutil.which("yarn"):
        return []
    states = "NEW,NEW_SAVING,SUBMITTED,ACCEPTED,RUNNING"
    listed = tool("yarn", "application", "-list", "-appTags", tag, "-appStates", states)
    applications = re.findall(r"^application_\d+_\d+", listed, re.MULTILINE)
    for application in applications:
        tool("yarn", "application", "-kill", application)
    return applications


def clear_folder(address: str) -> None:
    """Removes what is below `s3://BUCKET/PREFIX` or `gs://BUCKET/PREFIX`. Raises StepError."""
    if address.startswith("s3://"):
        # pyarrow would leave an object that stands for the folder.
        tool("aws", "s3", "rm", "--recursive", "--only-show-errors", f"{address}/", seconds=_CLEAR_SECONDS)
        return
    filesystem, path = oneoff._filesystem(address)
    try:
        filesystem.delete_dir_contents(path, missing_dir_ok=True)
    except OSError as problem:
        raise StepError(one_line(problem)) from problem


def is_secret_address(text: str) -> bool:
    """Whether that names a secret: `arn:...` of AWS, or `projects/P/secrets/S/versions/V` of Google Cloud."""
    return text.startswith("arn:") or bool(_GOOGLE_SECRET.fullmatch(text))


@contextlib.contextmanager
def secret_files(secrets: Sequence[tuple[str, str]]) -> Iterator[None]:
    """Files with the secrets, given as name and address, which only we can read, for as long as it lasts."""
    paths = [SECRETS / f"oneoff-{name}" for name, _ in secrets]
    try:
        for path, (name, address) in zip(paths, secrets, strict=True):
            try:
                value = _aws_secret(address) if address.startswith("arn:") else _google_secret(address)
            except (StepError, OSError, ValueError, LookupError) as problem:
                raise StepError(f'secret "{name}" could not be had: {problem}') from problem
            if value is None:
                raise StepError(f'secret "{name}" is binary: {address} must hold text')
            _write_private(path, value)
        yield
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


def _aws_secret(arn: str) -> str | None:
    """None when it is no text, as below."""
    query = ["--secret-id", arn, "--query", "SecretString", "--output", "json"]
    value = json.loads(tool("aws", "secretsmanager", "get-secret-value", *query))
    return value if isinstance(value, str) else None


def _google_secret(version: str) -> str | None:
    try:
        return google_cloud.secret(version).decode()
    except UnicodeDecodeError:
        return None


def _write_private(path: Path, text: str) -> None:
    """Writes a new file that was never readable by others."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
