"""One step of decoding: the tokens of one column of the delay pattern, for all rows at once, in static shapes.

A step reads and writes ``Buffers`` and nothing else. It takes no argument that changes, never asks the device for a
value, and does the whole of the work, from embedding to the drawn token: so it can be captured once as a CUDA graph and
replayed without the host. Whoever has a faster step (a graph around this one, fused kernels) keeps to its signature,
``step(buffers) -> None``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from loopgen.engines.musicgen import sampling
from loopgen.engines.musicgen.int8 import apply
from loopgen.engines.musicgen.weights import Matrix, Norm, Weights

NOISE_STEPS = 16
"""Steps that the noise on the device is for, before the host brings more."""
SPARE_BUFFERS = 2
"""Sizes whose buffers are kept for the next request of that size."""


@dataclass(frozen=True, slots=True)
class Size:
    """What the shapes of buffers depend on.

    Attributes:
        takes: variations drawn in one pass.
        guided: whether each take has a second, unconditional row for guidance.
        negative: whether the unconditional rows attend to something too (a negative prompt).
        text: states that the cross-attention reads, padding included; 0 for melody models.
        capacity: cache slots, prefix included; no less than the positions of the longest sequence.
    """

    takes: int
    guided: bool
    negative: bool
    text: int
    capacity: int

    @property
    def rows(self) -> int:
        """Rows of a batch: the conditional one of each take, then the unconditional ones."""
        return self.takes * (2 if self.guided else 1)

    @property
    def crossed(self) -> int:
        """How many rows, from the first, have cross-attention."""
        if not self.text:
            return 0
        return self.rows if self.negative else self.takes


@dataclass(slots=True, eq=False)
class Buffers:
    """All that a step reads and writes besides the weights. Addresses and shapes stay as long as the object lives.

    Attributes:
        size: what the shapes depend on.
        slots: cache slots that a step attends to; the only thing that the host sets from step to step, and static for
            a captured graph: a few values, one graph each. At least ``position + 1``, at most ``size.capacity``.
        keys, values: ``(layers, rows, heads, capacity, head)``, dtype of the weights.
        cross_keys, cross_values: ``(layers, crossed, heads, text, head)``, computed once a request.
        cross_bias: ``(crossed, 1, 1, text)``, dtype of the weights: 0, or minus infinity over padding.
        tokens: ``(takes, codebooks, capacity + 1)`` int64, the delayed sequence. Column 0 is all padding; -1 is a token
            yet to be drawn. Step t reads column t and draws into column t + 1 what is -1 there, so that padding and
            audio prompt stay.
        time: ``(1,)`` int64, t; the step adds 1.
        position: ``(1,)`` int64, the slot that step t fills, t + length of the prefix; the step adds 1.
        noise: ``(NOISE_STEPS, takes, codebooks, cards)`` float32 Gumbel noise; step t uses ``t % NOISE_STEPS``.
        guidance, temperature, top_p: ``(1,)`` float32; ``top_k``: ``(1,)`` int64; see ``sampling.choose``.
        logits: ``(rows, codebooks, cards)`` float32 of the last step, before guidance; for comparisons.
        kept: for whoever wraps a step: what belongs to these addresses, by ``slots`` (captured graphs); goes with them.
    """

    size: Size
    slots: int
    keys: Tensor
    values: Tensor
    cross_keys: Tensor
    cross_values: Tensor
    cross_bias: Tensor
    tokens: Tensor
    time: Tensor
    position: Tensor
    noise: Tensor
    guidance: Tensor
    temperature: Tensor
    top_k: Tensor
    top_p: Tensor
    logits: Tensor
    kept: dict[int, Any] = field(default_factory=dict, repr=False)


class Step(Protocol):
    """Draws one column of tokens; see ``Buffers.tokens``."""

    def __call__(self, buffers: Buffers) -> None:
        """Advance all rows by one step, on the buffers' device, without waiting for it."""


def allocate(weights: Weights, size: Size) -> Buffers:
    """Buffers of a size, zeroed, on the weights' device."""
    shape, dtype, device = weights.shape, weights.dtype, weights.device

    def make(*lengths: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.zeros(lengths, dtype=dtype, device=device)

    cache = (shape.layers, size.rows, shape.heads, size.capacity, shape.head)
    cross = (shape.layers, size.crossed, shape.heads, size.text, shape.head)
    return Buffers(
        size=size,
        slots=size.capacity,
        keys=make(*cache, dtype=dtype),
        values=make(*cache, dtype=dtype),
        cross_keys=make(*cross, dtype=dtype),
        cross_values=make(*cross, dtype=dtype),
        cross_bias=make(size.crossed, 1, 1, size.text, dtype=dtype),
        tokens=make(size.takes, shape.codebooks, size.capacity + 1, dtype=torch.int64),
        time=make(1, dtype=torch.int64),
        position=make(1, dtype=torch.int64),
        noise=make(NOISE_STEPS, size.takes, shape.codebooks, shape.cards),
        guidance=make(1),
        temperature=make(1),
        top_k=make(1, dtype=torch.int64),
        top_p=make(1),
        logits=make(size.rows, shape.codebooks, shape.cards),
    )


@contextmanager
def borrow(weights: Weights, size: Size) -> Iterator[Buffers]:
    """Buffers of a size for the length of a request: those of an earlier one where they are free, else new ones.

    Their contents are whatever was left in them. Reuse keeps what was captured over their addresses.
    """
    buffers = weights.spare.pop(size, None)
    if buffers is None:
        while len(weights.spare) >= SPARE_BUFFERS:
            weights.spare.popitem(last=False)
        try:
            buffers = allocate(weights, size)
        except torch.OutOfMemoryError:
            weights.spare.clear()
            buffers = allocate(weights, size)
    try:
        yield buffers
    except torch.OutOfMemoryError:
        weights.spare.clear()  # the next request is to find all the room there is
        raise
    except BaseException:
        _keep(weights, size, buffers)
        raise
    _keep(weights, size, buffers)


def _keep(weights: Weights, size: Size, buffers: Buffers) -> None:
    weights.spare[size] = buffers
    while len(weights.spare) > SPARE_BUFFERS:
        weights.spare.popitem(last=False)


class TorchStep:
    """The step in plain PyTorch: eager on any device, and what faster ones are compared with.

    A take is to have the same tokens alone as among others, but matrix products are computed in an order, and so with
    last bits, that depends on the number of rows. So rows are filled up with zeros to whole tiles: on CUDA all products
    are of 16 rows, which cost what one costs; MKL's order is the same from 4 rows on (measured: fewer differ). Products
    with int8 matrices are row by row anyway.
    """

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        shape = weights.shape
        self.tile = 16 if weights.device.type == "cuda" else 4 if isinstance(weights.heads, Tensor) else 1
        # one table and one look-up for all codebooks: each has its own range of rows
        self.offsets = torch.arange(shape.codebooks, device=weights.device) * (shape.cards + 1)

    def __call__(self, buffers: Buffers) -> None:
        """Advance all rows by one step; see ``Buffers.tokens``."""
        size = buffers.size
        x = self._fill(self._embed(buffers), self._filled(size.rows))
        reach = torch.arange(buffers.slots, device=x.device) <= buffers.position
        bias = torch.zeros_like(reach, dtype=x.dtype).masked_fill_(~reach, -math.inf)[None, None, None]
        for index, layer in enumerate(self.weights.layers):
            attended = self._attend(buffers, index, self._apply(normalise(x, layer.self_norm), layer.qkv), bias)
            x = x + self._apply(self._fill(attended, len(x)), layer.out)
            if size.crossed:
                x[: size.crossed] += self._cross(buffers, index, x)
            x = x + self._apply(functional.gelu(self._apply(normalise(x, layer.final_norm), layer.fc1)), layer.fc2)
        shape = self.weights.shape
        logits = self._apply(normalise(x, self.weights.norm), self.weights.heads)[: size.rows]
        buffers.logits.copy_(logits.view(size.rows, shape.codebooks, shape.cards))
        self._draw(buffers)

    def _embed(self, buffers: Buffers) -> Tensor:
        tokens = buffers.tokens.index_select(2, buffers.time)[..., 0] + self.offsets
        table = self.weights.embeddings.view(-1, self.weights.shape.width)
        x = functional.embedding(tokens, table).sum(dim=1) + self.weights.positions.index_select(0, buffers.position)
        return torch.cat([x, x]) if buffers.size.guided else x

    def _attend(self, buffers: Buffers, index: int, qkv: Tensor, bias: Tensor) -> Tensor:
        shape, rows = self.weights.shape, buffers.size.rows
        query, key, value = qkv[:rows].view(rows, 3, shape.heads, 1, shape.head).unbind(1)
        keys = buffers.keys[index, :, :, : buffers.slots].index_copy_(2, buffers.position, key)
        values = buffers.values[index, :, :, : buffers.slots].index_copy_(2, buffers.position, value)
        attended = functional.scaled_dot_product_attention(query, keys, values, attn_mask=bias)
        return attended.reshape(rows, shape.width)

    def _cross(self, buffers: Buffers, index: int, x: Tensor) -> Tensor:
        """What the rows that are told something take from it; the others would add exactly zero (there is no bias)."""
        layer, shape, crossed = self.weights.layers[index], self.weights.shape, buffers.size.crossed
        assert layer.cross_q is not None and layer.cross_out is not None and layer.cross_norm is not None
        filled = self._filled(crossed)
        query = self._apply(normalise(x[:filled], layer.cross_norm), layer.cross_q)[:crossed]
        attended = functional.scaled_dot_product_attention(
            query.view(crossed, shape.heads, 1, shape.head),
            buffers.cross_keys[index],
            buffers.cross_values[index],
            attn_mask=buffers.cross_bias,
        )
        return self._apply(self._fill(attended.reshape(crossed, shape.width), filled), layer.cross_out)[:crossed]

    def _draw(self, buffers: Buffers) -> None:
        logits = sampling.guide(buffers.logits, buffers.guidance) if buffers.size.guided else buffers.logits
        noise = buffers.noise.index_select(0, buffers.time % NOISE_STEPS)[0]
        drawn = sampling.choose(logits, buffers.temperature, buffers.top_k, buffers.top_p, noise)[..., None]
        buffers.time.add_(1)
        buffers.position.add_(1)
        column = buffers.tokens.index_select(2, buffers.time)
        buffers.tokens.index_copy_(2, buffers.time, torch.where(column < 0, drawn, column))

    def _apply(self, x: Tensor, matrix: Matrix) -> Tensor:
        if len(x) <= self.tile or not x.is_cuda:
            return apply(x, matrix)
        return torch.cat([apply(tile, matrix) for tile in torch.split(x, self.tile)])

    def _filled(self, rows: int) -> int:
        return -(-rows // self.tile) * self.tile

    @staticmethod
    def _fill(x: Tensor, rows: int) -> Tensor:
        return functional.pad(x, (0, 0, 0, rows - len(x)))


def normalise(x: Tensor, norm: Norm) -> Tensor:
    """Layer norm over the last dimension."""
    return functional.layer_norm(x, x.shape[-1:], *norm)
