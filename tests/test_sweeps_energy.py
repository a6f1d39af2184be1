"""Energy by toggles: streams, constants, SAIF, the formula on designs it was not fitted on."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from costmodel import activity, energy
from costmodel.activity_core import core_toggles
from costmodel.activity_lanes import lane_addend
from costmodel.activity_planes import (
    Statistics,
    Tally,
    looked_up,
    plane_of,
    planes_of,
    values_of,
    words_of,
)
from costmodel.activity_sums import accumulated, chain_sums, lanes_of, tree_sums
from hw.design import from_record
from hw.formats import Special
from hw.plan import LanePlan, plan
from hw.target import load
from sim.netlist_saif import activities, read_saif, saif
from sweeps import activity as measured
from sweeps.activity import (
    FITTED,
    JUDGED,
    SETS,
    draw,
    errors,
    read_rows,
    rows_of,
    statistics_of,
)
from sweeps.cli import main
from sweeps.energy import measure, priced
from sweeps.streams import layers, number_codes, operand_stream
from sweeps.workflow import emit

TARGETS = ("xcup", "ecp5")
MAC = {"kind": "mac", "weight": "int4", "structure": "rows", "accumulator": "exact:64"}


def mac(**changes):
    return from_record(MAC | changes)


def test_streams_are_what_they_say():
    design = mac(weight="e4m3", activation="int6")
    uniform, again = (operand_stream(design, "uniform", seed=3) for _ in range(2))
    assert (uniform.weight == again.weight).all()
    assert uniform.weight.shape == uniform.activation.shape == (512, 65, 1)
    numbers = number_codes(design.weight)
    assert len(numbers) == 256 - 16
    assert set(np.unique(uniform.weight)) == set(numbers.tolist())
    assert uniform.last.mean() == pytest.approx(1 / 65)
    normal = operand_stream(design, "gaussian").activation.astype(int)
    values = np.where(normal < 32, normal, normal - 64)
    assert values.mean() == pytest.approx(0, abs=0.1)
    assert values.std() == pytest.approx(31 / 4, rel=0.02)


def test_the_stream_of_the_network_is_its_weights_and_inputs():
    design = from_record({"kind": "dot", "weight": "int8", "activation": "uint8", "lanes": 4})
    names = [layer.name for layer in layers()]
    assert len(names) == 3
    whole = operand_stream(design, "digits")
    assert whole.weight.shape == (512, 65, 4)
    one = layers()[1]
    steps = -(-len(one.matrix) // 4)
    stream = operand_stream(design, "digits", layer=one.name)
    assert stream.last.mean() == pytest.approx(1 / steps, rel=0.1)
    weights = measured_weights(design, one)
    seen = np.unique(stream.weight)
    assert set(seen.tolist()) <= set(weights.tolist()) | {0}
    assert (stream.activation == 0).mean() > 0.2  # after ReLU


def measured_weights(design, layer):
    from sweeps.streams import coded

    return np.unique(coded(design.weight, design.activation, layer)[0])


def test_streams_are_refused():
    with pytest.raises(ValueError, match="one of uniform, gaussian, digits, not 'noise'"):
        operand_stream(mac(), "noise")
    with pytest.raises(ValueError, match="layers are of the stream digits"):
        operand_stream(mac(), "uniform", layer="conv1")
    with pytest.raises(ValueError, match="a layer is one of"):
        operand_stream(mac(), "digits", layer="conv9")
    with pytest.raises(ValueError, match="are signed, uint4 is not"):
        operand_stream(mac(weight="uint4"), "digits")
    with pytest.raises(ValueError, match="digits has no scales of blocks"):
        operand_stream(from_record({"kind": "mxdot", "weight": "e2m1fn"}), "digits")


def test_energy_is_toggles_times_constants():
    rates = energy.Rates(1, 2, 3, 4, 5)
    known = energy.constants("xcup")
    found = energy.price(rates, 2, "xcup")
    each = (known.inputs, 2 * known.logic, 3 * known.carry, 4 * known.registers, 5 * known.clock)
    assert list(found.parts) == list(energy.PARTS)
    assert found.energy_pj_per_cycle == pytest.approx(sum(each))
    assert found.energy_pj_per_mac == pytest.approx(sum(each) / 2)
    assert energy.toggle_energy_pj(rates, "xcup") == pytest.approx(sum(each[:-1]))
    with pytest.raises(ValueError, match="needs MACs"):
        energy.price(rates, 0, "xcup")


def test_every_constant_has_a_source_and_a_doubt():
    names = ("xcup", "xc7", "ecp5", "ice40", "gowin", "cmos45", "cmos7")
    for name in names:
        known = energy.constants(name)
        assert min(known.inputs, known.logic, known.carry, known.registers, known.clock) > 0
        assert known.factor >= 1.5
        assert len(known.source) > 60
    with pytest.raises(ValueError, match="no energy constants of the target 'other'"):
        energy.constants("other")


def test_a_missing_constant_is_no_zero(monkeypatch):
    given = {"inputs": 1, "logic": 1, "carry": 1, "registers": 1, "factor": 2, "source": "x"}
    monkeypatch.setattr(energy, "shipped", lambda name: {"lame": given})
    with pytest.raises(ValueError, match="constants of lame lack clock"):
        energy.constants("lame")


def test_a_stream_that_stands_still_costs_the_clock_only():
    emitted = emit(mac(), "xcup")
    stream = operand_stream(mac(), "uniform")
    still = replace(
        stream,
        weight=np.zeros_like(stream.weight),
        activation=np.zeros_like(stream.activation),
        last=np.zeros_like(stream.last),
    )
    resting, busy = (priced(emitted, s, "", "xcup") for s in (still, stream))
    assert energy.toggle_energy_pj(resting.rates, "xcup") == 0
    assert resting.energy_pj_per_mac == resting.parts["clock"] > 0
    assert busy.energy_pj_per_mac > 5 * resting.energy_pj_per_mac


@pytest.mark.parametrize(
    ("record", "macs"),
    [
        ({"kind": "constdot", "weights": [[3, -5], [7, 11], [1, 0]], "activation": "int4"}, 6),
        ({"kind": "square", "activation": "int4", "lanes": 2}, 2),
    ],
)
def test_kinds_without_weights_are_fed_their_activations(record, macs):
    design = from_record(record)
    stream = operand_stream(design, "uniform")
    found = measure(emit(design, "xcup"), stream)
    assert found.macs_per_cycle == macs
    activation = stream.activation[:, 1:] ^ stream.activation[:, :-1]
    wanted = np.bitwise_count(activation & 15).sum() / activation[:, :, 0].size
    ends = 0 if record["kind"] == "constdot" else 2 / 32
    assert found.rates.inputs == pytest.approx(wanted + ends, rel=0.01)


def test_kinds_that_take_bits_are_refused():
    design = from_record({"kind": "bitplane", "weight": "int4", "lanes": 4})
    with pytest.raises(ValueError, match="mxdot, array, tile, constdot, square"):
        measure(emit(design, "xcup"), operand_stream(design, "uniform"))


def test_saif_comes_back():
    emitted = emit(mac(), "xcup")
    found = measure(emitted, operand_stream(mac(), "uniform"))
    graph, counted = found.netlist.graph, found.activity
    text = saif(graph, counted, emitted.top, 4)
    duration, nets = read_saif(text)
    assert duration == 4 * counted.cycles == 4 * 64 * 512
    assert nets == activities(graph, counted, 4)
    assert len(nets) > 50
    assert nets["clk"].changes == 2 * counted.cycles
    assert all(net.low + net.high == duration for net in nets.values())
    assert nets["weight[0]"].changes == pytest.approx(counted.cycles / 2, rel=0.02)
    assert text.startswith('(SAIFILE\n(SAIFVERSION "2.0")\n(DIRECTION "backward")')
    assert r"(weight\[0\] (T0 " in text
    with pytest.raises(ValueError, match="at least 1, not 0"):
        saif(graph, counted, emitted.top, 0)
    for wrong, why in (
        ("", "begins with"),
        ("(OTHER)", "begins with"),
        (text[:-4], "not closed"),
        (text.replace("DURATION", "LENGTH"), "one DURATION, not 0"),
        (text.replace("(TC ", "(XX "), "lacks TC"),
    ):
        with pytest.raises(ValueError, match=why):
            read_saif(wrong)


def test_the_command(capsys, tmp_path):
    words = ["energy", "mac", "--weight", "int4", "--accumulator", "exact:64"]
    file = tmp_path / "mac.saif"
    assert main([*words, "--stream", "digits", "--saif", str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["energy_pj_per_mac"] == pytest.approx(sum(found["parts"].values()))
    whole = sum(layer["energy_nj"] for layer in found["layers"])
    assert found["energy_nj_per_inference"] == pytest.approx(whole)
    assert read_saif(file.read_text())[1]
    assert main(words) == 0
    assert "clock" in capsys.readouterr().out
    assert main([*words, "--estimate"]) == 0
    assert "mean error of the formula" in capsys.readouterr().out
    assert main([*words, "--estimate", "--saif", str(file)]) == 2
    assert "--estimate knows no nets" in capsys.readouterr().err
    assert main(["simulate", *words[1:], "--netlist", "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)["verdict"]
    assert verdict["passed"]
    assert verdict["coverage"] == "exhaustive"


@pytest.mark.parametrize("target", TARGETS)
def test_the_designs_are_those_of_the_seeds(target):
    rows = read_rows(target)
    drawn = {chosen: draw(target, chosen) for chosen in SETS}
    assert len(drawn[JUDGED]) >= {"xcup": 60, "ecp5": 40}[target]
    slugs = [design.slug for designs in drawn.values() for design in designs]
    assert len(slugs) == len(set(slugs))
    for chosen, designs in drawn.items():
        found = dict.fromkeys(row.design for row in rows if row.chosen == chosen)
        assert list(found) == designs
    streams = Counter(row.stream for row in rows)
    assert streams["uniform"] == streams["gaussian"] == len(slugs)
    assert streams["digits"] > 0.5 * streams["uniform"]


@pytest.mark.parametrize("target", TARGETS)
def test_the_error_on_designs_not_fitted(target):
    """Toggle energy with the inputs and without the clock, against the netlists' simulation."""
    judged = [row for row in read_rows(target) if row.chosen == JUDGED]
    off = 100 * np.abs(errors(target, judged))
    assert len(off) >= {"xcup": 150, "ecp5": 100}[target]
    for kind in ("mac", "dot"):
        own = np.array([row.design.kind == kind for row in judged])
        stored = activity.errors()[target][kind]
        for stream in ("uniform", "gaussian", "digits", "all"):
            fed = own & np.array([stream in (row.stream, "all") for row in judged])
            found = off[fed]
            assert found.mean() <= 8
            assert found.mean() == pytest.approx(stored[stream]["mean"], abs=0.1)
            assert np.percentile(found, 95) == pytest.approx(
                stored[stream]["percentile_95"], abs=0.1
            )
            assert stored[stream]["designs"] >= 8


def test_the_coefficients_are_those_of_the_fit():
    rows = read_rows("xcup") + read_rows("kinds_xcup")
    found, stored = measured.fitted("xcup", rows), activity.coefficients("xcup")["values"]
    assert found.keys() <= stored.keys()
    changed = [n for n in found if found[n] != pytest.approx(stored[n], rel=0.02, abs=0.02)]
    assert not changed


@pytest.mark.parametrize("number", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_the_stored_toggles_are_real(number):
    """The first design or a sample of the others is mapped and counted again."""
    checked = 0
    for target in TARGETS:
        rows = read_rows(target)
        designs = list(dict.fromkeys(row.design for row in rows))
        small = sorted(designs, key=lambda d: (d.lanes, d.weight.bits + d.activation.bits))
        for design in small[:1] if number == 0 else designs[5::16]:
            stored = {row.stream: row for row in rows if row.design == design}
            for again in rows_of(design, target, FITTED):
                row = stored[again["stream"]]
                for name, value in row.rates.items():
                    assert again[name] == pytest.approx(value, rel=1e-6), (design.slug, name)
                checked += 1
    assert checked >= (4 if number == 0 else 12)


def test_an_estimate_is_near_the_simulation_and_knows_its_bounds():
    design = from_record({"kind": "dot", "weight": "int6", "lanes": 5, "structure": "rows"})
    stream = operand_stream(design, "gaussian")
    statistics = statistics_of(design, stream)
    found = energy.estimate(design, load("xcup"), statistics)
    exact = priced(emit(design, "xcup"), stream, "", "xcup")
    assert found.energy_pj_per_mac == pytest.approx(exact.energy_pj_per_mac, rel=0.25)
    assert found.energy_pj_per_mac == pytest.approx(sum(found.parts.values()))
    assert found.energy_pj_per_cycle == pytest.approx(5 * found.energy_pj_per_mac)
    assert found.parts["inputs"] == pytest.approx(exact.parts["inputs"], rel=0.05)
    for changes, what in (
        ({"pipeline": 1}, "not pipeline registers whose chains are not given"),
        ({"structure": "packed"}, "not structure packed"),
    ):
        with pytest.raises(ValueError, match=what):
            energy.estimate(mac(**changes), load("xcup"), statistics)
    planes = from_record({"kind": "bitplane", "weight": "int4", "lanes": 4})
    with pytest.raises(ValueError, match="not kind bitplane"):
        energy.estimate(planes, load("xcup"), statistics)
    with pytest.raises(ValueError, match="no energy constants of the target 'asic'"):
        energy.estimate(design, load("asic"), statistics)
    with pytest.raises(ValueError, match="fitted on one of xcup, ecp5, not on ice40"):
        draw("ice40", JUDGED)


def whole_sample(design, stream):
    """Return the statistics of all of a stream, not of a part."""
    return Statistics.of(stream.weight, stream.activation, stream.last)


@pytest.mark.parametrize(
    ("changes", "logic"),
    [
        ({"weight": "int5"}, 0.02),
        ({"weight": "int6", "kind": "dot", "lanes": 5}, 0.04),
        ({"weight": "e2m1fn", "kind": "dot", "lanes": 3, "structure": "table"}, 0.04),
        ({"weight": "e3m2fn", "structure": "merged"}, 0.05),
        ({"weight": "int4", "accumulator": "saturate:9"}, 0.05),
        ({"weight": "ternary", "kind": "dot", "lanes": 4, "activation": "int4"}, 0.05),
        ({"weight": "binary", "kind": "dot", "lanes": 24, "structure": "compressor"}, 0.04),
        ({"weight": "int3", "kind": "dot", "lanes": 8, "structure": "baugh-wooley"}, 0.02),
        ({"weight": "e3m2fn", "accumulator": "window:16:64", "structure": "merged"}, 0.05),
        ({"weight": "e4m3fn", "kind": "dot", "lanes": 3, "accumulator": "fp16"}, 0.05),
    ],
)
def test_words_of_a_plan_are_those_of_its_netlist(changes, logic):
    """Every coefficient 1, the same operands: registers, chains and LUTs."""
    design = mac(**changes)
    stream = operand_stream(design, "uniform")
    found = {"registers": 0.0, "carry": 0.0, "logic": 0.0}
    for name, value in core_toggles(design, load("xcup"), whole_sample(design, stream)).items():
        if not name.endswith("/rest"):
            found[name.split("/")[1]] += value
    rates = measure(emit(design, "xcup"), stream).rates
    assert found["registers"] == pytest.approx(rates.registers, rel=0.02)
    assert found["carry"] == pytest.approx(rates.carry, rel=0.09)
    assert found["logic"] == pytest.approx(rates.logic, rel=logic)


def test_planes_hold_words():
    rng = np.random.default_rng(3)
    words = rng.integers(-(1 << 11), 1 << 11, size=(4, 65))
    planes = planes_of(words, 12)
    bits = values_of(planes, words.size).reshape(12, 4, 65).astype(int)
    weights = [1 << k for k in range(11)] + [-(1 << 11)]
    assert (np.tensordot(weights, bits, 1) == words).all()
    assert plane_of(words < 0) == planes[-1]
    truth = int(rng.integers(1 << 16))
    ones = (1 << words.size) - 1
    found = values_of([looked_up(truth, planes[:4], ones)], words.size)[0]
    assert (found == [truth >> (word & 15) & 1 for word in words.reshape(-1)]).all()
    sample = Statistics.of(*np.zeros((2, 4, 65, 1), np.uint16), np.zeros((4, 65), bool))
    wanted = np.bitwise_count((words[:, 1:] ^ words[:, :-1]) & 0xFFF).mean()
    assert sample.scope().toggles(planes) == pytest.approx(wanted)


@pytest.mark.parametrize("target", TARGETS)
def test_running_sums_of_planes_are_those_of_integers(target):
    """Words of every judged design's plan, against products of what its codes mean."""
    designs, checked = draw(target, JUDGED), 0
    for design in designs:
        core = plan(design, load(target)).core
        given = statistics_of(design, operand_stream(design, "gaussian", streams=2))
        addend, _ = lane_addend(core.lane, given)
        tally, words = Tally(given.scope()), lanes_of(addend, given)
        if core.chain is not None:
            words = chain_sums(tally, core.chain, words)
        if core.chain is not None or isinstance(core.lane, LanePlan):
            words = tree_sums(tally, core.tree, words)
        sums = accumulated(tally, core.accumulate, words, given)
        bits = values_of(sums[: design.accumulator_bits], given.last.size)
        steps = step_sums(design, given)
        total = 0
        for t in range(65):
            total += steps[t]
            shown = sum(int(bit) << place for place, bit in enumerate(bits[:, t]))
            assert shown == total % (1 << design.accumulator_bits), design.slug
            total *= not given.last[0, t]
            checked += 1
    assert checked == 65 * len(designs)


def step_sums(design, given):
    """Return the sum of each step's products as integers, of the first stream."""
    integers = []
    for format, codes in ((design.weight, given.weights), (design.activation, given.activations)):
        special = [isinstance(format.special(c), Special) for c in range(1 << format.bits)]
        known = [0 if s else format.integer(c) for c, s in enumerate(special)]
        integers.append([[known[code] for code in lane[0]] for lane in codes])
    return [
        sum(w[t] * a[t] for w, a in zip(*integers, strict=True)) for t in range(len(given.last[0]))
    ]


def test_planes_of_any_width_hold_their_words():
    words = np.random.default_rng(3).integers(-(1 << 62), 1 << 62, (7, 31))
    checked = 0
    for bits in range(1, 71):
        planes = planes_of(words, bits)
        assert len(planes) == bits
        kept = min(bits, 64)
        cut = [
            ((int(w) & ((1 << kept) - 1)) ^ (1 << kept - 1)) - (1 << kept - 1) for w in words.flat
        ]
        assert words_of(planes[:kept], words.size).tolist() == cut
        assert all(plane == planes[63] for plane in planes[64:])
        checked += len(cut)
    assert checked == 70 * 217
