"""Matrices of 8-bit weights, for processors without a GPU.

A step of decoding reads every weight once and does little with it, so on a processor it takes as long as its memory
needs to bring them: a quarter of the bytes is a quarter of the time. Only weights are rounded, each output channel with
a scale of its own; activations stay floating (bfloat16 on the way through the product), so a row's result does not
depend on the rows beside it, as it does where a whole batch shares one scale.

Measured on one core of an x86 server with AVX-512 (the matrices of musicgen-small's 24 layers, 2 rows, weights from
memory): float32 140 ms, bfloat16 46 ms, int8 weights 22 ms; dynamic int8, activations too, 19 ms with one scale a
batch, 29 to 38 ms with one a row, and 1.4 times the error. A product with normally distributed weights is off by 0.8%
(bfloat16: 0.3%).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from loopgen.engines.musicgen.weights import LayerWeights, Weights

BLOCK = 64
"""The processor's kernel takes whole blocks and checks nothing: both sides are filled up with zeros to a multiple."""


@dataclass(frozen=True, slots=True, eq=False)
class Int8Matrix:
    """A matrix of 8-bit weights on the CPU; ``apply`` multiplies by it.

    Attributes:
        values: int8, -127 to 127, ``(out features, in features)``, both filled up to multiples of ``BLOCK``.
        scales: bfloat16, ``(out features,)``, filled up likewise; a weight is its value times its row's scale.
        shape: ``(out features, in features)`` of the matrix itself.

    >>> matrix = Int8Matrix.from_tensor(torch.tensor([[1.0, -0.5], [0.0, 0.0]]))
    >>> matrix.shape, matrix.values[0, :2].tolist()
    (torch.Size([2, 2]), [126, -63])
    """

    values: Tensor
    scales: Tensor
    shape: torch.Size

    @staticmethod
    def from_tensor(weight: Tensor) -> Int8Matrix:
        """Round a floating matrix; by at most half a scale, which is 1/127 of the row's largest weight."""
        weight = weight.detach().to(device="cpu", dtype=torch.float32)
        rows, columns = weight.shape
        padded = functional.pad(weight, (0, -columns % BLOCK, 0, -rows % BLOCK))
        exact = padded.abs().amax(dim=1).clamp(min=1e-30) / 127
        scales = exact.bfloat16()
        # the kernel has its scales in bfloat16; rounding by exactly these, and never by too small a one, costs nothing
        scales = torch.where(scales.float() < exact, (scales.float() * (1 + 2**-7)).bfloat16(), scales)
        values = (padded / scales.float()[:, None]).round().clamp(-127, 127).to(torch.int8)
        return Int8Matrix(values, scales, weight.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that one application reads."""
        return self.values.nbytes + self.scales.nbytes

    def dequantised(self) -> Tensor:
        """The matrix that it stands for, float32."""
        rows, columns = self.shape
        return (self.values.float() * self.scales.float()[:, None])[:rows, :columns]


def apply(x: Tensor, matrix: Tensor | Int8Matrix) -> Tensor:
    """``x`` (..., in features) times the matrix's transpose: (..., out features), in ``x``'s dtype.

    >>> matrix = Int8Matrix.from_tensor(torch.tensor([[2.0, 4.0]]))
    >>> [round(value) for value in apply(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), matrix).flatten().tolist()]
    [2, 4]
    """
    if isinstance(matrix, Tensor):
        return functional.linear(x, matrix)
    rows, columns = matrix.shape
    if not available():
        return functional.linear(x.float(), matrix.dequantised()).to(x.dtype)
    flat = x.reshape(-1, columns).bfloat16()
    padding = matrix.values.shape[1] - columns
    if padding:
        flat = functional.pad(flat, (0, padding))
    product = torch._weight_int8pack_mm(flat.contiguous(), matrix.values, matrix.scales)
    return product[:, :rows].to(x.dtype).view(*x.shape[:-1], rows)


def quantise(weights: Weights) -> Weights:
    """The same weights with every matrix that a step applies in 8 bits; the rest in float32, on the CPU."""
    return replace(
        weights,
        layers=[_quantised_layer(layer) for layer in weights.layers],
        embeddings=_plain(weights.embeddings),
        positions=_plain(weights.positions),
        heads=_quantised(weights.heads),
        norm=_plain_pair(weights.norm),
    )


def available() -> bool:
    """Whether 8-bit matrices pay on this machine's processor."""
    return not missing()


@cache
def missing() -> str:
    """Why 8-bit matrices do not pay here, or an empty string: they pay where they were measured to, and compute right.

    With AVX2 alone they take half of bfloat16's time, with AVX-512 less. Elsewhere nobody has measured them, and they
    are computed by way of float32: right, and slower than float32 itself.
    """
    capability = torch.backends.cpu.get_cpu_capability()
    if not capability.startswith(("AVX2", "AVX512")):
        return f"8-bit matrices are fast on processors with AVX2 or AVX-512; this one has {capability}"
    if not hasattr(torch, "_weight_int8pack_mm"):
        return f"PyTorch {torch.__version__} has no product with 8-bit matrices; install a newer one"
    return (
        "" if _computes_right() else f"PyTorch {torch.__version__} computes products with 8-bit matrices wrongly here"
    )


def _computes_right() -> bool:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(3, BLOCK, generator=generator).bfloat16()
    matrix = Int8Matrix.from_tensor(torch.randn(BLOCK, BLOCK, generator=generator))
    try:
        product = torch._weight_int8pack_mm(x, matrix.values, matrix.scales).float()
    except RuntimeError:
        return False
    return torch.allclose(product, x.float() @ matrix.dequantised().T, rtol=0.02, atol=0.1)


def _quantised_layer(layer: LayerWeights) -> LayerWeights:
    changed: dict[str, Any] = {
        name: _quantised(getattr(layer, name))
        for name in ("qkv", "out", "cross_q", "cross_k", "cross_v", "cross_out", "fc1", "fc2")
        if getattr(layer, name) is not None
    }
    changed["self_norm"] = _plain_pair(layer.self_norm)
    changed["final_norm"] = _plain_pair(layer.final_norm)
    changed["cross_norm"] = None if layer.cross_norm is None else _plain_pair(layer.cross_norm)
    return replace(layer, **changed)


def _quantised(matrix: Tensor | Int8Matrix) -> Int8Matrix:
    return matrix if isinstance(matrix, Int8Matrix) else Int8Matrix.from_tensor(matrix)


def _plain(tensor: Tensor) -> Tensor:
    return tensor.to(device="cpu", dtype=torch.float32)


def _plain_pair(pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return _plain(pair[0]), _plain(pair[1])
