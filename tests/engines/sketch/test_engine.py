"""Takes, as the ear would check them."""

from __future__ import annotations

import hashlib
import json
import math
import os
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from loopgen.engines.sketch.engine import RESOLUTION, SketchEngine
from loopgen.engines.sketch.repertoire import BY_NAME, GENRES
from loopgen.errors import Cancelled
from loopgen.music.loop import Take
from loopgen.music.melody import Melody, Note
from loopgen.music.request import LoopRequest
from loopgen.music.tempo import bar_seconds, beat_seconds, loop_frames

NAMES = [genre.name for genre in GENRES]
Wave = NDArray[np.float64]


@cache
def play(prompt: str, bpm: float | str = 120, bars: int = 2, seed: int = 1, **more: object) -> Take:
    return SketchEngine().generate(LoopRequest(prompt, bpm, bars, **more), seed)  # type: ignore[arg-type]


def home(name: str) -> float:
    return sum(BY_NAME[name].tempo) / 2


def ring(take: Take, request: LoopRequest) -> Wave:
    """The loop itself, without lead-in and tail: ``(frames, 2)``."""
    frames = loop_frames(request.bpm, request.bars, request.meter, take.audio.rate)
    start = first_downbeat(take, request)
    return take.audio.samples[start : start + frames].astype(np.float64)


def first_downbeat(take: Take, request: LoopRequest) -> int:
    return math.ceil(take.audio.rate * bar_seconds(request.bpm, request.meter))


def centroid(take: Take) -> float:
    """Mean frequency in Hz, weighted by the magnitude spectrum."""
    x = take.audio.mono().astype(np.float64)
    power = np.abs(np.fft.rfft(x)) ** 2
    frequency = np.fft.rfftfreq(len(x), 1 / take.audio.rate)
    return float(np.sum(frequency * np.sqrt(power)) / np.sum(np.sqrt(power)))


def balance(take: Take) -> float:
    """Level above 2 kHz against that below 500 Hz, in dB."""
    return float(10 * np.log10(np.mean(band(take, 2000, 10_000) ** 2) / np.mean(band(take, 60, 500) ** 2)))


def band(take: Take, low: float, high: float) -> Wave:
    sos = butter(4, (low, high), "bandpass", fs=take.audio.rate, output="sos")
    return np.asarray(sosfiltfilt(sos, take.audio.mono().astype(np.float64)))


@pytest.mark.parametrize(
    ("bpm", "bars", "meter", "rate"),
    [("127.9", 4, "4/4", 44_100), ("60.23", 2, "7/8", 48_000), ("361/3", 3, "3/4", 22_050), (999, 1, "4/4", 44_100),
     (20, 1, "6/8", 22_050), ("93.7", 2, "5/4", 96_000), (120, 2, "4/4", 8_000), (140, 1, "12/8", 192_000)],
)  # fmt: skip
def test_the_take_is_the_loop_and_a_bar_on_either_side(bpm: str | int, bars: int, meter: str, rate: int) -> None:
    request = LoopRequest("house", bpm, bars, meter, rate=rate)
    take = play("house", bpm, bars, meter=meter, rate=rate)
    played = take.audio.rate
    assert played == (rate if 22_050 <= rate <= 96_000 else 48_000)
    frames = loop_frames(request.bpm, bars, request.meter, played)
    first = first_downbeat(take, request)
    assert take.audio.samples.shape == (frames + 2 * first, 2)
    assert take.grid is not None
    assert (take.grid.source, take.grid.confidence, take.grid.downbeat_confidence) == ("engine", 1, 1)
    nearest = take.grid.downbeats[np.argmin(np.abs(take.grid.downbeats * played - first))]
    assert nearest * played == pytest.approx(first, abs=1e-6)
    assert take.start is None
    given = play("house", bpm, bars, meter=meter, rate=rate, melody=Melody((Note(0, 60, 1),), 4))
    assert given.start == pytest.approx(first / played)
    assert take.grid.period == pytest.approx(float(beat_seconds(request.bpm, request.meter)), rel=1e-12)


@pytest.mark.parametrize("name", ["dub techno", "lo-fi", "ambient", "jazz"])
def test_the_music_is_a_ring(name: str) -> None:
    """Bar N is bar 0 and bar -1 is bar N-1, to the sample: rooms, echoes, noise and humanising included."""
    take = play(name, "97.3", 2, 3)
    request = LoopRequest(name, "97.3", 2)
    frames = loop_frames(request.bpm, 2, request.meter, take.audio.rate)
    samples = take.audio.samples
    assert np.array_equal(samples[:-frames], samples[frames:])
    assert np.max(np.abs(samples[:200])) > 1e-3  # the room is ringing already at the first sample


@pytest.mark.parametrize("name", ["house", "rock", "drum and bass", "trap"])
def test_downbeat_kicks_are_exactly_on_the_grid(name: str) -> None:
    """The low band is still 2 ms before a downbeat and moving 8 ms after it."""
    bpm = home(name)
    request = LoopRequest(f"{name}, only kick, dry", bpm, 2)
    take = play(f"{name}, only kick, dry", bpm, 2)
    assert take.grid is not None
    x = np.abs(take.audio.samples).max(axis=1)
    for downbeat in take.grid.downbeats:
        at = round(downbeat * take.audio.rate)
        if 1000 < at < len(x) - 1000:
            assert x[at + 1 : at + 353].max() > 0.2, request
            onset = at - 200 + int(np.argmax(x[at - 200 : at + 353] > x[at - 300 : at - 100].max() + 0.05))
            assert 0 <= onset - at < 0.003 * take.audio.rate


@pytest.mark.parametrize("name", NAMES)
def test_every_genre_is_a_tidy_mix(name: str) -> None:
    pyloudnorm = pytest.importorskip("pyloudnorm")
    take = play(name, home(name), 2)
    samples = take.audio.samples.astype(np.float64)
    assert 20 * np.log10(np.max(np.abs(samples))) < -1
    assert -18 < pyloudnorm.Meter(take.audio.rate).integrated_loudness(samples) < -13
    mid, side = samples.mean(axis=1), (samples[:, 0] - samples[:, 1]) / 2
    assert -35 < 10 * np.log10(np.mean(side**2) / np.mean(mid**2)) < -3  # wide, and mono still holds it
    low = butter(4, 100, fs=take.audio.rate, output="sos")
    lows = [np.mean(sosfiltfilt(low, x) ** 2) for x in (side, mid)]
    assert 10 * np.log10(lows[0] / lows[1]) < -18  # the low end is in the middle
    assert abs(np.mean(samples)) < 1e-3


def test_same_seed_same_samples_other_seed_other_music() -> None:
    first = play("house", 124)
    again = SketchEngine().generate(LoopRequest("house", 124, 2), 1)
    assert np.array_equal(first.audio.samples, again.audio.samples)
    x, y = (band(play("house, no drums", 124, seed=seed), 60, 2000) for seed in (1, 2))  # the drums are common ground
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.3
    assert first.facts["chords"] != play("house", 124, seed=2).facts["chords"]


def test_samples_lie_on_the_grid_that_hides_platforms() -> None:
    scaled = play("soul", 84).audio.samples.astype(np.float64) / RESOLUTION
    assert np.array_equal(scaled, np.rint(scaled))


def test_other_processor_features_same_samples() -> None:
    """numpy's arithmetic differs in its last bits between instruction sets; the take does not."""
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    if not found:
        pytest.skip("this processor has no features beyond numpy's baseline")
    code = (
        "import hashlib; from loopgen.engines.sketch.engine import SketchEngine; "
        "from loopgen.music.request import LoopRequest; "
        "[print(hashlib.sha256(SketchEngine().generate(LoopRequest(p, 100, 1), 5).audio.samples.tobytes()).hexdigest())"
        " for p in ('soul', 'trance', 'dub')]"
    )
    plain = [hashlib.sha256(play(p, 100, 1, 5).audio.samples.tobytes()).hexdigest() for p in ("soul", "trance", "dub")]
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(found)}
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert other.stdout.split() == plain


def test_no_drums_removes_the_broadband_onsets() -> None:
    """Rises of the 6-12 kHz band from one 10 ms frame to the next: without drums a fifth at most.

    Measured against the middle band, whose instruments are the same with and without.
    """
    for name in ("house", "rock"):
        rises = []
        for prompt in (name, f"{name}, no drums"):
            take = play(prompt, home(name))
            high = band(take, 6000, 12_000)
            hop = take.audio.rate // 100
            energy = np.sqrt(np.mean(high[: len(high) // hop * hop].reshape(-1, hop) ** 2, axis=1))
            level = np.sqrt(np.mean(band(take, 250, 2000) ** 2))
            rises.append(np.sum(np.maximum(np.diff(energy), 0)) / level)
        assert rises[1] < 0.2 * rises[0], name


def test_genres_drum_differently() -> None:
    """Energy below 90 Hz around each quarter, drums alone: four to the floor against the breakbeat's two holes."""

    def beats(name: str) -> Wave:
        take = play(f"{name}, only kick, dry", 170, 4)
        low = band(take, 40, 140) ** 2
        assert take.grid is not None
        bar = 4 * 60 / 170
        at = [round(b * take.audio.rate) for b in take.grid.beats if bar - 0.1 < b < 3 * bar - 0.1]  # bars 1 and 2
        return np.array([low[k : k + 4000].mean() for k in at])

    trance, jungle = beats("trance"), beats("drum and bass")
    assert trance.min() > 0.2 * trance.max()
    assert jungle.min() < 0.02 * jungle.max()


def test_808_changes_the_bass() -> None:
    """A picked bass has a spectrum of harmonics; an 808 is mostly its fundamental, and lasts."""

    def share(prompt: str) -> float:
        take = play(prompt, 90, 2, 4, key="Am")
        power = np.abs(np.fft.rfft(take.audio.mono().astype(np.float64))) ** 2
        frequency = np.fft.rfftfreq(take.audio.frames, 1 / take.audio.rate)
        return float(power[frequency < 95].sum() / power.sum())

    assert share("hip-hop, just 808 bass") > share("hip-hop, just bass guitar") + 0.2


@pytest.mark.parametrize("name", ["house", "hip-hop", "synthwave", "techno"])
def test_dark_and_bright_are_heard(name: str) -> None:
    takes = [play(f"{mood}{name}", home(name), key="Am") for mood in ("dark ", "", "bright ")]
    dark, plain, bright = (balance(take) for take in takes)
    assert dark < plain - 3
    assert bright > plain + 3
    assert centroid(takes[2]) > 1.2 * centroid(takes[0])


def test_dry_and_drenched_are_heard() -> None:
    """Between the strokes of a snare the room still rings, or does not: at least 20 dB apart."""

    def floor(prompt: str) -> float:
        x = play(prompt, 100, 2).audio.mono().astype(np.float64)
        hop = 441
        energy = np.sqrt(np.mean(x[: len(x) // hop * hop].reshape(-1, hop) ** 2, axis=1))
        return float(20 * np.log10(np.median(energy) / energy.max() + 1e-9))

    assert floor("rock, dry, only snare") < floor("rock, drenched, only snare") - 20


SCALE = Melody(tuple(Note(k, pitch, 0.95) for k, pitch in enumerate((60, 64, 67, 72, 71, 67, 65, 62))), 8)


def heard(take: Take, request: LoopRequest) -> list[int]:
    """Pitch class of the strongest partial between 230 and 1100 Hz in the middle of each quarter."""
    x = ring(take, request).mean(axis=1)
    quarter = len(x) / float(request.bars * request.meter.quarters)
    out = []
    for k in range(int(request.bars * request.meter.quarters)):
        piece = x[int((k + 0.15) * quarter) : int((k + 0.85) * quarter)]
        spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), 1 << 17))
        frequency = np.fft.rfftfreq(1 << 17, 1 / take.audio.rate)
        spectrum[(frequency < 230) | (frequency > 1100)] = 0
        out.append(round(69 + 12 * np.log2(frequency[spectrum.argmax()] / 440)) % 12)
    return out


@pytest.mark.parametrize("words", ["just the melody", "only a flute", "solo saw lead, dry", "solo piano, no chords"])
def test_the_audio_follows_the_melody(words: str) -> None:
    """At least 15 of 16 quarters sound the note that was asked for."""
    request = LoopRequest(words, 100, 4, melody=SCALE)
    expected = [note.pitch % 12 for note in SCALE.repeated(16)]
    right = sum(a == b for a, b in zip(heard(play(words, 100, 4, melody=SCALE), request), expected, strict=True))
    assert right >= 15


def test_the_melody_carries_through_a_band() -> None:
    """In a full arrangement the melody's note is among each quarter's two strongest pitch classes, 4 times of 5."""
    hits = total = 0
    for prompt in ("synthwave", "soul", "house"):
        request = LoopRequest(prompt, 100, 4, melody=SCALE)
        x = ring(play(prompt, 100, 4, melody=SCALE), request).mean(axis=1)
        quarter = len(x) / 16
        for k, note in enumerate(SCALE.repeated(16)):
            piece = x[int((k + 0.1) * quarter) : int((k + 0.9) * quarter)]
            power = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), 1 << 17)) ** 2
            frequency = np.fft.rfftfreq(1 << 17, 1 / 44_100)
            inside = (frequency > 200) & (frequency < 2000)
            classes = np.rint(69 + 12 * np.log2(frequency[inside] / 440)).astype(int) % 12
            chroma = np.bincount(classes, power[inside], 12)
            hits += note.pitch % 12 in np.argsort(chroma)[-2:]
            total += 1
    assert hits >= 0.8 * total


def test_facts_say_what_was_played_and_that_it_is_synthesis() -> None:
    take = play("dub techno, no drums, zebra", 122, key="Am")
    facts = json.loads(json.dumps(take.facts))
    assert facts["kind"] == "synthesis"
    assert "not MusicGen" in facts["note"]
    assert (facts["genre"], facts["key"], facts["licence"]) == ("dub techno", "Am", "CC0-1.0")
    assert facts["words_unused"] == ["zebra"]
    assert "drums" not in facts["instruments"]
    assert facts["chords"][0]["quarter"] == 0
    assert take.engine == "sketch"


def test_progress_rises_and_may_cancel() -> None:
    seen: list[float] = []
    SketchEngine().generate(LoopRequest("house", 120, 1), 1, progress=seen.append)
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0, 1)
    assert len(seen) >= 5

    def stop(share: float) -> None:
        if share > 0.3:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        SketchEngine().generate(LoopRequest("house", 120, 1), 1, progress=stop)


@pytest.mark.parametrize(
    "prompt", ["", "???", "no drums no bass no chords no pad no lead", "zebra", "only cowbell", "ünïcödé 音楽"]
)
def test_any_prompt_sounds(prompt: str) -> None:
    samples = play(prompt, 110, 1).audio.samples
    assert np.all(np.isfinite(samples))
    assert 0.1 < np.max(np.abs(samples)) < 10 ** (-1 / 20)
