"""An attack-synchronous phase vocoder: any time map, all channels together, attacks kept as they are.

The result is laid together from overlapping frames of the take, one every ``hop`` samples. Three ideas make it good:

- **Each frame is turned into step with what was already laid down.** Frame k is read at ``s[k]`` (spectrum X) and once
  more one hop earlier (spectrum P), which is what the previous output frame Y should have looked like. The rotation of
  each frequency that best maps P onto Y is the phase of its vote, ``sum over channels of Y * conj(P)``, averaged with
  the votes of its neighbours; Y[k] is X turned by it. One rotation for all channels keeps the stereo image. Loud bins
  outvote quiet ones, which is phase locking (Laroche and Dolson, 1999) without having to pick peaks.
- **New energy keeps its own phase.** Where a bin has grown by more than 9 dB since one hop ago there is nothing to
  be in step with: the growth votes for no rotation, so an attack comes out with the waveform that it went in with
  (Röbel, "A new approach to transient processing in the phase vocoder", 2003, is the same thought). While a known
  attack enters the window 3 dB are enough: what rings on at its pitch would turn it, and it would swing up too early.
- **Time stands still around attacks.** While an attack passes through the first half of the window, the map runs at
  its original speed, so that all frames agree on where it is; the stretching is done between the attacks.

With a map of slope 1 the result is the take itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from loopgen.looping.stretching.attacks import attacks
from loopgen.looping.stretching.timemap import Floats, TimeMap
from loopgen.music.audio import Samples

WINDOW_SECONDS = 0.1
"""Resolves partials 30 Hz apart."""

OVERLAP = 6

NEW_ENERGY = 8.0
"""Growth of a bin's energy within one hop from which it counts as an attack: 9 dB."""

NEW_AT_ATTACK = 2.0
"""The same while an attack enters the window: as much is new as was there. Less would turn a held chord at each hit."""

LOBE = np.array([0.1, 0.2, 0.4, 0.2, 0.1], dtype=np.float32)
"""Weights of a bin's neighbours in its vote: the main lobe of a partial in a Hann window moves as one."""

BAND, BAND_WEIGHT = 0.015, 0.5
"""Half-width of the band, as a share of its frequency, whose mean vote counts too, and its weight: there a cymbal
stays one sound. It is narrower than a third of the ear's own bands, and where partials stand clear they outvote it."""

BEFORE, AFTER = 0.04, 0.012
"""Seconds around an attack during which time runs at its original speed."""

TINY = np.float32(1e-30)

BATCH = 64
"""Frames transformed at once."""

Spectra = NDArray[np.complex64]
"""Shape ``(channels, frames, bins)``."""


def vocode(samples: Samples, time_map: TimeMap, frames: int, rate: int) -> Samples:
    """Move ``samples`` ``(n, channels)`` along ``time_map``; returns ``(frames, channels)``, float32.

    Sample t of the result is what lies at ``time_map.source_of(t)``, the map made smooth where it has corners; outside
    the take there is silence.
    """
    time_map = time_map.smooth() if len(time_map.source) > 2 else time_map
    hop = scipy.fft.next_fast_len(max(4, round(rate * WINDOW_SECONDS / OVERLAP)), real=True)
    size = hop * OVERLAP
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    count = -(-frames // hop) + OVERLAP
    centres = (np.arange(count) - OVERLAP // 2) * hop
    starts = attacks(samples, rate)
    shifts = np.rint(_shifts(centres, time_map, starts, rate)).astype(np.int64)
    ahead = np.append(starts, np.inf)[np.searchsorted(starts, centres + shifts)] - (centres + shifts)
    new_energy = np.where(ahead < size / 2, NEW_AT_ATTACK, NEW_ENERGY).astype(np.float32)
    out = np.zeros((samples.shape[1], (count + OVERLAP) * hop), dtype=np.float32)
    k = 0
    for spectra in _in_step(_analyses(samples, centres + shifts, hop, window), new_energy):
        for block in np.moveaxis(scipy.fft.irfft(spectra, n=size, axis=2) * window, 1, 0):
            out[:, k * hop : k * hop + size] += block
            k += 1
    lead = size // 2 + OVERLAP // 2 * hop
    gain = np.float32(hop / np.sum(np.square(window, dtype=np.float64)))
    return np.ascontiguousarray(out[:, lead : lead + frames].T) * gain


def _shifts(centres: NDArray[np.int64], time_map: TimeMap, attacks_: NDArray[np.int64], rate: int) -> Floats:
    """How far from ``centres`` (in the result) each frame is read, in samples: constant around every attack."""
    source = attacks_.astype(np.float64)
    target = time_map.target_of(source)
    gap = np.minimum(np.diff(source), np.diff(target))
    gap_before, gap_after = np.append(np.inf, gap), np.append(gap, np.inf)
    start = target - np.minimum(BEFORE * rate, 0.65 * gap_before)
    stop = target + np.minimum(AFTER * rate, 0.1 * gap_after)
    # Far from attacks the map is followed as it is.
    free = np.arange(centres[0], centres[-1] + rate, 0.1 * rate)
    slot = np.searchsorted(start, free)
    clear = free - np.append(-np.inf, stop)[slot] > 0.1 * rate
    clear &= np.append(start, np.inf)[slot] - free > 0.1 * rate
    free = free[clear]
    knots = np.concatenate([start, stop, free])
    shifts = np.concatenate([source - target, source - target, time_map.source_of(free) - free])
    order = np.argsort(knots, kind="stable")
    return np.interp(centres, knots[order], shifts[order]) if len(knots) else time_map.source_of(centres) - centres


def _analyses(
    samples: Samples, sources: NDArray[np.int64], hop: int, window: Samples
) -> Iterator[tuple[Spectra, Spectra]]:
    """Spectra of the frames centred on ``sources`` and of those one hop earlier, in batches."""
    size = len(window)
    padded = np.pad(samples.T, ((0, 0), (2 * size, 2 * size)))
    frame_at = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)
    starts = np.clip(sources, -size, samples.shape[0] + size) + 2 * size - size // 2

    def transform(at: NDArray[np.int64]) -> Spectra:
        return np.asarray(scipy.fft.rfft(frame_at[:, at] * window, axis=2))

    for first in range(0, len(starts), BATCH):
        here = starts[first : first + BATCH]
        now = transform(here)
        earlier = np.empty_like(now)
        jumps = np.append(True, np.diff(here) != hop)
        earlier[:, jumps] = transform(here[jumps] - hop)
        steady = np.flatnonzero(~jumps)
        earlier[:, steady] = now[:, steady - 1]
        yield now, earlier


def _in_step(analyses: Iterator[tuple[Spectra, Spectra]], new_energy: NDArray[np.float32]) -> Iterator[Spectra]:
    """Turn each frame into step with the one laid down before it, a batch at a time.

    ``new_energy``, shape ``(frames,)``, is the growth from which a bin of each frame counts as an attack.
    """
    laid: NDArray[np.complex64] | None = None
    for batch, (now, earlier) in enumerate(analyses):
        least = new_energy[batch * BATCH : (batch + 1) * BATCH, None]
        growth = np.maximum(_energy(now) - least * _energy(earlier), 0)
        laid = np.zeros_like(now[:, 0]) if laid is None else laid
        for k in range(now.shape[1]):
            vote = _with_neighbours((laid * earlier[:, k].conj()).sum(axis=0) + growth[k])
            length = np.abs(vote)
            laid = now[:, k] * np.where(length > TINY, vote / np.maximum(length, TINY), np.complex64(1))
            now[:, k] = laid
        yield now


def _with_neighbours(votes: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Each bin's vote averaged with those of its lobe and, more weakly, of its band; shape ``(bins,)``."""
    low, high = _band_edges(len(votes))
    sums = np.concatenate(([0], np.cumsum(votes, dtype=np.complex128)))
    band = (sums[high] - sums[low]) * (BAND_WEIGHT / (high - low))
    return np.asarray(np.convolve(votes, LOBE, mode="same") + band, dtype=np.complex64)


@cache
def _band_edges(bins: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First bin of the band around each bin, and one past its last; at least two bins to either side."""
    k = np.arange(bins)
    reach = np.maximum(2, (BAND * k).astype(np.int64))
    return np.maximum(k - reach, 0), np.minimum(k + reach + 1, bins)


def _energy(spectra: Spectra) -> NDArray[np.float32]:
    """Energy of each bin over all channels, shape ``(frames, bins)``."""
    return np.asarray((spectra.real**2 + spectra.imag**2).sum(axis=0))
