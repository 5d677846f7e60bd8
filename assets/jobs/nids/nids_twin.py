"""A made-up twin of UNSW-NB15 whose classes' distributions are known, and so the best that any detector can reach.

A flow's family is drawn by PRIORS. Given the family, what is in DRAWN and CATEGORICAL is drawn column by column,
independently: sizes, times and counts from log-normal distributions, words from lists. All other columns are worked out
of those or are noise that is alike in all families, so they tell a detector nothing more. With an overlap of 1 all
families are alike; with 0 they are as far apart as the tables below say.

The likelihood ratio of a flow, attack against normal, is computed from the same tables. By the lemma of Neyman and
Pearson nothing detects more attacks at the same false alarms than a threshold on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple

from nids_families import CATEGORICAL, DRAWN, FAMILIES, FARTHEST, MOVED, PRIORS, SPREAD
from nids_layouts import COLUMNS, FIFTHS, HELD_OUT, HELD_OUT_FIFTHS, LEFT_OUT, MADE_UP, NORMAL, TRAIN

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

BLOCK = 1_000  # flows drawn by one generator
BEGIN = datetime(2026, 1, 5, tzinfo=timezone.utc)
SPAN = timedelta(hours=16)  # as long as UNSW-NB15 was recorded; flows follow each other evenly
HOSTS, ATTACKERS = 200, 40  # that begin flows; of the attackers' some are normal, and the other way round
STRAYED = 0.1  # part of the flows that begin at a host of the other kind


class Twin(NamedTuple):
    """All that the flows depend on."""

    seed: int
    flows: int
    overlap: float


class Block(NamedTuple):
    """What is drawn of some flows: an array per column, and the families as places in FAMILIES."""

    family: np.ndarray
    drawn: Mapping[str, np.ndarray]  # as they stand in the table
    words: Mapping[str, np.ndarray]  # places in the lists of CATEGORICAL


def parameters(column: str, family: str, overlap: float) -> tuple[float, float]:
    """Mean and standard deviation of the logarithm of a column in a family."""
    base, apart = DRAWN[column], 1 - overlap
    moved = MOVED.get(family, {}).get(column, 0.0)
    spread = SPREAD.get(family, {}).get(column, 1.0)
    return base.mean + apart * FARTHEST * moved * base.deviation, base.deviation * (1 + apart * (spread - 1))


def odds(column: str, family: str, overlap: float) -> list[float]:
    """The probability of each word of a column in a family."""
    common, own = CATEGORICAL[column]
    words = own.get(family, common)
    return [overlap * common[word] + (1 - overlap) * words[word] for word in common]


def is_tcp(words: Mapping[str, np.ndarray]) -> np.ndarray:
    """Only such flows have a handshake, and so a time that it took."""
    return words["protocol"] == list(CATEGORICAL["protocol"][0]).index("tcp")


# Drawing -------------------------------------------------------------------------------------------------------------


def generator(twin: Twin, number: int) -> np.random.Generator:
    """That of a block; its flows depend on nothing but the twin and the number."""
    import numpy as np

    return np.random.Generator(np.random.Philox(key=np.array([twin.seed, number], np.uint64)))


def draw(twin: Twin, random: np.random.Generator, flows: int = BLOCK) -> Block:
    """Families, and what is drawn by them."""
    import numpy as np

    family = random.choice(len(FAMILIES), flows, p=_normalised(PRIORS.values()))
    drawn, words = {}, {}
    for column, how in DRAWN.items():
        of_family = np.array([parameters(column, name, twin.overlap) for name in FAMILIES])
        mean, deviation = of_family[family].T
        value = np.exp(mean + deviation * random.standard_normal(flows))
        drawn[column] = value if how.least is None else np.floor(value) + how.least
    for column in CATEGORICAL:
        sums = np.cumsum([_normalised(odds(column, name, twin.overlap)) for name in FAMILIES], axis=1)
        words[column] = np.minimum(
            (random.random(flows)[:, None] >= sums[family]).sum(axis=1), len(CATEGORICAL[column][0]) - 1
        )
    drawn["tcprtt"] = np.where(is_tcp(words), drawn["tcprtt"], 0.0)
    return Block(family, drawn, words)


def _normalised(values: Sequence[float] | object) -> np.ndarray:
    import numpy as np

    array = np.array(list(values))  # type: ignore[call-overload]
    return array / array.sum()


# Likelihoods ---------------------------------------------------------------------------------------------------------


def log_likelihoods(twin: Twin, block: Block) -> np.ndarray:
    """The logarithm of each flow's probability density in each family: flows x families."""
    import numpy as np

    total = np.zeros((len(block.family), len(FAMILIES)))
    tcp = is_tcp(block.words)
    for column, how in DRAWN.items():
        value = block.drawn[column]
        for n, family in enumerate(FAMILIES):
            mean, deviation = parameters(column, family, twin.overlap)
            if how.least is not None:
                total[:, n] += _log_of_whole(value - how.least, mean, deviation)
            else:
                known = tcp if column == "tcprtt" else np.ones(len(value), bool)
                # Without what is the same in all families.
                score = (np.log(np.where(known, value, 1.0)) - mean) / deviation
                total[:, n] += np.where(known, -0.5 * score**2 - np.log(deviation), 0.0)
    for column, places in block.words.items():
        table = np.array([_normalised(odds(column, family, twin.overlap)) for family in FAMILIES])
        total += np.log(table.T[places])
    return total


def _log_of_whole(value: np.ndarray, mean: float, deviation: float) -> np.ndarray:
    """Of a log-normal that was rounded down: the logarithm of the probability between a number and the next."""
    import numpy as np
    from scipy.special import log_ndtr

    low = np.where(value > 0, (np.log(np.maximum(value, 1)) - mean) / deviation, -np.inf)
    high = (np.log(value + 1) - mean) / deviation
    # Both in the lower tail, where the difference of two small numbers is exact.
    flipped = low > 0
    low, high = np.where(flipped, -high, low), np.where(flipped, -low, high)
    above = log_ndtr(high)
    return above + np.log1p(-np.exp(np.minimum(log_ndtr(low) - above, -1e-300)))


def log_ratio(likelihoods: np.ndarray) -> np.ndarray:
    """The logarithm of the likelihood ratio, attack against normal, of flows in each family."""
    import numpy as np

    normal = FAMILIES.index(NORMAL)
    prior = _normalised(PRIORS.values())
    attacks = np.delete(likelihoods + np.log(prior / (1 - prior[normal])), normal, axis=1)
    largest = attacks.max(axis=1)
    return largest + np.log(np.exp(attacks - largest[:, None]).sum(axis=1)) - likelihoods[:, normal]


# Tables --------------------------------------------------------------------------------------------------------------


def parts(flows: int, least: int = 8, most_blocks: int = 100) -> list[tuple[int, int]]:
    """First and last block of each part file; they depend on nothing but the number of flows."""
    blocks = -(-flows // BLOCK)
    number = min(blocks, max(least, -(-blocks // most_blocks)))
    return [(blocks * n // number, blocks * (n + 1) // number) for n in range(number)]


def tables(twin: Twin, first: int, last: int) -> tuple[pa.Table, pa.Table]:
    """Rows of tables `flows` and `truth` of blocks `first` to `last - 1`, without those past the last flow."""
    import pyarrow as pa

    both = [_block_tables(twin, number) for number in range(first, last)]
    left = twin.flows - first * BLOCK
    flows, truth = (pa.concat_tables(tables).slice(0, left) for tables in zip(*both, strict=True))
    return flows, truth


def _block_tables(twin: Twin, number: int) -> tuple[pa.Table, pa.Table]:
    import numpy as np
    import pyarrow as pa

    random = generator(twin, number)
    block = draw(twin, random)
    ids = np.arange(number * BLOCK, (number + 1) * BLOCK)
    columns = {**_identity(twin, random, block, ids), **_words(block), **_numbers(random, block)}
    nothing = pa.nulls(BLOCK, pa.float64())
    flows = pa.table({name: columns.get(name, nothing) for name in COLUMNS})
    truth = pa.table({"flow": ids, "log_ratio": log_ratio(log_likelihoods(twin, block))})
    return flows, truth


def _identity(
    twin: Twin, random: np.random.Generator, block: Block, ids: np.ndarray
) -> dict[str, np.ndarray | pa.Array]:
    """What tells a flow: none of it depends on anything but whether it is an attack, and no model learns from it."""
    import numpy as np
    import pyarrow as pa

    attack = FAMILIES.index(NORMAL) != block.family
    bad = attack ^ (random.random(len(ids)) < STRAYED)
    host = np.where(bad, random.integers(0, ATTACKERS, len(ids)), ATTACKERS + random.integers(0, HOSTS, len(ids)))
    server = random.integers(1, 250, len(ids))
    late = ids * FIFTHS >= twin.flows * (FIFTHS - HELD_OUT_FIFTHS)
    apart = host % FIFTHS < HELD_OUT_FIFTHS
    part = np.where(late & apart, HELD_OUT, np.where(late | apart, LEFT_OUT, TRAIN))
    micros = np.int64(BEGIN.timestamp()) * 1_000_000 + ids * (SPAN // timedelta(microseconds=1)) // twin.flows
    text = {
        "origin": np.full(len(ids), MADE_UP),
        "part": part,
        "family": np.array(FAMILIES)[block.family],
        "srcip": [f"10.1.{n // 250}.{n % 250 + 1}" for n in host.tolist()],
        "dstip": [f"10.2.0.{n}" for n in server.tolist()],
    }
    return {
        "flow": ids,
        **{name: pa.array(values, pa.string()) for name, values in text.items()},
        "time": pa.array(micros).cast(pa.timestamp("us", "UTC")),
        "sport": random.integers(1024, 65536, len(ids)),
        "dsport": random.integers(1, 1024, len(ids)),
    }


def _words(block: Block) -> dict[str, pa.Array]:
    import numpy as np
    import pyarrow as pa

    return {
        column: pa.array(np.array(list(CATEGORICAL[column][0]))[block.words[column]], pa.string())
        for column in ("protocol", "service", "state")
    }


def _numbers(random: np.random.Generator, block: Block) -> dict[str, np.ndarray]:
    """Columns of numbers: those drawn, what follows from them, and noise."""
    import numpy as np

    drawn, tcp = block.drawn, is_tcp(block.words)
    sttl = np.array([float(word) for word in CATEGORICAL["sttl"][0]])[block.words["sttl"]]
    packets, answers, seconds = drawn["spkts"], drawn["dpkts"], np.maximum(drawn["dur"], 1e-6)
    sbytes, dbytes = packets * drawn["smeansz"], answers * drawn["dmeansz"]
    noise = random.random((6, len(sttl)))
    http = block.words["service"] == list(CATEGORICAL["service"][0]).index("http")
    ftp = block.words["service"] == list(CATEGORICAL["service"][0]).index("ftp")
    body = np.floor(np.exp(7 + 1.5 * random.standard_normal(len(sttl))))
    return {
        **drawn,
        **{"sttl": sttl, "dttl": np.where(tcp, 252.0, 0.0), "sbytes": sbytes, "dbytes": dbytes},
        **{"sload": 8 * sbytes / seconds, "dload": 8 * dbytes / seconds},
        **{"sloss": np.floor(packets * noise[0] * 0.1), "dloss": np.floor(answers * noise[1] * 0.1)},
        **{"swin": np.where(tcp, 255.0, 0.0), "dwin": np.where(tcp, 255.0, 0.0)},
        **{"sintpkt": 1000 * seconds / packets, "dintpkt": 1000 * seconds / answers},
        **{"synack": drawn["tcprtt"] * noise[2], "ackdat": drawn["tcprtt"] * (1 - noise[2])},
        **{"trans_depth": http * 1.0, "ct_flw_http_mthd": http * 1.0, "res_bdy_len": np.where(http, body, 0.0)},
        **{"is_ftp_login": ftp * (noise[3] < 0.5) * 1.0, "ct_ftp_cmd": ftp * np.floor(noise[4] * 3)},
        **{"is_sm_ips_ports": (noise[5] < 0.001) * 1.0, "ct_state_ttl": np.where(sttl == 254, 2.0, 0.0)},
    }
