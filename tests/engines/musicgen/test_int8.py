"""8-bit matrices: how far they are from the floating ones, and that a row is the same whatever lies beside it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from loopgen.engines.musicgen import int8
from loopgen.engines.musicgen.int8 import Int8Matrix, apply, quantise
from loopgen.engines.musicgen.weights import LayerWeights, Shape, Weights

generator = torch.Generator().manual_seed(20)


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator)


def relative(product: torch.Tensor, exact: torch.Tensor) -> float:
    return float((product.double() - exact).norm() / exact.norm())


@pytest.mark.parametrize(
    ("rows", "inner", "outer"), [(2, 1024, 1024), (1, 48, 144), (3, 33, 7), (16, 100, 10), (40, 64, 65)]
)
def test_products_are_near(rows: int, inner: int, outer: int) -> None:
    x, weight = normal(rows, inner), normal(outer, inner)
    exact = x.double() @ weight.double().T
    matrix = Int8Matrix.from_tensor(weight)
    assert matrix.shape == weight.shape
    product = apply(x, matrix)
    assert product.shape == exact.shape and product.dtype == torch.float32
    assert relative(product, exact) < 0.012


def test_rounding_is_by_at_most_half_a_scale() -> None:
    weight = normal(70, 130) * torch.logspace(-6, 3, 70)[:, None]
    matrix = Int8Matrix.from_tensor(weight)
    off = (matrix.dequantised() - weight).abs()
    assert bool((off <= weight.abs().amax(dim=1, keepdim=True) / 127 * (0.5 + 2**-7)).all())


def test_a_row_of_zeros_stays_zero() -> None:
    weight = normal(4, 64)
    weight[2] = 0
    assert apply(normal(5, 64), Int8Matrix.from_tensor(weight))[:, 2].tolist() == [0.0] * 5


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 8, 15])
def test_a_row_does_not_depend_on_the_others(rows: int) -> None:
    matrix = Int8Matrix.from_tensor(normal(192, 128))
    x = normal(16, 128)
    assert torch.equal(apply(x[:rows], matrix), apply(x, matrix)[:rows])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_leading_dimensions_and_dtype_are_kept(dtype: torch.dtype) -> None:
    x, matrix = normal(2, 5, 96).to(dtype), Int8Matrix.from_tensor(normal(32, 96))
    product = apply(x, matrix)
    assert product.shape == (2, 5, 32) and product.dtype == dtype
    assert torch.equal(product[1], apply(x[1], matrix))


def test_a_tensor_is_applied_as_it_is() -> None:
    x, weight = normal(2, 8), normal(3, 8)
    assert torch.equal(apply(x, weight), torch.nn.functional.linear(x, weight))


def test_weights_from_bfloat16_and_views() -> None:
    weight = normal(64, 128).bfloat16()
    turned = Int8Matrix.from_tensor(weight.T)
    assert torch.equal(turned.values, Int8Matrix.from_tensor(weight.T.contiguous()).values)


def test_bytes_are_a_quarter() -> None:
    assert Int8Matrix.from_tensor(normal(1024, 1024)).nbytes == 1024 * 1024 + 2 * 1024


def test_where_the_processor_is_unknown_products_go_through_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, x = Int8Matrix.from_tensor(normal(7, 33)), normal(2, 33)
    fast = apply(x, matrix)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    int8.missing.cache_clear()
    try:
        assert not int8.available() and "AVX" in int8.missing()
        slow = apply(x, matrix)
        assert relative(slow, x.double() @ matrix.dequantised().double().T) < 1e-6
        assert relative(fast, slow.double()) < 0.01
    finally:
        monkeypatch.undo()
        int8.missing.cache_clear()


@pytest.mark.parametrize("how", ["absent", "wrong", "raises"])
def test_an_operator_that_is_not_to_be_trusted_is_not_used(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    def wrong(x: torch.Tensor, values: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
        if how == "raises":
            raise RuntimeError("not implemented")
        return torch.zeros(len(x), len(values), dtype=x.dtype)

    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    if how == "absent":
        monkeypatch.delattr(torch, "_weight_int8pack_mm")
    else:
        monkeypatch.setattr(torch, "_weight_int8pack_mm", wrong)
    int8.missing.cache_clear()
    try:
        assert torch.__version__ in int8.missing()
        assert apply(torch.ones(1, 2), Int8Matrix.from_tensor(torch.ones(1, 2))).item() == pytest.approx(2, rel=0.01)
    finally:
        monkeypatch.undo()
        int8.missing.cache_clear()


def test_a_decoder_is_rounded_but_for_what_is_looked_up() -> None:
    width, ffn = 64, 128
    shape = Shape(1, width, 4, ffn, 4, 32, 1, has_prefix=True)
    norm = (torch.ones(width), torch.zeros(width))
    layer = LayerWeights(
        normal(3 * width, width), normal(width, width), None, None, None, None,
        normal(ffn, width), normal(width, ffn), norm, None, norm,
    )  # fmt: skip
    exact = Weights(shape, [layer], normal(4, 33, width).bfloat16(), normal(10, width), normal(128, width), norm)
    rounded = quantise(exact)
    first = rounded.layers[0]
    assert isinstance(rounded.heads, Int8Matrix) and first.cross_q is None
    assert all(isinstance(matrix, Int8Matrix) for matrix in (first.qkv, first.out, first.fc1, first.fc2))
    assert rounded.embeddings.dtype == torch.float32 and rounded.shape == shape
    assert isinstance(layer.qkv, torch.Tensor), "the original is not changed"
    again = quantise(replace(rounded))
    assert again.heads is rounded.heads, "what is rounded already is left as it is"
