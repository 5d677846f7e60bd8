"""A fleet in a box: machines as namespaces of this one, on a network of their own that leads nowhere.

Started in namespaces for network, mounts and processes. Each line of the standard input, `NAME ADDRESS USER-DATA`,
starts a machine, whose process id is printed. Each has this machine's root with copies of what it changes, a metadata
service at 169.254.169.254, the lake at /lake, an empty disk at /dev/sdf, and the programs of bin/ before all others.
All ends with the standard input.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def call(*words: str) -> None:
    """Fails when that does."""
    subprocess.run(words, check=True)


def main() -> None:
    """Folder of the box, programs of Debian's, and what is put at /opt/oneoff as NAME=FOLDER."""
    folder, debian, *software = sys.argv[1:]
    call("ip", "link", "set", "lo", "up")
    call("ip", "link", "add", "box", "type", "bridge")
    call("ip", "addr", "add", "10.84.0.1/20", "dev", "box")
    call("ip", "link", "set", "box", "up")
    for number, line in enumerate(sys.stdin):
        name, address, user_data = line.split()
        place = Path(folder) / name
        about = [str(place), f"{folder}/lake", address, user_data]
        namespaces = ["--net", "--mount", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc"]
        machine = subprocess.Popen(
            ["unshare", *namespaces, "sh", str(HERE / "machine.sh"), *about, debian, *software],
            stdin=subprocess.PIPE,
            stdout=(Path(folder) / f"{name}.log").open("w"),
            stderr=subprocess.STDOUT,
        )
        # It waits for its end of the cable.
        inside = first_child(machine.pid)
        call("ip", "link", "add", f"box{number}", "type", "veth", "peer", "name", f"m{number}")
        call("ip", "link", "set", f"box{number}", "master", "box", "up")
        call("ip", "link", "set", f"m{number}", "netns", str(inside))
        machine.stdin.write(f"m{number}\n".encode())
        machine.stdin.flush()
        print(inside, flush=True)


def first_child(pid: int) -> int:
    """Whom unshare has started, once it has."""
    file = Path(f"/proc/{pid}/task/{pid}/children")
    while not (found := file.read_text().split()):
        pass
    return int(found[0])


if __name__ == "__main__":
    main()
