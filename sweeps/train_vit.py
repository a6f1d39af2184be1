"""Floor 4. Trains the shipped vision transformer on the digits: `python -m sweeps.train_vit`.

Needs the extra `macloom[train]` (torch, scikit-learn); nothing that runs later does. Data, split
and augmentation are those of `sweeps.train_digits`; the last epoch is taken as it is, and the
held-out images are looked at once, after training. An image is cut into sixteen tiles of 2 × 2
pixels, each a token; after the blocks the mean of the tokens is classified.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sweeps.datasets import DATA
from sweeps.models import INPUT, Network, Node, write
from sweeps.operations import Mean, Patches, Shift
from sweeps.train_digits import CLASSES, correct, descended, digits, need
from sweeps.transformers import (
    Parameters,
    below,
    block,
    dense,
    initialise,
    module,
    normalise,
)

TILE, SIDE = 2, 8
TOKENS = (SIDE // TILE) ** 2
WIDTH, BLOCKS, HEADS = 32, 2, 4
EPOCHS = 300
PEAK_RATE, WEIGHT_DECAY = 3e-3, 0.05
TRAIN_SEED = 0


def structure(torch: Any) -> Any:
    """Return the untrained model as a torch module from (image, 1, row, column) to classes."""
    nn = torch.nn

    class Model(nn.Module):  # type: ignore[misc, name-defined]  # torch is no requirement
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.position = nn.Linear(TILE * TILE, WIDTH), nn.Embedding(TOKENS, WIDTH)
            self.blocks = nn.ModuleList(module(torch, WIDTH, HEADS, False) for _ in range(BLOCKS))
            self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, CLASSES)

        def forward(self, images: Any) -> Any:
            x = self.embed(tiles(images)) + self.position.weight
            for part in self.blocks:
                x = part(x)
            return self.head(self.norm(x).mean(dim=1))

    model = Model()
    initialise(torch, model, BLOCKS)
    return model


def fit(
    images: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], epochs: int, seed: int
) -> Any:
    """Train on images (image, row, column, 1); returns the torch model after the last epoch."""
    torch = need("torch")
    return descended(torch, structure, images, labels, epochs, seed, (PEAK_RATE, WEIGHT_DECAY))


def tiles(images: Any) -> Any:
    """Return images (image, 1, row, column) as tokens, in the order of `Patches`."""
    count = SIDE // TILE
    cut = images.reshape(-1, count, TILE, count, TILE).transpose(2, 3)
    return cut.reshape(-1, TOKENS, TILE * TILE)


def exported(parameters: Parameters) -> Network:
    """Return the trained model as a `Network`."""
    nodes = [
        Node("tiles", Patches(TILE), (INPUT,)),
        Node("embed", dense("embed", parameters, "embed"), ("tiles",)),
        Node("start", Shift(np.asarray(parameters["position.weight"], float)), ("embed",)),
    ]
    for number in range(BLOCKS):
        own = below(parameters, f"blocks.{number}")
        nodes += block(f"block{number}", nodes[-1].name, own, HEADS, causal=False)
    nodes.append(Node("norm", normalise(parameters, "norm"), (nodes[-1].name,)))
    nodes.append(Node("mean", Mean(), ("norm",)))
    nodes.append(Node("head", dense("head", parameters, "head"), ("mean",)))
    return Network("digits_vit", (SIDE, SIDE, 1), tuple(nodes))


def main() -> None:
    """Train, print the accuracy, write the network."""
    parser = argparse.ArgumentParser(description="train the vision transformer of macloom")
    parser.add_argument("-o", "--output", type=Path, default=DATA, help="folder of the .npz file")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args()
    data = digits()
    model = fit(data.inputs(data.training), data.labels[data.training], options.epochs, TRAIN_SEED)
    arrays = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    network = exported(arrays)
    right = correct(network, data, data.held_out)
    provenance = (
        f"sweeps.train_vit, torch {need('torch').__version__}, seed {TRAIN_SEED}, "
        f"{options.epochs} epochs: {right} of {len(data.held_out)} held-out images correct in float"
    )
    options.output.mkdir(parents=True, exist_ok=True)
    write(replace(network, provenance=provenance), options.output / "digits_vit.npz")
    print(f"{provenance} ({100 * right / len(data.held_out):.2f} %)")


if __name__ == "__main__":
    main()
