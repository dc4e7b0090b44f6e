"""The step as a sequence of the fused kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from loopgen.engines.musicgen.fused import kernels
from loopgen.engines.musicgen.fused.kernels import ROWS
from loopgen.engines.musicgen.step import NOISE_STEPS, Buffers
from loopgen.engines.musicgen.weights import Norm, Weights

CHUNK = 256
"""Cache slots that one program attends to: fixed, so that sums have one order whatever else is computed."""


@dataclass(frozen=True, slots=True)
class NormedMatrix:
    """A matrix behind a layer norm; ``gained`` and ``biased`` are its products with the norm's gain and bias."""

    weight: Tensor
    gain: Tensor
    gained: Tensor
    biased: Tensor

    @staticmethod
    def of(norm: Norm, weight: Any) -> NormedMatrix:
        """Products in float32, ``(out features,)``."""
        gain, bias = norm
        wide = weight.float()
        return NormedMatrix(weight, gain, wide @ gain.float(), wide @ bias.float())


@dataclass(frozen=True, slots=True)
class Scratch:
    """What kernels hand on to each other within a step; ``parts`` and ``peaks`` as in ``kernels.attend``."""

    x: Tensor
    query: Tensor
    hidden: Tensor
    parts: Tensor
    peaks: Tensor


class FusedStep:
    """The step in few launches: eight a layer for text models, five for melody models, four for the rest.

    The same in and out as ``TorchStep``; logits differ by rounding. See ``fused.unfit`` for what it takes.
    """

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.layers = [
            (
                NormedMatrix.of(layer.self_norm, layer.qkv),
                NormedMatrix.of(layer.cross_norm, layer.cross_q) if layer.cross_norm is not None else None,
                NormedMatrix.of(layer.final_norm, layer.fc1),
            )
            for layer in weights.layers
        ]
        self.heads = NormedMatrix.of(weights.norm, weights.heads)

    def __call__(self, buffers: Buffers) -> None:
        """Advance all rows by one step; see ``Buffers.tokens``."""
        shape, size, weights = self.weights.shape, buffers.size, self.weights
        scratch = self._scratch(buffers)
        x, rows, crossed = scratch.x, size.rows, size.crossed
        self._embed(buffers, x)
        for index, (layer, (qkv, cross_q, fc1)) in enumerate(zip(weights.layers, self.layers, strict=True)):
            cache = buffers.keys[index], buffers.values[index]
            self._normed(scratch.query, x, qkv, rows, "qkv", cache, buffers)
            self._attend(scratch, cache, buffers, rows, buffers.slots, cross=False)
            self._merge(scratch, layer.out, rows, buffers.slots)
            if cross_q is not None and crossed:
                cache = buffers.cross_keys[index], buffers.cross_values[index]
                self._normed(scratch.query, x, cross_q, crossed, "plain", cache, buffers)
                self._attend(scratch, cache, buffers, crossed, size.text, cross=True)
                self._merge(scratch, layer.cross_out, crossed, size.text)
            self._normed(scratch.hidden, x, fc1, rows, "gelu", cache, buffers)
            self._linear(x, scratch.hidden, layer.fc2, rows)
        self._normed(buffers.logits.view(rows, -1), x, self.heads, rows, "plain", cache, buffers)
        kernels.draw[(size.takes * shape.codebooks,)](
            buffers.tokens, buffers.logits, buffers.noise, buffers.time,
            buffers.guidance, buffers.temperature, buffers.top_k, buffers.top_p, size.takes, buffers.tokens.shape[2],
            CODEBOOKS=shape.codebooks, CARDS=shape.cards, BLOCK=_power(shape.cards), GUIDED=size.guided,
            NOISE_STEPS=NOISE_STEPS, num_warps=8,
        )  # fmt: skip
        kernels.advance[(1,)](buffers.time, buffers.position, num_warps=1)

    def _scratch(self, buffers: Buffers) -> Scratch:
        shape, rows = self.weights.shape, buffers.size.rows
        parts = -(-max(buffers.slots, buffers.size.text) // CHUNK)
        like = self.weights.embeddings
        return Scratch(
            x=like.new_empty(rows, shape.width),
            query=like.new_empty(rows, shape.width),
            hidden=like.new_empty(rows, shape.ffn),
            parts=like.new_empty(rows * shape.heads * parts, shape.head, dtype=torch.float32),
            peaks=like.new_empty(rows * shape.heads * parts, 2, dtype=torch.float32),
        )

    def _embed(self, buffers: Buffers, x: Tensor) -> None:
        shape, weights = self.weights.shape, self.weights
        block = _stretch(shape.width, 256)
        kernels.embed[(buffers.size.takes, shape.width // block)](
            x, buffers.tokens, weights.embeddings, weights.positions, buffers.time, buffers.position,
            buffers.size.takes, buffers.tokens.shape[2],
            CODEBOOKS=shape.codebooks, CARDS=shape.cards, WIDTH=shape.width, BLOCK=block, GUIDED=buffers.size.guided,
        )  # fmt: skip

    def _normed(
        self,
        y: Tensor,
        x: Tensor,
        matrix: NormedMatrix,
        rows: int,
        kind: str,
        cache: tuple[Tensor, Tensor],
        buffers: Buffers,
    ) -> None:
        outer, inner = matrix.weight.shape
        block = _block(outer)
        kernels.norm_linear[(outer // block, -(-rows // ROWS))](
            y, x, matrix.weight, matrix.gain, matrix.gained, matrix.biased, *cache, buffers.position,
            rows, buffers.size.capacity,
            INNER=inner, OUTER=outer, HEAD=self.weights.shape.head, KIND=kind, BLOCK=block,
            STRETCH=_stretch(inner, 128), num_warps=block // 8, num_stages=5,
        )  # fmt: skip

    def _attend(
        self, scratch: Scratch, cache: tuple[Tensor, Tensor], buffers: Buffers, rows: int, slots: int, *, cross: bool
    ) -> None:
        shape = self.weights.shape
        parts = -(-slots // CHUNK)
        kernels.attend[(rows * shape.heads, parts)](
            scratch.parts, scratch.peaks, scratch.query, *cache, buffers.cross_bias, buffers.position,
            cache[0].shape[2], slots,
            HEADS=shape.heads, HEAD=shape.head, CHUNK=CHUNK, PARTS=parts, CROSS=cross, SCALE=shape.head**-0.5,
            num_warps=8,
        )  # fmt: skip

    def _merge(self, scratch: Scratch, weight: Any, rows: int, slots: int) -> None:
        shape = self.weights.shape
        block, parts = _block(shape.width), -(-slots // CHUNK)
        # what is in flight stays within shared memory, however many parts there are
        stretch = min(256, 512 // _power(parts))
        group = _stretch(shape.heads, max(1, stretch // shape.head))
        kernels.merge_linear[(shape.width // block, -(-rows // ROWS))](
            scratch.x, scratch.parts, scratch.peaks, weight, rows,
            HEADS=shape.heads, HEAD=shape.head, PARTS=parts, BLOCK=block, GROUP=group,
            num_warps=4, num_stages=3,
        )  # fmt: skip

    def _linear(self, x: Tensor, inputs: Tensor, weight: Any, rows: int) -> None:
        outer, inner = weight.shape
        block = _block(outer)
        kernels.linear[(outer // block, -(-rows // ROWS))](
            x, inputs, weight, rows,
            INNER=inner, OUTER=outer, BLOCK=block, STRETCH=_stretch(inner, 256), num_warps=block // 8, num_stages=5,
        )  # fmt: skip


def _block(outputs: int) -> int:
    """Outputs a program: few enough that all of a GPU's 100 or more multiprocessors have some.

    >>> _block(4608), _block(1536)
    (32, 16)
    """
    return 32 if outputs % 32 == 0 and outputs // 32 >= 128 else 16


def _stretch(length: int, most: int) -> int:
    """The largest power of two that divides a length, up to ``most``.

    >>> _stretch(1536, 256), _stretch(48, 256)
    (256, 16)
    """
    return min(length & -length, most)


def _power(length: int) -> int:
    """The next power of two.

    >>> _power(2048), _power(65)
    (2048, 128)
    """
    return 1 << (length - 1).bit_length()
