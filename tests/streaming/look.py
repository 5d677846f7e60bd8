"""Holds what a stream left against what the topics have, or makes topics: `look.py topics|whole BROKER ...`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import confluent_kafka
import confluent_kafka.admin
import conftest  # noqa: F401 - has what follows be found
from streaming_records import Delivered
from streaming_support import check_whole

SECONDS = 30


def make_topics(broker: str, topics: list[str]) -> None:
    """topics: each as NAME:PARTITIONS."""
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": broker})
    asked = [
        confluent_kafka.admin.NewTopic(name, int(count)) for name, _, count in (each.partition(":") for each in topics)
    ]
    for made in admin.create_topics(asked).values():
        made.result(SECONDS)


def records(broker: str, topics: list[str]) -> Iterator[Delivered]:
    """All that topics have."""
    settings = {"bootstrap.servers": broker, "group.id": "look", "enable.auto.commit": False}
    consumer = confluent_kafka.Consumer(settings)
    for topic in topics:
        for partition in consumer.list_topics(topic, SECONDS).topics[topic].partitions:
            place = confluent_kafka.TopicPartition(topic, partition, 0)
            first, end = consumer.get_watermark_offsets(place, SECONDS)
            consumer.assign([confluent_kafka.TopicPartition(topic, partition, first)])
            at = first
            while at < end:
                message = consumer.poll(SECONDS)
                assert message is not None and message.error() is None, f"{topic} {partition} ends before {end}"
                at = message.offset() + 1
                yield Delivered(topic, partition, message.offset(), message.timestamp()[1], message.value())
    consumer.close()


if __name__ == "__main__":
    what, broker, *more = sys.argv[1:]
    if what == "topics":
        make_topics(broker, more)
    else:
        found = list(records(broker, ["train", "test"]))
        check_whole(Path(more[0]), found, more[1:])
        print(f"{len(found)} records are there once")
