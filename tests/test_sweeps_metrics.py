"""sweeps.metrics: packing loses nothing that matters, summaries against other derivations."""

import base64
import json

import numpy as np
import pytest

from sweeps.accuracy import Case, Scores, evaluate, score_case, wilson
from sweeps.bootstrap import paired
from sweeps.datasets import METRICS as OF_DATA
from sweeps.datasets import load_dataset
from sweeps.metrics import METRICS, OBJECTIVES, find_metric, pack, summary, unpack
from sweeps.points import COLUMNS


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 540])
def test_packed_scores_come_back(count):
    random = np.random.default_rng(count)
    right = random.integers(0, 2, count).astype(float)
    assert np.array_equal(unpack(pack(right)), right)
    assert len(pack(right)) <= 12 + 4 * ((count + 7) // 8 + 2) / 3
    bits = -random.uniform(1, 8, count) - 2
    assert np.allclose(unpack(pack(bits)), bits, rtol=1e-7, atol=0)
    if count:
        assert pack(bits).startswith(f"float32:{count}:")
        assert pack(right).startswith(f"bits:{count}:")
        assert json.loads(json.dumps(pack(bits))) == pack(bits)


def test_bits_are_in_the_order_of_the_inputs():
    assert pack([1, 0, 0, 0, 0, 0, 0, 0, 1]) == "bits:9:" + base64.b64encode(b"\x80\x80").decode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "KIND:COUNT:BASE64"),
        ("bits:x:AA==", "KIND:COUNT:BASE64"),
        ("bits:8:%%", "KIND:COUNT:BASE64"),
        ("bits:9:gA==", "9 inputs cannot be 1 bytes of bits"),
        ("float32:1:gA==", "1 inputs cannot be 1 bytes of float32"),
        ("float16:1:gAA=", "of float16"),
    ],
)
def test_what_is_no_packed_score(text, message):
    with pytest.raises(ValueError, match=message):
        unpack(text)


def test_what_cannot_be_packed():
    with pytest.raises(ValueError, match="finite numbers in a row"):
        pack([[1.0]])
    with pytest.raises(ValueError, match="finite numbers in a row"):
        pack([np.nan])


def test_accuracy_has_wilsons_interval():
    found = summary("accuracy", Scores(np.arange(100) < 93, np.arange(100) < 95, "max"))
    low, high = wilson(93, 100)
    assert (found["value"], found["float_value"], found["inputs"]) == (93, 95, 100)
    assert (found["low"], found["high"]) == (100 * low, 100 * high)


def test_bits_per_byte_have_the_interval_of_a_bootstrap():
    random = np.random.default_rng(1)
    scores = -random.normal(2.0, 0.3, 400)
    found = summary("bits_per_byte", Scores(scores, scores + 0.1, "mse"))
    assert found["value"] == pytest.approx(-scores.mean())
    half = 1.96 * scores.std(ddof=1) / 20  # the normal approximation: the outside derivation
    assert found["value"] - found["low"] == pytest.approx(half, rel=0.1)
    assert found["high"] - found["value"] == pytest.approx(half, rel=0.1)
    assert found["float_value"] == pytest.approx(found["value"] - 0.1)
    kept = unpack(found["scores"])
    assert not paired(kept, scores).is_claimed or abs(paired(kept, scores).mean) < 1e-6


def test_metrics_are_those_of_data_sets_and_points():
    assert {name: load_dataset(name).metric for name in OF_DATA} == OF_DATA
    assert set(OF_DATA.values()) == set(METRICS)
    for metric in METRICS.values():
        columns = (metric.value, metric.low, metric.high, metric.float_value, metric.inputs)
        assert set(columns) | {metric.objective} <= set(COLUMNS)
    assert OBJECTIVES == ("error_percent", "bits_per_byte")
    with pytest.raises(ValueError, match="a metric is one of accuracy, bits_per_byte, not 'loss'"):
        find_metric("loss")


def test_a_case_on_some_inputs_only():
    case = Case("int3", "uint3", method="max", inputs=64)
    metric, scores = score_case(case)
    assert metric == "accuracy"
    assert len(scores.quantised) == len(scores.floating) == evaluate_total(case) == 64


def evaluate_total(case: Case) -> int:
    from sweeps.accuracy import evaluate_case

    return evaluate_case(case).total


def test_texts_have_no_accuracy():
    from types import SimpleNamespace

    engine = SimpleNamespace(dataset=load_dataset("kjv"))
    with pytest.raises(ValueError, match="kjv is judged by bits_per_byte, not by accuracy"):
        evaluate(engine, Case("int8", "int8", dataset="kjv"))
