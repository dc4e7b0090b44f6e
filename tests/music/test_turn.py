"""Which beat of a loop becomes beat 1."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgen.errors import InvalidRequest
from loopgen.music.tempo import beat_frames
from loopgen.music.turn import parse_turn, turn_frame

QUARTERS = st.integers(-4000, 4000).map(lambda k: Fraction(k, 4))


@given(st.integers(1000, 10**7), st.integers(1, 1000), QUARTERS, QUARTERS)
def test_turns_add_up_and_lead_to_the_nearest_sample_of_the_ring(
    frames: int, beats: int, one: Fraction, other: Fraction
) -> None:
    both = turn_frame(frames, beats, one + other)
    assert 0 <= both < frames
    assert (
        both == turn_frame(frames, beats, one % beats + other % beats) == turn_frame(frames, beats, one + other + beats)
    )
    away = abs(both - (one + other) % beats * frames / beats)
    assert min(away, frames - away) <= Fraction(1, 2)


@given(st.integers(1000, 10**7), st.integers(1, 300))
def test_whole_turns_lead_to_the_samples_of_the_beats(frames: int, beats: int) -> None:
    assert np.array_equal([turn_frame(frames, beats, Fraction(k)) for k in range(beats)], beat_frames(frames, beats))


@given(QUARTERS.filter(bool))
def test_a_turn_is_read_from_whatever_form_it_has(beats: Fraction) -> None:
    forms = (beats, float(beats), str(beats), f" {float(beats)} ", f"{float(beats):+.2f}".replace(".", ","))
    assert {parse_turn(form) for form in forms} == {beats}


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "-0.0", "1/3", "0.1", "1/0", "one", "1e3", "nan", "--1", "1.5.", "1/2/4", "½", "٣", "65536.25"),
        *("9" * 99, "1/" + "0" * 20 + "4", float("nan"), float("inf"), 10**400, 0, 0.3, True, Fraction(1, 8)),
    ],
)
def test_what_is_no_turn_is_refused_with_what_would_be(text: str | float | Fraction) -> None:
    with pytest.raises(InvalidRequest, match=r"turn: .* cannot be used; give how many beats later .* 1/4") as caught:
        parse_turn(text, "turn")
    assert caught.value.field == "turn" and len(str(caught.value)) < 250
