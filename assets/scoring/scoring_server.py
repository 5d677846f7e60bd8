"""The service's door for browsers and programs: the page, what it shows, and flows that are to be scored.

The standard library's server, with bounds: of 1,000 flows a request it is as fast as uvicorn, of one flow the server is
a tenth of the time, and nothing has to be installed for it.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import scoring_answers
from scoring_answers import Counts
from scoring_model import Door

PAGE = Path(__file__).resolve().parent / "page"
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
MOST_BYTES, MOST_LINES = 4 << 20, 10_000  # of a request
MOST_CONNECTIONS = 64
MOST_HELD = 32 << 20  # bytes of all requests that are there
AT_ONCE = 2  # requests that are scored at a time: others wait
LINGER_SECONDS = 1  # for who still sends what nobody wants, so that the reason is read
REQUEST_SECONDS = 30  # in which a request must be there whole, and the next one begun
STOP_SECONDS = 20  # for requests that are there when it is to stop
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class AnswerError(Exception):
    """A request that gets no answer but why."""

    def __init__(self, status: int, text: str) -> None:
        """text: a sentence."""
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Service:
    """What the server serves."""

    door: Door
    counts: Counts
    sources: Mapping[str, str]  # what flows come from beside requests, and how that is going
    hosts: tuple[str, ...]  # by which it may be asked for


def version(service: Service) -> dict[str, Any]:
    """Which network scores, and what was refused last."""
    network, refused = service.door.network, service.door.refused
    model = network and {
        **{"name": network.found.model, "run": network.found.run, "sha256": network.found.sha256},
        **{"bytes": len(network.found.file), "threshold": network.found.threshold, "licence": network.found.licence},
        **{"families": list(network.families), "since": _iso(network.since), "swaps": service.door.swaps},
    }
    last = refused and {"model": refused.called, "why": refused.why, "at": _iso(refused.at)}
    return {"model": model or None, "refused": last or None}


def _iso(at: Any) -> str:  # noqa: ANN401 - a time
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def metrics(service: Service) -> str:
    """All figures in Prometheus' text format."""
    network = service.door.network
    lines = [
        *service.counts.metrics(),
        "# HELP oneoff_scoring_model_info The network that scores.",
        "# TYPE oneoff_scoring_model_info gauge",
    ]
    if network:
        found = network.found
        labels = scoring_answers.label(model=found.model, run=found.run or "", sha256=found.sha256)
        lines.append(f"oneoff_scoring_model_info{labels} 1")
    lines += [
        "# HELP oneoff_scoring_model_swaps_total Networks that took over from another.",
        "# TYPE oneoff_scoring_model_swaps_total counter",
        f"oneoff_scoring_model_swaps_total {service.door.swaps}",
        "# HELP oneoff_scoring_model_refused Whether what was found last was not let in.",
        "# TYPE oneoff_scoring_model_refused gauge",
        f"oneoff_scoring_model_refused {int(service.door.refused is not None)}",
    ]
    return "\n".join(lines) + "\n"


class Server(ThreadingHTTPServer):
    """A thread per connection, of which there are so many and no more."""

    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], service: Service) -> None:
        """Listens."""
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, Handler)
        self.service = service
        self.at_once = threading.BoundedSemaphore(AT_ONCE)
        self.stopping = threading.Event()
        self._connections = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._reading: dict[socket.socket, float] = {}  # since when
        self._working = self._held = 0
        self._idle = threading.Condition()
        threading.Thread(target=self._end_slow, daemon=True).start()

    def process_request(self, request: socket.socket, client_address: Any) -> None:  # noqa: ANN401 - as its base has it
        """Turns away who is one too many."""
        if self._connections.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        with suppress(OSError):
            body = b'{"error": "Too many connections; come again."}'
            head = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n"
            request.sendall(
                head + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )
        self.shutdown_request(request)

    def process_request_thread(self, request: socket.socket, client_address: Any) -> None:  # noqa: ANN401
        """One connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.read(request)
            self._connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """A connection that broke is nobody's fault."""

    def reads(self, request: socket.socket) -> None:
        """A request is awaited from now on."""
        self._reading[request] = time.monotonic()

    def read(self, request: socket.socket) -> None:
        """It is there."""
        self._reading.pop(request, None)

    def hold(self, length: int) -> bool:
        """Whether there is room for so many bytes more; negative ones are given back."""
        with self._idle:
            if length > 0 and self._held + length > MOST_HELD:
                return False
            self._held += length
            return True

    def begin(self, number: int) -> None:
        """Counts requests that are worked on."""
        with self._idle:
            self._working += number
            self._idle.notify_all()

    def _end_slow(self) -> None:
        """Who sends a byte now and then would hold a connection for ever."""
        while not self.stopping.wait(1):
            late = time.monotonic() - REQUEST_SECONDS
            for request, since in list(self._reading.items()):
                if since < late:
                    with suppress(OSError):
                        request.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """Takes no more requests, and waits for those that are there."""
        self.stopping.set()
        self.shutdown()
        with self._idle:
            self._idle.wait_for(lambda: self._working == 0, STOP_SECONDS)
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "oneoff-scoring", ""
    timeout = REQUEST_SECONDS
    wbufsize = -1  # an answer is one packet, where it fits
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        """Waits for a request, but not too long."""
        self.server.reads(self.connection)
        super().handle_one_request()
        self.server.read(self.connection)

    def do_GET(self) -> None:
        """Shows something."""
        self._respond(self._get)

    def do_HEAD(self) -> None:
        """Shows the head alone."""
        self._respond(self._get)

    def do_POST(self) -> None:
        """Scores flows."""
        self._respond(self._post)

    def _respond(self, make: Callable[[], tuple[bytes, str, dict[str, str]]]) -> None:
        self.server.begin(1)
        try:
            try:
                self._check_who()
                body, kind, more = make()
                self._send(200, body, kind, more)
            except AnswerError as problem:
                self.close_connection = self.close_connection or self.command == "POST"  # its body may be unread
                self._fail(problem.status, str(problem))
                if self.command == "POST":
                    self._linger()
            except OSError:
                self.close_connection = True  # who asked is gone
            except Exception as problem:  # one request must not end more than itself
                self.close_connection = True
                self.server.service.counts.fault(f"{self.command} {self.path[:20]}", f"failed: {problem}"[:200])
                self._fail(500, "It could not be scored; /state has why.")
        finally:
            self.server.begin(-1)

    def _check_who(self) -> None:
        """A page elsewhere could point its own name at this machine, or have a browser send flows."""
        host = self.headers.get("Host", "")
        name = re.sub(r":\d+$", "", host).lower()
        if name not in self.server.service.hosts:
            raise AnswerError(403, f"Ask for it as {' or '.join(self.server.service.hosts)}.")
        origin = self.headers.get("Origin")
        if origin not in (None, f"http://{host}"):
            raise AnswerError(403, "Another site's page may not ask this service.")
        if self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            navigates = self.headers.get("Sec-Fetch-Mode") == "navigate" and self.command == "GET"
            if not navigates:
                raise AnswerError(403, "Another site's page may not ask this service.")

    def _get(self) -> tuple[bytes, str, dict[str, str]]:
        service, path = self.server.service, self.path.partition("?")[0]
        if path in FILES:
            name, kind = FILES[path]
            return (PAGE / name).read_bytes(), kind, {}
        if path == "/healthz":
            return b"ok\n", "text/plain; charset=utf-8", {}
        if path == "/version":
            return _json(version(service)), "application/json", {}
        if path == "/state":
            state = {
                **version(service),
                "place": service.door.address,
                "sources": dict(service.sources),
                **service.counts.state(),
            }
            return _json(state), "application/json", {}
        if path == "/metrics":
            return metrics(service).encode(), "text/plain; version=0.0.4; charset=utf-8", {}
        if path == "/flows":
            raise AnswerError(405, "Flows are sent by POST, a line each.")
        raise AnswerError(404, "There is /, /version, /healthz, /metrics and POST /flows.")

    def _post(self) -> tuple[bytes, str, dict[str, str]]:
        if self.path.partition("?")[0] != "/flows":
            raise AnswerError(404, "Flows are sent to POST /flows.")
        if self.server.stopping.is_set():
            raise AnswerError(503, "The service is stopping.")
        body = self._body(self._length())
        try:
            return self._score(body)
        finally:
            self.server.hold(-len(body))

    def _score(self, body: bytes) -> tuple[bytes, str, dict[str, str]]:
        lines = body.count(b"\n") + 1
        if lines > MOST_LINES + 1:
            raise AnswerError(
                413, f"Expected at most {MOST_LINES} lines, found {lines}: send them in several requests."
            )
        network = self.server.service.door.network
        if network is None:
            raise AnswerError(503, "There is no model yet.")
        with self.server.at_once:
            began = time.perf_counter()
            scored = scoring_answers.score(network, body.split(b"\n"))
            answer = "\n".join([*scored.answers, ""]).encode()
            self.server.service.counts.add(scored, time.perf_counter() - began, "POST /flows")
        return answer, "application/x-ndjson", {"Oneoff-Model": network.found.sha256}

    def _length(self) -> int:
        """Raises AnswerError for a body that is too large, or of which nobody knows where it ends."""
        if self.headers.get("Content-Encoding", "identity") != "identity":
            raise AnswerError(415, "Expected lines as they are, not compressed.")
        lengths = self.headers.get_all("Content-Length", [])
        if self.headers.get("Transfer-Encoding") is not None or not lengths:
            raise AnswerError(411, "Expected a Content-Length.")
        if len(lengths) > 1 or not re.fullmatch(r"[0-9]{1,12}", lengths[0]):
            raise AnswerError(400, "Expected one Content-Length, a number.")
        length = int(lengths[0])
        if length > MOST_BYTES:
            raise AnswerError(
                413, f"Expected at most {MOST_BYTES} bytes, found {length}: send them in several requests."
            )
        return length

    def _body(self, length: int) -> bytes:
        """All of it, for which there is room until it is given back. Raises AnswerError where there is none."""
        if not self.server.hold(length):
            raise AnswerError(503, "Too much at once; come again.")
        body = b""
        try:
            body = self.rfile.read(length)
        finally:
            if len(body) < length:
                self.server.hold(-length)
        if len(body) < length:
            raise ConnectionError
        self.server.read(self.connection)
        return body

    def _linger(self) -> None:
        """Who is cut off in mid-sending does not read why."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(LINGER_SECONDS)
            end = time.monotonic() + LINGER_SECONDS
            while self.connection.recv(1 << 16) and time.monotonic() < end:
                pass

    def _send(self, status: int, body: bytes, kind: str, more: Mapping[str, str]) -> None:
        self.send_response(status)
        stops = {"Connection": "close"} if self.server.stopping.is_set() or self.close_connection else {}
        sent = {"Content-Type": kind, "Content-Length": str(len(body)), **HEADERS, **more, **stops}
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def _fail(self, status: int, text: str) -> None:
        with suppress(OSError):
            self._send(
                status, _json({"error": text}), "application/json", {"Retry-After": "1"} if status == 503 else {}
            )

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the library refuses: no HTTP, a method that nobody knows, endless headers."""
        self.close_connection = True
        text = f"{explain or message or 'That is no request that is answered here.'}"
        self.request_version = self.protocol_version  # or the library would leave out the status
        self._fail(code, " ".join(text.split())[:200])

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: there may be thousands a second."""


def _json(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"


def hosts_of(listen: str, also: list[str]) -> tuple[str, ...]:
    """By which names it may be asked for: loopback's, where it listens, and those that were given."""
    own = [f"[{listen}]" if ":" in listen else listen]
    return tuple(dict.fromkeys(name.lower() for name in (*_LOOPBACK, *own, *also)))
