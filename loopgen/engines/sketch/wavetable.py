"""Oscillators whose spectrum moves: cycles of a wave for several moments, read with a sliding position.

A note is heard through its harmonics; a filter that closes, a string that dulls and a hammer's brightness are all
"the amplitude of harmonic h at time t". So every harmonic instrument here is a few spectra (rows of a table) and a
path through them, which costs four look-ups a sample whatever the number of harmonics, and never aliases.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float64]
SIZE = 4096
"""Samples a cycle; linear interpolation then errs by -60 dB or less for harmonics that matter."""


def harmonics(frequency: float, rate: int, most: int = 160) -> Wave:
    """Harmonic numbers 1, 2, ... below 0.45 of the rate (and at least the first), at most ``most``."""
    return np.arange(1.0, max(1, min(most, int(0.45 * rate / frequency))) + 1)


def table(amplitudes: Wave, phases: Wave | None = None) -> Wave:
    """Cycles from harmonic amplitudes: ``(rows, harmonics) -> (rows, SIZE + 1)``, the first sample repeated at the end.

    ``phases`` in radians are those of sines; all 0 where missing.
    """
    rows = np.atleast_2d(amplitudes)
    spectrum = np.zeros((rows.shape[0], SIZE // 2 + 1), dtype=np.complex128)
    turn = -1j if phases is None else -1j * np.exp(1j * phases)
    spectrum[:, 1 : rows.shape[1] + 1] = rows * turn * (SIZE / 2)
    cycles = np.fft.irfft(spectrum, SIZE, axis=1)
    return np.concatenate([cycles, cycles[:, :1]], axis=1)


def scan(cycles: Wave, phase: Wave, row: Wave | None = None) -> Wave:
    """Read ``cycles`` at ``phase`` (in cycles, any size) and ``row`` (fractional, clipped), both of shape ``(n,)``."""
    place = (phase - np.floor(phase)) * SIZE
    index = place.astype(np.intp)
    part = place - index
    if row is None or len(cycles) == 1:
        first: Wave = cycles[0]
        flat_low = first.take(index)
        return np.asarray(flat_low + part * (first.take(index + 1) - flat_low))
    row = np.clip(row, 0.0, len(cycles) - 1.000001)
    above = row.astype(np.intp)
    blend = row - above
    flat = cycles.ravel()
    width = cycles.shape[1]
    index += above * width
    low = flat.take(index)
    low += part * (flat.take(index + 1) - low)
    index += width
    high = flat.take(index)
    high += part * (flat.take(index + 1) - high)
    high -= low
    high *= blend
    low += high
    return low


class Filtered:
    """A wave of given harmonic ``amplitudes`` behind a resonant low-pass whose cutoff may move.

    The magnitude is that of a two-pole filter, squared for four poles:
    ``1 / sqrt((1 - x^2)^2 + (x / q)^2)`` with ``x = f / cutoff``.
    """

    LOW, STEPS_PER_OCTAVE = 60.0, 3

    def __init__(self, frequency: float, amplitudes: Wave, q: float = 0.8, poles: int = 4) -> None:
        octaves = np.log2(18_000.0 / self.LOW)
        cutoffs = self.LOW * 2 ** (np.arange(int(octaves * self.STEPS_PER_OCTAVE) + 2) / self.STEPS_PER_OCTAVE)
        x = frequency * np.arange(1, len(amplitudes) + 1)[None, :] / cutoffs[:, None]
        magnitude = 1 / np.sqrt((1 - x**2) ** 2 + (x / q) ** 2)
        if poles == 4:
            magnitude *= 1 / np.sqrt(1 + x**4)
        self._cycles = table(amplitudes[None, :] * magnitude)

    def play(self, phase: Wave, cutoff: Wave) -> Wave:
        """Samples at ``phase`` in cycles with ``cutoff`` in Hz, both ``(n,)``."""
        return scan(self._cycles, phase, np.log2(np.maximum(cutoff, self.LOW) / self.LOW) * self.STEPS_PER_OCTAVE)


def saw(h: Wave) -> Wave:
    """Harmonic amplitudes of a sawtooth."""
    return 1 / h


def square(h: Wave, width: float = 0.5) -> Wave:
    """Harmonic amplitudes of a pulse of the given width."""
    return np.asarray(np.sin(np.pi * h * width) / h)


def string(h: Wave, seconds: Wave, pick: float, brightness: float, tau: float, damping: float) -> Wave:
    """Harmonics of a plucked or struck string at several moments: ``(moments, harmonics)``.

    ``pick`` is where it is struck (share of its length: harmonics with a node there are missing), ``brightness`` the
    harmonic at which the pluck has lost half, ``tau`` the fundamental's decay time in seconds, ``damping`` how much
    faster the h-th dies, per harmonic.
    """
    pluck = np.abs(np.sin(np.pi * h * pick)) / h / np.sqrt(1 + (h / brightness) ** 2)
    return np.asarray(pluck * np.exp(-seconds[:, None] * (1 + damping * (h - 1)) / tau))


def ensemble(
    frequency: float, amplitudes: Wave, cents: float, rate: int, rng: np.random.Generator, channels: int = 2
) -> Wave:
    """Many players on one note: each harmonic smeared over ``cents`` (Nasca's PADsynth), ``(channels, n)``, periodic.

    Harmonics of 150 Hz and below have the same phase on all channels, so that they survive mono.
    """
    size = 1 << (16 if rate <= 50_000 else 17)
    spectrum = np.zeros((channels, size // 2 + 1), dtype=np.complex128)
    for k, amplitude in enumerate(amplitudes, 1):
        centre = k * frequency * size / rate
        width = max(centre * (2 ** (cents / 1200) - 1), 0.7)
        low, high = max(1, int(centre - 3 * width)), min(size // 2, int(centre + 3 * width) + 1)
        if low >= high:
            continue
        bins = np.arange(low, high + 1)
        shape = np.exp(-(((bins - centre) / width) ** 2)) * amplitude / np.sqrt(width)
        angles = rng.random((channels, len(bins)))
        if k * frequency <= 150:
            angles[:] = angles[0]
        spectrum[:, low : high + 1] += shape * np.exp(2j * np.pi * angles)
    waves = np.fft.irfft(spectrum, size, axis=1)
    return np.asarray(waves / max(float(np.sqrt(np.mean(waves**2))), 1e-12) * 0.25)
