"""The whole way of a melody: from a recording, a MIDI file or notes to a loop that follows it."""

from __future__ import annotations

import json
import math
import pickle
from fractions import Fraction
from functools import cache
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from loopgen.chroma import SLICE_SECONDS
from loopgen.engines.sketch.engine import SketchEngine
from loopgen.errors import AudioUnreadable, InvalidRequest
from loopgen.melodies import read_melody
from loopgen.music.audio import Audio
from loopgen.music.key import TONICS
from loopgen.music.loop import Loop
from loopgen.music.melody import Melody, Note
from loopgen.music.tempo import Meter
from loopgen.orders import settle
from loopgen.studio import generate
from loopgen.wav import LoopTags, wav_bytes
from tests.test_transcribe import RATE, TUNE, agreement, plucked, saw, sung

pytest.importorskip("librosa")

BPM = "97.5"
PROMPTS = ("synthwave", "house", "soul", "rock", "drum and bass", "lo-fi, no drums")


def written(folder: Path, kind: str, notes: tuple[Note, ...] = TUNE) -> str:
    """The melody as a user has it: a file's name or text."""
    if kind == "notes":
        return " ".join(f"{TONICS[note.pitch % 12]}{note.pitch // 12 - 1}:{note.duration:g}" for note in notes)
    if kind == "mid":
        file = mido.MidiFile(ticks_per_beat=480)
        track = mido.MidiTrack()
        file.tracks.append(track)
        for note in notes:
            track.append(mido.Message("note_on", note=note.pitch, velocity=100, time=0))
            track.append(mido.Message("note_off", note=note.pitch, time=round(480 * note.duration)))
        file.save(folder / "tune.mid")
        return str(folder / "tune.mid")
    path = folder / f"tune {BPM} bpm.{kind}"
    soundfile.write(path, sung(notes, plucked if kind == "flac" else saw, BPM).samples, RATE)
    return str(path)


def transposed(melody: Melody, semitones: int) -> Melody:
    moved = tuple(Note(n.start, n.pitch + semitones, n.duration, n.velocity) for n in melody.notes)
    return Melody(moved, melody.length)


def chromas(audio: Audio, quarters: int) -> NDArray[np.float64]:
    """Amplitude of the pitch classes, 200 to 2000 Hz, in every quarter; shape ``(quarters, 12)``, each mean 0."""
    out = []
    for piece in np.array_split(audio.mono().astype(np.float64), quarters):
        power = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), 1 << 17)) ** 2
        frequency = np.fft.rfftfreq(1 << 17, 1 / audio.rate)
        inside = (frequency > 200) & (frequency < 2000)
        classes = np.rint(69 + 12 * np.log2(frequency[inside] / 440)).astype(int) % 12
        out.append(np.sqrt(np.bincount(classes, power[inside], 12)))
    found = np.array(out)
    return np.asarray(found - found.mean(axis=1, keepdims=True))


def expected(notes: tuple[Note, ...], quarters: int) -> NDArray[np.float64]:
    """Time that each pitch class sounds in every quarter, as ``chromas`` has it."""
    out = np.zeros((quarters, 12))
    for note in Melody(notes, 8).repeated(quarters):
        for quarter in range(quarters):
            sounds = min(note.start + note.duration, quarter + 1) - max(note.start, quarter)
            out[quarter, note.pitch % 12] += max(0, sounds)
    return np.asarray(out - out.mean(axis=1, keepdims=True))


def likeness(prompt: str, melody: Melody | None, notes: tuple[Note, ...]) -> float:
    """Correlation of the chroma of a loop made with ``melody`` with that of ``notes``, quarter by quarter."""
    heard, meant = chromas(loop_of(prompt, melody), 8), expected(notes, 8)
    return float(np.sum(heard * meant) / math.sqrt(np.sum(heard**2) * np.sum(meant**2)))


@cache
def loop_of(prompt: str, melody: Melody | None) -> Audio:
    request = settle({"prompt": prompt, "bpm": BPM, "bars": 2, "seed": 11, "key": "C"}, melody).request
    (loop,) = generate(request)
    return loop.audio


@pytest.mark.parametrize("kind", ["notes", "mid", "wav", "flac"])
def test_the_loop_follows_the_melody_whatever_it_came_from(tmp_path: Path, kind: str) -> None:
    """Against the same seed and key without it, and with it transposed, in full bands as well.

    A loop that ignored its melody would be as like it as the one made without.
    """
    melody = read_melody(written(tmp_path, kind))
    for prompt in PROMPTS:
        following = likeness(prompt, melody, TUNE)
        assert following >= 0.6
        assert following >= likeness(prompt, None, TUNE) + 0.25
        assert following >= likeness(prompt, transposed(melody, 6), TUNE) + 0.4


def test_every_source_gives_the_same_melody(tmp_path: Path) -> None:
    for kind in ("notes", "mid", "wav", "flac"):
        melody = read_melody(written(tmp_path, kind))
        assert melody.length == 8
        assert agreement(melody, TUNE, octaves=True) >= 0.9


def test_a_clips_own_tempo_wins_over_the_one_that_is_given(tmp_path: Path) -> None:
    clip = sung(TUNE, saw, "60.23")
    plain, named = tmp_path / "tune.wav", tmp_path / "tune_60.23bpm.wav"
    for path in (plain, named):
        soundfile.write(path, clip.samples, RATE)
    assert read_melody(named, bpm=120).length == 8
    assert read_melody(str(plain), bpm="60.23").length == 8
    assert read_melody(plain, bpm=Fraction("120.46")).length == 16
    tagged = tmp_path / "tagged.wav"
    tagged.write_bytes(wav_bytes(clip, LoopTags(Fraction("60.23"), 2, Meter())))
    assert agreement(read_melody(tagged), TUNE) >= 0.9
    with pytest.raises(InvalidRequest, match=r"bpm: .* give the tempo of tune\.wav"):
        read_melody(plain)


def test_a_loop_of_ours_can_be_the_melody_of_the_next(tmp_path: Path) -> None:
    from loopgen.library import keep

    loops: list[Loop] = list(generate(settle({"prompt": "solo flute", "bpm": BPM, "bars": 2, "seed": 3}).request))
    kept = keep(loops[0], tmp_path)
    assert read_melody(kept.path).length == 8  # its tempo is in its sidecar


@pytest.mark.parametrize("name", ["missing.wav", "missing.mid", "missing.xyz", "folder.wav"])
def test_files_that_are_not_there_are_files_and_not_notes(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(AudioUnreadable, match=name.split(".")[0]):
        read_melody(str(tmp_path / name), bpm=120)


def test_a_file_that_is_something_else_is_told(tmp_path: Path) -> None:
    for suffix in ("wav", "txt", "mid"):
        (tmp_path / f"a.{suffix}").write_text("no music", "utf-8")
        with pytest.raises(AudioUnreadable, match=rf"a\.{suffix}"):
            read_melody(tmp_path / f"a.{suffix}", bpm=120)


def test_notes_with_fractions_are_notes() -> None:
    assert [note.duration for note in read_melody("A4:0.5 C5:1.25 r:.25 D5:.5").notes] == [0.5, 1.25, 0.5]


def test_the_engine_hears_its_melody_only_if_it_is_given_one() -> None:
    """The measure itself: what has no melody is not like it, what is nothing but the melody is."""
    request = settle({"prompt": "just a flute", "bpm": BPM, "bars": 2, "seed": 1}, Melody(TUNE, 8)).request
    take = SketchEngine().generate(request, 1)
    assert take.facts["instruments"].keys() == {"lead"}
    assert likeness("just a flute", Melody(TUNE, 8), TUNE) > 0.75


def test_the_loop_begins_with_the_first_bar_of_the_melody() -> None:
    """Not a bar earlier or later, however alike the music is there."""
    bar = 4 * 60 / 140
    for seed in range(6):
        asked = {"prompt": "rock", "bpm": 140, "bars": 3, "seed": seed, "chords": "Am F G"}
        (loop,) = generate(settle(asked).request)
        assert loop.recipe["grid"]["loop_start"] == pytest.approx(bar, abs=1e-3)


def test_a_recording_brings_its_chroma_and_the_others_do_not(tmp_path: Path) -> None:
    for kind in ("notes", "mid"):
        assert read_melody(written(tmp_path, kind)).heard == ""
    melody = read_melody(written(tmp_path, "wav"))
    seconds = 8 * 60 / float(BPM)
    assert len(melody.heard) == round(seconds / SLICE_SECONDS)
    middles = [int((note.start + 0.6 * note.duration) / 8 * len(melody.heard)) for note in TUNE]
    assert [int(melody.heard[k], 12) for k in middles] == [note.pitch % 12 for note in TUNE]


def test_the_chroma_goes_where_the_request_goes(tmp_path: Path) -> None:
    melody = read_melody(written(tmp_path, "wav"))
    assert pickle.loads(pickle.dumps(melody)) == melody
    assert json.loads(json.dumps(melody.heard)) == melody.heard
    assert len(melody.heard) < 200, "small enough for a recipe"
    assert Melody(melody.notes, melody.length) != melody
    assert {melody, Melody(melody.notes, melody.length, melody.heard)} == {melody}
    with pytest.raises(InvalidRequest, match=r"melody heard: .* digits in base 12"):
        Melody((), 4, "0123C")


def test_what_is_no_melody_is_taken_out_first_where_that_is_asked_for(tmp_path: Path) -> None:
    clip = sung(TUNE, saw, BPM)
    low = sung([Note(note.start, 35, note.duration) for note in TUNE], saw, BPM)
    path = tmp_path / f"with bass {BPM} bpm.wav"
    soundfile.write(path, 0.2 * clip.samples + 0.8 * low.samples, RATE)
    asked: list[int] = []

    def separate(audio: Audio) -> Audio:
        asked.append(audio.frames)
        return audio.with_samples(audio.samples - 0.8 * low.samples[: audio.frames])

    with_bass, without = read_melody(path), read_melody(path, separate=separate)
    assert asked == [clip.frames]
    assert agreement(without, TUNE) >= 0.9 > 0.5 > agreement(with_bass, TUNE)
    assert without.heard != with_bass.heard
    assert read_melody("A4 C5", separate=separate).length == 2
    assert len(asked) == 1
