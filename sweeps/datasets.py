"""Floor 4. The shipped data sets: images, labels and the split that training respected."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from sweeps.arrays import Arrays, read_arrays, write_arrays

DATA = Path(__file__).parent / "data"
NAMES = ("digits", "kjv")
METRICS = {"digits": "accuracy", "kjv": "bits_per_byte"}
"""What shipped data sets are judged by: their `metric`, without reading them."""
OWN = {"digits_cnn": "digits", "digits_vit": "digits", "bytes_lm": "kjv"}
"""The data set that a shipped network is for."""
WHAT = "a data set file of macloom"


class Data(Protocol):
    """What networks are judged on: inputs by number, split in two, and a score for each."""

    metric: ClassVar[str]

    @property
    def name(self) -> str:
        """Name of the data set."""

    @property
    def training(self) -> npt.NDArray[np.int64]:
        """Numbers of the inputs that scales are calibrated on."""

    @property
    def held_out(self) -> npt.NDArray[np.int64]:
        """Numbers of the inputs that results are measured on."""

    def inputs(self, chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Inputs of a network, the chosen ones first axis."""

    def scores(
        self, outputs: npt.NDArray[np.float64], chosen: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """How good a network's outputs are, one number per input, more is better."""


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Labelled images and their split.

    Parameters
    ----------
    name : str
    images : uint8 array (image, row, column), 0..`maximum`
    labels : int64 array (image,), class numbers from 0
    training, held_out : int64 arrays of image numbers, disjoint, together all images
    maximum : int
        Brightness that stands for 1.0.
    attribution : str
        Where the data come from and their licence.

    Raises
    ------
    ValueError
        If the parts do not fit each other.
    """

    metric: ClassVar[str] = "accuracy"

    name: str
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    training: npt.NDArray[np.int64]
    held_out: npt.NDArray[np.int64]
    maximum: int
    attribution: str

    def __post_init__(self) -> None:
        if self.images.ndim != 3 or self.labels.shape != self.images.shape[:1]:
            raise ValueError(
                f"{self.name} needs one label per image, "
                f"not {self.labels.shape} labels for images {self.images.shape}"
            )
        together = np.sort(np.concatenate([self.training, self.held_out]))
        if not np.array_equal(together, np.arange(len(self.labels))):
            raise ValueError(f"{self.name}: training and held-out images must split all images")

    def inputs(self, chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """The chosen images as network inputs: (image, row, column, 1), exact in 0..1."""
        return self.images[chosen][..., None] / float(self.maximum)

    def scores(
        self, outputs: npt.NDArray[np.float64], chosen: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """1 where the largest of the outputs (image, class) is the label's, else 0."""
        right: npt.NDArray[np.bool_] = outputs.argmax(axis=1) == self.labels[chosen]
        return right.astype(np.float64)


class SplitByNumber(ABC):
    """Data of which the first `calibrated` calibrate scales and the others are held out."""

    __slots__ = ()
    calibrated: int

    @property
    @abstractmethod
    def count(self) -> int:
        """Inputs in all."""

    @property
    def training(self) -> npt.NDArray[np.int64]:
        """Inputs that scales are calibrated on; a shipped network was not trained on them."""
        return np.arange(self.calibrated)

    @property
    def held_out(self) -> npt.NDArray[np.int64]:
        """Inputs that results are measured on."""
        return np.arange(self.calibrated, self.count)

    def check_split(self) -> None:
        """Refuse a split that leaves a side empty."""
        if not 0 < self.calibrated < self.count:
            raise ValueError(
                f"inputs to calibrate on must lie in 1..{self.count - 1}, not {self.calibrated}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Text(SplitByNumber):
    """Contexts of a text, each a row of bytes: a network predicts every byte from those before.

    Parameters
    ----------
    name : str
    contexts : uint8 array (context, bytes)
    calibrated : int
        The first so many contexts calibrate scales; results are measured on the others.
    attribution : str
        Where the text comes from and its licence.

    Raises
    ------
    ValueError
        If a part of the contexts is empty.
    """

    metric: ClassVar[str] = "bits_per_byte"

    name: str
    contexts: npt.NDArray[np.uint8]
    calibrated: int
    attribution: str

    def __post_init__(self) -> None:
        if self.contexts.ndim != 2 or self.contexts.shape[1] < 2:
            raise ValueError(f"{self.name} needs contexts of bytes, not {self.contexts.shape}")
        self.check_split()

    @property
    def count(self) -> int:
        """Contexts in all."""
        return len(self.contexts)

    def inputs(self, chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """All bytes but the last of each context, as numbers."""
        return self.contexts[chosen][:, :-1].astype(np.float64)

    def scores(
        self, outputs: npt.NDArray[np.float64], chosen: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """Minus the mean bits per predicted byte, from outputs (context, byte, logit of each)."""
        wanted = self.contexts[chosen][:, 1:].astype(np.int64)
        top = outputs.max(axis=-1, keepdims=True)
        norm = np.log(np.exp(outputs - top).sum(axis=-1)) + top[..., 0]
        found = np.take_along_axis(outputs, wanted[..., None], axis=-1)[..., 0]
        scores: npt.NDArray[np.float64] = (found - norm).mean(axis=-1) / np.log(2)
        return scores


@dataclass(frozen=True, slots=True, eq=False)
class Labelled(SplitByNumber):
    """A user's inputs with class labels: arrays `inputs`, `labels` and perhaps `calibrated`.

    Parameters
    ----------
    name : str
    values : float array (input, …), as the network takes them
    labels : int64 array (input,), class numbers from 0
    calibrated : int
        The first so many inputs calibrate scales; results are measured on the others.

    Raises
    ------
    ValueError
        If the parts do not fit each other, or an input is not finite.
    """

    metric: ClassVar[str] = "accuracy"

    name: str
    values: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]
    calibrated: int

    def __post_init__(self) -> None:
        if self.values.ndim < 2 or self.labels.shape != self.values.shape[:1]:
            raise ValueError(
                f"{self.name} needs one label per input, not labels of shape {self.labels.shape} "
                f"for inputs of shape {self.values.shape}"
            )
        if not np.isfinite(self.values).all():
            raise ValueError(f"inputs of {self.name} are finite numbers")
        if (self.labels < 0).any():
            raise ValueError(f"labels of {self.name} are 0 or more, not {self.labels.min()}")
        self.check_split()

    @property
    def count(self) -> int:
        """Inputs in all."""
        return len(self.labels)

    def inputs(self, chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """The chosen inputs."""
        return self.values[chosen]

    def scores(
        self, outputs: npt.NDArray[np.float64], chosen: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """1 where the largest of the outputs (input, class) is the label's, else 0."""
        wanted = self.labels[chosen]
        if outputs.ndim != 2 or wanted.max(initial=0) >= outputs.shape[1]:
            raise ValueError(
                f"labels of {self.name} are classes of the network, whose outputs have shape "
                f"{outputs.shape[1:]}, not {wanted.max(initial=0)}"
            )
        right: npt.NDArray[np.bool_] = outputs.argmax(axis=1) == wanted
        return right.astype(np.float64)


def own_name(network: str) -> str:
    """Return the data set of a network where none is named: that of a shipped one, else digits."""
    return OWN.get(network, NAMES[0])


def load_dataset(name: str) -> Data:
    """A shipped data set by name, `digits` (images) or `kjv` (text), or a file by its path.

    A user's file has arrays `inputs` and `labels`, and perhaps `calibrated`: how many of the first
    inputs scales are calibrated on, a fifth if it does not say.

    Raises
    ------
    ValueError
        If no data set has that name, or its file is damaged.
    OSError
        If the file cannot be read.
    """
    if name.endswith(".npz"):
        return read_data(Path(name))
    if name not in NAMES:
        near = get_close_matches(name, NAMES, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(
            f"data set must be one of {', '.join(NAMES)} or a .npz file, not {name!r}{hint}"
        )
    return read_data(DATA / f"{name}.npz")


def read_data(path: Path) -> Data:
    """Read a data set file, images or text; errors as for `load_dataset`."""
    arrays = read_arrays(path, WHAT)
    if "inputs" in arrays:
        return _labelled(path, arrays)
    return _text(path, arrays) if "contexts" in arrays else _images(path, arrays)


def read_dataset(path: Path) -> Dataset:
    """Read a data set file of images; errors as for `load_dataset`."""
    return _images(path, read_arrays(path, WHAT))


def _labelled(path: Path, arrays: Arrays) -> Labelled:
    try:
        labels = arrays["labels"]
        if not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(f"labels must be whole numbers, not {labels.dtype}")
        fifth = max(len(labels) // 5, 1)
        return Labelled(
            name=path.stem,
            values=np.asarray(arrays["inputs"], dtype=np.float64),
            labels=labels.astype(np.int64),
            calibrated=int(arrays.get("calibrated", np.array(fifth))),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} must be {WHAT}; {error}") from error


def _text(path: Path, arrays: Arrays) -> Text:
    try:
        return Text(
            name=path.stem,
            contexts=arrays["contexts"],
            calibrated=int(arrays["calibrated"]),
            attribution=str(arrays["attribution"]),
        )
    except (ValueError, KeyError) as error:
        raise ValueError(f"{path} must be {WHAT}; {error}") from error


def write_text(text: Text, path: Path) -> None:
    """Write a text; written aside, then renamed."""
    arrays: Arrays = {
        "contexts": text.contexts,
        "calibrated": np.array(text.calibrated, dtype=np.int32),
        "attribution": np.array(text.attribution),
    }
    write_arrays(path, arrays)


def _images(path: Path, arrays: Arrays) -> Dataset:
    try:
        return Dataset(
            name=path.stem,
            images=arrays["images"],
            labels=arrays["labels"].astype(np.int64),
            training=arrays["training"].astype(np.int64),
            held_out=arrays["held_out"].astype(np.int64),
            maximum=int(arrays["maximum"]),
            attribution=str(arrays["attribution"]),
        )
    except (ValueError, KeyError) as error:
        raise ValueError(f"{path} must be {WHAT}; {error}") from error


def write_dataset(dataset: Dataset, path: Path) -> None:
    """Write a data set; written aside, then renamed."""
    arrays: Arrays = {
        "images": dataset.images,
        "labels": dataset.labels.astype(np.uint8),
        "training": dataset.training.astype(np.int32),
        "held_out": dataset.held_out.astype(np.int32),
        "maximum": np.array(dataset.maximum, dtype=np.int32),
        "attribution": np.array(dataset.attribution),
    }
    write_arrays(path, arrays)


def stratified_split(
    labels: npt.NDArray[np.int64], held_out: int, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Split image numbers into (training, held out), each class in proportion.

    Shares are rounded by largest remainder so that exactly `held_out` images are held out;
    within a class the choice is a permutation seeded with `seed`.

    Raises
    ------
    ValueError
        If `held_out` does not lie between 1 and the number of images less one.
    """
    total = len(labels)
    if not 0 < held_out < total:
        raise ValueError(f"held_out must lie in 1..{total - 1}, not {held_out}")
    classes, sizes = np.unique(labels, return_counts=True)
    shares = sizes * held_out
    counts = shares // total
    missing = held_out - int(counts.sum())
    counts[np.argsort(-(shares % total), kind="stable")[:missing]] += 1
    generator = np.random.default_rng(seed)
    chosen = [
        generator.permutation(np.flatnonzero(labels == label))[:count]
        for label, count in zip(classes, counts, strict=True)
    ]
    held = np.sort(np.concatenate(chosen))
    return np.setdiff1d(np.arange(total), held), held
