"""Voices and instruments without drums and bass, by Demucs: what MusicGen's melody models were trained to follow.

Drums and bass are loud in most recordings and say little of the melody; in training they were taken out before the
chroma (audiocraft's ``ChromaStemConditioner``). Demucs is MIT, brings neither torchaudio nor CUDA libraries of its own,
and downloads its weights (``htdemucs``, some 80 MB) when it is first used. Nothing of it is imported before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import soxr

from loopgen.errors import EngineUnavailable
from loopgen.music.audio import Audio

MODEL = "htdemucs"
KEPT = ("vocals", "other")
"""Stems that carry a melody; the others are drums and bass."""

REMEDY = "pip install 'demucs>=4.1', or go without separation: the clip is then heard with its drums and bass"


def load() -> Any:
    """Demucs' model, downloaded when it is first asked for.

    Raises ``EngineUnavailable`` where Demucs is not installed, or its weights are not here and cannot be had.
    """
    try:
        from demucs.pretrained import get_model
    except ImportError as error:
        raise EngineUnavailable(f"separating drums and bass needs Demucs ({error}): {REMEDY}") from None
    try:
        return get_model(MODEL)
    except (Exception, SystemExit) as error:  # it ends the process where a download fails
        raise EngineUnavailable(
            f"the weights of Demucs ({MODEL}) are not here and could not be downloaded ({error}); connect once, "
            "or go without separation: the clip is then heard with its drums and bass"
        ) from error


def without_drums_and_bass(audio: Audio, model: Any = None, *, device: str = "cpu") -> Audio:
    """The sum of the stems that carry a melody; the same rate, channels and length, and always the same samples.

    ``model`` is a model of Demucs (None: ``load()``). Raises as ``load``.
    """
    model = load() if model is None else model
    import torch
    from demucs.apply import apply_model

    samples = np.asarray(soxr.resample(audio.samples, audio.rate, model.samplerate), np.float32)
    channels = model.audio_channels
    if audio.channels != channels:
        samples = np.repeat(samples.mean(axis=1, keepdims=True), channels, axis=1)
    mix = torch.from_numpy(np.ascontiguousarray(samples.T))[None]
    with torch.no_grad():
        stems = apply_model(model, mix, shifts=0, device=device)[0]  # sources, channels, frames
    kept = stems[[model.sources.index(name) for name in KEPT]].sum(dim=0).cpu().numpy().T
    back = np.asarray(soxr.resample(np.ascontiguousarray(kept), model.samplerate, audio.rate), np.float32)
    if audio.channels != channels:
        back = np.repeat(back.mean(axis=1, keepdims=True), audio.channels, axis=1)
    return Audio(np.pad(back, ((0, max(0, audio.frames - len(back))), (0, 0)))[: audio.frames], audio.rate)
