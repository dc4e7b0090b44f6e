"""Notes as the chroma that a recording of them would have, on the loop's own time."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from loopgen.chroma import HOP, RATE, chroma, heard
from loopgen.engines.musicgen.chroma import FRAMES, HOP_SECONDS, melody_chroma, melody_line
from loopgen.music.audio import Audio
from loopgen.music.chords import parse_chords
from loopgen.music.melody import Melody, Note
from tests.test_transcribe import TUNE, plucked, saw, sung

BPM = Fraction("97.5")


def classes(found: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.asarray(found.argmax(axis=1))


def recorded(melody: Melody, lead_in: float, bpm: Fraction = BPM) -> Audio:
    """30 s of the melody sung at a tempo, bar one ``lead_in`` quarter notes after the start, 32 kHz."""
    quarters = 4 * math.ceil(float(bpm) / 8 + melody.length)  # more than 30 s, all its notes whole
    turns = range(-1, math.ceil(quarters / melody.length))
    starts = [(note, note.start + turn * melody.length + lead_in) for turn in turns for note in melody.notes]
    notes = [Note(start, n.pitch, n.duration) for n, start in starts if 0 <= start < quarters - melody.length]
    song = sung(notes, saw, str(bpm), quarters=quarters).samples[:, 0]
    return Audio(soxr.resample(song, 44_100, RATE)[: 30 * RATE], RATE)


@given(
    st.lists(st.tuples(st.floats(0, 12), st.integers(0, 127), st.floats(0.01, 8)), max_size=12),
    st.fractions(Fraction(20), Fraction(999), max_denominator=100),
    st.floats(-40, 40),
    st.floats(0, 600),
)
@settings(max_examples=150, deadline=None)
def test_every_frame_is_one_class_that_sounds_or_silence(
    notes: list[tuple[float, int, float]], bpm: Fraction, bar_one: float, offset: float
) -> None:
    melody = Melody(tuple(Note(*note) for note in notes), 8)
    found = melody_chroma(melody, bpm, bar_one=bar_one, offset=offset)
    assert found.shape == (235, 12)
    assert found.dtype == np.float32
    assert (found.sum(axis=1) == 1).all()
    assert set(np.unique(found)) <= {0.0, 1.0}
    assert set(classes(found)) <= {note.pitch % 12 for note in melody.notes} | {0}


def test_nothing_and_silence_are_told_as_the_first_class() -> None:
    """As in training, and as ``conditions`` tells the row that guidance leads away from."""
    silence = chroma(Audio(np.zeros(30 * RATE), RATE))
    assert not classes(silence).any()
    nothing = melody_chroma(Melody((), 4), BPM)
    assert nothing.shape == (FRAMES, 12)
    assert (nothing == np.eye(12)[0]).all()


@pytest.mark.parametrize("pitch", range(60, 72))
def test_a_pitch_is_the_class_that_its_sound_has(pitch: int) -> None:
    note = Melody((Note(0, pitch, 4),), 4)
    sound = chroma(recorded(note, 0))
    assert np.bincount(classes(sound)).argmax() == pitch % 12
    assert (classes(melody_chroma(note, BPM)) == pitch % 12).all()


@pytest.mark.parametrize("lead_in", [0.0, 4.0, 2.5])
def test_notes_give_the_frames_that_a_recording_of_them_gives(lead_in: float) -> None:
    """At the same places: bar one after the lead-in, frame k centred at k hops. A hop later it is worse."""
    melody = Melody(TUNE, 8)
    told = classes(melody_chroma(melody, BPM, bar_one=lead_in * 60 / float(BPM)))
    sounds = classes(chroma(recorded(melody, lead_in)))
    assert len(told) == len(sounds) == 235
    agrees = float(np.mean(told == sounds))
    assert agrees > 0.93
    for late in (-1, 1):
        assert float(np.mean(np.roll(told, late) == sounds)) < agrees - 0.04


def test_a_second_window_begins_where_it_begins() -> None:
    melody = Melody(TUNE, 8)
    hops = 140
    whole = melody_chroma(melody, BPM, bar_one=1.7, frames=hops + FRAMES)
    later = melody_chroma(melody, BPM, bar_one=1.7, offset=hops * HOP_SECONDS)
    assert np.array_equal(whole[hops:], later)


def test_bar_one_meets_bar_one_and_the_loops_end_comes_before_it() -> None:
    """A clip of three bars in a loop of four: before bar one its first bar sounds, as at the loop's end."""
    bars = Melody(tuple(Note(4 * bar, 60 + step, 4) for bar, step in enumerate((2, 5, 9))), 12)
    found = classes(melody_chroma(bars, Fraction(120), bar_one=2, loop_quarters=16, frames=100))
    at = [found[round(second / float(HOP_SECONDS))] for second in (1.0, 3.0, 5.0, 7.0, 9.0, 11.0)]
    assert at == [2, 2, 5, 9, 2, 2]
    found = classes(melody_chroma(bars, Fraction(120), bar_one=2, frames=100))
    assert [found[round(second / float(HOP_SECONDS))] for second in (1.0, 3.0, 9.0)] == [9, 2, 2]


def test_notes_change_to_the_nearest_frame() -> None:
    bpm = Fraction("133.7")
    steps = Melody(tuple(Note(k, 60 + k, 1) for k in range(12)), 12)
    found = classes(melody_chroma(steps, bpm))
    centres = np.arange(235) * float(HOP_SECONDS) * float(bpm) / 60
    assert np.array_equal(found, np.floor(centres % 12).astype(int)[: len(found)])


def test_short_notes_are_not_passed_over() -> None:
    """A note that fills most of a frame is told, wherever in it its edges lie; one between two frames by the nearer."""
    for start in np.linspace(0, 1.7, 41):
        melody = Melody((Note(float(start), 69, 0.26), Note(float(start) + 2, 64, 0.26)), 4)  # 130 ms at 120 BPM
        found = classes(melody_chroma(melody, Fraction(120), frames=16))
        assert 9 in found
        assert 4 in found


def test_rests_are_told_as_the_spectrum_sees_them() -> None:
    """Half a second of spectrum reaches into short rests; in long ones there is silence."""
    melody = Melody((Note(0, 69, 1), Note(1.25, 64, 0.75)), 8)
    found = classes(melody_chroma(melody, Fraction(120), frames=32))
    assert set(found[:9]) == {9, 4}
    assert (found[11:28] == 0).all()
    assert found[30] == found[31] == 9


def test_clicks_before_the_music_have_no_pitch() -> None:
    found = classes(melody_chroma(Melody((Note(0, 69, 4),), 4), Fraction(120), silent_until=2))
    assert (found[:16] == 0).all()  # 2 s are 15.6 hops
    assert (found[16:] == 9).all()


def test_the_melody_is_told_and_not_what_accompanies_it() -> None:
    chords = parse_chords("Am F C G").notes
    tune = tuple(Note(k, 84 + k % 3, 1) for k in range(16))
    both = Melody((*chords, *tune), 16)
    assert melody_line(both) == melody_line(Melody(tune, 16))


def test_held_chords_are_told_in_turn_and_struck_ones_by_their_top() -> None:
    assert [k for _, _, k in melody_line(parse_chords("C/E"))] == [4, 0, 7, 4]
    assert [k for _, _, k in melody_line(parse_chords("G7"))] == [7, 11, 2, 5]
    assert [span for *span, _ in melody_line(parse_chords("Am", "7/8"))] == [[0, 1], [1, 2], [2, 3], [3, 3.5]]
    hymn = tuple(Note(k, pitch, 1) for k in range(4) for pitch in (48, 52, 55, 60 + 2 * k))
    assert [k for _, _, k in melody_line(Melody(hymn, 4))] == [0, 2, 4, 6]
    strummed = tuple(Note(0.03 * k, pitch, 4 - 0.03 * k) for k, pitch in enumerate((45, 57, 60, 64)))
    assert {k for _, _, k in melody_line(Melody(strummed, 4))} == {9, 0, 4}


def test_chord_symbols_name_their_notes_bar_by_bar() -> None:
    found = classes(melody_chroma(parse_chords("Am F C G"), Fraction(120), frames=62))
    for bar, triad in enumerate([{9, 0, 4}, {5, 9, 0}, {0, 4, 7}, {7, 11, 2}]):
        inside = found[int(np.ceil(2 * bar / 0.128)) : int(2 * (bar + 1) / 0.128)]
        assert set(inside) == triad


def test_a_recording_is_followed_itself() -> None:
    """Its chroma goes onto the take as it is: the same frames as those of the recording laid there."""
    melody = Melody(TUNE, 8)
    clip = sung(TUNE, plucked, str(BPM))
    seconds = 8 * 60 / float(BPM)
    with_sound = Melody(TUNE, 8, heard(clip, seconds))
    lead_in = 1.234
    told = classes(melody_chroma(with_sound, BPM, bar_one=lead_in))
    mono = np.asarray(soxr.resample(clip.samples[:, 0], 44_100, RATE))
    at = np.arange(30 * RATE) - round(lead_in * RATE)
    sounds = classes(chroma(Audio(mono[at % len(mono)], RATE)))
    assert float(np.mean(told == sounds)) > 0.97
    assert not np.array_equal(told, classes(melody_chroma(melody, BPM, bar_one=lead_in)))


def test_a_recording_follows_the_loops_tempo() -> None:
    with_sound = Melody((), 4, "0" * 10 + "9" * 10)
    found = classes(melody_chroma(with_sound, Fraction(60), frames=63))
    middles = np.arange(63) * HOP / RATE % 4
    assert np.array_equal(found, np.where(middles < 2, 0, 9))


def test_many_notes_are_laid_out_at_once() -> None:
    notes = tuple(Note(k / 4, 36 + k * 7 % 60, 0.25) for k in range(20_000))
    assert melody_chroma(Melody(notes, 5000), Fraction(999), loop_quarters=5000).shape == (235, 12)
