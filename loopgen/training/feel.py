"""From places as written to places as played: swing, lateness and the unsteadiness of hands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loopgen.music.tempo import Meter
from loopgen.training.score import DRUMS, PARTS

Rng = np.random.Generator
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Feel:
    """``swing`` is how late the second of two notes of ``unit`` sixteenths comes, in units (a third: triplets).

    ``jitter`` is the standard deviation of every stroke and ``late`` what each instrument is behind, in sixteenths.
    """

    swing: float
    unit: int
    jitter: float
    late: dict[str, float]

    def played(self, rng: Rng, written: Sequence[float] | Array, who: str) -> Array:
        """Places as ``who`` plays them, in sixteenths."""
        places = np.asarray(written, dtype=np.float64)
        pair, within = np.divmod(places / self.unit, 2)
        bent = np.where(within < 1, within * (1 + self.swing), 2 - (2 - within) * (1 - self.swing))
        hands = rng.standard_normal(len(places)) if self.jitter else 0.0
        return np.asarray((2 * pair + bent) * self.unit + self.late[who] + self.jitter * hands)


def feel(rng: Rng, meter: Meter, sixteenth: float, swung: int, triplets: bool) -> Feel:
    """A way to play; ``sixteenth`` in seconds, ``swung`` the unit a style likes to swing (0: none).

    Music written in triplets stays straight; eighths swing only where the pulse is a quarter.
    """
    swing, unit = 0.0, 1
    if not triplets and meter.denominator <= 8:
        if rng.random() < (0.75 if swung else 0.2):
            unit = swung or (2 if rng.random() < 0.25 else 1)
            swing = float(rng.uniform(0.04, 0.34))
        if unit == 2 and meter.denominator > 4:
            swing, unit = 0.0, 1
    loose = rng.random() < 0.45
    jitter = float(rng.uniform(0.002, 0.010)) if loose else float(rng.choice([0.0, 0.0, 0.001]))
    spread = float(rng.uniform(0.001, 0.006)) if loose or rng.random() < 0.4 else 0.0
    late = {who: float(np.clip(spread * rng.standard_normal(), -0.015, 0.015)) for who in (*DRUMS, *PARTS)}
    late["kick"] *= 0.3
    if rng.random() < 0.14:  # laid back
        behind = float(rng.uniform(0.006, 0.028))
        for who in ("snare", "clap", "rim"):
            late[who] += behind
    if rng.random() < 0.1:
        late["hat"] -= float(rng.uniform(0.003, 0.012))
    if rng.random() < 0.15:
        late["lead"] += float(rng.uniform(0.005, 0.035))
    if rng.random() < 0.1:
        late["bass"] += float(rng.uniform(0.004, 0.02))
    return Feel(swing, unit, jitter / sixteenth, {who: seconds / sixteenth for who, seconds in late.items()})
