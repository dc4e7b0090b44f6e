from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgen.errors import InvalidRequest
from loopgen.music.audio import Audio
from loopgen.music.beats import BeatGrid
from loopgen.music.key import SCALES, TONICS, Key
from loopgen.music.melody import Melody, Note
from loopgen.music.request import LoopRequest
from loopgen.music.sampling import Sampling
from loopgen.music.tempo import Meter


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bpm", 0),
        ("bpm", float("nan")),
        ("bpm", 1e9),
        ("bars", 0),
        ("bars", 257),
        ("meter", "4/5"),
        ("key", "H minor"),
        ("seed", -1),
        ("seed", 2**32),
        ("variations", 0),
        ("rate", 1000),
        ("prompt", "x" * 2001),
        ("prompt", "two\nlines"),
    ],
)
def test_a_request_names_the_field_the_value_and_the_range(field: str, value: object) -> None:
    fields: dict[str, Any] = {"prompt": "house", "bpm": 120, field: value}
    with pytest.raises(InvalidRequest) as caught:
        LoopRequest(**fields)
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: ")
    assert "; give " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_loop_may_not_last_an_hour() -> None:
    with pytest.raises(InvalidRequest, match="minutes"):
        LoopRequest("drone", 20, bars=256, meter="64/1")


@pytest.mark.parametrize("mode", SCALES)
@pytest.mark.parametrize("tonic", range(12))
def test_every_key_reads_back(tonic: int, mode: str) -> None:
    key = Key(tonic, mode)
    assert Key.parse(str(key)) == key
    assert key.scale[0] == tonic
    assert len(set(key.scale)) == 7


def test_keys_are_read_as_musicians_write_them() -> None:
    assert Key.parse("f# minor") == Key.parse("F#m") == Key.parse("F sharp min") == Key.parse("Gbm") == Key(6, "minor")
    assert Key.parse("CM") == Key.parse("c major") == Key.parse("C") == Key(0, "major")
    assert TONICS[Key.parse("Bb").tonic] == "Bb"


def test_audio_is_read_only_and_checked() -> None:
    audio = Audio(np.zeros((10, 2)), 44_100)
    with pytest.raises(ValueError, match="read-only"):
        audio.samples[0, 0] = 1
    with pytest.raises(ValueError, match="shape"):
        Audio(np.zeros((2, 2, 2)), 44_100)
    assert audio.mono().shape == (10,)


def test_a_callers_array_stays_writeable() -> None:
    samples = np.zeros((10, 2), np.float32)
    Audio(samples, 44_100)
    samples[0] = 1


@given(st.floats(-3, 3), st.floats(0.05, 2), st.floats(0.1, 30), st.sampled_from(["4/4", "3/4", "7/8"]))
def test_a_steady_grid_covers_the_take(first: float, beat: float, seconds: float, meter: str) -> None:
    grid = BeatGrid.steady(first, beat, seconds, Meter.parse(meter))
    assert grid.beats[0] < 0 or grid.beats[0] == pytest.approx(-beat, abs=1e-6)
    assert grid.beats[-1] > seconds - 1e-9
    assert grid.period == pytest.approx(beat)
    assert grid.wobble < 1e-9
    bar = beat * grid.meter.beats
    off = (grid.downbeats - first) / bar
    assert np.allclose(off, np.round(off), atol=1e-6)


def test_positions_invert_the_grid() -> None:
    grid = BeatGrid(np.array([0.1, 0.6, 1.2, 1.7]), Meter(), 1, 0.9, 0.5)
    assert grid.position([0.1, 0.9, 1.7, 2.2, -0.4]).tolist() == pytest.approx([0, 1.5, 3, 4, -1])


@pytest.mark.parametrize(
    "fields",
    [
        {"beats": [0.0]},
        {"beats": [0.0, 0.0]},
        {"beats": [0.0, np.nan]},
        {"downbeat": 4},
        {"confidence": 1.5},
        {"downbeat_confidence": -0.1},
    ],
)
def test_a_grid_refuses_what_is_no_grid(fields: dict[str, Any]) -> None:
    good: dict[str, Any] = {"beats": [0.0, 0.5], "downbeat": 0, "confidence": 1.0, "downbeat_confidence": 1.0}
    with pytest.raises(ValueError, match=r"must be"):
        BeatGrid(**{"meter": Meter(), **good, **fields})


def test_a_melody_repeats_to_fill_the_loop() -> None:
    melody = Melody((Note(0, 60, 1), Note(2, 64, 3)), 4)
    notes = melody.repeated(10)
    assert [(note.start, note.pitch) for note in notes] == [(0, 60), (2, 64), (4, 60), (6, 64), (8, 60)]
    assert melody.chroma()[4] == pytest.approx(0.75)


@pytest.mark.parametrize(
    "note",
    [(0, 128, 1), (0, -1, 1), (-1, 60, 1), (0, 60, 0), (0, 60, float("nan")), (0, 60, 1, 0), (float("inf"), 60, 1)],
)
def test_a_note_is_checked(note: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidRequest):
        Note(*note)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", -0.1), ("temperature", float("nan")), ("temperature", "1"), ("temperature", True),
        ("top_k", 2049), ("top_k", 1.5), ("top_p", 1.01), ("guidance", 20.5), ("guidance", float("inf")),
        ("negative", "a\nb"), ("negative", "x" * 2001), ("count_in", 1),
    ],
)  # fmt: skip
def test_sampling_names_the_field_and_what_to_give(field: str, value: Any) -> None:
    with pytest.raises(InvalidRequest, match=rf"^{field}: .* cannot be used; give "):
        Sampling(**{field: value})


def test_the_edges_of_sampling_are_allowed() -> None:
    edges = Sampling(temperature=0, top_k=2048, top_p=1, guidance=20, negative="x" * 2000, count_in=True)
    assert isinstance(edges.temperature, float)
    assert Sampling(top_k=0, guidance=0).top_k == 0
