"""What is written down, before a sample sounds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopgen.engines.sketch.compose import compose
from loopgen.engines.sketch.prompt import parse
from loopgen.engines.sketch.repertoire import GENRES
from loopgen.engines.sketch.score import Score
from loopgen.music.key import Key
from loopgen.music.melody import Melody, Note
from loopgen.music.request import LoopRequest
from loopgen.music.tempo import Meter

NAMES = [genre.name for genre in GENRES]


def write(prompt: str, bpm: float = 120, bars: int = 4, seed: int = 1, **more: object) -> Score:
    request = LoopRequest(prompt, bpm, bars, **more)  # type: ignore[arg-type]
    return compose(request, parse(request.prompt), seed)


def home(name: str) -> float:
    return next(sum(genre.tempo) / 2 for genre in GENRES if genre.name == name)


def struck(score: Score, *lanes: str) -> list[float]:
    return [hit.start for hit in score.hits if hit.lane in lanes]


@pytest.mark.parametrize("name", NAMES)
def test_every_genre_is_a_band(name: str) -> None:
    for seed in range(4):
        score = write(name, home(name), seed=seed)
        assert score.genre.name == name
        assert {"bass", "chords"} <= set(score.notes) or name == "ambient"
        assert score.hits or name == "ambient"
        for notes in score.notes.values():
            assert all(0 <= note.start < score.quarters and note.duration > 0 for note in notes)
            assert all(24 <= note.pitch <= 103 for note in notes)
        assert all(0 <= hit.start < score.quarters and 0 < hit.velocity <= 1.15 for hit in score.hits)
        assert max((note.pitch for note in score.notes.get("bass", ())), default=0) <= 60


@pytest.mark.parametrize("name", NAMES)
def test_the_bass_follows_the_chords(name: str) -> None:
    """Bass notes on a chord's first beat are its root; three quarters of all bass notes are its tones."""
    for seed in range(3):
        score = write(f"{name} with bass", home(name), 8, seed)
        inside = 0
        for note in score.notes["bass"]:
            chord = next(h.chord for h in reversed(score.harmony) if note.start >= h.start - 1e-6)
            inside += note.pitch % 12 in chord.pitch_classes
        assert inside >= 0.7 * len(score.notes["bass"])


@pytest.mark.parametrize("name", NAMES)
def test_chords_are_in_key_and_move_where_the_genre_moves(name: str) -> None:
    score = write(name, home(name), 8, key="F# minor")
    assert score.key == Key.parse("F#m")
    scale = set(score.key.scale)
    for change in score.harmony:
        assert len(set(change.chord.pitch_classes) - scale) <= 2  # a borrowed chord, not another key
    total = sum(change.duration for change in score.harmony)
    assert total == pytest.approx(score.quarters)


def test_no_drums_leaves_everything_else_as_it_was() -> None:
    for name in ("house", "jazz", "trap", "funk"):
        full, without = write(name), write(f"{name}, no drums")
        assert full.hits
        assert not without.hits
        assert full.notes == without.notes
        assert full.harmony == without.harmony


def test_no_chords_leaves_drums_and_bass_as_they_were() -> None:
    full, without = write("disco"), write("disco without chords")
    assert "chords" not in without.notes
    assert full.hits == without.hits
    assert full.notes["bass"] == without.notes["bass"]


def test_drums_by_name_come_and_go() -> None:
    assert not struck(write("house, no hi-hats"), "hat", "open")
    assert struck(write("house, no hi-hats"), "kick")
    assert {hit.lane for hit in write("techno, only kick and clap").hits} == {"kick", "clap"}
    for seed in range(5):
        assert struck(write("techno with cowbell", seed=seed), "cowbell")
    assert struck(write("ambient with drums", 80), "kick")


def test_genres_beat_differently() -> None:
    beats = [float(k) for k in range(16)]
    for name in ("house", "techno", "trance", "disco"):
        assert set(beats[:12]) <= set(struck(write(name, home(name)), "kick")), name
    for name in ("drum and bass", "trap", "dubstep", "uk garage", "hip-hop"):
        kicks = set(struck(write(name, home(name)), "kick"))
        assert not kicks & {1.0, 5.0, 9.0}, name
    assert {2.0, 6.0, 10.0} <= {round(s, 6) for s in struck(write("trap", 140), "snare")}  # half-time backbeat
    assert {1.0, 3.0, 5.0, 7.0} <= {round(s, 6) for s in struck(write("hip-hop", 90), "snare")}


def test_phrases_end_with_a_fill() -> None:
    """The last bar of the drums differs from the first in every genre that has fills, for most seeds."""
    for name in ("house", "rock", "drum and bass", "funk"):
        different = 0
        for seed in range(8):
            score = write(name, home(name), 4, seed)
            first = {(h.lane, round(h.start, 3)) for h in score.hits if h.start < 4 and h.lane != "crash"}
            last = {(h.lane, round(h.start - 12, 3)) for h in score.hits if h.start >= 12}
            different += len(first ^ last) >= 4
        assert different >= 7, name


def test_seeds_make_other_music_of_the_same_kind() -> None:
    for name in ("house", "lo-fi", "drum and bass", "synthwave"):
        scores = [write(name, home(name), seed=seed) for seed in range(12)]
        assert len({str(score.key) for score in scores}) >= 5
        assert len({tuple(str(h.chord) for h in score.harmony) for score in scores}) >= 8
        assert len({tuple((n.start, n.pitch) for n in score.notes["bass"]) for score in scores}) >= 10
        assert len({tuple((h.start, h.lane) for h in score.hits) for score in scores}) >= 10
        assert {score.genre.name for score in scores} == {name}


def test_words_that_mean_nothing_still_seed_the_take() -> None:
    sea, hills = write("house by the sea"), write("house in the hills")
    assert sea.hits != hills.hits
    assert sea == write("by the sea: house")


def test_moods_shift_scale_and_density() -> None:
    for seed in range(6):
        assert not write("happy pop", seed=seed).key.is_minor
        assert write("sad pop", seed=seed).key.is_minor
    for name in ("hip-hop", "funk", "afrobeat"):
        sparse, plain, busy = (len(write(f"{mood} {name}", home(name)).hits) for mood in ("sparse", "", "busy"))
        assert sparse < plain < busy


def test_swing_and_straight() -> None:
    def offbeats(prompt: str) -> list[float]:
        hats = [h.start % 0.5 for h in write(prompt, 90).hits if h.lane in ("hat", "shaker")]
        return [x for x in hats if 0.1 < x < 0.4]

    assert min(offbeats("busy hip-hop")) > 0.28
    assert offbeats("straight busy hip-hop") == pytest.approx([0.25] * len(offbeats("straight busy hip-hop")))
    rides = {round(h.start % 1, 2) for h in write("jazz", 160).hits if h.lane == "ride"}
    assert rides == {0.0, 0.64}


@pytest.mark.parametrize("bpm", [20, 31.7, 60, 240, 480, 999])
def test_extreme_tempos_are_felt_in_half_or_double_time(bpm: float) -> None:
    """Between a third of a stroke and 14 strokes of the kick and snare a second, whatever the tempo says."""
    for name in ("house", "drum and bass", "lo-fi", "rock", "reggae"):
        score = write(name, bpm, 8)
        times = sorted(set(struck(score, "kick", "snare", "clap", "rim")))
        seconds = score.quarters * 60 / bpm
        assert 1 / 3 <= len(times) / seconds <= 14, name


@pytest.mark.parametrize("meter", ["3/4", "5/4", "6/8", "7/8", "9/8", "12/8", "5/8", "11/8", "7/4"])
def test_odd_meters_have_grooves_of_their_own(meter: str) -> None:
    """Each bar begins with the kick and repeats with the bar; strokes of kick and snare lie on its own pulses."""
    bar = float(Meter.parse(meter).quarters)
    for name in ("house", "rock", "hip-hop"):
        score = write(name, home(name), 4, meter=meter)
        kicks = struck(score, "kick")
        for k in range(4):
            assert k * bar in kicks, (name, k)
        pulses = [pulse.start for cell in score.cells for pulse in cell.pulses]
        firm = [h.start for h in score.hits if h.lane in ("snare", "clap") and h.velocity > 0.9 and h.start < 3 * bar]
        assert firm
        assert all(min(abs(start - pulse) for pulse in pulses) < 1e-6 for start in firm), name


TUNE = Melody((Note(0, 60, 1), Note(1, 64, 1), Note(2, 67, 2), Note(4, 65, 1), Note(5, 69, 1), Note(6, 72, 2)), 8)


def test_the_lead_plays_the_melody_exactly() -> None:
    for prompt in ("synthwave", "jazz, no drums", "solo piano", "lo-fi, swung"):
        score = write(prompt, 100, 4, melody=TUNE)
        played = [(note.start, note.pitch, note.duration, note.nudge) for note in score.notes["lead"]]
        assert played == [(note.start, note.pitch, note.duration, 0.0) for note in TUNE.repeated(16)]


def test_chords_fit_the_melody_and_the_key_is_its_own() -> None:
    for prompt in ("house", "ambient", "rock", "soul"):
        score = write(prompt, 100, 4, melody=TUNE)
        assert str(score.key) in ("C", "F", "Am")
        fit = total = 0.0
        for note in score.notes["lead"]:
            chord = next(h.chord for h in reversed(score.harmony) if note.start >= h.start - 1e-6)
            total += note.duration
            fit += note.duration * (note.pitch % 12 in chord.pitch_classes)
        assert fit >= 0.8 * total
    assert write("house", 120, melody=TUNE, key="D dorian").key == Key.parse("D dorian")


@given(
    st.sampled_from([*NAMES, "", "zebra", "no drums no bass no chords no pads no lead", "only cowbell"]),
    st.floats(20, 999), st.integers(1, 9), st.integers(1, 64), st.sampled_from([1, 2, 4, 8, 16]),
    st.integers(0, 2**32 - 1),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_anything_that_can_be_asked_can_be_written(
    prompt: str, bpm: float, bars: int, numerator: int, denominator: int, seed: int
) -> None:
    meter = Meter(numerator, denominator)
    if bars * float(meter.quarters) / bpm > 10 or bars * meter.quarters > 400:
        return
    score = write(prompt, round(bpm, 3), bars, seed, meter=meter)
    assert score.hits or score.notes
    assert all(0 <= hit.start < score.quarters for hit in score.hits)
