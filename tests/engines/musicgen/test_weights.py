"""Gathered weights are transformers' own, joined."""

from __future__ import annotations

import pytest
import torch

from loopgen.engines.musicgen.int8 import apply
from loopgen.engines.musicgen.weights import POSITIONS, gather, sinusoids
from loopgen.errors import EngineUnavailable
from tests.engines.musicgen.peer import hold
from tests.engines.musicgen.tiny import KINDS, Kind


@pytest.mark.parametrize("kind", KINDS)
def test_shape_and_matrices(kind: Kind) -> None:
    model = hold(kind)
    shape, ours, theirs = model.shape, model.weights, model.theirs.decoder.model.decoder
    assert (shape.layers, shape.width, shape.heads, shape.head) == (2, 64, 4, 16)
    assert (shape.channels, shape.codebooks) == ((2, 8) if "stereo" in kind else (1, 4))
    assert shape.has_prefix == ("melody" in kind)
    x = torch.randn(3, shape.width)
    own = theirs.layers[1].self_attn
    apart = torch.cat([own.q_proj(x), own.k_proj(x), own.v_proj(x)], dim=1)
    torch.testing.assert_close(apply(x, ours.layers[1].qkv), apart)
    assert (ours.layers[0].cross_k is None) == shape.has_prefix
    heads = torch.stack([head(x) for head in model.theirs.decoder.lm_heads], dim=1)
    torch.testing.assert_close(apply(x, ours.heads).view(3, shape.codebooks, shape.cards), heads)
    assert torch.equal(ours.embeddings[2], theirs.embed_tokens[2].weight)
    assert ours.embeddings.shape == (shape.codebooks, shape.cards + 1, shape.width)


@pytest.mark.parametrize("width", [64, 65])
def test_positions_are_those_of_transformers(width: int) -> None:
    theirs = hold("text").theirs.decoder.model.decoder.embed_positions
    assert torch.equal(sinusoids(POSITIONS, width), theirs.get_embedding(POSITIONS, width))


def test_dtype_and_device() -> None:
    weights = gather(hold("text").theirs.decoder, dtype=torch.bfloat16, device="cpu")
    assert weights.dtype == torch.bfloat16 and weights.device == torch.device("cpu")
    for matrix in (weights.heads, weights.layers[0].fc1, weights.norm[0], weights.positions):
        assert isinstance(matrix, torch.Tensor) and matrix.dtype == torch.bfloat16


@pytest.mark.parametrize(("field", "value"), [("activation_function", "relu"), ("pad_token_id", 3)])
def test_another_architecture_is_refused(field: str, value: object) -> None:
    decoder = hold("text").theirs.decoder
    setattr(decoder.config, field, value)
    with pytest.raises(EngineUnavailable, match=str(value)):
        gather(decoder, dtype=torch.float32, device="cpu")
