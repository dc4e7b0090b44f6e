"""The second likeliest beat 1: named in the warning, in the recipe, in the report, and kept with the take."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loopgen import library, remake, report, rotate, studio
from loopgen.errors import InvalidRequest
from loopgen.library.takes import find_take
from loopgen.looping.make import flaws, make
from loopgen.music.audio import Audio
from loopgen.music.beats import BeatGrid, Rival
from loopgen.music.loop import Loop, Take
from loopgen.music.request import LoopRequest
from loopgen.music.tempo import beat_seconds
from tests.stand_in import Moody

RATE = 16_000


def unsure(
    rival: Rival | None, *, meter: str = "4/4", beat: float = 0.9, bar: float = 0.41, first: int = 0, bars: int = 2
) -> tuple[Take, LoopRequest]:
    """Clicks of which a grid says where beat 1 is, and where else it may be."""
    request = LoopRequest("x", 120, bars, meter, rate=RATE)
    step = float(beat_seconds(request.bpm, request.meter))
    seconds = step * request.meter.beats * (bars + 2)
    t = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(1).standard_normal(len(t)) * np.exp(-12 * (t / step % 1))
    grid = BeatGrid.steady(first * step, step, seconds, request.meter, confidence=beat, downbeat_confidence=bar)
    return Take(Audio(0.3 * noise, RATE), "x", 1, replace(grid, source="analysis", rival=rival)), request


def delivered(take: Take, request: LoopRequest) -> Loop:
    """The loop of a take with its whole recipe, as it is kept."""
    engine = Moody()
    engine.generate = lambda request, seed, *, progress=None: take  # type: ignore[method-assign]
    return studio.generate_again(request, 1, engine=engine)


def told(rival: Rival | None, **how: float | str) -> tuple[Loop, str]:
    take, request = unsure(rival, **how)  # type: ignore[arg-type]
    loop = make(take, request)
    return loop, next(warning for warning in loop.warnings if "uncertain" in warning)


@pytest.mark.parametrize(
    ("beats", "meter", "said"),
    [
        ("2", "4/4", "it may be beat 3 (35%); `loopgen rotate LOOP --beats 2` turns it"),
        ("1/2", "4/4", "it may be half a beat later (35%); `loopgen rotate LOOP --beats 0.5` turns it"),
        ("7/2", "4/4", "it may be 3.5 beats later (35%); `loopgen rotate LOOP --beats 3.5` turns it"),
        ("3", "6/8", "it may be beat 4 (35%); `loopgen rotate LOOP --beats 3` turns it"),
        ("6", "7/8", "it may be beat 7 (35%); `loopgen rotate LOOP --beats 6` turns it"),
    ],
)
def test_the_warning_names_it_and_what_to_do(beats: str, meter: str, said: str) -> None:
    loop, warning = told(Rival(Fraction(beats), 0.35), meter=meter)
    assert warning == f"which beat is one is uncertain (41% sure): {said}"
    assert loop.recipe["grid"]["rival"] == {"beats": beats, "confidence": 0.35}
    assert flaws(loop) == [other for other in loop.warnings if other != warning], "the listener's weakness"


def test_an_uncertain_beat_names_it_too() -> None:
    loop, warning = told(Rival(Fraction(1, 2), 0.38), beat=0.4, bar=0.3)
    assert warning == (
        "the beat is uncertain (40% sure): beat 1 may be half a beat later (38%); "
        "`loopgen rotate LOOP --beats 0.5` turns it"
    )
    assert warning in flaws(loop)


def test_without_a_runner_up_the_words_are_as_they_were() -> None:
    loop, warning = told(None)
    assert warning == "which beat is one is uncertain (41% sure): the loop may start on another beat of the bar"
    assert loop.recipe["grid"]["rival"] is None


def test_a_sure_grid_gives_no_warning_and_still_names_it() -> None:
    take, request = unsure(Rival(Fraction(2), 0.1), bar=0.8)
    loop = make(take, request)
    assert not any("uncertain" in warning for warning in loop.warnings)
    assert loop.recipe["grid"]["rival"] == {"beats": "2", "confidence": 0.1}
    assert "bar 80% sure; else beat 3 (10%)" in " ".join(report.describe(loop, Path("a.wav")))


@pytest.mark.parametrize(
    "rival", [7, "x", [], {"beats": "2"}, {"beats": 10**400, "confidence": 0.3}, {"beats": "-1", "confidence": 0.3}]
)
def test_what_is_none_is_not_named_however_a_recipe_says_it(tmp_path: Path, rival: Any) -> None:
    take, request = unsure(Rival(Fraction(2), 0.1), bar=0.8)
    loop = delivered(take, request)
    loop = replace(loop, recipe={**loop.recipe, "grid": {**loop.recipe["grid"], "rival": rival}})
    assert "; else" not in " ".join(report.describe(loop, Path("a.wav")))
    with pytest.raises(InvalidRequest, match="names no second likeliest"):
        rotate.rotate(library.keep(loop, tmp_path).path)


def test_it_counts_from_where_the_loop_begins_and_not_from_the_grids_bar(tmp_path: Path) -> None:
    take, request = unsure(Rival(Fraction(3), 0.35), first=1)
    kept = library.keep(delivered(take, request), tmp_path)
    for start, beats, sure in ((1, "3", 0.41), (2, "2", 0.41), (3, "1", 0.41), (-4, "3", 0.35)):
        loop = remake.retempo(kept.path, start=start)
        assert loop.recipe["grid"]["rival"] == {"beats": beats, "confidence": sure}, start


def test_it_is_kept_with_the_take(tmp_path: Path) -> None:
    take, request = unsure(Rival(Fraction(5, 2), 1 / 3))
    loop = delivered(take, request)
    kept = library.keep(loop, tmp_path)
    found = find_take(kept.path)
    assert found.grid and found.grid.rival == Rival(Fraction(5, 2), 1 / 3)
    laid = remake.retempo(kept.path, Fraction(110))
    assert laid.recipe["grid"]["rival"] == {"beats": "5/2", "confidence": 0.3333}
    assert library.keep(laid, tmp_path).take == kept.take
    plain = replace(loop, grid=replace(loop.grid, rival=None))  # type: ignore[type-var]
    other = library.keep(plain, tmp_path / "plain.wav")
    assert other.take != kept.take and find_take(other.path).grid.rival is None  # type: ignore[union-attr]


def test_turning_without_beats_goes_to_it_and_ends_the_doubt(tmp_path: Path) -> None:
    take, request = unsure(Rival(Fraction(5, 2), 0.35))
    loop = delivered(take, request)
    kept = library.keep(loop, tmp_path)
    assert any("uncertain" in warning for warning in loop.warnings)
    made = rotate.rotate(kept.path)
    assert made.recipe["rotated"]["beats"] == "5/2"
    assert made.recipe["grid"] | {"source": "user", "rival": None, "downbeat_confidence": 1.0} == made.recipe["grid"]
    assert not any("uncertain" in warning for warning in made.warnings)
    assert made.recipe["grid"]["loop_start"] == pytest.approx(loop.recipe["grid"]["loop_start"] + 1.25)
    assert made.recipe["grid"]["first_downbeat"] == pytest.approx((loop.recipe["grid"]["loop_start"] + 1.25) % 2)
    laid = remake.retempo(library.keep(made, tmp_path).path, Fraction(115))
    assert not any("uncertain" in warning for warning in laid.warnings) and laid.recipe["grid"]["rival"] is None
