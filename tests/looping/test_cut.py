"""Where loops are cut: on downbeats, whole bars, alike at both ends, none of the bad parts."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from loopgen.errors import InvalidRequest
from loopgen.looping.cut import cut
from loopgen.looping.stretch import Gridded
from loopgen.music.audio import Audio
from loopgen.music.loop import Span
from loopgen.music.tempo import Meter, beat_seconds, loop_frames, round_half_up
from tests.bench.songs import song

RATE = 22_050
FOUR = Meter(4, 4)


def on_grid(
    samples: NDArray[np.floating],
    bpm: Fraction = Fraction(120),
    downbeat: int = 0,
    valid: tuple[int, int] | None = None,
    meter: Meter = FOUR,
) -> Gridded:
    audio = Audio(samples, RATE)
    beat = RATE * beat_seconds(bpm, meter)
    return Gridded(audio, beat, downbeat, int(audio.frames / beat), valid or (0, audio.frames), "none", 1.0)


def bars_of(*names: str, bpm: int = 120) -> NDArray[np.float64]:
    """A bar of 2 s a name: a letter is a chord of its own with hits on the beat, "-" silence."""
    n = 4 * 60 * RATE // bpm
    t = np.arange(n) / RATE
    hits = np.exp(-(t % 0.5) / 0.05) * np.random.default_rng(0).standard_normal(n) * 0.1
    made = {"-": np.zeros(n)}
    for name in set(names) - {"-"}:
        root = 110 * 2 ** ((ord(name) - ord("a")) * 3 / 12)
        made[name] = hits + sum(0.1 * np.sin(2 * np.pi * root * r * t) for r in (1, 1.25, 1.5, 2))
    return np.concatenate([made[name] for name in names])


def bar_numbers(gridded: Gridded, spans: list[Span], beats: int = 4) -> list[int]:
    return [round((s.start / gridded.beat_frames - gridded.downbeat) / beats) for s in spans]


@settings(max_examples=40, deadline=None)
@given(
    bpm=st.fractions(60, 300, max_denominator=1000),
    downbeat=st.integers(0, 3),
    bars=st.integers(1, 12),
    seconds=st.floats(0.01, 12),
    gap=st.integers(0, 3000),
)
def test_spans_are_whole_bars_from_a_downbeat(
    bpm: Fraction, downbeat: int, bars: int, seconds: float, gap: int
) -> None:
    samples = 0.1 * np.random.default_rng(0).standard_normal((round(seconds * RATE), 2))
    samples[:gap] = 0
    valid = min(gap, len(samples) - 1), len(samples)
    gridded = on_grid(samples, bpm, downbeat, valid)
    spans = cut(gridded, bars, FOUR)
    assert spans
    full = loop_frames(bpm, bars, FOUR, RATE)
    for span in spans:
        assert 0 <= span.lead_in <= max(0, span.start)
        beats = span.frames / gridded.beat_frames
        assert abs(beats - round(beats)) * gridded.beat_frames <= 0.5 and span.frames <= full
        if span.frames >= 4 * gridded.beat_frames - 1 and span.stop <= len(samples) + gridded.beat_frames / 16 + 1:
            start = round(span.start / gridded.beat_frames)
            assert span.start == round_half_up(start * gridded.beat_frames) and start % 4 == downbeat
    if valid[1] - valid[0] > (bars + 1) * 4 * gridded.beat_frames + 1:
        assert {span.frames for span in spans} == {full}


def test_the_best_place_is_where_both_ends_are_alike() -> None:
    gridded = on_grid(bars_of("d", "a", "b", "c", "e", "a", "b", "f"))
    spans = cut(gridded, 4, FOUR)
    assert bar_numbers(gridded, spans)[0] == 2  # a before both ends, b after them
    assert len(spans) == 5


@pytest.mark.parametrize("downbeat", [0, 1, 3])
def test_bars_start_where_the_downbeat_says(downbeat: int) -> None:
    silence = np.zeros(downbeat * RATE // 2)
    gridded = on_grid(np.concatenate([silence, bars_of(*"abcabcab")]), downbeat=downbeat)
    for span in cut(gridded, 2, FOUR):
        assert (span.start - downbeat * RATE // 2) % (2 * RATE) == 0


@pytest.mark.parametrize(("names", "bad"), [("abab--abab", (4, 5)), ("--ababab", (0, 1)), ("abababab--", (8, 9))])
def test_silent_bars_are_not_used(names: str, bad: tuple[int, ...]) -> None:
    gridded = on_grid(bars_of(*names))
    for number in bar_numbers(gridded, cut(gridded, 4, FOUR)):
        assert not set(range(number, number + 4)) & set(bad)


def test_fades_are_not_used() -> None:
    samples = bars_of(*"abababababab")
    samples[-8 * RATE :] *= 10 ** (-np.linspace(0, 40, 8 * RATE) / 20)
    gridded = on_grid(samples)
    assert max(bar_numbers(gridded, cut(gridded, 4, FOUR))) <= 4


def test_a_pause_in_the_music_is_kept_where_the_loop_needs_it() -> None:
    gridded = on_grid(bars_of(*"ab-b"))
    (span,) = cut(gridded, 4, FOUR)
    assert (span.start, span.stop) == (0, 8 * RATE)


def test_bars_that_clipped_before_stretching_come_last() -> None:
    gridded = on_grid(bars_of(*"aaaaaaaa"))
    flags = np.array([True] * 3 + [False] * 5)
    assert bar_numbers(gridded, cut(gridded, 2, FOUR, clipped=flags))[0] >= 3
    everywhere = cut(gridded, 2, FOUR, clipped=np.ones(8, dtype=np.bool_))
    assert set(everywhere) == set(cut(gridded, 2, FOUR))


@pytest.mark.parametrize(("held", "wanted", "got"), [(3, 4, 2), (5, 8, 4), (2, 3, 2), (5, 6, 4), (1, 7, 1)])
def test_short_takes_give_fewer_bars(held: int, wanted: int, got: int) -> None:
    for span in cut(on_grid(bars_of(*"abcde"[:held])), wanted, FOUR):
        assert span.frames == got * 2 * RATE


def test_shorter_than_a_bar_gives_whole_beats_and_shorter_than_a_beat_all_of_it() -> None:
    bar = bars_of("a")
    (three,) = cut(on_grid(bar[: round(1.6 * RATE)]), 4, FOUR)
    assert (three.start, three.frames) == (0, RATE)
    (late,) = cut(on_grid(bar[: round(1.2 * RATE)], downbeat=1), 4, FOUR)
    assert (late.start, late.frames) == (RATE // 2, RATE // 2)
    (crumb,) = cut(on_grid(bar[:5000]), 4, FOUR)
    assert (crumb.start, crumb.frames, crumb.lead_in) == (0, 8 * RATE, 0)


def test_a_finished_loop_a_few_ms_off_its_grid_is_one_loop() -> None:
    loop = bars_of(*"abac")
    for off in (-300, 300):
        start = 2 * RATE + off
        samples = np.concatenate([np.zeros(start), loop, np.zeros(2 * RATE - off)])
        spans = cut(on_grid(samples, valid=(start, start + len(loop))), 4, FOUR)
        assert [(s.start, s.frames) for s in spans] == [(2 * RATE, 8 * RATE)]


def test_the_start_may_be_given() -> None:
    gridded = on_grid(bars_of(*"abcdabcd"), downbeat=0)
    assert bar_numbers(gridded, cut(gridded, 2, FOUR, start_bar=5)) == [5]
    for wrong in (-1, 8, 99):
        with pytest.raises(InvalidRequest, match="start_bar"):
            cut(gridded, 2, FOUR, start_bar=wrong)


def test_silence_is_cut_too() -> None:
    assert cut(on_grid(np.zeros((8 * RATE, 2))), 2, FOUR)


@pytest.mark.parametrize("kind", ["drums", "pad", "mix"])
def test_music_in_other_meters(kind: str) -> None:
    made = song(9, kind, seconds=20, rate=RATE)
    gridded = Gridded(made.audio, made.beat_frames, made.downbeat, 99, (0, made.audio.frames), "none", 1.0)
    beats = made.meter.beats
    for span in cut(gridded, 2, made.meter):
        start = round(span.start / made.beat_frames)
        assert start % beats == made.downbeat % beats and span.frames == round_half_up(2 * beats * made.beat_frames)
