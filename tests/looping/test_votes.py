"""Another listener's votes: heeded where what is heard leaves it open, outweighed where they are plainly wrong."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from loopgen.looping.tempo_fit import CellGrid
from loopgen.looping.track import track
from loopgen.looping.votes import votes_evidence
from loopgen.music.audio import Audio
from loopgen.music.beats import BeatGrid, Votes
from loopgen.music.tempo import Meter
from tests.bench.judge import judge
from tests.bench.takes import KnownTake, synthetic_take

RATE, BEAT = 22_050, 0.5
NONE = np.zeros(0)


def cells(count: int = 16, seconds: float = 16.0) -> CellGrid:
    """Cells of an eighth of a second; cell 0 of the bar lies at 0."""
    times = np.arange(-count / 8, seconds + count / 8, 0.125)
    return CellGrid(times, np.zeros(count), np.ones(count), True, 1.0, 100)


def clicks(seconds: float = 16.0) -> Audio:
    """The same click on every beat from 0.25 s on: where the bar begins cannot be heard."""
    rng = np.random.default_rng(2)
    click = rng.standard_normal(800) * np.exp(-np.arange(800) / 80)
    out = 1e-4 * rng.standard_normal(round(seconds * RATE))
    for time in np.arange(0.25, seconds - 0.1, BEAT):
        start = round(time * RATE)
        out[start : start + 800] += click
    return Audio(out.astype(np.float32)[:, None], RATE)


def counted_from(first: float, seconds: float = 16.0, meter: int = 4) -> Votes:
    beats = np.arange(first % BEAT, seconds, BEAT)
    return Votes(beats, np.arange(first % (meter * BEAT), seconds, meter * BEAT))


def probabilities(votes: Votes, count: int = 16) -> NDArray[np.float64]:
    return np.exp(votes_evidence(cells(count), votes, count))


def test_votes_that_agree_point_to_their_cell_and_then_to_the_beats() -> None:
    said = probabilities(counted_from(0.5))
    assert said.sum() == pytest.approx(1)
    assert np.argmax(said) == 4
    assert said[4] > 10 * said[0] == pytest.approx(10 * said[8])
    assert said[0] > 2 * said[2]


def test_votes_of_one_listener_are_no_surer_for_being_many() -> None:
    few, many = Votes(NONE, np.array([0.5, 2.5])), counted_from(0.5)
    assert probabilities(Votes(NONE, many.downbeats)) == pytest.approx(probabilities(few))


def test_votes_that_differ_share_the_bar() -> None:
    said = probabilities(Votes(NONE, np.array([0.0, 2.0, 4.0, 6.5])))
    assert said[0] > said[4] > said[8] == pytest.approx(said[12])


def test_beats_alone_say_the_beat_and_not_the_bar() -> None:
    said = probabilities(Votes(np.arange(0.25, 16, BEAT), NONE))
    assert said[[2, 6, 10, 14]] == pytest.approx(said[2])
    assert said[2] > 5 * said[4]


@pytest.mark.parametrize("times", [NONE, np.array([-90.0, 400.0])])
def test_no_votes_say_nothing(times: NDArray[np.float64]) -> None:
    assert probabilities(Votes(times, times)) == pytest.approx(np.full(16, 1 / 16))


def test_votes_count_in_bars_of_any_length() -> None:
    beats = np.arange(0.125, 16, 0.25)
    said = probabilities(Votes(beats, beats[3::7]), 14)  # 7/8
    assert np.argmax(said) == 7


@pytest.mark.parametrize("beat", range(4))
def test_a_bar_that_cannot_be_heard_is_where_the_votes_say(beat: int) -> None:
    audio = clicks()
    first = 0.25 + beat * BEAT
    grid = track(audio, Fraction(121), votes=counted_from(first))
    away = (grid.downbeats - first + BEAT) % (4 * BEAT) - BEAT
    assert np.abs(away).max() < 0.03
    assert grid.downbeat_confidence > track(audio, Fraction(121)).downbeat_confidence


def take() -> KnownTake:
    """A groove that analysis is sure of and right about."""
    for number in range(40):
        known = synthetic_take(number, seconds=16)
        if known.kind == "groove" and known.meter == Meter(4, 4):
            found = judge(known, track(known.audio, Fraction(f"{known.bpm:.2f}")))
            if found.bar and found.bar_confidence > 0.6:
                return known
    raise AssertionError("no groove is clear")


def test_bad_votes_do_not_take_the_beat_away() -> None:
    known = take()
    bpm = Fraction(f"{known.bpm:.2f}")
    rng = np.random.default_rng(1)
    anyhow = Votes(np.sort(rng.uniform(0, 16, 30)), np.sort(rng.uniform(0, 16, 8)))
    assert judge(known, track(known.audio, bpm, votes=anyhow)).bar
    half_a_beat_off = Votes(known.grid.beats + known.grid.period / 2, known.grid.downbeats + known.grid.period / 2)
    misled = judge(known, track(known.audio, bpm, votes=half_a_beat_off))
    assert misled.beat or misled.confidence < 0.8


def test_good_votes_keep_what_is_right() -> None:
    known = take()
    said = Votes(known.grid.beats, known.grid.downbeats)
    alone = track(known.audio, Fraction(f"{known.bpm:.2f}"))
    grid = track(known.audio, Fraction(f"{known.bpm:.2f}"), votes=said)
    assert judge(known, grid).bar
    assert grid.downbeat_confidence > alone.downbeat_confidence


def test_the_user_outweighs_votes() -> None:
    grid = track(clicks(), Fraction(120), downbeat=0.75, votes=counted_from(0.25))
    assert isinstance(grid, BeatGrid)
    assert np.abs((grid.downbeats - 0.75 + 1) % 2 - 1).max() < 0.03
