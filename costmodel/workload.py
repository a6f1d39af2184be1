"""Floor 2c: what a network asks of an accelerator: its matrix products, layer by layer.

The products of a transformer are those of its linear layers and of its attention. Linear layers:
every row of weights times every token. Attention can be read in two ways, because the program of
the BitMoD paper has had two:

``per_head``
    One product per head of keys and values, for all the queries that share the head. This is what
    the arithmetic needs, and what the authors' program counts since 2025-07-19 (its revision
    e445a5f).
``published``
    The program's earlier revisions (until 58d7bdb), which made the figures of the paper and of its
    notebooks: the scores of each head are counted over the whole hidden size (`heads` times too
    many), their mix over the context twice instead of the head size, both in passes of the weights'
    datatype, with 16 bits in DRAM.

Source of the readings: BitMoD, HPCA 2025, arXiv 2411.11745, and the authors' public program
abdelfattah-lab/BitMoD-HPCA-25 (MIT licence), of which the facts are used, not the code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

from costmodel.records import checked, positive, shipped

WEIGHT, CACHE = "weight", "cache"
OPERANDS = (WEIGHT, CACHE)
PREFILL, GENERATE = "prefill", "generate"
PHASES = (PREFILL, GENERATE)
PER_HEAD, PUBLISHED = "per_head", "published"
READINGS = (PER_HEAD, PUBLISHED)


@dataclass(frozen=True, slots=True)
class MatrixProduct:
    """`count` equal layers, each ``outputs × inputs`` stationary values times `tokens` columns.

    Parameters
    ----------
    name
        Name of the layer.
    inputs, outputs
        Size of the stationary operand: the inner dimension and the rows.
    tokens
        Columns of the moving operand.
    batch
        Independent products of this shape.
    count
        Layers like this one, run one after the other.
    operand
        What is stationary: "weight", one copy for the whole batch, or "cache" (keys or values),
        one copy per product of the batch.
    moved_inputs
        Values per column of the moving operand where that is not `inputs`: the published reading of
        attention only.

    """

    name: str
    inputs: int
    outputs: int
    tokens: int
    batch: int = 1
    count: int = 1
    operand: str = WEIGHT
    moved_inputs: int | None = None

    def __post_init__(self) -> None:
        """Reject what is no product."""
        for field in ("inputs", "outputs", "tokens", "batch", "count"):
            positive(field, getattr(self, field))
        if self.moved_inputs is not None:
            positive("moved_inputs", self.moved_inputs)
        if self.operand not in OPERANDS:
            raise ValueError(f"operand is one of {', '.join(OPERANDS)}, not {self.operand!r}")

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all `count` layers."""
        return self.inputs * self.outputs * self.tokens * self.batch * self.count

    @property
    def copies(self) -> int:
        """Copies of the stationary operand per layer."""
        return self.batch if self.operand == CACHE else 1

    @property
    def columns(self) -> int:
        """Values per column of the moving operand."""
        return self.inputs if self.moved_inputs is None else self.moved_inputs

    def stationary_words(self, bits: Fraction, word: int) -> int:
        """Return the words of `word` bits that the stationary operand takes; rows begin anew."""
        return -(-self.inputs * bits // word) * self.outputs * self.copies

    def moving_words(self, bits: int, word: int) -> int:
        """Return the words of `word` bits that the moving operand takes."""
        return -(-self.columns * bits // word) * self.tokens * self.batch

    def result_words(self, bits: int, word: int) -> int:
        """Return the words of `word` bits that the results take."""
        return -(-self.outputs * bits // word) * self.tokens * self.batch


@dataclass(frozen=True, slots=True)
class Transformer:
    """Shapes of a decoder-only transformer.

    Parameters
    ----------
    name, title
        Name on the command line; name for people.
    layers
        Blocks of attention and feed-forward.
    hidden
        Hidden size.
    heads, key_value_heads
        Heads of the queries; of keys and values, which they share.
    feed_forward
        Inner size of the feed-forward layers.
    gated
        Whether there is a gate beside the first feed-forward layer.
    vocabulary
        Outputs of the last layer.
    source
        Where the shapes come from.

    """

    name: str
    title: str
    layers: int
    hidden: int
    heads: int
    key_value_heads: int
    feed_forward: int
    gated: bool
    vocabulary: int
    source: str

    def __post_init__(self) -> None:
        """Reject impossible shapes."""
        for field in ("layers", "hidden", "heads", "key_value_heads", "feed_forward", "vocabulary"):
            positive(field, getattr(self, field))
        if self.hidden % self.heads or self.heads % self.key_value_heads:
            raise ValueError(
                f"{self.name}: key_value_heads divide heads, which divide hidden, not "
                f"{self.key_value_heads}, {self.heads}, {self.hidden}"
            )

    def products(
        self, phase: str, context: int, batch: int = 1, reading: str = PER_HEAD
    ) -> tuple[MatrixProduct, ...]:
        """Return the matrix products of one pass.

        Parameters
        ----------
        phase
            "prefill": `context` tokens at once. "generate": one token that attends to `context`.
        context
            Tokens attended to.
        batch
            Sequences.
        reading
            Of the attention, see above; "published" knows a batch of 1 only.

        Raises
        ------
        ValueError
            For a phase or reading that is none, sizes below 1, or a batch in that reading.

        """
        if phase not in PHASES:
            raise ValueError(f"phase is one of {', '.join(PHASES)}, not {phase!r}")
        if reading not in READINGS:
            raise ValueError(f"reading is one of {', '.join(READINGS)}, not {reading!r}")
        positive("context", context)
        positive("batch", batch)
        if reading == PUBLISHED and batch > 1:
            raise ValueError(f"the published reading has a batch of 1, not {batch}")
        tokens = context if phase == PREFILL else 1
        attention = self._per_head if reading == PER_HEAD else self._published
        return (*self._linear(phase, tokens, batch), *attention(tokens, context, batch))

    @property
    def _shared(self) -> int:
        """Hidden size of keys and values."""
        return self.hidden // self.heads * self.key_value_heads

    def _linear(self, phase: str, tokens: int, batch: int) -> Iterator[MatrixProduct]:
        hidden, shared, inner = self.hidden, self._shared, self.feed_forward
        shapes = {"query": (hidden, hidden), "key": (hidden, shared), "value": (hidden, shared)}
        shapes |= {"attention_out": (hidden, hidden), "feed_up": (hidden, inner)}
        shapes |= {"feed_gate": (hidden, inner)} if self.gated else {}
        shapes |= {"feed_down": (inner, hidden), "head": (hidden, self.vocabulary)}
        # One token of each sequence makes one product of many columns: they share the weights.
        together = (batch, 1) if phase == GENERATE else (tokens, batch)
        for name, (inputs, outputs) in shapes.items():
            count = 1 if name == "head" else self.layers
            yield MatrixProduct(name, inputs, outputs, *together, count=count)

    def _per_head(self, tokens: int, context: int, batch: int) -> Iterator[MatrixProduct]:
        size, queries = self.hidden // self.heads, self.heads // self.key_value_heads * tokens
        for name, inputs, outputs in (("scores", size, context), ("mix", context, size)):
            yield MatrixProduct(
                name, inputs, outputs, queries, batch * self.key_value_heads, self.layers, CACHE
            )

    def _published(self, tokens: int, context: int, batch: int) -> Iterator[MatrixProduct]:
        rows = self.heads * tokens
        for name, inputs, outputs, columns in (
            ("scores", self.hidden, tokens, rows),
            ("mix", context, rows, tokens),
        ):
            yield MatrixProduct(
                name, inputs, outputs, columns, batch, self.layers, CACHE, self._shared
            )


@cache
def networks() -> Mapping[str, Transformer]:
    """Return the shipped networks by name."""
    records: dict[str, dict[str, Any]] = shipped("networks")["networks"]
    return {name: network_of(name, record) for name, record in records.items()}


def network_of(name: str, record: Mapping[str, Any]) -> Transformer:
    """Return a network from its record; ValueError for keys that are unknown or missing."""
    return checked(Transformer, record, name=name)
