from pathlib import Path

import mido
import pytest

from loopgen.errors import AudioUnreadable, InvalidRequest, LoopgenError
from loopgen.midi import read_melody, read_midi


def midi_file(path: Path, *, ticks: int = 480, channel: int = 0) -> Path:
    file = mido.MidiFile(ticks_per_beat=ticks)
    track = mido.MidiTrack()
    file.tracks.append(track)
    track.append(mido.MetaMessage("set_tempo", tempo=1_000_000))
    for pitch in (60, 64, 67):
        track.append(mido.Message("note_on", note=pitch, velocity=90, channel=channel, time=0))
        track.append(mido.Message("note_on", note=pitch, velocity=0, channel=channel, time=ticks // 2))
    file.save(path)
    return path


def test_a_midi_file_gives_notes_in_quarters_whatever_its_tempo(tmp_path: Path) -> None:
    for ticks in (96, 480):
        melody = read_midi(midi_file(tmp_path / "a.mid", ticks=ticks))
        assert [(n.start, n.pitch, n.duration, n.velocity) for n in melody.notes] == [
            (0, 60, 0.5, 90),
            (0.5, 64, 0.5, 90),
            (1, 67, 0.5, 90),
        ]
        assert melody.length == 2


def test_overlapping_notes_of_one_pitch_end_where_the_next_begins(tmp_path: Path) -> None:
    file = mido.MidiFile(ticks_per_beat=100)
    track = mido.MidiTrack()
    file.tracks.append(track)
    for time in (0, 50):
        track.append(mido.Message("note_on", note=60, velocity=64, time=time))
    track.append(mido.Message("note_off", note=60, time=50))
    file.save(tmp_path / "a.mid")
    assert [(n.start, n.duration) for n in read_midi(tmp_path / "a.mid").notes] == [(0, 0.5), (0.5, 0.5)]


def test_broken_files_are_said_to_be_so(tmp_path: Path) -> None:
    whole = midi_file(tmp_path / "a.mid").read_bytes()
    smpte = whole[:12] + b"\xe7\x28" + whole[14:]
    drums = midi_file(tmp_path / "drums.mid", channel=9).read_bytes()
    cases = {"half": whole[: len(whole) // 2], "text": b"not midi at all" * 9, "empty": b"", "smpte": smpte, "d": drums}
    for name, data in cases.items():
        path = tmp_path / f"{name}.mid"
        path.write_bytes(data)
        with pytest.raises(AudioUnreadable) as caught:
            read_midi(path)
        assert str(path) in str(caught.value)
    with pytest.raises(AudioUnreadable, match="does not exist"):
        read_melody(str(tmp_path / "missing.mid"))


@pytest.mark.parametrize("cut", range(1, 90, 4))
def test_no_damage_escapes_as_another_error(tmp_path: Path, cut: int) -> None:
    data = bytearray(midi_file(tmp_path / "a.mid").read_bytes())
    data[cut % len(data)] ^= 0xFF
    (tmp_path / "a.mid").write_bytes(data)
    try:
        assert read_midi(tmp_path / "a.mid").notes
    except LoopgenError as error:
        assert "a.mid" in str(error)


@pytest.mark.parametrize("text", ["", "H4", "A4 what", "A4:0", "r r"])
def test_notes_that_cannot_be_read(text: str) -> None:
    with pytest.raises(InvalidRequest):
        read_melody(text)
