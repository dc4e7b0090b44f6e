from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopgen.engines.sketch.rhythm import STRAIGHT, Swing, cells, chain, lay, pulse_sixteenths
from loopgen.music.tempo import Meter

METERS = st.builds(Meter, st.integers(1, 64), st.sampled_from([1, 2, 4, 8, 16]))


@given(METERS, st.integers(1, 9), st.integers(-3, 4))
@settings(max_examples=150, deadline=None)
def test_cells_tile_every_meter_exactly(meter: Meter, bars: int, feel: int) -> None:
    layout = cells(meter, bars, feel)
    quarters = float(bars * meter.quarters)
    assert layout[0].start == 0
    assert layout[-1].start + layout[-1].length == pytest.approx(quarters, abs=1e-9)
    pulses = [pulse for cell in layout for pulse in cell.pulses]
    for before, after in pairwise(pulses):
        assert before.start + before.length == pytest.approx(after.start, abs=1e-9)
    for cell in layout:
        assert cell.pulses[0].role == 0  # every felt bar has a downbeat
        assert len(cell.pulses) <= 7


@given(METERS, st.integers(1, 4), st.integers(-2, 3), st.floats(0.5, 0.67), st.sampled_from([8, 16]))
@settings(max_examples=100, deadline=None)
def test_steps_are_in_order_and_inside_the_loop(meter: Meter, bars: int, feel: int, ratio: float, unit: int) -> None:
    layout = cells(meter, bars, feel)
    quarters = float(bars * meter.quarters)
    steps = [step for cell in layout for step in lay("x.o. x==. xxxx x=.x", cell, Swing(unit, ratio))]
    starts = [step.start for step in steps]
    assert starts == sorted(starts)
    assert starts[0] >= 0
    assert starts[-1] < quarters
    for step, duration in chain("x.o. x==. xxxx x=.x", layout, Swing(unit, ratio)):
        assert 0 < duration <= quarters + 1e-9
        assert step.mark not in ".="


@pytest.mark.parametrize(
    ("meter", "lengths"),
    [
        ("4/4", [4, 4, 4, 4]),
        ("3/4", [4, 4, 4]),
        ("5/4", [4, 4, 4, 4, 4]),
        ("6/8", [6, 6]),
        ("12/8", [6, 6, 6, 6]),
        ("9/8", [6, 6, 6]),
        ("7/8", [4, 4, 6]),
        ("5/8", [6, 4]),
        ("11/8", [4, 4, 4, 4, 6]),
        ("7/16", [2, 2, 3]),
    ],
)
def test_pulses_are_those_that_the_foot_taps(meter: str, lengths: list[int]) -> None:
    assert pulse_sixteenths(Meter.parse(meter)) == lengths


def test_a_backbeat_ends_odd_bars() -> None:
    """In 3/4 and 5/4 the snare answers the kick within the bar: it is not a 4/4 bar cut off or run over."""
    for text, snares in (("4/4", [1, 3]), ("3/4", [2]), ("5/4", [2, 4]), ("6/8", [1.5]), ("7/8", [2])):
        layout = cells(Meter.parse(text), 1)
        struck = [step.start for step in lay(".... X... .... X...", layout[0]) if step.mark == "X"]
        assert struck == snares, text


def test_half_time_spans_two_bars_and_double_time_halves_one() -> None:
    assert [cell.length for cell in cells(Meter(4, 4), 4, 1)] == [8, 8]
    assert [cell.length for cell in cells(Meter(4, 4), 3, 1)] == [8, 4]
    assert [cell.length for cell in cells(Meter(4, 4), 1, -1)] == [2, 2]


def test_swing_moves_the_second_of_two_and_nothing_else() -> None:
    cell = cells(Meter(4, 4), 1)[0]
    straight = [step.start for step in lay("xxxx xxxx xxxx xxxx", cell, STRAIGHT)]
    swung = [step.start for step in lay("xxxx xxxx xxxx xxxx", cell, Swing(16, 0.6))]
    assert straight[::2] == pytest.approx(swung[::2])
    assert [b - a for a, b in zip(straight, swung, strict=True)][1::2] == pytest.approx([0.05] * 8)


def test_a_hold_goes_on_over_the_end_of_the_loop() -> None:
    layout = cells(Meter(4, 4), 1)
    assert [(s.start, d) for s, d in chain("==.. x... .... x===", layout)] == [(1, 0.25), (3, 1.5)]


def test_patterns_of_odd_length_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 16"):
        list(lay("x..", cells(Meter(4, 4), 1)[0]))
