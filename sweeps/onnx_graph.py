"""Floor 4. Networks from ONNX files: `read_onnx(path)`; needs the extra ``macloom[onnx]``.

Every node becomes layers of ours, or is refused by name: nothing is skipped. Convolutions and
pooling work channel-last here, so that axes are turned around them; turns that cancel are taken out
afterwards. Batch normalisation is folded into the layer before it. QuantizeLinear with
DequantizeLinear and QONNX's Quant and BipolarQuant stay what they are: rounding to a grid, with
zero points; on constants they are worked out. Shapes are known but for the batch, the first axis of
every tensor.

Sources: the ONNX operator specification (onnx.ai), QONNX's custom operators.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.errors import MissingTool
from sweeps.elementwise import Transpose, Unary
from sweeps.layers import Convolution, Dense, Relu, Shape
from sweeps.models import INPUT, AnyLayer, Network, Node

Array = npt.NDArray[Any]
UNKNOWN_BATCH = -1
"""What the batch is in constants that are worked out from shapes."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One node of an ONNX graph: its operator, names of inputs and outputs, attributes."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]

    @property
    def where(self) -> str:
        """How messages call it."""
        return f"{self.kind} {self.name!r}"


class Unsupported(ValueError):
    """A node that cannot become layers of ours."""


@dataclass(slots=True)
class Builder:
    """A network in the making.

    Parameters
    ----------
    uses
        How often each tensor is an input.
    constants
        Tensors that are known.
    sources
        For each other tensor, the node of ours that has it.
    shapes
        Shapes of our nodes, images not counted.
    """

    uses: Counter[str]
    constants: dict[str, Array] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)

    def add(self, operator: Operator, layer: AnyLayer, *inputs: str, name: str = "") -> str:
        """Add a layer on nodes of ours; return its node's name."""
        own = name or self.free(operator.outputs[0])
        given = [self.shapes[source] for source in inputs]
        output: Callable[..., Shape] = layer.output_shape
        try:
            self.shapes[own] = output(*given)
        except ValueError as error:
            raise Unsupported(f"{operator.where}: {error}") from None
        self.nodes.append(Node(own, layer, inputs))
        return own

    def free(self, tensor: str) -> str:
        """Return a node's name for a tensor: letters, digits, dots and underscores, not taken."""
        plain = re.sub(r"[^\w.]+", "_", tensor).strip("_") or "node"
        name, number = plain, 1
        while name in self.shapes:
            number += 1
            name = f"{plain}_{number}"
        return name

    def put(self, operator: Operator, node: str) -> None:
        """Say that an operator's first output is what a node of ours has."""
        self.sources[operator.outputs[0]] = node

    def source(self, operator: Operator, index: int) -> str:
        """Return the node of ours that an operator's input comes from."""
        name = operator.inputs[index]
        if name not in self.sources:
            raise Unsupported(f"{operator.where}: input {index} is a constant, not an activation")
        return self.sources[name]

    def constant(self, operator: Operator, index: int) -> Array:
        """Return an input that must be known."""
        name = operator.inputs[index] if index < len(operator.inputs) else ""
        if name not in self.constants:
            raise Unsupported(f"{operator.where}: input {index} must be a constant")
        return self.constants[name]

    def is_constant(self, operator: Operator, index: int) -> bool:
        """Whether an input is known."""
        return index < len(operator.inputs) and operator.inputs[index] in self.constants

    def lone(self, operator: Operator, index: int) -> Node | None:
        """Return the last node if it made this input and nothing else takes it."""
        name = operator.inputs[index]
        if not self.nodes or self.uses[name] != 1 or self.sources.get(name) != self.nodes[-1].name:
            return None
        return self.nodes[-1]

    def change_last(self, layer: AnyLayer) -> None:
        """Put another layer, of the same shape, in the place of the last one."""
        self.nodes[-1] = replace(self.nodes[-1], layer=layer)


def read_onnx(path: Path, name: str = "") -> Network:
    """Return the network in an ONNX file.

    Parameters
    ----------
    path
        The file.
    name
        Of the network; the file's stem if not given.

    Raises
    ------
    ValueError
        If the file is no ONNX model, has not one input and one output, or an operator is not
        supported: the message names it, its node and what is wrong.
    OSError
        If the file cannot be read.
    hw.errors.MissingTool
        If onnx is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise MissingTool("onnx, which reads these files", "pip install 'macloom[onnx]'") from None
    raw = path.read_bytes()
    try:
        graph = onnx.load_model_from_string(raw).graph
        operators = [_operator(onnx, node) for node in graph.node]
    except Exception as error:
        raise ValueError(f"{path} must be an ONNX model: {_first_line(error)}") from None
    try:
        return _network(onnx, graph, operators, name or path.stem)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _operator(onnx: Any, node: Any) -> Operator:
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    name = node.name or (node.output[0] if node.output else "")
    return Operator(node.op_type, name, tuple(node.input), tuple(node.output), attributes)


def _network(onnx: Any, graph: Any, operators: list[Operator], name: str) -> Network:
    from sweeps.onnx_constants import folded
    from sweeps.onnx_operators import HANDLERS

    known = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in known]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise ValueError(
            f"a network has one input and one output, not {len(inputs)} and {len(graph.output)}"
        )
    uses = Counter(tensor for operator in operators for tensor in operator.inputs)
    uses[graph.output[0].name] += 1
    builder = Builder(uses, constants=known)
    shape = _input_shape(inputs[0])
    builder.sources[inputs[0].name] = INPUT
    builder.shapes[INPUT] = shape
    for operator in operators:
        if operator.kind == "Constant":
            builder.constants[operator.outputs[0]] = _constant(onnx, operator)
        elif folded(builder, operator):
            continue
        elif operator.kind in HANDLERS:
            HANDLERS[operator.kind](builder, operator)
        else:
            raise Unsupported(f"no operator {operator.kind} here yet (node {operator.name!r})")
    output = graph.output[0].name
    if output not in builder.sources:
        raise ValueError(f"the output {output!r} does not depend on the input")
    nodes = _reaching(builder.nodes, builder.sources[output])
    return Network(name, shape, tuple(simplified(nodes)), f"imported from {name}.onnx")


def _input_shape(value: Any) -> Shape:
    sizes = [axis.dim_value for axis in value.type.tensor_type.shape.dim]
    if len(sizes) < 2 or min(sizes[1:]) < 1:
        raise ValueError(
            f"the input {value.name!r} needs a batch and known sizes after it, not {sizes}"
        )
    return tuple(sizes[1:])


def _constant(onnx: Any, operator: Operator) -> Array:
    value = operator.attributes.get("value")
    if value is not None:
        array: Array = onnx.numpy_helper.to_array(value)
        return array
    for key in ("value_float", "value_int", "value_floats", "value_ints"):
        if key in operator.attributes:
            return np.asarray(operator.attributes[key])
    raise Unsupported(f"{operator.where}: only constants of numbers are read")


def _reaching(nodes: list[Node], last: str) -> list[Node]:
    """Return the nodes that the last one depends on, in order."""
    wanted = {last}
    kept = []
    for node in reversed(nodes):
        if node.name in wanted:
            wanted.update(node.inputs)
            kept.append(node)
    return kept[::-1]


def simplified(nodes: list[Node]) -> list[Node]:
    """Return nodes without turns of axes that cancel; turns move down past ReLU and functions.

    The last node stays what it is.
    """
    while True:
        again = _without_one_turn(nodes)
        if again is None:
            return nodes
        nodes = again


def _without_one_turn(nodes: list[Node]) -> list[Node] | None:
    """Return the nodes with one turn less or further down, or None."""
    takers: dict[str, list[Node]] = {}
    for node in nodes:
        for name in node.inputs:
            takers.setdefault(name, []).append(node)
    for place, node in enumerate(nodes):
        if not isinstance(node.layer, Transpose):
            continue
        after = takers.get(node.name, [])
        if node.layer.axes == tuple(range(len(node.layer.axes))) and after:
            return _renamed(nodes[:place] + nodes[place + 1 :], node.name, node.inputs[0])
        if after and all(isinstance(other.layer, Transpose) for other in after):
            return _merged(nodes, place, after)
        if len(after) == 1 and isinstance(after[0].layer, Relu | Unary):
            return _passed(nodes, node, after[0])
    return None


def _merged(nodes: list[Node], place: int, after: list[Node]) -> list[Node]:
    """Put one turn in the place of two, for each that follows."""
    node = nodes[place]
    first = node.layer
    assert isinstance(first, Transpose)
    found = []
    for other in nodes[:place] + nodes[place + 1 :]:
        if any(other is taker for taker in after):
            second = other.layer
            assert isinstance(second, Transpose)
            axes = tuple(first.axes[axis] for axis in second.axes)
            found.append(Node(other.name, Transpose(axes), node.inputs))
        else:
            found.append(other)
    return found


def _passed(nodes: list[Node], turn: Node, function: Node) -> list[Node]:
    """Let a function of each entry come before a turn; both keep their names' outputs' order."""
    moved = Node(turn.name, function.layer, turn.inputs)
    turned = Node(function.name, turn.layer, (turn.name,))
    swap = {id(turn): moved, id(function): turned}
    return [swap.get(id(node), node) for node in nodes]


def _renamed(nodes: list[Node], old: str, new: str) -> list[Node]:
    return [
        replace(node, inputs=tuple(new if name == old else name for name in node.inputs))
        for node in nodes
    ]


def weighted_name(builder: Builder, operator: Operator) -> str:
    """Return the name of a weighted layer: its ONNX node's, or its output's."""
    return builder.free(operator.name or operator.outputs[0])


Weighted = Convolution | Dense
