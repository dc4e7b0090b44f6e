"""Where the beats of a recording lie."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from loopgen.music.tempo import Meter


@dataclass(frozen=True, slots=True)
class Rival:
    """The second likeliest beat 1 of a bar.

    Attributes:
        beats: how many beats later than the grid's own it lies, more than 0 and less than a bar; a fraction where the
            beat itself is in doubt.
        confidence: probability that it is right, 0 to 1.
    """

    beats: Fraction
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    """What another listener says of a take: ``beats`` and ``downbeats`` in seconds, float64, increasing."""

    beats: NDArray[np.float64]
    downbeats: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class BeatGrid:
    """Beats of a take in seconds, which of them start a bar, and how sure that is.

    Attributes:
        beats: times in seconds, float64, shape ``(n,)``, n >= 2, strictly increasing; may reach outside the take by
            up to a beat, so that its first and last moments have a beat on either side.
        meter: the time signature; a beat is ``meter.beat_quarters`` quarter notes.
        downbeat: index of the first beat that starts a bar, ``0 <= downbeat < meter.beats``.
        confidence: probability that the beats are on the beat, 0 to 1.
        downbeat_confidence: probability that ``downbeat`` starts a bar, 0 to 1.
        source: who says so: ``"analysis"``, ``"engine"`` or ``"user"``.
        rival: where else the bar may well start; ``None`` where nobody asked or nothing is heard.
    """

    beats: NDArray[np.float64]
    meter: Meter
    downbeat: int
    confidence: float
    downbeat_confidence: float
    source: str = "analysis"
    rival: Rival | None = None

    def __post_init__(self) -> None:
        beats = np.array(self.beats, dtype=np.float64)
        if beats.ndim != 1 or len(beats) < 2 or not np.all(np.diff(beats) > 0) or not np.all(np.isfinite(beats)):
            raise ValueError("beats must be at least two strictly increasing, finite times in seconds")
        if not 0 <= self.downbeat < self.meter.beats:
            raise ValueError(f"downbeat {self.downbeat} must be from 0 to {self.meter.beats - 1}")
        for name in ("confidence", "downbeat_confidence"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} {getattr(self, name)} must be from 0 to 1")
        beats.flags.writeable = False
        object.__setattr__(self, "beats", beats)

    @classmethod
    def steady(
        cls,
        first_downbeat: float,
        beat_seconds: float,
        seconds: float,
        meter: Meter,
        *,
        confidence: float = 1.0,
        downbeat_confidence: float = 1.0,
        source: str = "engine",
    ) -> BeatGrid:
        """A grid of constant period that covers ``0 .. seconds`` with one beat to spare on either side.

        >>> BeatGrid.steady(0.75, 0.5, 2.0, Meter()).beats.tolist()
        [-0.25, 0.25, 0.75, 1.25, 1.75, 2.25]
        """
        first = int(np.ceil(-first_downbeat / beat_seconds)) - 1
        last = int(np.floor((seconds - first_downbeat) / beat_seconds)) + 1
        beats = first_downbeat + np.arange(first, max(last, first + 1) + 1, dtype=np.float64) * beat_seconds
        return cls(beats, meter, int(-first % meter.beats), confidence, downbeat_confidence, source)

    @property
    def period(self) -> float:
        """Mean length of a beat in seconds."""
        return float((self.beats[-1] - self.beats[0]) / (len(self.beats) - 1))

    @property
    def bpm(self) -> float:
        """Mean tempo in quarter notes a minute."""
        return float(60 * self.meter.beat_quarters) / self.period

    @property
    def downbeats(self) -> NDArray[np.float64]:
        """Times in seconds of the beats that start a bar."""
        return self.beats[self.downbeat :: self.meter.beats]

    @property
    def wobble(self) -> float:
        """Largest deviation of a beat from a constant tempo, in seconds."""
        k = np.arange(len(self.beats))
        return float(np.max(np.abs(self.beats - np.polyval(np.polyfit(k, self.beats, 1), k))))

    def position(self, seconds: float | Iterable[float]) -> NDArray[np.float64]:
        """Times in seconds as positions in beats counted from ``beats[0]``, continued with the outermost periods."""
        t = np.asarray(seconds, dtype=np.float64)
        k = np.arange(len(self.beats), dtype=np.float64)
        inside = np.interp(t, self.beats, k)
        first, last = self.beats[1] - self.beats[0], self.beats[-1] - self.beats[-2]
        before = (t - self.beats[0]) / first
        after = k[-1] + (t - self.beats[-1]) / last
        return np.where(t < self.beats[0], before, np.where(t > self.beats[-1], after, inside))
