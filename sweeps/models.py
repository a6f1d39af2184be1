"""Floor 4. Small networks as values: layers, float inference in NumPy, `.npz` files."""

import json
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from sweeps.arrays import Arrays, read_arrays, write_arrays
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
    product_in_order,
)

DATA = Path(__file__).parent / "data"
NAMES = ("digits_cnn",)
FILE_VERSION = 1
WHAT = "a network file of macloom"


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Layers in order, and what was recorded when they were trained.

    Raises
    ------
    ValueError
        If a layer does not fit the output of the one before, names repeat, or nothing is weighted.
    """

    name: str
    input_shape: Shape
    layers: tuple[Layer, ...]
    provenance: str = ""

    def __post_init__(self) -> None:
        names = [layer.name for layer in self.weighted]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"a network needs weighted layers of different names, not {names}")
        _ = self.shapes

    @property
    def weighted(self) -> tuple[Weighted, ...]:
        """The layers with weights, in order."""
        return tuple(layer for layer in self.layers if isinstance(layer, Convolution | Dense))

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Input shape of the network, then the output shape of each layer (images not counted)."""
        shapes = [self.input_shape]
        for layer in self.layers:
            shapes.append(layer.output_shape(shapes[-1]))
        return tuple(shapes)

    @property
    def largest_fan_in(self) -> int:
        """Terms of the network's largest sum: what an exact accumulator is sized for."""
        return max(layer.terms for layer in self.weighted)

    @property
    def macs(self) -> int:
        """Multiply-accumulates per image."""
        outputs = zip(self.layers, self.shapes[1:], strict=True)
        return sum(
            int(np.prod(shape)) * layer.terms
            for layer, shape in outputs
            if isinstance(layer, Convolution | Dense)
        )

    def infer(self, inputs: Values) -> Values:
        """Float inference: the last layer's outputs, (image, output)."""
        return self.trace(inputs)[1]

    def trace(self, inputs: Values) -> tuple[dict[str, Values], Values]:
        """Float inference that keeps the input of each weighted layer.

        Arithmetic is float64, each sum's terms added in order: the same bits on every machine.

        Parameters
        ----------
        inputs : array (image, *input_shape)

        Returns
        -------
        (input of each weighted layer by its name, the last layer's outputs)

        Raises
        ------
        ValueError
            If `inputs` has another shape than the network's.
        """
        values = self.checked(inputs)
        seen: dict[str, Values] = {}
        for layer in self.layers:
            if isinstance(layer, Convolution | Dense):
                seen[layer.name] = values
                values = product_in_order(layer.patches(values), layer.matrix) + layer.bias
            else:
                values = layer.apply(values)
        return seen, values

    def checked(self, inputs: Values) -> Values:
        """`inputs` as float64, refused unless each image has the network's input shape."""
        if inputs.shape[1:] != self.input_shape:
            raise ValueError(
                f"{self.name} expects images of shape {self.input_shape}, not {inputs.shape[1:]}"
            )
        return np.asarray(inputs, dtype=np.float64)


def load(name: str) -> Network:
    """A shipped network by name (`digits_cnn`), or any network file by its path (`….npz`).

    Raises
    ------
    ValueError
        If no network has that name, or the file is not one of ours.
    OSError
        If the file cannot be read.
    """
    if name.endswith(".npz"):
        return read(Path(name))
    if name not in NAMES:
        near = get_close_matches(name, NAMES, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(
            f"network must be one of {', '.join(NAMES)} or a .npz file, not {name!r}{hint}"
        )
    return read(DATA / f"{name}.npz")


def read(path: Path) -> Network:
    """Read a network file written by `write`; errors as for `load`."""
    arrays = read_arrays(path, WHAT)
    try:
        return _from_arrays(arrays)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} must be {WHAT}; {error}") from error


def write(network: Network, path: Path) -> None:
    """Write a network: float32 weights and a JSON description; written aside, then renamed."""
    arrays: Arrays = {"network": np.array(json.dumps(_description(network)))}
    for layer in network.weighted:
        arrays[f"{layer.name}.weight"] = layer.weight.astype(np.float32)
        arrays[f"{layer.name}.bias"] = layer.bias.astype(np.float32)
    write_arrays(path, arrays)


def _description(network: Network) -> dict[str, Any]:
    return {
        "version": FILE_VERSION,
        "name": network.name,
        "input_shape": network.input_shape,
        "layers": [_layer_record(layer) for layer in network.layers],
        "provenance": network.provenance,
    }


def _layer_record(layer: Layer) -> dict[str, Any]:
    match layer:
        case Convolution():
            return {"kind": "convolution", "name": layer.name, "padding": layer.padding}
        case Dense():
            return {"kind": "dense", "name": layer.name}
        case MaxPool():
            return {"kind": "max_pool", "size": layer.size}
        case Relu():
            return {"kind": "relu"}
        case Flatten():
            return {"kind": "flatten"}


def _from_arrays(arrays: Arrays) -> Network:
    record = json.loads(str(arrays["network"]))
    if record["version"] != FILE_VERSION:
        raise ValueError(f"its version must be {FILE_VERSION}, not {record['version']}")
    return Network(
        name=record["name"],
        input_shape=tuple(record["input_shape"]),
        layers=tuple(_layer(layer, arrays) for layer in record["layers"]),
        provenance=record["provenance"],
    )


def _layer(record: dict[str, Any], arrays: Arrays) -> Layer:
    def part(what: str) -> Values:
        return arrays[f"{record['name']}.{what}"].astype(np.float64)

    match record["kind"]:
        case "convolution":
            return Convolution(record["name"], part("weight"), part("bias"), record["padding"])
        case "dense":
            return Dense(record["name"], part("weight"), part("bias"))
        case "max_pool":
            return MaxPool(record["size"])
        case "relu":
            return Relu()
        case "flatten":
            return Flatten()
        case other:
            raise ValueError(f"layer kind must be one that this version knows, not {other!r}")
