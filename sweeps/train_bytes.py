"""Floor 4. Trains the shipped language model of bytes: `python -m sweeps.train_bytes TEXT`.

Needs the extra `macloom[train]` (torch); nothing that runs later does. TEXT is the King James
Version, whose copyright has expired, one verse per line, as Debian's package `bible-kjv` prints it:
``bible -f 'gen1:1-rev22:21' > kjv.txt`` (4 404 412 bytes, SHA-256 ``cd45f0c9…229d``; another text
is refused unless --any-text is given).

Sixteen stretches of 16 KiB, evenly spread, are held out: training never sees them. The model is a
transformer decoder: learned positions, normalisation before attention and before the perceptron,
GELU, biases everywhere but at the output. It is saved every hundred steps, so that an interrupted
training goes on, and it is taken as it is after the last step.
"""

from __future__ import annotations

import argparse
import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sweeps.datasets import Text, write_text
from sweeps.models import INPUT, Network, Node, write
from sweeps.operations import Embedding, Shift
from sweeps.train_digits import need
from sweeps.transformers import (
    Parameters,
    below,
    block,
    dense,
    initialise,
    module,
    normalise,
)

TEXT_SHA256 = "cd45f0c9cedab8e4439bd6486c8952c77cc8b0ecc5d1f6ae3513f2039f47229d"
STRETCHES, STRETCH_BYTES = 16, 16 * 1024
CONTEXT = 256
WIDTH, BLOCKS, HEADS = 160, 4, 4
BATCH, STEPS = 16, 1600
PEAK_RATE, WEIGHT_DECAY, WARM_UP = 2e-3, 0.1, 100
SEED = 0
SAVE_EVERY = 100
CALIBRATED = 64
"""Held-out contexts that scales are calibrated on: the first stretch."""
ATTRIBUTION = (
    "The King James Version of the Bible, whose copyright has expired, as printed by Debian's "
    "package bible-kjv 4.38, one verse per line; sixteen stretches of 16 KiB, evenly spread"
)

Bytes = npt.NDArray[np.uint8]


def split(text: Bytes) -> tuple[list[Bytes], Bytes]:
    """Return the stretches to train on, and the held-out ones of shape (16, 16 KiB).

    Raises
    ------
    ValueError
        If the text has less than four times the held-out bytes.

    """
    need_bytes = 4 * STRETCHES * STRETCH_BYTES
    if len(text) < need_bytes:
        raise ValueError(f"a text to train on has at least {need_bytes} bytes, not {len(text)}")
    every = len(text) // STRETCHES
    starts = [i * every + (every - STRETCH_BYTES) // 2 for i in range(STRETCHES)]
    held_out = np.stack([text[start : start + STRETCH_BYTES] for start in starts])
    ends = [0, *(start + STRETCH_BYTES for start in starts)]
    return [text[a:b] for a, b in zip(ends, [*starts, len(text)], strict=True)], held_out


def structure(torch: Any) -> Any:
    """Return the untrained model as a torch module from (batch, byte) to logits."""
    nn = torch.nn

    class Model(nn.Module):  # type: ignore[misc, name-defined]  # torch is no requirement
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.position = nn.Embedding(256, WIDTH), nn.Embedding(CONTEXT, WIDTH)
            self.blocks = nn.ModuleList(module(torch, WIDTH, HEADS, True) for _ in range(BLOCKS))
            self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 256, bias=False)

        def forward(self, codes: Any) -> Any:
            x = self.embedding(codes) + self.position.weight[: codes.shape[1]]
            for part in self.blocks:
                x = part(x)
            return self.head(self.norm(x))

    model = Model()
    initialise(torch, model, BLOCKS)
    return model


def exported(parameters: Parameters, provenance: str) -> Network:
    """Return the trained model as a `Network` that predicts a context's bytes from the second."""
    nodes = [
        Node("embedding", Embedding(np.asarray(parameters["embedding.weight"], float)), (INPUT,)),
        Node("start", Shift(np.asarray(parameters["position.weight"], float)), ("embedding",)),
    ]
    for number in range(BLOCKS):
        own = below(parameters, f"blocks.{number}")
        nodes += block(f"block{number}", nodes[-1].name, own, HEADS, causal=True)
    nodes.append(Node("norm", normalise(parameters, "norm"), (nodes[-1].name,)))
    nodes.append(Node("head", dense("head", parameters, "head"), ("norm",)))
    return Network("bytes_lm", (CONTEXT - 1,), tuple(nodes), provenance)


def rate(step: int, steps: int) -> float:
    """Return the learning rate of a step: a warm-up, then half a cosine down to a tenth."""
    if step < WARM_UP:
        return PEAK_RATE * (step + 1) / WARM_UP
    done = (step - WARM_UP) / max(steps - WARM_UP, 1)
    return PEAK_RATE * (0.1 + 0.45 * (1 + math.cos(math.pi * done)))


def fit(stretches: list[Bytes], steps: int, kept: Path) -> Any:
    """Train and return the model; what is saved in `kept` goes on from there."""
    torch = need("torch")
    torch.manual_seed(SEED)
    model = structure(torch)
    decayed = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() == 1]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": plain, "weight_decay": 0.0}],
        betas=(0.9, 0.95),
    )
    first = 0
    if kept.is_file():
        saved = torch.load(kept)
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        first = saved["step"]
    places = np.concatenate(_places(stretches))
    text = torch.from_numpy(np.concatenate(stretches).astype(np.int64))
    window = torch.arange(CONTEXT + 1)
    mean = 0.0
    for step in range(first, steps):
        chosen = np.random.default_rng((SEED, step)).choice(places, BATCH)
        codes = text[torch.from_numpy(chosen)[:, None] + window]
        for group in optimiser.param_groups:
            group["lr"] = rate(step, steps)
        outputs = model(codes[:, :-1]).reshape(-1, 256)
        loss = torch.nn.functional.cross_entropy(outputs, codes[:, 1:].reshape(-1))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        mean += float(loss.detach()) / math.log(2) / SAVE_EVERY
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == steps:
            print(f"step {step + 1} of {steps}: {mean:.3f} bits per byte in training", flush=True)
            mean = 0.0
            state = {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
            part = kept.with_suffix(".part")
            torch.save(state | {"step": step + 1}, part)
            part.replace(kept)
    return model.eval()


def _places(stretches: list[Bytes]) -> list[npt.NDArray[np.int64]]:
    """Return where a context may begin, so that none reaches over a held-out stretch."""
    starts = np.cumsum([0, *(len(stretch) for stretch in stretches)])
    return [
        np.arange(start, start + len(stretch) - CONTEXT)
        for start, stretch in zip(starts, stretches, strict=False)
    ]


def bits_per_byte(model: Any, held_out: Bytes) -> float:
    """Return the float model's bits per byte: contexts side by side, each from its second byte."""
    torch = need("torch")
    codes = torch.from_numpy(held_out.reshape(-1, CONTEXT).astype(np.int64))
    total, count = 0.0, 0
    with torch.no_grad():
        for part in codes.split(64):
            outputs = model(part[:, :-1]).reshape(-1, 256)
            wanted = part[:, 1:].reshape(-1)
            total += float(torch.nn.functional.cross_entropy(outputs, wanted, reduction="sum"))
            count += len(wanted)
    return total / count / math.log(2)


def main() -> None:
    """Train, print the held-out bits per byte, write the arrays."""
    parser = argparse.ArgumentParser(description="train the language model of macloom")
    parser.add_argument("text", type=Path, metavar="TEXT")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/bytes"))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--any-text", action="store_true", help="accept another text")
    options = parser.parse_args()
    raw = options.text.read_bytes()
    found = hashlib.sha256(raw).hexdigest()
    if found != TEXT_SHA256 and not options.any_text:
        raise SystemExit(f"error: {options.text} must have SHA-256 {TEXT_SHA256}, not {found}")
    training, held_out = split(np.frombuffer(raw, np.uint8))
    options.output.mkdir(parents=True, exist_ok=True)
    model = fit(training, options.steps, options.output / "kept.pt")
    bits = bits_per_byte(model, held_out)
    arrays = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    provenance = (
        f"sweeps.train_bytes, torch {need('torch').__version__}, seed {SEED}, {options.steps} "
        f"steps of {BATCH} contexts: {bits:.4f} bits per byte on held-out text in float"
    )
    write(exported(arrays, provenance), options.output / "bytes_lm.npz", np.float16)
    contexts = held_out.reshape(-1, CONTEXT)
    write_text(Text("kjv", contexts, CALIBRATED, ATTRIBUTION), options.output / "kjv.npz")
    print(provenance)


if __name__ == "__main__":
    main()
