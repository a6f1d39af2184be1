"""Transformer blocks as nodes against the formulas written out, and against torch where it is."""

import importlib.util
import math

import numpy as np
import pytest

from hw.errors import MissingTool
from sweeps import train_bytes
from sweeps.accuracy import Case, arithmetic
from sweeps.datasets import Text, load_dataset, read_data, write_text
from sweeps.inference import Engine
from sweeps.models import INPUT, Network, Node, load
from sweeps.operations import Shift
from sweeps.transformers import below, block

WIDTH, HEADS, LENGTH = 12, 3, 6


def parameters():
    generator = np.random.default_rng(2)
    found = {}
    for part in ("query", "key", "value", "project"):
        found[f"{part}.weight"] = generator.normal(size=(WIDTH, WIDTH)) / 3
    found["up.weight"] = generator.normal(size=(4 * WIDTH, WIDTH)) / 3
    found["down.weight"] = generator.normal(size=(WIDTH, 4 * WIDTH)) / 3
    for part in ("query", "key", "value", "project", "up", "down"):
        found[f"{part}.bias"] = generator.normal(size=len(found[f"{part}.weight"]))
    for part in ("norm1", "norm2"):
        found[f"{part}.weight"] = 1 + generator.normal(size=WIDTH) / 9
        found[f"{part}.bias"] = generator.normal(size=WIDTH)
    return found


def normalised(x, p, part):
    centred = x - x.mean(axis=-1, keepdims=True)
    spread = np.sqrt(centred.var(axis=-1, keepdims=True) + 1e-5)
    return centred / spread * p[f"{part}.weight"] + p[f"{part}.bias"]


def written_out(x, p, causal):
    """One context: (token, entry) to the same."""
    seen = normalised(x, p, "norm1")
    query, key, value = (
        seen @ p[f"{part}.weight"].T + p[f"{part}.bias"] for part in ("query", "key", "value")
    )
    size = WIDTH // HEADS
    mixed = np.zeros_like(x)
    for head in range(HEADS):
        own = slice(head * size, (head + 1) * size)
        scores = query[:, own] @ key[:, own].T / math.sqrt(size)
        for token in range(LENGTH):
            seen_tokens = token + 1 if causal else LENGTH
            shares = np.exp(scores[token, :seen_tokens])
            mixed[token, own] = shares / shares.sum() @ value[:seen_tokens, own]
    x = x + mixed @ p["project.weight"].T + p["project.bias"]
    inner = normalised(x, p, "norm2") @ p["up.weight"].T + p["up.bias"]
    erf = np.vectorize(math.erf)(inner / math.sqrt(2))
    return x + (inner * (1 + erf) / 2) @ p["down.weight"].T + p["down.bias"]


@pytest.mark.parametrize("causal", [False, True])
def test_a_block_is_what_its_formulas_say(causal):
    p = parameters()
    start = Node("start", Shift(np.zeros((LENGTH, WIDTH))), (INPUT,))
    nodes = (start, *block("b", "start", p, HEADS, causal))
    network = Network("n", (LENGTH, WIDTH), nodes)
    inputs = np.random.default_rng(3).normal(size=(4, LENGTH, WIDTH))
    outputs = network.infer(inputs)
    for given, found in zip(inputs, outputs, strict=True):
        assert found == pytest.approx(written_out(given, p, causal), abs=1e-4)
    assert network.macs == 12 * WIDTH * WIDTH * LENGTH + 2 * LENGTH * LENGTH * WIDTH


def test_parameters_below_a_prefix():
    assert below({"blocks.1.up": 1, "blocks.10.up": 2}, "blocks.1") == {"up": 1}


def test_held_out_stretches_are_never_trained_on():
    text = np.random.default_rng(1).integers(256, size=1_100_000).astype(np.uint8)
    training, held_out = train_bytes.split(text)
    assert held_out.shape == (16, 16 * 1024)
    assert sum(map(len, training)) + held_out.size == len(text)
    whole = np.concatenate(
        [part for pair in zip(training, [*held_out, []], strict=True) for part in pair]
    )
    assert np.array_equal(whole, text)
    places = train_bytes._places(training)
    ends = np.cumsum([len(part) for part in training])
    for part, end in zip(places, ends, strict=True):
        assert part[-1] + train_bytes.CONTEXT < end
    with pytest.raises(ValueError, match="at least 1048576 bytes, not 10"):
        train_bytes.split(text[:10])


def test_a_text_file_round_trip(tmp_path):
    contexts = np.random.default_rng(1).integers(256, size=(9, 17)).astype(np.uint8)
    write_text(Text("t", contexts, 4, "who"), tmp_path / "t.npz")
    copy = read_data(tmp_path / "t.npz")
    assert np.array_equal(copy.contexts, contexts)
    assert (copy.calibrated, copy.attribution, copy.name) == (4, "who", "t")
    assert copy.inputs(copy.held_out).shape == (5, 16)


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed")
def test_training_without_torch_says_what_to_install():
    with pytest.raises(MissingTool, match=r"macloom\[train\]"):
        train_bytes.fit([], 1, None)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch")
def test_the_exported_model_is_torchs():
    torch = importlib.import_module("torch")
    model = train_bytes.structure(torch).eval()
    arrays = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    network = train_bytes.exported(arrays, "")
    codes = np.random.default_rng(1).integers(256, size=(2, train_bytes.CONTEXT - 1))
    with torch.no_grad():
        expected = model(torch.from_numpy(codes)).numpy()
    assert np.abs(network.infer(codes.astype(float)) - expected).max() < 1e-4


def test_the_shipped_vision_transformer_is_as_recorded():
    network, data = load("digits_vit"), load_dataset("digits")
    outputs = network.infer(data.inputs(data.held_out))
    right = int(data.scores(outputs, data.held_out).sum())
    assert right / 540 >= 0.98
    assert f"{right} of 540 held-out images" in network.provenance
    assert len(network.multiplying) == 1 + 2 * 8 + 1


def test_the_shipped_language_model_predicts_the_shipped_text():
    network, data = load("bytes_lm"), load_dataset("kjv")
    assert data.contexts.size == 256 * 1024
    assert len(data.held_out) == 1024 - 64
    assert sum(layer.matrix.size for layer in network.weighted) == 1_269_760
    chosen = data.held_out[::120]
    outputs = network.infer(data.inputs(chosen))
    bits = -data.scores(outputs, chosen).mean()
    assert 1.4 < bits < 2.1
    engine = Engine(network, data)
    names = [node.name for node in network.multiplying]
    case = Case("int8", "int8", method="max", network="bytes_lm", dataset="kjv")
    units = arithmetic(engine, case, "max")
    assert len(units) == len(names) == 4 * 8 + 1
    small = Text("part", data.contexts[[0, 1, 500, 501]], 2, data.attribution)
    engine = Engine(network, small)
    scores = small.scores(engine.outputs(small.held_out, units), small.held_out)
    floating = small.scores(engine.float_outputs(small.held_out), small.held_out)
    assert np.abs(scores - floating).max() < 0.2
    assert (scores != floating).all()
