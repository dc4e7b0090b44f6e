"""Attacks as they were played, laid over what a stretcher made of them.

Around an attack time runs at its original speed, so the take's own waveform fits there, moved as a whole. Where the
attack is much louder than what sounded before it, it covers the two short fades, and a dense break keeps the snap that
every window of a vocoder blunts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loopgen.looping.seam import crossfade
from loopgen.looping.stretching.timemap import TimeMap
from loopgen.music.audio import Samples

LEAD_SECONDS = 0.004
"""The copy is there this long before an attack, longer than the uncertainty of where it is."""

BODY_SECONDS, BODY_SHARE = 0.05, 0.6
"""It lasts this long after it, and this share of the time to the next attack at most."""

FADE_IN_SECONDS, FADE_OUT_SECONDS = 0.003, 0.012

COVERS = 4.0
"""Energy after an attack over that before it, 6 dB, from which it covers a fade."""

_ASIDE_SECONDS = 0.02


def restore(out: Samples, samples: Samples, time_map: TimeMap, rate: int, attacks: NDArray[np.int64]) -> None:
    """Lay the strong ones of ``attacks`` (increasing, in ``samples``) over ``out``, each moved to its place.

    ``out`` ``(frames, channels)`` is ``samples`` ``(n, channels)`` after ``time_map``; it is changed in place.
    """
    if not len(attacks):
        return
    lead, body, fade_in, fade_out, aside = (
        round(seconds * rate)
        for seconds in (LEAD_SECONDS, BODY_SECONDS, FADE_IN_SECONDS, FADE_OUT_SECONDS, _ASIDE_SECONDS)
    )
    targets = np.rint(time_map.target_of(attacks)).astype(np.int64)
    gaps = np.append(np.minimum(np.diff(attacks), np.diff(targets)), rate)
    energy = np.append(0.0, np.cumsum(np.square(samples, dtype=np.float64).sum(axis=1)))
    for attack, target, gap in zip(attacks.tolist(), targets.tolist(), gaps.tolist(), strict=True):
        start, stop = target - lead - fade_in, target + min(body, round(BODY_SHARE * gap))
        shift = attack - target
        inside = start >= 0 and stop <= len(out) and start + shift >= aside and stop + shift <= len(samples)
        if not inside or stop - start < fade_in + fade_out or attack + aside > len(samples):
            continue
        before = energy[attack - lead] - energy[max(0, attack - lead - aside)]
        if energy[attack + aside] - energy[attack] < COVERS * before:
            continue
        played, made = samples[start + shift : stop + shift], out[start:stop].copy()
        out[start:stop] = played
        out[start : start + fade_in] = crossfade(made[:fade_in], played[:fade_in], fade_in)
        out[stop - fade_out : stop] = crossfade(played[-fade_out:], made[-fade_out:], fade_out)
