"""Small signal tools of the training sounds: filters, sums of ringing modes, random draws.

Waves are mono, shape ``(frames,)``. Filters are the second-order sections of Bristow-Johnson's *Cookbook formulae for
audio EQ biquad coefficients*, designed in microseconds, as a training set designs thousands of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import sosfilt

Wave = NDArray[np.float32]
Sections = NDArray[np.float64]
Numbers = NDArray[np.floating[Any]]
Range = tuple[float, float]

_WHOLE = 1 << 17
"""Multiplications in a matrix product that BLAS leaves to one thread, so that sums do not depend on their number."""


def between(rng: np.random.Generator, span: Range) -> float:
    """A number in ``span``, even on a logarithmic scale where both ends are positive."""
    low, high = span
    if low > 0:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))
    return float(rng.uniform(low, high))


def gain(decibels: float) -> float:
    """A factor from decibels."""
    return float(10 ** (decibels / 20))


def noise(frames: int, rng: np.random.Generator) -> Wave:
    """White noise of standard deviation 1."""
    return rng.standard_normal(frames, dtype=np.float32)


def low_pass(frequency: float, rate: int, q: float = 0.7071) -> Sections:
    """Second-order low-pass at ``frequency`` Hz."""
    cosine, alpha = _angle(frequency, rate, q)
    return _section((1 - cosine) / 2, 1 - cosine, (1 - cosine) / 2, 1 + alpha, -2 * cosine, 1 - alpha)


def high_pass(frequency: float, rate: int, q: float = 0.7071) -> Sections:
    """Second-order high-pass at ``frequency`` Hz."""
    cosine, alpha = _angle(frequency, rate, q)
    return _section((1 + cosine) / 2, -1 - cosine, (1 + cosine) / 2, 1 + alpha, -2 * cosine, 1 - alpha)


def band_pass(low: float, high: float, rate: int) -> Sections:
    """Both of the above: what lies between ``low`` and ``high`` Hz."""
    return np.concatenate([high_pass(low, rate), low_pass(high, rate)])


def peak(frequency: float, decibels: float, rate: int, q: float = 1.0) -> Sections:
    """Bell of ``decibels`` around ``frequency`` Hz."""
    cosine, alpha = _angle(frequency, rate, q)
    a = gain(decibels / 2)
    return _section(1 + alpha * a, -2 * cosine, 1 - alpha * a, 1 + alpha / a, -2 * cosine, 1 - alpha / a)


def high_shelf(frequency: float, decibels: float, rate: int) -> Sections:
    """Shelf of ``decibels`` above ``frequency`` Hz."""
    cosine, alpha = _angle(frequency, rate, 0.7071)
    a = gain(decibels / 2)
    root = 2 * np.sqrt(a) * alpha
    return _section(
        a * (a + 1 + (a - 1) * cosine + root),
        -2 * a * (a - 1 + (a + 1) * cosine),
        a * (a + 1 + (a - 1) * cosine - root),
        a + 1 - (a - 1) * cosine + root,
        2 * (a - 1 - (a + 1) * cosine),
        a + 1 - (a - 1) * cosine - root,
    )


def filtered(x: Wave, sections: Sections) -> Wave:
    """``x`` through ``sections``, at the precision of ``x``."""
    return np.asarray(sosfilt(sections.astype(np.float32), x), dtype=np.float32)


def unit(x: Wave) -> Wave:
    """``x`` with a peak of 1; silence stays."""
    return np.asarray(x / max(float(np.abs(x).max(initial=0.0)), 1e-9), dtype=np.float32)


def times(seconds: float, rate: int) -> Wave:
    """Seconds of each frame of a sound of that length, at least 32 frames."""
    return np.arange(max(32, int(seconds * rate)), dtype=np.float32) / np.float32(rate)


def ringing(
    frequencies: Numbers,
    amplitudes: Numbers,
    taus: Numbers,
    frames: int,
    rate: int,
    phases: Numbers | None = None,
) -> Wave:
    """Sum of sines that die by 1/e in ``taus`` seconds each; those near the Nyquist frequency and above are left out.

    A decaying sine is a power of one complex number, so that the value at frame ``a * block + b`` is a product of
    two tables; the sum over all modes is then a product of two small matrices, however many modes there are.
    """
    heard = frequencies < 0.47 * rate
    step = (-1 / taus[heard] + 2j * np.pi * frequencies[heard]) / rate
    start = amplitudes[heard].astype(np.complex128)
    if phases is not None:
        start *= np.exp(1j * phases[heard])
    block = 1 << max(4, int(np.log2(frames) / 2))
    coarse = (np.exp(np.outer(np.arange(0, frames, block), step)) * start).astype(np.complex64)
    fine = np.exp(np.outer(step, np.arange(block))).astype(np.complex64)
    left = np.concatenate([coarse.real, coarse.imag], axis=1)
    right = np.concatenate([fine.imag, fine.real])
    rows = max(1, _WHOLE // right.size)
    parts = [left[row : row + rows] @ right for row in range(0, len(left), rows)]
    return np.asarray(np.concatenate(parts).ravel()[:frames], dtype=np.float32)


def room(seconds: float, duller: float, rate: int, rng: np.random.Generator) -> Wave:
    """Impulse response of a room of energy 1: noise that falls by 60 dB in ``seconds``, dulled above ``duller`` Hz."""
    t = times(min(seconds, 2.0), rate)
    tail = noise(len(t), rng) * np.exp(-6.9 * t / np.float32(seconds))
    tail = filtered(tail, low_pass(duller, rate))
    return np.asarray(tail / np.sqrt(np.sum(tail**2)), dtype=np.float32)


def _angle(frequency: float, rate: int, q: float) -> tuple[float, float]:
    """Cosine of a frequency's angle and the cookbook's alpha; frequencies are kept below 0.46 of the rate."""
    angle = 2 * np.pi * min(max(frequency, 10.0), 0.46 * rate) / rate
    return float(np.cos(angle)), float(np.sin(angle) / (2 * q))


def _section(b0: float, b1: float, b2: float, a0: float, a1: float, a2: float) -> Sections:
    return np.array([[b0 / a0, b1 / a0, b2 / a0, 1.0, a1 / a0, a2 / a0]])
