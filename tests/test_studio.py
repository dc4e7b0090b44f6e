from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from loopgen import library, selection, studio
from loopgen.engines import base
from loopgen.engines.base import Progress
from loopgen.errors import Cancelled, GenerationFailed, InvalidRequest, TakeGone
from loopgen.music.audio import Audio
from loopgen.music.loop import Take
from loopgen.music.request import LoopRequest, Opening
from loopgen.music.sampling import Sampling
from loopgen.music.tempo import loop_frames, parse_bpm
from tests.loops import pulse_loop
from tests.stand_in import ENTRIES, Choir, Moody


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "BUILT_IN", (*base.BUILT_IN, *ENTRIES))


def test_a_weak_take_is_made_again_with_the_next_seed() -> None:
    (loop,) = studio.generate(LoopRequest("x", 120, 2, seed=1, engine="moody"))
    assert loop.recipe["seed"] == 3
    assert loop.warnings == ()
    assert [take["seed"] for take in loop.recipe["weaker_takes"]] == [1, 2]
    assert "silent" in loop.recipe["weaker_takes"][0]["warnings"][0]
    assert loop.audio.samples.any()


def test_after_the_last_attempt_the_best_is_delivered_with_its_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "ATTEMPTS", 2)
    (loop,) = studio.generate(LoopRequest("x", "60.23", 2, seed=1, engine="moody"))
    assert loop.audio.frames == loop_frames(loop.request.bpm, 2, loop.request.meter, 44_100)
    assert "silent" in loop.warnings[0]


def test_variations_use_seeds_of_their_own_and_count_up() -> None:
    loops = list(studio.generate(LoopRequest("x", 120, 1, seed=0, variations=3, engine="moody")))
    assert [loop.recipe["seed"] for loop in loops] == [0, 3, 6]


def test_an_engine_that_always_breaks_is_a_failed_job() -> None:
    with pytest.raises(GenerationFailed, match="seed 9 does not work"):
        list(studio.generate(LoopRequest("x", 120, seed=7, engine="broken")))


def test_the_best_of_a_batch_is_delivered_with_what_was_passed_over() -> None:
    choir = Choir()
    (loop,) = studio.generate(LoopRequest("x", "60.23", 1, seed=1), engine=choir)
    assert choir.asked == [[1, 2, 3, 4]]
    assert loop.recipe["seed"] == 3
    assert loop.warnings == ()
    assert sorted(take["seed"] for take in loop.recipe["weaker_takes"]) == [1, 2, 4]


def test_a_batch_without_enough_good_loops_is_drawn_again_with_new_seeds() -> None:
    choir = Choir()
    loops = list(studio.generate(LoopRequest("x", 120, 1, seed=1, variations=2, takes=2), engine=choir))
    assert choir.asked == [[1, 2], [3, 4], [5, 6]]
    assert sorted(loop.recipe["seed"] for loop in loops) == [3, 6]


def test_a_batch_is_drawn_again_so_often_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "ATTEMPTS", 2)
    choir = Choir()
    good, weak = studio.generate(LoopRequest("x", 120, 1, seed=1, variations=2, takes=2), engine=choir)
    assert choir.asked == [[1, 2], [3, 4]]
    assert (good.recipe["seed"], good.warnings) == (3, ())
    assert "silent" in weak.warnings[0]


def test_what_is_passed_over_takes_no_room() -> None:
    request = LoopRequest("x", 120, 1, seed=1, variations=2, takes=3)
    chosen = list(selection.select(Choir(), request, stretcher="auto", progress=lambda share, stage: None))
    assert [one.loop.take.seed for one in chosen if one.loop.take] == [3, 6]
    for one in chosen:
        assert one.loop.audio.frames == 88_200
        assert len(one.weaker) == 4
        for weaker in one.weaker:
            assert weaker.take
            for audio in (weaker.audio, weaker.take.audio):
                assert audio.samples.base is not None
                assert audio.samples.base.nbytes == 0, "no view of what it was"


def test_a_take_of_a_batch_makes_the_loop_that_it_makes_alone() -> None:
    request = LoopRequest("x", 120, 2, seed=3, takes=4)
    (of_four,) = studio.generate(request, engine=Choir())
    (alone,) = studio.generate(LoopRequest("x", 120, 2, seed=of_four.recipe["seed"]), engine=Moody())
    assert np.array_equal(of_four.audio.samples, alone.audio.samples)


def test_a_batch_is_cancelled_while_its_loops_are_made() -> None:
    def cancel(fraction: float, stage: str) -> None:
        if "making" in stage:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        list(studio.generate(LoopRequest("x", 120, 1, seed=3), engine=Choir(), progress=cancel))


def test_an_engine_that_draws_no_tokens_says_what_it_passes_over() -> None:
    plain = LoopRequest("x", 120, 1, seed=3, engine="moody")
    (loop,) = studio.generate(plain)
    assert loop.warnings == ()
    (loop,) = studio.generate(replace(plain, sampling=Sampling(top_k=5, count_in=True)))
    assert loop.warnings == ("moody draws no tokens: top-k, count-in passed over",)


def test_an_opening_needs_an_engine_that_goes_on_from_audio() -> None:
    opening = studio.opening(pulse_loop(), LoopRequest("x", "127.9"), "continue", "a.wav")
    with pytest.raises(InvalidRequest, match=r"opening: 'a.wav' cannot be used; give an engine .* moody cannot"):
        list(studio.generate(LoopRequest("x", 120, opening=opening), engine=Moody()))


@pytest.mark.parametrize(("bars", "how", "lead", "kept"), [(4, "continue", 4, 0), (4, "vary", 4, 1), (1, "vary", 1, 0)])
def test_an_opening_is_whole_bars_of_the_ring(bars: int, how: str, lead: int, kept: int) -> None:
    loop = pulse_loop(bars=bars)
    opening = studio.opening(loop, loop.request, how)
    bar = loop.audio.frames / bars
    assert opening.kept == kept
    assert opening.audio.frames == round(bar * (lead + kept))
    if kept:  # after the lead comes the loop's beginning
        begun = opening.audio.samples[-round(bar * kept) :]
        assert np.array_equal(begun, loop.audio.samples[: len(begun)])
    else:
        assert np.array_equal(opening.audio.samples, loop.audio.samples[-opening.audio.frames :])


@pytest.mark.parametrize(("old", "new", "kept"), [(8, 1, 0), (8, 2, 1), (8, 4, 2), (4, 32, 1), (1, 8, 0), (2, 2, 1)])
def test_a_variation_never_keeps_all_of_its_bars(old: int, new: int, kept: int) -> None:
    loop = pulse_loop(bpm="240", bars=old)
    assert studio.opening(loop, LoopRequest("x", 240, new), "vary").kept == kept


def test_an_opening_is_laid_on_the_tempo_that_is_asked_for() -> None:
    loop = pulse_loop(bars=2)
    opening = studio.opening(loop, LoopRequest("x", 120), "continue")
    assert opening.audio.frames == loop_frames(parse_bpm("120"), 2, loop.request.meter, loop.audio.rate)
    assert isinstance(opening, Opening)


def test_an_opening_has_the_meter_of_its_loop() -> None:
    with pytest.raises(InvalidRequest, match="meter: '3/4' cannot be used; give 4/4, as in the loop"):
        studio.opening(pulse_loop(), LoopRequest("x", 120, meter="3/4"), "vary")


def test_a_silent_loop_opens_nothing() -> None:
    loop = pulse_loop()
    silent = replace(loop, audio=loop.audio.with_samples(0 * loop.audio.samples))
    with pytest.raises(InvalidRequest, match="a loop that is not silent"):
        studio.opening(silent, loop.request, "vary")


def test_progress_rises_and_may_cancel() -> None:
    seen: list[float] = []
    list(studio.generate(LoopRequest("x", 120, 1, variations=2, engine="moody"), progress=lambda f, _: seen.append(f)))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0

    def cancel(fraction: float, stage: str) -> None:
        if fraction > 0.2:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        list(studio.generate(LoopRequest("x", 120, 1, engine="moody"), progress=cancel))


def test_the_recipe_says_how_it_was_made() -> None:
    (loop,) = studio.generate(LoopRequest("deep", "361/3", 1, key="Am", seed=3, engine="moody"))
    recipe = loop.recipe
    assert recipe["request"]["bpm"] == "361/3"
    assert recipe["engine"] == {"name": "moody", "version": "1", "licence": "CC0"}
    assert (recipe["key"], recipe["seed"], recipe["take"]["rate"]) == ("Am", 3, 32_000)
    assert recipe["scores"] == loop.scores


@pytest.mark.parametrize("bpm", ["60.23", "127.9", "61/3", "99.1234567", "20.0000001", "361/7"])
def test_the_recipe_keeps_the_tempo_exactly(bpm: str) -> None:
    (loop,) = studio.generate(LoopRequest("x", bpm, 1, engine="moody"))
    assert parse_bpm(loop.recipe["request"]["bpm"]) == parse_bpm(bpm)


def test_another_tempo_is_told_in_the_recipe() -> None:
    (loop,) = studio.generate(LoopRequest("x", "127.9", 2, "7/8", seed=3, engine="moody"))
    other = studio.retempo(studio.retempo(loop, Fraction(361, 3)), Fraction(110))
    assert other.audio.frames == loop_frames(Fraction(110), 2, loop.request.meter, loop.request.rate)
    assert (other.recipe["request"]["bpm"], other.recipe["retempo"], other.recipe["seed"]) == (
        "110",
        {"from": "127.9", "bars": 2, "beats": 14, "start": 0, "stretcher": "auto"},
        3,
    )
    assert other.recipe["engine"] == loop.recipe["engine"]
    assert other.scores["length_error"] == 0
    far = studio.retempo(loop, Fraction(60))
    assert any("stretched far, from 127.9 to 60 BPM" in warning for warning in far.warnings)
    with pytest.raises(InvalidRequest, match="bpm"):
        studio.retempo(loop, Fraction(1_000))


def test_a_loop_without_its_take_has_no_other_tempo(tmp_path: Path) -> None:
    kept = library.keep(pulse_loop(), tmp_path)
    with pytest.raises(TakeGone, match="generate it again"):
        studio.retempo(studio.inspect(kept.path), Fraction(100))


def test_an_engine_at_hand_is_not_loaded_again() -> None:
    (loop,) = studio.generate(LoopRequest("x", 120, 1, seed=3, engine="no such engine"), engine=Moody())
    assert loop.recipe["engine"]["name"] == "moody"


@pytest.mark.parametrize("bars", [0, -3, 5_000])
def test_inspect_refuses_what_is_no_number_of_bars(tmp_path: Path, bars: int) -> None:
    kept = library.keep(pulse_loop(), tmp_path)
    with pytest.raises(InvalidRequest, match="bars"):
        studio.inspect(kept.path, bars=bars)


@pytest.mark.parametrize("downbeat", [-1.0, 99.0, float("nan")])
def test_a_downbeat_lies_within_the_recording(downbeat: float) -> None:
    with pytest.raises(InvalidRequest, match="downbeat"):
        studio.conform(Audio(np.zeros(44_100), 44_100), LoopRequest("x", 120), downbeat=downbeat)


def test_an_unknown_stretcher_is_refused_before_the_work() -> None:
    with pytest.raises(InvalidRequest, match="stretcher"):
        list(studio.generate(LoopRequest("x", 120, engine="broken"), stretcher="elastic"))


def test_inspect_reads_what_keep_wrote(tmp_path: Path) -> None:
    kept = library.keep(pulse_loop(), tmp_path)
    seen = studio.inspect(kept.path)
    assert (seen.request.bpm, seen.request.bars) == (pulse_loop().request.bpm, 4)
    assert not any("tempo" in warning or "length" in warning for warning in seen.warnings)
    assert seen.scores["length_error"] == 0


def test_inspect_measures_what_no_one_says(tmp_path: Path) -> None:
    loop = pulse_loop(bpm="97", bars=2)
    soundfile.write(tmp_path / "x.wav", loop.audio.samples, loop.audio.rate)
    seen = studio.inspect(tmp_path / "x.wav")
    assert float(seen.request.bpm) == pytest.approx(97, abs=0.01)
    assert "measured" in seen.warnings[0]
    told = studio.inspect(tmp_path / "x.wav", bars=2)
    assert not any("measured" in warning for warning in told.warnings)
    assert float(told.request.bpm) == pytest.approx(97, abs=0.01)


def test_inspect_says_when_the_length_is_off(tmp_path: Path) -> None:
    loop = pulse_loop(bpm="120", bars=2)
    soundfile.write(tmp_path / "x_120bpm_2bars.wav", loop.audio.samples[:-7], loop.audio.rate)
    assert any("-7 samples" in warning for warning in studio.inspect(tmp_path / "x_120bpm_2bars.wav").warnings)


class Unmeasured(Moody):
    """The same bursts from every seed, without a grid and in no whole number of bars: any beat may be one."""

    name = "unmeasured"

    def generate(self, request: LoopRequest, seed: int, *, progress: Progress | None = None) -> Take:
        take = super().generate(request, 3 * seed, progress=progress)
        audio = Audio(take.audio.samples[: -int(0.3 * take.audio.rate)], take.audio.rate)
        return Take(audio, self.name, seed)


def test_an_uncertain_bar_is_no_reason_to_draw_again() -> None:
    """The loop says so, and is as good as another would be."""
    (loop,) = studio.generate(LoopRequest("clicks", 120, bars=2, seed=1), engine=Unmeasured())
    assert [warning[:24] for warning in loop.warnings] == ["which beat is one is unc"]
    assert "loopgen rotate" in loop.warnings[0]
    assert loop.recipe["weaker_takes"] == []
    assert loop.recipe["grid"]["rival"] is not None
