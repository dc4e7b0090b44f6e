"""Are loops exactly as long as they should be? The whole way through ``conform``, on takes of any state."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from loopgen.looping.make import make
from loopgen.music.audio import Audio
from loopgen.music.loop import Take
from loopgen.music.request import LoopRequest
from loopgen.music.tempo import Meter
from tests.bench.options import Options


def run(options: Options) -> None:
    """Count exact lengths over random tempo, bars, meter, rate and take."""
    rng = np.random.default_rng(20)
    cases = 20 if options.quick else 100
    exact = 0
    for _ in range(cases):
        bpm = Fraction(int(rng.integers(20_000, 999_001)), 1000)
        meter = Meter(int(rng.integers(1, 17)), int(rng.choice([1, 2, 4, 8, 16])))
        rate = int(rng.choice([8_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000]))
        longest = 12 * bpm / 60 / meter.quarters  # bars in twelve seconds
        bars = int(rng.integers(1, max(2, min(64, int(longest)) + 1)))
        seconds = float(rng.uniform(0.2, 20))
        source_rate = int(rng.choice([8_000, 32_000, 44_100, 48_000]))
        noise = rng.standard_normal((int(seconds * source_rate), int(rng.integers(1, 3))))
        pulse = np.exp(-8 * ((np.arange(len(noise)) / source_rate * float(bpm) / 60) % 1))
        take = Take(Audio(0.2 * noise * pulse[:, None], source_rate), "noise", 0)
        loop = make(take, LoopRequest("", bpm, bars, meter, rate=rate))
        # Written out again on purpose: the product's own function must not check itself.
        quarters = Fraction(4 * bars * meter.numerator, meter.denominator)
        exact += loop.audio.frames == math.floor(rate * 60 * quarters / bpm + Fraction(1, 2))
    print(f"exact lengths    {exact} of {cases} ({exact / cases:.0%})   (to reach: 100%)")
