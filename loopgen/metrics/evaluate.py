"""All scores of a finished loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from loopgen.metrics.grid import GridScores, grid, length_error
from loopgen.metrics.loudness import loudness, sample_peak, true_peak
from loopgen.metrics.seam import SeamScores, seam
from loopgen.music.audio import Audio
from loopgen.music.tempo import Meter


@dataclass(frozen=True, slots=True)
class LevelScores:
    """``loudness`` in LUFS, ``sample_peak`` in dBFS, ``true_peak`` in dBTP; ``-inf`` for silence."""

    loudness: float
    sample_peak: float
    true_peak: float


@dataclass(frozen=True, slots=True)
class Scores:
    """What the ear would check of a loop: ``length_error`` in samples, its seam, grid and level."""

    length_error: int
    seam: SeamScores
    grid: GridScores
    level: LevelScores

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, rounded for people; what is not a finite number becomes ``None``."""
        return {
            "length_error": self.length_error,
            "seam": self.seam.to_dict(),
            "grid": {name: _rounded(value) for name, value in asdict(self.grid).items()},
            "level": {name: _rounded(value) for name, value in asdict(self.level).items()},
        }


def evaluate(
    audio: Audio, bpm: Fraction, bars: int, meter: Meter, *, checkpoint: Callable[[], None] = lambda: None
) -> Scores:
    """Score a finished loop of ``bars`` bars at ``bpm`` quarter notes a minute.

    ``checkpoint`` is called between the measurements, and may raise to cancel. Raises ``ValueError`` for audio that is
    empty or not finite.
    """
    seam_scores = seam(audio, bars, meter)
    checkpoint()
    grid_scores = grid(audio, bars, meter)
    checkpoint()
    level = LevelScores(loudness(audio), sample_peak(audio), true_peak(audio))
    return Scores(length_error(audio.frames, bpm, bars, meter, audio.rate), seam_scores, grid_scores, level)


def _rounded(value: float | None) -> float | None:
    """To six places at most, which keeps a relative tempo error of 1e-6 visible."""
    return round(value, 6) if value is not None and math.isfinite(value) else None
