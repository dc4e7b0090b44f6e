"""Melodies sung by oscillators, heard again."""

from __future__ import annotations

import builtins
import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loopgen.errors import AudioUnreadable
from loopgen.music.audio import Audio
from loopgen.music.melody import Melody, Note
from loopgen.transcribe import hear_melody

pytest.importorskip("librosa")
Wave = NDArray[np.float64]
RATE = 44_100

PITCHES = ((60, 1), (64, 1), (67, 1.5), (71, 0.5), (69, 1), (65, 0.5), (62, 0.5), (60, 2))
TUNE = tuple(
    Note(float(start), pitch, duration)
    for (pitch, duration), start in zip(
        PITCHES, itertools.accumulate((duration for _, duration in PITCHES), initial=0), strict=False
    )
)


def harmonics(frequency: float, t: Wave, weights: Sequence[float]) -> Wave:
    return np.asarray(sum(w * np.sin(2 * np.pi * (k + 1) * frequency * t) for k, w in enumerate(weights)))


def sine(frequency: float, t: Wave) -> Wave:
    return harmonics(frequency, t, [1])


def saw(frequency: float, t: Wave) -> Wave:
    """With a vibrato of 6 Hz, a third of a semitone either way."""
    turned = t + (2 ** (1 / 36) - 1) / (2 * np.pi * 6) * np.sin(2 * np.pi * 6 * t)
    return harmonics(frequency, turned, [1 / k for k in range(1, 20)])


def plucked(frequency: float, t: Wave) -> Wave:
    return np.asarray(sum(np.sin(2 * np.pi * k * frequency * t) * np.exp(-(0.8 + k) * t) / k for k in range(1, 12)))


def hollow(frequency: float, t: Wave) -> Wave:
    return harmonics(frequency, t, [1, 0, 1 / 3, 0, 1 / 5, 0, 1 / 7])


def nasal(frequency: float, t: Wave) -> Wave:
    """The second partial is two and a half times as strong as the first."""
    return harmonics(frequency, t, [0.4, 1, 0.6, 0.5, 0.2])


TIMBRES = [sine, saw, plucked, hollow, nasal]


def sung(
    notes: Sequence[Note], timbre: Callable[[float, Wave], Wave], bpm: str, *, noise: float = 0.0, cents: float = 0.0,
    quarters: float = 8.0,
) -> Audio:  # fmt: skip
    quarter = 60 / float(Fraction(bpm))
    out = np.zeros(round(quarters * quarter * RATE))
    for note in notes:
        t = np.arange(int(0.95 * note.duration * quarter * RATE)) / RATE
        shape = np.minimum(1, t / 0.01) * np.minimum(1, (t[-1] - t) / 0.03)
        start = int(note.start * quarter * RATE)
        out[start : start + len(t)] += shape * timbre(440 * 2 ** ((note.pitch - 69 + cents / 100) / 12), t)
    out /= np.abs(out).max()
    return Audio(0.5 * out + noise * np.random.default_rng(1).standard_normal(len(out)), RATE)


def agreement(heard: Melody, notes: Sequence[Note], *, octaves: bool = False) -> float:
    """Share of the time that ``notes`` sound in which ``heard`` has their pitch class (or pitch)."""

    def line(of: Sequence[Note]) -> NDArray[np.int64]:
        out = np.full(len(grid), -1)
        for note in of:
            out[(grid >= note.start) & (grid < note.start + note.duration)] = note.pitch if octaves else note.pitch % 12
        return out

    grid = np.arange(0, 8, 0.01)
    truth = line([Note(note.start, note.pitch, 0.95 * note.duration) for note in notes])
    return float(np.mean(line(heard.notes)[truth >= 0] == truth[truth >= 0]))


@pytest.mark.parametrize("timbre", TIMBRES)
@pytest.mark.parametrize("bpm", ["60.23", "97.5", "128", "174"])
def test_nine_tenths_of_the_melody_are_heard(timbre: Callable[[float, Wave], Wave], bpm: str) -> None:
    for noise in (0.0, 0.03):
        heard = hear_melody(sung(TUNE, timbre, bpm, noise=noise), Fraction(bpm))
        assert agreement(heard, TUNE) >= 0.9
        assert agreement(heard, TUNE, octaves=True) >= 0.9
        assert heard.length == 8
        assert len(TUNE) <= len(heard.notes) <= 1.5 * len(TUNE)


@pytest.mark.parametrize("shift", [-12, 7, 19])
def test_low_and_high_melodies_are_heard_in_their_octave(shift: int) -> None:
    moved = [Note(note.start, note.pitch + shift, note.duration) for note in TUNE]
    for timbre in (sine, saw, nasal):
        assert agreement(hear_melody(sung(moved, timbre, "110"), Fraction(110)), moved, octaves=True) >= 0.9


def test_an_instrument_out_of_tune_is_heard_in_its_own_tuning() -> None:
    for cents in (-40, 35):
        assert agreement(hear_melody(sung(TUNE, saw, "120", cents=cents), Fraction(120)), TUNE) >= 0.9


def test_notes_begin_where_they_are_struck() -> None:
    heard = hear_melody(sung(TUNE, saw, "120"), Fraction(120))
    for note in TUNE:
        assert min(abs(other.start - note.start) for other in heard.notes) < 0.05  # 25 ms


def test_a_note_struck_again_is_two_notes() -> None:
    again = [Note(k, 69, 1) for k in range(8)]
    heard = hear_melody(sung(again, plucked, "120"), Fraction(120))
    assert [round(note.start) for note in heard.notes] == list(range(8))


def test_rests_stay_rests() -> None:
    gaps = [TUNE[0], TUNE[4], TUNE[7]]
    heard = hear_melody(sung(gaps, plucked, "100", noise=0.001), Fraction(100))
    assert agreement(heard, gaps) >= 0.9
    assert not [note for note in heard.notes if 1.3 < note.start + note.duration / 2 < 3.9]


def test_loud_and_soft_notes_keep_their_order() -> None:
    loud, soft = (sung([note], saw, "120", quarters=2) for note in (Note(0, 60, 1), Note(1, 67, 1)))
    clip = Audio(loud.samples + 0.2 * soft.samples, RATE)
    first, second = hear_melody(clip, Fraction(120)).notes
    assert first.velocity > second.velocity + 10


def test_the_length_is_the_clips_own_or_that_of_its_notes() -> None:
    assert hear_melody(sung(TUNE, saw, "120", quarters=16), Fraction(120)).length == 16
    assert hear_melody(sung(TUNE, saw, "120", quarters=11.4), Fraction(120)).length == 8
    assert hear_melody(sung(TUNE, saw, "120", quarters=8), Fraction("119.5")).length == 8


def noises() -> list[tuple[str, Wave]]:
    white = np.random.default_rng(7).standard_normal(4 * RATE)
    pink = np.fft.irfft(np.fft.rfft(white) / np.sqrt(np.arange(len(white) // 2 + 1) + 1))
    beat = np.arange(len(white)) % (RATE // 2)
    return [
        ("clear pitch", 0.2 * white),
        ("clear pitch", 0.5 * pink / np.abs(pink).max()),
        ("clear pitch", 0.3 * white * np.exp(-beat / 2000)),
        ("silent", np.zeros(4 * RATE)),
        ("silent", 1e-5 * white),
        ("0.05 s", sine(440, np.arange(RATE // 20) / RATE)),
        ("0.00 s", np.zeros(1)),
    ]


@pytest.mark.parametrize(("words", "samples"), noises())
def test_without_a_melody_the_error_says_so(words: str, samples: Wave) -> None:
    with pytest.raises(AudioUnreadable, match=f"no notes are heard in the clip: .*{words}"):
        hear_melody(Audio(samples, RATE), Fraction(120))


def test_a_song_is_too_long() -> None:
    with pytest.raises(AudioUnreadable, match=r"lasts 2\.5 minutes; a melody clip may last 2"):
        hear_melody(Audio(np.zeros(150 * 8_000), 8_000), Fraction(120))


def test_without_librosa_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any, **rest: Any) -> Any:
        if name == "librosa":
            raise ModuleNotFoundError(name)
        return real(name, *more, **rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(AudioUnreadable, match="pip install librosa"):
        hear_melody(Audio(np.ones(8_000), 8_000), Fraction(120))
