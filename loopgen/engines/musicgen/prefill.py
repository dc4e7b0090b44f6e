"""What is computed once before the steps: cross-attention's keys and values, and the cache of a prefix or audio prompt.

One row at a time: rows of a batch then get the same last bits as alone, and takes that are told the same (they usually
are) share the work.
"""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional

from loopgen.engines.musicgen.int8 import apply
from loopgen.engines.musicgen.step import Buffers, normalise
from loopgen.engines.musicgen.weights import LayerWeights, Weights


def tell(weights: Weights, buffers: Buffers, row: int, states: Tensor, mask: Tensor) -> None:
    """Fill a row's cross-attention: ``states`` ``(length, D)`` of which ``mask`` ``(length,)`` says what counts.

    ``length`` is at most the buffers' ``size.text``; the rest is padding.
    """
    length = len(states)
    bias = buffers.cross_bias[row, 0, 0]
    bias.fill_(-math.inf)
    bias[:length].masked_fill_(mask, 0)
    for index, layer in enumerate(weights.layers):
        assert layer.cross_k is not None and layer.cross_v is not None
        for cache, matrix in ((buffers.cross_keys, layer.cross_k), (buffers.cross_values, layer.cross_v)):
            cache[index, row].zero_()
            cache[index, row, :, :length] = _heads(weights, apply(states, matrix))


def embed(weights: Weights, tokens: Tensor) -> Tensor:
    """Input of the first layer, without positions, for delayed ``tokens`` ``(codebooks, length)``: ``(length, D)``."""
    return sum(
        (functional.embedding(row, table) for row, table in zip(tokens, weights.embeddings, strict=True)),
        start=weights.embeddings.new_zeros(()),
    )


def prefill(weights: Weights, buffers: Buffers, row: int, inputs: Tensor) -> None:
    """Fill a row's first cache slots from the inputs ``(length, D)`` of these positions, positions not yet added.

    The hidden states of the last position are not needed: the first step takes the position after it. A row that has
    cross-attention must have been told first (``tell``).
    """
    length = len(inputs)
    x = inputs + weights.positions[:length]
    for index, layer in enumerate(weights.layers):
        query, key, value = apply(normalise(x, layer.self_norm), layer.qkv).chunk(3, dim=-1)
        keys, values = _heads(weights, key), _heads(weights, value)
        buffers.keys[index, row, :, :length] = keys
        buffers.values[index, row, :, :length] = values
        attended = functional.scaled_dot_product_attention(_heads(weights, query), keys, values, is_causal=True)
        x = x + apply(_joined(attended), layer.out)
        if row < buffers.size.crossed:
            x = x + _cross(weights, buffers, index, row, x, layer)
        x = x + apply(functional.gelu(apply(normalise(x, layer.final_norm), layer.fc1)), layer.fc2)


def share(buffers: Buffers, source: int, row: int, length: int) -> None:
    """Give a row what another was told, and the first ``length`` cache slots of it."""
    if row < buffers.size.crossed:
        for cross in (buffers.cross_keys, buffers.cross_values):
            cross[:, row] = cross[:, source]
        buffers.cross_bias[row] = buffers.cross_bias[source]
    for cache in (buffers.keys, buffers.values):
        cache[:, row, :, :length] = cache[:, source, :, :length]


def _cross(weights: Weights, buffers: Buffers, index: int, row: int, x: Tensor, layer: LayerWeights) -> Tensor:
    assert layer.cross_q is not None and layer.cross_out is not None and layer.cross_norm is not None
    query = _heads(weights, apply(normalise(x, layer.cross_norm), layer.cross_q))
    attended = functional.scaled_dot_product_attention(
        query, buffers.cross_keys[index, row], buffers.cross_values[index, row], attn_mask=buffers.cross_bias[row, 0]
    )
    return apply(_joined(attended), layer.cross_out)


def _heads(weights: Weights, x: Tensor) -> Tensor:
    return x.view(len(x), weights.shape.heads, weights.shape.head).transpose(0, 1)


def _joined(x: Tensor) -> Tensor:
    return x.transpose(0, 1).flatten(1)
