"""What a take would have gone on to sound like, for a moment beyond its ends.

A seam wants music from before the loop's start or after its stop. A take that holds exactly the loop has neither. Then
an all-pole model of its last moment carries it on for as long as a fade takes: steady tones ring on by linear
prediction, as in repairing lost samples (Kauppinen & Roth 2002), and noise goes on as noise of the same colour, level
and place between the channels, which drives the model as the model's own errors did.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter, lfiltic

Float = NDArray[np.float64]

_ORDER = 256  # two poles a partial: enough for several notes of a chord
_PAST = 0.15  # seconds that the model is learnt from
_RECENT = 0.04  # seconds whose errors tell the level of the noise


def carry_on(samples: NDArray[np.floating], frames: int, rate: int) -> NDArray[np.float32]:
    """``frames`` samples to follow ``samples`` ``(n, channels)``, shape ``(frames, channels)``, float32.

    The same input gives the same output. Silence is followed by silence, and so is next to nothing.
    """
    past = np.asarray(samples[-round(_PAST * rate) :], dtype=np.float64)
    order = min(_ORDER, len(past) // 4)
    out = np.zeros((frames, past.shape[1]))
    if not frames or not order:
        return out.astype(np.float32)
    models = [burg(x, order) for x in past.T]
    errors = np.stack([lfilter(taps, [1.0], x)[order:] for taps, x in zip(models, past.T, strict=True)])
    drive = _noise_like(errors[:, -round(_RECENT * rate) :], frames)
    for channel, (taps, x) in enumerate(zip(models, past.T, strict=True)):
        state = lfiltic([1.0], taps, x[: -order - 1 : -1])
        out[:, channel] = lfilter([1.0], taps, drive[channel], zi=state)[0]
    loudest = np.abs(past).max()
    return np.clip(out, -loudest, loudest).astype(np.float32)


def _noise_like(errors: Float, frames: int) -> Float:
    """White noise ``(channels, frames)`` with the covariance of ``errors`` between the channels."""
    values, vectors = np.linalg.eigh(errors @ errors.T / errors.shape[1])
    noise = np.random.default_rng(0).standard_normal((len(values), frames))
    return np.asarray(vectors @ (np.sqrt(np.maximum(values, 0))[:, None] * noise))


def burg(x: Float, order: int) -> Float:
    """Coefficients ``(order + 1,)`` of the prediction error filter of ``x``, the first 1, by Burg's method (1967).

    Its poles lie within the unit circle. Unlike the autocorrelation method it needs no window, so that steady tones
    stay steady.

    >>> taps = burg(np.sin(0.3 * np.arange(200)), 2)
    >>> bool(np.allclose(taps, [1, -2 * np.cos(0.3), 1], atol=1e-3))
    True
    """
    forward, backward = x[1:].copy(), x[:-1].copy()
    taps = np.ones(1)
    for _ in range(order):
        power = float(forward @ forward + backward @ backward)
        k = -2 * float(forward @ backward) / power if power > 1e-20 else 0.0
        taps = np.concatenate([taps, [0.0]]) + k * np.concatenate([[0.0], taps[::-1]])
        forward, backward = (forward + k * backward)[1:], (backward + k * forward)[:-1]
    return taps
