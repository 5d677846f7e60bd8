"""How a fleet's HDFS and Spark do, as a JSON object. What does not answer is null there, with the reason beside it."""

from __future__ import annotations

import argparse
import http.client
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import Any

import yarn
from fleet_hdfs import FleetError, Hdfs, address, host_and_port, nodes, reason_of, run

TIMEOUT_S = 3
MASTER = "[yarn://]HOST:PORT"


def hdfs_status(namenode: str) -> dict[str, Any]:
    """What the namenode tells."""
    hdfs = Hdfs(namenode, TIMEOUT_S)
    bean = hdfs.bean("NameNodeInfo")
    blocks = hdfs.bean("FSNamesystem")
    all_nodes = nodes(hdfs, bean)
    return {
        "state": "in safe mode" if bean["Safemode"] else "active",
        "used": bean["Used"],
        "capacity": bean["Total"],
        "live": sum(node.state != "dead" for node in all_nodes),
        "missing": blocks["MissingBlocks"],
        "underReplicated": blocks["LowRedundancyBlocks"] + blocks["PendingReconstructionBlocks"],
        "nodes": [
            {
                "address": node.address,
                "state": node.state,
                "used": node.used,
                "capacity": node.capacity,
                "blocks": node.blocks,
                "lastContact": node.last_contact,
            }
            for node in all_nodes
        ],
    }


def ask_master(master: str) -> dict[str, Any]:
    """What a standalone master tells of itself on its page's address; where that is yarn://, YARN in the same words."""
    if master.startswith(yarn.SCHEME):
        return yarn.tell(lambda path: ask_json(master.removeprefix(yarn.SCHEME), path))
    return ask_json(master, "/json/")


def ask_json(master: str, path: str, told: object = None) -> dict[str, Any]:
    """An answer of a master's page, which may be told something."""
    connection = http.client.HTTPConnection(*host_and_port(master), timeout=TIMEOUT_S)
    try:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        method, body = ("GET", None) if told is None else ("POST", json.dumps(told))
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise FleetError(f"the master {master} answers with status {response.status}")
        return json.loads(answer)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise FleetError(f"the master {master} does not answer: {reason_of(error)}") from error
    finally:
        connection.close()


def master_address(text: str) -> str:
    """HOST:PORT of a master's page, or yarn://HOST:PORT of a resource manager's."""
    scheme = yarn.SCHEME if text.startswith(yarn.SCHEME) else ""
    return scheme + address(text.removeprefix(scheme))


def spark_status(master: str) -> dict[str, Any]:
    """What the master tells."""
    found = ask_master(master)
    return {
        "state": found["status"].lower(),
        "nodes": [
            {
                "address": f"{worker['host']}:{worker['port']}",
                "page": worker["webuiaddress"].removeprefix("http://"),
                "state": worker["state"].lower(),
                "cores": worker["cores"],
                "coresUsed": worker["coresused"],
                "memoryMebibytes": worker["memory"],
                "memoryUsedMebibytes": worker["memoryused"],
                "gpus": gpus(worker.get("resources")),
                "gpusUsed": gpus(worker.get("resourcesused")),
            }
            for worker in found["workers"]
        ],
        "applications": [
            {
                "id": each["id"],
                "name": each["name"],
                "cores": each["cores"],
                "user": each["user"],
                "since": datetime.fromtimestamp(each["starttime"] / 1000, timezone.utc).isoformat(),
                "state": each["state"].lower(),
            }
            for each in found["activeapps"]
        ],
    }


def gpus(resources: dict[str, Any] | None) -> list[str]:
    """Addresses of GPUs."""
    found = (resources or {}).get("gpu") or []
    return list(found["addresses"] if isinstance(found, dict) else found)


def part(name: str, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A part of the fleet, or why there is none."""
    try:
        return {name: ask()}
    except FleetError as error:
        return {name: None, "problem": str(error)}
    except Exception as error:  # an answer of another version, or half of one, is no reason to show nothing
        return {name: None, "problem": f"{name} gave no answer that can be read: {error!r}"}


def status(namenode: str, master: str) -> dict[str, Any]:
    """Both, asked at once."""
    asked = {"hdfs": lambda: hdfs_status(namenode), "spark": lambda: spark_status(master)}
    with ThreadPoolExecutor(len(asked)) as pool:
        parts = list(pool.map(lambda name: part(name, asked[name]), asked))
    problems = [found["problem"] for found in parts if "problem" in found]
    return {**parts[0], **parts[1], **({"problem": "; ".join(problems)} if problems else {})}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--namenode", type=address, required=True, metavar="HOST:PORT", help="its page's address")
    parser.add_argument("--master", type=master_address, required=True, metavar=MASTER, help="its page's address")
    options = parser.parse_args()
    print(json.dumps(status(options.namenode, options.master)))


if __name__ == "__main__":
    run("status", main)
