from pathlib import Path

import numpy as np
import pytest
import soundfile

from loopgen.audiofile import read_audio
from loopgen.errors import AudioUnreadable

FORMATS = [
    ("wav", "PCM_16"),
    ("wav", "FLOAT"),
    ("flac", "PCM_24"),
    ("ogg", "VORBIS"),
    ("mp3", "MPEG_LAYER_III"),
    ("aiff", "PCM_24"),
]


def recording(path: Path, subtype: str, rate: int = 44_100, seconds: float = 1.5) -> np.ndarray:
    t = np.arange(int(rate * seconds)) / rate
    samples = 0.4 * np.stack([np.sin(2 * np.pi * 440 * t), np.sin(2 * np.pi * 660 * t)], 1)
    soundfile.write(path, samples, rate, subtype=subtype)
    return samples


@pytest.mark.parametrize(("suffix", "subtype"), FORMATS)
def test_every_format_is_read(tmp_path: Path, suffix: str, subtype: str) -> None:
    path = tmp_path / f"take.{suffix}"
    samples = recording(path, subtype)
    audio = read_audio(path)
    assert (audio.rate, audio.channels) == (44_100, 2)
    assert abs(audio.frames - len(samples)) < 3_000  # MP3 pads
    assert float(np.sqrt(np.mean(audio.samples**2))) == pytest.approx(0.4 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize("rate", [8_000, 11_025, 96_000, 192_000])
def test_rates_from_8_to_192_khz_and_mono(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(rate), rate)
    audio = read_audio(tmp_path / "a.wav")
    assert (audio.rate, audio.channels, audio.seconds) == (rate, 1, 1.0)


@pytest.mark.parametrize(("suffix", "subtype"), [pair for pair in FORMATS if pair[0] != "mp3"])
@pytest.mark.parametrize("share", [0.6, 0.98])
def test_a_truncated_file_is_recognised(tmp_path: Path, suffix: str, subtype: str, share: float) -> None:
    path = tmp_path / f"take.{suffix}"
    recording(path, subtype, seconds=4)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(AudioUnreadable) as caught:
        read_audio(path)
    assert str(path) in str(caught.value)


def test_what_is_no_audio_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("this is no audio, whatever its name says\n" * 50)
    (tmp_path / "empty.wav").touch()
    soundfile.write(tmp_path / "silent.wav", np.zeros((0, 2)), 44_100)
    soundfile.write(tmp_path / "nan.wav", np.array([0, np.nan, 0]), 44_100, subtype="FLOAT")
    for name, words in {
        "text.wav": "no audio",
        "empty.wav": "is empty",
        "silent.wav": "no samples",
        "nan.wav": "NaN",
        "missing.wav": "does not exist",
        ".": "is a folder",
    }.items():
        with pytest.raises(AudioUnreadable, match=words):
            read_audio(tmp_path / name)


def test_a_rate_out_of_range_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "slow.wav", np.zeros(4_000), 4_000)
    with pytest.raises(AudioUnreadable, match="8000 to 192000"):
        read_audio(tmp_path / "slow.wav")
