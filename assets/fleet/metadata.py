"""What EC2 tells a machine of itself: version 2 of its metadata service, which root alone reaches (units.py)."""

from __future__ import annotations

import json
import os
import urllib.request
from functools import cached_property
from typing import Any
from urllib.error import HTTPError

from fleet_hdfs import FleetError, reason_of

ADDRESS = "http://169.254.169.254"
TIMEOUT_S = 5


class Metadata:
    """This machine, as EC2 knows it."""

    def __init__(self) -> None:
        """ONEOFF_METADATA names another service, for tests."""
        self.address = os.environ.get("ONEOFF_METADATA", ADDRESS)
        # Nothing between: the service is the machine's own.
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, path: str, *, method: str = "GET", headers: dict[str, str] | None = None) -> str | None:
        """What it says; None where it has nothing."""
        request = urllib.request.Request(f"{self.address}/latest/{path}", method=method, headers=headers or {})
        try:
            with self.opener.open(request, timeout=TIMEOUT_S) as answer:
                return answer.read().decode()
        except HTTPError as error:
            if error.code == 404:
                return None
            raise FleetError(f"EC2 does not tell {path}: status {error.code}") from error
        except OSError as error:
            raise FleetError(f"EC2 does not tell {path}: {reason_of(error)}") from error

    def read(self, path: str) -> str | None:
        """A value; None where there is none."""
        token = self.ask("api/token", method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
        return self.ask(path, headers={"X-aws-ec2-metadata-token": token or ""})

    @cached_property
    def facts(self) -> dict[str, str]:
        """Instance, type, zone and private address."""
        found: dict[str, Any] = json.loads(self.read("dynamic/instance-identity/document") or "{}")
        try:
            return {
                "instance": found["instanceId"],
                "type": found["instanceType"],
                "zone": found["availabilityZone"],
                "address": found["privateIp"],
            }
        except KeyError as error:
            raise FleetError(f"EC2 does not say this machine's {error}") from error

    def taken(self) -> str | None:
        """When a spot instance is taken away, once that is known."""
        notice = self.read("meta-data/spot/instance-action")
        return json.loads(notice)["time"] if notice else None
