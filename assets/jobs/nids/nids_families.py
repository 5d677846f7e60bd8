"""What the families of made-up flows are like: nids_twin.py draws flows by these tables and knows their likelihoods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from nids_layouts import NORMAL

# Attacks in the proportions of UNSW-NB15's training and testing sets, less rare than in its whole set.
PRIORS: Mapping[str, float] = {
    NORMAL: 0.6,
    **{"Generic": 0.134, "Exploits": 0.112, "Fuzzers": 0.061, "DoS": 0.041, "Reconnaissance": 0.035},
    **{"Analysis": 0.0067, "Backdoor": 0.0058, "Shellcode": 0.0038, "Worms": 0.0007},
}


class Drawn(NamedTuple):
    """A log-normal column: mean and standard deviation of the logarithm for normal flows, and whether it is whole."""

    mean: float
    deviation: float
    least: int | None = None  # of whole numbers, which are rounded down and added to this


DRAWN: Mapping[str, Drawn] = {
    "dur": Drawn(-1.0, 2.0),
    "spkts": Drawn(2.3, 1.1, 1),
    "dpkts": Drawn(2.2, 1.2, 1),
    "smeansz": Drawn(4.6, 0.6, 28),
    "dmeansz": Drawn(5.4, 0.9, 28),
    "sjit": Drawn(5.0, 1.6),
    "djit": Drawn(4.5, 1.6),
    "tcprtt": Drawn(-3.0, 0.8),
    "ct_srv_src": Drawn(1.2, 0.8, 1),
    "ct_srv_dst": Drawn(1.2, 0.8, 1),
    "ct_dst_ltm": Drawn(0.9, 0.8, 1),
    "ct_src_ltm": Drawn(1.0, 0.8, 1),
    "ct_src_dport_ltm": Drawn(0.3, 0.8, 1),
    "ct_dst_sport_ltm": Drawn(0.1, 0.7, 1),
    "ct_dst_src_ltm": Drawn(0.9, 0.9, 1),
}

# By family: how many deviations a column's logarithm is moved, FARTHEST times that with an overlap of 0; and where it
# spreads otherwise, how many times as much.
FARTHEST = 2.0
MOVED: Mapping[str, Mapping[str, float]] = {
    "Generic": {
        "dur": -2.4,
        "spkts": -1.2,
        "ct_srv_src": 2.2,
        "ct_srv_dst": 2.2,
        "ct_dst_src_ltm": 2.0,
        "ct_dst_ltm": 1.6,
    },
    "Exploits": {"dur": 0.9, "smeansz": 1.4, "sjit": 0.9, "dmeansz": -0.8, "tcprtt": 1.0, "ct_dst_src_ltm": -0.5},
    "Fuzzers": {"dur": 0.6, "smeansz": 1.8, "spkts": 0.4, "djit": -0.8, "ct_src_ltm": 0.6, "tcprtt": 0.5},
    "DoS": {"spkts": 1.8, "dpkts": -1.0, "sjit": -1.0, "ct_dst_ltm": 1.2, "dur": 0.8, "dmeansz": -0.7},
    "Reconnaissance": {"spkts": -0.9, "dpkts": -0.9, "smeansz": -0.9, "ct_src_dport_ltm": 1.8, "ct_dst_sport_ltm": 1.5},
    "Analysis": {"dur": -0.7, "smeansz": 0.8, "dpkts": -1.2, "ct_src_ltm": 1.6, "ct_srv_src": 1.0},
    "Backdoor": {"dur": 1.6, "dpkts": -0.8, "smeansz": 0.7, "djit": 1.3, "sjit": 1.2},
    "Shellcode": {"smeansz": 1.9, "spkts": -0.6, "dur": -1.0, "tcprtt": 0.8, "ct_srv_dst": -0.6},
    "Worms": {"smeansz": 1.2, "ct_src_ltm": 1.8, "ct_src_dport_ltm": 1.6, "dur": 0.6, "spkts": 0.9},
}
SPREAD: Mapping[str, Mapping[str, float]] = {
    "Generic": {"dur": 0.5, "smeansz": 0.6},
    "Exploits": {"spkts": 1.5, "dpkts": 1.4},
    "Fuzzers": {"smeansz": 1.6, "dmeansz": 1.3},
    "DoS": {"spkts": 1.4, "sjit": 1.4},
    "Reconnaissance": {"dur": 1.3, "smeansz": 0.5},
}

Words = Mapping[str, float]
# What normal flows have, and by family what others have.
CATEGORICAL: Mapping[str, tuple[Words, Mapping[str, Words]]] = {
    "protocol": (
        {"tcp": 0.68, "udp": 0.29, "arp": 0.015, "ospf": 0.01, "unas": 0.005},
        {
            "Generic": {"tcp": 0.1, "udp": 0.88, "arp": 0.002, "ospf": 0.01, "unas": 0.008},
            "DoS": {"tcp": 0.5, "udp": 0.15, "arp": 0.002, "ospf": 0.1, "unas": 0.248},
            "Exploits": {"tcp": 0.8, "udp": 0.08, "arp": 0.002, "ospf": 0.04, "unas": 0.078},
            "Backdoor": {"tcp": 0.3, "udp": 0.1, "arp": 0.002, "ospf": 0.1, "unas": 0.498},
        },
    ),
    "service": (
        {"-": 0.5, "http": 0.14, "dns": 0.2, "smtp": 0.05, "ftp": 0.04, "ssh": 0.07},
        {
            "Generic": {"-": 0.05, "http": 0.03, "dns": 0.89, "smtp": 0.01, "ftp": 0.01, "ssh": 0.01},
            "Exploits": {"-": 0.45, "http": 0.38, "dns": 0.03, "smtp": 0.08, "ftp": 0.05, "ssh": 0.01},
            "Worms": {"-": 0.05, "http": 0.9, "dns": 0.01, "smtp": 0.02, "ftp": 0.01, "ssh": 0.01},
        },
    ),
    "state": (
        {"FIN": 0.66, "CON": 0.26, "INT": 0.06, "REQ": 0.02},
        {
            "Generic": {"FIN": 0.08, "CON": 0.03, "INT": 0.88, "REQ": 0.01},
            "DoS": {"FIN": 0.45, "CON": 0.06, "INT": 0.44, "REQ": 0.05},
            "Reconnaissance": {"FIN": 0.5, "CON": 0.08, "INT": 0.37, "REQ": 0.05},
            "Shellcode": {"FIN": 0.35, "CON": 0.05, "INT": 0.58, "REQ": 0.02},
        },
    ),
    "sttl": (
        {"31": 0.8, "62": 0.04, "254": 0.16},
        {family: {"31": 0.25, "62": 0.1, "254": 0.65} for family in PRIORS if family != NORMAL},
    ),
}
FAMILIES = tuple(PRIORS)
