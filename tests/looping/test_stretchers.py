"""The parts below the step: time maps, attacks, the vocoder alone, and the two stretchers of other people."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path
from shutil import which

import numpy as np
import pytest

from loopgen.errors import EngineUnavailable
from loopgen.looping.stretch import check_stretcher, stretch
from loopgen.looping.stretching.attacks import attacks
from loopgen.looping.stretching.restore import restore
from loopgen.looping.stretching.timemap import TimeMap, place
from loopgen.looping.stretching.vocoder import vocode
from loopgen.music.audio import Audio
from tests.looping.stretch_material import CHORD, chord, onset_errors, partial, sixteenths, struck, swaying

RATE = 44_100
OTHERS = [
    "signalsmith",
    pytest.param(
        "rubberband",
        marks=[pytest.mark.rubberband, pytest.mark.skipif(which("rubberband") is None, reason="no Rubber Band CLI")],
    ),
]


# ---------------------------------------------------------------- time maps


def test_a_time_map_and_its_inverse() -> None:
    time_map = TimeMap(np.array([0.0, 10.0, 30.0]), np.array([5.0, 25.0, 35.0]))
    at = np.array([-4.0, 0.0, 3.0, 10.0, 22.0, 40.0])
    np.testing.assert_allclose(time_map.source_of(time_map.target_of(at)), at, atol=1e-12)
    assert time_map.ratio == 1
    np.testing.assert_allclose(time_map.target_of([-5.0, 40.0]), [-5.0, 40.0])


def test_a_smooth_map_keeps_its_pairs_and_follows_a_swaying_tempo() -> None:
    beats = np.arange(33.0)
    source = beats + 0.012 * 8 / (2 * np.pi) * np.sin(2 * np.pi * beats / 8)
    smooth = TimeMap(source, beats).smooth()
    np.testing.assert_allclose(smooth.target_of(source), beats, atol=1e-12)
    halves = np.arange(2.5, 30)
    truth = halves + 0.012 * 8 / (2 * np.pi) * np.sin(2 * np.pi * halves / 8)
    assert np.max(np.abs(smooth.source_of(halves) - truth)) < 0.0004  # straight lines: 0.0012
    assert np.all(np.diff(smooth.source) > 0)


@pytest.mark.parametrize("at", [-20, -3, 0, 4, 9, 20])
def test_place_keeps_what_fits(at: int) -> None:
    samples = np.arange(1, 6, dtype=np.float32)[:, None]
    out = place(samples, at, 10)[:, 0]
    expected = [at_ - at + 1 if 0 <= at_ - at < 5 else 0 for at_ in range(10)]
    assert out.tolist() == expected


# ---------------------------------------------------------------- attacks and the vocoder


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000, 192_000])
@pytest.mark.parametrize("kind", ["click", "noise", "drum", "pluck"])
def test_attacks_are_found_to_4_ms(kind: str, rate: int) -> None:
    times = np.array([0.0, 0.3, 0.55, 0.8, 0.93, 1.4, 1.8])
    found = attacks(struck(times, 2.2, rate, kind), rate) / rate
    assert max(float(np.min(np.abs(found - time))) for time in times) <= 0.004
    assert len(found) <= 2 * len(times)


def test_steady_sound_has_no_attack_but_its_start() -> None:
    assert len(attacks(chord(3, RATE)[RATE // 2 :], RATE)) <= 2
    assert len(attacks(np.zeros((RATE, 2), np.float32), RATE)) == 0
    assert len(attacks(np.zeros((0, 1), np.float32), RATE)) == 0


@pytest.mark.parametrize("shift", [0, 1234, -777])
@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_the_vocoder_gives_the_take_itself_where_time_is_not_stretched(rate: int, shift: int) -> None:
    samples = np.random.default_rng(0).standard_normal((rate, 3)).astype(np.float32)
    samples += 3 * chord(1, rate)[:, :1]
    time_map = TimeMap(np.array([0.0, rate]), np.array([0.0, rate]) + shift)
    np.testing.assert_allclose(vocode(samples, time_map, rate, rate), place(samples, shift, rate), atol=2e-5)


# ---------------------------------------------------------------- other people's stretchers


@pytest.mark.parametrize("stretcher", OTHERS)
@pytest.mark.parametrize("sway", [0.0, 0.012])
@pytest.mark.parametrize("kind", ["click", "noise", "drum"])
def test_others_keep_attacks_on_the_grid(stretcher: str, sway: float, kind: str) -> None:
    grid = swaying(118, 12, sway)
    times, positions = sixteenths(grid, 12)
    take = struck(times, 12, RATE, kind)
    result = stretch(Audio(take, RATE), grid, Fraction(120), RATE, stretcher=stretcher)
    assert result.stretcher == stretcher
    errors = onset_errors(take, times, positions, RATE, result)
    assert abs(np.median(errors)) <= 1
    assert np.percentile(np.abs(errors), 95) <= 2


@pytest.mark.parametrize("stretcher", OTHERS)
def test_others_keep_pitch_level_ends_and_full_resolution(stretcher: str) -> None:
    for gain in (1e-3, 10.0):
        take = chord(5, RATE, CHORD[:4]) * np.float32(gain)
        result = stretch(Audio(take, RATE), swaying(118, 5, 0.0), Fraction(120), RATE, stretcher=stretcher)
        sound = result.audio.samples[slice(*result.valid)]
        assert len(np.unique(sound)) > 100_000  # 16 bits at this level would leave about 20
        assert np.max(np.abs(sound)) == pytest.approx(float(np.max(np.abs(take))), rel=0.3)
        for frequency in CHORD[:4]:
            _, cents = partial(sound[:, 0], frequency, RATE)
            assert np.max(np.abs(cents)) <= 5
        edge = round(0.03 * RATE)
        for end in (sound[:edge], sound[-edge:]):
            assert np.std(end) >= 0.6 * np.std(sound)


@pytest.mark.rubberband
@pytest.mark.skipif(which("rubberband") is None, reason="no Rubber Band CLI")
def test_rubber_band_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    take = Audio(chord(1, RATE), RATE)
    stretch(take, swaying(118, 1, 0.0), Fraction(120), RATE, stretcher="rubberband")
    assert list(tmp_path.iterdir()) == []


def test_rubber_band_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EngineUnavailable, match="install Rubber Band 3"):
        check_stretcher("rubberband")


def test_rubber_band_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "rubberband"
    broken.write_text("#!/bin/sh\necho 'no licence today' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(EngineUnavailable, match="no licence today"):
        stretch(Audio(chord(1, RATE), RATE), swaying(118, 1, 0.0), Fraction(120), RATE, stretcher="rubberband")


# ---------------------------------------------------------------- attacks as they were played


def test_strong_attacks_keep_their_waveform_and_soft_music_is_left_alone() -> None:
    rate, step = 44_100, 9_000
    rng = np.random.default_rng(2)
    hit = rng.standard_normal((3_000, 2)) * np.exp(-np.arange(3_000) / 700)[:, None]
    take = np.zeros((20 * step, 2), np.float32)
    for k in range(1, 19):
        take[k * step : k * step + len(hit)] += 0.5 * hit
    pad = 0.05 * np.sin(2 * np.pi * 220 * np.arange(len(take)) / rate)[:, None].astype(np.float32)
    time_map = TimeMap(np.array([0.0, len(take)]), np.array([0.0, 0.94 * len(take)]))
    frames = round(0.94 * len(take))
    starts = np.arange(1, 19) * step
    out = np.zeros((frames, 2), np.float32)
    restore(out, take + pad, time_map, rate, starts)
    for start in starts.tolist():
        target = round(0.94 * start)
        assert np.array_equal(out[target : target + 1_000], (take + pad)[start : start + 1_000])
    quiet = np.zeros((frames, 2), np.float32)
    restore(quiet, pad + np.zeros_like(take), time_map, rate, starts)
    assert not quiet.any()
