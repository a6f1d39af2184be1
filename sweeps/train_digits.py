"""Floor 4. Trains the shipped digits network: `python -m sweeps.train_digits`.

Needs the extra `macloom[train]` (torch, scikit-learn); nothing that runs later does.
Writes `digits.npz` (data and split) and `digits_cnn.npz` (weights, float32, batch normalisation
folded into the convolutions). The last epoch is taken as it is: the held-out images are looked at
once, after training, for the accuracy that is printed and recorded. Size of the network, number of
epochs and strength of augmentation were chosen by 5-fold cross-validation on the training images.
"""

import argparse
import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.errors import MissingTool
from sweeps.datasets import DATA, Dataset, stratified_split, write_dataset
from sweeps.layers import Convolution, Dense, Flatten, MaxPool, Relu
from sweeps.models import Network, write

HELD_OUT = 540
SPLIT_SEED = 2311
TRAIN_SEED = 0
EPOCHS = 200
BATCH = 64
PEAK_RATE = 4e-3
WEIGHT_DECAY = 5e-3
LABEL_SMOOTHING = 0.05
CHANNELS = (16, 32)
CLASSES = 10
MAXIMUM = 16
ATTRIBUTION = (
    "Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine Learning "
    "Repository, 1998, https://doi.org/10.24432/C50P49, licence CC BY 4.0; the 1797 images of its "
    "test part as bundled with scikit-learn, unchanged; the split into training and held-out "
    "images was added by macloom"
)


def need(module: str) -> Any:
    """Import a module of the extra `train`; `MissingTool` says what to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingTool(module, "pip install 'macloom[train]'") from error


def digits() -> Dataset:
    """The images that scikit-learn bundles, split 70:30 with a fixed seed."""
    bundle = need("sklearn.datasets").load_digits()
    labels = bundle.target.astype(np.int64)
    training, held_out = stratified_split(labels, HELD_OUT, SPLIT_SEED)
    images = bundle.images.astype(np.uint8)
    return Dataset("digits", images, labels, training, held_out, MAXIMUM, ATTRIBUTION)


def structure(torch: Any) -> Any:
    """The network as torch modules, batch normalisation after each convolution."""
    nn = torch.nn
    first, second = CHANNELS
    return nn.Sequential(
        nn.Conv2d(1, first, 3, padding=1),
        nn.BatchNorm2d(first),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(first, second, 3),
        nn.BatchNorm2d(second),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * second, CLASSES),
    )


def augmented(torch: Any, images: Any, generator: Any) -> Any:
    """Images turned, stretched, sheared and moved at random, bilinear."""

    def uniform(most: float) -> Any:
        return (torch.rand(len(images), generator=generator) * 2 - 1) * most

    angle, shear = uniform(0.125), uniform(0.1)
    across, down = 1 + uniform(0.075), 1 + uniform(0.075)
    first = torch.stack([across * angle.cos(), shear - angle.sin(), uniform(0.1)], 1)
    second = torch.stack([angle.sin(), down * angle.cos(), uniform(0.1)], 1)
    places = torch.nn.functional.affine_grid(
        torch.stack([first, second], 1), images.shape, align_corners=False
    )
    return torch.nn.functional.grid_sample(images, places, align_corners=False)


def fit(
    images: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], epochs: int, seed: int
) -> Any:
    """Train on images (image, row, column, 1); returns the torch network after the last epoch."""
    torch = need("torch")
    torch.use_deterministic_algorithms(True)
    return descended(torch, structure, images, labels, epochs, seed, (PEAK_RATE, WEIGHT_DECAY))


def descended(
    torch: Any,
    structure: Callable[[Any], Any],
    images: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    epochs: int,
    seed: int,
    rates: tuple[float, float],
) -> Any:
    """Train a classifier of augmented images with AdamW; return it after the last epoch.

    Parameters
    ----------
    torch
        The module.
    structure
        Makes the model, from (image, 1, row, column) to classes, after the seed is set.
    images, labels, epochs, seed
        As for `fit`.
    rates
        Peak learning rate of one cycle, and weight decay.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = structure(torch)
    inputs = torch.tensor(images[..., 0], dtype=torch.float32)[:, None]
    targets = torch.tensor(labels)
    batches = len(inputs) // BATCH
    peak, decay = rates
    optimiser = torch.optim.AdamW(model.parameters(), lr=peak, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, peak, total_steps=epochs * batches)
    for _ in range(epochs):
        order = torch.randperm(len(inputs), generator=generator)
        for batch in order[: batches * BATCH].reshape(batches, BATCH):
            outputs = model(augmented(torch, inputs[batch], generator))
            loss = torch.nn.functional.cross_entropy(
                outputs, targets[batch], label_smoothing=LABEL_SMOOTHING
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return model.eval()


def folded(convolution: Any, normalisation: Any, name: str, padding: int) -> Convolution:
    """A convolution with the batch normalisation after it folded into weight and bias."""

    def array(tensor: Any) -> npt.NDArray[np.float64]:
        return np.asarray(tensor.detach().numpy(), dtype=np.float64)

    gain = array(normalisation.weight) / np.sqrt(
        array(normalisation.running_var) + normalisation.eps
    )
    weight = array(convolution.weight).transpose(2, 3, 1, 0) * gain
    shift = array(convolution.bias) - array(normalisation.running_mean)
    return Convolution(name, weight, shift * gain + array(normalisation.bias), padding)


def exported(model: Any) -> Network:
    """The trained torch network as a `Network`: channel-last, nothing left to normalise."""
    last = model[8]
    channels = CHANNELS[1]
    by_channel = np.asarray(last.weight.detach().numpy(), dtype=np.float64)
    by_place = by_channel.reshape(CLASSES, channels, 2, 2).transpose(2, 3, 1, 0)
    layers = (
        folded(model[0], model[1], "conv1", padding=1),
        Relu(),
        MaxPool(2),
        folded(model[4], model[5], "conv2", padding=0),
        Relu(),
        Flatten(),
        Dense(
            "dense",
            by_place.reshape(-1, CLASSES),
            np.asarray(last.bias.detach().numpy(), dtype=np.float64),
        ),
    )
    return Network.chain("digits_cnn", (8, 8, 1), layers)


def correct(network: Network, data: Dataset, chosen: npt.NDArray[np.int64]) -> int:
    """How many of the chosen images the float network classifies correctly."""
    guesses = network.infer(data.inputs(chosen)).argmax(axis=1)
    return int((guesses == data.labels[chosen]).sum())


def cross_validate(data: Dataset, epochs: int, folds: int = 5) -> int:
    """Errors on the training images, each judged by a network that has not seen it."""
    fold = np.random.default_rng(SPLIT_SEED).permutation(len(data.training)) % folds
    errors = 0
    for number in range(folds):
        seen, unseen = data.training[fold != number], data.training[fold == number]
        model = fit(data.inputs(seen), data.labels[seen], epochs, TRAIN_SEED)
        errors += len(unseen) - correct(exported(model), data, unseen)
    return errors


def main() -> None:
    """Train, print the accuracy, write both files."""
    parser = argparse.ArgumentParser(description="train the digits network of macloom")
    parser.add_argument("-o", "--output", type=Path, default=DATA, help="folder of the .npz files")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--cross-validate", action="store_true", help="only report fold errors")
    options = parser.parse_args()
    data = digits()
    if options.cross_validate:
        errors = cross_validate(data, options.epochs)
        print(f"{errors} errors on {len(data.training)} training images, 5-fold")
        return
    model = fit(data.inputs(data.training), data.labels[data.training], options.epochs, TRAIN_SEED)
    network = exported(model)
    right = correct(network, data, data.held_out)
    provenance = (
        f"sweeps.train_digits, torch {need('torch').__version__}, seed {TRAIN_SEED}, "
        f"{options.epochs} epochs: {right} of {len(data.held_out)} held-out images correct in float"
    )
    options.output.mkdir(parents=True, exist_ok=True)
    write_dataset(data, options.output / "digits.npz")
    write(replace(network, provenance=provenance), options.output / "digits_cnn.npz")
    print(f"{provenance} ({100 * right / len(data.held_out):.2f} %)")


if __name__ == "__main__":
    main()
