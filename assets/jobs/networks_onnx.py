"""A network of networks.py as an ONNX file, with its preparation in the graph, and what stands beside it.

The graph is written out here and not by a converter: it is a dozen nodes, equal networks make equal bytes, and what
turns text and missing numbers into inputs is in it, so whoever runs the file needs nothing of ours.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from networks import AUTOENCODER, CLASSIFIER, NORMAL, REACH, Examples, Network, Preparation, threshold

if TYPE_CHECKING:
    import numpy as np
    import onnx
    import onnxruntime

OPSET, ML_OPSET, IR = 17, 3, 8  # of 2022: whatever runs ONNX today knows them
TOLERANCE = 1e-4  # most that a score or a probability may differ from scikit-learn's, of one and more
GOLDEN = 16  # examples that are kept with what the network says of them, and two odd ones
UNSEEN = "never seen"


class Graph:
    """Nodes and constants, each under a name of its own."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, values: object, kind: str = "float32") -> str:
        """The name of a constant."""
        import numpy as np
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def node(
        self, operation: str, *inputs: str, to: str = "", also: str = "", domain: str = "", **attributes: object
    ) -> str:
        """The name of a node's result; `also`: that of its second one."""
        from onnx import helper

        name = to or f"n{len(self.nodes)}"
        results = [name, also] if also else [name]
        called = f"{operation}_{name}"
        self.nodes.append(helper.make_node(operation, inputs, results, name=called, domain=domain, **attributes))
        return name


@dataclass(frozen=True)
class Inputs:
    """What goes into a file: `numbers` (float32) and `categories` (text), of `rows`, by the names of their columns."""

    numbers: Sequence[str]
    categories: Sequence[str]
    rows: str = "examples"

    def schema(self) -> list[dict[str, Any]]:
        """For who runs it."""
        numbers, categories = ([self.rows, len(columns)] for columns in (self.numbers, self.categories))
        return [
            {
                **{"name": "numbers", "type": "float32", "shape": numbers},
                **{"columns": list(self.numbers), "missing": "NaN"},
            },
            {"name": "categories", "type": "string", "shape": categories, "columns": list(self.categories)},
        ]


def to_onnx(network: Network, given: Inputs, licence: str) -> bytes:
    """The file."""
    from onnx import TensorProto, helper

    graph = Graph()
    prepared = prepare(graph, network.preparation)
    last = _layers(graph, network, prepared)
    outputs = [helper.make_tensor_value_info("score", TensorProto.FLOAT, [given.rows])]
    if network.kind == CLASSIFIER:
        labels = network.labels
        outputs.append(helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [given.rows, len(labels)]))
        probabilities = _probabilities(graph, last, len(labels))
        normal = graph.node("Gather", probabilities, graph.constant(labels.index(NORMAL), "int64"), axis=1)
        graph.node("Sub", graph.constant(1.0), normal, to="score")
    elif network.kind == AUTOENCODER:
        difference = graph.node("Sub", last, prepared)
        graph.node("ReduceMean", graph.node("Mul", difference, difference), to="score", axes=[1], keepdims=0)
    else:
        logarithm = graph.node("Squeeze", last, graph.constant([1], "int64"))
        graph.node("Exp", logarithm, to="score")
    return finish(graph, network.kind, given, outputs, licence)


def finish(
    graph: Graph,
    name: str,
    given: Inputs,
    outputs: list[onnx.ValueInfoProto],
    licence: str,
    more: Sequence[onnx.ValueInfoProto] = (),
) -> bytes:
    """The file of a graph; `more` goes in beside what is given."""
    from onnx import TensorProto, checker, helper

    inputs = [
        helper.make_tensor_value_info("numbers", TensorProto.FLOAT, [given.rows, len(given.numbers)]),
        helper.make_tensor_value_info("categories", TensorProto.STRING, [given.rows, len(given.categories)]),
        *more,
    ]
    made = helper.make_model(
        helper.make_graph(graph.nodes, name, inputs, outputs, graph.constants),
        producer_name="pulumi-oneoff",
        ir_version=IR,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)],
    )
    helper.set_model_props(made, {"licence": licence})
    checker.check_model(made, full_check=True)
    return made.SerializeToString(deterministic=True)


def prepare(graph: Graph, how: Preparation) -> str:
    """What Preparation.transform does."""
    missing = graph.node("IsNaN", "numbers")
    known = graph.node("Where", missing, graph.constant(how.median), "numbers")
    scaled = graph.node("Div", graph.node("Abs", known), graph.constant(how.scale))
    logarithm = graph.node("Log", graph.node("Add", graph.constant(1.0), scaled))
    signed = graph.node("Mul", graph.node("Sign", known), logarithm)
    centred = graph.node("Sub", signed, graph.constant(how.mean))
    standard = graph.node("Div", centred, graph.constant(how.deviation))
    columns = [graph.node("Clip", standard, graph.constant(-REACH), graph.constant(REACH))]
    for place, words in enumerate(how.words):
        column = graph.node("Gather", "categories", graph.constant(place, "int64"), axis=1)
        # One that was never seen is all zeros.
        columns.append(graph.node("OneHotEncoder", column, domain="ai.onnx.ml", cats_strings=words, zeros=1))
    return graph.node("Concat", *columns, axis=1)


def _layers(graph: Graph, network: Network, inputs: str) -> str:
    """The weights, with what makes them more than one line between the layers."""
    layers = list(zip(network.network.coefs_, network.network.intercepts_, strict=True))
    for place, (weights, bias) in enumerate(layers):
        inputs = graph.node("Gemm", inputs, graph.constant(weights), graph.constant(bias))
        if place < len(layers) - 1:
            inputs = graph.node("Relu", inputs)
    return inputs


def _probabilities(graph: Graph, last: str, labels: int) -> str:
    """Of two labels scikit-learn's network has one output, which is the second's."""
    if labels > 2:
        return graph.node("Softmax", last, to="probabilities", axis=1)
    second = graph.node("Sigmoid", last)
    first = graph.node("Sub", graph.constant(1.0), second)
    return graph.node("Concat", first, second, to="probabilities", axis=1)


# Running -------------------------------------------------------------------------------------------------------------


def run(file: bytes, examples: Examples) -> dict[str, np.ndarray]:
    """What ONNX Runtime makes of examples, by the names of the outputs."""
    running = session(file)
    names = [output.name for output in running.get_outputs()]
    given = {"numbers": examples.numbers.astype("float32"), "categories": examples.categories.astype(object)}
    return dict(zip(names, running.run(names, given), strict=True))


def session(file: bytes) -> onnxruntime.InferenceSession:
    """ONNX Runtime with a file, on one core."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def difference(file: bytes, network: Network, examples: Examples) -> float:
    """How far ONNX Runtime is off scikit-learn at most. Raises ValueError when that is beyond TOLERANCE."""
    return largest_difference(network.kind, run(file, examples), predictions(network, examples), "scikit-learn")


def largest_difference(kind: str, found: dict[str, np.ndarray], wanted: dict[str, np.ndarray], framework: str) -> float:
    """How far outputs of ONNX Runtime are off those of a framework. Raises ValueError when beyond TOLERANCE."""
    import numpy as np

    largest = 0.0
    for name, values in wanted.items():
        off = np.abs(found[name] - values) / np.maximum(1, np.abs(values))
        largest = max(largest, float(np.where(np.isnan(off), np.inf, off).max(initial=0)))
    if largest > TOLERANCE:
        raise ValueError(f"{kind}: ONNX Runtime is {largest:.2g} off {framework}, more than {TOLERANCE:g}")
    return largest


def predictions(network: Network, examples: Examples) -> dict[str, np.ndarray]:
    """What scikit-learn makes of examples, by the names of the outputs."""
    beside = {"probabilities": network.probabilities(examples)} if network.kind == CLASSIFIER else {}
    return {"score": network.scores(examples), **beside}


def schema(network: Network, given: Inputs) -> dict[str, Any]:
    """What goes into the file and comes out, for who runs it."""
    outputs: list[dict[str, Any]] = [{"name": "score", "type": "float32", "shape": [given.rows]}]
    if network.kind == CLASSIFIER:
        labels = network.labels
        shape = [given.rows, len(labels)]
        outputs.append({"name": "probabilities", "type": "float32", "shape": shape, "columns": labels})
    return {"inputs": given.schema(), "outputs": outputs}


def golden(network: Network, examples: Examples) -> dict[str, Any]:
    """Some examples and what the network says of them."""
    return golden_of(examples, lambda few: predictions(network, few))


def golden_of(examples: Examples, predict: Callable[[Any], dict[str, np.ndarray]]) -> dict[str, Any]:
    """Some examples and what is said of them, in 6 significant digits; a missing number is null.

    One of them has no numbers, and one has words that were never seen.
    """
    import numpy as np

    few = examples.only(np.minimum(np.arange(GOLDEN + 2), len(examples.labels) - 1))
    few.numbers[GOLDEN] = np.nan
    few.categories[GOLDEN + 1] = UNSEEN
    numbers = [[None if np.isnan(value) else float(value) for value in row] for row in few.numbers]
    outputs = {name: _rounded(values) for name, values in predict(few).items()}
    return {
        "inputs": {"numbers": numbers, "categories": few.categories.tolist()},
        "outputs": outputs,
        "tolerance": TOLERANCE,
    }


def _rounded(values: np.ndarray) -> float | list[object]:
    return [_rounded(value) for value in values] if values.ndim else float(f"{float(values):.6g}")


def file_row(network: Network, test: Examples, given: Inputs, licence: str, seconds: float) -> dict[str, Any]:
    """A network's row of table `networks`. Raises ValueError when ONNX Runtime doesn't agree with scikit-learn."""
    file = to_onnx(network, given, licence)
    return {
        "model": network.kind,
        "onnx": base64.b64encode(file).decode(),
        "sha256": sha256(file),
        "onnx_bytes": len(file),
        "input_schema": json.dumps(schema(network, given)),
        "golden": json.dumps(golden(network, test)),
        "threshold": threshold(network.scores(test)[~test.abnormal]),
        "licence": licence,
        "off": difference(file, network, test),
        "seconds": seconds,
    }


def sha256(file: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(file).hexdigest()
