import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loopgen.errors import OutputUnwritable
from loopgen.files import check_folder, make_folder, process_is_alive, sweep, sweep_after_the_dead, write_whole

DYING = """
import os, sys
from pathlib import Path
from loopgen.files import write_whole
folder, steps = Path(sys.argv[1]), int(sys.argv[2])
left = steps
def dying(function):
    def call(*given, **named):
        global left
        if not left:
            os._exit(9)
        left -= 1
        return function(*given, **named)
    return call
os.fsync, Path.replace = dying(os.fsync), dying(Path.replace)
write_whole({folder / "loop.json": b"{}", folder / "loop.wav": b"sound"})
"""


@pytest.mark.parametrize("steps", range(5))
def test_what_a_process_left_when_it_died_at_any_step_is_swept(tmp_path: Path, steps: int) -> None:
    own = {"other.json": "mine", ".loop.wav.1-00000000-1.tmp": "another process writes it", ".hidden.tmp": "mine"}
    for name, text in own.items():
        (tmp_path / name).write_text(text)
    worker = subprocess.Popen(
        [sys.executable, "-c", DYING, str(tmp_path), str(steps)], cwd=Path(__file__).parent.parent
    )
    assert worker.wait(60) == (9 if steps < 4 else 0)
    assert len(list(tmp_path.iterdir())) > len(own)
    removed = sweep(tmp_path, worker.pid)
    left = {path.name for path in tmp_path.iterdir()} - own.keys()
    assert left == ({"loop.json", "loop.wav"} if steps == 4 else set())
    assert bool(removed) == (steps < 4)
    assert own.items() == {name: (tmp_path / name).read_text() for name in own}.items()


def test_a_sidecar_that_was_there_before_is_not_swept(tmp_path: Path) -> None:
    (tmp_path / "loop.json").write_text("of a loop that was moved away")
    worker = subprocess.Popen([sys.executable, "-c", DYING, str(tmp_path), "1"], cwd=Path(__file__).parent.parent)
    assert worker.wait(60) == 9
    assert len(sweep(tmp_path, worker.pid)) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["loop.json"]


def test_sweeping_what_is_no_folder_finds_nothing(tmp_path: Path) -> None:
    assert sweep(tmp_path / "gone", 1) == []


def test_what_dead_processes_left_is_swept_and_the_files_of_living_ones_stay(tmp_path: Path) -> None:
    folders = [tmp_path, tmp_path / "set", tmp_path / "set" / "deeper"]
    folders[-1].mkdir(parents=True)
    root = Path(__file__).parent.parent
    dead = []
    for folder in folders:  # the sidecar has its name, the audio not yet
        worker = subprocess.Popen([sys.executable, "-c", DYING, str(folder), "3"], cwd=root)
        assert worker.wait(60) == 9
        dead.append(worker.pid)
    assert not any(map(process_is_alive, dead))
    alive = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert process_is_alive(alive.pid)
        kept = {f".loop.wav.{alive.pid}-00000000-1.tmp", f".loop.wav.{os.getpid()}-00000000-1.tmp", "mine.tmp",
                f".loop.wav.{dead[0]}.tmp", f"loop.wav.{dead[0]}-00000000-1.tmp"}  # fmt: skip
        swept = {f".loop.wav.{10**30}-00000000-0.tmp", f".loop.wav.{dead[0]}-12345678-0.tmp"}
        for name in kept | swept:
            (tmp_path / name).write_text("sound")
        removed = sweep_after_the_dead(tmp_path)
    finally:
        alive.communicate(b"\n", timeout=60)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == kept
    assert list(folders[1].iterdir()) == [folders[2]]
    assert len(list(folders[2].iterdir())) == 2  # only folders of the first level are the server's own
    assert len(removed) == len(swept) + 4
    assert sweep_after_the_dead(tmp_path / "gone") == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only their parent knows")
def test_a_process_whose_status_nobody_asked_for_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"], stdout=subprocess.PIPE)
    assert child.stdout
    assert child.stdout.read() == b""
    end = time.monotonic() + 60
    while process_is_alive(child.pid) and time.monotonic() < end:
        time.sleep(0.01)
    assert child.returncode is None  # not asked for yet
    assert not process_is_alive(child.pid)
    child.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_links_to_other_folders_are_not_swept(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "output").mkdir()
    left = tmp_path / "elsewhere" / f".loop.wav.{10**30}-00000000-0.tmp"
    left.touch()
    (tmp_path / "output" / "link").symlink_to(tmp_path / "elsewhere")
    assert sweep_after_the_dead(tmp_path / "output") == []
    assert left.exists()


def test_a_folder_is_made_on_demand_and_a_file_in_its_way_is_said(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a" / "b").is_dir()
    check_folder(tmp_path / "a" / "c")
    assert list((tmp_path / "a" / "c").iterdir()) == []
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputUnwritable, match="in the way"):
        make_folder(tmp_path / "file")
    with pytest.raises(OutputUnwritable, match="cannot be written"):
        write_whole({tmp_path / "nowhere" / "x": b""})


def test_a_file_that_holds_its_bytes_already_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sidecar, audio = tmp_path / "loop.json", tmp_path / "loop.wav"
    write_whole({sidecar: b"old", audio: b"sound"})
    replace = Path.replace

    def refused(path: Path, target: Path) -> Path:
        if target == audio:
            raise PermissionError(13, "a program has it open")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", refused)
    write_whole({sidecar: b"new", audio: b"sound"})
    assert (sidecar.read_bytes(), audio.read_bytes()) == (b"new", b"sound")
    write_whole({sidecar: b"new", audio: b"sound"})
    with pytest.raises(OutputUnwritable, match="permission"):
        write_whole({sidecar: b"newer", audio: b"other"})
    assert {path.name for path in tmp_path.iterdir()} == {"loop.json", "loop.wav"}


def test_long_names_fit(tmp_path: Path) -> None:
    path = tmp_path / ("ä" * 110 + ".wav")
    try:
        path.touch()
    except OSError:
        pytest.skip("this file system has shorter names")
    write_whole({path: b"sound"})
    assert path.read_bytes() == b"sound"
    assert list(tmp_path.iterdir()) == [path]
