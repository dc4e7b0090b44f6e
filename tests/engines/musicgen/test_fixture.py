"""A small MusicGen that knows two songs by heart plays them, and what it plays becomes loops of exactly the tempo."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoTokenizer, MusicgenForConditionalGeneration

from loopgen.engines.base import Hardware
from loopgen.engines.musicgen.codec import Preview, decode
from loopgen.engines.musicgen.conditions import describe as conditions
from loopgen.engines.musicgen.engine import MusicGenEngine
from loopgen.engines.musicgen.load import Model, load
from loopgen.engines.musicgen.prompt import describe
from loopgen.engines.musicgen.tokens import draw
from loopgen.looping.make import make
from loopgen.music.audio import Audio
from loopgen.music.loop import Loop
from loopgen.music.request import LoopRequest
from loopgen.music.sampling import Sampling
from loopgen.music.tempo import beat_seconds, loop_frames
from loopgen.onsets import band_flux, onset_times
from tests.engines.musicgen.train_fixture import FOLDER, HOP, RATE, SONGS, Song, around, codes_of, counted_in

GREEDY = Sampling(temperature=0)
HOUSE, BOOM_BAP = SONGS
FRAMES = 500


@cache
def model(precision: str = "fp32") -> Model:
    return load(FOLDER, device="cpu", precision=precision, threads=1)


@cache
def codes(song: Song) -> Tensor:
    """What the codec makes of the song's ring: (codebooks, frames)."""
    return codes_of(model().codec, torch.from_numpy(song.ring())[None])


def tokens(
    song: Song, sampling: Sampling = GREEDY, *, frames: int = FRAMES, precision: str = "fp32", seed: int = 0,
    request: LoopRequest | None = None, prompt: Tensor | None = None,
) -> Tensor:  # fmt: skip
    player = model(precision)
    told = conditions(player, [describe(request or song.request())])
    return draw(player, told, frames, sampling, [seed], prompt=prompt)[0]


def heard(drawn: Tensor) -> NDArray[np.float32]:
    """What tokens (codebooks, frames) sound like: mono samples."""
    return np.asarray(decode(model().codec, drawn[None], channels=1)[0, :, 0].numpy(), dtype=np.float32)


def agreement(song: Song, drawn: Tensor, start: int = 0) -> float:
    """Share of the tokens that are those of the song from ``start`` on."""
    return float((drawn == around(codes(song), start, drawn.shape[1])).float().mean())


@pytest.mark.parametrize("song", SONGS, ids=lambda song: song.prompt)
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_the_likeliest_tokens_are_those_of_the_song(song: Song, guidance: float) -> None:
    assert agreement(song, tokens(song, Sampling(temperature=0, guidance=guidance))) > 0.99


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_the_song_is_known_by_heart_in_lower_precision_too(precision: str) -> None:
    assert agreement(HOUSE, tokens(HOUSE, precision=precision)) > 0.98


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_sampling_hardly_strays_from_the_song(seed: int) -> None:
    assert agreement(BOOM_BAP, tokens(BOOM_BAP, Sampling(), seed=seed)) > 0.98


def test_drawn_hot_each_seed_strays_by_itself() -> None:
    first, second = (tokens(BOOM_BAP, Sampling(temperature=4), seed=seed) for seed in (1, 2))
    assert max(agreement(BOOM_BAP, first), agreement(BOOM_BAP, second), float((first == second).float().mean())) < 0.9


def test_each_prompt_plays_its_own_song() -> None:
    house, boom_bap = tokens(HOUSE), tokens(BOOM_BAP)
    assert agreement(BOOM_BAP, house) < 0.1 and agreement(HOUSE, boom_bap) < 0.1


def test_a_model_plays_its_own_tempo_whatever_it_is_told() -> None:
    slow = LoopRequest("deep house", "92.3")
    assert describe(slow) != describe(HOUSE.request())
    assert agreement(HOUSE, tokens(HOUSE, request=slow)) > 0.99


@pytest.mark.parametrize("song", SONGS, ids=lambda song: song.prompt)
def test_what_is_given_goes_on_where_it_stops(song: Song) -> None:
    prompt = around(codes(song), 83, 150)
    drawn = tokens(song, frames=350, prompt=prompt)
    assert torch.equal(drawn[:, :150], prompt)
    assert agreement(song, drawn[:, 150:], 83 + 150) > 0.95


@pytest.mark.parametrize("song", SONGS, ids=lambda song: song.prompt)
def test_after_a_count_in_the_song_begins(song: Song) -> None:
    clicks = counted_in(model().codec, Fraction("127.9"))  # no tempo that was trained with
    given = clicks.shape[1]
    drawn = tokens(song, frames=given + 300, prompt=clicks)
    assert torch.equal(drawn[:, :given], clicks)
    assert agreement(song, drawn[:, given:]) > 0.95


@pytest.mark.parametrize("song", SONGS, ids=lambda song: song.prompt)
def test_the_tokens_sound_like_the_engine_that_they_were_learned_from(song: Song) -> None:
    played, true = heard(tokens(song)), song.audio(FRAMES)
    assert played.shape == true.shape
    assert np.corrcoef(played, true)[0, 1] > 0.9
    for mine, its in zip(band_flux(Audio(played, RATE)).levels, band_flux(Audio(true, RATE)).levels, strict=True):
        assert np.corrcoef(mine, its)[0, 1] > 0.85  # loudness over time, band by band


@pytest.mark.parametrize("song", SONGS, ids=lambda song: song.prompt)
def test_attacks_come_when_the_engine_played_them(song: Song) -> None:
    played, true = onset_times(Audio(heard(tokens(song)), RATE)), onset_times(Audio(song.audio(FRAMES), RATE))
    clear = true.times[true.strengths > 0.5]
    assert len(clear) > 20
    late = 1000 * np.abs(played.times[:, None] - clear).min(axis=0)
    assert np.median(late) < 2
    assert np.percentile(late, 95) < 6


def test_transformers_plays_the_same() -> None:
    peer: Any = MusicgenForConditionalGeneration.from_pretrained(FOLDER, dtype=torch.float32)
    words = AutoTokenizer.from_pretrained(FOLDER)(describe(HOUSE.request()), return_tensors="pt")
    waves = peer.generate(**words, do_sample=False, guidance_scale=3.0, max_new_tokens=203)[0, 0].numpy()
    np.testing.assert_allclose(waves, heard(tokens(HOUSE, frames=200)), atol=1e-5)


def test_a_preview_of_a_trained_codec_is_what_comes_in_the_end() -> None:
    preview, drawn = Preview(model().codec, takes=1, channels=1), tokens(HOUSE, frames=200)
    parts = [preview.feed(part[None]) for part in torch.split(drawn, 30, dim=1)]
    early = torch.cat(parts, dim=1).shape[1]
    assert 100 * HOP < early < 200 * HOP
    whole = torch.cat([*parts, preview.finish()], dim=1)[0, :, 0]
    np.testing.assert_allclose(whole.numpy(), heard(drawn), atol=1e-5)


@cache
def engine() -> MusicGenEngine:
    return MusicGenEngine(str(FOLDER), Hardware("cpu", "fp32", 1))


def played_loop(song: Song, bpm: str, bars: int, sampling: Sampling) -> Loop:
    request = LoopRequest(song.prompt, bpm, bars, key=song.key, sampling=sampling)
    loop = make(engine().generate(request, seed=4), request)
    assert loop.audio.frames == loop_frames(request.bpm, bars, request.meter, request.rate)
    assert loop.recipe["grid"]["tempo"] == pytest.approx(float(song.bpm), rel=1e-3)
    return loop


@pytest.mark.parametrize(
    ("song", "bpm", "bars"),
    [(HOUSE, "120", 4), (HOUSE, "120.46", 2), (HOUSE, "127.9", 4), (BOOM_BAP, "96", 2), (BOOM_BAP, "90.7", 4)],
)
def test_a_take_becomes_a_loop_of_exactly_the_tempo(song: Song, bpm: str, bars: int) -> None:
    loop = played_loop(song, bpm, bars, Sampling())
    beat = float(beat_seconds(loop.request.bpm, loop.request.meter))
    assert period_heard(loop, beat) == pytest.approx(beat, rel=1e-3)


@pytest.mark.parametrize(("song", "bpm"), [(HOUSE, "120"), (HOUSE, "127.9"), (BOOM_BAP, "100")])
def test_after_a_count_in_the_loop_begins_where_a_bar_of_the_song_does(song: Song, bpm: str) -> None:
    loop = played_loop(song, bpm, 2, Sampling(count_in=True))
    bar = float(240 / song.bpm)
    off = loop.recipe["grid"]["loop_start"] % bar
    assert min(off, bar - off) < 1.5 * HOP / RATE  # it ends in the middle of a frame


def period_heard(loop: Loop, beat: float) -> float:
    """The time from beat to beat, by the attacks near the beats of the loop."""
    times = onset_times(loop.audio, threshold=0.3).times
    number = np.round(times / beat)
    near = np.abs(times - beat * number) < 0.03
    return float(np.polyfit(number[near], times[near], 1)[0])
