"""The bulk library: equal to the golden model, cached, and clear about what it cannot do."""

import numpy as np
import pytest
from sim_designs import case, design

from hw.errors import MissingTool
from sim import bulk, toolchain
from sim.bulk import Bulk
from sim.golden import GoldenCore, run_steps
from sim.vectors import random_steps, uniform_steps

DESIGNS = [
    design("mac", "int4", "uint3", accumulator="exact:8"),
    design("mac", "e5m2"),
    design("mac", "e3m1", accumulator="window:6:8"),
    design("dot", "int8", lanes=16),
    design("dot", "fixed<9,4>", "uint3", lanes=5, accumulator="saturate:14"),
]


def library(what):
    one = case(what.kind, what.weight.name, what.activation.name, **_settings(what))
    return Bulk(one.verilog, one.design)


def _settings(what):
    record = what.to_record()
    return {key: record[key] for key in record if key not in ("kind", "weight", "activation")}


@pytest.mark.parametrize("what", DESIGNS, ids=lambda d: d.slug)
def test_a_verdict_of_many_vectors(what):
    one = case(what.kind, what.weight.name, what.activation.name, **_settings(what))
    verdict = bulk.check(one.verilog, one.design, 200_000)
    assert verdict.passed
    assert verdict.first is None
    assert verdict.vectors >= 200_000
    assert verdict.design == what.slug
    assert verdict.simulator.startswith("gates of Yosys")
    assert 0 < verdict.seconds < 60


@pytest.mark.parametrize("what", DESIGNS, ids=lambda d: d.slug)
def test_results_are_those_of_the_scalar_model(what):
    rng = np.random.default_rng(5)
    steps, valid = random_steps(what, 300, rng), rng.random(300) < 0.7
    seen = library(what).run(steps.weight, steps.activation, steps.last, valid)
    core, limbs = GoldenCore(what), -(-what.accumulator_bits // 64)
    assert seen.total.shape == (300, limbs)
    for i in np.flatnonzero(valid):
        lanes = steps.weight[i].tolist(), steps.activation[i].tolist()
        output = core.step(*lanes, bool(steps.last[i]))
        total = sum(int(limb) << 64 * k for k, limb in enumerate(seen.total[i]))
        assert total == output.total % (1 << what.accumulator_bits)
        assert seen.total_valid[i] == output.total_valid
        assert seen.exponent[i] == output.exponent
        for bit, flag in enumerate(what.flags):
            assert seen.flag_bits[i] >> bit & 1 == output.flags[flag]
    assert not seen.total_valid[~valid].any()


def test_every_run_starts_from_reset():
    what = DESIGNS[0]
    chip, ones = library(what), np.ones((5, 1), np.uint8)
    first, second = chip.run(ones, ones), chip.run(ones, ones)
    assert first.total[:, 0].tolist() == second.total[:, 0].tolist() == [1, 2, 3, 4, 5]
    assert len(chip.run(ones[:0], ones[:0]).total) == 0


def test_a_wrong_model_is_noticed():
    what = DESIGNS[3]
    steps = uniform_steps(what, 1000, np.random.default_rng(0))

    def off_by_one(*arguments):
        outputs = run_steps(*arguments)
        outputs.total[7, 0] += np.uint64(1)
        return outputs

    wrong, first = library(what).check(steps, off_by_one)
    assert wrong == 1
    assert first is not None
    assert first.where == "step 7"


def test_shapes_and_kinds_are_checked():
    chip, ones = library(DESIGNS[3]), np.ones((5, 16), np.uint8)
    with pytest.raises(ValueError, match="weights must have the shape"):
        chip.run(ones[:, :3], ones)
    with pytest.raises(ValueError, match="activations must have the shape"):
        chip.run(ones, ones[:3])
    with pytest.raises(ValueError, match="last must have the shape"):
        chip.run(ones, ones, np.ones(3, np.bool_))
    with pytest.raises(ValueError, match=r"lie in 0\.\.7, not 8"):
        library(DESIGNS[0]).run(ones[:, :1], 8 * ones[:, :1])
    array = case("array", "int4")
    with pytest.raises(ValueError, match="not array"):
        Bulk(array.verilog, array.design)
    with pytest.raises(ValueError, match="of latency 1, not 3: dot"):
        bulk.check("", design("dot", "int4", lanes=2, pipeline=2), 100)
    with pytest.raises(ValueError, match="at least one vector"):
        bulk.check("", DESIGNS[0], 0)


def test_the_library_is_compiled_once_and_a_damaged_one_again(monkeypatch, tmp_path):
    monkeypatch.setenv("MACLOOM_CACHE", str(tmp_path))
    library(DESIGNS[0])
    (kept,) = (tmp_path / "bulk").iterdir()
    made = kept.stat().st_mtime_ns
    library(DESIGNS[0])
    assert kept.stat().st_mtime_ns == made
    kept.unlink()
    kept.write_bytes(b"damaged")
    ones = np.ones((2, 1), np.uint8)
    assert library(DESIGNS[0]).run(ones, ones).total[:, 0].tolist() == [1, 2]
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


def test_a_missing_compiler_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("MACLOOM_CACHE", str(tmp_path))
    toolchain.compiler.cache_clear()
    monkeypatch.setattr(toolchain.shutil, "which", lambda name: None)
    with pytest.raises(MissingTool, match=r"g\+\+"):
        library(DESIGNS[0])
    assert not list(tmp_path.glob("bulk/*"))
