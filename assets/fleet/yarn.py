"""A resource manager of YARN: what it tells, as Spark's own master would, and what it is told of a node that goes."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import cache
from typing import Any

# How the address of one begins where an address of Spark's own master is taken too.
SCHEME = "yarn://"
GPU = "yarn.io/gpu"
# An application's master holds a core of its own.
MASTER_CORES = 1
UNENDED = "NEW,NEW_SAVING,SUBMITTED,ACCEPTED,RUNNING"


def tell(ask: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """`ask` is given a path of its REST API (ResourceManagerRest of Hadoop's documentation)."""
    nodes = (ask("/ws/v1/cluster/nodes")["nodes"] or {}).get("node", [])
    apps = (ask(f"/ws/v1/cluster/apps?states={UNENDED}")["apps"] or {}).get("app", [])
    return {
        "status": ask("/ws/v1/cluster/info")["clusterInfo"]["state"],
        "workers": [worker_of(node) for node in nodes if node["nodeHTTPAddress"]],  # one that is lost has none
        "activeapps": [
            {
                "id": each["id"],
                "name": each["name"],
                "user": each["user"],
                "cores": max(each["allocatedVCores"] - MASTER_CORES, 0),
                "starttime": each["startedTime"],
                "state": each["state"],
            }
            for each in apps
        ],
    }


def close_node(ask: Callable[..., dict[str, Any]], address: str) -> None:
    """Has the node at an address be given nothing more, unless it is the last; what it has it keeps.

    That is "Cluster Node Update Resource API" of ResourceManagerRest, which Hadoop 3.4.2 asks nobody's name for. Where
    no node has anything YARN refuses what applications ask for, and their masters end.
    """
    nodes = [node for node in (ask("/ws/v1/cluster/nodes")["nodes"] or {}).get("node", []) if node["nodeHTTPAddress"]]
    mine = [node for node in nodes if numeric(node["nodeHostName"]) == address]
    if any(node["availMemoryMB"] + node["usedMemoryMB"] > 0 for node in nodes if node not in mine):
        for node in mine:
            nothing = {"resource": {"memory": 0, "vCores": 0}, "overCommitTimeout": -1}
            ask(f"/ws/v1/cluster/nodes/{node['id']}/resource", nothing)


def worker_of(node: dict[str, Any]) -> dict[str, Any]:
    """A node manager, with what application masters hold there too."""
    host, _, port = node["id"].rpartition(":")
    used = (node["usedMemoryMB"], node["usedVirtualCores"], gpus_of(node["usedResource"]))
    free = (node["availMemoryMB"], node["availableVirtualCores"], gpus_of(node["availableResource"]))
    return {
        "host": numeric(host),
        "port": int(port),
        "webuiaddress": f"{numeric(host)}:{node['nodeHTTPAddress'].rpartition(':')[2]}",
        "state": "ALIVE" if node["state"] == "RUNNING" else node["state"],
        "memory": used[0] + free[0],
        "memoryused": used[0],
        "cores": used[1] + free[1],
        "coresused": used[1],
        # Which ones they are YARN doesn't know.
        "resources": {"gpu": [str(each) for each in range(used[2] + free[2])]},
        "resourcesused": {"gpu": [str(each) for each in range(used[2])]},
    }


def gpus_of(resource: dict[str, Any]) -> int:
    """How many are among it."""
    found = resource.get("resourceInformations", {}).get("resourceInformation", [])
    return next((int(each["value"]) for each in found if each["name"] == GPU), 0)


@cache
def numeric(host: str) -> str:
    """A node calls itself by the name that its address has."""
    try:
        return socket.gethostbyname(host)
    except OSError:
        return host
