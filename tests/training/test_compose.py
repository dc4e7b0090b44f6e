"""The music of the training data: the same everywhere, within bounds, in every meter, and various."""

import hashlib
from collections import Counter

import numpy as np
import pytest

from loopgen.music.tempo import Meter
from loopgen.training.compose import compose
from loopgen.training.feel import Feel
from loopgen.training.pulses import pulses
from loopgen.training.rhythms import drawn, mutated
from loopgen.training.score import DRUMS, PARTS, Music
from loopgen.training.styles import Style, styles

WRITTEN = [Meter.parse(text) for text in ("4/4", "3/4", "6/8", "12/8", "5/4", "7/8")]
OTHERS = [
    Meter.parse(text) for text in ("2/4", "2/2", "6/4", "7/4", "9/8", "11/8", "3/8", "13/8", "7/16", "1/4", "3/2")
]


@pytest.fixture(scope="module")
def pieces() -> list[Music]:
    return [compose(np.random.default_rng(seed)) for seed in range(400)]


def test_a_seed_says_everything() -> None:
    assert compose(np.random.default_rng(5)) == compose(np.random.default_rng(5))
    told = [f"{place:.4f}" for seed in range(12) for place in _places(compose(np.random.default_rng(seed)))]
    assert hashlib.sha256(" ".join(told).encode()).hexdigest()[:12] == "1c4e36e49557"


@pytest.mark.parametrize("meter", WRITTEN + OTHERS, ids=str)
def test_every_meter_is_played(meter: Meter) -> None:
    for seed in range(12):
        music = compose(np.random.default_rng(seed), meter)
        assert music.meter == meter
        assert music.hits or music.notes
        assert all(-1 <= hit.place < music.sixteenths for hit in music.hits)
        assert all(-8 <= note.place < music.sixteenths for note in music.notes)


def test_everything_is_within_bounds(pieces: list[Music]) -> None:
    for music in pieces:
        assert 60 <= music.bpm <= 185
        assert music.bars >= 4
        assert music.sixteenths * music.sixteenth >= 24
        assert [hit.place for hit in music.hits] == sorted(hit.place for hit in music.hits)
        assert [note.place for note in music.notes] == sorted(note.place for note in music.notes)
        assert all(hit.drum in DRUMS and 0 < hit.level <= 1 for hit in music.hits)
        assert all(note.part in PARTS and 0 < note.level <= 1 for note in music.notes)
        assert all(16 <= note.pitch <= 108 and note.length > 0 for note in music.notes)


def test_places_and_levels_are_plain_numbers(pieces: list[Music]) -> None:
    for music in pieces[:50]:
        assert all(type(hit.place) is float and type(hit.level) is float for hit in music.hits)
        assert all(type(note.place) is float and type(note.pitch) is int for note in music.notes)


def test_nobody_is_silent_for_long(pieces: list[Music]) -> None:
    for music in pieces:
        gaps = np.diff([0.0, *sorted(_places(music)), music.sixteenths]) * music.sixteenth
        assert gaps.max() < 9


def test_who_plays_differs(pieces: list[Music]) -> None:
    drums_only = np.mean([not music.notes for music in pieces])
    no_drums = np.mean([not music.hits for music in pieces])
    one_drum = np.mean([not music.notes and len({hit.drum for hit in music.hits}) == 1 for music in pieces])
    one_part = np.mean([not music.hits and len({note.part for note in music.notes}) == 1 for music in pieces])
    assert 0.25 < drums_only < 0.42
    assert 0.17 < no_drums < 0.33
    assert 0.03 < one_drum < 0.15
    assert 0.08 < one_part < 0.2


def test_meters_and_tempos_differ(pieces: list[Music]) -> None:
    meters = Counter(str(music.meter) for music in pieces)
    assert 0.55 < meters["4/4"] / len(pieces) < 0.73
    assert len(meters) >= 12
    tempos = np.array([float(music.bpm) for music in pieces])
    assert all(np.mean((tempos >= low) & (tempos < low + 25)) > 0.08 for low in (60, 85, 110, 135))


def test_styles_are_many_and_all_are_reached() -> None:
    assert len(styles(Meter(4, 4))) >= 200
    names = {compose(np.random.default_rng(seed), Meter(7, 8)).style for seed in range(400)}
    assert {style.name for style in styles(Meter(7, 8))} <= names
    assert any(name.startswith("made up") for name in names)
    heard = {compose(np.random.default_rng(seed)).style for seed in range(800)}
    assert len({style.name for style in styles(Meter(4, 4))} & heard) > 120


def test_no_style_is_written_twice() -> None:
    for meter in WRITTEN:
        names = [style.name for style in styles(meter)]
        assert len(names) == len(set(names))
        told = [tuple(sorted((drum, lane.tobytes()) for drum, lane in style.loud.items())) for style in styles(meter)]
        assert len(told) == len(set(told))


def test_a_style_says_where_its_bar_begins() -> None:
    """Nothing that is certain may be the same after half a bar, a beat, ... in most styles: else beat 1 is anywhere."""
    plain = [style.name for style in styles(Meter(4, 4)) if _turns_onto_itself(style)]
    assert len(plain) < 0.2 * len(styles(Meter(4, 4)))


def _turns_onto_itself(style: Style) -> bool:
    lanes = [np.stack([style.loud[drum], style.soft[drum]]).mean(axis=1) for drum in style.loud]
    return all(np.allclose(lane, np.roll(lane, style.steps // 4, axis=1)) for lane in lanes)


def test_players_differ_within_a_style() -> None:
    style = next(style for style in styles(Meter(4, 4)) if style.name == "jungle")
    drawings = {drawn(np.random.default_rng(seed), style)["kick"].tobytes() for seed in range(20)}
    assert len(drawings) > 10


def test_mutation_keeps_most_first_kicks() -> None:
    pattern = {"kick": np.eye(1, 16)}
    kept = [mutated(np.random.default_rng(seed), pattern, 0.7)["kick"][0, 0] > 0 for seed in range(400)]
    assert np.mean(kept) > 0.93


def test_drums_repeat_but_not_slavishly(pieces: list[Music]) -> None:
    """The first beat of a bar has more strokes on it than any other place: the truth is to be heard."""
    first, others = [], []
    for music in pieces:
        cells = int(music.meter.quarters * 4)
        places = np.round([hit.place for hit in music.hits if hit.drum in ("kick", "tom_low")]) % cells
        if len(places):
            counts = np.bincount(places.astype(int), minlength=cells)
            first.append(counts[0] / music.bars)
            others.append(np.delete(counts, 0).max() / music.bars)
    assert np.mean(first) > np.mean(others) + 0.1


def test_who_plays_alone_says_where_the_bar_begins(pieces: list[Music]) -> None:
    """Off-beats alone would be heard as beats: what plays alone plays on the first beat, or backbeats."""
    begun = []
    for music in pieces:
        alone = {hit.drum for hit in music.hits} | {note.part for note in music.notes}
        if len(alone) == 1 and not alone <= {"snare", "clap"}:
            bar = float(music.meter.quarters * 4)
            near = {round(event / bar) for event in _places(music) if abs(event - round(event / bar) * bar) < 0.6}
            begun.append(len(near & set(range(music.bars))) / music.bars)
    assert len(begun) > 40
    assert np.mean(begun) > 0.8


def _places(music: Music) -> list[float]:
    return [hit.place for hit in music.hits] + [note.place for note in music.notes]


def test_feel_swings_pairs_and_keeps_their_start() -> None:
    late = dict.fromkeys((*DRUMS, *PARTS), 0.0)
    rng = np.random.default_rng(0)
    assert Feel(1 / 3, 1, 0.0, late).played(rng, [0, 1, 2, 3], "hat").tolist() == pytest.approx([0, 4 / 3, 2, 10 / 3])
    assert Feel(1 / 3, 2, 0.0, late).played(rng, [0, 2, 4, 6], "hat").tolist() == pytest.approx([0, 8 / 3, 4, 20 / 3])
    behind = Feel(0.0, 1, 0.0, late | {"snare": 0.2})
    assert behind.played(rng, [4, 12], "snare").tolist() == pytest.approx([4.2, 12.2])


@pytest.mark.parametrize("meter", WRITTEN + OTHERS, ids=str)
def test_pulses_divide_the_bar(meter: Meter) -> None:
    for seed in range(10):
        felt = pulses(np.random.default_rng(seed), meter)
        assert felt.starts[0] == 0 == felt.strong[0]
        assert set(felt.strong) <= set(felt.starts)
        assert felt.cells == round(4 * meter.quarters)
        assert all(a < b for a, b in zip(felt.starts, felt.ends, strict=True))
        assert felt.weights().argmax() == 0
