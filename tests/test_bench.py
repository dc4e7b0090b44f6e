"""The benchmarks' own arithmetic: what counts as right, how loops weigh, how labels are read."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from loopgen.looping import track
from loopgen.music.audio import Audio
from loopgen.music.beats import BeatGrid, Rival, Votes
from loopgen.music.tempo import Meter
from tests.bench.judge import Verdict, judge, moved
from tests.bench.takes import KnownTake, Label, csv_labels, labelled_loops, real_takes, tiled_take
from tests.bench.tracker import STAGES, Case, groups, interval, rate, second_chance


def take(bar_beats: int = 4, meter: Meter = Meter(4, 4)) -> KnownTake:  # noqa: B008 - frozen
    grid = BeatGrid.steady(0.3, 0.5, 20.0, meter)
    return KnownTake(
        "loop#0.3", Audio(np.zeros((160_000, 1), np.float32), 8000), grid, meter, "groove", "real", bar_beats, 0
    )


def right(verdict: Verdict) -> tuple[bool, bool, bool]:
    return verdict.beat, verdict.half, verdict.bar


@pytest.mark.parametrize(
    ("beats", "expected"),
    [
        (Fraction(0), (True, True, True)),
        (Fraction(1, 20), (True, True, True)),
        (Fraction(1, 4), (False, False, False)),
        (Fraction(1), (True, False, False)),
        (Fraction(-2), (True, True, False)),
        (Fraction(4), (True, True, True)),
    ],
)
def test_a_grid_is_judged_by_where_its_bar_starts(beats: Fraction, expected: tuple[bool, bool, bool]) -> None:
    assert right(judge(take(), moved(take().grid, beats))) == expected


def test_a_loop_shorter_than_a_bar_is_held_to_its_length() -> None:
    assert right(judge(take(2), moved(take().grid, Fraction(2)))) == (True, True, True)
    assert right(judge(take(2), moved(take().grid, Fraction(1)))) == (True, True, False)


def test_another_level_is_wrong_and_a_beat_left_out_is_not() -> None:
    known = take()
    assert right(judge(known, BeatGrid.steady(0.3, 0.25, 20.0, Meter()))) == (False, False, False)
    gap = np.delete(known.grid.beats, 12)
    assert right(judge(known, Votes(gap, known.grid.downbeats))) == (True, True, True)
    assert right(judge(known, Votes(gap, known.grid.downbeats + 0.5))) == (True, False, False)
    assert right(judge(known, Votes(gap, np.zeros(0)))) == (True, False, False)
    assert right(judge(known, Votes(np.zeros(0), np.zeros(0)))) == (False, False, False)


@pytest.mark.parametrize(
    ("error", "rival", "expected"),
    [(Fraction(1), Fraction(3), True), (Fraction(1), Fraction(2), False), (Fraction(1, 2), Fraction(7, 2), True)],
)
def test_the_rival_is_judged_as_if_it_were_beat_one(error: Fraction, rival: Fraction, expected: bool) -> None:
    grid = replace(moved(take().grid, error), rival=Rival(rival, 0.3))
    verdict = judge(take(), grid)
    assert (verdict.bar, verdict.rival) == (False, expected)


def case(loop: str, bar: bool, *, far: bool = False, meter: str = "4/4", rival: bool | None = None) -> Case:
    verdict = Verdict(0.0, 0.0, True, True, True, bar, bar, 0.9, 0.6, rival)
    return Case(loop, "real", "groove", meter, far, {"loopgen": verdict})


def test_loops_weigh_the_same_however_many_takes_they_have() -> None:
    cases = [case("a", True), case("a", True), case("a", True), case("a", False), case("b", False)]
    assert rate(cases, "loopgen", "bar") == (0.375, 2)
    assert rate(cases, "loopgen", "beat") == (1.0, 2)


def test_far_requests_and_meters_stand_apart() -> None:
    cases = [case("a", True), case("b", True, meter="3/4"), case("a", False, far=True)]
    titles = {title: len(members) for title, members in groups(cases)}
    assert titles == {
        "real, asked for far away": 1, "real, groove": 2, "real, groove, 3/4": 1, "real, groove, 4/4": 1,
    }  # fmt: skip


def test_second_chances_count_once() -> None:
    verdicts = [c.verdicts["loopgen"] for c in (
        case("a", True), case("b", False, rival=True), case("c", True, rival=False), case("d", False, rival=False),
    )]  # fmt: skip
    assert second_chance(verdicts) == "2 of 4 right; the rival in 1 of 3 that name one; either in 3 of 4"


def test_the_interval_is_wider_for_fewer_loops() -> None:
    few, many = interval(0.8, 5), interval(0.8, 500)
    assert few[0] < many[0] < 0.8 < many[1] < few[1]
    assert interval(0.0, 3)[0] == 0.0


def test_labels_say_beats_kind_and_meter(tmp_path: Path) -> None:
    for path in ("b.wav", "waltz/a.wav", "waltz/plain.wav", ".hidden/c.wav"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / path, np.zeros((24_000, 2)), 8000)
    (tmp_path / "waltz" / "labels.csv").write_text(
        "file,beats,kind,bpm,meter,source,note\na.wav,6,stem,120,3/4,somewhere,\nplain.wav,8,,,,,\n",
        encoding="utf-8-sig",
    )
    found = {path.name: label for path, label in labelled_loops(tmp_path)}
    assert found["a.wav"] == Label(6, "stem", False, Meter(3, 4))
    assert found["plain.wav"] == Label(8, "groove", False, Meter(4, 4))
    assert found["b.wav"].guessed
    assert len(found) == 3
    assert {known.loop for known in real_takes(tmp_path, seconds=3, offsets=1)} == {"b", "waltz/a", "waltz/plain"}


@pytest.mark.parametrize(
    "row", ["a.wav,many,groove,4/4", "a.wav,4,song,4/4", "a.wav,4,groove,4", "a.wav,-4,groove,4/4"]
)
def test_labels_that_cannot_be_read_are_named(row: str, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(f"file,beats,kind,meter\n{row}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"labels\.csv: a\.wav: "):
        csv_labels(tmp_path / "labels.csv")


@pytest.mark.parametrize(
    ("meter", "quarters", "bar_beats"), [("6/8", 6, 6), ("3/4", 6, 3), ("7/8", 7, 7), ("4/4", 2, 2)]
)
def test_takes_have_the_bars_of_their_meter(meter: str, quarters: int, bar_beats: int) -> None:
    """A click where the loop begins lies on a downbeat of every tiling."""
    loop = np.zeros((24_000, 1), np.float32)
    loop[0] = 1
    label = Label(quarters, "groove", False, Meter.parse(meter))
    known = tiled_take("x", Audio(loop, 8000), label, 12.0, 0.0, np.random.default_rng(5))
    clicks = np.flatnonzero(known.audio.samples[:, 0]) / 8000
    place = known.grid.position(clicks) - known.grid.downbeat
    assert known.bar_beats == bar_beats
    assert np.abs((place + bar_beats / 2) % bar_beats - bar_beats / 2).max() < 1e-6
    assert known.bpm == pytest.approx(60 * quarters / 3)


def test_stages_name_what_the_tracker_calls() -> None:
    assert all(callable(getattr(track, name)) for names in STAGES.values() for name in names)
