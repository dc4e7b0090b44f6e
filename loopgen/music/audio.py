"""Sound as a value: samples and their rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopgen.music.tempo import check_rate

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """Samples of shape ``(frames, channels)``, float32, read-only, full scale ±1, at ``rate`` Hz.

    One dimension is taken as mono. Raises ``ValueError`` for other shapes and ``InvalidRequest`` for an odd rate.

    >>> tone = Audio(np.zeros(48_000), 48_000)
    >>> tone.frames, tone.channels, tone.seconds
    (48000, 1, 1.0)
    """

    samples: Samples
    rate: int

    def __init__(self, samples: ArrayLike, rate: int) -> None:
        array = np.asarray(samples, dtype=np.float32)
        if array.ndim == 1:
            array = array[:, None]
        if array.ndim != 2 or array.shape[1] < 1:
            raise ValueError(f"samples have shape {array.shape}; expected (frames,) or (frames, channels)")
        view = np.ascontiguousarray(array).view()
        view.flags.writeable = False
        object.__setattr__(self, "samples", view)
        object.__setattr__(self, "rate", check_rate(rate))

    @property
    def frames(self) -> int:
        """Number of sample frames."""
        return int(self.samples.shape[0])

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.samples.shape[1])

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.frames / self.rate

    def mono(self) -> Samples:
        """Mean over the channels, shape ``(frames,)``, float32."""
        return np.asarray(self.samples.mean(axis=1, dtype=np.float32))

    def with_samples(self, samples: ArrayLike) -> Audio:
        """Other samples at the same rate."""
        return Audio(samples, self.rate)

    @property
    def scale(self) -> float:
        """The least power of two, 1 at least, that is louder than every sample: full scale of 24 bits that hold all."""
        peak = float(np.abs(self.samples).max(initial=0.0))
        return 2.0 ** max(0, math.frexp(peak / (1 - 2.0**-23))[1]) if peak > 1 - 2.0**-23 else 1.0

    def in_24_bits(self) -> Audio:
        """The same as 24 bits of ``scale`` hold it, for ever: what is kept on disk is what was there before.

        >>> Audio([0.1], 44_100).in_24_bits().samples * 2**23
        array([[838861.]], dtype=float32)
        """
        step = self.scale * 2.0**-23
        return self.with_samples(np.rint(self.samples.astype(np.float64) / step) * step)
