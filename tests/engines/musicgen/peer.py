"""transformers' own ``generate`` as the reference, made to draw with our noise; and a model held in memory.

``generate`` draws from torch's global generator. It is made comparable by doing greedy search over logits to which a
processor has already done guidance, temperature, top-k or top-p (with transformers' own warpers) and added the noise.

Tokens are compared in float64: in float32 two computations that are both right differ in the last bits, and among
thousands of draws one may hang on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import LogitsProcessor, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper
from transformers.models.musicgen import modeling_musicgen
from transformers.models.musicgen_melody import modeling_musicgen_melody

from loopgen.engines.musicgen import weights
from loopgen.engines.musicgen.sampling import Noise
from loopgen.engines.musicgen.step import Step, TorchStep
from loopgen.engines.musicgen.weights import Shape, Weights
from loopgen.music.sampling import Sampling
from tests.engines.musicgen.tiny import Kind, make_tiny, make_tokenizer


@dataclass
class Held:
    """A tiny model in memory with the parts that decoding needs; ``theirs`` is transformers' model."""

    theirs: Any
    shape: Shape
    weights: Weights
    step: Step
    tokenizer: Any
    text_encoder: Any
    enc_to_dec_proj: Any
    audio_enc_to_dec_proj: Any
    chroma_length: int
    codec: Any


def hold(kind: Kind = "text", *, dtype: torch.dtype = torch.float32, **sizes: int) -> Held:
    theirs = make_tiny(kind, **sizes)
    if dtype == torch.float64:
        theirs.to(dtype)
    gathered = weights.gather(theirs.decoder, dtype=dtype, device="cpu")
    return Held(
        theirs=theirs,
        shape=gathered.shape,
        weights=gathered,
        step=TorchStep(gathered),
        tokenizer=make_tokenizer(),
        text_encoder=theirs.text_encoder,
        enc_to_dec_proj=theirs.enc_to_dec_proj,
        audio_enc_to_dec_proj=getattr(theirs, "audio_enc_to_dec_proj", None),
        chroma_length=getattr(theirs.config, "chroma_length", 0),
        codec=theirs.audio_encoder,
    )


def generate(
    monkeypatch: pytest.MonkeyPatch,
    model: Held,
    prompts: Sequence[str],
    frames: int,
    sampling: Sampling,
    seeds: Sequence[int],
    *,
    chroma: Tensor | None = None,
    prompt: Tensor | None = None,
) -> Tensor:
    """Tokens of transformers' ``generate``, ``(takes, codebooks, frames)``."""
    theirs, shape, takes = model.theirs, model.shape, len(seeds)
    words = model.tokenizer(list(prompts), padding=True, return_tensors="pt")
    inputs: dict[str, Any] = {
        "input_ids": words.input_ids.expand(takes, -1),
        "attention_mask": words.attention_mask.expand(takes, -1),
    }
    if chroma is not None:
        inputs["input_features"] = chroma.to(theirs.dtype).expand(takes, -1, -1)
    known = 0
    if prompt is not None:
        known = prompt.shape[-1]
        inputs["decoder_input_ids"] = prompt.expand(takes, -1, -1).reshape(takes * shape.codebooks, known)
    heard: list[Tensor] = []
    decode = theirs.audio_encoder.decode

    def listen(codes: Tensor, *args: Any, **kwargs: Any) -> Any:
        heard.append(codes[0])
        return decode(codes, *args, **kwargs)

    with monkeypatch.context() as patch:
        for module in (modeling_musicgen, modeling_musicgen_melody):
            patch.setattr(module, "ClassifierFreeGuidanceLogitsProcessor", _Nothing)
        patch.setattr(theirs.audio_encoder, "decode", listen)
        theirs.generate(
            **inputs,
            max_new_tokens=frames - known + 3,
            do_sample=False,
            guidance_scale=sampling.guidance,
            logits_processor=[_Draw(shape, sampling, seeds)],
        )
    if shape.channels == 1:
        return heard[0]
    return torch.stack(heard, dim=2).flatten(1, 2)


class _Nothing(LogitsProcessor):
    def __init__(self, guidance_scale: float) -> None: ...

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        return scores


class _Draw(LogitsProcessor):
    def __init__(self, shape: Shape, sampling: Sampling, seeds: Sequence[int]) -> None:
        self._noise = Noise(seeds, codebooks=shape.codebooks, cards=shape.cards)
        self._guidance = sampling.guidance
        self._greedy = not sampling.temperature
        self._warpers: list[Any] = []
        if not self._greedy:
            self._warpers.append(TemperatureLogitsWarper(sampling.temperature))
            if sampling.top_p:
                self._warpers.append(TopPLogitsWarper(sampling.top_p))
            elif sampling.top_k:
                self._warpers.append(TopKLogitsWarper(sampling.top_k))

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        if self._guidance != 1:
            told, untold = scores.chunk(2)
            scores = untold + (told - untold) * self._guidance
        for warp in self._warpers:
            scores = warp(input_ids, scores)
        return scores if self._greedy else scores + self._noise.draw(1)[0].flatten(0, 1)
