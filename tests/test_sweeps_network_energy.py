"""Energy of one inference: multiplications and memory of the shipped networks."""

import json

import pytest

from sweeps import energy_workflow
from sweeps.cli import main
from sweeps.layer_costs import Units, parse_pairs
from sweeps.models import load
from sweeps.network_energy import inference, memory

(PAIR,) = parse_pairs("int4×int8")
LAYERS = {"digits_cnn": 3, "digits_vit": 18, "bytes_lm": 33}


@pytest.mark.parametrize("network", list(LAYERS))
def test_layers_add_up(network):
    found = inference(network, PAIR)
    assert len(found["layers"]) == LAYERS[network]
    assert sum(one["macs"] for one in found["layers"]) > 1e4
    for one in found["layers"]:
        assert one["energy_nj"] == pytest.approx(one["macs"] * one["energy_pj_per_mac"] / 1000)
        assert one["memory_nj"] == pytest.approx(one["memory_bits"] * 130 / 1e6)
    parts = [sum(one[key] for one in found["layers"]) for key in ("energy_nj", "memory_nj")]
    assert [found["macs_nj"], found["memory_nj"]] == pytest.approx(parts)
    assert found["energy_nj_per_inference"] == pytest.approx(sum(parts))
    assert found["factor"] >= 2
    assert found["error_percent"] > 0


def test_a_layer_by_hand():
    """The first convolution: 9 terms in a step of 16 lanes, 9216 products, 64 × 17 values."""
    first = inference("digits_cnn", PAIR)["layers"][0]
    network = load("digits_cnn")
    unit = Units().design(network, network.multiplying[0], PAIR)
    each = energy_workflow.estimate(unit, "xcup")["energy_pj_per_mac"]
    assert first["macs"] == 8 * 8 * 16 * 9
    assert first["energy_pj_per_mac"] == pytest.approx(each * 16 / 9)
    assert first["memory_bits"] == 8 * (64 * 1 + 64 * 16) + 4 * 9 * 16


def test_dram_and_streams():
    near, far = (inference("digits_cnn", PAIR, dram=dram) for dram in (False, True))
    weights = 4 * sum(n.layer.weight.size for n in load("digits_cnn").multiplying)
    known = memory("xcup")
    more = weights * (known.dram_fj_per_bit - known.chip_fj_per_bit) / 1e6
    assert far["memory_nj"] - near["memory_nj"] == pytest.approx(more)
    assert far["macs_nj"] == near["macs_nj"]
    own = inference("digits_cnn", PAIR, stream="digits")
    assert own["macs_nj"] < near["macs_nj"]
    with pytest.raises(ValueError, match="digits is of digits_cnn, not of digits_vit"):
        inference("digits_vit", PAIR, stream="digits")
    with pytest.raises(ValueError, match=r"memories are known of .*, not of 'asic'"):
        memory("asic")
    for target in ("xcup", "xc7", "ecp5", "ice40", "gowin"):
        assert isinstance(memory(target).chip_fj_per_bit, int)
        assert memory(target).factor >= 2


def test_the_command(capsys):
    words = ["energy", "--network", "digits_cnn", "--weight", "int4", "--activation", "int8"]
    assert main([*words, "--estimate"]) == 0
    assert "one inference: " in capsys.readouterr().out
    assert main([*words, "--estimate", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["energy_nj_per_inference"] == pytest.approx(
        inference("digits_cnn", PAIR)["energy_nj_per_inference"]
    )
    assert main([*words, "--rows", "2"]) == 2
    assert "leave out rows" in capsys.readouterr().err
    assert main([*words[:3], "--estimate"]) == 2
    assert "--network needs --weight" in capsys.readouterr().err
    assert main(["energy", "mac", "--weight", "int4", "--dram"]) == 2
    assert "--dram is of --network" in capsys.readouterr().err


@pytest.mark.slow
def test_netlists_say_nearly_the_same():
    by_formula, by_netlist = (
        inference("digits_cnn", PAIR, stream="digits", by_formula=each) for each in (True, False)
    )
    assert by_netlist["macs_nj"] == pytest.approx(by_formula["macs_nj"], rel=0.1)
    assert not by_netlist["estimated"]
