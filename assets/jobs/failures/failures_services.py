"""What made-up services log, by how strained they are: failures_twin.py draws lines by these tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

INFO, WARNING, ERROR = "INFO", "WARNING", "ERROR"


class Pattern(NamedTuple):
    """A kind of line: its text, how many a window has of a service at ease, and how that grows with a level of strain.

    In the text {id} is hexadecimal, {ip} an address and {n} a whole number. They are drawn alike whatever the strain.
    """

    severity: str
    text: str
    rate: float
    gain: float = 0.0  # of the logarithm


SERVICES: Mapping[str, tuple[Pattern, ...]] = {
    "nova-compute": (
        Pattern(WARNING, "Option reserved_host_disk_mb is deprecated, value {n}", 0.9),
        Pattern(ERROR, "Image {id} was not found by tenant {id}", 0.5),
        Pattern(INFO, "Took {n} ms to build instance {id} on the hypervisor", 1.6, -0.1),
        Pattern(INFO, "Running instance usage audit: {n} instances", 0.8),
        Pattern(WARNING, "Host memory is overcommitted by {n} MB", 0.1, 0.45),
        Pattern(
            WARNING,
            "Found {n} instances in the database that the hypervisor does not run",
            0.08,
            0.5,
        ),
        Pattern(ERROR, "AMQP server on {ip}:5672 is unreachable: timed out. Trying again in {n} seconds", 0.03, 0.65),
        Pattern(ERROR, "Instance {id} could not be spawned: No valid host was found", 0.02, 0.55),
    ),
    "neutron-agent": (
        Pattern(WARNING, "Device {id} is not managed by this agent", 1.1),
        Pattern(ERROR, "Floating IP {ip} is in use already", 0.4),
        Pattern(INFO, "Port {id} updated with {n} rules", 1.9, -0.05),
        Pattern(INFO, "DHCP lease renewed for {ip}", 1.2),
        Pattern(WARNING, "Loop iteration exceeded interval: {n} ms", 0.12, 0.5),
        Pattern(WARNING, "Agent report took {n} ms", 0.06, 0.45),
        Pattern(ERROR, "Failed reporting state to {ip}: MessagingTimeout", 0.03, 0.6),
        Pattern(ERROR, "Unable to add port {id}: bridge does not answer", 0.015, 0.6),
    ),
    "cinder-volume": (
        Pattern(WARNING, "Quota of tenant {id} is exceeded: {n} GB", 0.8),
        Pattern(ERROR, "Backup {id} has no driver, skipped", 0.5),
        Pattern(INFO, "Created volume {id} of {n} GB", 0.9, -0.1),
        Pattern(INFO, "Stats of pool lvm updated: {n} GB free", 1.0),
        Pattern(WARNING, "Volume {id} is slow: {n} ms for a write", 0.1, 0.55),
        Pattern(WARNING, "Retrying to attach {id}, attempt {n}", 0.07, 0.5),
        Pattern(ERROR, "iSCSI target {ip} is not reachable", 0.02, 0.7),
        Pattern(ERROR, "Snapshot {id} failed after {n} s", 0.02, 0.4),
    ),
    "rabbitmq": (
        Pattern(WARNING, "closing connection {ip}:{n}: client unexpectedly closed TCP connection", 1.3),
        Pattern(ERROR, "login refused for user guest from {ip}:{n}", 0.4),
        Pattern(INFO, "accepting AMQP connection from {ip}:{n}", 1.5, 0.15),
        Pattern(INFO, "closing AMQP connection from {ip}:{n}", 1.4, 0.15),
        Pattern(WARNING, "missed heartbeats from client {ip}, timeout: {n} s", 0.1, 0.5),
        Pattern(WARNING, "memory resource limit alarm on node {id}", 0.05, 0.55),
        Pattern(ERROR, "connection {ip}:{n} aborted: handshake_timeout", 0.03, 0.55),
        Pattern(ERROR, "Mirrored queue {id} is unresponsive, {n} messages ready", 0.015, 0.65),
    ),
    "mysql": (
        Pattern(WARNING, "IP address {ip} could not be resolved", 1.2),
        Pattern(ERROR, "Access denied for user root from {ip}", 0.4),
        Pattern(INFO, "Checkpoint at {n} took {n} ms", 1.1, 0.05),
        Pattern(INFO, "WSREP: Synchronized with group, ready for connections", 0.6),
        Pattern(WARNING, "Aborted connection {n} from {ip}: Got timeout reading communication packets", 0.12, 0.4),
        Pattern(WARNING, "InnoDB: page_cleaner took {n} ms longer than it should", 0.09, 0.55),
        Pattern(ERROR, "WSREP: gcs_caused() returned {n}", 0.02, 0.6),
        Pattern(ERROR, "Deadlock found when trying to get lock in transaction {id}", 0.04, 0.4),
    ),
}

# What a service says when it starts, which it does after it failed.
STARTED = "Started {service}, pid {n}"

# Strain goes up and down by one level a window: how probable each is, from each level. Most of it goes away again.
UP = (0.01, 0.1, 0.1, 0.1, 0.0)
DOWN = (0.0, 0.16, 0.12, 0.10, 0.08)
LEVELS = len(UP)
# Failures a window, were strain to stay as common as it is where nothing fails. With a hazard of 2 a fifth of them come
# about: who is most strained fails, and starts anew at ease.
FAILURES = 1 / 144
