from pathlib import Path

import mido
import pytest

from loopgen.errors import AudioUnreadable, InvalidRequest, LoopgenError
from loopgen.midi import BYTES_MAX, NOTES_MAX, QUARTERS_MAX, read_midi, read_notes


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


@pytest.mark.parametrize(("rest", "length"), [(0, 2), (240, 2), (241, 3), (3 * 480, 5), (2**28 - 1, QUARTERS_MAX)])
def test_a_clip_may_end_in_a_rest(tmp_path: Path, rest: int, length: int) -> None:
    midi_file(tmp_path / "a.mid")
    file = mido.MidiFile(tmp_path / "a.mid")
    file.tracks[0][-1].time = rest
    file.tracks.append(mido.MidiTrack([mido.MetaMessage("end_of_track", time=480 * 999)]))  # of the tempo, not the clip
    file.save(tmp_path / "a.mid")
    assert read_midi(tmp_path / "a.mid").length == length


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
        read_midi(tmp_path / "missing.mid")


def track_file(path: Path, *events: bytes, ticks: int = 480) -> Path:
    """A MIDI file of one track, written byte by byte: what mido would not write."""
    track = b"".join(events) + b"\x00\xff\x2f\x00"
    head = b"MThd" + (6).to_bytes(4) + (0).to_bytes(2) + (1).to_bytes(2) + ticks.to_bytes(2)
    path.write_bytes(head + b"MTrk" + len(track).to_bytes(4) + track)
    return path


NOTE = b"\x00\x90\x3c\x40" + b"\x83\x60\x80\x3c\x00"  # C4 for 480 ticks


def test_what_mido_raises_is_said_in_words(tmp_path: Path) -> None:
    assert len(read_midi(track_file(tmp_path / "good.mid", NOTE)).notes) == 1
    bad_key = b"\x00\xff\x59\x02\x63\x07"  # 99 sharps: mido's KeySignatureError
    with pytest.raises(mido.KeySignatureError):
        mido.MidiFile(track_file(tmp_path / "key.mid", bad_key, NOTE))
    with pytest.raises(AudioUnreadable, match=r"key\.mid is no MIDI file that can be read"):
        read_midi(tmp_path / "key.mid")
    bad_byte = b"\x00\x90\x3c\xc0"  # a velocity above 127: mido's OSError
    with pytest.raises(OSError, match="data byte"):
        mido.MidiFile(track_file(tmp_path / "byte.mid", bad_byte))
    with pytest.raises(AudioUnreadable, match=r"byte\.mid is no MIDI file that can be read"):
        read_midi(tmp_path / "byte.mid")
    whole = track_file(tmp_path / "cut.mid", NOTE * 3).read_bytes()
    (tmp_path / "cut.mid").write_bytes(whole[:-9])
    with pytest.raises(EOFError):
        mido.MidiFile(tmp_path / "cut.mid")
    with pytest.raises(AudioUnreadable, match=r"cut\.mid is no MIDI file that can be read \(truncated\)"):
        read_midi(tmp_path / "cut.mid")
    with pytest.raises(AudioUnreadable, match="SMPTE"):
        read_midi(track_file(tmp_path / "smpte.mid", NOTE, ticks=0xE728))  # 25 frames a second
    with pytest.raises(AudioUnreadable, match="SMPTE"):
        read_midi(track_file(tmp_path / "zero.mid", NOTE, ticks=0))


@pytest.mark.parametrize("title", ["Frühling".encode(), "Frühling".encode("latin-1"), b"\xff\xfe\x00", b"\x80"])
def test_text_in_any_encoding_does_no_harm(tmp_path: Path, title: bytes) -> None:
    named = b"\x00\xff\x03" + bytes([len(title)]) + title
    assert [note.pitch for note in read_midi(track_file(tmp_path / "a.mid", named, NOTE)).notes] == [60]


def test_size_and_number_of_notes_are_capped(tmp_path: Path) -> None:
    assert len(read_midi(track_file(tmp_path / "most.mid", NOTE * NOTES_MAX)).notes) == NOTES_MAX
    with pytest.raises(AudioUnreadable, match=r"many\.mid has more than 20000 notes"):
        read_midi(track_file(tmp_path / "many.mid", NOTE * (NOTES_MAX + 1)))
    (tmp_path / "big.mid").write_bytes(b"MThd" + bytes(BYTES_MAX))
    with pytest.raises(AudioUnreadable, match=r"big\.mid has more than 4 MB"):
        read_midi(tmp_path / "big.mid")


def test_notes_after_the_end_of_all_music_are_refused(tmp_path: Path) -> None:
    late = b"\xff\xff\xff\x7f\x90\x3c\x40" + NOTE[4:]
    with pytest.raises(AudioUnreadable, match=r"late\.mid holds a note that cannot be used"):
        read_midi(track_file(tmp_path / "late.mid", late, ticks=1))


def test_a_folder_is_no_midi_file(tmp_path: Path) -> None:
    (tmp_path / "folder.mid").mkdir()
    with pytest.raises(AudioUnreadable, match=r"folder\.mid"):
        read_midi(tmp_path / "folder.mid")


@pytest.mark.parametrize("cut", range(1, 90, 4))
def test_no_damage_escapes_as_another_error(tmp_path: Path, cut: int) -> None:
    data = bytearray(midi_file(tmp_path / "a.mid").read_bytes())
    data[cut % len(data)] ^= 0xFF
    (tmp_path / "a.mid").write_bytes(data)
    try:
        assert read_midi(tmp_path / "a.mid").notes
    except LoopgenError as error:
        assert "a.mid" in str(error)


@pytest.mark.parametrize("text", ["", "H4", "A4 what", "A4:0", "r r", "A9", "C4:9999999", "A " * (NOTES_MAX + 1)])
def test_notes_that_cannot_be_read(text: str) -> None:
    with pytest.raises(InvalidRequest):
        read_notes(text)
