"""Which bars of a recording are recognised as unusable."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from loopgen.metrics import usable
from loopgen.music.audio import Audio
from loopgen.music.tempo import round_half_up
from tests.bench.songs import song

RATE = 22_050


def beat(bars: int = 8, bar: int = 2 * RATE) -> NDArray[np.float64]:
    """A drum on each quarter of each bar, with digital silence between the drums."""
    rng = np.random.default_rng(0)
    out = np.zeros(bars * bar)
    hit = rng.standard_normal(bar // 8) * np.exp(-np.arange(bar // 8) / (bar / 40)) * 0.2
    for k in range(4 * bars):
        out[k * bar // 4 : k * bar // 4 + len(hit)] += hit
    return out


LINES = np.arange(9, dtype=np.int64) * 2 * RATE


def test_drums_with_pauses_between_them_are_good() -> None:
    bars = usable(Audio(beat(), RATE), LINES)
    assert bars.good.all() and not bars.clipped.any() and bars.faults == ()


@pytest.mark.parametrize("kind", ["drums", "keys", "pad", "mix"])
def test_music_is_mostly_good(kind: str) -> None:
    made = song(7, kind, seconds=20, rate=RATE)
    bar = made.beat_frames * made.meter.beats
    count = int((made.audio.frames - made.downbeat * made.beat_frames) / bar)
    lines = np.array([round_half_up(made.downbeat * made.beat_frames + k * bar) for k in range(count + 1)])
    assert usable(made.audio, lines).good.mean() >= 0.75


@pytest.mark.parametrize("depth", [15, 30, 60])
def test_fades_at_either_end_are_seen(depth: float) -> None:
    samples = beat()
    ramp = 10 ** (-depth / 20 * np.linspace(0, 1, 6 * RATE))
    samples[-6 * RATE :] *= ramp
    bars = usable(Audio(samples, RATE), LINES)
    assert not bars.good[-2:].any() and bars.good[:4].all() and "fades" in bars.faults
    mirrored = usable(Audio(samples[::-1], RATE), LINES)
    assert not mirrored.good[:2].any() and mirrored.good[-4:].all()


def test_silence_is_seen() -> None:
    samples = beat()
    samples[5 * 2 * RATE :] = 0
    bars = usable(Audio(samples, RATE), LINES)
    assert bars.silent.tolist() == [False] * 5 + [True] * 3 and "falls silent" in bars.faults
    assert usable(Audio(np.zeros(8 * 2 * RATE), RATE), LINES).silent.all()


def test_a_dropout_is_seen_where_other_bars_play() -> None:
    samples = beat()
    samples[3 * 2 * RATE + RATE // 2 : 3 * 2 * RATE + RATE] = 0
    bars = usable(Audio(samples, RATE), LINES)
    assert bars.torn.tolist() == [k == 3 for k in range(8)] and "drops out" in bars.faults


@pytest.mark.parametrize("channels", [1, 2])
def test_clipping_is_seen_and_loud_music_is_not_taken_for_it(channels: int) -> None:
    t = np.arange(16 * RATE) / RATE
    wave = 0.5 * np.sin(2 * np.pi * 110 * t) + 0.3 * np.sin(2 * np.pi * 277 * t)
    wave[6 * RATE : 8 * RATE] *= 3
    samples = np.repeat(np.clip(wave, -1, 1)[:, None], channels, axis=1)
    bars = usable(Audio(samples, RATE), LINES)
    assert bars.clipped.tolist() == [k == 3 for k in range(8)] and bars.good.all() and bars.faults == ("clips",)
    assert not usable(Audio(np.repeat(np.tanh(2 * wave)[:, None], channels, axis=1), RATE), LINES).clipped.all()
    assert not usable(Audio(0.4 * np.sin(2 * np.pi * 50 * t), RATE), LINES).clipped.any()


@pytest.mark.parametrize("lines", [[0], [0, 0], [10, 5], [-1, 5], [0, 10**9]])
def test_odd_bar_lines_are_refused(lines: list[int]) -> None:
    with pytest.raises(ValueError, match="bar lines"):
        usable(Audio(beat(), RATE), np.array(lines, dtype=np.int64))
