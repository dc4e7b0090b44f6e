"""Take to loop, all steps together, on takes of every state."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from loopgen.engines.base import load
from loopgen.errors import Cancelled
from loopgen.looping.make import make
from loopgen.music.audio import Audio
from loopgen.music.beats import BeatGrid
from loopgen.music.loop import Loop, Take
from loopgen.music.request import LoopRequest
from loopgen.music.tempo import loop_frames
from loopgen.onsets import onset_times

RATE = 44_100


def groove(
    bpm: float, seconds: float, *, start: float = 0.0, wobble: float = 0.0, rate: int = RATE
) -> NDArray[np.float64]:
    """Kick, snare, hats and a held chord, stereo; beat 1 at ``start`` seconds, tempo swaying by ``wobble``."""
    rng = np.random.default_rng(8)
    out = np.zeros((int(seconds * rate), 2))
    t = np.arange(int(0.25 * rate)) / rate
    kick = np.sin(2 * np.pi * (48 * t - 3 * np.exp(-t / 0.02))) * np.exp(-t / 0.09)
    snare = (rng.standard_normal(len(t)) * 0.7 + np.sin(2 * np.pi * 190 * t)) * np.exp(-t / 0.05)
    hat = np.diff(rng.standard_normal(len(t) + 1)) * np.exp(-t / 0.015)
    for step in range(-16, int(seconds * bpm / 15) + 16):
        at = start + step * 15 / bpm
        at += wobble * 6 / (2 * np.pi) * np.sin(2 * np.pi * at / 6)
        sound = 0.12 * hat * (step % 2 == 0) + 0.9 * kick * (step % 16 in (0, 6, 10)) + 0.5 * snare * (step % 8 == 4)
        first = round(at * rate)
        if 0 <= first < len(out):
            piece = out[first : first + len(t)]
            piece += sound[: len(piece), None] * [1.0, 0.7]
    chord = sum(np.sin(2 * np.pi * f * np.arange(len(out)) / rate) for f in (220.0, 277.18, 329.63))
    return 0.5 * (out + 0.05 * np.asarray(chord)[:, None])


def conformed(
    samples: NDArray[np.float64], take_rate: int = RATE, *, bpm: str | float = 124, bars: int = 2, **more: Any
) -> Loop:
    known = {name: more.pop(name) for name in ("source_bpm", "downbeat", "stretcher") if name in more}
    request = LoopRequest("take", bpm, bars, **more)
    loop = make(Take(Audio(samples, take_rate), "test", 0), request, **known)
    assert loop.audio.frames == loop_frames(request.bpm, bars, request.meter, request.rate)
    assert np.isfinite(loop.audio.samples).all()
    assert np.abs(loop.audio.samples).max() <= 1
    return loop


def late_ms(loop: Loop) -> NDArray[np.float64]:
    """Deviation of the loop's clear onsets from its own sixteenths."""
    times = onset_times(loop.audio, threshold=0.3).times
    step = loop.audio.seconds / float(loop.request.bars * loop.request.meter.quarters * 4)
    return np.asarray(1000 * (times - step * np.round(times / step)))


def test_a_groove_off_its_tempo_comes_out_on_the_grid_with_beat_one_first() -> None:
    loop = conformed(groove(118, 24, start=0.37), bpm=124, bars=4)
    assert loop.recipe["grid"]["tempo"] == pytest.approx(118, rel=2e-5)
    assert np.percentile(np.abs(late_ms(loop)), 95) < 1
    off = (loop.recipe["grid"]["loop_start"] - 0.37) * 118 / 240
    assert abs(off - round(off)) < 0.002
    assert loop.scores["seam"]["passes"]
    assert loop.warnings == ()


@pytest.mark.parametrize("bpm", [116, 120, 126])
def test_a_swaying_take_is_corrected_beat_by_beat(bpm: float) -> None:
    loop = conformed(groove(118, 26, start=0.37, wobble=0.012), bpm=bpm, bars=4)
    assert loop.recipe["grid"]["wobble_ms"] > 5
    assert np.percentile(np.abs(late_ms(loop)), 95) < 1
    assert loop.recipe["steps"]["stretcher"] != "none"


def test_pitch_stays_when_the_tempo_changes() -> None:
    loop = conformed(groove(112, 24), bpm=126, bars=4)
    mono = loop.audio.mono()
    spectrum = np.abs(np.fft.rfft(mono * np.hanning(len(mono))))
    frequency = np.fft.rfftfreq(len(mono), 1 / loop.audio.rate)
    for note in (220.0, 277.18, 329.63):
        near = np.abs(frequency - note) < 8
        peak = frequency[near][spectrum[near].argmax()]
        assert abs(1200 * np.log2(peak / note)) < 5


def test_the_stereo_image_stays() -> None:
    samples = groove(120, 20)
    samples[:, 1] = 0
    loop = conformed(samples, bpm=123)
    assert np.abs(loop.audio.samples[:, 1]).max() < 1e-4 * np.abs(loop.audio.samples[:, 0]).max()


def test_an_engines_own_take_is_not_touched_by_a_stretcher() -> None:
    request = LoopRequest("techno", "127.9", 4, seed=2)
    loop = make(load("sketch").generate(request, 2), request)
    assert loop.recipe["steps"]["stretcher"] == "none"
    assert loop.recipe["grid"]["source"] == "engine"
    assert loop.warnings == ()


@pytest.mark.parametrize("prompt", ["house", "jungle", "ambient, no drums", "just a bassline", "jazz", "trap"])
@pytest.mark.parametrize(("bpm", "meter"), [("60.23", "4/4"), ("171.3", "7/8"), ("96", "3/4")])
def test_what_the_engine_plays_loops(prompt: str, bpm: str, meter: str) -> None:
    request = LoopRequest(prompt, bpm, 2, meter)
    loop = make(load("sketch").generate(request, 5), request)
    assert loop.audio.frames == loop_frames(request.bpm, 2, request.meter, request.rate)
    assert not any("uncertain" in warning or "silent" in warning for warning in loop.warnings)
    assert loop.scores["seam"]["click"] < 1.5


@pytest.mark.parametrize(
    ("seconds", "rate"), [(0.00003, 44_100), (0.3, 44_100), (1.1, 8_000), (5.0, 192_000), (7.0, 22_050)]
)
def test_short_takes_and_odd_rates(seconds: float, rate: int) -> None:
    samples = groove(120, 8, rate=rate)[: max(1, int(seconds * rate))]
    loop = conformed(samples, rate, bars=4)
    if seconds < 6:
        assert loop.warnings


def test_a_short_take_is_played_again_and_the_user_is_told() -> None:
    loop = conformed(groove(124, 4.6), bars=8)
    assert loop.recipe["steps"]["repeats"] == 4
    assert any("2 bars" in warning and "4 times" in warning for warning in loop.warnings)
    whole = loop.audio.samples[:, 0]
    quarter = len(whole) // 4  # each piece starts on its own beat, to the nearest sample
    alike = [np.corrcoef(whole[:quarter], whole[quarter + k : 2 * quarter + k])[0, 1] for k in (-1, 0, 1)]
    assert max(alike) > 0.99


@pytest.mark.parametrize(("beats", "bpm"), [(4, 137.0), (8, 97.0), (16, 126.0)])
def test_a_file_that_is_a_loop_is_taken_as_one(beats: int, bpm: float) -> None:
    loop = conformed(groove(bpm, beats * 60 / bpm), bpm=120, bars=4)
    assert loop.recipe["grid"]["tempo"] == pytest.approx(bpm, rel=1e-4)
    assert abs(loop.recipe["grid"]["loop_start"]) < 1e-3
    assert loop.recipe["steps"]["repeats"] == 16 // beats


def test_a_short_cut_that_starts_elsewhere_is_not_taken_for_a_loop() -> None:
    loop = conformed(groove(118, 7.1, start=0.9), bpm=120, bars=2)
    off = (loop.recipe["grid"]["loop_start"] - 0.9) * 118 / 240
    assert abs(off - round(off)) < 0.002


def test_mono_stays_mono_and_silence_stays_silence() -> None:
    assert conformed(groove(120, 12)[:, :1]).audio.channels == 1
    silent = conformed(np.zeros((RATE * 9, 2)))
    assert not silent.audio.samples.any()
    assert "silent" in silent.warnings[0]
    offset = conformed(np.full((RATE * 9, 2), 0.4))
    assert np.abs(offset.audio.samples).max() < 1e-3


def test_stretches_that_fade_fall_silent_or_clip_are_not_used() -> None:
    bar = 240 / 120
    clean = groove(120, 12 * bar)
    fading = clean * np.linspace(1, 0, len(clean))[:, None].clip(0, 0.5) * 2
    stopped = clean.copy()
    stopped[int(7 * bar * RATE) :] = 0
    clipped = clean.copy()
    clipped[: int(6.5 * bar * RATE)] = np.clip(12 * clipped[: int(6.5 * bar * RATE)], -1, 1)
    for samples, (low, high) in ((fading, (0, 6)), (stopped, (0, 7)), (clipped, (6.4, 12))):
        loop = conformed(samples, bpm=122, bars=4)
        start = loop.recipe["grid"]["loop_start"] / bar
        assert low - 0.1 <= start
        assert start + 4 <= high + 0.1
        assert not any("fade" in warning or "silent" in warning or "clip" in warning for warning in loop.warnings)


def test_a_take_that_clips_throughout_is_used_with_a_warning() -> None:
    loop = conformed(np.clip(14 * groove(120, 20), -1, 1), bpm=122, bars=4)
    assert any("clip" in warning for warning in loop.warnings)


def test_what_the_user_knows_wins() -> None:
    samples = groove(120, 20, start=0.25)
    told = conformed(samples, downbeat=0.75)
    off = (told.recipe["grid"]["loop_start"] - 0.75) / 2
    assert abs(off - round(off)) * 2 < 0.002
    assert told.recipe["grid"]["source"] == "user"
    half = conformed(samples, bpm=60, bars=1, source_bpm=Fraction(120))
    assert half.recipe["grid"]["tempo"] == pytest.approx(120, rel=1e-4)
    assert half.recipe["steps"]["ratio"] == pytest.approx(2, rel=1e-4)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(20_000, 999_000),
    st.integers(1, 5),
    st.sampled_from(["4/4", "3/4", "6/8", "7/8", "5/16", "2/2"]),
    st.sampled_from([8_000, 32_000, 48_000, 96_000]),
    st.floats(0.1, 6),
)
def test_the_length_is_exact_whatever_the_take(
    thousandths: int, bars: int, meter: str, rate: int, seconds: float
) -> None:
    rng = np.random.default_rng(thousandths)
    samples = 0.1 * rng.standard_normal((int(seconds * 16_000), 1))
    conformed(samples, 16_000, bpm=f"{thousandths / 1000:.3f}", bars=bars, meter=meter, rate=rate)


@pytest.mark.parametrize(("bpm", "rate"), [("97.3", 44_100), ("124", 48_000), ("361/3", 22_050), ("118", 44_100)])
def test_the_same_bars_of_a_take_on_another_tempo(bpm: str, rate: int) -> None:
    take = Take(Audio(groove(118, 24, start=0.4), RATE), "test", 0)
    first = make(take, LoopRequest("take", "124", 3, "3/4"))
    request = LoopRequest("take", bpm, 3, "3/4", rate=rate)
    other = make(take, request, like=first)
    assert other.audio.frames == loop_frames(request.bpm, 3, request.meter, rate)
    assert other.grid is first.grid
    assert other.recipe["grid"]["loop_start"] == pytest.approx(first.recipe["grid"]["loop_start"], abs=1e-4)
    assert np.median(np.abs(late_ms(other))) < 2
    again = make(take, first.request, like=other)
    assert np.array_equal(again.audio.samples, first.audio.samples)


def test_a_short_take_is_played_as_often_on_another_tempo() -> None:
    take = Take(Audio(groove(124, 4.6), RATE), "test", 0)
    first = make(take, LoopRequest("take", 124, 8))
    other = make(take, LoopRequest("take", 131, 8), like=first)
    assert other.recipe["steps"]["repeats"] == first.recipe["steps"]["repeats"] == 4
    assert other.audio.frames == loop_frames(other.request.bpm, 8, other.request.meter, RATE)


def test_every_step_is_told_and_may_be_the_last() -> None:
    take, request = Take(Audio(groove(118, 12), RATE), "test", 0), LoopRequest("take", 124, 2)
    told: list[tuple[float, str]] = []
    make(take, request, progress=lambda share, step: told.append((share, step)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert len({step for _, step in told}) == 6

    for last in range(6):
        seen: list[str] = []

        def stop(share: float, step: str, last: int = last, seen: list[str] = seen) -> None:
            seen.append(step)
            if len(seen) > last:
                raise Cancelled("stopped")

        with pytest.raises(Cancelled):
            make(take, request, progress=stop)
        assert len(seen) == last + 1


def test_a_take_that_knows_its_first_bar_begins_there() -> None:
    """Also where another bar would do as well; where its own cannot be used, another is."""
    bar = 4 * 60 / 124
    samples = groove(124, 8 * bar)
    request = LoopRequest("take", 124, 2)
    grid = BeatGrid.steady(0.0, 60 / 124, 8 * bar, request.meter)
    for first in range(5):
        loop = make(Take(Audio(samples, RATE), "test", 0, grid, {}, first * bar), request)
        assert loop.recipe["grid"]["loop_start"] == pytest.approx(first * bar, abs=2e-3)
    silent = samples.copy()
    silent[: round(2 * bar * RATE)] = 0
    loop = make(Take(Audio(silent, RATE), "test", 0, grid, {}, 0.0), request)
    assert loop.recipe["grid"]["loop_start"] >= 2 * bar - 2e-3


def test_no_fade_is_longer_than_asked_for() -> None:
    take = load("sketch").generate(LoopRequest("ambient pads, no drums", 80, bars=2, rate=22_050), 3)
    fades = {}
    for longest in (240.0, 8.0, 0.0):
        loop = make(take, LoopRequest("x", "83.7", bars=2, rate=22_050, longest_fade=longest))
        fades[longest] = 1000 * loop.recipe["steps"]["fade"] / 22_050
        assert fades[longest] <= longest + 0.05
    assert fades[240.0] > 8.0  # what it would be without a limit
