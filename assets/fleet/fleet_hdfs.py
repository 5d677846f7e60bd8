"""What the fleet's scripts know of HDFS: a small client of WebHDFS and of what a namenode tells of itself."""

from __future__ import annotations

import argparse
import http.client
import json
import re
import string
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

USER = "oneoff"
# What must come with all that changes something; see dfs.webhdfs.rest-csrf.
HEADERS = {"X-XSRF-HEADER": "oneoff"}
TIMEOUT_S = 60
READ_BYTES = 1 << 20
TRIES = 4
SHORT = re.compile(r"Under replicated \S+\. Target Replicas is (\d+) but found (\d+) live replica")


class FleetError(Exception):
    """What went wrong: one sentence. Calling again may help."""

    exit_status = 1


class RefusalError(FleetError):
    """What can't be done as it was asked for: one sentence, with the cure."""

    exit_status = 2


# WebHDFS --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Node:
    """A data node, as the namenode sees it."""

    address: str  # of its data transfer, as in the file of members
    http: str
    state: str
    used: int
    capacity: int
    remaining: int
    blocks: int
    last_contact: int  # seconds ago

    @property
    def host(self) -> str:
        """Its host alone."""
        return self.address.rpartition(":")[0]


IN_SERVICE = "in service"
ENTERING = "entering maintenance"
DEAD = "dead"


class Hdfs:
    """HDFS by its namenode's HTTP address; each thread that uses it has a connection of its own, which stays."""

    def __init__(self, namenode: str, timeout: float = TIMEOUT_S) -> None:
        """Takes HOST:PORT, and asks nothing yet."""
        self.namenode = namenode
        self.timeout = timeout
        self.own = threading.local()

    # What is asked of the namenode.

    def ask(self, method: str, path: str, op: str, **parameters: object) -> dict[str, Any]:
        """An operation of WebHDFS that the namenode answers itself, or tells of which data node does."""
        query = urlencode({"op": op, "user.name": USER, **parameters})
        status, body = self._request(method, f"/webhdfs/v1{quote(path)}?{query}")
        return answer_of(status, body, path)

    def status(self, path: str) -> dict[str, Any] | None:
        """What is at a path."""
        try:
            return self.ask("GET", path, "GETFILESTATUS")["FileStatus"]
        except NotThereError:
            return None

    def list(self, path: str) -> dict[str, dict[str, Any]]:
        """What is in a folder, by name; nothing where there is none."""
        try:
            found = self.ask("GET", path, "LISTSTATUS")["FileStatuses"]["FileStatus"]
        except NotThereError:
            return {}
        return {each["pathSuffix"]: each for each in found}

    def make_folder(self, path: str) -> None:
        """With all above it."""
        self.ask("PUT", path, "MKDIRS")

    def rename(self, path: str, to: str, overwrite: bool = False) -> None:
        """What is there already stays, unless it is a file and may be overwritten."""
        how = {"renameoptions": "OVERWRITE" if overwrite else "NONE"}
        self.ask("PUT", path, "RENAME", destination=to, **how)

    def delete(self, path: str) -> bool:
        """With all in it; whether there was anything."""
        return self.ask("DELETE", path, "DELETE", recursive="true")["boolean"]

    def defaults(self) -> dict[str, Any]:
        """What a file has that was not told otherwise."""
        return self.ask("GET", "/", "GETSERVERDEFAULTS")["FsServerDefaults"]

    def bean(self, name: str) -> dict[str, Any]:
        """What the namenode tells of itself."""
        status, body = self._request("GET", f"/jmx?qry=Hadoop:service=NameNode,name={name}")
        beans = answer_of(status, body, name).get("beans")
        if not beans:
            raise NoAnswerError(f"the namenode {self.namenode} has no {name} yet: it is starting")
        return beans[0]

    def short_blocks(self) -> list[tuple[int, int]]:
        """Of each block with too few copies how many it should have, and how many there are.

        By fsck, as Hadoop's own command does (org.apache.hadoop.hdfs.server.namenode.NamenodeFsck).
        """
        status, body = self._request("GET", f"/fsck?{urlencode({'ugi': USER, 'path': '/'})}")
        if status != 200:
            answer_of(status, body, "/fsck")
        return [(int(target), int(copies)) for target, copies in SHORT.findall(body.decode(errors="replace"))]

    # What data nodes do.

    def create(self, path: str, size: int, body: Callable[[], Iterable[bytes]], tries: int = TRIES, **how: str) -> None:
        """Writes a file in a folder that is there; as often as `tries` says if a data node does not do it."""
        headers = {**HEADERS, "Content-Length": str(size), "Content-Type": "application/octet-stream"}
        how = {"overwrite": "true", "createparent": "false", **how}
        self._at_node("PUT", path, "CREATE", tries, lambda: (body(), headers), how)

    def server_checksum(self, path: str) -> tuple[str, str]:
        """How HDFS made a file's checksum, and its hex digits."""
        found = json.loads(self._at_node("GET", path, "GETFILECHECKSUM"))["FileChecksum"]
        return found["algorithm"], found["bytes"][24:56]

    def read(self, path: str) -> Iterator[bytes]:
        """A file's content, as long as the data node that it is read from is there."""
        place = self.ask("GET", path, "OPEN", noredirect="true")["Location"]
        try:
            with Exchange(place, self.timeout) as exchange:
                response = exchange.send("GET", None, {})
                if response.status != 200:
                    answer_of(response.status, response.read(), path)
                while data := response.read(READ_BYTES):
                    yield data
        except (OSError, http.client.HTTPException) as error:
            raise could_not(place, "OPEN", path, error) from error

    def _at_node(
        self,
        method: str,
        path: str,
        op: str,
        tries: int = TRIES,
        sends: Callable[[], tuple[Iterable[bytes] | None, dict[str, str]]] = lambda: (None, {}),
        parameters: dict[str, str] | None = None,
    ) -> bytes:
        """What a data node that the namenode chooses answers; one that does not is left out of the next try."""
        left_out: list[str] = []
        for left in reversed(range(tries)):
            without = {"excludedatanodes": ",".join(left_out)} if left_out else {}
            place = self.ask(method, path, op, noredirect="true", **(parameters or {}), **without)["Location"]
            body, headers = sends()
            try:
                with Exchange(place, self.timeout) as exchange:
                    response = exchange.send(method, body, headers)
                    data = response.read()
                    answer_of(response.status, data, path)
                    return data
            except NotThereError:
                raise
            except (OSError, http.client.HTTPException, FleetError) as error:
                if not left:
                    raise could_not(place, op, path, error) from error
                left_out += [each.address for each in nodes(self) if each.http == urlsplit(place).netloc]
        raise AssertionError

    def _request(self, method: str, target: str) -> tuple[int, bytes]:
        connection = getattr(self.own, "connection", None)
        try:
            if connection:
                try:
                    return self._exchange(connection, method, target)
                except (ConnectionError, http.client.HTTPException):
                    connection.close()  # a connection that was kept may have ended meanwhile
            host, port = host_and_port(self.namenode)
            self.own.connection = connection = http.client.HTTPConnection(host, port, timeout=self.timeout)
            return self._exchange(connection, method, target)
        except (OSError, http.client.HTTPException) as error:
            self.own.connection = None
            raise NoAnswerError(f"the namenode {self.namenode} does not answer: {reason_of(error)}") from error

    def _exchange(self, connection: http.client.HTTPConnection, method: str, target: str) -> tuple[int, bytes]:
        connection.request(method, target, headers=HEADERS)
        response = connection.getresponse()
        return response.status, response.read()


class Exchange:
    """One request to a data node, which ends its connection after each."""

    def __init__(self, url: str, timeout: float) -> None:
        """Takes what the namenode said."""
        parts = urlsplit(url)
        # The namenode leaves what is not ASCII as it is.
        self.target = quote(f"{parts.path}?{parts.query}", safe=string.punctuation)
        self.connection = http.client.HTTPConnection(*host_and_port(parts.netloc), timeout=timeout)

    def __enter__(self) -> Exchange:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the connection."""
        self.connection.close()

    def send(self, method: str, body: Iterable[bytes] | None, headers: dict[str, str]) -> http.client.HTTPResponse:
        """The answer's head."""
        self.connection.request(method, self.target, body, headers)
        return self.connection.getresponse()


class NotThereError(FleetError):
    """There is nothing at the path."""


class NoAnswerError(FleetError):
    """The namenode can't be asked."""


def answer_of(status: int, body: bytes, path: str) -> dict[str, Any]:
    """What was answered, or the error that it is."""
    try:
        found = json.loads(body) if body else {}
    except ValueError:
        found = {}
    if status < 400:
        return found
    error = found.get("RemoteException", {})
    if error.get("exception") == "FileNotFoundException":
        raise NotThereError(f"{path} is not in HDFS")
    said = str(error.get("message") or f"status {status}").splitlines()[0]
    raise FleetError(f"HDFS refused {path}: {said}")


def could_not(place: str, op: str, path: str, error: Exception) -> FleetError:
    """What a data node did not do."""
    return FleetError(f"data node {urlsplit(place).netloc} could not {op} {path}: {reason_of(error)}; call it again")


def reason_of(error: Exception) -> str:
    """Why, without a number."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def host_and_port(text: str) -> tuple[str, int]:
    """Both of HOST:PORT."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


# What the namenode knows of data nodes --------------------------------------------------------------------------------


def nodes(hdfs: Hdfs, bean: dict[str, Any] | None = None) -> list[Node]:
    """All that the namenode knows, also those that are dead."""
    bean = bean or hdfs.bean("NameNodeInfo")
    live = [
        Node(
            address=each["xferaddr"],
            http=each["infoAddr"],
            state=state_of(each["adminState"]),
            used=each["usedSpace"],
            capacity=each["capacity"],
            remaining=each["remaining"],
            blocks=each["numBlocks"],
            last_contact=each["lastContact"],
        )
        for each in json.loads(bean["LiveNodes"]).values()
    ]
    dead = [
        Node(each["xferaddr"], "", DEAD, used=0, capacity=0, remaining=0, blocks=0, last_contact=each["lastContact"])
        for each in json.loads(bean["DeadNodes"]).values()
    ]
    return sorted(live + dead, key=lambda node: node.address)


def state_of(said: str) -> str:
    """In our words what HDFS calls "Decommission In Progress", and so on."""
    known = {
        "In Service": IN_SERVICE,
        "Decommission In Progress": "decommissioning",
        "Decommissioned": "decommissioned",
        "Entering Maintenance": ENTERING,
        "In Maintenance": "in maintenance",
    }
    return known.get(said, said.lower())


def room(all_nodes: Iterable[Node]) -> int:
    """Bytes that these have left. Those of one host share its disk, which counts once."""
    by_host: dict[str, int] = {}
    for node in all_nodes:
        by_host[node.host] = max(by_host.get(node.host, 0), node.remaining)
    return sum(by_host.values())


# Command lines --------------------------------------------------------------------------------------------------------


def address(text: str) -> str:
    """HOST:PORT as an argument."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f'"{text}" is no address: expected HOST:PORT')
    return text


def run(name: str, main: Callable[[], None]) -> None:
    """Runs a script, which ends with 2 for what it refuses and 1 for what went wrong, and says either in one line."""
    try:
        main()
    except FleetError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        print(f"{name}: ended; calling it again goes on", file=sys.stderr)
        sys.exit(130)


def in_words(size: float) -> str:
    """Bytes for people: 1.2 GB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
