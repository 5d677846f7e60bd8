"""What a broker says of the topics, before the stream begins: asked of it by Kafka's client, which Spark has."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from streaming_state import State, StateError

CONNECTOR = "org.apache.spark:spark-sql-kafka-0-10_2.12:3.5.7"
_CONNECT_SECONDS = 3
_ANSWER_MS = 8_000


class KafkaError(Exception):
    """Why topics can't be read, in one line."""


class Range(NamedTuple):
    """Offsets that a partition has."""

    first: int
    end: int  # of the record that comes next


Topics = Mapping[str, Mapping[int, Range]]


def look(jvm: Any, servers: str, topics: Sequence[str]) -> Topics:  # noqa: ANN401 - py4j's
    """Partitions of topics. jvm: Spark's. Raises KafkaError, within seconds."""
    _connect(servers)
    admin_package = jvm.org.apache.kafka.clients.admin
    with _admin(jvm, servers) as admin:
        there = admin.listTopics().names().get()
        for topic in topics:
            if not there.contains(topic):
                known = ", ".join(sorted(name for name in there if not name.startswith("_"))) or "none"
                raise KafkaError(
                    f"there is no topic {topic} at {servers}: make it, or take one that is there ({known})"
                )
        names = jvm.java.util.ArrayList()
        for topic in topics:
            names.add(topic)
        described = admin.describeTopics(names).allTopicNames().get()
        places = [
            jvm.org.apache.kafka.common.TopicPartition(topic, info.partition())
            for topic in topics
            for info in described.get(topic).partitions()
        ]
        spec = admin_package.OffsetSpec
        firsts, ends = (_offsets(jvm, admin, places, each) for each in (spec.earliest(), spec.latest()))
    found: dict[str, dict[int, Range]] = {}
    for place, first, end in zip(places, firsts, ends, strict=True):
        found.setdefault(place.topic(), {})[place.partition()] = Range(first, end)
    return found


def _connect(servers: str) -> None:
    problems = []
    for server in servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
            return
        except OSError as problem:
            problems.append(f"{server}: {problem.strerror or problem}")
        except ValueError:
            problems.append(f"{server}: expected HOST:PORT")
    raise KafkaError(f"no broker is there ({'; '.join(problems)}): start it, or give another --kafka")


@contextmanager
def _admin(jvm: Any, servers: str) -> Iterator[Any]:  # noqa: ANN401 - py4j's
    from py4j.protocol import Py4JJavaError

    properties = jvm.java.util.Properties()
    asked = {"bootstrap.servers": servers, "default.api.timeout.ms": _ANSWER_MS, "request.timeout.ms": _ANSWER_MS // 2}
    for name, value in asked.items():
        properties.put(name, str(value))
    try:
        admin = jvm.org.apache.kafka.clients.admin.AdminClient.create(properties)
    except TypeError:  # py4j takes a class that is not there for a package
        raise KafkaError(f"Spark has nothing to read Kafka with: submit with --packages {CONNECTOR}") from None
    except Py4JJavaError as problem:
        raise KafkaError(f"{servers}: {_why(problem)}") from None
    try:
        yield admin
    except Py4JJavaError as problem:
        raise KafkaError(f"the broker at {servers} doesn't answer as Kafka does: {_why(problem)}") from None
    finally:
        admin.close(jvm.java.time.Duration.ofSeconds(1))


def _why(problem: Any) -> str:  # noqa: ANN401 - py4j's
    """The innermost reason."""
    exception = problem.java_exception
    while (cause := exception.getCause()) is not None:
        exception = cause
    return f"{exception.getClass().getSimpleName()}: {exception.getMessage()}"


def _offsets(jvm: Any, admin: Any, places: Sequence[Any], spec: Any) -> list[int]:  # noqa: ANN401 - py4j's
    asked = jvm.java.util.HashMap()
    for place in places:
        asked.put(place, spec)
    answers = admin.listOffsets(asked).all().get()
    return [answers.get(place).offset() for place in places]


class Lost(NamedTuple):
    """Records of a partition that nobody can read any more, from one offset to before another."""

    topic: str
    partition: int
    first: int
    end: int


def lost(topics: Topics, state: State) -> list[Lost]:
    """What the state hasn't come to and is gone. Raises StateError where the topics are others than the state is of."""
    found = []
    for topic, offsets in state.offsets.items():
        for partition, last in ((int(number), last) for number, last in offsets.items()):
            range_ = topics[topic].get(partition)
            if range_ is None or range_.end <= last:
                has = f"ends before offset {range_.end}" if range_ else "is not there"
                raise StateError(
                    f"the state is at offset {last} of partition {partition} of topic {topic}, which {has}: "
                    "it is another topic of that name; give another --state"
                )
            if range_.first > last + 1:
                found.append(Lost(topic, partition, last + 1, range_.first))
    return found


def starting_offsets(topics: Topics, state: State) -> str:
    """Where the stream begins, as Spark takes it: behind what the state is of."""
    begin = {
        topic: {
            str(partition): state.offsets.get(topic, {}).get(str(partition), range_.first - 1) + 1
            for partition, range_ in partitions.items()
        }
        for topic, partitions in topics.items()
    }
    return json.dumps(begin)
