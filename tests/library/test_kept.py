"""A loop, its sidecar and its take onto the disk: killed at every stage, on a full disk, by two writers."""

from __future__ import annotations

import pickle
import shutil
import signal
import sys
from pathlib import Path

import pytest

from loopgen import library, studio
from loopgen.audiofile import read_audio
from loopgen.files import sweep_after_the_dead
from loopgen.library.index import Library
from loopgen.library.recall import recall
from loopgen.library.takes import find_take
from loopgen.music.loop import Loop
from loopgen.music.request import LoopRequest
from loopgen.wav import digest
from tests.library.support import COUNTED, finished, python

posix = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL and limits of files' sizes are POSIX")

_KEEP = f"""
import os, pickle, sys
from pathlib import Path
from loopgen import library
made, target, point = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
loop = pickle.loads(made.read_bytes())
{COUNTED}
for holder, name in ((Path, "mkdir"), (Path, "open"), (os, "fsync"), (Path, "replace"), (Path, "unlink")):
    setattr(holder, name, counted(getattr(holder, name)))
library.keep(loop, target)
"""


def made(seed: int) -> Loop:
    """A loop with its take."""
    (loop,) = studio.generate(LoopRequest("house, warm", "124", 1, seed=seed))
    return loop


def check(path: Path, *those: Loop) -> Loop:
    """A loop on disk is whole, and what is said of it is said of it: one of ``those``, which is returned."""
    sound = digest(read_audio(path), 24)
    (loop,) = (one for one in those if digest(one.audio, 24) == sound)
    assert recall(path).recipe["seed"] == loop.recipe["seed"]
    take = find_take(path).take
    assert take is not None and loop.take is not None
    assert (take.audio.samples == loop.take.audio.in_24_bits().samples).all()
    return loop


@posix
@pytest.mark.parametrize("name", ["", "mine.wav", "mine.flac"])
def test_killed_at_every_stage_of_saving_nothing_kept_is_lost(tmp_path: Path, name: str) -> None:
    first, second = made(1), made(2)
    origin, pickled = tmp_path / "origin", tmp_path / "loop.pickle"
    origin.mkdir()
    kept = library.keep(first, origin / name if name else origin)
    with Library(origin) as index:
        index.refresh()
        one = index.mark(index.find()[0].id, add=["rain"], rating=5)
    pickled.write_bytes(pickle.dumps(second))
    for point in range(60):
        folder = tmp_path / f"killed{point}"
        shutil.copytree(origin, folder)
        process = python(_KEEP, pickled, folder / name if name else folder, point)
        _, told = process.communicate(timeout=120)
        assert process.returncode in (0, -signal.SIGKILL), told
        is_done = process.returncode == 0
        sweep_after_the_dead(folder)
        assert not [path for path in folder.rglob("*.tmp") if ".loopgen" not in path.parts]
        there = {path: check(path, first, second) for path in folder.iterdir() if path.suffix in (".wav", ".flac")}
        assert first in there.values() or (name and second in there.values())
        assert len(there) == 1 if name else len(there) <= 2
        assert all(path.with_suffix(".json").is_file() for path in there)
        assert {path.stem for path in folder.glob("*.json")} == {path.stem for path in there}
        assert find_take(folder / "takes" / kept.take.name).take if kept.take else None  # nor is a take ever lost
        with Library(folder) as index:
            assert not index.refresh().problems
            assert index.count() == len(there)
            if first in there.values():
                again = index.get(one.id)
                assert (again.tags, again.rating, again.has_take) == (("rain",), 5, True)
        assert check(library.keep(second, folder / name if name else folder).path, second) is second
        if is_done:
            assert point >= 9  # three files: each opened, flushed and renamed
            return
    raise AssertionError("no end was reached")


_FULL = """
import pickle, resource, signal, sys
from pathlib import Path
from loopgen import library
from loopgen.errors import OutputUnwritable
loop = pickle.loads(Path(sys.argv[1]).read_bytes())
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
try:
    library.keep(loop, Path(sys.argv[2]))
    print("kept")
except OutputUnwritable as error:
    print(error)
"""


@posix
def test_on_a_full_disk_a_loop_is_kept_with_all_that_is_its_own_or_nothing_is_written(tmp_path: Path) -> None:
    first, second = made(1), made(2)
    folder, pickled = tmp_path / "loops", tmp_path / "loop.pickle"
    folder.mkdir()
    kept = library.keep(first, folder)
    pickled.write_bytes(pickle.dumps(second))
    assert kept.take is not None
    sizes = {path.stat().st_size for path in (kept.path, kept.sidecar, kept.take)}
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for limit in (1, *(size // 2 for size in sizes)):
        told = finished(python(_FULL, pickled, folder, limit))
        assert "cannot be written" in told and "give another folder" in told
        assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert finished(python(_FULL, pickled, folder, 10**9)) == "kept\n"


def test_two_writers_of_one_sound_and_of_two_keep_what_each_has_made(tmp_path: Path) -> None:
    first, second = made(1), made(2)
    writers = []
    for number, loop in enumerate((first, second, first, second)):
        pickled = tmp_path / f"{number}.pickle"
        pickled.write_bytes(pickle.dumps(loop))
        folder = tmp_path / "loops"
        folder.mkdir(exist_ok=True)
        writers.append(python(_KEEP, pickled, folder, -1))
    for writer in writers:
        finished(writer)
    found = [check(path, first, second) for path in folder.glob("*.wav")]
    assert first in found and second in found
    assert len(list((folder / "takes").iterdir())) == 2
    assert {path.stem for path in folder.glob("*.json")} == {path.stem for path in folder.glob("*.wav")}
