"""Loops made again from what they say of themselves, and their takes laid anew from disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from loopgen import library, remake, studio
from loopgen.audiofile import read_audio
from loopgen.engines import base
from loopgen.errors import EngineUnavailable, InvalidRequest, RecipeUnusable, TakeGone
from loopgen.library import embedded, takes
from loopgen.library.recipes import describe, request_of
from loopgen.music.audio import Audio
from loopgen.music.chords import parse_chords
from loopgen.music.loop import Loop
from loopgen.music.melody import Melody, Note
from loopgen.music.request import LoopRequest
from loopgen.music.sampling import Sampling
from loopgen.music.tempo import Meter, loop_frames
from tests.loops import pulse_loop
from tests.stand_in import ENTRIES, RATE, Moody

TUNE = Melody((Note(0, 57, 1), Note(1.5, 64, 0.5, 90), Note(3, 60, 1)), 4)


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "BUILT_IN", (*base.BUILT_IN, *ENTRIES))


def made(request: LoopRequest) -> Loop:
    (loop,) = studio.generate(request)
    return loop


def again(path: Path, changes: Mapping[str, Any] | None = None) -> remake.Remade:
    (found,) = remake.redo(path, changes)
    return found


def rewrite(kept: library.Kept, change: Any) -> None:
    """Change a loop's recipe, in the sidecar; the one inside the file is taken out."""
    recipe = json.loads(kept.sidecar.read_text("utf-8"))
    change(recipe)
    audio = read_audio(kept.path)
    soundfile.write(kept.path, audio.samples, audio.rate, "PCM_24")
    kept.sidecar.write_text(json.dumps(recipe), "utf-8")


REQUESTS = [
    LoopRequest("dub techno, rolling bass", "127.9", 2, seed=3, engine="sketch"),
    LoopRequest("liquid drum and bass", "174", 1, key="F minor", seed=4294967295, engine="sketch"),
    LoopRequest("jazz waltz, upright bass", "361/3", 2, "3/4", seed=8, engine="sketch"),
    LoopRequest("boom bap", "60.23", 1, "7/8", seed=2, engine="sketch", rate=48_000),
    LoopRequest("lo-fi, rhodes", "78", 2, melody=TUNE, seed=5, engine="sketch"),
    LoopRequest("deep house", "122", 2, melody=parse_chords("Am F", Meter()), seed=6, engine="sketch", longest_fade=0),
    LoopRequest("ambient drone", "90", 1, "6/8", seed=9, engine="sketch", rate=11_025, stretcher="signalsmith"),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.prompt)
@pytest.mark.parametrize("file_format", ["wav", "float", "flac"])
def test_a_loop_of_the_embedded_engine_comes_back_bit_by_bit(
    tmp_path: Path, request_: LoopRequest, file_format: str
) -> None:
    loop = made(request_)
    kept = library.keep(loop, tmp_path, file_format=file_format)
    found = again(kept.path)
    assert found.identical is True, found.remarks
    assert np.array_equal(found.loop.audio.samples, loop.audio.samples)
    laid = library.keep(remake.retempo(kept.path, Fraction("131.5")), tmp_path, file_format=file_format)
    assert again(laid.path).identical is True
    moved = kept.path.rename(tmp_path / f"renamed{kept.path.suffix}")
    kept.sidecar.unlink()
    assert again(moved).identical is True, "by the recipe inside the file"


def test_the_take_that_won_is_made_again_and_no_other_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = library.keep(made(LoopRequest("x", 120, 1, seed=1, engine="moody")), tmp_path)
    asked: list[int] = []
    play = Moody.generate

    def generate(self: Moody, request: LoopRequest, seed: int, **rest: Any) -> Any:
        asked.append(seed)
        return play(self, request, seed, **rest)

    monkeypatch.setattr(Moody, "generate", generate)
    found = again(kept.path)
    assert (found.identical, asked, found.loop.recipe["seed"]) == (True, [3], 3)


def test_the_same_loop_leaves_what_is_kept_alone(tmp_path: Path) -> None:
    kept = library.keep(made(LoopRequest("x", 120, 1, seed=1, engine="moody")), tmp_path)
    recipe = json.loads(kept.sidecar.read_text("utf-8"))
    kept.sidecar.write_text(json.dumps(recipe | {"marks": {"favourite": True}}, indent=2) + "\n", "utf-8")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    assert library.keep(again(kept.path).loop, tmp_path).path == kept.path
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


def test_what_is_to_be_different_is_an_order_like_any(tmp_path: Path) -> None:
    kept = library.keep(made(LoopRequest("x at 90 bpm", 120, 1, key="Am", seed=3, engine="moody")), tmp_path)
    found = again(kept.path, {"bpm": "127.9", "key": "F minor", "bars": 2, "seed": None})
    assert found.identical is None
    assert set(found.remarks) == {"bpm 127.9, not 120", "key Fm, not Am", "bars 2, not 1"}
    assert found.loop.audio.frames == loop_frames(Fraction("127.9"), 2, Meter(), 44_100)
    assert found.loop.recipe["seed"] == 3
    assert again(kept.path, {"bpm": "120", "seed": 3}).identical is True, "nothing of that is different"
    found = again(kept.path, {"prompt": "y in D dorian, 100 bpm", "seed": 6})
    assert (found.loop.request.prompt, str(found.loop.request.key), found.loop.request.bpm) == (
        "y",
        "D dorian",
        Fraction(100),
    )
    loops = list(remake.redo(kept.path, {"variations": 2, "seed": 6}))
    assert [one.loop.recipe["seed"] for one in loops] == [6, 9]
    assert [one.remarks for one in loops] == [("seed 6, not 3",), ("seed 9, not 3",)]
    loops = list(remake.redo(kept.path, {"variations": 2}))
    assert len(loops) == 2 and 3 not in [one.loop.recipe["seed"] for one in loops]
    with pytest.raises(InvalidRequest, match="bmp"):
        again(kept.path, {"bmp": 3})


def test_another_machine_and_version_are_named_where_the_sound_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = library.keep(made(LoopRequest("x", 120, 1, seed=3, engine="moody")), tmp_path)

    def older(recipe: dict[str, Any]) -> None:
        recipe["engine"]["version"] = "0"
        recipe["environment"] |= {"machine": "abacus", "numpy": "0.1"}

    rewrite(kept, older)
    assert again(kept.path).identical is True, "other versions that sound the same"
    play = Moody.generate

    def louder(self: Moody, request: LoopRequest, seed: int, **rest: Any) -> Any:
        take = play(self, request, seed, **rest)
        return replace(take, audio=take.audio.with_samples(take.audio.samples[::-1]))

    monkeypatch.setattr(Moody, "generate", louder)
    found = again(kept.path)
    assert found.identical is False
    said = "; ".join(found.remarks)
    assert "engine's version 1, not 0" in said and "machine" in said and "not abacus" in said and "numpy" in said
    assert "dB of full scale" in said
    rewrite(kept, lambda recipe: recipe.update(environment={}, engine={**recipe["engine"], "version": "1"}))
    assert "nothing that the recipe names is different" in "; ".join(again(kept.path).remarks)


def test_without_its_engine_a_loop_is_made_of_its_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = library.keep(made(LoopRequest("x", "127.9", 2, seed=3, engine="moody")), tmp_path)
    laid = library.keep(remake.retempo(kept.path, Fraction(100)), tmp_path)
    monkeypatch.setattr(base, "BUILT_IN", base.BUILT_IN[:3])
    for path in (kept.path, laid.path):
        found = again(path)
        assert found.identical is True
        assert "take that was kept" in found.remarks[0] and "moody" in found.remarks[0]
    assert kept.take
    kept.take.unlink()
    with pytest.raises(EngineUnavailable, match=r"played by moody.*take of .* is gone"):
        again(kept.path)


def test_a_recording_is_made_again_of_its_take(tmp_path: Path) -> None:
    recording = Moody().generate(LoopRequest("x", "97", 4), 3).audio
    loop = studio.conform(
        recording, LoopRequest("jam", 100, 2, engine="conform"), source_bpm=Fraction(97), downbeat=0.0
    )
    kept = library.keep(loop, tmp_path)
    assert again(kept.path).identical is True
    laid = library.keep(remake.retempo(kept.path, Fraction(110), start=4), tmp_path)
    assert again(laid.path).identical is True
    other = again(kept.path, {"bars": 4})
    assert (other.identical, other.loop.request.bars, other.remarks) == (None, 4, ("bars 4, not 2",))
    with pytest.raises(InvalidRequest, match="no engine played it"):
        again(kept.path, {"seed": 4})
    assert kept.take
    kept.take.unlink()
    with pytest.raises(TakeGone, match="`loopgen conform` takes the recording"):
        again(kept.path)


def test_what_a_take_went_on_from_is_found_by_name_and_by_sound(tmp_path: Path) -> None:
    class Going(Moody):
        abilities = frozenset({base.OPENING, base.SAMPLING})

        def generate(self, request: LoopRequest, seed: int, **rest: Any) -> Any:
            take = super().generate(request, seed, **rest)
            assert request.opening
            heard = float(np.abs(request.opening.audio.samples).sum()) % 1  # what is gone on from is in the sound
            return replace(take, audio=take.audio.with_samples(take.audio.samples * (0.5 + heard / 4)))

    first = library.keep(pulse_loop(bpm="120", bars=2), tmp_path / "first.wav")
    request = LoopRequest("x", 124, 2, seed=3)
    opened = studio.opening(studio.inspect(first.path), request, "vary", first.path.name)
    (loop,) = studio.generate(replace(request, opening=opened), engine=Going())
    kept = library.keep(loop, tmp_path)
    load = lambda name, hardware: Going()  # noqa: E731
    (found,) = remake.redo(kept.path, load=load)
    assert found.identical is True
    first.path.rename(tmp_path / "renamed.wav")
    (found,) = remake.redo(kept.path, load=load)
    assert found.identical is True, "found by its sound"
    library.keep(pulse_loop(bpm="120", bars=2, seed=9), tmp_path / "first.wav")
    (found,) = remake.redo(kept.path, load=load)
    assert found.identical is True, "the loop that has its name now is another"
    (tmp_path / "renamed.wav").unlink()
    (found,) = remake.redo(kept.path, load=load)
    assert found.identical is False and "opening" in found.remarks[-1]
    (tmp_path / "first.wav").unlink()
    with pytest.raises(RecipeUnusable, match=r"goes on from first\.wav, which is not here"):
        list(remake.redo(kept.path, load=load))


def test_a_loop_of_an_earlier_version_is_done_as_well_as_can_be(tmp_path: Path) -> None:
    kept = library.keep(made(LoopRequest("x", 120, 1, seed=3, engine="moody")), tmp_path)
    new = ("audio", "environment")

    def earlier(recipe: dict[str, Any]) -> None:
        for name in new:
            del recipe[name]
        for name in ("stretcher", "longest_fade"):
            del recipe["request"][name]
        for name in ("beat", "beats"):
            del recipe["steps"][name]
        recipe["take"] = {"rate": RATE, "frames": 1}

    rewrite(kept, earlier)
    found = again(kept.path)
    assert found.identical is True
    assert "earlier version's" in found.remarks[0]
    with pytest.raises(TakeGone, match="not kept"):
        remake.retempo(kept.path, Fraction(100))


def test_a_file_that_was_edited_is_told_apart(tmp_path: Path) -> None:
    kept = library.keep(made(LoopRequest("x", 120, 1, seed=3, engine="moody")), tmp_path)
    audio = read_audio(kept.path)
    soundfile.write(kept.path, 0.5 * audio.samples, audio.rate, "PCM_24")
    found = again(kept.path)
    assert found.identical is True
    assert "changed after it was made" in found.remarks[0]


@pytest.mark.parametrize(
    "damage",
    [
        {"request": {}},
        {"request": None},
        {"engine": "sketch"},
        {"request": {"prompt": "x", "bpm": "120", "bars": 1, "meter": "4/4", "sampling": {"charm": 3}}},
    ],
)
def test_a_recipe_that_lacks_something_says_so(tmp_path: Path, damage: dict[str, Any]) -> None:
    kept = library.keep(made(LoopRequest("x", 120, 1, seed=3, engine="moody")), tmp_path)
    rewrite(kept, lambda recipe: recipe.update(damage))
    with pytest.raises(RecipeUnusable):
        again(kept.path)


def test_a_file_without_a_recipe_says_so(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a_120bpm.wav", np.zeros(1000), 44_100)
    with pytest.raises(RecipeUnusable, match="does not say how it was made"):
        again(tmp_path / "a_120bpm.wav")
    with pytest.raises(TakeGone, match="no recipe"):
        remake.retempo(tmp_path / "a_120bpm.wav", Fraction(100))


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.prompt)
def test_a_request_is_read_back_from_its_recipe(request_: LoopRequest) -> None:
    whole = replace(request_, sampling=Sampling(temperature=0.7, negative="noise"), takes=3)
    assert request_of(json.loads(json.dumps({"request": describe(whole)}))) == whole


def test_the_recipe_inside_a_file_leaves_its_sound_and_tags_alone(tmp_path: Path) -> None:
    loop = made(LoopRequest("x", 120, 1, seed=3, engine="moody"))
    recipes = []
    for name in ("a.wav", "b.flac"):
        kept = library.keep(loop, tmp_path / name)
        recipes.append(embedded.read(kept.path))
        with soundfile.SoundFile(kept.path) as file:
            assert (file.title, file.frames, file.channels) == ("x", 88_200, 1)
    assert recipes[0] == recipes[1] and recipes[0]["request"]["bpm"] == "120"
    assert np.array_equal(read_audio(tmp_path / "a.wav").samples, read_audio(tmp_path / "b.flac").samples)
    data = (tmp_path / "b.flac").read_bytes()
    for cut in (0, 3, 41, 45, 60, len(data) // 2):
        (tmp_path / "cut.flac").write_bytes(data[:cut])
        assert embedded.read(tmp_path / "cut.flac") in ({}, recipes[0])
    with pytest.raises(ValueError, match="no FLAC"):
        embedded.into_flac(b"RIFF", b"")


def test_a_loud_take_is_kept_to_24_bits(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).standard_normal((88_200, 2), dtype=np.float32) * 3
    loop = studio.conform(Audio(noise, 44_100), LoopRequest("loud", 120, 1, engine="conform"))
    assert loop.take and np.abs(loop.take.audio.samples).max() > 8
    kept = library.keep(loop, tmp_path)
    found = takes.find_take(kept.path)
    assert found.take and np.array_equal(found.take.audio.samples, loop.take.audio.samples)
    assert np.abs(found.take.audio.samples - noise).max() <= loop.take.audio.scale * 2.0**-24 * 1.001
    assert np.array_equal(
        remake.retempo(kept.path, Fraction(99)).audio.samples, studio.retempo(loop, Fraction(99)).audio.samples
    )


def test_a_take_is_kept_once_and_never_left_in_silence(tmp_path: Path) -> None:
    loop = made(LoopRequest("x", 120, 2, seed=3, engine="moody"))
    kept = library.keep(loop, tmp_path / "loop.wav")
    library.keep(studio.retempo(loop, Fraction(100)), tmp_path)
    library.keep(remake.retempo(kept.path, Fraction(90)), tmp_path)
    assert kept.take and list((tmp_path / "takes").iterdir()) == [kept.take]
    (tmp_path / "alone").mkdir()
    first = library.keep(loop, tmp_path / "alone" / "loop.wav")
    other = library.keep(made(LoopRequest("y", 120, 2, seed=6, engine="moody")), tmp_path / "alone" / "loop.wav")
    assert first.take and takes.orphans(tmp_path / "alone") == [first.take]
    assert other.notes == (f"the loop that was loop.wav before is replaced; its take stays in {first.take}",)
    assert remake.retempo(first.take, Fraction(120)).recipe["seed"] == 3, "it is of use by itself"


def test_a_take_need_not_be_kept(tmp_path: Path) -> None:
    kept = library.keep(made(LoopRequest("x", 120, 1, seed=3, engine="moody")), tmp_path, take=False)
    assert kept.take is None and not (tmp_path / "takes").exists()
    with pytest.raises(TakeGone, match=r"not kept; `loopgen redo .* --bpm"):
        takes.find_take(kept.path)


def test_a_damaged_take_is_noticed(tmp_path: Path) -> None:
    kept = library.keep(made(LoopRequest("x", 120, 1, seed=3, engine="moody")), tmp_path)
    assert kept.take
    data = bytearray(kept.take.read_bytes())
    for damage in (data[: len(data) // 2], data[:60], bytes(data[:-400]) + bytes(400), b""):
        kept.take.write_bytes(damage)
        with pytest.raises(TakeGone, match="damaged"):
            takes.find_take(kept.path)


@pytest.mark.parametrize("name", ["../../etc/passwd", "x" * 32, 3, None, ["a"], "0" * 31])
def test_a_recipe_leads_to_no_other_file(name: object) -> None:
    assert takes.take_of({"take": {"name": name}}) is None
    assert takes.take_of({"take": name}) is None


def test_bars_and_start_are_of_the_take(tmp_path: Path) -> None:
    kept = library.keep(made(LoopRequest("x", 120, 4, seed=3, engine="moody")), tmp_path)
    begins = json.loads(kept.sidecar.read_text("utf-8"))["steps"]["beat"]
    shorter = remake.retempo(kept.path, bars=2, start=4)
    assert (shorter.request.bars, shorter.request.bpm, shorter.recipe["steps"]["beat"]) == (
        2,
        Fraction(120),
        begins + 4,
    )
    twice = library.keep(shorter, tmp_path)
    back = remake.retempo(twice.path, start=0)
    assert (back.recipe["steps"]["beat"], back.request.bars) == (begins, 2)
    assert again(twice.path).identical is True
    most = remake.retempo(kept.path, bars=6)
    assert again(library.keep(most, tmp_path).path).identical is True
    with pytest.raises(InvalidRequest, match=r"bars: 7 cannot be used; give 1 to 6: the take holds no more"):
        remake.retempo(kept.path, bars=7)
    with pytest.raises(InvalidRequest, match=r"start: 99 cannot be used; give -?\d+ to \d+"):
        remake.retempo(kept.path, start=99)


def test_how_far_a_take_was_stretched_is_told(tmp_path: Path) -> None:
    kept = library.keep(made(LoopRequest("x", 120, 2, seed=3, engine="moody")), tmp_path)
    assert remake.how_far(remake.retempo(kept.path, Fraction(126))) == "the take, played at 120 BPM, goes 5.0% faster"
    assert "10.0% slower" in remake.how_far(remake.retempo(kept.path, Fraction(108)))
    assert "not stretched" in remake.how_far(remake.retempo(kept.path, Fraction(120)))
