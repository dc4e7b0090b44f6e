"""audiocraft's own models behind the engine's protocol: its tiny ``debug`` model, and tiny ones of each kind."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch

from loopgen import studio
from loopgen.engines import base
from loopgen.engines.audiocraft import AudiocraftEngine, library
from loopgen.engines.base import Hardware
from loopgen.engines.musicgen.chroma import melody_chroma
from loopgen.errors import Cancelled, EngineUnavailable, GenerationFailed, InvalidRequest
from loopgen.music.audio import Audio
from loopgen.music.loop import Take
from loopgen.music.melody import Melody, Note
from loopgen.music.request import LoopRequest, Opening
from loopgen.music.sampling import Sampling
from loopgen.music.tempo import Meter, loop_frames
from tests.engines import audiocraft_tiny as tiny
from tests.engines.audiocraft_stand_ins import need_audiocraft, stand_ins

REQUEST = LoopRequest("warm deep house, rhodes", 124, bars=1)
TUNE = Melody((Note(0, 69, 2), Note(2, 64, 2)), 4)
ONE_THREAD = Hardware(device="cpu", threads=1)


@pytest.fixture(scope="module", autouse=True)
def stood_in() -> Iterator[None]:
    need_audiocraft()
    threads = torch.get_num_threads()
    with stand_ins(), tiny.narrow_t5():
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def debug(stood_in: None) -> AudiocraftEngine:
    return AudiocraftEngine("debug", ONE_THREAD)


@pytest.fixture(scope="module")
def folders(stood_in: None, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny model of a kind, as a training of one's own exports it, its T5 beside it."""
    root = tmp_path_factory.mktemp("audiocraft")
    t5 = tiny.save_t5(root / "t5-base")

    def made(kind: str) -> Path:
        folder = root / kind
        if not folder.is_dir():
            shutil.copytree(t5, folder / "t5-base")
            with tiny.tiny_t5(root / "other"):
                lm = tiny.make_lm(tiny.lm_settings(kind, seconds=10 if kind == "magnet" else 30))
            tiny.export(folder, lm, tiny.make_codec(tiny.codec_settings()), tiny.codec_settings())
        return folder

    return made


@pytest.fixture(scope="module")
def engines(folders: Callable[[str], Path]) -> Callable[[str], AudiocraftEngine]:
    made: dict[str, AudiocraftEngine] = {}

    def engine(kind: str) -> AudiocraftEngine:
        if kind not in made:
            made[kind] = AudiocraftEngine(str(folders(kind)), ONE_THREAD)
        return made[kind]

    return engine


def same(a: Take, b: Take) -> bool:
    return np.array_equal(a.audio.samples, b.audio.samples)


def test_a_request_becomes_a_take(debug: AudiocraftEngine, capfd: pytest.CaptureFixture[str]) -> None:
    told: list[float] = []
    take = debug.generate(REQUEST, 7, progress=told.append)
    assert (take.audio.rate, take.audio.channels, take.engine, take.seed) == (32_000, 1, "audiocraft:debug", 7)
    assert take.audio.seconds >= 3 * 4 * 60 / 124  # a bar on either side
    assert take.audio.samples.std() > 0
    assert told[0] == 0 and told[-1] == 1 and told == sorted(told) and len(told) > 50
    assert (take.start, take.cue) == (None, None)
    assert take.facts["text"].startswith("warm deep house, rhodes. bpm: 124.0")
    assert take.facts["sampling"]["top_k"] == 250
    assert take.facts["version"].startswith("1.3.0 on torch ")
    assert capfd.readouterr() == ("", "")


def test_a_take_becomes_a_loop_of_exact_length(debug: AudiocraftEngine) -> None:
    request = LoopRequest("warm deep house", "60.23", bars=2, rate=44_100, takes=1)
    [loop] = studio.generate(request, engine=debug)
    assert loop.audio.frames == loop_frames(Fraction("60.23"), 2, Meter(), 44_100) == 351_453
    assert loop.recipe["engine"]["name"] == "audiocraft:debug"
    assert loop.recipe["engine"]["model"] == "debug"


def test_the_registry_knows_it() -> None:
    engine = base.load("audiocraft:debug", ONE_THREAD)
    assert isinstance(engine, base.Engine) and not isinstance(engine, base.BatchEngine)
    assert base.abilities(engine) == {base.SAMPLING, base.OPENING}


def test_a_seed_is_a_take(debug: AudiocraftEngine) -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = debug.generate(REQUEST, 1)
    assert torch.equal(torch.get_rng_state(), state)  # nobody else's chance is touched
    torch.manual_seed(2)
    assert same(debug.generate(REQUEST, 1), first)
    assert not same(debug.generate(REQUEST, 2), first)
    assert same(AudiocraftEngine("debug", ONE_THREAD).generate(REQUEST, 1), first)


def test_the_prompt_matters(debug: AudiocraftEngine) -> None:
    other = replace(REQUEST, prompt="cold dark techno, kick")
    assert not same(debug.generate(REQUEST, 1), debug.generate(other, 1))


def test_sampling_is_heeded(debug: AudiocraftEngine) -> None:
    greedy = replace(REQUEST, sampling=Sampling(temperature=0))
    assert same(debug.generate(greedy, 1), debug.generate(greedy, 2))
    plain = debug.generate(REQUEST, 1)
    for sampling in (Sampling(top_k=3), Sampling(top_p=0.3), Sampling(guidance=1)):
        assert not same(debug.generate(replace(REQUEST, sampling=sampling), 1), plain)
    with pytest.raises(InvalidRequest, match="negative"):
        debug.generate(replace(REQUEST, sampling=Sampling(negative="drums")), 1)


@pytest.mark.parametrize("kind", ["debug", "magnet"])
def test_it_stops_when_it_is_told_to(kind: str, engines: Callable[[str], AudiocraftEngine]) -> None:
    engine = AudiocraftEngine("debug", ONE_THREAD) if kind == "debug" else engines(kind)
    calls = []

    def stop(share: float) -> None:
        calls.append(share)
        if len(calls) == 5:
            raise Cancelled("stopped")

    before = engine.generate(REQUEST, 1)
    with pytest.raises(Cancelled):
        engine.generate(REQUEST, 1, progress=stop)
    assert len(calls) == 5
    assert same(engine.generate(REQUEST, 1), before)  # and nothing of it is left


def test_a_long_loop_is_drawn_in_windows(debug: AudiocraftEngine) -> None:
    told: list[float] = []
    request = LoopRequest("warm deep house", 120, bars=24)
    take = debug.generate(request, 1, progress=told.append)
    assert take.audio.seconds >= 26 * 2
    assert take.audio.frames == take.facts["frames"] * 1280
    assert told == sorted(told)


def test_a_take_that_fills_the_window_is_one_window(debug: AudiocraftEngine) -> None:
    request = LoopRequest("warm", 120, bars=12)
    take = debug.generate(request, 1)
    assert take.audio.seconds <= 30


def test_a_count_in_is_gone_on_from_and_left_out(debug: AudiocraftEngine) -> None:
    given: list[Any] = []
    prepare = debug._player._prepare_tokens_and_attributes

    def remembering(*told: Any) -> Any:
        given.append(told)
        return prepare(*told)

    with patch.object(debug._player, "_prepare_tokens_and_attributes", remembering):
        counted = debug.generate(replace(REQUEST, sampling=Sampling(count_in=True)), 1)
    bar = 4 * 60 / 124
    clicks = given[0][1]
    assert clicks.shape == (1, 1, int(bar * 25) * 1280)  # whole frames
    assert clicks[0, 0, 0] != 0  # a stroke on one
    assert counted.audio.frames == counted.facts["frames"] * 1280 - round(bar * 32_000)
    assert counted.start is None and counted.cue == pytest.approx(bar)  # the lead-in
    assert not same(counted, debug.generate(REQUEST, 1))


@pytest.mark.parametrize("kind", ["debug", "stereo"])
def test_a_take_begins_with_its_opening(kind: str, engines: Callable[[str], AudiocraftEngine]) -> None:
    engine = AudiocraftEngine("debug", ONE_THREAD) if kind == "debug" else engines(kind)
    player: Any = engine._player
    rng = np.random.default_rng(0)
    samples = rng.uniform(-0.5, 0.5, (loop_frames(Fraction(124), 2, Meter(), 32_000), 2)).astype(np.float32)
    request = replace(REQUEST, opening=Opening(Audio(samples, 32_000), 1, "before"))
    take = engine.generate(request, 1)
    bar = 4 * 60 / 124
    assert take.start == take.cue == pytest.approx(bar)  # the loop keeps the last bar of what it goes on from
    hop = 32_000 // int(player.frame_rate)
    whole = len(samples) // hop
    given = torch.from_numpy(samples.T if player.audio_channels == 2 else samples.mean(axis=1)[None])
    codes, _ = player.compression_model.encode(given[None, :, : whole * hop])
    again = player.compression_model.decode(codes)[0].detach().numpy()
    heard = (whole - 20) * hop  # what comes after reaches back less than 20 frames
    assert np.abs(take.audio.samples[:heard].T - again[:, :heard]).max() < 1e-5


def test_models_of_two_channels_play_in_two(engines: Callable[[str], AudiocraftEngine]) -> None:
    take = engines("stereo").generate(REQUEST, 1)
    assert take.audio.channels == 2
    assert not np.array_equal(take.audio.samples[:, 0], take.audio.samples[:, 1])


@pytest.mark.parametrize("kind", ["melody", "melody-stereo"])
def test_a_melody_is_followed(kind: str, engines: Callable[[str], AudiocraftEngine]) -> None:
    engine = engines(kind)
    assert base.MELODY in engine.abilities
    none = engine.generate(REQUEST, 1)
    tune = engine.generate(replace(REQUEST, melody=TUNE), 1)
    other = engine.generate(replace(REQUEST, melody=Melody((Note(0, 70, 4),), 4)), 1)
    assert same(tune, engine.generate(replace(REQUEST, melody=TUNE), 1))
    assert not same(tune, none) and not same(tune, other)
    assert tune.facts["follows_melody"] and not none.facts["follows_melody"]
    assert tune.start is not None and none.start is None


def test_each_window_is_told_its_part_of_the_melody_exactly(engines: Callable[[str], AudiocraftEngine]) -> None:
    engine = engines("melody")
    heard: list[Any] = []
    conditioner = library.chroma_conditioner(engine._player)
    told = conditioner._get_wav_embedding

    def listening(wav: Any) -> Any:
        heard.append(told(wav))
        return heard[-1]

    conditioner._get_wav_embedding = listening
    request = LoopRequest("warm", 90, bars=14, melody=Melody((Note(0, 69, 3), Note(3, 64, 2), Note(5, 66, 2)), 7))
    try:
        take = engine.generate(replace(request, sampling=Sampling(temperature=0)), 1)
    finally:
        del conditioner._get_wav_embedding
    assert take.start is not None and len(heard) == 2
    for window, chroma in enumerate(heard):
        expected = melody_chroma(
            request.melody or TUNE,
            request.bpm,
            bar_one=take.start,
            loop_quarters=request.bars * 4,
            offset=Fraction(window * 896, 50),
        )
        assert chroma.shape == (2, 235, 12)
        assert np.array_equal(chroma[0], expected)
        assert chroma[1].argmax(dim=-1).max() == 0  # what guidance leads away from: none


def test_magnet_fills_a_segment_of_fixed_length(engines: Callable[[str], AudiocraftEngine]) -> None:
    engine = engines("magnet")
    assert engine.abilities == {base.SAMPLING}
    told: list[float] = []
    take = engine.generate(REQUEST, 1, progress=told.append)
    assert 9.9 < take.audio.seconds <= 10
    assert told == sorted(told) and len(told) == 52  # 20 + 10 + 10 + 10 passes
    assert not same(take, engine.generate(REQUEST, 2))
    assert take.facts["sampling"] | {"temp": 3.0, "top_p": 0.9, "max_cfg_coef": 10.0} == take.facts["sampling"]
    asked = engine.generate(replace(REQUEST, sampling=Sampling(temperature=2, guidance=5)), 1)
    assert asked.facts["sampling"] | {"temp": 2.0, "top_p": 0.9, "max_cfg_coef": 5.0} == asked.facts["sampling"]
    with pytest.raises(InvalidRequest, match="10 seconds at once"):
        engine.generate(LoopRequest("warm", 90, bars=8), 1)


def test_a_model_that_is_not_here_says_how_to_get_it(
    stood_in: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("loopgen.engines.musicgen.hub.cache_folder", lambda: tmp_path / "cache")
    for name, repo in {
        "small": "facebook/musicgen-small",
        "magnet-small-10secs": "facebook/magnet-small-10secs",
        "me/mine": "me/mine",
    }.items():
        with pytest.raises(EngineUnavailable, match=f"hf download {repo} state_dict.bin compression_state_dict.bin"):
            AudiocraftEngine(name, ONE_THREAD)
    with pytest.raises(EngineUnavailable, match="no model of audiocraft's"):
        AudiocraftEngine(str(tmp_path), ONE_THREAD)


def test_parts_come_from_the_hubs_cache(
    folders: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    text = folders("text")
    capfd.readouterr()

    def put(repo: str, source: Path) -> None:
        folder = tmp_path / f"models--{repo.replace('/', '--')}"
        (folder / "refs").mkdir(parents=True)
        (folder / "refs" / "main").write_text("1")
        shutil.copytree(source, folder / "snapshots" / "1", ignore=shutil.ignore_patterns("t5-base"))

    monkeypatch.setattr("loopgen.engines.musicgen.hub.cache_folder", lambda: tmp_path)
    put("facebook/musicgen-small", text)
    with pytest.raises(EngineUnavailable, match="hf download google-t5/t5-base"):
        AudiocraftEngine("", ONE_THREAD)
    put("google-t5/t5-base", text / "t5-base")
    engine = AudiocraftEngine("", ONE_THREAD)
    assert engine.licence == "CC-BY-NC-4.0"
    assert same(engine.generate(REQUEST, 1), AudiocraftEngine(str(text), ONE_THREAD).generate(REQUEST, 1))
    assert capfd.readouterr() == ("", "")


def test_a_condition_that_this_audiocraft_does_not_know_is_told(folders: Callable[[str], Path], tmp_path: Path) -> None:
    settings = tiny.lm_settings("melody")
    settings.conditioners.self_wav = {"model": "style", "style": {}}
    checkpoint = {"best_state": {}, "xp.cfg": tiny.as_yaml(settings), "version": "1.4.0"}
    shutil.copytree(folders("melody"), tmp_path / "style")
    torch.save(checkpoint, tmp_path / "style" / "state_dict.bin")
    with pytest.raises(EngineUnavailable, match=r"audiocraft 1\.3\.0 cannot load .*style"):
        AudiocraftEngine(str(tmp_path / "style"), ONE_THREAD)


def test_a_part_of_the_library_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(name: str) -> None:
        raise ModuleNotFoundError("No module named 'xformers'", name="xformers")

    monkeypatch.setattr(library, "import_module", lacking)
    with pytest.raises(EngineUnavailable, match="lacks a part: No module named 'xformers'; install it as https://"):
        AudiocraftEngine("debug", ONE_THREAD)


def test_what_fails_within_the_library_is_told(debug: AudiocraftEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise AssertionError("Prompt is longer than audio to generate")

    monkeypatch.setattr(debug._player, "_generate_tokens", fails)
    with pytest.raises(GenerationFailed, match="audiocraft failed with debug: Prompt is longer"):
        debug.generate(REQUEST, 1)


@pytest.mark.parametrize(
    ("hardware", "field"),
    [
        (Hardware(device="tpu"), "device"),
        (Hardware(device="cpu", precision="int8"), "precision"),
        (Hardware(device="cpu", precision="bf16"), "precision"),
    ],
)
def test_hardware_that_it_does_not_know_is_refused(hardware: Hardware, field: str) -> None:
    with pytest.raises(InvalidRequest, match=field):
        AudiocraftEngine("debug", hardware)
