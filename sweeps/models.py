"""Floor 4. Small networks as values: a graph of layers, float inference in NumPy, `.npz` files."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from sweeps.arrays import Arrays, read_arrays, write_arrays
from sweeps.elementwise import (
    AveragePool,
    Binary,
    Elementwise,
    Requantise,
    Reshape,
    Take,
    Transpose,
    Unary,
    WithConstant,
)
from sweeps.layers import (
    Convolution,
    Dense,
    Flatten,
    Layer,
    MaxPool,
    Relu,
    Shape,
    Values,
    Weighted,
    float_product,
    reference_product,
)
from sweeps.operations import (
    Add,
    Embedding,
    Gelu,
    Mean,
    MergeHeads,
    Normalise,
    Operation,
    Patches,
    Product,
    Shift,
    Softmax,
    SplitHeads,
)

DATA = Path(__file__).parent / "data"
NAMES = ("digits_cnn", "digits_vit", "bytes_lm")
FILE_VERSION = 2
WHAT = "a network file of macloom"
INPUT = "input"
"""What nodes call the network's input."""

AnyLayer = Layer | Operation | Elementwise | Binary | Product
KINDS: dict[str, type] = {
    "convolution": Convolution,
    "dense": Dense,
    "max_pool": MaxPool,
    "relu": Relu,
    "flatten": Flatten,
    "gelu": Gelu,
    "softmax": Softmax,
    "normalise": Normalise,
    "embedding": Embedding,
    "shift": Shift,
    "patches": Patches,
    "split_heads": SplitHeads,
    "merge_heads": MergeHeads,
    "mean": Mean,
    "add": Add,
    "product": Product,
    "unary": Unary,
    "binary": Binary,
    "with_constant": WithConstant,
    "transpose": Transpose,
    "reshape": Reshape,
    "average_pool": AveragePool,
    "take": Take,
    "requantise": Requantise,
}
"""Names of the layers in network files."""
_KIND_OF = {layer: kind for kind, layer in KINDS.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One layer in a graph: its name, and the names of the nodes it takes its inputs from."""

    name: str
    layer: AnyLayer
    inputs: tuple[str, ...]

    @property
    def multiplies(self) -> bool:
        """Whether this is hardware's work: a weighted layer or a product of activations."""
        return isinstance(self.layer, Convolution | Dense | Product)


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Nodes in an order in which they can be computed; the last one's output is the network's.

    Raises
    ------
    ValueError
        If a layer does not fit its inputs, names repeat, an input is not an earlier node, or
        nothing is weighted.
    """

    name: str
    input_shape: Shape
    nodes: tuple[Node, ...]
    provenance: str = ""

    @classmethod
    def chain(
        cls, name: str, input_shape: Shape, layers: tuple[AnyLayer, ...], provenance: str = ""
    ) -> "Network":
        """Return layers one after the other; those without a name of their own are numbered."""
        nodes: list[Node] = []
        for number, layer in enumerate(layers):
            own = layer.name if isinstance(layer, Convolution | Dense) else ""
            before = nodes[-1].name if nodes else INPUT
            nodes.append(Node(own or f"{_KIND_OF[type(layer)]}{number}", layer, (before,)))
        return cls(name, input_shape, tuple(nodes), provenance)

    def __post_init__(self) -> None:
        names = [node.name for node in self.nodes]
        if not self.weighted or len({*names, INPUT}) != len(names) + 1:
            raise ValueError(f"a network needs a weighted layer and different names, not {names}")
        for node in self.nodes:
            layer = node.layer
            if isinstance(layer, Convolution | Dense) and layer.name != node.name:
                raise ValueError(f"a weighted layer has its node's name, not {layer.name!r}")
        _ = self.shapes

    @property
    def layers(self) -> tuple[AnyLayer, ...]:
        """The layers, in order."""
        return tuple(node.layer for node in self.nodes)

    @property
    def weighted(self) -> tuple[Weighted, ...]:
        """The layers with weights, in order."""
        return tuple(layer for layer in self.layers if isinstance(layer, Convolution | Dense))

    @property
    def multiplying(self) -> tuple[Node, ...]:
        """The nodes hardware multiplies for, in order: weighted layers and products."""
        return tuple(node for node in self.nodes if node.multiplies)

    @property
    def shapes(self) -> dict[str, Shape]:
        """Shape of the input and of each node's output, by name (images not counted)."""
        shapes = {INPUT: self.input_shape}
        for node in self.nodes:
            unknown = [name for name in node.inputs if name not in shapes]
            if unknown:
                raise ValueError(f"inputs of {node.name} come before it, {unknown[0]!r} does not")
            given = [shapes[name] for name in node.inputs]
            wanted = 2 if isinstance(node.layer, Add | Binary | Product) else 1
            if len(given) != wanted:
                raise ValueError(f"{node.name} has {wanted} inputs, not {len(given)}")
            output: Callable[..., Shape] = node.layer.output_shape
            try:
                shapes[node.name] = output(*given)
            except ValueError as error:
                raise ValueError(f"{node.name}: {error}") from None
        return shapes

    def terms(self, node: Node) -> int:
        """Products that one output of a multiplying node adds."""
        if isinstance(node.layer, Convolution | Dense):
            return node.layer.terms
        return self.shapes[node.inputs[0]][-1]

    @property
    def largest_fan_in(self) -> int:
        """Terms of the network's largest sum: what an exact accumulator is sized for."""
        return max(self.terms(node) for node in self.multiplying)

    @property
    def macs(self) -> int:
        """Multiply-accumulates per image."""
        shapes = self.shapes
        return sum(int(np.prod(shapes[n.name])) * self.terms(n) for n in self.multiplying)

    def infer(self, inputs: Values) -> Values:
        """Float inference: the last node's outputs, (image, …)."""
        output = self.checked(inputs)
        for _, _, found in self.walk(inputs):
            output = found
        return output

    def trace(self, inputs: Values) -> tuple[dict[str, tuple[Values, ...]], Values]:
        """Float inference that keeps the inputs of each multiplying node.

        Sums of products are `sweeps.layers.reference_product`: the same bits on every machine.

        Parameters
        ----------
        inputs : array (image, *input_shape)

        Returns
        -------
        (inputs of each multiplying node by its name, the last node's outputs)

        Raises
        ------
        ValueError
            If `inputs` has another shape than the network's.
        """
        seen: dict[str, tuple[Values, ...]] = {}
        output = self.checked(inputs)
        for node, given, found in self.walk(inputs):
            output = found
            if node.multiplies:
                seen[node.name] = given
        return seen, output

    def walk(self, inputs: Values) -> Iterator[tuple[Node, tuple[Values, ...], Values]]:
        """Yield each node with its inputs and its output, in float; errors as for `trace`."""
        values = {INPUT: self.checked(inputs)}
        last = last_uses(self.nodes)
        for node in self.nodes:
            given = tuple(values[name] for name in node.inputs)
            values[node.name] = float_output(node.layer, given)
            yield node, given, values[node.name]
            for name in node.inputs:
                if last[name] == node.name:
                    values.pop(name, None)

    def checked(self, inputs: Values) -> Values:
        """`inputs` as float64, refused unless each image has the network's input shape."""
        if inputs.shape[1:] != self.input_shape:
            raise ValueError(
                f"{self.name} expects images of shape {self.input_shape}, not {inputs.shape[1:]}"
            )
        return np.asarray(inputs, dtype=np.float64)


def last_uses(nodes: tuple[Node, ...]) -> dict[str, str]:
    """Return for each name the last node that takes it as an input."""
    return {name: node.name for node in nodes for name in node.inputs}


def float_output(layer: AnyLayer, given: tuple[Values, ...]) -> Values:
    """Return what a layer makes of its inputs in float."""
    if isinstance(layer, Convolution | Dense):
        return float_product(layer, given[0])
    if isinstance(layer, Product):
        return reference_product(given[0], layer.right(given[1]))
    apply: Callable[..., Values] = layer.apply
    return apply(*given)


def load(name: str) -> Network:
    """A shipped network by name (see `NAMES`), or a file by its path: `….npz` of ours, `….onnx`.

    Raises
    ------
    ValueError
        If no network has that name, or the file is not one that can be read.
    OSError
        If the file cannot be read.
    hw.errors.MissingTool
        For an ONNX file without onnx installed.
    """
    if name.endswith(".npz"):
        return read(Path(name))
    if name.endswith(".onnx"):
        from sweeps.onnx_graph import read_onnx

        return read_onnx(Path(name))
    if name not in NAMES:
        near = get_close_matches(name, NAMES, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(
            f"network must be one of {', '.join(NAMES)} or a .npz or .onnx file, not {name!r}{hint}"
        )
    return read(DATA / f"{name}.npz")


def read(path: Path) -> Network:
    """Read a network file written by `write`; errors as for `load`."""
    arrays = read_arrays(path, WHAT)
    try:
        return _from_arrays(arrays)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} must be {WHAT}; {error}") from error


def write(network: Network, path: Path, dtype: type[np.floating[Any]] = np.float32) -> None:
    """Write a network: its numbers in `dtype`, and a JSON description; aside, then renamed."""
    arrays: Arrays = {"network": np.array(json.dumps(_description(network)))}
    for node in network.nodes:
        for name, value in _parts(node.layer):
            if isinstance(value, np.ndarray):
                arrays[f"{node.name}.{name}"] = value.astype(dtype)
    write_arrays(path, arrays)


def _description(network: Network) -> dict[str, Any]:
    return {
        "version": FILE_VERSION,
        "name": network.name,
        "input_shape": network.input_shape,
        "nodes": [_node_record(node) for node in network.nodes],
        "provenance": network.provenance,
    }


def _parts(layer: AnyLayer) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a layer but its name, which is its node's."""
    for field in fields(layer):
        if field.name != "name":
            yield field.name, getattr(layer, field.name)


def _node_record(node: Node) -> dict[str, Any]:
    plain = {n: v for n, v in _parts(node.layer) if not isinstance(v, np.ndarray)}
    return {
        "name": node.name,
        "kind": _KIND_OF[type(node.layer)],
        "inputs": node.inputs,
        **({"options": plain} if plain else {}),
    }


def _from_arrays(arrays: Arrays) -> Network:
    record = json.loads(str(arrays["network"]))
    if record["version"] != FILE_VERSION:
        raise ValueError(f"its version must be {FILE_VERSION}, not {record['version']}")
    return Network(
        name=record["name"],
        input_shape=tuple(record["input_shape"]),
        nodes=tuple(_node(node, arrays) for node in record["nodes"]),
        provenance=record["provenance"],
    )


def _node(record: dict[str, Any], arrays: Arrays) -> Node:
    kind, name = record["kind"], record["name"]
    if kind not in KINDS:
        raise ValueError(f"layer kind must be one that this version knows, not {kind!r}")
    given: dict[str, Any] = dict(record.get("options", {}))
    for field in fields(KINDS[kind]):
        if f"{name}.{field.name}" in arrays:
            given[field.name] = arrays[f"{name}.{field.name}"].astype(np.float64)
        elif field.name == "name":
            given["name"] = name
    return Node(name, KINDS[kind](**given), tuple(record["inputs"]))
