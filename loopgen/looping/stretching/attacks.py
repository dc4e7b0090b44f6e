"""Where something starts to sound: the moments that a stretcher must not smear."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.signal import find_peaks

from loopgen.music.audio import Samples

HOP_SECONDS = 0.003
WINDOW_SECONDS = 0.012
BAND_EDGES = (0.0, 200.0, 800.0, 3200.0, np.inf)
"""Hz: bass drum and bass, body, presence, cymbals. An attack need only show in one of them."""

FLOOR = 1e-5
"""Power below this share of its band's loudest moment (-50 dB) counts as silence, and so does a band below this
share of the loudest band."""

RISE = 1.5
"""Sum over the bands of the rise of log power: 6.5 dB in one band."""

APART_SECONDS = 0.04
"""Of attacks closer than this the ear hears one (and a stretching window sees one)."""


def attacks(samples: Samples, rate: int) -> NDArray[np.int64]:
    """Frames at which a sound starts, increasing, to about 3 ms; missing a soft one or adding one is harmless.

    Peaks of the rise of log power over 9 ms in four bands, summed over the channels' powers.
    """
    hop, window = (max(1, round(seconds * rate)) for seconds in (HOP_SECONDS, WINDOW_SECONDS))
    mono = samples.sum(axis=1)
    lead = 4 * hop + window  # silence before the take, so that its first sample can be an attack
    blocks = np.lib.stride_tricks.sliding_window_view(np.pad(mono, (lead, window)), window)[::hop]
    spectra = scipy.fft.rfft(blocks * np.hanning(window).astype(np.float32), axis=1)
    power = spectra.real**2 + spectra.imag**2
    edges = np.searchsorted(np.fft.rfftfreq(window, 1 / rate), BAND_EDGES)
    used = [(a, b) for a, b in pairwise(edges) if a < b]
    bands = np.stack([power[:, a:b].sum(axis=1) for a, b in used], axis=1)
    loudest = bands.max(axis=0)
    log_power = np.log(bands / np.maximum(loudest, FLOOR * loudest.max() + 1e-30) + FLOOR)
    rise = np.maximum(log_power[3:] - log_power[:-3], 0).sum(axis=1)
    peaks, _ = find_peaks(
        rise, height=max(RISE, 0.15 * float(rise.max(initial=0))), distance=round(APART_SECONDS / HOP_SECONDS)
    )
    # Block i, the last without the sound, ends at i * hop + window - lead; the sound starts within the hop after it.
    return np.clip(peaks * hop + window - lead + 2 * hop // 3, 0, len(samples)).astype(np.int64)
