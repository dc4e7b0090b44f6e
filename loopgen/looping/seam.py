"""The end of a loop, led into its beginning.

The take goes on before the loop's start and after its stop. Either can carry the wrap:

- **lead-in**: under the loop's last moments the music that really came before its start fades in, and is alone when
  sample 0 comes. The downbeat's attack is untouched and follows what it followed in the take.
- **ring-out**: the loop ends as it is; what came after its stop is heard at sample 0 and gives way to the loop's own
  beginning. For takes that start right on the downbeat. The attack heard is that of the bar after the loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from loopgen.music.audio import Audio
from loopgen.music.loop import Span

Float = NDArray[np.float64]
Side = Literal["lead-in", "ring-out"]


@dataclass(frozen=True, slots=True)
class Fade:
    """How the two ends meet; ``frames`` long, in samples.

    ``hold`` samples next to the wrap are taken from the other side alone: a fade of a lead-in ends that much before
    sample 0, one of a ring-out starts that much after it.
    """

    frames: int
    side: Side = "lead-in"
    hold: int = 0

    @property
    def reach(self) -> int:
        """How many samples next to the wrap are not the span's own."""
        return self.frames + self.hold


def seam(audio: Audio, span: Span, fade: int | Fade) -> Audio:
    """The loop of exactly ``span.frames`` samples, its end led into its beginning.

    Gains follow the correlation of the two sounds, so that neither a repeat swells nor unrelated sounds dip; all
    channels share them. Where ``audio`` has no samples there is silence. An ``int`` is a lead-in of so many samples.

    Raises ``ValueError`` for an empty span or a fade longer than it.
    """
    fade = Fade(fade) if isinstance(fade, int) else fade
    if span.frames < 1 or fade.frames < 0 or fade.hold < 0 or fade.reach > span.frames:
        raise ValueError(f"a fade of {fade.frames} and {fade.hold} samples does not fit a span of {span.frames}")
    loop = read(audio, span.start, span.stop)
    tail, head = ends(audio, span, fade)
    if len(tail):
        loop[-len(tail) :] = tail
    loop[: len(head)] = head
    return audio.with_samples(loop)


def ends(audio: Audio, span: Span, fade: Fade) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Last and first samples of the seamed loop as far as they differ from the span's own; one of them is empty."""
    none = np.zeros((0, audio.channels), dtype=np.float32)
    if fade.side == "lead-in":
        own = read(audio, span.stop - fade.reach, span.stop)
        other = read(audio, span.start - fade.reach, span.start)
        return crossfade(own, other, fade.frames), none
    own = read(audio, span.start, span.start + fade.reach)
    other = read(audio, span.stop, span.stop + fade.reach)
    return none, crossfade(own[::-1], other[::-1], fade.frames)[::-1]


def read(audio: Audio, start: int, stop: int) -> NDArray[np.float32]:
    """Samples ``start .. stop``, ``(stop - start, channels)``, float32, a copy, with silence outside the audio."""
    out = np.zeros((stop - start, audio.channels), dtype=np.float32)
    first, last = max(start, 0), min(stop, audio.frames)
    if last > first:
        out[first - start : last - start] = audio.samples[first:last]
    return out


def crossfade(leaving: NDArray[np.float32], coming: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """Go from one sound ``(n, channels)`` to another of the same length in the first ``frames`` samples, then stay.

    With angles from 0 to a right angle the gains are cos and sin over ``sqrt(1 + 2 r cos sin)``, r the correlation of
    the two sounds: constant power whatever they have in common (equal power alone swells by 3 dB on exact repeats).
    """
    out = coming.copy()
    if frames:
        angle = (np.arange(frames) + 0.5) / frames * (np.pi / 2)
        a, b = np.cos(angle), np.sin(angle)
        r = max(0.0, correlation(leaving[:frames], coming[:frames]))
        scale = 1 / np.sqrt(1 + 2 * r * a * b)
        out[:frames] = (a * scale)[:, None] * leaving[:frames] + (b * scale)[:, None] * coming[:frames]
    return out


def correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Normalised correlation of two sounds over all channels, -1 to 1; 0 where either is silent."""
    a, b, both = (float(np.sum(x * y, dtype=np.float64)) for x, y in ((one, one), (other, other), (one, other)))
    return both / (a * b) ** 0.5 if a * b > 0 else 0.0
