"""A search engine that has a document for each record: OpenSearch or Elasticsearch, by their HTTP interface alone.

A record's document is named by its place in Kafka, so that what is sent twice is there once. A batch is done when the
engine has said of each of its documents that it has it; the state is written after that. What the engine refuses ends
the stream. When it stays away for longer than STORE_SECONDS this process ends, and is started again: nothing is left
out.

What is spoken is `_bulk`, `_index_template`, `_mapping`, which both have alike: see
https://docs.opensearch.org/latest/api-reference/document-apis/bulk/ and
https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import streaming_files
import streaming_tables
from streaming_sinks import Batch
from streaming_state import State

STORE_SECONDS = 30.0  # that a store has to come back; less than a driver has to end when it is asked to
ANSWER_SECONDS = 15.0  # that it has for an answer
MOST_BYTES = 4_000_000  # of a request: stores take 100 MB at most, or what they have heap for
_AGAIN = frozenset((408, 429, 500, 502, 503, 504))  # answers that another try may change
_TOLD = 300  # characters of an answer that an error has

_TYPES = {
    streaming_tables.TEXT: {"type": "keyword"},
    streaming_tables.WHOLE: {"type": "long"},
    streaming_tables.NUMBER: {"type": "double"},
    streaming_tables.MOMENT: {"type": "date", "format": "epoch_millis"},
}
# What nobody searches for, and is longer than a keyword may be.
_KEPT = {"type": "keyword", "index": False, "doc_values": False}


class StoreError(ValueError):
    """Why a store doesn't take what it is sent, in one line: it would not the next time."""


class StoreAwayError(OSError):
    """That a store could not be had for STORE_SECONDS, in one line."""


class StorePlace(NamedTuple):
    """Which index of which store documents go to, and as whom."""

    address: str
    index: str
    run: str
    features: int
    login: str | None = None  # USER:PASSWORD
    ca: Path | None = None  # certificates, as PEM, that the store's may be of; those of the system when not given


class Store:
    """A document for each record: what was predicted, or why it was set aside."""

    def __init__(
        self,
        place: StorePlace,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Has the index be there, with its template. Raises StoreError and StoreAwayError."""
        self._place, self._clock, self._sleep = place, clock, sleep
        self._address = urlsplit(place.address)
        self._connection: http.client.HTTPConnection | None = None
        self._tls = _trust(place.ca) if self._address.scheme == "https" else None
        self._headers = {"Accept": "application/json"}
        if place.login:
            encoded = base64.b64encode(place.login.encode()).decode()
            self._headers["Authorization"] = f"Basic {encoded}"
        self._prepare()

    def write(self, batch: Batch) -> None:
        for names, body in _requests(documents(batch, self._place.run, self._place.features)):
            path = f"/{self._name}/_bulk"
            self._ask("POST", path, body, "application/x-ndjson", lambda answer, names=names: _check(answer, names))
            streaming_files.reach("store-told")

    def settle(self, state: State, *, over: bool = False) -> None:
        if over and self._connection:
            self._connection.close()

    @property
    def _name(self) -> str:
        return quote(self._place.index, safe="")

    def _prepare(self) -> None:
        """The template first, so that an index that somebody removes comes back as it was; then the index."""
        body = json.dumps(template(self._place.index, self._place.features)).encode()
        self._ask("PUT", f"/_index_template/{self._name}", body)
        try:
            self._ask("PUT", f"/{self._name}", b"{}")
        except StoreError as problem:
            if "resource_already_exists_exception" not in str(problem):
                raise
            fields = {"properties": properties(self._place.features)}
            self._ask("PUT", f"/{self._name}/_mapping", json.dumps(fields).encode())

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes,
        kind: str = "application/json",
        check: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> None:
        """Asks until it is done. check: raises _Again where a part wasn't, and StoreError where it never will be."""
        ends, pause = self._clock() + STORE_SECONDS, 0.25
        while True:
            try:
                return check(self._answer(method, path, body, kind))
            except ssl.SSLCertVerificationError as problem:
                told = f"the certificate of {self._place.address} is not trusted ({problem.verify_message})"
                raise StoreError(f"{told}: give the CA's certificate, storeCa") from None
            except (OSError, http.client.HTTPException, _Again) as problem:
                if self._connection:
                    self._connection.close()
                self._connection = None
                if self._clock() + pause > ends:
                    told = f"{self._place.address} could not be had for {STORE_SECONDS:g} s ({_why(problem)})"
                    raise StoreAwayError(f"{told}: start it, or give another, store") from None
                print(
                    f"learn.py: the store is asked again in {pause:g} s ({_why(problem)})", file=sys.stderr, flush=True
                )
            self._sleep(pause)
            pause = min(2 * pause, 5)

    def _answer(self, method: str, path: str, body: bytes, kind: str) -> dict[str, Any]:
        """One try."""
        connection = self._connection = self._connection or self._connect()
        headers = {**self._headers, "Content-Type": kind}
        connection.request(method, f"{self._address.path.rstrip('/')}{path}", body, headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status in _AGAIN:
            raise _Again(f"{answer.status} {answer.reason}")
        try:
            found = json.loads(content)
        except ValueError:
            found = None
        if not 200 <= answer.status < 300:
            raise StoreError(self._refusal(method, path, answer.status, found))
        if not isinstance(found, dict):
            raise _Again("its answer is no JSON object")
        return found

    def _connect(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(self._address.netloc, timeout=ANSWER_SECONDS)
        return http.client.HTTPSConnection(self._address.netloc, timeout=ANSWER_SECONDS, context=self._tls)

    def _refusal(self, method: str, path: str, status: int, answer: object) -> str:
        error = answer.get("error") if isinstance(answer, dict) else None
        told = f"{self._place.address} answers {status} to {method} {path}{_reason(error)}"
        if status == 401:
            return f"{told}: give the store's user and password, secret store-login"
        if status == 403:
            index = self._place.index
            need = f"may manage index templates, and create, manage and write index {index}"
            return f"{told}: take a user who {need}"
        if status == 413:
            return f"{told}: have it take requests of {MOST_BYTES // 1_000_000} MB"
        return f"{told}: give another index, storeIndex, or another store, store"


class _Again(Exception):
    """What another try may change."""


def _trust(ca: Path | None) -> ssl.SSLContext:
    """Raises StoreError."""
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as problem:
        raise StoreError(f"{ca} has no certificates ({_why(problem)}): give PEM, storeCa") from None


def properties(features: int) -> dict[str, Any]:
    """Fields of a document, by the names that the lake's tables have for them."""
    kinds = {**streaming_tables.columns("predictions", features), **streaming_tables.columns("rejected", features)}
    found = {name: _TYPES[kind] for name, kind in kinds.items()}
    return {"run": _TYPES[streaming_tables.TEXT], **found, "detail": _KEPT, "record": _KEPT}


def template(index: str, features: int) -> dict[str, Any]:
    """What the index is made by, whoever makes it."""
    # As many copies as there are machines for, at most one: of one machine it would never be.
    settings = {"number_of_shards": 1, "auto_expand_replicas": "0-1", "refresh_interval": "1s"}
    mappings = {"dynamic": "strict", "properties": properties(features)}
    content = {"settings": {"index": settings}, "mappings": mappings}
    return {"index_patterns": [index], "priority": 500, "template": content}


def documents(batch: Batch, run: str, features: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and content of each."""
    for table, rows in (("predictions", batch.predictions), ("rejected", batch.rejected)):
        columns = streaming_tables.columns(table, features)
        for row in rows:
            topic, partition, offset = row[:3]
            yield f"{topic}-{partition}-{offset}", {"run": run, **dict(zip(columns, row, strict=True))}


def _requests(found: Iterator[tuple[str, dict[str, Any]]]) -> Iterator[tuple[Sequence[str], bytes]]:
    """Bodies of requests that are not too large, each with the names of its documents."""
    names: list[str] = []
    lines: list[bytes] = []
    size = 0
    for name, document in found:
        pair = f"{json.dumps({'index': {'_id': name}})}\n{json.dumps(document, allow_nan=False)}\n".encode()
        if lines and size + len(pair) > MOST_BYTES:
            yield names, b"".join(lines)
            names, lines, size = [], [], 0
        names.append(name)
        lines.append(pair)
        size += len(pair)
    if lines:
        yield names, b"".join(lines)


def _check(answer: Mapping[str, Any], names: Sequence[str]) -> None:
    """That each document is there, whatever the answer's status. Raises StoreError and _Again."""
    items = answer.get("items")
    if not isinstance(items, list):
        raise _Again("its answer to _bulk has no items")
    told = [item.get("index", {}) for item in items if isinstance(item, dict)]
    missing = set(names) - {each.get("_id") for each in told}
    bad = [each for each in told if each.get("status") not in (200, 201)]
    never = [each for each in bad if each.get("status") not in _AGAIN]
    if never:
        [first, *_] = never
        what = f"the store refuses {len(never)} of {len(names)} documents, the first of them {first.get('_id')}"
        raise StoreError(
            f"{what} ({first.get('status')}{_reason(first.get('error'))}): "
            "give another index, storeIndex, or have the store take them"
        )
    if bad or missing or answer.get("errors"):
        raise _Again(f"it has not taken {len(bad) + len(missing) or 'some'} of {len(names)} documents")


def _reason(error: object) -> str:
    if isinstance(error, dict):
        error = f"{error.get('type')}: {error.get('reason')}"
    return f", {' '.join(str(error).split())[:_TOLD]}" if error else ""


def _why(problem: Exception) -> str:
    return " ".join(str(problem).split())[:_TOLD] or type(problem).__name__


def read_login(path: str | None) -> str | None:
    """USER:PASSWORD, as a file has it. Raises StoreError and OSError."""
    if path is None:
        return None
    text = Path(path).read_text(encoding="utf-8").strip()
    if ":" not in text or any(character < " " for character in text):
        raise StoreError("secret store-login is not USER:PASSWORD in one line: set it so")
    return text


def problem_of(address: str | None, login: str | None) -> str | None:
    """What is wrong with an address, or with a login that would be sent to it."""
    if address is None:
        return None
    found = urlsplit(address)
    if found.scheme not in ("http", "https") or not found.hostname or found.query or found.fragment:
        return f"argument --store: {address!r} is not an address that begins with http:// or https://"
    if found.username is not None:
        return "argument --store: a user stands in it, which whoever lists processes would see: give --store-login"
    if login and found.scheme == "http":
        return f"argument --store-login: {address!r} would be sent it in the clear: give an address with https://"
    return None
