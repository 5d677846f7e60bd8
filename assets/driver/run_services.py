"""What a cluster's services lack before a step can run there."""

from __future__ import annotations

import json
import socket
import urllib.request
from typing import Any
from urllib.parse import urlsplit

# What Spark calls a master that YARN makes for each application.
YARN = "yarn"
_ANSWER_SECONDS = 5  # that a service of the cluster may take to answer


def _ask(url: str) -> Any:  # noqa: ANN401
    """The JSON that a service of the cluster answers; None where it does not."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=_ANSWER_SECONDS) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return None


def address_towards(master: str) -> str | None:
    """The address by which a host that listens, `spark://HOST:PORT`, sees us; None while it does not listen."""
    there = urlsplit(master)
    try:
        with socket.create_connection((there.hostname, there.port), timeout=_ANSWER_SECONDS) as connection:
            return connection.getsockname()[0]
    except OSError:
        return None


def missing_of_spark(master: str, page: str) -> str | None:
    """What Spark lacks to run a step; None when nothing is missing. page: the address of its master's or YARN's."""
    if master == YARN:
        return missing_of_yarn(page)
    if address_towards(master) is None:
        return f"{master} did not answer"
    state = f"{page}/json/"
    answer = _ask(state)
    if not isinstance(answer, dict):
        return f"{state} did not answer"
    return None if answer.get("aliveworkers") else f"no worker registered with {master}"


def missing_of_yarn(page: str) -> str | None:
    """The same of YARN, which says at its resource manager's page what its nodes have: one that goes has nothing."""
    state = f"{page}/ws/v1/cluster/metrics"
    answer = _ask(state)
    if not isinstance(answer, dict):
        return f"{state} (YARN) did not answer"
    return None if answer.get("clusterMetrics", {}).get("totalMB", 0) > 0 else f"no node registered with {page} (YARN)"


def is_hdfs(address: str) -> bool:
    """Whether it is a folder of the cluster's HDFS."""
    return address.startswith("webhdfs://")


def missing_of_hdfs(address: str) -> str | None:
    """What HDFS lacks to be written to; None when nothing is missing. address: `webhdfs://HOST:PORT/...`."""
    namenode = f"http://{urlsplit(address).netloc}"
    if _ask(f"{namenode}/webhdfs/v1/?op=LISTSTATUS&user.name=oneoff") is None:
        return f"{namenode} (HDFS) did not answer"
    answer = _ask(f"{namenode}/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState")
    try:
        alive = answer["beans"][0]["NumLiveDataNodes"]
    except (TypeError, LookupError):
        alive = 0
    return None if alive else f"no datanode registered with {namenode} (HDFS)"
