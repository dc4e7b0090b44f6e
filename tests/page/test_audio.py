"""What the page plays: the loop's own samples, or exactly as many as it asks for."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from loopgen import library
from loopgen.audiofile import read_audio
from loopgen.errors import AudioUnreadable, InvalidRequest
from loopgen.library.find import Entry
from loopgen.library.index import Library
from loopgen.music.audio import Audio
from loopgen.music.tempo import Meter, loop_frames
from loopgen.page.audio import CENT, Sound, Sounds, Wanted, fit
from tests.loops import pulse_loop


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    library.keep(pulse_loop(bars=2), tmp_path)
    return only(tmp_path)


def only(folder: Path) -> Entry:
    with Library(folder) as opened:
        opened.refresh()
        (entry,) = opened.find()
    return entry


def samples(sound: Sound) -> np.ndarray:
    return np.frombuffer(sound.data, "<f4").reshape(sound.channels, sound.frames).T


def test_a_loop_comes_as_it_lies_on_disk(entry: Entry) -> None:
    sound = Sounds().get(entry, Wanted())
    written, rate = soundfile.read(entry.path, dtype="float32")
    assert (sound.frames, sound.channels, sound.rate) == (entry.frames, 2, rate)
    assert np.array_equal(samples(sound), written)


def test_turns_are_the_loop_again_to_the_last_bit(entry: Entry) -> None:
    sounds = Sounds()
    one, three = samples(sounds.get(entry, Wanted())), samples(sounds.get(entry, Wanted(turns=3)))
    assert np.array_equal(three, np.tile(one, (3, 1)))


def test_a_frame_more_or_less_is_resampled_around_the_ring(entry: Entry) -> None:
    sounds = Sounds()
    one = samples(sounds.get(entry, Wanted()))
    other = samples(sounds.get(entry, Wanted(turns=2, frames=2 * entry.frames + 1)))
    assert len(other) == 2 * entry.frames + 1
    ahead, level = other[:20_000], np.abs(one).max()
    assert np.abs(ahead[200:] - one[200:20_000]).max() < 0.2 * level  # less than a sample's shift, of noise
    quiet = np.sin(2 * np.pi * 40 * np.arange(1000) / 1000)[:, None].astype(np.float32)
    longer = fit(quiet, 1, 1001)
    assert np.abs(longer[0] - longer[-1] - (longer[1] - longer[0])).max() < 0.05  # no edge at the seam


@pytest.mark.parametrize("frames", [1, 44_100, 10**9, 0])
def test_another_length_than_so_many_turns_is_refused(entry: Entry, frames: int) -> None:
    with pytest.raises(InvalidRequest, match="frames"):
        Sounds().get(entry, Wanted(frames=frames))


@pytest.mark.parametrize("bpm", ["100", "140.37", "128"])
def test_another_tempo_has_exactly_its_frames(entry: Entry, bpm: str) -> None:
    sound = Sounds().get(entry, Wanted(Fraction(bpm)))
    assert sound.frames == loop_frames(Fraction(bpm), 2, Meter(), 44_100)
    assert np.abs(samples(sound)).max() > 0.05


def test_within_a_cent_nothing_is_stretched(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loopgen.page.audio.lay", lambda *given: pytest.fail("laid anew"))
    near = Fraction("127.95")
    sound = Sounds().get(entry, Wanted(near))
    assert 1 < near / Fraction("127.9") < CENT
    assert sound.frames == loop_frames(near, 2, Meter(), 44_100) != entry.frames


def test_the_same_is_made_once(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    from loopgen.page import audio

    calls: list[Fraction] = []

    def lay(entry: Entry, bpm: Fraction) -> Audio:
        calls.append(bpm)
        return read_audio(entry.path)

    monkeypatch.setattr(audio, "lay", lay)
    sounds = Sounds()
    first = sounds.get(entry, Wanted(Fraction(100)))
    sounds.get(entry, Wanted(Fraction(100), rate=44_100))
    assert sounds.get(entry, Wanted(Fraction(100))) is first
    assert calls == [100]


def test_another_rate_keeps_the_length_in_bars(entry: Entry) -> None:
    sound = Sounds().get(entry, Wanted(rate=48_000))
    assert (sound.rate, sound.frames) == (48_000, loop_frames(Fraction("127.9"), 2, Meter(), 48_000))


def test_a_take_that_is_kept_is_what_is_laid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from loopgen import studio
    from loopgen.engines import base
    from loopgen.music.request import LoopRequest

    (loop,) = studio.generate(LoopRequest("dub techno", "120", 1, seed=1), engine=base.load("sketch"))
    library.keep(loop, tmp_path)
    kept = only(tmp_path)
    assert kept.has_take
    monkeypatch.setattr(studio, "conform", lambda *given, **named: pytest.fail("stretched twice"))
    assert Sounds().get(kept, Wanted(Fraction(126))).frames == loop_frames(Fraction(126), 1, Meter(), 44_100)


def test_a_loop_without_a_tempo_plays_as_it_is_and_no_other_way(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "clip.wav", np.random.default_rng(1).standard_normal((50_001, 1)) * 0.1, 44_100)
    clip = only(tmp_path)
    assert clip.bpm is None
    assert Sounds().get(clip, Wanted()).frames == 50_001
    with pytest.raises(InvalidRequest, match="not known"):
        Sounds().get(clip, Wanted(Fraction(120)))


def test_a_file_that_has_gone_is_said(entry: Entry) -> None:
    entry.path.unlink()
    with pytest.raises(AudioUnreadable, match="does not exist"):
        Sounds().get(entry, Wanted())
