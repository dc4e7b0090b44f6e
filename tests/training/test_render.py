"""The sound of the training music: events where the truth says, loops that repeat, damage that moves nothing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from loopgen.music.tempo import Meter
from loopgen.onsets import signal_flux
from loopgen.training.degrade import STEPS, Step, degrade
from loopgen.training.kits import draw_kit
from loopgen.training.render import RATE, Rendered, render
from loopgen.training.score import DRUMS, PARTS, Hit, Music, Note
from loopgen.training.tone_voices import draw_instrument

_COMMON = Meter(4, 4)


def _piece(seed: int, meter: Meter = _COMMON, bars: int = 4) -> Music:
    """Random strokes and notes, most of them on eighths."""
    rng = np.random.default_rng(seed)
    length = int(4 * meter.quarters)
    drums = [str(name) for name in rng.choice(DRUMS, size=int(rng.integers(0, 6)), replace=False)]
    parts = [str(name) for name in rng.choice(PARTS, size=int(rng.integers(0 if drums else 1, 4)), replace=False)]
    hits, notes = [], []
    for step in range(0, bars * length, 2):
        hits += [Hit(step, drum, float(rng.uniform(0.2, 1))) for drum in drums if rng.random() < 0.5 or step == 0]
        for part in parts:
            if rng.random() < 0.3 or step == 0:
                notes.append(Note(step, float(rng.uniform(1, 12)), int(rng.integers(40, 76)), part, 0.8))
    return Music(meter, bars, float(rng.uniform(70, 180)), tuple(hits), tuple(notes), "random")


def _rims(bpm: float, bars: int = 4) -> Music:
    """A stick at every bar line."""
    return Music(Meter(4, 4), bars, bpm, tuple(Hit(16 * bar, "rim", 1.0) for bar in range(bars)), (), "rims")


def _late(clip: Rendered) -> NDArray[np.float64]:
    """Seconds from each true bar line inside a clip to where the sound around it begins."""
    audio = np.abs(clip.audio)
    out = []
    for line in clip.downbeats:
        first = round((line - 0.1) * RATE)
        if first < 0 or first + 4800 > len(audio):
            continue
        near = audio[first : first + 4800]
        out.append((first + int(np.argmax(near > 0.1 * near.max()))) / RATE - line)
    return np.array(out)


@pytest.mark.parametrize("wobble", [0.0, 0.03])
def test_strokes_fall_on_the_bar_lines_they_belong_to(wobble: float) -> None:
    kinds = set()
    for seed in range(24):
        clip = render(_rims(61.7 + 5.3 * seed), np.random.default_rng(seed), seconds=14, wobble=wobble)
        kinds.add(clip.kind)
        late = _late(clip)
        assert len(late) >= 2
        assert np.abs(late).max() < 0.001
    assert kinds == ({"played"} if wobble else {"played", "cut", "wrapped"})


def test_a_wobbling_tempo_bends_the_truth() -> None:
    for seed in range(8):
        clip = render(_rims(150), np.random.default_rng(seed), seconds=20, wobble=0.03)
        bars = np.diff(clip.downbeats) / 1.6
        assert 1.02 < bars.max() < 1.031
        assert 0.969 < bars.min() < 0.98


def test_bar_lines_reach_beyond_both_ends() -> None:
    for seed in range(30):
        music = _piece(seed, Meter(3, 4) if seed % 3 == 0 else Meter(4, 4))
        clip = render(music, np.random.default_rng(seed), seconds=8)
        bar = 60 / float(music.bpm) * float(music.meter.quarters)
        assert -bar - 1e-3 < clip.downbeats[0] <= 0
        assert 8 <= clip.downbeats[-1] < 8 + bar + 1e-3
        assert np.diff(clip.downbeats) == pytest.approx(bar, rel=1e-4)


def test_a_clip_begins_anywhere_in_the_bar() -> None:
    phases = []
    for seed in range(60):
        clip = render(_rims(120), np.random.default_rng(seed), seconds=5)
        phases.append(-clip.downbeats[0] / 2 % 1)
    assert np.histogram(phases, 4, (0, 1))[0].min() >= 6


def test_loops_repeat_to_the_sample_and_pieces_played_through_do_not_have_to() -> None:
    loops = 0
    for seed in range(40):
        clip = render(_piece(seed), np.random.default_rng(seed), seconds=24)
        if clip.kind == "played":
            continue
        loops += 1
        bars = np.diff(clip.downbeats).mean() * RATE
        periods = [round(bars * count) for count in (1, 2, 4)]
        assert any(np.array_equal(clip.audio[period:], clip.audio[:-period]) for period in periods)
    assert 8 <= loops <= 28


def test_the_same_seed_gives_the_same_clip() -> None:
    for seed in range(6):
        clips = [render(_piece(seed), np.random.default_rng(seed), seconds=6) for _ in range(2)]
        assert np.array_equal(clips[0].audio, clips[1].audio)
        assert np.array_equal(clips[0].downbeats, clips[1].downbeats)
        worn = [degrade(clips[0].audio, np.random.default_rng(seed), RATE) for _ in range(2)]
        assert np.array_equal(worn[0], worn[1])
    others = [render(_piece(0), np.random.default_rng(seed), seconds=6).audio for seed in range(2)]
    assert not np.array_equal(others[0], others[1])


def test_two_hundred_clips_sound() -> None:
    for seed in range(200):
        rng = np.random.default_rng(seed)
        clip = render(_piece(seed), rng, seconds=3, wobble=0.01 * (seed % 5 == 0))
        for wave in (clip.audio, degrade(clip.audio, rng, RATE)):
            assert wave.shape == (3 * RATE,)
            assert wave.dtype == np.float32
            assert np.isfinite(wave).all()
            assert 0.2 < np.abs(wave).max() <= 1.0
            assert np.sqrt(np.mean(wave**2)) > 1e-3


def _lag(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """Seconds by which the flux of ``after`` comes later than that of ``before``, to a fraction of its 2 ms."""
    old, new = (np.log1p(signal_flux(wave, RATE).bands).sum(axis=0) for wave in (before, after))
    old, new = old - old.mean(), new - new.mean()
    reach = 25
    inner = slice(reach, len(old) - reach)
    agree = np.array([old[inner] @ np.roll(new, -k)[inner] for k in range(-reach, reach + 1)])
    best = int(np.clip(np.argmax(agree), 1, 2 * reach - 1))
    left, middle, right = agree[best - 1 : best + 2]
    return float(0.002 * (best - reach + 0.5 * (left - right) / (left - 2 * middle + right)))


def _struck(seed: int) -> NDArray[np.float32]:
    music = Music(
        Meter(4, 4), 4, 100 + seed,
        tuple(Hit(s, drum, 1.0) for s in range(64) for drum, every in (("kick", 8), ("snare", 16), ("hat", 2))
              if (s - every // 2 * (drum == "snare")) % every == 0),
        tuple(Note(s, 3, 50 + s % 7, "chord", 0.6) for s in range(0, 64, 4)), "groove",
    )  # fmt: skip
    return render(music, np.random.default_rng(seed), seconds=6).audio


@pytest.mark.parametrize("step", [step for _, step in STEPS], ids=lambda step: str(step.__name__))
def test_no_damage_moves_the_music(step: Step) -> None:
    for seed in range(8):
        wave = _struck(seed)
        wave = wave / np.abs(wave).max()
        after = step(wave, np.random.default_rng(seed + 100), RATE)
        assert after.shape == wave.shape
        assert after.dtype == np.float32
        assert abs(_lag(wave, after)) < 0.002


def test_all_damage_together_moves_nothing() -> None:
    for seed in range(24):
        wave = _struck(seed)
        assert abs(_lag(wave, degrade(wave, np.random.default_rng(seed), RATE))) < 0.002


def test_damage_is_heard() -> None:
    wave = _struck(3)
    wave = wave / np.abs(wave).max()
    for _, step in STEPS:
        rest = step(wave, np.random.default_rng(1), RATE) - wave
        assert np.sqrt(np.mean(rest**2)) > 1e-4


def test_kits_and_instruments_are_all_different() -> None:
    kits = [draw_kit(DRUMS, RATE, np.random.default_rng(seed)) for seed in range(12)]
    for drum in DRUMS:
        centroids = []
        for kit in kits:
            spectrum = np.abs(np.fft.rfft(kit[drum].waves[-1], 1 << 15)) ** 2
            centroids.append(float(np.linspace(0, RATE / 2, len(spectrum)) @ spectrum / spectrum.sum()))
        assert max(centroids) > 1.2 * min(centroids)
        assert len({round(value) for value in centroids}) >= 10
    for part in PARTS:
        recipes = {draw_instrument(part, np.random.default_rng(seed)).recipe for seed in range(60)}
        assert len(recipes) >= 4
