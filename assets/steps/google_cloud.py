"""Google Cloud from a machine in it, by the standard library alone: secrets and objects, as the machine's account."""

from __future__ import annotations

import base64
import functools
import json
import os
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import Any

_SECONDS = 60  # that an answer may take to begin
_PASSING = (408, 429, 500, 502, 503, 504)  # https://cloud.google.com/apis/design/errors#error_retries
_WAITS = (0.5, 1, 2, 4)  # seconds between attempts
_AT_ONCE = 8  # downloads


class GoogleError(OSError):
    """Google refused a request or could not be reached; the text says why, in one line."""


def secret(version: str) -> bytes:
    """What is kept as `projects/P/secrets/S/versions/V`. Raises GoogleError."""
    answer = _json(f"{_endpoint('secretmanager')}/v1/{urllib.parse.quote(version)}:access")
    return base64.b64decode(answer["payload"]["data"])


def fetch_folder(address: str, folder: Path) -> None:
    """Copies what is below `gs://BUCKET/PREFIX` into a folder. Raises GoogleError, also when there is nothing."""
    bucket, prefix = _parts(address)
    names = [name for name in _names(bucket, f"{prefix}/") if not name.endswith("/")]
    if not names:
        raise GoogleError(f"{address} has no files")
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for done in [threads.submit(_download, bucket, name, folder / name[len(prefix) + 1 :]) for name in names]:
            done.result()


def fetch_file(address: str, path: Path) -> None:
    """Copies the object `gs://BUCKET/KEY`. Raises GoogleError."""
    _download(*_parts(address), path)


def _parts(address: str) -> tuple[str, str]:
    bucket, _, key = address.removeprefix("gs://").rstrip("/").partition("/")
    return bucket, key


def _names(bucket: str, prefix: str) -> Iterator[str]:
    query = {"prefix": prefix, "fields": "items(name),nextPageToken"}
    while True:
        page = _json(f"{_endpoint('storage')}/storage/v1/b/{bucket}/o?{urllib.parse.urlencode(query)}")
        yield from (item["name"] for item in page.get("items", []))
        if not page.get("nextPageToken"):
            return
        query["pageToken"] = page["nextPageToken"]


def _download(bucket: str, name: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _ask(f"{_endpoint('storage')}/storage/v1/b/{bucket}/o/{urllib.parse.quote(name, safe='')}?alt=media", path)


def _endpoint(service: str) -> str:
    """Where a service is; the variable is gcloud's."""
    given = os.environ.get(f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{service.upper()}", "").rstrip("/")
    return given or f"https://{service}.googleapis.com"


@functools.cache
def _token() -> str:
    """The access token of the machine's account. It is good for minutes at least, which is more than we need."""
    host = os.environ.get("GCE_METADATA_HOST") or "metadata.google.internal"
    url = f"http://{host}/computeMetadata/v1/instance/service-accounts/default/token"
    return json.loads(_open(url, {"Metadata-Flavor": "Google"}))["access_token"]


def _json(url: str) -> Any:  # noqa: ANN401
    return json.loads(_ask(url))


def _ask(url: str, path: Path | None = None) -> bytes:
    """The answer, or nothing when it goes to a file. A plain address, as of an emulator, is given no credentials."""
    return _open(url, {} if url.startswith("http:") else {"Authorization": f"Bearer {_token()}"}, path)


def _open(url: str, headers: dict[str, str], path: Path | None = None) -> bytes:
    request = urllib.request.Request(url, headers=headers)
    for wait in (*_WAITS, None):
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
                if not path:
                    return answer.read()
                with path.open("wb") as file:
                    shutil.copyfileobj(answer, file, 1 << 20)
                if answer.length:  # what is left of the length that was promised
                    raise HTTPException("the connection was lost")
                return b""
        except urllib.error.HTTPError as problem:
            reason, final = _reason(problem), problem.code not in _PASSING
        except (OSError, HTTPException) as problem:
            reason, final = str(getattr(problem, "reason", problem)), False
        if final or wait is None:
            break
        time.sleep(wait)
    raise GoogleError(f"{url.partition('?')[0]}: {' '.join(reason.split())}")


def _reason(problem: urllib.error.HTTPError) -> str:
    """What Google says is wrong."""
    try:
        return f"{problem.code} {json.loads(problem.read())['error']['message']}"
    except (OSError, HTTPException, ValueError, LookupError, TypeError):
        return f"{problem.code} {problem.reason}"
