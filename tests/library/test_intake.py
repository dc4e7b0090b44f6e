"""Loops taken in: by several processes, with tempos measured, past bad files, resumed after breaks."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from loopgen import intake
from loopgen.errors import InvalidRequest
from loopgen.library.find import Query
from loopgen.library.index import Library
from loopgen.library.reading import Reading, read_loop
from loopgen.music.tempo import format_bpm
from tests.library.support import clicks, finished, foreign, python, some_loops


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A foreign pack, more than one process is worth."""
    place = tmp_path / "pack"
    clicks(place / "drums" / "measured.wav", bpm=127.5, beats=16)
    clicks(place / "Kit_174_Am 01.wav", bpm=174, beats=16, seed=2)
    foreign(place / "pad_90bpm_Em.wav", seed=3)
    for number in range(24):
        foreign(place / "more" / f"{number}_100bpm.wav", seed=10 + number, seconds=0.5)
    (place / "notes.txt").write_text("not audio")
    (place / "bad.wav").write_bytes(b"RIFF nonsense")
    return place


@pytest.mark.parametrize("processes", [1, 2])
def test_a_foreign_folder_is_taken_in_as_it_is(tmp_path: Path, pack: Path, processes: int) -> None:
    before = snapshot(pack)
    seen: list[float] = []
    (tmp_path / "loops").mkdir()
    with Library(tmp_path / "loops") as library:
        changes = intake.add(
            library, [pack], processes=processes, progress=lambda fraction, name: seen.append(fraction)
        )
        assert changes.new == 27
        assert len(changes.problems) == 1
        assert "bad.wav" in changes.problems[0]
        assert (seen, seen[-1]) == (sorted(seen), 1.0)
        measured = library.resolve("measured")
        assert measured.bpm is not None
        assert abs(measured.bpm - 127.5) < 0.01 or format_bpm(2 * measured.bpm).startswith("127.5")
        assert measured.bars in (2, 4, 8)
        assert "was measured" in measured.warnings[0]
        named = library.resolve("Kit_174_Am 01")
        assert (str(named.bpm), named.bars, named.warnings) == ("174", 4, ())
        assert str(library.resolve("pad_90bpm_Em").bpm) == "90"
        assert snapshot(pack) == before
        assert not intake.add(library, [pack], processes=processes)
        assert library.drop_place(pack)
        library.refresh()
        assert library.count() == 0
    assert snapshot(pack) == before


def test_copies_come_into_the_library_with_sidecars(tmp_path: Path) -> None:
    other, own = some_loops(tmp_path / "other"), tmp_path / "loops"
    own.mkdir()
    before = snapshot(other)
    with Library(own) as library:
        for _ in range(2):  # what is copied is not copied again
            intake.add(library, [other, other / "loop1.wav"], copy=True)
            assert snapshot(other) == before
            assert sorted(path.name for path in own.rglob("*.wav")) == [
                "loop0.wav",
                "loop1.wav",
                "loop1.wav",
                "loop2.wav",
            ]
        assert library.places == [own.resolve()]
        shutil.rmtree(other)
        assert library.count() == 3
        assert library.resolve("other/loop2.wav").title == "loop 2"
        assert library.resolve("loop1").copies == 2


def test_what_cannot_be_taken_in_is_said(tmp_path: Path) -> None:
    (tmp_path / "loops").mkdir()
    (tmp_path / "song.mp3").write_bytes(b"")
    with Library(tmp_path / "loops") as library:
        with pytest.raises(InvalidRequest, match="conform"):
            intake.add(library, [tmp_path / "song.mp3"])
        with pytest.raises(InvalidRequest, match="is there"):
            intake.add(library, [tmp_path / "nowhere"])
        assert library.places == [library.folder]


def test_a_break_costs_only_what_was_not_read(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    for number in range(20):
        foreign(pack / f"{number}_100bpm.wav", seed=number, seconds=0.2)
    (tmp_path / "loops").mkdir()
    read: list[Path] = []

    def counting(paths: Iterable[Path]) -> Iterator[Reading]:
        for path in paths:
            read.append(path)
            yield read_loop(path)

    def stop(fraction: float, name: str) -> None:
        if fraction >= 0.5:
            raise KeyboardInterrupt

    with Library(tmp_path / "loops") as library:
        library.add_places([pack])
        with pytest.raises(KeyboardInterrupt):
            library.refresh(stop, counting)
        assert len(read) == library.count() == 10
    with Library(tmp_path / "loops") as library:
        assert library.refresh(read=counting).new == 10
        assert sorted(read) == sorted(pack.iterdir())


def die_of_one(path: Path) -> Reading:
    """As a decoder would that a file crashes."""
    if "deadly" in path.name:
        os._exit(11)
    return read_loop(path)


def test_a_file_that_kills_its_reader_is_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "loops"
    for number in range(30):
        foreign(folder / f"{number}_100bpm.wav", seed=number, seconds=0.2)
    foreign(folder / "deadly1.wav", seed=98, seconds=0.2)
    foreign(folder / "deadly2.wav", seed=99, seconds=0.2)
    with Library(folder) as library:
        changes = library.refresh(read=intake.reader(2, die_of_one))
        assert changes.new == 30
        assert len(changes.problems) == 2
        assert all("deadly" in problem and "ended the process" in problem for problem in changes.problems)
        assert not library.refresh(read=intake.reader(2, die_of_one)).problems


_ADDING = """
import sys
from fractions import Fraction
from pathlib import Path
from loopgen import intake
from loopgen.library.index import Library
if __name__ == "__main__":
    with Library(Path(sys.argv[1])) as library:
        print("begun", flush=True)
        intake.add(library, [Path(sys.argv[2])], processes=2)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_an_import_that_is_killed_goes_on(tmp_path: Path) -> None:
    pack, own = tmp_path / "pack", tmp_path / "loops"
    own.mkdir()
    for number in range(60):
        foreign(pack / f"{number}.wav", seed=number, seconds=1.5)
    script = tmp_path / "adding.py"  # processes are spawned from a file
    script.write_text(_ADDING)
    process = python(
        "import runpy, sys; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')", script, own, pack
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(2.5)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with Library(own) as library:
        before = library.count()
        changes = intake.add(library, [pack], processes=1)
        assert changes.new + before == 60 == library.count()


def test_two_imports_at_once(tmp_path: Path) -> None:
    pack, own = tmp_path / "pack", tmp_path / "loops"
    own.mkdir()
    for number in range(30):
        foreign(pack / f"{number}_100bpm.wav", seed=number, seconds=0.3)
    once = (
        "import sys; from pathlib import Path; from loopgen import intake; from loopgen.library.index import Library\n"
    )
    once += "with Library(Path(sys.argv[1])) as library: intake.add(library, [Path(sys.argv[2])], processes=1)\n"
    once += "with Library(Path(sys.argv[1])) as library: print(library.count())"
    both = [python(once, own, pack) for _ in range(2)]
    assert [finished(process).strip() for process in both] == ["30", "30"]
    with Library(own) as library:
        assert library.places == [own.resolve(), pack.resolve()]
        assert library.count(Query(bpm=(100, 100))) == 30


def test_a_tempo_is_looked_for_once(tmp_path: Path) -> None:
    folder = tmp_path / "loops"
    clicks(folder / "beat.wav", bpm=120, beats=8)
    foreign(folder / "hit.wav", seconds=0.3)
    read: list[str] = []

    def counting(paths: Iterable[Path]) -> Iterator[Reading]:
        for path in paths:
            read.append(path.name)
            yield intake.read_and_measure(path)

    with Library(folder) as library:
        library.refresh()
        assert library.resolve("beat").bpm is None
        assert library.refresh(read=counting, again=True).changed == 2
        assert sorted(read) == ["beat.wav", "hit.wav"]
        assert library.resolve("beat").bpm in (60, 120, 240)
        assert library.resolve("hit").bpm is None
        library.refresh(read=counting, again=True)
        assert len(read) == 2


@pytest.mark.parametrize("bpm", [93, 127.5, 174.25])
def test_a_measured_tempo_is_the_plainest_that_fits_the_length(tmp_path: Path, bpm: float) -> None:
    reading = intake.read_and_measure(clicks(tmp_path / "beat.wav", bpm=bpm, beats=16))
    assert reading.bpm in [Fraction(str(bpm)) * times for times in (Fraction(1, 2), 1, 2)]
