from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgen.errors import InvalidRequest
from loopgen.music.tempo import (
    Meter,
    beat_frames,
    beat_seconds,
    check_bars,
    check_rate,
    format_bpm,
    loop_frames,
    parse_bpm,
    round_half_up,
)

bpms = st.one_of(
    st.fractions(20, 999, max_denominator=10_000),
    st.decimals(20, 999, places=3).map(Fraction),
    st.integers(20, 999).map(Fraction),
)
meters = st.builds(Meter, st.integers(1, 64), st.sampled_from([1, 2, 4, 8, 16]))
rates = st.integers(8_000, 192_000)
bar_counts = st.integers(1, 256)


@given(bpms, bar_counts, meters, rates)
def test_length_is_the_nearest_whole_number_of_samples(bpm: Fraction, bars: int, meter: Meter, rate: int) -> None:
    exact = Fraction(rate) * 60 * bars * 4 * meter.numerator / (meter.denominator * bpm)
    frames = loop_frames(bpm, bars, meter, rate)
    assert -Fraction(1, 2) < frames - exact <= Fraction(1, 2)


@given(bpms, bar_counts, meters, rates)
def test_beats_lie_within_half_a_sample_of_their_place(bpm: Fraction, bars: int, meter: Meter, rate: int) -> None:
    frames, beats = loop_frames(bpm, bars, meter, rate), bars * meter.beats
    lines = beat_frames(frames, beats)
    assert lines[0] == 0
    assert np.all(np.diff(np.append(lines, frames)) >= 0)
    k = np.arange(beats)
    assert np.all(np.abs(2 * (lines * beats - k * frames)) <= beats)  # whole numbers: exact


@given(bpms, meters)
def test_a_bar_is_its_beats(bpm: Fraction, meter: Meter) -> None:
    assert meter.beats * beat_seconds(bpm, meter) == 60 * meter.quarters / bpm
    assert meter.beat_quarters in (1, Fraction(1, 2), Fraction(1, 4))


@given(st.fractions())
def test_rounding_goes_half_up(x: Fraction) -> None:
    assert round_half_up(x) == (x + Fraction(1, 2)).__floor__()


@given(st.integers(20_000, 999_000))
def test_a_tempo_survives_text_and_float_exactly(thousandths: int) -> None:
    exact = Fraction(thousandths, 1000)
    text = f"{thousandths / 1000:.3f}"
    assert parse_bpm(text) == parse_bpm(float(text)) == parse_bpm(exact) == exact
    assert parse_bpm(format_bpm(exact)) == exact


def test_numpy_numbers_are_numbers() -> None:
    assert parse_bpm(np.float64(60.23)) == parse_bpm("60,23") == Fraction(6023, 100)
    assert parse_bpm(np.int64(90)) == 90


@pytest.mark.parametrize(
    ("written", "exact"),
    [
        ("00000000120", Fraction(120)),
        ("120.", Fraction(120)),
        ("120.0000000000001", 120 + Fraction(1, 10**13)),
        ("120.00000000000000000000", Fraction(120)),
        (120.30000000000001, Fraction("120.30000000000001")),
        (2.3e1, Fraction(23)),
        ("0361/003", Fraction(361, 3)),
    ],
)
def test_a_tempo_in_the_range_is_taken_however_it_is_written(written: str | float, exact: Fraction) -> None:
    assert parse_bpm(written) == exact
    assert parse_bpm(str(exact)) == exact  # as a sidecar keeps it


@given(st.floats(20, 999))
def test_every_float_in_the_range_is_taken(bpm: float) -> None:
    assert float(parse_bpm(bpm)) == bpm
    assert parse_bpm(str(parse_bpm(bpm))) == parse_bpm(bpm)


@pytest.mark.parametrize("bpm", ["120." + "0" * 30, "0" * 5000 + "120", "120" + "0" * 70 + "/1" + "0" * 70])
def test_too_many_digits_are_called_so(bpm: str) -> None:
    with pytest.raises(InvalidRequest, match=r"in at most (24|64) characters"):
        parse_bpm(bpm)


@pytest.mark.parametrize("digits", ["١٢٠", "１２０", "१२०", "12０"])
def test_digits_of_other_scripts_are_taken_nowhere(digits: str) -> None:
    for tempo in (digits, f"{digits} bpm", f"{digits}.5", f"{digits}/1"):
        with pytest.raises(InvalidRequest, match="20 to 999 BPM"):
            parse_bpm(tempo)
    with pytest.raises(InvalidRequest, match="a meter like 4/4"):
        Meter.parse(f"{digits[-1]}{digits[0]}/4")


@pytest.mark.parametrize(
    "bpm", [0, -120, 19.99, 999.01, 1e9, float("nan"), float("inf"), True, "", "fast", "1e2", "120/0", "1" * 5000, None]
)
def test_no_other_tempo_is_taken(bpm: object) -> None:
    with pytest.raises(InvalidRequest, match="20 to 999 BPM") as caught:
        parse_bpm(bpm)  # type: ignore[arg-type]  # that is the point
    assert caught.value.field == "bpm"
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("meter", ["4", "4/3", "0/4", "65/4", "4/32", "-3/4", "a/b", "", "4/4/4"])
def test_no_other_meter_is_taken(meter: str) -> None:
    with pytest.raises(InvalidRequest, match="meter"):
        Meter.parse(meter)


@pytest.mark.parametrize("rate", [7_999, 192_001, 0, -1, True, 44_100.5])
def test_no_other_rate_is_taken(rate: int) -> None:
    with pytest.raises(InvalidRequest, match="8000 to 192000"):
        check_rate(rate)


@pytest.mark.parametrize("bars", [0, -4, 257, True, 1.5])
def test_no_other_number_of_bars_is_taken(bars: int) -> None:
    with pytest.raises(InvalidRequest, match="1 to 256"):
        check_bars(bars)
