"""Makes a machine what it is to be in a fleet, once its software is there: accounts, disk, secrets, units. As root.

Called again it changes what is not so yet. The loader (loader.sh) calls it at the first boot; whatever runs after is
systemd's, also when the machine was stopped.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import access
import units
from fleet_hdfs import FleetError, run
from metadata import Metadata
from node_config import FILE, Disk, NodeConfig, read_config
from report import STATE

ACCOUNTS = ("oneoff-hdfs", "oneoff-spark", "oneoff-run", "oneoff-app", "oneoff-keys")
SECRETS = STATE / "secrets"
NODE_ENV = Path("/etc/oneoff/node.env")
DISK_S = 300
# Of a worker's memory this is the system's and the worker's own; of the rest four tenths are heaps (see executorHeap).
SYSTEM_MEBIBYTES = 1024
HEAP = 0.4
# As many applications have their masters on a machine of YARN's, beside all that its executors may have.
MASTERS = 2
SSH = {
    "/etc/ssh/sshd_config.d/10-oneoff.conf": "sshd.conf",
}
# Its -o on sshd's command line would count more than any file.
INSTANCE_CONNECT = Path("/etc/systemd/system/sshd.service.d/ec2-instance-connect.conf")


def set_up(config: NodeConfig, metadata: Metadata) -> None:
    """All of it, in this order: nothing runs before the machine's credentials are its own."""
    make_accounts()
    guard_metadata()
    if config.disk:
        bring_disk(config.disk)
    for name, parameter in config.parameters.items():
        keep_secret(config, name, parameter)
    access.settle(config)
    units.write_file(NODE_ENV, node_env(metadata))
    for path, text in config.files.items():
        units.write_file(path, text)
    for name, text in config.units.items():
        units.write_file(f"/etc/systemd/system/{name}", text)
    open_ssh()
    units.call("systemctl", "daemon-reload")
    units.start(*config.services)


def make_accounts() -> None:
    """Those that services run as; ssm-user before the agent makes it with sudo."""
    for name in (*ACCOUNTS, "ssm-user"):
        units.make_system_account(name)


def guard_metadata() -> None:
    """Nobody but root reaches what has the machine's credentials, now and after each start."""
    units.write_file("/etc/nftables/oneoff.nft", units.METADATA_RULES)
    units.write_file("/etc/systemd/system/oneoff-metadata.service", METADATA_UNIT)
    units.call("systemctl", "daemon-reload")
    units.call("systemctl", "enable", "--quiet", "oneoff-metadata.service")
    units.call("systemctl", "restart", "oneoff-metadata.service")


METADATA_UNIT = """\
[Unit]
Description=Keeps the metadata service to root
DefaultDependencies=no
After=local-fs.target
Before=network-pre.target
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft --file /etc/nftables/oneoff.nft

[Install]
WantedBy=multi-user.target
"""


def bring_disk(disk: Disk) -> None:
    """Mounts the machine's volume; makes a file system where there is none, and never on what holds anything."""
    device = wait_for(Path(disk.device))
    folder = Path(disk.folder)
    # It tells by the bytes themselves, and not by what udev knows; 2: there is nothing.
    if not units.call("blkid", "--probe", "--output", "value", "--match-tag", "TYPE", str(device), ok=(0, 2)).strip():
        units.call("mkfs.xfs", "-q", str(device))
    folder.mkdir(parents=True, exist_ok=True)
    unit = units.call("systemd-escape", "--path", "--suffix=mount", disk.folder).strip()
    text = (
        f"[Unit]\nDescription=Disk of {disk.folder}\n\n[Mount]\nWhat={disk.device}\nWhere={disk.folder}\nType=xfs\n"
        "Options=noatime,nodev,nosuid,noexec\n\n[Install]\nWantedBy=multi-user.target\n"
    )
    units.write_file(f"/etc/systemd/system/{unit}", text)
    units.call("systemctl", "daemon-reload")
    units.call("systemctl", "enable", "--quiet", unit)
    units.call("systemctl", "start", unit)


def wait_for(device: Path) -> Path:
    """Until EC2 has attached it."""
    ends = time.monotonic() + DISK_S
    while not device.exists():
        if time.monotonic() > ends:
            raise FleetError(f"{device} was not attached within {DISK_S} s")
        time.sleep(1)
    return device.resolve()


def keep_secret(config: NodeConfig, name: str, parameter: str) -> None:
    """A secret as a file of root's, which systemd hands to those that need it."""
    SECRETS.mkdir(mode=0o700, parents=True, exist_ok=True)
    units.write_file(SECRETS / name, units.parameter(parameter, "--region", config.region), 0o600)


def node_env(metadata: Metadata) -> str:
    """What is so on this machine alone, for units."""
    mebibytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20 - SYSTEM_MEBIBYTES
    return (
        f"ONEOFF_ADDRESS={metadata.facts['address']}\n"
        f"SPARK_WORKER_CORES={os.cpu_count()}\n"
        f"SPARK_WORKER_MEMORY={max(int(mebibytes * HEAP), 512)}m\n"
        f"YARN_NODE_CORES={(os.cpu_count() or 1) + MASTERS}\n"
        f"YARN_NODE_MEBIBYTES={max(mebibytes, 512)}\n"
    )


def open_ssh() -> None:
    """For the fleet's users, by their keys alone."""
    for path, name in SSH.items():
        units.write_file(path, (Path(__file__).parent / name).read_text())
    INSTANCE_CONNECT.parent.mkdir(parents=True, exist_ok=True)
    if not INSTANCE_CONNECT.is_symlink():
        INSTANCE_CONNECT.unlink(missing_ok=True)
        INSTANCE_CONNECT.symlink_to("/dev/null")
    units.call("systemctl", "daemon-reload")
    units.call("systemctl", "reload-or-restart", "sshd.service")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=FILE, help="what the machine is told (default: %(default)s)")
    options = parser.parse_args()
    set_up(read_config(options.config), Metadata())


if __name__ == "__main__":
    run("node", main)
