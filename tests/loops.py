"""Loops for tests of what happens to loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from loopgen.music.audio import Audio
from loopgen.music.loop import Loop
from loopgen.music.request import LoopRequest
from loopgen.music.tempo import loop_frames


def pulse_loop(prompt: str = "dub techno, rainy", *, bpm: str = "127.9", bars: int = 4, seed: int = 7) -> Loop:
    """A decaying noise burst on every beat, exact, as a finished loop with a recipe."""
    request = LoopRequest(prompt, bpm, bars, key="Am", seed=seed)
    frames = loop_frames(request.bpm, bars, request.meter, request.rate)
    phase = (np.arange(frames) * bars * request.meter.beats / frames) % 1
    noise = np.random.default_rng(seed).standard_normal((frames, 2))
    recipe = {
        "loopgen": "0",
        "request": {"prompt": prompt, "bpm": bpm, "bars": bars, "meter": "4/4", "key": "Am"},
        "engine": {"name": "sketch", "version": "0", "licence": "CC0"},
        "seed": seed,
    }
    return Loop(Audio(0.2 * noise * np.exp(-9 * phase)[:, None], request.rate), request, {}, recipe)


def doubted_loop(
    prompt: str = "two step", *, sure: float = 0.41, beats: str = "2", rival: float = 0.35, seed: int = 11
) -> Loop:
    """A pulse loop of two bars whose recipe doubts its beat 1 and names another, so many beats later."""
    loop = pulse_loop(prompt, bpm="121", bars=2, seed=seed)
    grid = {
        "tempo": 121.0,
        "confidence": 0.97,
        "downbeat_confidence": sure,
        "source": "analysis",
        "rival": {"beats": beats, "confidence": rival},
    }
    warnings = (f"which beat is one is uncertain ({sure:.0%} sure): it may be another",) if sure < 0.5 else ()
    return replace(loop, recipe={**loop.recipe, "grid": grid, "warnings": [*warnings]}, warnings=warnings)
