"""google_cloud.py against servers of this machine: Cloud Storage, and a scripted one for all else."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from dataproc_support import Bucket

import google_cloud  # isort: skip
import step_tools  # isort: skip

pytest_plugins = "dataproc_fixtures"

VERSION = "projects/p/secrets/mongo-uri/versions/3"
Answer = tuple[int, str]


class Server:
    """Answers as it is told, and remembers what it was asked."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.answer: Callable[[str], Answer] = lambda path: (404, path)
        self.lengths: list[int] = []  # that the next answers promise
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                marks = self.headers.get("Metadata-Flavor"), self.headers.get("Authorization")
                outer.asked.append((self.path, next(filter(None, marks), None)))
                code, body = outer.answer(self.path)
                self.send_response(code)
                if outer.lengths:
                    self.send_header("Content-Length", str(outer.lengths.pop(0)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context:
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.host = f"localhost:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The metadata server of a machine of Google's."""
    server = Server()
    server.answer = lambda path: (
        200 if path.endswith("/instance/service-accounts/default/token") else 404,
        json.dumps({"access_token": "t0ken", "expires_in": 3000}),
    )
    monkeypatch.setenv("GCE_METADATA_HOST", server.host)
    google_cloud._token.cache_clear()
    yield server
    google_cloud._token.cache_clear()
    server.close()


@pytest.fixture
def secrets(metadata: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Secret Manager, by TLS, without which there are no credentials."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-out", cert, "-keyout", key]
    subprocess.run([*make, *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = Server(context)
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER", f"https://{server.host}/")
    monkeypatch.setattr(google_cloud, "_WAITS", (0, 0))
    yield server
    server.close()


def holding(value: bytes) -> Answer:
    return 200, json.dumps({"name": VERSION, "payload": {"data": base64.b64encode(value).decode()}})


def refusing(code: int, status: str, message: str) -> Answer:
    return code, json.dumps({"error": {"code": code, "status": status, "message": message}})


def test_a_secret_is_a_file_for_as_long_as_it_lasts(
    secrets: Server, metadata: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_tools, "SECRETS", tmp_path)
    secrets.answer = lambda _: holding(b'hunter2\n"more"')
    with step_tools.secret_files([("mongo-uri", VERSION), ("other", VERSION)]):
        path = tmp_path / "oneoff-mongo-uri"
        assert path.read_text() == 'hunter2\n"more"'
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists()
    assert secrets.asked == [(f"/v1/{VERSION}:access", "Bearer t0ken")] * 2
    assert metadata.asked == [("/computeMetadata/v1/instance/service-accounts/default/token", "Google")]


def test_a_busy_service_is_asked_again(secrets: Server) -> None:
    answers = iter([(503, "busy"), (429, "slow down"), holding(b"x")])
    secrets.answer = lambda _: next(answers)
    assert google_cloud.secret(VERSION) == b"x"


@pytest.mark.parametrize(
    ("answer", "times", "reason"),
    [
        (refusing(403, "PERMISSION_DENIED", "Permission\ndenied."), 1, "403 Permission denied."),
        (refusing(503, "UNAVAILABLE", "Try later."), 3, "503 Try later."),
        ((404, "<html>"), 1, "404 Not Found"),
    ],
)
def test_a_secret_that_cannot_be_had(secrets: Server, answer: Answer, times: int, reason: str) -> None:
    secrets.answer = lambda _: answer
    with pytest.raises(step_tools.StepError) as failed, step_tools.secret_files([("s", VERSION)]):
        raise AssertionError
    assert str(failed.value) == f'secret "s" could not be had: https://{secrets.host}/v1/{VERSION}:access: {reason}'
    assert len(secrets.asked) == times


def test_a_binary_secret(secrets: Server) -> None:
    secrets.answer = lambda _: holding(b"\xff\xfe")
    with (
        pytest.raises(step_tools.StepError, match=rf'^secret "s" is binary: {VERSION} must hold text$'),
        step_tools.secret_files([("s", VERSION)]),
    ):
        raise AssertionError


def test_a_machine_that_has_no_metadata_server(secrets: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:1")
    with pytest.raises(google_cloud.GoogleError, match=r"127.0.0.1:1/computeMetadata.*Connection refused"):
        google_cloud.secret(VERSION)
    assert secrets.asked == []


def test_a_plain_address_gets_no_credentials(
    secrets: Server, metadata: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Server()
    plain.answer = lambda _: holding(b"x")
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER", f"http://{plain.host}")
    assert google_cloud.secret(VERSION) == b"x"
    assert plain.asked == [(f"/v1/{VERSION}:access", None)]
    assert (secrets.asked, metadata.asked) == ([], [])
    plain.close()


@pytest.mark.usefixtures("gcs")
def test_a_folder_is_fetched(lake: Bucket, tmp_path: Path) -> None:
    files = {f"node/{n}.py": f"{n}\n" for n in range(30)} | {"steps/a b/x=1.py": "x", "empty": ""}
    for name, content in files.items():
        lake.put(f"_code/1/{name}", content)
    lake.put("_code/1/node/", "")
    lake.put("_code/10/other", "")
    google_cloud.fetch_folder(f"{lake.address}/_code/1/", tmp_path / "code")
    fetched = {str(path.relative_to(tmp_path / "code")): path for path in (tmp_path / "code").rglob("*")}
    assert {name: path.read_text() for name, path in fetched.items() if path.is_file()} == files
    google_cloud.fetch_file(f"{lake.address}/_code/1/steps/a b/x=1.py", tmp_path / "x.py")
    assert (tmp_path / "x.py").read_text() == "x"


@pytest.mark.usefixtures("gcs")
def test_what_is_not_there_to_fetch(lake: Bucket, tmp_path: Path) -> None:
    with pytest.raises(google_cloud.GoogleError, match=r"^gs://.*/_code/2 has no files$"):
        google_cloud.fetch_folder(f"{lake.address}/_code/2", tmp_path)
    with pytest.raises(google_cloud.GoogleError, match=r"404 Not Found$"):
        google_cloud.fetch_file(f"{lake.address}/_code/2/x", tmp_path / "x")


def test_a_download_that_breaks_off_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    server.lengths = [10, 10, 4]
    server.answer = lambda _: (200, "abcd")
    monkeypatch.setattr(google_cloud, "_WAITS", (0, 0))
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", f"http://{server.host}")
    google_cloud.fetch_file("gs://b/x", tmp_path / "x")
    assert (tmp_path / "x").read_text() == "abcd"
    assert len(server.asked) == 3
    server.lengths = [10] * 3
    with pytest.raises(google_cloud.GoogleError, match=r"/o/x: the connection was lost$"):
        google_cloud.fetch_file("gs://b/x", tmp_path / "x")
    server.close()


def test_a_long_list_comes_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    pages = [{"items": [{"name": "p/a"}], "nextPageToken": "n/1"}, {"items": [{"name": "p/b"}]}]
    server.answer = lambda path: (200, json.dumps(pages["pageToken=n%2F1" in path]))
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", f"http://{server.host}")
    assert list(google_cloud._names("b", "p/")) == ["p/a", "p/b"]
    server.close()
