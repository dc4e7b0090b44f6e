"""Step 3: the whole take onto the exact grid, before anything is cut.

What is needed decides how it is done, so that as little as possible happens to the sound:

- a take that is on the tempo already is moved by whole samples, no more;
- one that is steady and at most 0.3% off is resampled: 5 cents, transients exact;
- everything else, wobbling takes included, goes beat by beat through the vocoder, pitch unchanged,
  strong attacks as they were played.

The choice never depends on what else is installed, so the same take gives the same loop everywhere; Signalsmith
Stretch and Rubber Band are there for whoever asks for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import numpy as np
import soxr

from loopgen.errors import InvalidRequest
from loopgen.looping.stretching.attacks import attacks
from loopgen.looping.stretching.restore import restore
from loopgen.looping.stretching.rubberband import find_command, rubberband
from loopgen.looping.stretching.signalsmith import signalsmith
from loopgen.looping.stretching.timemap import TimeMap, place
from loopgen.looping.stretching.vocoder import vocode
from loopgen.music.audio import Audio, Samples
from loopgen.music.beats import BeatGrid
from loopgen.music.tempo import beat_seconds, check_rate, round_half_up

EXACT_SAMPLES = 0.25
"""A take whose beats all lie this close to the grid is on it; half a sample is the error of rounding a position."""

STEADY_SECONDS = 0.0005
"""Beats that stay this close to one tempo are steady: half of what an onset may deviate, and less than is heard."""

RESAMPLED = 0.003
"""Largest change of tempo made by resampling: 5.2 cents, about the least difference of pitch that is heard."""

Stretcher = Callable[[Samples, TimeMap, int, int], Samples]


def _vocoded(samples: Samples, time_map: TimeMap, frames: int, rate: int) -> Samples:
    """Through the vocoder, strong attacks as they were played."""
    out = vocode(samples, time_map, frames, rate)
    smooth = time_map.smooth() if len(time_map.source) > 2 else time_map
    restore(out, samples, smooth, rate, attacks(samples, rate))
    return out


STRETCHERS: dict[str, Stretcher] = {"vocoder": _vocoded, "signalsmith": signalsmith, "rubberband": rubberband}


@dataclass(frozen=True, slots=True, eq=False)
class Gridded:
    """A take on the exact grid.

    Attributes:
        audio: at the requested rate; beat k of the grid lies at ``k * beat_frames``, beat 0 at sample 0.
        beat_frames: length of a beat in samples, exact: ``rate * beat_seconds(bpm, meter)``.
        downbeat: index of the first beat that starts a bar.
        beats: number of beats of the grid.
        valid: half-open range of samples that hold sound of the take; elsewhere there is silence.
        stretcher: what was done: ``"none"``, ``"resample"``, ``"vocoder"``, ``"signalsmith"`` or ``"rubberband"``.
        ratio: mean output length over input length.
    """

    audio: Audio
    beat_frames: Fraction
    downbeat: int
    beats: int
    valid: tuple[int, int]
    stretcher: str
    ratio: float


def stretch(audio: Audio, grid: BeatGrid, bpm: Fraction, rate: int, *, stretcher: str = "auto") -> Gridded:
    """Bring ``audio`` onto a grid of exactly ``bpm`` (quarter notes a minute) at ``rate`` Hz.

    ``stretcher`` names the way to stretch where stretching is needed: ``"auto"`` is as the top of this file says;
    ``"vocoder"``, ``"signalsmith"``, ``"rubberband"`` and ``"resample"`` insist (a take that is on the grid already is
    left alone all the same). Raises as ``check_stretcher`` does.
    """
    check_stretcher(stretcher)
    beat = check_rate(rate) * beat_seconds(bpm, grid.meter)
    time_map = TimeMap(grid.beats * rate, np.arange(len(grid.beats), dtype=np.float64) * float(beat))
    done, time_map = _choose(time_map, rate, stretcher)
    begin, end = time_map.target_of([0.0, audio.seconds * rate])
    frames = max(round_half_up((len(grid.beats) - 1) * beat), ceil(end))
    samples = _apply(done, audio, time_map, frames, rate)
    start = min(max(ceil(begin), 0), frames)
    stop = max(min(floor(end), frames), start)
    samples[:start] = samples[stop:] = 0
    return Gridded(Audio(samples, rate), beat, grid.downbeat, len(grid.beats), (start, stop), done, time_map.ratio)


def check_stretcher(name: str) -> None:
    """Refuse what ``stretch`` cannot use, before any work is done.

    Raises ``InvalidRequest`` for an unknown name and ``EngineUnavailable`` for Rubber Band where it is not installed.
    """
    choices = ("auto", "resample", *STRETCHERS)
    if name not in choices:
        raise InvalidRequest("stretcher", name, "one of " + ", ".join(choices))
    if name == "rubberband":
        find_command()


def _choose(time_map: TimeMap, rate: int, wanted: str) -> tuple[str, TimeMap]:
    """What to do, and the map to do it with: a straight line where the take is steady."""
    late = time_map.target - time_map.source
    if np.ptp(late) <= 2 * EXACT_SAMPLES:
        middle = (late.min() + late.max()) / 2
        return "none", TimeMap(time_map.source, time_map.source + middle)
    if np.max(np.abs(time_map.residual())) <= STEADY_SECONDS * rate:
        time_map = time_map.line()
        if wanted == "auto" and abs(time_map.ratio - 1) <= RESAMPLED:
            return "resample", time_map
    if wanted == "resample":
        return "resample", time_map.line()
    return ("vocoder" if wanted == "auto" else wanted), time_map


def _apply(done: str, audio: Audio, time_map: TimeMap, frames: int, rate: int) -> Samples:
    """The samples of the result, writeable."""
    if done in ("none", "resample"):
        ratio = 1.0 if done == "none" else time_map.ratio
        return place(_resampled(audio, rate * ratio), round(float(time_map.target_of(0.0))), frames)
    return STRETCHERS[done](_resampled(audio, rate), time_map, frames, rate)


def _resampled(audio: Audio, rate: float) -> Samples:
    """The samples at another rate, without delay: frame n is at ``n / rate`` seconds."""
    if rate == audio.rate or not audio.frames:
        return audio.samples
    return np.asarray(soxr.resample(audio.samples, audio.rate, rate, quality="VHQ"), dtype=np.float32)
