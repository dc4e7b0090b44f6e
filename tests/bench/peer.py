"""The nearest peer's way from take to loop, rebuilt from its published source's steps.

Beats at 50 frames a second, the loop from the first downbeat, a linear blend of 100 samples with what comes before it,
and only then one global stretch. Its neural beat tracker is stood in for by librosa's, told the tempo, with the
downbeat on the beat of the bar that has most low-frequency onsets.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import librosa
import numpy as np
import soxr
from numpy.typing import NDArray
from python_stretch import Signalsmith

from loopgen.music.audio import Audio
from loopgen.music.tempo import Meter, loop_frames

_RATE, _HOP, _BLEND = 22_050, 441, 100


@dataclass(frozen=True, slots=True, eq=False)
class PeerLoop:
    """The loop, and from where to where in the take (seconds) it was cut."""

    audio: Audio
    start: float
    stop: float


def peer_loop(
    take: Audio, bpm: Fraction, bars: int, meter: Meter, rate: int, downbeats: NDArray[np.float64] | None = None
) -> PeerLoop | None:
    """Make a loop the peer's way, from its own beats or given ``downbeats``; None where it would ask to try again."""
    if downbeats is None:
        downbeats = track(take, float(bpm), meter)
    downbeats = downbeats[downbeats > _BLEND / take.rate]
    if len(downbeats) <= bars:
        return None
    start, stop = float(downbeats[0]), float(downbeats[bars])
    a, b = round(start * take.rate), round(stop * take.rate)
    if b > take.frames:
        return None
    loop = np.array(take.samples[a:b])
    ramp = np.linspace(0, 1, _BLEND, dtype=np.float32)[:, None]
    loop[-_BLEND:] = loop[-_BLEND:] * (1 - ramp) + take.samples[a - _BLEND : a] * ramp
    frames = loop_frames(bpm, bars, meter, take.rate)
    stretched = _stretch(loop, take.rate, frames / len(loop))[:frames]
    out = stretched if rate == take.rate else soxr.resample(stretched, take.rate, rate, quality="VHQ")
    return PeerLoop(Audio(np.ascontiguousarray(out), rate), start, stop)


def track(take: Audio, bpm: float, meter: Meter) -> NDArray[np.float64]:
    """Downbeats in seconds."""
    mono = librosa.resample(take.mono(), orig_sr=take.rate, target_sr=_RATE)
    beat_bpm = bpm / float(meter.beat_quarters)
    _, frames = librosa.beat.beat_track(y=mono, sr=_RATE, hop_length=_HOP, start_bpm=beat_bpm, trim=False)
    if len(frames) < meter.beats:
        return np.zeros(0)
    low = librosa.onset.onset_strength(y=mono, sr=_RATE, hop_length=_HOP, fmax=150)
    strength = [low[frames[k :: meter.beats]].mean() for k in range(meter.beats)]
    beats = librosa.frames_to_time(frames, sr=_RATE, hop_length=_HOP)
    return np.asarray(beats[int(np.argmax(strength)) :: meter.beats])


def _stretch(samples: NDArray[np.float32], rate: int, ratio: float) -> NDArray[np.float32]:
    stretcher = Signalsmith.Stretch()
    stretcher.preset(samples.shape[1], rate)
    stretcher.setTimeFactor(1 / ratio)
    return np.asarray(stretcher.process(np.ascontiguousarray(samples.T))).T
