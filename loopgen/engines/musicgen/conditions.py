"""What the model is told: a prompt, a negative prompt and a melody, as states that the decoder reads.

As transformers and audiocraft have it: T5's states go through ``enc_to_dec_proj``; text models attend to them. Melody
models read a prefix instead, ``chroma_length`` frames of projected chroma and then the text. The row that guidance
leads away from is told nothing: zeros for text, and for chroma its first bin throughout, as in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from loopgen.engines.musicgen.weights import Shape
from loopgen.errors import InvalidRequest

CHROMA_BINS = 12
"""One a semitone, C first."""
TEXT_TOKENS = 1_024
"""The longest text, in T5's tokens: 700 words or so. Room for it is in ``weights.POSITIONS``."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a batch is told, the same for all takes (n = 1) or one for each.

    Attributes:
        states: ``(n, length, D)``; zero where ``mask`` is not set.
        mask: ``(n, length)`` bool, what text models attend to. Melody models attend to their whole prefix, as trained.
        null_states, null_mask: of the row that guidance leads away from, 1 or n of them. None where it is told nothing
            and the model has cross-attention, whose output is then exactly zero. Melody models: as long as ``states``.
    """

    states: Tensor
    mask: Tensor
    null_states: Tensor | None = None
    null_mask: Tensor | None = None


class Teller(Protocol):
    """The parts of a model that turn words and chroma into states; the two projections may be None (same width)."""

    @property
    def shape(self) -> Shape:
        """Sizes of the decoder."""

    @property
    def tokenizer(self) -> Any:
        """T5's tokenizer, as transformers loads it."""

    @property
    def text_encoder(self) -> Any:
        """T5's encoder."""

    @property
    def enc_to_dec_proj(self) -> Any:
        """From T5's width to the decoder's."""

    @property
    def audio_enc_to_dec_proj(self) -> Any:
        """From chroma bins to the decoder's width."""

    @property
    def chroma_length(self) -> int:
        """Frames of chroma in the prefix; 235 are 30 s."""


@torch.no_grad()
def describe(
    model: Teller, prompts: Sequence[str], *, negative: str = "", chroma: ArrayLike | None = None
) -> Conditions:
    """Encode one prompt for all takes, or one for each.

    ``negative`` is led away from instead of the empty prompt; ``chroma`` is ``(frames, 12)`` one-hot (see
    ``musicgen.chroma``), repeated or cut to the model's ``chroma_length`` as transformers does; only melody models
    take it. Raises ``InvalidRequest`` for a text of more than ``TEXT_TOKENS``, ``ValueError`` for chroma of another
    shape or a model without melody.
    """
    if not prompts:
        raise ValueError("no prompt was given; give one for all takes, or one a take")
    if chroma is not None and not model.shape.has_prefix:
        raise ValueError("the model takes no melody; use a melody model (musicgen-melody, musicgen-melody-large)")
    texts = [_text(model, prompt, "prompt") for prompt in prompts]
    against = [_text(model, negative, "negative")] if negative else []
    length = max(len(states) for states in (*texts, *against))
    states, mask = _padded(texts, length)
    null_states, null_mask = _padded(against, length) if against else (None, None)
    if not model.shape.has_prefix:
        return Conditions(states, mask, null_states, null_mask)
    if null_states is None:
        null_states = torch.zeros_like(states[:1])
    tune = _chroma(model, None if chroma is None else torch.as_tensor(chroma))
    silence = _chroma(model, None)
    states = torch.cat([tune.expand(len(states), -1, -1), states], dim=1)
    null_states = torch.cat([silence, null_states], dim=1)
    everything = torch.ones(states.shape[:2], dtype=torch.bool, device=states.device)
    return Conditions(states, everything, null_states, everything[:1])


def _text(model: Teller, text: str, field: str) -> Tensor:
    """Projected states of a text, ``(length, D)``. Texts go one by one: the last bits do not depend on the others."""
    encoder = model.text_encoder
    ids = model.tokenizer(text, return_tensors="pt").input_ids.to(encoder.device)
    if ids.shape[1] > TEXT_TOKENS:
        raise InvalidRequest(
            field, text, f"a shorter text: it has {ids.shape[1]} tokens, and {TEXT_TOKENS} is the most"
        )
    states = encoder(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
    return _projected(model.enc_to_dec_proj, states)


def _padded(texts: Sequence[Tensor], length: int) -> tuple[Tensor, Tensor]:
    states = texts[0].new_zeros(len(texts), length, texts[0].shape[-1])
    mask = torch.zeros(states.shape[:2], dtype=torch.bool, device=states.device)
    for row, text in enumerate(texts):
        states[row, : len(text)] = text
        mask[row, : len(text)] = True
    return states, mask


def _chroma(model: Teller, chroma: Tensor | None) -> Tensor:
    """Projected chroma, ``(1, chroma_length, D)``; None is the chroma of "none"."""
    projection, length = model.audio_enc_to_dec_proj, model.chroma_length
    place = model.text_encoder.get_input_embeddings().weight if projection is None else projection.weight
    if chroma is None:
        chroma = torch.zeros(1, CHROMA_BINS)
        chroma[:, 0] = 1
    if chroma.dim() != 2 or chroma.shape[1] != CHROMA_BINS or not len(chroma):
        raise ValueError(
            f"chroma has shape {tuple(chroma.shape)}; expected (frames, {CHROMA_BINS}), at least one frame"
        )
    repeats = -(-length // len(chroma))
    frames = chroma.to(device=place.device, dtype=place.dtype).repeat(repeats, 1)[:length]
    return _projected(projection, frames)[None]


def _projected(projection: Any, states: Tensor) -> Tensor:
    projected: Tensor = states if projection is None else projection(states)
    return projected
