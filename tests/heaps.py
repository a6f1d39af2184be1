"""Heaps of bits by column, and what they are worth: for tests of compressor trees."""


def random_columns(rng):
    """Return up to six columns of up to eleven nets each."""
    heights = [rng.randrange(12) for _ in range(rng.randrange(1, 7))]
    return {c: [f"x{c}_{i}" for i in range(h)] for c, h in enumerate(heights)}


def check_compressed(columns, kept, cells_of, rng):
    """Assert that what is kept of a heap is worth what its columns were, for bits at random.

    `cells_of` returns the value of every net from those of the columns' nets.
    """
    nets = {net: rng.randrange(2) for found in columns.values() for net in found}
    known = cells_of(nets)

    def worth(heap):
        return sum(known[net] << c for c, found in heap.items() for net in found)

    assert worth(kept) == worth(columns)


def evaluate(netlist, nets):
    """Return all nets of a netlist, one cell after the other, as soon as its inputs are known."""
    known = dict(nets) | {"0": 0, "1": 1}

    def read(lut):
        return lut.truth >> sum(known[net] << n for n, net in enumerate(lut.inputs)) & 1

    waiting = [*netlist.luts, *netlist.chains]
    while waiting:
        ready = [cell for cell in waiting if all(net in known for net in cell.inputs)]
        assert ready
        for cell in ready:
            if hasattr(cell, "truth"):
                known[cell.output] = read(cell)
                continue
            carry = known[cell.carry_in]
            for bit in cell.bits:
                select = read(bit.select)
                direct = known[bit.direct] if isinstance(bit.direct, str) else read(bit.direct)
                known[bit.output] = select ^ carry
                carry = carry if select else direct
            if cell.carry_out:
                known[cell.carry_out] = carry
        waiting = [cell for cell in waiting if cell not in ready]
    return known


def worth(heap, words):
    """Return what a heap's words add up to for inputs given by name."""
    nets = {f"{n}{i}": words[n] >> i & 1 for n, width in heap.source.inputs for i in range(width)}
    known = evaluate(heap.netlist, nets)
    total = 0
    for outputs, word in zip(heap.outputs, heap.words, strict=True):
        value = sum(known[net] << i for i, net in enumerate(outputs))
        negative = word.bounds.signed and value >> (len(outputs) - 1)
        total += value - (negative << len(outputs))
    return total
