"""Floor 4. Accuracy of a network in a pair of formats, measured on its held-out images."""

import enum
import math
import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hw.accumulators import Accumulator, parse_accumulator
from hw.formats import FixedFormat, parse
from sweeps.datasets import Data, load_dataset
from sweeps.inference import Arithmetic, Engine, Images
from sweeps.layers import Values, Weighted
from sweeps.models import Network, load
from sweeps.pairing import BLOCK_ACCUMULATOR, has_own_scales, is_in_blocks, relevant
from sweeps.quantize import METHODS, find_method
from sweeps.scales import OWN

BEST = "best"
_BETWEEN = re.compile(r",(?![^<]*>)")
SELECTION_IMAGES = 400
"""Training images on which "best" chooses between the methods, evenly spaced among them."""

CONFIDENCE_Z = 1.959963984540054
"""Standard normal quantile of a two-sided 95 % interval."""

DEFAULT_LANES = 16


class Edge(enum.Enum):
    """What the first or last weighted layer runs in.

    SAME: in the formats under test. EIGHT_BIT: int8 weights, uint8 activations (int8 where the
    layer's input has negative values), exact accumulator, method "max". FLOAT: not quantised.
    """

    SAME = "same"
    EIGHT_BIT = "int8"
    FLOAT = "float"


@dataclass(frozen=True, slots=True)
class Case:
    """What is evaluated, in names: hashable and picklable; checked when it is evaluated.

    Parameters
    ----------
    weight, activation : str
        Format names.
    accumulator : str
        A name of `hw.accumulators` but a fixed-point format; "" is exact for the network's largest
        sum (an alignment window where that passes 80 bits, see `hw.design`).
    method : str
        A scheme of scales (`sweeps.scales`), or several between commas: the one that does best on
        training inputs; "best" stands for "max,mse". What formats bring themselves is "own".
    first, last : str
        An `Edge` value each, for the first and the last weighted layer.
    lanes : int
        Products per accumulator step; matters to accumulators that saturate, align or round.
    network, dataset : str
        Names of what is shipped, or the path of a network file.
    inputs : int or None
        How many of the held-out inputs, the first ones; all if None.
    """

    weight: str
    activation: str
    accumulator: str = ""
    method: str = BEST
    first: str = "same"
    last: str = "same"
    lanes: int = DEFAULT_LANES
    network: str = "digits_cnn"
    dataset: str = "digits"
    inputs: int | None = None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Correctly classified held-out images, beside the float network's in the same run."""

    correct: int
    total: int
    float_correct: int
    method: str

    @property
    def accuracy(self) -> float:
        """Share of correct images, 0..1."""
        return self.correct / self.total

    @property
    def float_accuracy(self) -> float:
        """Share of images that the float network has right, 0..1."""
        return self.float_correct / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % confidence interval of `accuracy`."""
        return wilson(self.correct, self.total)


def wilson(correct: int, total: int, z: float = CONFIDENCE_Z) -> tuple[float, float]:
    """Wilson's score interval of a share (E. B. Wilson, JASA 22, 1927).

    Raises
    ------
    ValueError
        Unless 0 ≤ `correct` ≤ `total` and `total` ≥ 1.
    """
    if total < 1 or not 0 <= correct <= total:
        raise ValueError(f"correct must lie in 0..total with total >= 1, not {correct} of {total}")
    share, square = correct / total, z * z / total
    middle = share + square / 2
    half = math.sqrt(square * share * (1 - share) + square * square / 4)
    low, high = (middle - half) / (1 + square), (middle + half) / (1 + square)
    return (low if correct else 0.0), (high if correct < total else 1.0)


def evaluate_case(case: Case) -> Accuracy:
    """Accuracy of one case: a pure function of its names, for worker processes.

    What cases share is kept per process (`sweeps.inference.Engine`); sweep one activation format
    after the other. Workers should run with one BLAS thread (`OPENBLAS_NUM_THREADS=1` in the
    environment before NumPy is imported): not for the result, which is exact, but for speed.

    Raises
    ------
    ValueError
        If a name of the case is not one, or its parts do not go together.
    OSError
        If a network file cannot be read.
    """
    return evaluate(_engine(case.network, case.dataset), case)


def evaluate(engine: Engine, case: Case) -> Accuracy:
    """Accuracy of one case on an engine's own network and labelled images; errors as above."""
    if engine.dataset.metric != "accuracy":
        raise ValueError(f"{case.dataset} is judged by {engine.dataset.metric}, not by accuracy")
    scores = evaluate_scores(engine, case)
    return Accuracy(
        correct=int(scores.quantised.sum()),
        total=len(scores.quantised),
        float_correct=int(scores.floating.sum()),
        method=scores.method,
    )


def score_case(case: Case) -> tuple[str, "Scores"]:
    """The metric of a case's data set, and its scores: as `evaluate_case`, for any data set."""
    engine = _engine(case.network, case.dataset)
    return engine.dataset.metric, evaluate_scores(engine, case)


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of the held-out inputs one by one (see `sweeps.datasets.Data.scores`).

    Parameters
    ----------
    quantised, floating : arrays (input,)
        Of the quantised and of the float network.
    method : str
        How scales were chosen.
    """

    quantised: Values
    floating: Values
    method: str


def evaluate_scores(engine: Engine, case: Case, most: int | None = None) -> Scores:
    """Scores of one case on its held-out inputs, or the first `most` of them; errors as above."""
    most = case.inputs if most is None else most
    available = len(engine.dataset.held_out)
    if case.inputs is not None and not 1 <= case.inputs <= available:
        raise ValueError(
            f"inputs must lie in 1..{available}, the held-out inputs of {case.dataset}, "
            f"not {case.inputs}"
        )
    candidates = methods(case)
    method = candidates[0] if len(candidates) == 1 else best_method(engine, case)
    held_out = engine.dataset.held_out[:most]
    outputs = engine.outputs(held_out, arithmetic(engine, case, find_method(method).name))
    return Scores(
        engine.dataset.scores(outputs, held_out),
        engine.dataset.scores(engine.float_outputs(held_out), held_out),
        method,
    )


def best_method(engine: Engine, case: Case) -> str:
    """The method of the best scores on training inputs; on a tie of the least logit error.

    Logit error is the squared distance from the float network's outputs. Held-out inputs are not
    looked at.
    """
    chosen = selection(engine.dataset)
    reference = engine.float_outputs(chosen)

    def quality(name: str) -> tuple[float, float]:
        outputs = engine.outputs(chosen, arithmetic(engine, case, name))
        scores = engine.dataset.scores(outputs, chosen)
        return float(scores.sum()), -float(((outputs - reference) ** 2).sum())

    return max(methods(case), key=quality)


def methods(case: Case) -> tuple[str, ...]:
    """The schemes a case chooses between, as far as they matter to its formats.

    Raises
    ------
    ValueError
        For an unknown scheme or format.
    """
    names = tuple(METHODS) if case.method == BEST else tuple(_BETWEEN.split(case.method))
    weight, activation = parse(case.weight), parse(case.activation)
    found = []
    for name in names:
        method = find_method(name)
        if has_own_scales(weight) and has_own_scales(activation):
            found.append(OWN)
        elif name == method.scheme.name:
            scheme = relevant(weight, activation, method.scheme)
            assert scheme is not None
            found.append(scheme.name)
        else:
            found.append(method.name)
    return tuple(dict.fromkeys(found))


def selection(dataset: Data) -> Images:
    """The training inputs that methods are chosen on."""
    training = dataset.training
    count = min(SELECTION_IMAGES, len(training))
    return training[np.linspace(0, len(training) - 1, count).round().astype(np.int64)]


def arithmetic(engine: Engine, case: Case, method: str) -> tuple[Arithmetic | None, ...]:
    """The arithmetic of each multiplying node, in order; None is float."""
    network = engine.network
    weight, activation = parse(case.weight), parse(case.activation)
    name = case.accumulator
    if not name and is_in_blocks(weight, activation, find_method(method).scheme):
        name = BLOCK_ACCUMULATOR
    accumulator = accumulator_of(network, name)
    same = Arithmetic(weight, activation, accumulator, method, case.lanes)
    names = [node.name for node in network.multiplying]
    layers: list[Arithmetic | None] = [same] * len(names)
    for place, name in ((-1, case.last), (0, case.first)):
        edge = _edge(name)
        if edge is not Edge.SAME:
            layer = network.weighted[place]
            found = _eight_bit(engine, layer) if edge is Edge.EIGHT_BIT else None
            layers[names.index(layer.name)] = found
    return tuple(layers)


def accumulator_of(network: Network, name: str) -> Accumulator:
    """The accumulator of that name; "" is exact for the network's largest sum."""
    if not name:
        return Accumulator.exact(network.largest_fan_in)
    accumulator = parse_accumulator(name)
    if isinstance(accumulator, FixedFormat):
        raise ValueError(
            f"accumulator must be exact, wrap, saturate, window or float, not {name!r}"
        )
    return accumulator


def _eight_bit(engine: Engine, layer: Weighted) -> Arithmetic:
    negative = bool((engine.samples(layer.name) < 0).any())
    activation = FixedFormat(8, 8, is_signed=negative)
    exact = Accumulator.exact(max(layer.terms, DEFAULT_LANES))
    return Arithmetic(FixedFormat(8, 8), activation, exact, "max", DEFAULT_LANES)


def _edge(name: str) -> Edge:
    try:
        return Edge(name)
    except ValueError:
        names = ", ".join(edge.value for edge in Edge)
        raise ValueError(f"first and last must be one of {names}, not {name!r}") from None


@lru_cache(maxsize=4)
def _engine(network: str, dataset: str) -> Engine:
    return Engine(load(network), load_dataset(dataset))
