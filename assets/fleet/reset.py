"""Users' data and kernels away; the machines and all services stay.

Kernels and sessions of notebooks are ended first. While another application runs on the master nothing is deleted. Then
HDFS is emptied; the cluster's own folders stay, without what is in them.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from fleet_hdfs import FleetError, Hdfs, RefusalError, address, reason_of, run
from fleet_status import MASTER, ask_master, master_address

TIMEOUT_S = 30
# A kernel's application ends some seconds after it.
PATIENCE_S = 20
LOOK_S = 0.5
OWN = ("/runs", "/scratch", "/spark-events", "/user/oneoff")


# Notebooks ------------------------------------------------------------------------------------------------------------


class Jupyter:
    """The REST API of a Jupyter server."""

    def __init__(self, url: str, token: str) -> None:
        """Asks nothing yet."""
        self.parts = urlsplit(url)
        self.token = token

    def ask(self, method: str, path: str) -> Any:  # noqa: ANN401 -- JSON
        """An answer; nothing when what it was about is gone."""
        place = self.parts.netloc
        if self.parts.scheme not in ("http", "https") or not place:
            raise RefusalError(f'--notebook is "{self.parts.geturl()}": expected its address, http://HOST:PORT/')
        kind = http.client.HTTPSConnection if self.parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(place, timeout=TIMEOUT_S)
        try:
            target = f"{self.parts.path.rstrip('/')}/api/{path}"
            connection.request(method, target, headers={"Authorization": f"token {self.token}"})
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise FleetError(f"the notebook {self.parts.geturl()} does not answer: {reason_of(error)}") from error
        finally:
            connection.close()
        if response.status in (401, 403):
            raise RefusalError(
                f"the notebook {self.parts.geturl()} does not take the token: give its own by --token-file"
            )
        if response.status >= 400 and response.status != 404:
            raise FleetError(
                f"the notebook {self.parts.geturl()} answers {method} {path} with status {response.status}"
            )
        return json.loads(body) if body and response.status != 404 else None

    def end_all(self) -> dict[str, int]:
        """Ends sessions with their kernels, and kernels without one."""
        sessions = self.ask("GET", "sessions") or []
        for session in sessions:
            self.ask("DELETE", f"sessions/{quote(session['id'], safe='')}")
        kernels = {session["kernel"]["id"] for session in sessions if session.get("kernel")}
        for kernel in self.ask("GET", "kernels") or []:
            kernels.add(kernel["id"])
            self.ask("DELETE", f"kernels/{quote(kernel['id'], safe='')}")
        return {"sessions": len(sessions), "kernels": len(kernels)}


def read_token(file: Path) -> str:
    """The token alone in a file."""
    try:
        return file.read_text().strip()
    except OSError as error:
        raise RefusalError(f"--token-file is {file}, which can't be read: {error.strerror}") from error


# Applications and HDFS ------------------------------------------------------------------------------------------------


def refuse_applications(master: str, patience: float) -> None:
    """Refuses while any runs; those of kernels that were ended get some seconds."""
    end = time.monotonic() + patience
    while apps := ask_master(master)["activeapps"]:
        if time.monotonic() >= end:
            names = ", ".join(f"{each['name']} ({each['id']}, of {each['user']})" for each in apps)
            raise RefusalError(f"nothing was deleted, for it runs on {master}: {names}; wait for its end, or end it")
        time.sleep(LOOK_S)


def empty(hdfs: Hdfs, folder: str, in_use: set[str]) -> int:
    """Deletes what is in a folder, but the cluster's own folders, and what an application of `in_use` has."""
    deleted = 0
    for name, found in hdfs.list(folder).items():
        path = f"{folder.rstrip('/')}/{name}"
        if path in OWN or any(own.startswith(f"{path}/") for own in OWN):
            deleted += empty(hdfs, path, in_use)
        elif not any(each in name for each in in_use) or folder != "/spark-events":
            hdfs.delete(path)
            kind = "folder" if found["type"] == "DIRECTORY" else "file"
            print(f"reset: deleted the {kind} {path} in HDFS", file=sys.stderr)
            deleted += 1
    return deleted


def reset(hdfs: Hdfs, master: str, notebooks: Sequence[Jupyter]) -> dict[str, int]:
    """All of it, and how much it was."""
    ended = {"sessions": 0, "kernels": 0}
    for notebook in notebooks:
        ended = {what: ended[what] + count for what, count in notebook.end_all().items()}
    if notebooks:
        print(f"reset: ended {ended['kernels']} kernels and {ended['sessions']} sessions", file=sys.stderr)
    refuse_applications(master, PATIENCE_S if ended["kernels"] else 0)
    # One that has begun meanwhile keeps its log.
    in_use = {each["id"] for each in ask_master(master)["activeapps"]}
    return {**ended, "deleted": empty(hdfs, "/", in_use)}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--namenode", type=address, required=True, metavar="HOST:PORT", help="its page's address")
    parser.add_argument("--master", type=master_address, required=True, metavar=MASTER, help="its page's address")
    parser.add_argument("--notebook", action="append", default=[], metavar="URL", help="address of a JupyterLab")
    parser.add_argument(
        "--token-file", action="append", default=[], type=Path, metavar="FILE", help="file with its token"
    )
    options = parser.parse_args()
    if len(options.notebook) != len(options.token_file):
        parser.error("each --notebook needs its --token-file")
    places = zip(options.notebook, options.token_file, strict=True)
    notebooks = [Jupyter(url, read_token(file)) for url, file in places]
    print(json.dumps(reset(Hdfs(options.namenode), options.master, notebooks)))


if __name__ == "__main__":
    run("reset", main)
