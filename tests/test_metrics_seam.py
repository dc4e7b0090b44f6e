"""Does the seam's judge hear what the ear hears, and nothing else?"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from loopgen.metrics import BOUNDS, SeamJudge, SeamScores, seam
from loopgen.music.audio import Audio
from loopgen.music.tempo import Meter, round_half_up
from tests.bench.songs import KINDS, Song, song

FOUR = Meter(4, 4)


def chord(seconds: float = 4.0, rate: int = 44_100, channels: int = 2) -> NDArray[np.float64]:
    """A steady triad whose every partial has whole periods in ``seconds``, so that it loops perfectly."""
    t = np.arange(round(seconds * rate)) / rate
    partials = [round(f * seconds) / seconds for f in (110.0, 138.5, 165.0, 440.0, 880.0, 1760.0)]
    wave = sum(0.1 / (1 + k / 2) * np.sin(2 * np.pi * f * t + k) for k, f in enumerate(partials))
    return np.repeat(np.asarray(wave)[:, None], channels, axis=1)


def hits(seconds: float = 4.0, rate: int = 44_100, every: float = 0.5, time: float = 0.08) -> NDArray[np.float64]:
    """Bursts of noise on each beat, dying away round the wrap."""
    rng = np.random.default_rng(1)
    n = round(seconds * rate)
    out = np.zeros(n)
    burst = rng.standard_normal(round(rate * 8 * time)) * np.exp(-np.arange(round(rate * 8 * time)) / rate / time)
    for k in range(round(seconds / every)):
        np.add.at(out, (np.arange(len(burst)) + round(k * every * rate)) % n, 0.2 * burst)
    return np.repeat(out[:, None], 2, axis=1)


def bar_lines(made: Song, bars: int) -> list[Audio]:
    """Stretches of ``bars`` bars turned so that a bar line of the song, untouched, lies at the wrap."""
    bar = made.beat_frames * made.meter.beats
    first = made.downbeat * made.beat_frames
    out = []
    while first + bars * bar <= made.audio.frames:
        start, stop, middle = (round_half_up(first + k * bar) for k in (0, bars, bars // 2))
        out.append(made.audio.with_samples(np.roll(made.audio.samples[start:stop], start - middle, axis=0)))
        first += bar
    return out


@pytest.mark.parametrize("samples", [chord(), hits(), chord() + hits()], ids=["chord", "hits", "both"])
@pytest.mark.parametrize("bars", [1, 2])
def test_perfect_loops_pass(samples: NDArray[np.float64], bars: int) -> None:
    scores = seam(Audio(samples, 44_100), bars, FOUR)
    assert scores.passes and not scores.rejected, scores
    assert scores.worst <= 1 and scores.cost < 1.1


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 32_000, 48_000, 88_200, 96_000, 192_000])
def test_every_rate_hears_the_same_faults(rate: int) -> None:
    good = chord(4.0, rate) + 0.2 * np.roll(hits(4.0, rate), rate // 4, axis=0)  # an attack would mask a click
    assert seam(Audio(good, rate), 2, FOUR).passes
    stepped = good.copy()
    stepped[: rate // 50] += 0.2 * np.linspace(1, 0, rate // 50)[:, None]
    assert not seam(Audio(stepped, rate), 2, FOUR).passed["click"]
    torn = good.copy()
    torn[-round(0.01 * rate) :] = 0
    assert not seam(Audio(torn, rate), 2, FOUR).passed["hole"]


@pytest.mark.parametrize("gains", [(1, 1), (1, 0), (0, 1), (1, -1)])
def test_a_click_is_heard_in_one_channel_and_in_opposite_phase(gains: tuple[float, float]) -> None:
    samples = chord() + 0.1 * hits()
    samples[0] += 0.15 * np.array(gains)
    scores = seam(Audio(samples, 44_100), 2, FOUR)
    assert scores.click > BOUNDS["click"].reject and not scores.passes


def test_a_hole_in_one_channel_is_heard() -> None:
    samples = chord()
    samples[-882:, 1] *= 0.001
    assert not seam(Audio(samples, 44_100), 2, FOUR).passed["hole"]


def test_a_change_of_timbre_harmony_or_level_over_the_wrap_is_heard() -> None:
    rate = 44_100
    steady = chord(8.0)
    fade = 10 ** (np.linspace(0, -12, len(steady))[:, None] / 20)
    quieter = seam(Audio(steady * fade, rate), 4, FOUR)
    assert quieter.loudness_step == pytest.approx(9, abs=0.2) and not quieter.passed["loudness_step"]
    moved = steady.copy()
    t = np.arange(rate // 2) / rate
    tones = np.array([[233.1], [293.7], [349.2]])
    moved[-rate // 2 :] = 0.1 * np.sin(2 * np.pi * tones * t).sum(axis=0)[:, None]
    assert not seam(Audio(moved, rate), 4, FOUR).passed["chroma_drop"]
    noisy = steady.copy()
    noisy[-rate // 5 :] += 0.1 * np.random.default_rng(0).standard_normal((rate // 5, 2))
    scores = seam(Audio(noisy, rate), 4, FOUR)
    assert not scores.passed["flux_beats"] and not scores.passed["flux_bars"]


@pytest.mark.parametrize("gain", [1e-3, 30.0])
def test_scores_do_not_depend_on_the_gain(gain: float) -> None:
    samples = song(2, "mix", seconds=9, rate=22_050).audio.samples
    one, other = (seam(Audio(g * samples, 22_050), 4, FOUR) for g in (1.0, gain))
    assert one.to_dict() == pytest.approx(other.to_dict(), rel=1e-2, abs=1e-2)


@pytest.mark.parametrize("frames", [1, 2, 50, 700, 5_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_very_short_loops_and_any_channels_are_scored(frames: int, channels: int) -> None:
    samples = np.random.default_rng(3).standard_normal((frames, channels)) * 0.1
    scores = seam(Audio(samples, 44_100), 1, Meter(1, 16))
    assert all(np.isfinite(getattr(scores, name)) for name in BOUNDS)


@pytest.mark.parametrize("meter", ["1/16", "3/4", "6/8", "7/8", "2/2", "64/4"])
@pytest.mark.parametrize("bars", [1, 3])
def test_silence_passes_in_any_meter(meter: str, bars: int) -> None:
    assert seam(Audio(np.zeros((30_000, 2)), 44_100), bars, Meter.parse(meter)).passes


@pytest.mark.parametrize("samples", [np.zeros((0, 2)), np.full((100, 1), np.nan), np.full((100, 2), np.inf)])
def test_malformed_audio_is_refused(samples: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="samples"):
        seam(Audio(samples, 44_100), 1, FOUR)


def test_bounds_bind() -> None:
    natural = {name: bound.natural for name, bound in BOUNDS.items()}
    assert SeamScores(**natural).passes
    for name, bound in BOUNDS.items():
        just, beyond = (bound.accept + d * (bound.accept - bound.natural) for d in (-1e-6, 1e-6))
        assert SeamScores(**natural | {name: just}).passes
        failing = SeamScores(**natural | {name: beyond})
        assert not failing.passes and [n for n, ok in failing.passed.items() if not ok] == [name]
        assert not failing.rejected and failing.cost > SeamScores(**natural).cost
        assert SeamScores(**natural | {name: bound.reject + 0.1 * (bound.reject - bound.natural)}).rejected


@pytest.mark.parametrize("kind", ["drums", "pad", "mix"])
def test_the_judge_scores_a_patch_as_it_scores_the_whole(kind: str) -> None:
    made = song(5, kind, seconds=10, rate=22_050)
    samples = made.audio.samples[: 22_050 * 9]
    rng = np.random.default_rng(0)
    for tail, head in ((3000, 0), (0, 2000), (500, 20)):
        patched = samples.copy()
        if tail:
            patched[-tail:] *= rng.uniform(0.2, 1)
        patched[:head] *= 0.5
        judge = SeamJudge(Audio(samples, 22_050), 4, made.meter)
        got = judge.judge(patched[len(patched) - tail :], patched[:head])
        want = SeamJudge(Audio(patched, 22_050), 4, made.meter).judge()
        assert got.click == pytest.approx(want.click, rel=1e-2)
        assert got.loudness_step == pytest.approx(want.loudness_step, abs=0.02)
        assert got.hole == pytest.approx(want.hole, abs=0.3)
        assert got.flux_beats == pytest.approx(want.flux_beats, rel=0.05)


def test_a_patch_longer_than_the_loop_is_refused() -> None:
    judge = SeamJudge(Audio(np.zeros(100), 44_100), 1, FOUR)
    with pytest.raises(ValueError, match="replaced"):
        judge.judge(np.zeros((60, 1)), np.zeros((60, 1)))


def test_a_splice_within_the_fade_is_heard() -> None:
    samples = chord(4.0)
    judge = SeamJudge(Audio(samples, 44_100), 2, FOUR)
    tail = samples[-4000:].copy()
    assert judge.splice(tail) < 1.01
    tail[2000:] *= -1
    assert judge.splice(tail) > 1.3


def test_natural_bar_lines_pass_and_cuts_in_sustained_music_do_not() -> None:
    natural, cut = [], []
    for kind in KINDS:
        made = song(11, kind, seconds=16, rate=22_050)
        lines = bar_lines(made, 4)[:3]
        natural += [seam(line, 4, made.meter).passes for line in lines]
        if kind in ("pad", "ambient", "bass"):
            turned = [np.roll(line.samples, line.frames // 2, axis=0) for line in lines]
            cut += [seam(made.audio.with_samples(x), 4, made.meter).passes for x in turned]
    assert len(natural) >= 12 and len(cut) >= 6
    assert np.mean(natural) >= 0.65, natural
    assert np.mean(cut) <= 0.2, cut
