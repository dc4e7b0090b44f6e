"""The bytes of a loop's WAV, against the published layouts and against libsndfile."""

import ctypes
import io
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from loopgen.music.audio import Audio
from loopgen.music.key import Key
from loopgen.music.tempo import Meter
from loopgen.wav import LoopTags, chunks, read_acid, wav_bytes

RNG = np.random.default_rng(5)
AUDIO = Audio(RNG.uniform(-0.9, 0.9, (44_101, 2)), 44_100)
TAGS = LoopTags(Fraction("127.9"), 4, Meter(), Key.parse("Am"), {"INAM": "dub techno", "ISFT": "loopgen"})


@pytest.mark.parametrize(("bits", "subtype"), [(16, "PCM_16"), (24, "PCM_24"), (32, "FLOAT")])
def test_libsndfile_reads_the_samples_back(bits: int, subtype: str) -> None:
    with soundfile.SoundFile(io.BytesIO(wav_bytes(AUDIO, TAGS, bits=bits))) as file:
        assert (file.samplerate, file.channels, file.frames, file.subtype) == (44_100, 2, 44_101, subtype)
        assert file.title == "dub techno"
        samples = file.read(dtype="float64")
    step = 0 if bits == 32 else 0.5 / 2 ** (bits - 1)
    assert np.max(np.abs(samples - AUDIO.samples)) <= step + 1e-12


def test_chunks_come_in_the_order_that_daws_want() -> None:
    data = wav_bytes(AUDIO, TAGS)
    assert [name for name, _ in chunks(data)] == ["fmt ", "acid", "smpl", "LIST", "data"]
    assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8


def test_acid_is_written_to_the_byte() -> None:
    acid = dict(chunks(wav_bytes(AUDIO, TAGS)))["acid"]
    assert acid.hex() == "06000000450000800000000010000000040004" + "00" + struct.pack("<f", 127.9).hex()


def test_smpl_loops_the_whole_file_with_an_inclusive_end() -> None:
    smpl = dict(chunks(wav_bytes(AUDIO, TAGS)))["smpl"]
    values = struct.unpack("<15I", smpl)
    assert values[2:4] == (22_676, 69)
    assert values[7:] == (1, 0, 0, 0, 0, 44_100, 0, 0)


def test_libsndfile_reads_the_acid_chunk(tmp_path: Path) -> None:
    path = tmp_path / "loop.wav"
    path.write_bytes(wav_bytes(AUDIO, TAGS))

    class LoopInfo(ctypes.Structure):
        _fields_ = (
            ("numerator", ctypes.c_short),
            ("denominator", ctypes.c_short),
            ("loop_mode", ctypes.c_int),
            ("beats", ctypes.c_int),
            ("bpm", ctypes.c_float),
            ("root", ctypes.c_int),
            ("future", ctypes.c_int * 6),
        )

    get_loop_info = 0x10E0
    info = LoopInfo()
    with soundfile.SoundFile(str(path)) as file:
        library = soundfile._snd
        size = ctypes.sizeof(info)
        pointer = soundfile._ffi.cast("void*", ctypes.addressof(info))
        assert library.sf_command(file._file, get_loop_info, pointer, size)
    assert (info.beats, info.root, info.numerator, info.denominator) == (16, 69, 4, 4)
    assert info.bpm == pytest.approx(127.9, abs=1e-4)


def test_acid_reads_back_and_is_left_out_where_it_could_only_be_wrong(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole.wav", tmp_path / "half.wav"
    whole.write_bytes(wav_bytes(AUDIO, LoopTags(Fraction(90), 2, Meter(7, 8))))
    broken.write_bytes(wav_bytes(AUDIO, LoopTags(Fraction(90), 1, Meter(7, 8))))
    assert read_acid(whole) == (7, 90.0, Meter(7, 8))
    assert read_acid(broken) is None


def test_odd_sizes_are_padded_and_full_scale_is_clipped_not_wrapped() -> None:
    loud = Audio(np.array([1.5, -1.5, 1.0]), 8_000)
    data = wav_bytes(loud, TAGS)
    assert len(data) % 2 == 0
    samples, _ = soundfile.read(io.BytesIO(data), dtype="int32")
    assert (samples >> 8).tolist() == [2**23 - 1, -(2**23), 2**23 - 1]
