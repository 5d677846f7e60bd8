"""Cloud Storage on this machine, with buckets: a plugin of pytest."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from dataproc_support import Bucket, wait_for

# Where tests/go-build.ts puts them.
GO_BUILDS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pulumi-oneoff/tests/go"


@pytest.fixture(scope="session")
def gcs_url() -> Iterator[str]:
    """Address of a Cloud Storage that really keeps objects. Its program is $ONEOFF_FAKE_GCS, which Vitest has built."""
    program = os.environ.get("ONEOFF_FAKE_GCS") or max(map(str, GO_BUILDS.glob("fake-gcs-server-*")), default="")
    if not program:
        pytest.skip("$ONEOFF_FAKE_GCS is no program of fake-gcs-server: what uses gs:// goes untested")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    options = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"]
    options += ["-public-host", f"127.0.0.1:{port}", "-external-url", url, "-log-level", "error"]
    server = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: urllib.request.urlopen(f"{url}/_internal/healthcheck", timeout=5).status == 200)
        yield url
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="session")
def gcs_env(gcs_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment with which Arrow and google_cloud.py find it. Arrow wants credentials, which nobody looks at."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    account = {
        "type": "service_account",
        "project_id": "test",
        "private_key_id": "1",
        "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "client_email": "test@test.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": "http://127.0.0.1:1/token",
    }
    path = tmp_path_factory.mktemp("account") / "account.json"
    path.write_text(json.dumps(account))
    return {
        "CLOUD_STORAGE_EMULATOR_ENDPOINT": gcs_url,
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": gcs_url,
        "GOOGLE_APPLICATION_CREDENTIALS": str(path),
    }


@pytest.fixture
def lake(gcs_url: str) -> Bucket:
    """An empty lake."""
    return Bucket(gcs_url)


@pytest.fixture
def gcs(gcs_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """This process talks to that Cloud Storage."""
    for name, value in gcs_env.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def folder_of(tmp_path: Path) -> Path:
    """A place for a folder lake."""
    return tmp_path / "lake"
