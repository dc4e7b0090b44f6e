"""What a card draws."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import soundfile

from loopgen.page.waveform import COLUMNS, Peaks, peaks


def test_peaks_are_the_lowest_and_highest_of_each_slice() -> None:
    samples = np.random.default_rng(1).uniform(-1, 1, (COLUMNS * 50, 2)).astype(np.float32)
    found = np.frombuffer(peaks(samples), np.int8).reshape(COLUMNS, 2)
    slices = samples.reshape(COLUMNS, -1)
    assert np.array_equal(found[:, 0], np.round(slices.min(1) * 127))
    assert np.array_equal(found[:, 1], np.round(slices.max(1) * 127))


def test_what_is_louder_than_full_scale_is_drawn_to_the_edge() -> None:
    found = np.frombuffer(peaks(np.array([[3.0], [-3.0]] * COLUMNS, np.float32)), np.int8)
    assert (found.min(), found.max()) == (-127, 127)


def test_they_are_kept_and_a_file_that_cannot_be_read_has_none(tmp_path: Path) -> None:
    good, bad = tmp_path / "a.wav", tmp_path / "b.wav"
    soundfile.write(good, np.full((4410, 1), 0.5), 44_100)
    bad.write_bytes(b"RIFF")
    known = Peaks(tmp_path / "cache" / "waveforms.db")
    first = known.find([("1" * 24, good), ("2" * 24, bad)])
    known.close()
    good.unlink()
    again = Peaks(tmp_path / "cache" / "waveforms.db").find([("1" * 24, good)])
    assert first["2" * 24] is None
    assert again["1" * 24] == first["1" * 24]
    assert len(base64.b64decode(again["1" * 24] or "")) == 2 * COLUMNS


def test_without_a_place_to_keep_them_they_are_computed(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.full((4410, 1), 0.5), 44_100)
    (tmp_path / "file").write_text("no folder")
    for database in (None, tmp_path / "file" / "waveforms.db"):
        assert Peaks(database).find([("1" * 24, tmp_path / "a.wav")])["1" * 24]
