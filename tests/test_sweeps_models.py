import importlib
import json

import numpy as np
import pytest

from hw.errors import MissingTool
from sweeps import train_digits
from sweeps.datasets import load_dataset, read_dataset, stratified_split, write_dataset
from sweeps.layers import Convolution, Dense, Flatten, MaxPool, Relu, reference_product
from sweeps.models import Network, load, read, write

DATA = load_dataset("digits")
NETWORK = load("digits_cnn")


def test_the_split_is_stratified_and_disjoint():
    assert DATA.images.shape == (1797, 8, 8)
    assert DATA.images.max() == DATA.maximum == 16
    assert len(DATA.held_out) == 540
    assert len(DATA.training) == 1257
    share = np.bincount(DATA.labels[DATA.held_out]) / np.bincount(DATA.labels)
    assert np.abs(share - 0.3).max() < 0.01
    again = stratified_split(DATA.labels, train_digits.HELD_OUT, train_digits.SPLIT_SEED)
    assert np.array_equal(again[0], DATA.training)
    assert np.array_equal(again[1], DATA.held_out)


def test_attribution_travels_with_the_data():
    for part in ("Alpaydin", "Kaynak", "UCI", "CC BY 4.0"):
        assert part in DATA.attribution


def test_inputs_are_exact_sixteenths():
    inputs = DATA.inputs(DATA.held_out)
    assert inputs.shape == (540, 8, 8, 1)
    assert np.array_equal(inputs * 16, DATA.images[DATA.held_out][..., None])


def test_float_accuracy_is_as_recorded():
    guesses = NETWORK.infer(DATA.inputs(DATA.held_out)).argmax(axis=1)
    right = int((guesses == DATA.labels[DATA.held_out]).sum())
    assert right / 540 >= 0.98
    assert f"{right} of 540 held-out images" in NETWORK.provenance


def test_size_of_the_network():
    assert NETWORK.input_shape == (8, 8, 1)
    assert [layer.terms for layer in NETWORK.weighted] == [9, 144, 128]
    assert NETWORK.largest_fan_in == 144
    assert NETWORK.macs == 64 * 9 * 16 + 4 * 144 * 32 + 128 * 10
    assert NETWORK.shapes["dense"] == (10,)


def test_inputs_of_weighted_layers_need_no_sign():
    seen, _ = NETWORK.trace(DATA.inputs(DATA.training[:50]))
    assert list(seen) == ["conv1", "conv2", "dense"]
    assert all((values >= 0).all() for (values,) in seen.values())


def test_convolution_against_loops():
    generator = np.random.default_rng(1)
    weight, bias = generator.normal(size=(3, 2, 2, 4)), generator.normal(size=4)
    layer = Convolution("c", weight, bias, padding=1)
    inputs = generator.normal(size=(2, 5, 4, 2))
    result = reference_product(layer.patches(inputs), layer.matrix) + bias
    assert result.shape[1:] == layer.output_shape((5, 4, 2)) == (5, 5, 4)
    padded = np.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)))
    for image, row, column, output in np.ndindex(result.shape):
        window = padded[image, row : row + 3, column : column + 2]
        expected = (window * weight[..., output]).sum() + bias[output]
        assert result[image, row, column, output] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("stacked", [False, True])
def test_the_reference_product_does_not_depend_on_the_order_of_terms(stacked):
    generator = np.random.default_rng(3)
    left = generator.normal(size=(3, 7, 512)) * np.exp(generator.normal(size=(3, 7, 1)) * 9)
    right = generator.normal(size=(3, 512, 5) if stacked else (512, 5))
    result = reference_product(left, right)
    assert result.shape == (3, 7, 5)
    order = generator.permutation(512)
    again = reference_product(left[..., order], right[..., order, :])
    assert np.array_equal(result, again)
    bound = 512 * 2.0**-21 * np.abs(left).max(axis=-1)[..., None] * np.abs(right).max()
    assert (np.abs(result - left @ right) < bound).all()
    assert np.array_equal(reference_product(np.zeros((2, 4)), np.zeros((4, 3))), np.zeros((2, 3)))


def test_pooling_relu_and_flatten():
    values = np.arange(2 * 4 * 4 * 3, dtype=float).reshape(2, 4, 4, 3) - 40
    pooled = MaxPool(2).apply(values)
    assert np.array_equal(pooled, values.reshape(2, 2, 2, 2, 2, 3).max(axis=(2, 4)))
    assert Relu().apply(values).min() == 0
    assert not np.signbit(Relu().apply(np.array([-0.0, -1.0]))).any()
    assert Flatten().apply(values).shape == (2, 48)


def test_network_file_round_trip(tmp_path):
    path = tmp_path / "copy.npz"
    write(NETWORK, path)
    copy = load(str(path))
    inputs = DATA.inputs(DATA.held_out[:20])
    assert np.array_equal(copy.infer(inputs), NETWORK.infer(inputs))
    assert [path.name for path in tmp_path.iterdir()] == ["copy.npz"]


def test_data_file_round_trip(tmp_path):
    path = tmp_path / "digits.npz"
    write_dataset(DATA, path)
    copy = read_dataset(path)
    assert np.array_equal(copy.images, DATA.images)
    assert np.array_equal(copy.held_out, DATA.held_out)
    assert copy.attribution == DATA.attribution


@pytest.mark.parametrize("reader", [read, read_dataset])
def test_damaged_files_are_refused(tmp_path, reader):
    path = tmp_path / "bad.npz"
    path.write_bytes(b"not an archive")
    with pytest.raises(ValueError, match=r"bad\.npz must be"):
        reader(path)
    np.savez(path, other=np.zeros(3))
    with pytest.raises(ValueError, match=r"bad\.npz must be"):
        reader(path)
    write(NETWORK, path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"bad\.npz must be"):
        reader(path)
    with pytest.raises(FileNotFoundError):
        reader(tmp_path / "absent.npz")


def test_unknown_kinds_and_versions_are_refused(tmp_path):
    for change in ({"version": 9}, {"nodes": [{"name": "a", "kind": "lstm", "inputs": []}]}):
        record = {"version": 2, "name": "n", "input_shape": [1], "nodes": [], "provenance": ""}
        path = tmp_path / "n.npz"
        np.savez(path, network=np.array(json.dumps(record | change)))
        with pytest.raises(ValueError, match=r"must be .*not (9|'lstm')"):
            read(path)


@pytest.mark.parametrize(("loader", "near"), [(load, "digits_cnn"), (load_dataset, "digits")])
def test_unknown_names_suggest_the_nearest(loader, near):
    with pytest.raises(ValueError, match=f"did you mean {near}"):
        loader(near[:-1] + "x")


def test_malformed_layers_are_refused():
    with pytest.raises(ValueError, match="one bias per output"):
        Dense("d", np.zeros((3, 2)), np.zeros(3))
    with pytest.raises(ValueError, match="finite"):
        Dense("d", np.full((3, 2), np.nan), np.zeros(2))
    with pytest.raises(ValueError, match="at least 0, not -1"):
        Convolution("c", np.zeros((1, 1, 1, 1)), np.zeros(1), padding=-1)
    with pytest.raises(ValueError, match="at least 1, not 0"):
        MaxPool(0)
    with pytest.raises(ValueError, match="weighted layer"):
        Network.chain("n", (3,), (Relu(),))
    with pytest.raises(ValueError, match="expects 3 inputs"):
        Network.chain("n", (4,), (Dense("d", np.zeros((3, 2)), np.zeros(2)),))
    with pytest.raises(ValueError, match="does not divide"):
        MaxPool(2).output_shape((3, 4, 1))
    with pytest.raises(ValueError, match="expects images of shape"):
        NETWORK.infer(np.zeros((1, 8, 8)))


def test_held_out_out_of_range():
    with pytest.raises(ValueError, match=r"held_out must lie in 1\.\.1796, not 1797"):
        stratified_split(DATA.labels, 1797, 0)


def test_training_without_its_extra_says_what_to_install(monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(MissingTool, match=r"macloom\[train\]"):
        train_digits.digits()


def test_folding_batch_normalisation():
    torch = pytest.importorskip("torch")
    model = train_digits.structure(torch)
    for norm in (model[1], model[5]):
        torch.nn.init.uniform_(norm.weight, 0.5, 2)
        torch.nn.init.uniform_(norm.running_mean)
        torch.nn.init.uniform_(norm.running_var, 0.5, 2)
    model.eval()
    inputs = DATA.inputs(DATA.held_out[:30])
    with torch.no_grad():
        expected = model(torch.tensor(inputs[..., 0], dtype=torch.float32)[:, None]).numpy()
    assert np.allclose(train_digits.exported(model).infer(inputs), expected, atol=1e-4)
