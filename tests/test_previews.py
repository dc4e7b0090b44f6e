"""A take that is heard while it is drawn: the file is whole whenever it is looked at."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from loopgen import previews
from loopgen.music.audio import Audio
from loopgen.previews import PreviewFile


def piece(number: int) -> Audio:
    return Audio(np.full((8_000, 2), 0.1 * number, np.float32), 32_000)


def test_what_was_heard_stays_and_more_follows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "PERIOD_SECONDS", 0.0)
    told: list[float] = []
    preview = PreviewFile(tmp_path / "new folder" / "take.wav", told.append)
    for number in (1, 2, 3):
        preview.add(piece(number))
        samples, rate = soundfile.read(preview.path)
        assert (rate, samples.shape) == (32_000, (8_000 * number, 2))
        assert np.allclose(samples[-1], 0.1 * number, atol=1e-4)
        assert np.allclose(samples[0], 0.1, atol=1e-4)
    assert told == [0.25, 0.5, 0.75]
    assert [path.name for path in preview.path.parent.iterdir()] == ["take.wav"]


def test_it_is_written_now_and_then_and_whole_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "PERIOD_SECONDS", 3_600.0)
    told: list[float] = []
    preview = PreviewFile(tmp_path / "take.wav", told.append)
    for number in (1, 2, 3):
        preview.add(piece(number))
    assert told == [0.25]  # the first at once
    preview.write()
    preview.write()
    assert told == [0.25, 0.75]


def test_another_take_begins_anew(tmp_path: Path) -> None:
    preview = PreviewFile(tmp_path / "take.wav")
    preview.add(piece(1))
    preview.restart()
    preview.add(piece(2))
    preview.write()
    samples, _ = soundfile.read(preview.path)
    assert len(samples) == 8_000
    assert np.allclose(samples, 0.2, atol=1e-4)


def test_a_file_that_cannot_be_written_harms_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    told: list[float] = []
    preview = PreviewFile(tmp_path / "file" / "take.wav", told.append)
    preview.add(piece(1))
    preview.write()
    preview.remove()
    assert told == []
    assert (tmp_path / "file").read_text() == "in the way"
