"""What job nids knows of flows: the columns of table `flows`, and how published data sets lay theirs out.

A layout is data: its columns in the order of the file, each with what is made of it. One reader, nids_input.py, reads
all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from networks import NORMAL

# Where a flow is learnt from, measured on, or neither: of a host held out but too early, or the other way round.
TRAIN, HELD_OUT, LEFT_OUT = "train", "held out", "left out"
# Of five hosts two are held out, and of the time the last two fifths: what is learnt from and what is measured on share
# neither a host nor a moment.
HELD_OUT_FIFTHS, FIFTHS = 2, 5

# Of UNSW-NB15, by its own names: what both published layouts have, without what names a host or a moment, and without
# stcpb and dtcpb, which TCP draws at random.
UNSW_NUMBERS = (
    *("dur", "sbytes", "dbytes", "sttl", "dttl", "sloss", "dloss", "sload", "dload", "spkts", "dpkts", "swin", "dwin"),
    *("smeansz", "dmeansz", "trans_depth", "res_bdy_len", "sjit", "djit", "sintpkt", "dintpkt", "tcprtt", "synack"),
    *("ackdat", "is_sm_ips_ports", "ct_state_ttl", "ct_flw_http_mthd", "is_ftp_login", "ct_ftp_cmd", "ct_srv_src"),
    *("ct_srv_dst", "ct_dst_ltm", "ct_src_ltm", "ct_src_dport_ltm", "ct_dst_sport_ltm", "ct_dst_src_ltm"),
)
# Of NSL-KDD, beside duration, src_bytes and dst_bytes, which are dur, sbytes and dbytes.
KDD_NUMBERS = (
    *("land", "wrong_fragment", "urgent", "hot", "num_failed_logins", "logged_in", "num_compromised", "root_shell"),
    *("su_attempted", "num_root", "num_file_creations", "num_shells", "num_access_files", "num_outbound_cmds"),
    *("is_host_login", "is_guest_login", "count", "srv_count", "serror_rate", "srv_serror_rate", "rerror_rate"),
    *("srv_rerror_rate", "same_srv_rate", "diff_srv_rate", "srv_diff_host_rate", "dst_host_count"),
    *("dst_host_srv_count", "dst_host_same_srv_rate", "dst_host_diff_srv_rate", "dst_host_same_src_port_rate"),
    *("dst_host_srv_diff_host_rate", "dst_host_serror_rate", "dst_host_srv_serror_rate", "dst_host_rerror_rate"),
    "dst_host_srv_rerror_rate",
)
NUMBERS = (*UNSW_NUMBERS, *(f"kdd_{name}" for name in KDD_NUMBERS))
CATEGORIES = ("protocol", "service", "state")
# What tells a flow and is never learnt from.
IDENTITY = ("flow", "origin", "part", "family", "time", "srcip", "sport", "dstip", "dsport")
COLUMNS = (*IDENTITY, *CATEGORIES, *NUMBERS)

# Kinds of columns: how the text of a field is read.
NUMBER = "number"  # must be there
COUNT = "count or blank"  # blank is 0
TEXT = "text"
PORT = "port"  # a whole number, also in hexadecimal; "-" is none
SECONDS = "seconds since 1970"
FAMILY = "family"
ATTACK = "0 or 1"
SKIPPED = "anything"

MADE_UP = "made up"
UNSW, KDD = "UNSW-NB15", "NSL-KDD"
# What may be done with the data, and so with a model that was trained on them.
TERMS: Mapping[str, str] = {
    MADE_UP: "no terms of a data set",
    UNSW: "academic research only; other use has to be agreed with the authors. Cite: Moustafa, N., Slay, J.: "
    "UNSW-NB15: a comprehensive data set for network intrusion detection systems. MilCIS 2015",
    KDD: "for research. Cite: Tavallaee, M., Bagheri, E., Lu, W., Ghorbani, A.: A detailed analysis of the KDD CUP 99 "
    "data set. CISDA 2009",
}


def licence(origin: str) -> str:
    """What a model carries that was trained on such data."""
    return f"trained on {'flows that were made up' if origin == MADE_UP else origin}: {TERMS[origin]}"


@dataclass(frozen=True)
class Field:
    """A column of a published file: its name there, how it is read, and the column of `flows` that it becomes."""

    name: str
    kind: str = NUMBER
    to: str | None = None


@dataclass(frozen=True)
class Layout:
    """How a published file is laid out."""

    name: str
    origin: str
    fields: Sequence[Field]
    header: bool
    families: Mapping[str, str] = field(default_factory=dict)  # a label in lower case, and the family it belongs to

    @property
    def expected(self) -> str:
        """What such a file has, as messages say it."""
        header = "a header and " if self.header else "no header and "
        return f"{self.name} ({header}{len(self.fields)} columns)"


def _fields(text: str, to: Mapping[str, str], kinds: Mapping[str, str]) -> tuple[Field, ...]:
    """`to`: what a column is called in `flows`, where that is another name; "" for one that is left out."""
    found = []
    for name in text.split():
        kind = kinds.get(name, NUMBER)
        target = to.get(name, name)
        found.append(Field(name, kind, None if kind in (SKIPPED, ATTACK) or not target else target))
    return tuple(found)


_UNSW_FAMILIES = (
    *("Generic", "Exploits", "Fuzzers", "DoS", "Reconnaissance", "Analysis", "Backdoor", "Shellcode", "Worms"),
)
_UNSW_LABELS = {
    **{name.lower(): name for name in _UNSW_FAMILIES},
    "backdoors": "Backdoor",
    "": NORMAL,
    "normal": NORMAL,
}
_UNSW_KINDS = {
    **dict.fromkeys(("srcip", "dstip", "proto", "service", "state"), TEXT),
    **dict.fromkeys(("sport", "dsport"), PORT),
    **dict.fromkeys(("stcpb", "dtcpb", "ltime", "id", "rate"), SKIPPED),
    # Blank, in the file, of flows that are no FTP or HTTP.
    **dict.fromkeys(("ct_flw_http_mthd", "is_ftp_login", "ct_ftp_cmd"), COUNT),
    **{"stime": SECONDS, "attack_cat": FAMILY, "label": ATTACK},
}

UNSW_WHOLE = Layout(
    "UNSW-NB15's whole set",
    UNSW,
    _fields(
        """srcip sport dstip dsport proto state dur sbytes dbytes sttl dttl sloss dloss service sload dload spkts dpkts
        swin dwin stcpb dtcpb smeansz dmeansz trans_depth res_bdy_len sjit djit stime ltime sintpkt dintpkt tcprtt
        synack ackdat is_sm_ips_ports ct_state_ttl ct_flw_http_mthd is_ftp_login ct_ftp_cmd ct_srv_src ct_srv_dst
        ct_dst_ltm ct_src_ltm ct_src_dport_ltm ct_dst_sport_ltm ct_dst_src_ltm attack_cat label""",
        {"proto": "protocol", "stime": "time", "attack_cat": "family"},
        _UNSW_KINDS,
    ),
    header=False,
    families=_UNSW_LABELS,
)

UNSW_SPLIT = Layout(
    "UNSW-NB15's training and testing sets",
    UNSW,
    _fields(
        """id dur proto service state spkts dpkts sbytes dbytes rate sttl dttl sload dload sloss dloss sinpkt dinpkt
        sjit djit swin stcpb dtcpb dwin tcprtt synack ackdat smean dmean trans_depth response_body_len ct_srv_src
        ct_state_ttl ct_dst_ltm ct_src_dport_ltm ct_dst_sport_ltm ct_dst_src_ltm is_ftp_login ct_ftp_cmd
        ct_flw_http_mthd ct_src_ltm ct_srv_dst is_sm_ips_ports attack_cat label""",
        {
            **{"sinpkt": "sintpkt", "dinpkt": "dintpkt", "smean": "smeansz", "dmean": "dmeansz"},
            **{"response_body_len": "res_bdy_len", "attack_cat": "family", "proto": "protocol"},
        },
        _UNSW_KINDS,
    ),
    header=True,
    families=_UNSW_LABELS,
)

_KDD_ATTACKS = {
    "DoS": "apache2 back land mailbomb neptune pod processtable smurf teardrop udpstorm worm",
    "Probe": "ipsweep mscan nmap portsweep saint satan",
    "R2L": """ftp_write guess_passwd httptunnel imap multihop named phf sendmail snmpgetattack snmpguess spy warezclient
        warezmaster xlock xsnoop""",
    "U2R": "buffer_overflow loadmodule perl ps rootkit sqlattack xterm",
}

NSL_KDD = Layout(
    "NSL-KDD",
    KDD,
    _fields(
        f"duration protocol_type service flag src_bytes dst_bytes {' '.join(KDD_NUMBERS)} label difficulty",
        {
            **{"duration": "dur", "protocol_type": "protocol", "flag": "state", "src_bytes": "sbytes"},
            **{"dst_bytes": "dbytes", "label": "family"},
            **{name: f"kdd_{name}" for name in KDD_NUMBERS},
        },
        {**dict.fromkeys(("protocol_type", "service", "flag"), TEXT), "label": FAMILY, "difficulty": SKIPPED},
    ),
    header=False,
    families={"normal": NORMAL, **{name: family for family, names in _KDD_ATTACKS.items() for name in names.split()}},
)

LAYOUTS = (UNSW_WHOLE, UNSW_SPLIT, NSL_KDD)


def recognise(line: str) -> Layout | None:
    """The layout of a file that begins with that line."""
    fields = [text.strip().strip('"').lower() for text in line.removeprefix("\ufeff").split(",")]
    for layout in LAYOUTS:
        if len(fields) != len(layout.fields):
            continue
        if not layout.header or fields == [column.name for column in layout.fields]:
            return layout
    return None


def unlabelled(layout: Layout) -> tuple[Layout, Layout]:
    """The layout for flows whose family nobody looks at: as it is published, and without what tells the family."""
    told = [column for column in layout.fields if column.kind in (FAMILY, ATTACK) or column.name == "difficulty"]
    unread = tuple(Field(column.name, SKIPPED) if column in told else column for column in layout.fields)
    left = tuple(column for column in layout.fields if column not in told)
    return replace(layout, fields=unread), replace(layout, name=f"{layout.name} without labels", fields=left)
