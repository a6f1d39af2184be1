"""Floor 4. Transformer blocks: as torch modules to train, and as nodes of a `Network` to run.

Normalisation comes before attention and before the perceptron, whose inner layer has GELU; every
linear layer has a bias. Parameters keep their names on the way: ``query``, ``key``, ``value``,
``project``, ``up``, ``down``, ``norm1``, ``norm2``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sweeps.layers import Dense, Values
from sweeps.models import Node
from sweeps.operations import Add, Gelu, MergeHeads, Normalise, Product, Softmax, SplitHeads

Parameters = Mapping[str, npt.NDArray[Any]]
"""Arrays by torch's names; linear weights are (outputs, terms)."""
EXPANSION = 4
EPSILON = 1e-5
DEVIATION = 0.02


def module(torch: Any, width: int, heads: int, causal: bool) -> Any:
    """Return an untrained block as a torch module from (batch, token, entry) to the same."""
    nn = torch.nn

    class Block(nn.Module):  # type: ignore[misc, name-defined]  # torch is no requirement
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = (nn.LayerNorm(width, EPSILON) for _ in range(2))
            self.query, self.key, self.value, self.project = (
                nn.Linear(width, width) for _ in range(4)
            )
            self.up = nn.Linear(width, EXPANSION * width)
            self.down = nn.Linear(EXPANSION * width, width)

        def forward(self, x: Any) -> Any:
            batch, length, _ = x.shape
            seen = self.norm1(x)
            split = [
                part(seen).view(batch, length, heads, -1).transpose(1, 2)
                for part in (self.query, self.key, self.value)
            ]
            mixed = nn.functional.scaled_dot_product_attention(*split, is_causal=causal)
            x = x + self.project(mixed.transpose(1, 2).reshape(batch, length, width))
            return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))

    return Block()


def initialise(torch: Any, model: Any, blocks: int) -> None:
    """Draw weights of matrices small, those into the residual smaller; biases are 0."""
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            residual = name.endswith(("project.weight", "down.weight"))
            deviation = DEVIATION / (math.sqrt(2 * blocks) if residual else 1)
            torch.nn.init.normal_(parameter, std=deviation)
        elif name.endswith("bias"):
            torch.nn.init.zeros_(parameter)


def block(
    name: str, before: str, parameters: Parameters, heads: int, causal: bool
) -> tuple[Node, ...]:
    """Return a block as nodes; the last one's name is `name`.

    Parameters
    ----------
    name : str
        Of the block; its nodes are called ``name.part``.
    before : str
        The node whose output, (token, entry), is the block's input.
    parameters : mapping of arrays
        By the names of the block's parameters, such as ``query.weight``.
    heads : int
    causal : bool
        Whether tokens see those before them only.
    """

    def linear(part: str, source: str) -> Node:
        return Node(f"{name}.{part}", dense(f"{name}.{part}", parameters, part), (source,))

    def own(part: str) -> str:
        return f"{name}.{part}"

    width = len(parameters["norm1.weight"])
    scale = 1 / math.sqrt(width // heads)
    return (
        Node(own("norm1"), normalise(parameters, "norm1"), (before,)),
        *(linear(part, own("norm1")) for part in ("query", "key", "value")),
        *(
            Node(own(f"{part}_heads"), SplitHeads(heads), (own(part),))
            for part in ("query", "key", "value")
        ),
        Node(own("scores"), Product(transposed=True), (own("query_heads"), own("key_heads"))),
        Node(own("shares"), Softmax(scale, causal), (own("scores"),)),
        Node(own("mixed"), Product(), (own("shares"), own("value_heads"))),
        Node(own("merged"), MergeHeads(), (own("mixed"),)),
        linear("project", own("merged")),
        Node(own("attended"), Add(), (before, own("project"))),
        Node(own("norm2"), normalise(parameters, "norm2"), (own("attended"),)),
        linear("up", own("norm2")),
        Node(own("gelu"), Gelu(), (own("up"),)),
        linear("down", own("gelu")),
        Node(name, Add(), (own("attended"), own("down"))),
    )


def dense(name: str, parameters: Parameters, part: str) -> Dense:
    """Return a linear layer; one without a bias gets zeros."""
    weight = _floats(parameters[f"{part}.weight"]).T
    bias = parameters.get(f"{part}.bias")
    return Dense(name, weight, np.zeros(weight.shape[1]) if bias is None else _floats(bias))


def normalise(parameters: Parameters, part: str) -> Normalise:
    """Return a layer normalisation."""
    gain, bias = parameters[f"{part}.weight"], parameters[f"{part}.bias"]
    return Normalise(_floats(gain), _floats(bias), EPSILON)


def below(parameters: Parameters, prefix: str) -> dict[str, npt.NDArray[Any]]:
    """Return the parameters whose names start with a prefix and a dot, without these."""
    start = f"{prefix}."
    return {n.removeprefix(start): a for n, a in parameters.items() if n.startswith(start)}


def _floats(array: npt.NDArray[Any]) -> Values:
    return np.asarray(array, dtype=np.float64)
