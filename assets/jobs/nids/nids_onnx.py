"""A network of job nids as an ONNX file, with its preparation in the graph, and what stands beside it.

The graph is written out here and not by a converter: it is a dozen nodes, equal networks make equal bytes, and what
turns text and missing numbers into inputs is in it, so whoever runs the file needs nothing of ours.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from nids_layouts import CATEGORIES, NORMAL
from nids_models import AUTOENCODER, CLASSIFIER, REACH, Flows, Network

if TYPE_CHECKING:
    import numpy as np
    import onnx

OPSET, ML_OPSET, IR = 17, 3, 8  # of 2022: whatever runs ONNX today knows them
TOLERANCE = 1e-4  # most that a score or a probability may differ from scikit-learn's, of one and more
GOLDEN = 16  # flows that are kept with what the network says of them, and two odd ones
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

    def node(self, operation: str, *inputs: str, to: str = "", domain: str = "", **attributes: object) -> str:
        """The name of a node's result."""
        from onnx import helper

        name = to or f"n{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(operation, inputs, [name], name=f"{operation}_{name}", domain=domain, **attributes)
        )
        return name


def to_onnx(network: Network, columns: list[str], licence: str) -> bytes:
    """The file. Its inputs are `numbers` (float32, flows x columns) and `categories` (text, flows x CATEGORIES)."""
    from onnx import TensorProto, checker, helper

    graph = Graph()
    prepared = _prepare(graph, network)
    last = _layers(graph, network, prepared)
    outputs = [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["flows"])]
    if network.kind == CLASSIFIER:
        families = network.families
        outputs.append(helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["flows", len(families)]))
        probabilities = _probabilities(graph, last, len(families))
        normal = graph.node("Gather", probabilities, graph.constant(families.index(NORMAL), "int64"), axis=1)
        graph.node("Sub", graph.constant(1.0), normal, to="score")
    elif network.kind == AUTOENCODER:
        difference = graph.node("Sub", last, prepared)
        graph.node("ReduceMean", graph.node("Mul", difference, difference), to="score", axes=[1], keepdims=0)
    else:
        logarithm = graph.node("Squeeze", last, graph.constant([1], "int64"))
        graph.node("Exp", logarithm, to="score")
    inputs = [
        helper.make_tensor_value_info("numbers", TensorProto.FLOAT, ["flows", len(columns)]),
        helper.make_tensor_value_info("categories", TensorProto.STRING, ["flows", len(CATEGORIES)]),
    ]
    made = helper.make_model(
        helper.make_graph(graph.nodes, network.kind, inputs, outputs, graph.constants),
        producer_name="pulumi-oneoff",
        ir_version=IR,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)],
    )
    helper.set_model_props(made, {"licence": licence})
    checker.check_model(made, full_check=True)
    return made.SerializeToString(deterministic=True)


def _prepare(graph: Graph, network: Network) -> str:
    """What Preparation.transform does."""
    how = network.preparation
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


def _probabilities(graph: Graph, last: str, families: int) -> str:
    """Of two families scikit-learn's network has one output, which is the second's."""
    if families > 2:
        return graph.node("Softmax", last, to="probabilities", axis=1)
    second = graph.node("Sigmoid", last)
    first = graph.node("Sub", graph.constant(1.0), second)
    return graph.node("Concat", first, second, to="probabilities", axis=1)


# Running -------------------------------------------------------------------------------------------------------------


def run(file: bytes, flows: Flows) -> dict[str, np.ndarray]:
    """What ONNX Runtime makes of flows, by the names of the outputs."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    given = {"numbers": flows.numbers.astype("float32"), "categories": flows.categories.astype(object)}
    return dict(zip(names, session.run(names, given), strict=True))


def difference(file: bytes, network: Network, flows: Flows) -> float:
    """How far ONNX Runtime is off scikit-learn at most. Raises ValueError when that is beyond TOLERANCE."""
    import numpy as np

    found, wanted = run(file, flows), predictions(network, flows)
    largest = 0.0
    for name, values in wanted.items():
        off = np.abs(found[name] - values) / np.maximum(1, np.abs(values))
        largest = max(largest, float(np.where(np.isnan(off), np.inf, off).max(initial=0)))
    if largest > TOLERANCE:
        raise ValueError(f"{network.kind}: ONNX Runtime is {largest:.2g} off scikit-learn, more than {TOLERANCE:g}")
    return largest


def predictions(network: Network, flows: Flows) -> dict[str, np.ndarray]:
    """What scikit-learn makes of flows, by the names of the outputs."""
    beside = {"probabilities": network.probabilities(flows)} if network.kind == CLASSIFIER else {}
    return {"score": network.scores(flows), **beside}


def schema(network: Network, columns: list[str]) -> dict[str, Any]:
    """What goes into the file and comes out, for who runs it."""
    inputs = [
        {"name": "numbers", "type": "float32", "shape": ["flows", len(columns)], "columns": columns, "missing": "NaN"},
        {"name": "categories", "type": "string", "shape": ["flows", len(CATEGORIES)], "columns": list(CATEGORIES)},
    ]
    outputs: list[dict[str, Any]] = [{"name": "score", "type": "float32", "shape": ["flows"]}]
    if network.kind == CLASSIFIER:
        families = network.families
        shape = ["flows", len(families)]
        outputs.append({"name": "probabilities", "type": "float32", "shape": shape, "columns": families})
    return {"inputs": inputs, "outputs": outputs}


def golden(network: Network, flows: Flows) -> dict[str, Any]:
    """Some flows and what the network says of them, in 6 significant digits; a missing number is null.

    One of them has no numbers, and one has words that were never seen.
    """
    import numpy as np

    few = flows.only(np.minimum(np.arange(GOLDEN + 2), len(flows.families) - 1))
    few.numbers[GOLDEN] = np.nan
    few.categories[GOLDEN + 1] = UNSEEN
    numbers = [[None if np.isnan(value) else float(value) for value in row] for row in few.numbers]
    outputs = {name: _rounded(values) for name, values in predictions(network, few).items()}
    return {
        "inputs": {"numbers": numbers, "categories": few.categories.tolist()},
        "outputs": outputs,
        "tolerance": TOLERANCE,
    }


def _rounded(values: np.ndarray) -> float | list[object]:
    return [_rounded(value) for value in values] if values.ndim else float(f"{float(values):.6g}")


def sha256(file: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(file).hexdigest()
