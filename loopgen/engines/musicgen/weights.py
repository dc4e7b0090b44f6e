"""MusicGen's decoder as the few large matrices that one step of decoding reads.

transformers keeps a linear layer for each projection and an embedding and a head for each codebook. A step is bound by
the bytes it reads and by the number of its launches, so what is applied to the same input becomes one matrix here:
query, key and value; the codebooks' embeddings; the codebooks' heads.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from loopgen.engines.musicgen.int8 import Int8Matrix
from loopgen.errors import EngineUnavailable

if TYPE_CHECKING:
    from loopgen.engines.musicgen.step import Buffers, Size

Matrix = Tensor | Int8Matrix
"""Output by input features; ``int8.apply(x, matrix)`` multiplies by its transpose."""
Norm = tuple[Tensor, Tensor]
"""Weight and bias of a layer norm, both ``(width,)``; its epsilon is PyTorch's default, 1e-5."""

POSITIONS = 3_072
"""Positions that are known: a melody prefix (235 frames of chroma, a long text), 1500 frames, the delays, and room."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a decoder.

    Attributes:
        layers: transformer layers.
        width: features of a hidden state, D.
        heads: attention heads; ``width`` is divided evenly among them.
        ffn: features between the two matrices of the feed-forward part.
        codebooks: tokens a frame; a stereo model has left and right of each, interleaved.
        cards: tokens a codebook has; ``cards`` itself is the padding token.
        channels: 1 or 2.
        has_prefix: melody models put what they are told before the tokens and have no cross-attention.
    """

    layers: int
    width: int
    heads: int
    ffn: int
    codebooks: int
    cards: int
    channels: int
    has_prefix: bool

    @property
    def head(self) -> int:
        """Features of one attention head."""
        return self.width // self.heads

    @property
    def pad(self) -> int:
        """The token that stands where a codebook has none yet."""
        return self.cards


@dataclass(slots=True)
class LayerWeights:
    """One layer: ``qkv`` (3D, D), ``out`` and the cross-attention's four (D, D), ``fc1`` (F, D), ``fc2`` (D, F)."""

    qkv: Matrix
    out: Matrix
    cross_q: Matrix | None
    cross_k: Matrix | None
    cross_v: Matrix | None
    cross_out: Matrix | None
    fc1: Matrix
    fc2: Matrix
    self_norm: Norm
    cross_norm: Norm | None
    final_norm: Norm


@dataclass(slots=True, eq=False)
class Weights:
    """All that a step reads and never writes; one dtype (but for int8 matrices), one device.

    Attributes:
        embeddings: ``(codebooks, cards + 1, D)``, the last one being the padding token's.
        positions: ``(POSITIONS, D)`` sinusoidal.
        heads: ``(codebooks * cards, D)``.
        norm: the last layer norm, before the heads.
        spare: buffers of past requests, kept for the next one of the same size; see ``step.borrow``.
    """

    shape: Shape
    layers: list[LayerWeights]
    embeddings: Tensor
    positions: Tensor
    heads: Matrix
    norm: Norm
    spare: OrderedDict[Size, Buffers] = field(default_factory=OrderedDict, init=False, repr=False)

    @property
    def dtype(self) -> torch.dtype:
        """What hidden states are computed in."""
        return self.embeddings.dtype

    @property
    def device(self) -> torch.device:
        """Where everything lies."""
        return self.embeddings.device


def sinusoids(count: int, width: int) -> Tensor:
    """Positions as the model was trained with, ``(count, width)`` float32: cosines, then sines.

    The frequencies fall from 1 to 1/10000 over half the width (tensor2tensor's spacing, with ``half - 1``).

    >>> sinusoids(2, 4).tolist()[0]
    [1.0, 1.0, 0.0, 0.0]
    """
    half = width // 2
    # every operation in float32 and in this order: the last bits are those that the models were trained with
    frequency = torch.exp(torch.arange(half).float() * -(math.log(10_000) / (half - 1)))
    angle = torch.arange(count).float()[:, None] * frequency[None, :]
    waves = torch.cat([torch.cos(angle), torch.sin(angle)], dim=1)
    return waves if width % 2 == 0 else torch.cat([waves, torch.zeros(count, 1)], dim=1)


def gather(decoder: Any, *, dtype: torch.dtype, device: torch.device | str) -> Weights:
    """Weights from transformers' ``MusicgenForCausalLM`` or ``MusicgenMelodyForCausalLM``.

    Raises ``EngineUnavailable`` where the checkpoint is of another architecture than MusicGen's.
    """
    shape = shape_of(decoder.config)
    body = decoder.model.decoder

    def put(*tensors: Tensor) -> Tensor:
        joined = tensors[0] if len(tensors) == 1 else torch.cat(tensors)
        return joined.detach().to(device=device, dtype=dtype).contiguous()

    def norm(module: Any) -> Norm:
        return put(module.weight), put(module.bias)

    def layer(module: Any) -> LayerWeights:
        own = module.self_attn
        other = None if shape.has_prefix else module.encoder_attn
        return LayerWeights(
            qkv=put(own.q_proj.weight, own.k_proj.weight, own.v_proj.weight),
            out=put(own.out_proj.weight),
            cross_q=None if other is None else put(other.q_proj.weight),
            cross_k=None if other is None else put(other.k_proj.weight),
            cross_v=None if other is None else put(other.v_proj.weight),
            cross_out=None if other is None else put(other.out_proj.weight),
            fc1=put(module.fc1.weight),
            fc2=put(module.fc2.weight),
            self_norm=norm(module.self_attn_layer_norm),
            cross_norm=None if other is None else norm(module.encoder_attn_layer_norm),
            final_norm=norm(module.final_layer_norm),
        )

    return Weights(
        shape=shape,
        layers=[layer(module) for module in body.layers],
        embeddings=put(*(embedding.weight[None] for embedding in body.embed_tokens)),
        positions=put(sinusoids(POSITIONS, shape.width)),
        heads=put(*(head.weight for head in decoder.lm_heads)),
        norm=norm(body.layer_norm),
    )


def shape_of(config: Any) -> Shape:
    """The sizes in transformers' decoder config; raises ``EngineUnavailable`` for what a step does not compute."""
    if config.activation_function != "gelu":
        raise EngineUnavailable(
            f"the decoder's activation is {config.activation_function!r}; MusicGen's is 'gelu': use an original or "
            "fine-tuned MusicGen checkpoint"
        )
    if config.pad_token_id not in (None, config.vocab_size):
        raise EngineUnavailable(
            f"the decoder's padding token is {config.pad_token_id}; MusicGen's is the number of tokens, "
            f"{config.vocab_size}: use an original or fine-tuned MusicGen checkpoint"
        )
    return Shape(
        layers=config.num_hidden_layers,
        width=config.hidden_size,
        heads=config.num_attention_heads,
        ffn=config.ffn_dim,
        codebooks=config.num_codebooks,
        cards=config.vocab_size,
        channels=config.audio_channels,
        has_prefix="melody" in config.model_type,
    )
