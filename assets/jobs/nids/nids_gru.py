"""The recurrent network of job nids: a host's flows, one after another, through a small GRU. It learns in PyTorch.

Several processes learn as one: each takes its part of every batch, and all take the same step, along the sum of their
gradients, so that how many there are makes no difference but in the last digits. After each look at all flows the first
of them keeps how far they are; processes that find that go on from there.
"""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import networks
import oneoff
from nids_sequences import HostFlows

if TYPE_CHECKING:
    import numpy as np
    import torch
    from nids_data import Data

RECURRENT = "recurrent"
LENGTH = 64  # flows of a host after which learning forgets
BATCH = 4  # such sequences
RATE = 3e-3
STEEPEST = 1.0  # gradient


def make(inputs: int, hidden: Sequence[int], labels: int) -> torch.nn.ModuleDict:
    """Layers as of the classifier, of which the last remembers. The last but one is seen beside what that says."""
    from torch import nn

    sizes = [inputs, *hidden[:-1]]
    return nn.ModuleDict(
        {
            "dense": nn.ModuleList(nn.Linear(one, other) for one, other in itertools.pairwise(sizes)),
            "memory": nn.GRU(sizes[-1], hidden[-1], batch_first=True),
            "out": nn.Linear(sizes[-1] + hidden[-1], labels),
        }
    )


def outputs(model: torch.nn.ModuleDict, flows: torch.Tensor) -> torch.Tensor:
    """Hosts x flows x inputs to hosts x flows x labels, of which a softmax makes probabilities."""
    import torch

    for layer in model["dense"]:
        flows = torch.relu(layer(flows))
    remembered, _ = model["memory"](flows)
    return model["out"](torch.cat([flows, remembered], dim=2))


@dataclass(frozen=True)
class Recurrent:
    """A trained network with its preparation, as networks.Network has it for scikit-learn's."""

    preparation: networks.Preparation
    model: torch.nn.ModuleDict
    labels: Sequence[str]
    curve: Sequence[networks.Epoch]
    kind: str = RECURRENT

    def probabilities(self, flows: HostFlows) -> np.ndarray:
        """Flows x labels; each host's first flow follows upon nothing."""
        import numpy as np
        import torch

        inputs = torch.from_numpy(self.preparation.transform(flows))
        with torch.no_grad():
            of_hosts = [outputs(self.model, inputs[None, first:last])[0] for first, last in flows.ends]
        return np.concatenate([torch.softmax(each, dim=1).numpy() for each in of_hosts])

    def scores(self, flows: HostFlows) -> np.ndarray:
        """How probable each flow is any attack, given those of its host before it."""
        return 1 - self.probabilities(flows)[:, self.labels.index(networks.NORMAL)].astype(float)


def labels_of(data: Data) -> list[str]:
    """Those that a network tells apart."""
    return sorted(set(data.train.labels.tolist()))


# Learning ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sequences:
    """Pieces of hosts' flows: numbers of flows, sequences x LENGTH, where -1 is none."""

    places: np.ndarray

    @staticmethod
    def of(flows: HostFlows) -> Sequences:
        """All of them."""
        import numpy as np

        pieces = [(at, min(at + LENGTH, last)) for first, last in flows.ends for at in range(first, last, LENGTH)]
        places = np.full((len(pieces), LENGTH), -1)
        for row, (first, last) in zip(places, pieces, strict=True):
            row[: last - first] = np.arange(first, last)
        return Sequences(places)


def learn(data: Data, hidden: Sequence[int], epochs: int, seed: int, kept: str) -> None:
    """What each of the processes does; torch.distributed is there. `kept`: address of what is kept."""
    import numpy as np
    import torch
    from torch import distributed as gang

    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if torch.cuda.is_available() else "cpu"
    torch.manual_seed(seed)
    preparation, labels = networks.Preparation().fit(data.train), labels_of(data)
    inputs = torch.from_numpy(preparation.transform(data.train)).to(device)
    wanted = torch.from_numpy(np.searchsorted(labels, data.train.labels)).to(device)
    model = make(inputs.shape[1], hidden, len(labels)).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    done, curve = take_up(kept, model, optimizer)
    places = Sequences.of(data.train).places
    for epoch in range(done + 1, epochs + 1):
        order = np.random.default_rng([seed, epoch]).permutation(len(places))
        losses = [
            _step(model, optimizer, inputs, wanted, places[order[at : at + BATCH]])
            for at in range(0, len(order), BATCH)
        ]
        total = torch.stack(losses).sum().item() / len(data.train.labels)
        if gang.get_rank() == 0:
            curve = [*curve, (epoch, total, held_out_loss(model.cpu(), preparation, labels, data.test))]
            model.to(device)
            keep(kept, model, optimizer, epoch, curve)
            oneoff.progress("epochs", epoch, epochs)
        gang.barrier()


def _step(
    model: torch.nn.ModuleDict,
    optimizer: torch.optim.Optimizer,
    inputs: torch.Tensor,
    wanted: torch.Tensor,
    batch: np.ndarray,
) -> torch.Tensor:
    """One step of all processes along the gradient of a batch; the sum of its flows' losses."""
    import torch
    from torch import distributed as gang

    mine = torch.from_numpy(batch[gang.get_rank() :: gang.get_world_size()]).to(inputs.device)
    there = mine >= 0
    optimizer.zero_grad(set_to_none=False)
    loss = torch.zeros((), device=inputs.device)
    if len(mine):
        found = outputs(model, inputs[mine.clamp(min=0)])[there]
        loss = torch.nn.functional.cross_entropy(found, wanted[mine[there]], reduction="sum")
        loss.backward()
    # A process without a sequence of this batch has no gradients, and takes its step all the same.
    gradients = [torch.zeros_like(each) if each.grad is None else each.grad for each in model.parameters()]
    flat = torch.cat([loss.detach().reshape(1), *(each.reshape(-1) for each in gradients)])
    gang.all_reduce(flat)
    at, flows = 1, int((batch >= 0).sum())
    for parameter in model.parameters():
        parameter.grad = (flat[at : at + parameter.numel()] / flows).view_as(parameter)
        at += parameter.numel()
    torch.nn.utils.clip_grad_norm_(model.parameters(), STEEPEST)
    optimizer.step()
    return flat[0]


def held_out_loss(
    model: torch.nn.ModuleDict, preparation: networks.Preparation, labels: Sequence[str], test: HostFlows
) -> float:
    """Of flows whose label is known, on a CPU."""
    import numpy as np

    known = np.isin(test.labels, labels)
    probable = Recurrent(preparation, model, labels, []).probabilities(test)
    right = probable[known, np.searchsorted(labels, test.labels[known])]
    return float(-np.log(np.maximum(right, 1e-10)).mean())


# Keeping -------------------------------------------------------------------------------------------------------------


def keep(
    kept: str, model: torch.nn.ModuleDict, optimizer: torch.optim.Optimizer, epoch: int, curve: Sequence[Any]
) -> None:
    """Puts down how far the network is: whole, or as it was before."""
    import torch

    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch, "curve": curve}
    buffer = io.BytesIO()
    torch.save(state, buffer)
    oneoff.put(kept, buffer.getvalue())


def take_up(
    kept: str, model: torch.nn.ModuleDict, optimizer: torch.optim.Optimizer | None = None
) -> tuple[int, list[tuple[int, float, float]]]:
    """Has a network be as it was kept; how often it looked at all flows, and what it had yet to learn each time."""
    import torch

    content = oneoff._get(kept)
    if content is None:
        return 0, []
    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    if optimizer:
        optimizer.load_state_dict(state["optimizer"])
    return state["epoch"], state["curve"]


def epochs_kept(kept: str) -> int:
    """How often the network that is kept looked at all flows."""
    import torch

    content = oneoff._get(kept)
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)["epoch"] if content else 0


def trained(data: Data, hidden: Sequence[int], kept: str) -> Recurrent:
    """The network that the processes kept last."""
    preparation, labels = networks.Preparation().fit(data.train), labels_of(data)
    model = make(preparation.transform(data.train.only([0])).shape[1], hidden, len(labels))
    _, curve = take_up(kept, model)
    return Recurrent(preparation, model, labels, [networks.Epoch(*each) for each in curve])
