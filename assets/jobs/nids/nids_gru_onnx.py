"""The recurrent network of job nids as an ONNX file, which remembers nothing itself: memory goes in and comes out."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import networks
import networks_onnx
from networks_onnx import Graph, Inputs
from nids_gru import Recurrent
from nids_sequences import HostFlows

if TYPE_CHECKING:
    import numpy as np


def to_onnx(network: Recurrent, given: Inputs, licence: str) -> bytes:
    """The file: flows of one host, in order, and what is remembered of those before, of which zeros are nothing."""
    from onnx import TensorProto, helper

    graph, units, labels = Graph(), network.model["memory"].hidden_size, len(network.labels)
    weights = {name: value.detach().numpy() for name, value in network.model.state_dict().items()}
    seen = networks_onnx.prepare(graph, network.preparation)
    for place in range(len(network.model["dense"])):
        layer = graph.constant(weights[f"dense.{place}.weight"].T), graph.constant(weights[f"dense.{place}.bias"])
        seen = graph.node("Relu", graph.node("Gemm", seen, *layer))
    remembered = _remember(graph, weights, seen, units)
    both = graph.node("Concat", seen, remembered, axis=1)
    out = graph.node("Gemm", both, graph.constant(weights["out.weight"].T), graph.constant(weights["out.bias"]))
    probabilities = graph.node("Softmax", out, to="probabilities", axis=1)
    normal = graph.constant(network.labels.index(networks.NORMAL), "int64")
    graph.node("Sub", graph.constant(1.0), graph.node("Gather", probabilities, normal, axis=1), to="score")
    outputs = [
        helper.make_tensor_value_info("score", TensorProto.FLOAT, [given.rows]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [given.rows, labels]),
        helper.make_tensor_value_info("memory_after", TensorProto.FLOAT, [units]),
    ]
    memory = helper.make_tensor_value_info("memory", TensorProto.FLOAT, [units])
    return networks_onnx.finish(graph, network.kind, given, outputs, licence, [memory])


def _remember(graph: Graph, weights: dict[str, np.ndarray], seen: str, units: int) -> str:
    """A GRU over flows x inputs: flows x units. ONNX has the gates in another order than PyTorch."""
    import numpy as np

    def gates(name: str) -> np.ndarray:
        reset, update, new = np.split(weights[f"memory.{name}_l0"], 3)
        return np.concatenate([update, reset, new])[None]

    one = graph.constant([1], "int64")
    biases = np.concatenate([gates("bias_ih"), gates("bias_hh")], axis=1)
    before = graph.node("Reshape", "memory", graph.constant([1, 1, units], "int64"))
    inputs = [
        *(graph.node("Unsqueeze", seen, one), graph.constant(gates("weight_ih"))),
        *(graph.constant(gates("weight_hh")), graph.constant(biases), "", before),
    ]
    every, last = graph.node("GRU", *inputs, also="after", hidden_size=units, linear_before_reset=1), "after"
    graph.node("Reshape", last, graph.constant([units], "int64"), to="memory_after")
    return graph.node("Reshape", every, graph.constant([-1, units], "int64"))


def run(file: bytes, flows: HostFlows, units: int) -> dict[str, np.ndarray]:
    """What ONNX Runtime makes of hosts' flows, by the names of the outputs that a flow has."""
    import numpy as np

    session = networks_onnx.session(file)
    found: dict[str, list[np.ndarray]] = {"score": [], "probabilities": []}
    for first, last in flows.ends:
        given = {
            "numbers": flows.numbers[first:last].astype(np.float32),
            "categories": flows.categories[first:last].astype(object),
            "memory": np.zeros(units, np.float32),
        }
        for name, values in zip(found, session.run(list(found), given), strict=True):
            found[name].append(values)
    return {name: np.concatenate(values) for name, values in found.items()}


def predictions(network: Recurrent, flows: HostFlows) -> dict[str, np.ndarray]:
    """What PyTorch makes of them."""
    return {"score": network.scores(flows), "probabilities": network.probabilities(flows)}


def file_row(network: Recurrent, test: HostFlows, given: Inputs, licence: str, seconds: float) -> dict[str, Any]:
    """A network's row of table `networks`. Raises ValueError when ONNX Runtime doesn't agree with PyTorch."""
    file, units = to_onnx(network, given, licence), network.model["memory"].hidden_size
    wanted, found = predictions(network, test), run(file, test, units)
    scores, columns = wanted["score"], ["flows", len(network.labels)]
    memory = {"name": "memory", "type": "float32", "shape": [units], "first": 0}
    outputs = [
        {"name": "score", "type": "float32", "shape": ["flows"]},
        {"name": "probabilities", "type": "float32", "shape": columns, "columns": list(network.labels)},
        {"name": "memory_after", "type": "float32", "shape": [units]},
    ]
    golden = networks_onnx.golden_of(test, lambda few: predictions(network, few))
    golden["inputs"]["memory"] = [0.0] * units
    return {
        "model": network.kind,
        "onnx": base64.b64encode(file).decode(),
        "sha256": networks_onnx.sha256(file),
        "onnx_bytes": len(file),
        "input_schema": json.dumps({"inputs": [*given.schema(), memory], "outputs": outputs}),
        "golden": json.dumps(golden),
        "threshold": networks.threshold(scores[~test.abnormal]),
        "licence": licence,
        "off": networks_onnx.largest_difference(network.kind, found, wanted, "PyTorch"),
        "seconds": seconds,
    }
