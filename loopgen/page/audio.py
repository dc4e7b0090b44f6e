"""A loop as the page plays it: plain samples, on the tempo, the rate and to the frame that the page wants.

Browsers decode files at their own rate, and what they resample at its edges is no ring any more. So the page gets
32-bit floats and plays them as they are. Several loops in sync must stay so for hours although a loop's length is
rounded to whole frames: the page says how many frames so many turns of a loop are to have, which differs from what they
have by a frame or so, and they are resampled around the ring, where it is exact: a loop is periodic.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

from loopgen.audiofile import read_audio
from loopgen.errors import InvalidRequest, TakeGone
from loopgen.music.audio import Audio, Samples
from loopgen.music.tempo import Meter, check_rate, format_bpm, loop_frames, round_half_up

if TYPE_CHECKING:
    from loopgen.library.find import Entry

CENT = 2 ** (1 / 1200)
"""Ratio of pitches that nobody tells apart: within it a loop is resampled to another tempo, past it laid anew."""

BYTES_MAX, KEPT_BYTES = 400 * 2**20, 256 * 2**20
"""Of one answer, and of those that are kept for the next time."""

T = TypeVar("T", Audio, "Sound")


@dataclass(frozen=True, slots=True)
class Sound:
    """Samples as they travel: 32-bit little-endian floats, one channel after the other."""

    data: bytes
    frames: int
    channels: int
    rate: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a loop is to sound; None: as it is.

    ``bpm`` counts quarters, ``rate`` is in Hz; ``turns`` of the loop, one after the other, have ``frames`` frames.
    """

    bpm: Fraction | None = None
    rate: int | None = None
    turns: int = 1
    frames: int | None = None


class Sounds:
    """Sounds of loops, the last of them kept; two are never laid on another tempo at once, as that takes memory."""

    def __init__(self) -> None:
        self._laying = threading.Lock()
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[object, ...], Audio | Sound] = OrderedDict()

    def get(self, entry: Entry, wanted: Wanted) -> Sound:
        """A loop's sound.

        Raises ``AudioUnreadable``, and ``InvalidRequest`` for a tempo of a loop whose own is not known, a rate outside
        of 8 to 192 kHz, and frames that are another length than that of so many turns.
        """
        return self._find((entry.id, wanted), lambda: _sound(self.audio(entry, wanted), entry, wanted))

    def audio(self, entry: Entry, wanted: Wanted) -> Audio:
        """The same as a value, before it is fitted to ``turns`` and ``frames``."""
        bpm = wanted.bpm or entry.bpm
        if bpm is None or bpm == entry.bpm:
            return read_audio(entry.path)
        if entry.bpm is None or entry.bars is None:
            allowed = "its own tempo: how many bars this loop has, and at which tempo, is not known"
            raise InvalidRequest("bpm", format_bpm(bpm), allowed)
        if is_near(entry.bpm, bpm):
            return read_audio(entry.path)
        with self._laying:
            return self._find((entry.id, bpm), lambda: lay(entry, bpm))

    def _find(self, key: tuple[object, ...], make: Callable[[], T]) -> T:
        with self._lock:
            if (found := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return cast(T, found)  # a key says what it is for
        made = make()
        with self._lock:
            self._kept[key] = made
            while sum(_bytes(one) for one in self._kept.values()) > KEPT_BYTES and len(self._kept) > 1:
                self._kept.popitem(last=False)
        return made


def is_near(bpm: Fraction, other: Fraction) -> bool:
    """Whether two tempos are within a cent of each other.

    >>> is_near(Fraction(120), Fraction("120.05")), is_near(Fraction(120), Fraction("120.1"))
    (True, False)
    """
    return 1 / CENT <= other / bpm <= CENT


def lay(entry: Entry, bpm: Fraction) -> Audio:
    """A loop on another tempo: from its take where that is kept, else by stretching the loop itself."""
    from loopgen import remake, studio
    from loopgen.music.request import LoopRequest

    if entry.has_take:
        try:
            return remake.retempo(entry.path, bpm).audio
        except TakeGone:  # between the look at the folder and now
            pass
    audio = read_audio(entry.path)
    request = LoopRequest("", bpm, entry.bars or 1, entry.meter or "4/4", rate=audio.rate)
    return studio.conform(audio, request, source_bpm=entry.bpm, downbeat=0.0).audio


def fit(samples: Samples, turns: int, frames: int) -> Samples:
    """So many turns of a loop in so many frames, resampled around the ring; nothing changes where they have them.

    >>> wave = np.sin(2 * np.pi * 5 * np.arange(1000) / 1000)[:, None]
    >>> longer = fit(wave.astype(np.float32), 2, 2001)
    >>> float(abs(longer[:, 0] - np.sin(2 * np.pi * 10 * np.arange(2001) / 2001)).max()) < 1e-6
    True
    """
    if len(samples) * turns == frames:
        return np.tile(samples, (turns, 1)) if turns > 1 else samples
    from scipy.signal import resample

    return np.asarray(resample(np.tile(samples, (turns, 1)), frames, axis=0), dtype=np.float32)


def _sound(audio: Audio, entry: Entry, wanted: Wanted) -> Sound:
    rate = check_rate(wanted.rate) if wanted.rate else audio.rate
    one = _frames(audio, entry, wanted.bpm or entry.bpm, rate)
    if not 1 <= wanted.turns <= 1000:
        raise InvalidRequest("turns", wanted.turns, "a whole number from 1 to 1000")
    frames = wanted.frames if wanted.frames is not None else one * wanted.turns
    if not 1 / CENT <= frames / (one * wanted.turns) <= CENT:
        raise InvalidRequest("frames", frames, f"{one * wanted.turns}, as {wanted.turns} turns at this tempo have")
    if frames * audio.channels * 4 > BYTES_MAX:
        raise InvalidRequest("frames", frames, f"at most {BYTES_MAX // 4 // audio.channels}")
    samples = fit(audio.samples, wanted.turns, frames)
    return Sound(samples.T.astype("<f4").tobytes(), frames, audio.channels, rate)


def _frames(audio: Audio, entry: Entry, bpm: Fraction | None, rate: int) -> int:
    """The frames of one turn at this tempo and rate: by its bars where they are known and fit the file."""
    if entry.bpm is not None and bpm is not None and entry.bars is not None:
        exact = loop_frames(bpm, entry.bars, Meter.parse(entry.meter or "4/4"), rate)
        near = audio.frames * rate / audio.rate
        if 1 / CENT <= exact / near <= CENT and (rate, bpm) != (audio.rate, entry.bpm):
            return exact
    return round_half_up(Fraction(audio.frames * rate, audio.rate))


def _bytes(one: Audio | Sound) -> int:
    return len(one.data) if isinstance(one, Sound) else one.samples.nbytes
