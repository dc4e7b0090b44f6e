"""The engine: from a request to takes, by tiny models that are loaded from disk."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from loopgen import studio
from loopgen.engines import base
from loopgen.engines.base import BatchEngine, Hardware
from loopgen.engines.musicgen import catalogue, choice, codec
from loopgen.engines.musicgen.engine import MusicGenEngine
from loopgen.errors import Cancelled, EngineUnavailable
from loopgen.midi import read_notes
from loopgen.music.audio import Audio
from loopgen.music.chords import parse_chords
from loopgen.music.loop import Take
from loopgen.music.request import LoopRequest
from loopgen.music.sampling import Sampling
from loopgen.music.tempo import bar_seconds, loop_frames
from tests.engines.musicgen.tiny import save_tiny
from tests.loops import pulse_loop

PROCESSOR = Hardware("cpu", "fp32", 1)
SHORT = LoopRequest("dub techno", "127.9", bars=1, key="Am")


@pytest.fixture(scope="module")
def engine(tiny_text: Path) -> MusicGenEngine:
    return MusicGenEngine(str(tiny_text), PROCESSOR)


@pytest.fixture(scope="module")
def melodic(tiny_melody: Path) -> MusicGenEngine:
    return MusicGenEngine(str(tiny_melody), PROCESSOR)


def same(one: Take, other: Take) -> bool:
    return one.audio.samples.shape == other.audio.samples.shape and np.allclose(
        one.audio.samples, other.audio.samples, atol=1e-6
    )


def test_it_is_an_engine_of_the_registry(tiny_text: Path) -> None:
    told: list[float] = []
    engine = base.load(f"musicgen:{tiny_text}", PROCESSOR, told.append)
    assert isinstance(engine, BatchEngine)
    assert told[0] == 0.0 and told[-1] == 1.0
    assert engine.name == f"musicgen:{tiny_text.name}"
    assert base.abilities(engine) == {base.SAMPLING, base.OPENING}
    assert engine.batch == 1


def test_a_take_holds_the_bars_with_some_to_spare_and_says_what_it_is(engine: MusicGenEngine) -> None:
    take = engine.generate(SHORT, 5)
    assert (take.audio.rate, take.audio.channels) == (32_000, 1)
    assert take.audio.seconds > 3 * float(bar_seconds(SHORT.bpm, SHORT.meter))
    assert (take.grid, take.start, take.cue) == (None, None, None)  # nobody vouches for its beats
    assert take.facts["text"].startswith("dub techno. bpm: 127.9. key: a minor")
    assert take.facts["frames"] * 640 == take.audio.frames
    assert "CC-BY-NC-4.0" in take.facts["licence"]
    assert np.abs(take.audio.samples).max() > 1e-3


def test_a_folder_with_the_name_of_a_published_model_is_not_taken_for_it(tmp_path: Path) -> None:
    engine = MusicGenEngine(str(save_tiny(tmp_path / "melody")), PROCESSOR)
    facts = engine.generate(SHORT, 1).facts
    assert (facts["model"], engine.licence) == ("melody", catalogue.UNKNOWN_LICENCE)
    assert facts["note"].startswith("melody on cpu")


def test_a_seed_is_the_same_take_alone_and_among_others(engine: MusicGenEngine) -> None:
    takes = engine.generate_batch(SHORT, [3, 4, 5, 6])
    assert [take.seed for take in takes] == [3, 4, 5, 6]
    assert same(takes[1], engine.generate(SHORT, 4))
    assert not same(takes[0], takes[1])


def test_what_is_told_changes_the_take(engine: MusicGenEngine) -> None:
    plain = engine.generate(SHORT, 1)
    others = [
        LoopRequest("slow piano", "127.9", bars=1, key="Am"),
        replace(SHORT, sampling=Sampling(temperature=0)),
        replace(SHORT, sampling=Sampling(guidance=1)),
        replace(SHORT, sampling=Sampling(top_k=2)),
        replace(SHORT, sampling=Sampling(negative="bright piano")),
    ]
    assert not any(same(plain, engine.generate(other, 1)) for other in others)


def test_stereo_models_play_stereo(tiny_stereo: Path) -> None:
    take = MusicGenEngine(str(tiny_stereo), PROCESSOR).generate(SHORT, 1)
    assert take.audio.channels == 2
    assert not np.array_equal(take.audio.samples[:, 0], take.audio.samples[:, 1])


def test_the_preview_is_the_take_and_comes_while_it_is_drawn(engine: MusicGenEngine) -> None:
    heard: list[Audio] = []
    shares: list[float] = []
    first: list[float] = []

    def hear(audio: Audio) -> None:
        first.append(shares[-1] if shares else 0.0)
        heard.append(audio)

    for request in (SHORT, replace(SHORT, sampling=Sampling(count_in=True))):
        heard.clear()
        (take, _) = engine.generate_batch(request, [1, 2], progress=shares.append, preview=hear)
        assert np.array_equal(np.concatenate([audio.samples for audio in heard]), take.audio.samples)
        assert len(heard) > 5
    assert first[0] < 0.2


def test_a_count_in_is_played_to_the_model_and_is_not_in_the_take(engine: MusicGenEngine) -> None:
    counted = engine.generate(replace(SHORT, sampling=Sampling(count_in=True)), 1)
    bar = float(bar_seconds(SHORT.bpm, SHORT.meter))
    assert counted.cue == pytest.approx(bar)  # after a bar of lead-in
    assert counted.start is None  # any bar may begin the loop
    assert not same(counted, engine.generate(SHORT, 1))


def test_a_melody_model_follows_notes_and_chords(melodic: MusicGenEngine) -> None:
    assert base.MELODY in base.abilities(melodic)
    tunes = [read_notes("A4 C5 E5:2"), read_notes("B4 D#5 F#5:2"), parse_chords("Am F")]
    takes = [melodic.generate(replace(SHORT, melody=tune), 1) for tune in (None, *tunes)]
    assert not any(same(one, other) for k, one in enumerate(takes) for other in takes[:k])
    assert takes[0].start is None
    assert takes[1].start == pytest.approx(float(bar_seconds(SHORT.bpm, SHORT.meter)))
    assert takes[1].facts["follows_melody"]


def test_a_model_of_words_alone_says_that_it_follows_no_melody(engine: MusicGenEngine) -> None:
    (loop,) = studio.generate(replace(SHORT, melody=read_notes("A4 C5")), engine=engine)
    assert any("follows no melody" in warning for warning in loop.warnings)


def test_a_loop_longer_than_a_window_is_drawn_by_going_on(engine: MusicGenEngine) -> None:
    request = replace(SHORT, bpm=Fraction(120), bars=24, sampling=Sampling(temperature=0))
    take = engine.generate(request, 1)
    assert take.facts["windows"] == 3
    assert take.facts["frames"] * 640 == take.audio.frames
    assert take.audio.seconds > 24 * 2.0


def test_an_opening_begins_the_take_which_goes_on_from_it(engine: MusicGenEngine) -> None:
    loop = pulse_loop(bars=2)
    opening = studio.opening(loop, SHORT, studio.CONTINUE, "riff.wav")
    take = engine.generate(replace(SHORT, bars=2, opening=opening), 1)
    bar = float(bar_seconds(SHORT.bpm, SHORT.meter))
    assert take.start == take.cue == pytest.approx(2 * bar)
    codes = codec.encode(engine.model.codec, torch.from_numpy(_at_32k(opening.audio)), 1)
    given = int(2 * bar * 50)
    coded = codec.decode(engine.model.codec, codes[None, :, :given], 1)[0].numpy()
    sure = (given - 4) * 640  # what comes next sounds back by less than four frames
    assert np.allclose(take.audio.samples[:sure], coded[:sure], atol=1e-5)


def test_a_variation_begins_with_the_loops_own_bars(engine: MusicGenEngine) -> None:
    asked = replace(SHORT, bars=4)
    asked = replace(asked, opening=studio.opening(pulse_loop(bars=4), asked, studio.VARY, "riff.wav"))
    assert asked.opening is not None
    take = engine.generate(asked, 1)
    bar = float(bar_seconds(SHORT.bpm, SHORT.meter))
    given = asked.opening.audio.seconds
    assert take.start is not None and take.start <= given - bar + 1e-3
    (loop,) = studio.generate(asked, engine=engine)
    opening = loop.recipe["request"]["opening"]
    assert (opening["how"], opening["loop"], opening["kept"]) == ("vary", "riff.wav", 1)
    assert loop.recipe["grid"]["loop_start"] == pytest.approx(take.start, abs=bar / 4)


def test_it_stops_within_a_few_frames(engine: MusicGenEngine) -> None:
    shares: list[float] = []

    def stop(share: float) -> None:
        shares.append(share)
        if share > 0.3:
            raise Cancelled("cancelled")

    with pytest.raises(Cancelled):
        engine.generate(SHORT, 1, progress=stop)
    assert shares[-1] < 0.34


def test_a_request_becomes_a_loop_of_the_exact_length_with_its_licence(engine: MusicGenEngine) -> None:
    request = LoopRequest("dub techno", "60.23", bars=2, rate=48_000, takes=2)
    (loop,) = studio.generate(request, engine=engine)
    assert loop.audio.frames == loop_frames(request.bpm, 2, request.meter, 48_000)
    assert loop.recipe["engine"]["kind"] == "neural"
    assert "CC-BY-NC-4.0" in loop.recipe["engine"]["licence"]
    assert len(loop.recipe["weaker_takes"]) % 2 == 1  # whole batches of two were drawn


class TestChoice:
    @pytest.fixture
    def cache(self, tmp_path: Path, tiny_text: Path) -> Path:
        """A hub's cache with links to a tiny model under the names of published ones."""
        for name in ("facebook--musicgen-large", "facebook--musicgen-small", "me--mine"):
            folder = tmp_path / f"models--{name}"
            (folder / "refs").mkdir(parents=True)
            (folder / "refs" / "main").write_text("abc")
            (folder / "snapshots").mkdir()
            (folder / "snapshots" / "abc").symlink_to(tiny_text, target_is_directory=True)
        return tmp_path

    def test_the_fastest_plays_without_a_gpu_and_the_better_with_one(self, cache: Path) -> None:
        assert choice.choose(has_gpu=False, cache=cache) == "small"
        assert choice.choose(has_gpu=True, cache=cache) == "large"
        assert choice.why_not_ready(cache=cache) == choice.why_not_ready("large", cache) == ""

    def test_where_no_model_is_the_command_that_gets_one_is_named(self, tmp_path: Path) -> None:
        assert "loopgen models pull small" in choice.why_not_ready(cache=tmp_path)
        with pytest.raises(EngineUnavailable, match="loopgen models pull large"):
            choice.why_not_ready("large", tmp_path)
        with pytest.raises(EngineUnavailable, match="loopgen models pull small"):
            choice.choose(has_gpu=False, cache=tmp_path)

    def test_without_a_model_auto_plays_the_embedded_engine(self) -> None:
        assert base.load("auto").name == "sketch"
        with pytest.raises(EngineUnavailable, match="loopgen models pull small"):
            base.load("musicgen")


def _at_32k(audio: Audio) -> np.ndarray:
    import soxr

    return np.ascontiguousarray(soxr.resample(audio.samples, audio.rate, 32_000), dtype=np.float32)
