"""A melody out of sound: the strongest pitch class of every moment, joined to notes.

A constant-Q spectrum (librosa's, tuned to the recording) is summed over the harmonics of each pitch and folded to
chroma. Where the sound is loud enough and one pitch class stands out, that class is heard; moments become notes, too
short ones join their neighbours, and notes begin where the waveform says that something begins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from loopgen.chroma import heard
from loopgen.errors import AudioUnreadable
from loopgen.music.audio import Audio
from loopgen.music.melody import Melody, Note
from loopgen.onsets import onset_times

MINUTES_MAX = 2

_RATE = 22_050
_HOP = 256
_LOWEST = 33
"""MIDI pitch of the lowest note that is heard, A1; ``_HEARD`` semitones from it can be notes, ``_ALL`` are analysed."""

_HEARD, _ALL = 66, 84
_PER_SEMITONE = 3
_LONGEST_WINDOW = 65_536
"""Samples that librosa's lowest octave needs; shorter clips are followed by silence."""

_HARMONICS = ((0, 1.0), (12, 0.6), (19, 0.36), (24, 0.22), (28, 0.13))
"""Semitones above a pitch, and weight, of its first partials."""

_GATE_DB = 40.0
"""How far below the loud moments of the clip (its 95th percentile) a note may still sound."""

_SILENT = 10 ** (-60 / 20)
_CLEAR = 0.2
"""Share of the chroma that the strongest class has at least; noise reaches 0.15, a triad gives each note 0.25."""

_SHORTEST_SECONDS = 0.07
_SMOOTHED_FRAMES = 5
_SNAP_SECONDS = 0.06
_STRUCK_AGAIN = 1.5
"""Times that the level grows at an onset which parts two notes of one pitch (3.5 dB): noise and vibrato stay below."""


def hear_melody(audio: Audio, bpm: Fraction) -> Melody:
    """The melody of a clip: notes in quarters of ``bpm``, as long as the clip (in whole quarters).

    One note at a time: of chords and mixes it is the strongest. Pitch classes are reliable, octaves an estimate.
    The strongest pitch class of every moment comes along as ``Melody.heard``.
    Raises ``AudioUnreadable`` where no note is heard, the clip lasts longer than two minutes, or librosa is missing.
    """
    try:
        import librosa
    except ImportError:
        raise AudioUnreadable(
            "hearing the melody of an audio clip needs librosa: pip install librosa (a .mid file, or notes "
            "as text, need nothing more)"
        ) from None
    if audio.seconds > 60 * MINUTES_MAX:
        raise AudioUnreadable(
            f"the clip lasts {audio.seconds / 60:.1f} minutes; a melody clip may last {MINUTES_MAX}: cut it first"
        )
    mono = np.asarray(soxr.resample(audio.mono(), audio.rate, _RATE), dtype=np.float32)
    if audio.seconds < _SHORTEST_SECONDS:
        raise _nothing_heard(f"it lasts {audio.seconds:.2f} s")
    if float(np.abs(mono).max()) < _SILENT:
        raise _nothing_heard("it is silent")
    analysed = _analysed(librosa, mono)
    onsets = onset_times(audio).times
    struck = onsets[[analysed.grows(time) for time in onsets]] if len(onsets) else onsets
    quarter = 60 / float(bpm)
    loudest = float(analysed.rms.max())
    notes: list[Note] = []
    for begin, end, pitch_class in _runs(analysed.classes, math.ceil(_SHORTEST_SECONDS * _RATE / _HOP)):
        pitch = analysed.pitch(begin, end, pitch_class)
        level = float(analysed.rms[begin:end].max()) / loudest
        velocity = round(min(127.0, max(40.0, 112 + 24 * math.log10(level))))
        for start, stop in _parted(begin * _HOP / _RATE, min(end * _HOP / _RATE, audio.seconds), onsets, struck):
            notes.append(Note(start / quarter, pitch, (stop - start) / quarter, velocity))
    if not notes:
        raise _nothing_heard("nothing in it has a clear pitch")
    length = _length(audio.seconds / quarter, max(note.start + note.duration for note in notes))
    return Melody(tuple(notes), length, heard(audio, length * quarter))


def _nothing_heard(why: str) -> AudioUnreadable:
    return AudioUnreadable(f"no notes are heard in the clip: {why}; give one that sings or plays a melody")


@dataclass(frozen=True, slots=True, eq=False)
class _Analysed:
    """A clip, every ``_HOP`` samples.

    Attributes:
        classes: the pitch class that is heard, -1 where none is; shape ``(frames,)``.
        spectrum: magnitude of each semitone from ``_LOWEST`` up; shape ``(_ALL, frames)``.
        rms: root mean square of the samples; shape ``(frames,)``.
    """

    classes: NDArray[np.int64]
    spectrum: NDArray[np.float64]
    rms: NDArray[np.float64]

    def grows(self, time: float) -> bool:
        """Whether a sound that begins at ``time`` (seconds) is louder than what was there just before."""
        at = min(round(time * _RATE / _HOP), len(self.rms) - 1)
        before, after = self.rms[max(0, at - 5) : at + 1], self.rms[at : at + 6]
        return bool(after.max() > _STRUCK_AGAIN * before.min())

    def pitch(self, begin: int, end: int, pitch_class: int) -> int:
        """The lowest pitch of a class whose first partial is really there: octaves above it are partials of it."""
        candidates = np.arange((pitch_class - _LOWEST) % 12, _HEARD, 12)
        there = self.spectrum[candidates, begin:end].mean(axis=1)
        return int(_LOWEST + candidates[np.argmax(there >= 0.3 * there.max())])


def _analysed(librosa: Any, mono: NDArray[np.float32]) -> _Analysed:
    frames = 1 + len(mono) // _HOP
    padded = np.pad(mono, (0, max(0, _LONGEST_WINDOW - len(mono))))
    tuning = librosa.estimate_tuning(y=padded, sr=_RATE)
    bins = np.abs(
        librosa.cqt(
            padded, sr=_RATE, hop_length=_HOP, fmin=librosa.midi_to_hz(_LOWEST), n_bins=_ALL * _PER_SEMITONE,
            bins_per_octave=12 * _PER_SEMITONE, tuning=tuning,
        )[:, :frames]
    )  # fmt: skip
    around = np.pad(bins, ((1, 1), (0, 0)))  # the middle bin of a semitone is its pitch, those beside it a vibrato's
    spectrum = np.maximum(np.maximum(around[:-2], around[1:-1]), around[2:])[::_PER_SEMITONE]
    above = np.pad(spectrum, ((0, 28), (0, 0)))
    salience = sum(weight * above[step : step + _HEARD] for step, weight in _HARMONICS)
    folded = np.zeros((12, frames))
    np.add.at(folded, np.arange(_LOWEST, _LOWEST + _HEARD) % 12, salience)
    chroma = uniform_filter1d(folded, _SMOOTHED_FRAMES, axis=1)
    rms = librosa.feature.rms(y=mono, frame_length=4 * _HOP, hop_length=_HOP)[0][:frames]
    loud = rms >= max(_SILENT, float(np.percentile(rms, 95)) * 10 ** (-_GATE_DB / 20))
    clear = chroma.max(axis=0) >= _CLEAR * chroma.sum(axis=0)
    classes = np.where(loud & clear, chroma.argmax(axis=0), -1)
    return _Analysed(classes, np.asarray(spectrum, np.float64), np.asarray(rms, np.float64))


def _runs(classes: NDArray[np.int64], shortest: int) -> list[tuple[int, int, int]]:
    """(begin, end, pitch class) of stretches of one class, in frames.

    Stretches shorter than ``shortest``, in order of their length, go to the longer neighbour that touches them; what
    has no neighbour that is a note is dropped.
    """
    edges = [0, *(np.flatnonzero(np.diff(classes)) + 1).tolist(), len(classes)]
    runs = [[begin, end, int(classes[begin])] for begin, end in pairwise(edges)]
    while runs:
        at = min(range(len(runs)), key=lambda k: runs[k][1] - runs[k][0])
        begin, end, _ = runs[at]
        if end - begin >= shortest:
            break
        beside = [runs[k] for k in (at - 1, at + 1) if 0 <= k < len(runs)]
        if not beside:
            return []
        longer = max(beside, key=lambda run: (run[2] >= 0, run[1] - run[0]))
        longer[0], longer[1] = min(longer[0], begin), max(longer[1], end)
        del runs[at]
        runs = _joined(runs)
    return [(begin, end, pitch_class) for begin, end, pitch_class in runs if pitch_class >= 0]


def _joined(runs: list[list[int]]) -> list[list[int]]:
    """Neighbours of one class become one."""
    out = runs[:1]
    for run in runs[1:]:
        if run[2] == out[-1][2]:
            out[-1][1] = run[1]
        else:
            out.append(run)
    return out


def _parted(
    start: float, stop: float, onsets: NDArray[np.float64], struck: NDArray[np.float64]
) -> list[tuple[float, float]]:
    """A run in seconds, begun at the onset beside its beginning, parted where the same note is struck again."""
    near = onsets[np.abs(onsets - start) <= _SNAP_SECONDS]
    start = float(near[np.argmin(np.abs(near - start))]) if len(near) else start
    edges = [start]
    for time in struck:
        if time - edges[-1] >= _SHORTEST_SECONDS and stop - time >= _SHORTEST_SECONDS:
            edges.append(float(time))
    return [pair for pair in pairwise([*edges, stop]) if pair[1] > pair[0]]


def _length(clip: float, last: float) -> float:
    """Quarters after which a clip repeats: its own length if that is whole, else the whole one its notes fit in."""
    if round(clip) >= 1 and abs(clip - round(clip)) < 0.1:
        return float(round(clip))
    return float(max(1, math.ceil(last - 0.1)))
