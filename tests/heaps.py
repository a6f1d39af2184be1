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
