"""The fused kernels against PyTorch's step, in Triton's interpreter, which TRITON_INTERPRET=1 turns on.

Prints a line a case: its name, the logits' relative error, and whether caches, tokens and counters agree.
"""

from __future__ import annotations

import math
import sys
from dataclasses import fields, replace

import torch
from torch import Tensor

from loopgen.engines.musicgen.fused.step import FusedStep
from loopgen.engines.musicgen.step import Buffers, Size, TorchStep, allocate
from loopgen.engines.musicgen.weights import LayerWeights, Norm, Shape, Weights, sinusoids

CASES = {
    # name: (takes, guided, negative, text, slots, position), top_p, dtype; text 0: a melody model
    "one row, text": ((1, False, False, 32, 32, 5), 0.0, torch.float32),
    "one row, melody": ((1, False, False, 0, 64, 40), 0.7, torch.float32),
    "two rows, text, first step": ((1, True, False, 32, 32, 0), 0.7, torch.float32),
    "eight rows, text, last slot": ((4, True, False, 32, 32, 31), 0.0, torch.float32),
    "long negative prompt": ((1, True, True, 288, 32, 9), 0.0, torch.float32),
    "several chunks": ((1, True, False, 32, 768, 300), 0.0, torch.float32),
    "several chunks, all seen": ((1, True, False, 0, 544, 543), 0.0, torch.float32),
    "two tiles of rows": ((9, True, False, 32, 32, 3), 0.0, torch.float32),
    "half precision, text": ((2, True, False, 32, 32, 12), 0.0, torch.float16),
    "half precision, melody": ((2, True, False, 0, 288, 270), 0.0, torch.float16),
}
# the interpreter multiplies bfloat16's bit patterns as integers, so float16 stands for the short formats
SHAPE = Shape(layers=2, width=96, heads=6, ffn=160, codebooks=2, cards=72, channels=1, has_prefix=False)


def random_weights(shape: Shape, dtype: torch.dtype, seed: int = 0, device: str = "cpu") -> Weights:
    """A decoder whose logits are lively."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*sizes: int, std: float = 0.2) -> Tensor:
        return (torch.randn(*sizes, generator=generator) * std).to(device=device, dtype=dtype)

    def norm() -> Norm:
        return normal(shape.width) + 1, normal(shape.width)

    def square() -> Tensor:
        return normal(shape.width, shape.width)

    cross = not shape.has_prefix
    return Weights(
        shape=shape,
        layers=[
            LayerWeights(
                qkv=normal(3 * shape.width, shape.width),
                out=square(),
                cross_q=square() if cross else None,
                cross_k=square() if cross else None,
                cross_v=square() if cross else None,
                cross_out=square() if cross else None,
                fc1=normal(shape.ffn, shape.width),
                fc2=normal(shape.width, shape.ffn),
                self_norm=norm(),
                cross_norm=norm() if cross else None,
                final_norm=norm(),
            )
            for _ in range(shape.layers)
        ],
        embeddings=normal(shape.codebooks, shape.cards + 1, shape.width),
        positions=sinusoids(2048, shape.width).to(device=device, dtype=dtype),
        heads=normal(shape.codebooks * shape.cards, shape.width),
        norm=norm(),
    )


def random_buffers(weights: Weights, size: Size, slots: int, position: int, seed: int = 0) -> Buffers:
    """Buffers in the midst of a take: earlier slots full, later ones poisoned, some tokens known, some to be drawn."""
    generator = torch.Generator().manual_seed(seed)
    buffers = allocate(weights, size)
    for cache in (buffers.keys, buffers.values):
        cache.copy_(torch.randn(cache.shape, generator=generator))
        cache[:, :, :, position:] = 1e4
    for cache in (buffers.cross_keys, buffers.cross_values):
        cache.copy_(torch.randn(cache.shape, generator=generator))
    buffers.cross_bias[:, :, :, size.text // 2 :] = -math.inf
    buffers.slots = slots
    cards = weights.shape.cards
    buffers.tokens.copy_(torch.randint(0, cards + 1, buffers.tokens.shape, generator=generator))
    buffers.tokens[:, :-1, position + 1] = -1
    buffers.time.fill_(position)
    buffers.position.fill_(position)
    buffers.noise.copy_(torch.randn(buffers.noise.shape, generator=generator))
    buffers.guidance.fill_(3)
    buffers.temperature.fill_(0.9)
    buffers.top_k.fill_(20)
    return buffers


def clone(buffers: Buffers) -> Buffers:
    """The same in memory of its own."""
    copy = replace(buffers)
    for item in fields(copy):
        value = getattr(copy, item.name)
        if isinstance(value, Tensor):
            setattr(copy, item.name, value.clone())
    return copy


def main() -> int:
    """Run every case; the exit status says nothing, the lines do."""
    torch.set_num_threads(1)
    for name, ((takes, guided, negative, text, slots, position), top_p, dtype) in CASES.items():
        weights = random_weights(replace(SHAPE, has_prefix=not text), dtype)
        expected = random_buffers(weights, Size(takes, guided, negative, text, slots), slots, position)
        expected.top_p.fill_(top_p)
        got = clone(expected)
        TorchStep(weights)(expected)
        FusedStep(weights)(got)
        written = max(
            relative(ours[:, :, :, position], theirs[:, :, :, position])
            for ours, theirs in ((got.keys, expected.keys), (got.values, expected.values))
        )
        for ours, theirs in ((got.keys, expected.keys), (got.values, expected.values)):
            ours[:, :, :, position] = theirs[:, :, :, position]
        others = torch.equal(got.keys, expected.keys) and torch.equal(got.values, expected.values)
        counters = torch.equal(got.time, expected.time) and torch.equal(got.position, expected.position)
        tokens = torch.equal(got.tokens, expected.tokens)
        error = relative(got.logits, expected.logits)
        print(f"{name}|{str(dtype)[6:]}|{error:.3g}|{written:.3g}|{others}|{tokens}|{counters}", flush=True)
    whole, few = (_logits(takes) for takes in (5, 2))
    print(f"a row by itself|{torch.equal(whole[:2], few)}")
    return 0


def relative(ours: Tensor, theirs: Tensor) -> float:
    """How far apart two tensors are, over the second's size."""
    return float((ours.double() - theirs.double()).norm() / theirs.double().norm())


def _logits(takes: int) -> Tensor:
    """Of so many takes that are all the same."""
    weights = random_weights(SHAPE, torch.float16)
    one = random_buffers(weights, Size(1, False, False, 32, 32), 32, 7)
    buffers = random_buffers(weights, Size(takes, False, False, 32, 32), 32, 7)
    for name in ("keys", "values", "cross_keys", "cross_values"):
        getattr(buffers, name).copy_(getattr(one, name).expand_as(getattr(buffers, name)))
    buffers.tokens.copy_(one.tokens.expand_as(buffers.tokens))
    FusedStep(weights)(buffers)
    return buffers.logits


if __name__ == "__main__":
    sys.exit(main())
