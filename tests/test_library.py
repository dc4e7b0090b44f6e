import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from loopgen.errors import InvalidRequest, OutputUnwritable
from loopgen.files import write_whole
from loopgen.library import check_writable, keep, recall, slug
from loopgen.music.tempo import Meter
from loopgen.wav import chunks
from tests.loops import pulse_loop

LOOP = pulse_loop()


def test_a_loop_in_a_folder_names_itself(tmp_path: Path) -> None:
    kept = keep(LOOP, tmp_path)
    assert re.fullmatch(r"loopgen_127\.9bpm_Am_4bars_dub-techno_[0-9a-f]{4}\.wav", kept.path.name)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([kept.path.name, kept.sidecar.name])
    assert json.loads(kept.sidecar.read_text("utf-8"))["seed"] == 7


@pytest.mark.parametrize(
    ("name", "file_format", "subtype"),
    [("a.wav", None, "PCM_24"), ("a.wav", "float", "FLOAT"), ("a.flac", None, "PCM_24")],
)
def test_formats(tmp_path: Path, name: str, file_format: str | None, subtype: str) -> None:
    kept = keep(LOOP, tmp_path / name, file_format=file_format)
    with soundfile.SoundFile(str(kept.path)) as file:
        assert (file.subtype, file.frames, file.title) == (subtype, LOOP.audio.frames, LOOP.request.prompt)
        assert np.max(np.abs(file.read() - LOOP.audio.samples)) <= 2**-24


def test_the_same_loop_keeps_its_place_and_another_gets_its_own(tmp_path: Path) -> None:
    first = keep(LOOP, tmp_path)
    assert keep(LOOP, tmp_path).path == first.path
    first.path.write_bytes(b"somebody's own file")
    second = keep(LOOP, tmp_path)
    assert second.path != first.path
    assert first.path.read_bytes() == b"somebody's own file"


def test_variations_number_an_explicit_name(tmp_path: Path) -> None:
    assert keep(LOOP, tmp_path / "loop.wav", number=2).path.name == "loop-2.wav"


@pytest.mark.parametrize(
    ("name", "file_format"), [("a.mp3", None), ("a.wav", "flac"), ("a.flac", "float"), ("x", "aiff")]
)
def test_other_formats_are_refused(tmp_path: Path, name: str, file_format: str | None) -> None:
    with pytest.raises(InvalidRequest):
        keep(LOOP, tmp_path / name, file_format=file_format)
    assert not list(tmp_path.iterdir())


def test_names_never_leave_the_folder(tmp_path: Path) -> None:
    for prompt in ("../../etc/passwd", "/abs", "C:\\x", "con. ", "日本語", "a" * 500):
        kept = keep(pulse_loop(prompt), tmp_path)
        assert kept.path.parent == tmp_path
        assert len(kept.path.name) < 100
        assert kept.path.name.isascii()
    assert slug("日本語") == ""


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    script = f"""
import resource, signal, sys
from pathlib import Path
from loopgen.errors import OutputUnwritable
from loopgen.library import keep
from tests.loops import pulse_loop
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
try:
    keep(pulse_loop(), Path({str(tmp_path)!r}))
except OutputUnwritable as error:
    print(error)
    sys.exit(2)
"""
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 2, done.stderr
    assert "cannot be written" in done.stdout
    assert not list(tmp_path.iterdir())


def test_where_nothing_can_be_written_is_known_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for target in (tmp_path / "file" / "loop.wav", tmp_path / "file" / "folder"):
        with pytest.raises(OutputUnwritable, match="cannot be written"):
            check_writable(target)
    check_writable(tmp_path / "made" / "on" / "demand")
    assert not list((tmp_path / "made" / "on" / "demand").iterdir())


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputUnwritable, match="permission"):
        check_writable(tmp_path / "loop.wav")
    tmp_path.chmod(0o700)


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "loop.wav"
    path.write_bytes(b"old")

    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole({path: b"new"})
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_loop_is_recalled_from_sidecar_then_tags_then_name(tmp_path: Path) -> None:
    kept = keep(LOOP, tmp_path / "loop.wav")
    known = recall(kept.path)
    assert (known.bpm, known.bars, known.meter, str(known.key)) == (LOOP.request.bpm, 4, Meter(), "Am")
    kept.sidecar.unlink()
    known = recall(kept.path)
    assert known.bpm is not None
    assert (round(float(known.bpm), 3), known.bars) == (127.9, 4)
    plain = tmp_path / "Groove_92.5bpm_Ebm_2bars.flac"
    soundfile.write(plain, LOOP.audio.samples, LOOP.audio.rate)
    known = recall(plain)
    assert (float(known.bpm or 0), known.bars, str(known.key)) == (92.5, 2, "Ebm")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"request": 3}', '{"request": {"bpm": "x", "bars": 4}}', "\x00\xff"])
def test_a_broken_sidecar_is_passed_over(tmp_path: Path, text: str) -> None:
    kept = keep(LOOP, tmp_path / "loop.wav")
    kept.sidecar.write_bytes(text.encode("latin-1"))
    assert round(float(recall(kept.path).bpm or 0), 3) == 127.9


def test_the_order_of_chunks_on_disk(tmp_path: Path) -> None:
    data = keep(LOOP, tmp_path).path.read_bytes()
    assert [name for name, _ in chunks(data)] == ["fmt ", "acid", "smpl", "LIST", "data", "lgrc"]


def test_somebodys_own_json_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"name": "mine"}')
    with pytest.raises(OutputUnwritable, match=r"package\.json"):
        check_writable(tmp_path / "package.wav")
    with pytest.raises(OutputUnwritable, match=r"package\.json"):
        keep(LOOP, tmp_path / "package.wav")
    assert [path.name for path in tmp_path.iterdir()] == ["package.json"]


def test_a_sidecar_is_of_one_file_only(tmp_path: Path) -> None:
    keep(LOOP, tmp_path / "loop.wav")
    with pytest.raises(OutputUnwritable, match=r"belongs to loop\.wav"):
        keep(LOOP, tmp_path / "loop.flac")
    soundfile.write(tmp_path / "loop.flac", LOOP.audio.samples, LOOP.audio.rate)
    assert recall(tmp_path / "loop.flac").bpm is None
    keep(LOOP, tmp_path / "loop.wav")


def test_the_meter_is_read_from_a_name(tmp_path: Path) -> None:
    plain = tmp_path / "loopgen_127.9bpm_Am_3bars_7-8_house_0a1b.flac"
    soundfile.write(plain, LOOP.audio.samples, LOOP.audio.rate)
    known = recall(plain)
    assert (known.bars, known.meter) == (3, Meter(7, 8))
