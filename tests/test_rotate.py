"""Loops on disk, turned."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from loopgen import library, remake, studio
from loopgen.audiofile import read_audio
from loopgen.engines import base
from loopgen.errors import AudioUnreadable, InvalidRequest, RecipeUnusable, TakeGone
from loopgen.library import embedded
from loopgen.library.index import Library
from loopgen.music.loop import Loop
from loopgen.music.request import LoopRequest
from loopgen.music.tempo import Meter, beat_frames, loop_frames
from loopgen.rotate import own_format, rotate
from loopgen.wav import digest, read_acid, read_chunk
from tests.stand_in import ENTRIES, Moody


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "BUILT_IN", (*base.BUILT_IN, *ENTRIES))


def made(prompt: str = "x", bpm: str = "127.9", bars: int = 2, meter: str = "4/4", **how: Any) -> Loop:
    (loop,) = studio.generate(LoopRequest(prompt, bpm, bars, meter, **{"seed": 3, "engine": "moody", **how}))
    return loop


def turn(path: Path, beats: Fraction | int | None = None, target: Path | None = None) -> library.Kept:
    """Turn a loop and keep it beside the old one, as it is kept."""
    loop = rotate(path, None if beats is None else Fraction(beats))
    return library.keep(loop, target or path.parent, file_format=own_format(path))


def raw(path: Path) -> np.ndarray[Any, Any]:
    """A file's own samples: integers where it has such."""
    kind = "float64" if own_format(path) == "float" else "int32"
    return np.asarray(soundfile.read(path, dtype=kind, always_2d=True)[0])


def noise(frames: int, channels: int = 2) -> np.ndarray[Any, Any]:
    phase = np.arange(frames)[:, None] * 8 / frames % 1
    return 0.4 * np.random.default_rng(frames).standard_normal((frames, channels)) * np.exp(-6 * phase)


# The samples ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beats", [Fraction(1), Fraction(-3), Fraction(1, 2), Fraction(11, 4), Fraction(19)])
@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [
        (".wav", "PCM_16"),
        (".wav", "PCM_U8"),
        (".wav", "PCM_24"),
        (".wav", "FLOAT"),
        (".flac", "PCM_16"),
        (".flac", "PCM_24"),
        (".aiff", "PCM_24"),
        (".ogg", "VORBIS"),
    ],
)
def test_any_file_is_turned_bit_by_bit(tmp_path: Path, suffix: str, subtype: str, beats: Fraction) -> None:
    path = tmp_path / f"mine_120bpm{suffix}"
    soundfile.write(path, noise(44_101, 1), 22_050, subtype)  # one more frame than whole beats have
    before, data = raw(path), path.read_bytes()
    kept = turn(path, beats)
    at = round(float(beats % 4) * 44_101 / 4)
    assert np.array_equal(raw(kept.path), np.roll(before, -at, axis=0))
    assert kept.path != path and path.read_bytes() == data
    back = turn(kept.path, -beats)
    assert np.array_equal(raw(back.path), before)
    assert digest(read_audio(back.path), 24) == digest(read_audio(path), 24)


@pytest.mark.parametrize("file_format", ["wav", "float", "flac"])
@pytest.mark.parametrize(("bpm", "meter"), [("127.9", "4/4"), ("361/3", "3/4"), ("60.23", "7/8"), ("93", "6/8")])
def test_beats_stay_where_they_were_to_the_sample_and_back_is_the_same_file(
    tmp_path: Path, file_format: str, bpm: str, meter: str
) -> None:
    first = library.keep(made(bpm=bpm, meter=meter), tmp_path, file_format=file_format)
    before = read_audio(first.path).samples
    whole = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    count = 2 * Meter.parse(meter).beats
    lines = beat_frames(len(before), count)
    path = first.path
    total = Fraction(0)
    for beats in (Fraction(1), Fraction(3), Fraction(-2), Fraction(1, 2), Fraction(-5, 2)):
        path, total = turn(path, beats).path, (total + beats) % count
        assert library.recall(path).recipe.get("rotated", {"beats": "0"})["beats"] == str(total)
        if total.denominator == 1:
            assert np.array_equal(read_audio(path).samples, np.roll(before, -lines[int(total)], axis=0))
    assert path == first.path, "back where it began, it is the loop that is there"
    assert {path: path.read_bytes() for path in whole} == whole


def test_turns_of_any_size_add_up(tmp_path: Path) -> None:
    generator = np.random.default_rng(4)
    path = tmp_path / "mine_97bpm.wav"
    soundfile.write(path, noise(loop_frames(Fraction(97), 1, Meter(), 11_025)), 11_025, "PCM_16")
    before, total = raw(path), Fraction(0)
    place = path
    for step in generator.integers(-40, 40, 12):
        if step % 16:
            place, total = turn(place, Fraction(int(step), 4)).path, total + Fraction(int(step), 4)
    if total % 4:
        place = turn(place, -total).path
    assert np.array_equal(raw(place), before)


def test_a_file_finer_than_floats_is_rounded_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "fine_120bpm.wav"
    soundfile.write(path, noise(44_100) + 1e-9, 22_050, "DOUBLE")
    loop = rotate(path, Fraction(1))
    assert any("finer than the 32-bit floats" in warning for warning in loop.warnings)
    soundfile.write(path, noise(44_100).astype(np.float32), 22_050, "DOUBLE")
    assert not any("finer" in warning for warning in rotate(path, Fraction(1)).warnings)


# What a turned loop is --------------------------------------------------------------------------------------------


def test_it_is_delivered_as_any_loop(tmp_path: Path) -> None:
    first = library.keep(made("dub techno", key="Am", bars=4), tmp_path)
    first.sidecar.write_text(json.dumps(json.loads(first.sidecar.read_text("utf-8")) | {"marks": {"rating": 5}}))
    loop = rotate(first.path, Fraction(2))
    kept = library.keep(loop, tmp_path)
    assert kept.path.name.startswith("loopgen_127.9bpm_Am_4bars_dub-techno_") and kept.path != first.path
    assert read_acid(kept.path) == read_acid(first.path)
    assert read_chunk(kept.path, "smpl", 99) == read_chunk(first.path, "smpl", 99)
    recipe = json.loads(kept.sidecar.read_text("utf-8"))
    assert embedded.read(kept.path) == {name: value for name, value in recipe.items() if name != "file"}
    assert recipe["file"] == kept.path.name and "marks" not in recipe
    assert recipe["rotated"] == {
        "beats": "2",
        "of": {"loop": first.path.name, "sha256": digest(read_audio(first.path))},
    }
    assert recipe["scores"]["seam"] == studio.inspect(kept.path).scores["seam"] != made().scores["seam"]
    assert recipe["audio"]["sha256"] == digest(read_audio(kept.path))
    assert (recipe["grid"]["source"], recipe["grid"]["downbeat_confidence"]) == ("user", 1.0)
    assert [name for name in recipe if name != "rotated"] == [
        name for name in json.loads(first.sidecar.read_text("utf-8")) if name != "marks"
    ]


def test_it_shares_the_take_wherever_it_goes(tmp_path: Path) -> None:
    first = library.keep(made(), tmp_path)
    beside = turn(first.path, 1)
    assert beside.take == first.take and len(list((tmp_path / "takes").iterdir())) == 1
    (tmp_path / "away").mkdir()
    away = turn(beside.path, 1, tmp_path / "away")
    assert away.take and first.take and away.take.read_bytes() == first.take.read_bytes()
    assert first.take.name == away.take.name
    first.take.write_bytes(b"")
    assert turn(first.path, 3).path.exists(), "a damaged take is not needed"
    first.take.unlink()
    alone = turn(first.path, 5)
    assert alone.take is None and json.loads(alone.sidecar.read_text("utf-8"))["take"]["name"] is None


def test_what_was_weak_is_weighed_anew(tmp_path: Path) -> None:
    first = library.keep(made(), tmp_path)
    recipe = json.loads(first.sidecar.read_text("utf-8"))
    said = [
        "the beat is uncertain (40% sure): the loop may start off the beat",
        "which beat is one is uncertain (41% sure): it may be beat 3 (35%)",
        "the take was stretched far, from 90.0 to 128 BPM: it may sound smeared",
        "the seam may be heard: click 9.00 (bound 1)",
        "moody follows no melody: the loop was made from the words alone",
    ]
    first.sidecar.write_text(json.dumps(recipe | {"warnings": said}), "utf-8")
    assert list(rotate(first.path, Fraction(1)).warnings) == [said[2], said[4]]


def test_the_seam_is_judged_where_it_is_now(tmp_path: Path) -> None:
    t = np.arange(88_200) / 44_100
    gain = np.interp(t, [0, 1, 1 + 1e-9, 1.5, 1.9], [1, 1, -1, -1, 1])
    path = tmp_path / "tone_120bpm.wav"
    soundfile.write(path, 0.3 * gain * np.cos(2 * np.pi * 220 * t), 44_100, "PCM_24")
    assert not studio.inspect(path).warnings
    loop = rotate(path, Fraction(2))
    assert loop.scores["seam"]["click"] > studio.inspect(path).scores["seam"]["click"]
    assert "the seam may be heard: click" in loop.warnings[-1], "what jumped inside jumps at the seam"
    back = rotate(library.keep(loop, tmp_path).path, Fraction(-2))
    assert not back.warnings and back.scores == studio.inspect(path).scores


def test_the_library_knows_it(tmp_path: Path) -> None:
    kept = turn(library.keep(made("dub techno", key="Am"), tmp_path).path, Fraction(3, 2))
    with Library(tmp_path) as found:
        found.refresh()
        entry = next(one for one in found.find() if one.path == kept.path)
    assert (entry.bpm, entry.bars, entry.origin, entry.has_take) == (Fraction("127.9"), 2, "loopgen", True)
    assert "beat 1 certain" in entry.summary or entry.warnings


def test_somebody_elses_loop_says_what_it_is_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "Funky break_93bpm_Am.wav"
    soundfile.write(path, noise(loop_frames(Fraction(93), 2, Meter(), 44_100)), 44_100, "PCM_16")
    kept = turn(path, 1)
    assert kept.path.name.startswith("loopgen_93bpm_Am_2bars_funky-break-93bpm-am_")
    known = library.recall(kept.path)
    assert (known.bpm, known.bars, str(known.key)) == (Fraction(93), 2, "Am")
    assert known.recipe["engine"]["licence"] == "that of the recording"
    (found,) = remake.redo(kept.path)
    assert found.identical is True and found.remarks == (f"turned from {path.name}",)
    path.rename(tmp_path / "other.wav")
    assert next(iter(remake.redo(kept.path))).identical is True, "found by its sound"
    with pytest.raises(InvalidRequest, match="was turned as it was found"):
        list(remake.redo(kept.path, {"bars": 4}))
    with pytest.raises(TakeGone, match="`loopgen conform"):
        remake.retempo(kept.path, Fraction(100))
    (tmp_path / "other.wav").unlink()
    with pytest.raises(RecipeUnusable, match=r"was turned from Funky break_93bpm_Am\.wav, which is not here"):
        list(remake.redo(kept.path))


# Made again -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file_format", ["wav", "float", "flac"])
def test_redo_makes_the_same_turned_loop(tmp_path: Path, file_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = library.keep(made(), tmp_path, file_format=file_format)
    kept = turn(turn(first.path, 3).path, Fraction(-1, 2))
    loop = next(iter(remake.redo(kept.path)))
    assert loop.identical is True and np.array_equal(
        loop.loop.audio.samples if file_format == "float" else loop.loop.audio.in_24_bits().samples,
        read_audio(kept.path).samples,
    )
    assert loop.loop.recipe["rotated"] == json.loads(kept.sidecar.read_text("utf-8"))["rotated"]
    first.path.unlink()
    monkeypatch.setattr(base, "BUILT_IN", base.BUILT_IN[:3])
    found = next(iter(remake.redo(kept.path)))
    assert found.identical is True and "take that was kept" in found.remarks[0]


@pytest.mark.parametrize(
    ("beats", "how"),
    [
        (Fraction(1), {"bpm": Fraction(100)}),
        (Fraction(5, 2), {"bpm": Fraction("131.5"), "bars": 2}),
        (Fraction(-1), {"bars": 1}),
        (Fraction(8), {"bars": 5}),
        (Fraction(1, 2), {"bars": 5}),
        (Fraction(3), {"start": -2}),
        (Fraction(-1, 4), {"start": -1, "bars": 3}),
    ],
    ids=str,
)
def test_a_turned_loop_laid_anew_is_made_again_too(tmp_path: Path, beats: Fraction, how: dict[str, Any]) -> None:
    first = library.keep(made(bars=4), tmp_path)
    kept = turn(first.path, beats)
    laid = library.keep(remake.retempo(kept.path, **how), tmp_path)
    assert next(iter(remake.redo(laid.path))).identical is True
    assert laid.take == first.take
    twice = library.keep(remake.retempo(laid.path, Fraction(99)), tmp_path)
    assert next(iter(remake.redo(twice.path))).identical is True


def test_on_another_tempo_it_is_the_loop_on_that_tempo_turned(tmp_path: Path) -> None:
    first = library.keep(made(bars=4), tmp_path)
    kept = turn(first.path, Fraction(13, 4))
    plain, other = (remake.retempo(path, Fraction(100)).audio for path in (first.path, kept.path))
    at = round(13 / 4 * plain.frames / 16)
    assert np.array_equal(other.samples, np.roll(plain.samples, -at, axis=0))


def test_with_other_bars_it_begins_where_the_user_put_beat_one(tmp_path: Path) -> None:
    first = library.keep(made(bars=4), tmp_path)
    begins = json.loads(first.sidecar.read_text("utf-8"))["grid"]["loop_start"]
    beat = 60 / 127.9
    for turned_by, bars, place in (
        (Fraction(1), 2, 1),
        (Fraction(-1), 2, -1),
        (Fraction(6), 2, 6),
        (Fraction(1, 2), 1, 0.5),
        (Fraction(12), 1, 12),
    ):
        laid = remake.retempo(turn(first.path, turned_by).path, bars=bars)
        assert laid.recipe["grid"]["loop_start"] == pytest.approx(begins + place * beat, abs=1e-4), turned_by
        assert laid.audio.frames == loop_frames(Fraction("127.9"), bars, Meter(), 44_100)


def test_bars_that_the_take_cannot_begin_elsewhere_are_turned(tmp_path: Path) -> None:
    recording = Moody().generate(LoopRequest("x", "100", 2), 3).audio  # four bars and no more
    order = LoopRequest("jam", 100, 2, engine="conform")
    loop = studio.conform(recording, order, source_bpm=Fraction(100), downbeat=0.0)
    kept = turn(library.keep(loop, tmp_path).path, 2)
    laid = remake.retempo(kept.path, bars=4)
    assert laid.recipe["steps"]["beats"] == 16 and laid.recipe["rotated"]["beats"] == "2"
    assert next(iter(remake.redo(library.keep(laid, tmp_path).path))).identical is True


def test_other_bars_of_a_recording_are_found_from_the_users_beat_one(tmp_path: Path) -> None:
    recording = Moody().generate(LoopRequest("x", "97", 4), 3).audio
    order = LoopRequest("jam", 97, 2, engine="conform")
    loop = studio.conform(recording, order, source_bpm=Fraction(97), downbeat=0.0)
    kept = turn(library.keep(loop, tmp_path).path, 3)
    beat = 60 / 97
    found = next(iter(remake.redo(kept.path, {"bars": 1})))
    assert found.identical is None and found.loop.recipe["grid"]["source"] == "user"
    phase = found.loop.recipe["grid"]["loop_start"] / beat % 4
    assert phase == pytest.approx(3, abs=0.05)


def test_with_something_changed_it_is_not_turned_and_says_so(tmp_path: Path) -> None:
    kept = turn(library.keep(made(), tmp_path).path, 1)
    found = next(iter(remake.redo(kept.path, {"key": "Dm"})))
    assert "rotated" not in found.loop.recipe
    assert "begins where a loop of its take would, not on another beat" in found.remarks


def test_an_edited_recipe_is_told(tmp_path: Path) -> None:
    kept = turn(library.keep(made(), tmp_path).path, 1)
    audio = read_audio(kept.path)
    recipe = json.loads(kept.sidecar.read_text("utf-8"))
    no_turns: list[Any] = ["x", "1/3", None, "-1", "1/0", "1e999999999", float("inf"), 10**400, []]
    for damage in ({}, *({"beats": beats} for beats in no_turns), 3):
        soundfile.write(kept.path, audio.samples, audio.rate, "PCM_24")
        kept.sidecar.write_text(json.dumps({**recipe, "rotated": damage}), "utf-8")
        with pytest.raises(RecipeUnusable, match="turned, and not by how many"):
            rotate(kept.path, Fraction(1))


@pytest.mark.parametrize(
    "damage",
    [{"warnings": 3}, {"warnings": "x"}, {"engine": {}}, {"engine": {"name": "x"}}, {"engine": 3}, {"seed": ...}],
)
def test_a_torn_recipe_is_turned_and_kept_as_somebody_elses(tmp_path: Path, damage: dict[str, Any]) -> None:
    kept = library.keep(made(), tmp_path)
    audio, recipe = read_audio(kept.path), json.loads(kept.sidecar.read_text("utf-8"))
    soundfile.write(kept.path, audio.samples, audio.rate, "PCM_24")
    torn = {name: value for name, value in {**recipe, **damage}.items() if value is not ...}
    kept.sidecar.write_text(json.dumps(torn), "utf-8")
    turned = library.recall(turn(kept.path, 1).path).recipe
    assert turned["rotated"]["beats"] == "1"
    assert turned["engine"]["name"] == ("moody" if "warnings" in damage else "rotate")
    assert isinstance(turned["warnings"], list) and "x" not in turned["warnings"]


@pytest.mark.parametrize("of", [3, "x", [1], True, None])
def test_a_recipe_that_names_no_file_that_it_was_turned_from(tmp_path: Path, of: Any) -> None:
    kept, path = turn(library.keep(made(), tmp_path).path, 1), tmp_path / "mine_120bpm.wav"
    soundfile.write(path, noise(22_050), 11_025, "PCM_16")
    foreign = turn(path, 1)
    for one in (kept, foreign):
        audio, recipe = read_audio(one.path), json.loads(one.sidecar.read_text("utf-8"))
        soundfile.write(one.path, audio.samples, audio.rate, "PCM_24")
        recipe["rotated"]["of"] = of
        one.sidecar.write_text(json.dumps(recipe), "utf-8")
        assert rotate(one.path, Fraction(1)).recipe["rotated"] == {"beats": "2", "of": None}
    assert next(iter(remake.redo(kept.path))).identical
    with pytest.raises(RecipeUnusable, match="was turned from a loop that its recipe does not name"):
        list(remake.redo(foreign.path))


@pytest.mark.parametrize("name", ["x" * 400 + ".wav", "a\0b.wav"])
def test_a_recipe_that_names_a_file_that_can_be_none(tmp_path: Path, name: str) -> None:
    path = tmp_path / "mine_120bpm.wav"
    soundfile.write(path, noise(22_050), 11_025, "PCM_16")
    kept = turn(path, 1)
    path.unlink()
    audio, recipe = read_audio(kept.path), json.loads(kept.sidecar.read_text("utf-8"))
    soundfile.write(kept.path, audio.samples, audio.rate, "PCM_24")
    recipe["rotated"]["of"]["loop"] = name
    kept.sidecar.write_text(json.dumps(recipe), "utf-8")
    with pytest.raises(RecipeUnusable, match="which is not here"):
        list(remake.redo(kept.path))


# What cannot be turned --------------------------------------------------------------------------------------------


def test_what_cannot_be_turned_says_why(tmp_path: Path) -> None:
    first = library.keep(made(), tmp_path)
    for beats in (8, -16):
        with pytest.raises(InvalidRequest, match="the loop has 8 beats, and would begin where it does now"):
            rotate(first.path, Fraction(beats))
    with pytest.raises(InvalidRequest, match="quarters of a beat"):
        rotate(first.path, Fraction(1, 3))
    with pytest.raises(InvalidRequest, match=r"like 1, -1 or 0\.5: .* names no second likeliest"):
        rotate(first.path)
    assert first.take
    with pytest.raises(InvalidRequest, match="this is the take itself"):
        rotate(first.take, Fraction(1))
    with pytest.raises(AudioUnreadable, match="does not exist"):
        rotate(tmp_path / "none.wav", Fraction(1))
    part = tmp_path / "part_120bpm.wav"
    soundfile.write(part, noise(3 * 11_025), 22_050)
    with pytest.raises(InvalidRequest, match=r"a loop of whole bars: this lasts 0\.75 of 4/4 at 120 BPM"):
        rotate(part, Fraction(1))


def test_progress_is_told_and_may_cancel(tmp_path: Path) -> None:
    path = library.keep(made(), tmp_path).path
    told: list[tuple[float, str]] = []
    rotate(path, Fraction(1), progress=lambda share, stage: told.append((share, stage)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[-1] == 1.0 and told[0][1] == "reading the loop"

    def stop(share: float, stage: str) -> None:
        if stage == "judging the loop":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotate(path, Fraction(1), progress=stop)


def test_silence_is_turned_too(tmp_path: Path) -> None:
    path = tmp_path / "silent_120bpm.wav"
    soundfile.write(path, np.zeros((88_200, 2)), 44_100)
    assert not rotate(path, Fraction(1)).audio.samples.any()
