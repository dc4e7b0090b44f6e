"""The index's file: older, newer, broken, shared by processes and threads, on a drive that cannot be written."""

import shutil
import sqlite3
import threading
from pathlib import Path

import platformdirs
import pytest

from loopgen.errors import OutputUnwritable
from loopgen.library import database
from loopgen.library.database import MIGRATIONS
from loopgen.library.find import Query
from loopgen.library.index import Library
from tests.library.support import finished, python, some_loops


def index_of(folder: Path) -> Path:
    return folder / ".loopgen" / "library.db"


def rows(folder: Path) -> list[tuple[object, ...]]:
    with Library(folder) as library:
        library.refresh()
        return [(each.id, each.name, each.tags, each.added) for each in library.find(Query(order="name"))]


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_an_older_index_is_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    folder = some_loops(tmp_path / "loops")
    expected = rows(folder)
    made = sqlite3.connect(index_of(folder))
    tables = {name: made.execute(f"SELECT * FROM {name}").fetchall() for name in ("loops", "details", "files", "tags")}
    made.close()
    shutil.rmtree(folder / ".loopgen")
    index_of(folder).parent.mkdir()
    old = sqlite3.connect(index_of(folder))
    old.create_function("words_of", 3, lambda *texts: "")
    for migrate in MIGRATIONS[:version]:
        migrate(old)
    for name, content in tables.items():
        for row in content:
            old.execute(f"INSERT INTO {name} VALUES ({', '.join('?' * len(row))})", row)
    old.execute(f"PRAGMA user_version = {version}")
    old.commit()
    old.close()
    with Library(folder) as library:
        found = library.find(Query(words="loop", order="name")) if version < 3 else library.find(Query(order="name"))
        assert [(each.id, each.name, each.tags, each.added) for each in found] == expected
        assert not library.notes
        assert not library.refresh()


def test_a_newer_index_is_left_alone(tmp_path: Path) -> None:
    folder = some_loops(tmp_path / "loops")
    rows(folder)
    connection = sqlite3.connect(index_of(folder))
    connection.execute("PRAGMA user_version = 99")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    before = index_of(folder).read_bytes()
    with Library(folder) as library:
        library.refresh()
        assert library.count() == 3
        assert library.database.name == f"library-v{len(MIGRATIONS)}.db"
        assert "newer loopgen (version 99" in library.notes[0]
        library.mark(library.resolve("loop1").id, add=["rain"])
    assert index_of(folder).read_bytes() == before


@pytest.mark.parametrize("content", [b"no database at all", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_broken_index_is_set_aside_and_built_anew(tmp_path: Path, content: bytes) -> None:
    folder = some_loops(tmp_path / "loops")
    with Library(folder) as library:
        library.refresh()
        library.mark(library.resolve("loop1").id, add=["rain"], rating=3)
    expected = rows(folder)
    index_of(folder).write_bytes(content)
    assert rows(folder) == expected
    aside = [path for path in index_of(folder).parent.iterdir() if ".broken-" in path.name]
    assert [path.read_bytes() for path in aside] == [content]


def test_an_index_that_breaks_while_it_is_used_is_set_aside(tmp_path: Path) -> None:
    folder = some_loops(tmp_path / "loops", 40)
    with Library(folder) as library:
        library.refresh()
        library.mark(library.resolve("loop1").id, add=["rain"])
        library.close()
        whole = index_of(folder).read_bytes()
        index_of(folder).write_bytes(whole[:4096] + b"\x55" * (len(whole) - 4096))
        assert [each.name for each in library.find(Query(tags=("rain",)))] == ["loop1.wav"]
        assert library.count() == 40
        assert "was broken" in library.notes[0]


def test_without_full_text_words_are_found_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def plain(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE words (text TEXT NOT NULL)")

    monkeypatch.setattr(
        database, "MIGRATIONS", tuple(plain if each.__name__ == "_words" else each for each in MIGRATIONS)
    )
    folder = some_loops(tmp_path / "loops")
    with Library(folder) as library:
        library.refresh()
        library.mark(library.resolve("loop2").id, add=["rain-drops"])
        assert library.count(Query(words="loop")) == 3
        assert [each.name for each in library.find(Query(words="DROP loop"))] == ["loop2.wav"]
        assert not library.find(Query(words="oop"))


def test_a_folder_that_cannot_be_written_has_its_index_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    folder = some_loops(tmp_path / "loops")
    (folder / ".loopgen").write_text("a file in the way, as a drive that is read-only would be")
    with Library(folder) as library:
        library.refresh()
        assert library.count() == 3
        assert library.database.is_relative_to(tmp_path / "cache")
        one = library.resolve("loop1")
        (folder / "loop1.json").unlink()
        (folder / "loop1.json").mkdir()  # nor can the sidecar
        with pytest.raises(OutputUnwritable):
            library.mark(one.id, add=["rain"])
        assert library.get(one.id).tags == ()


_TAGGER = """
import sys
from pathlib import Path
from loopgen.library.index import Library
folder, name, first = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with Library(folder) as library:
    library.refresh()
    loop = library.resolve(name).id
    for number in range(first, first + 25):
        library.mark(loop, add=[f"tag{number}"])
        library.refresh()
    print(library.count())
"""


def test_several_processes_write_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    folder = some_loops(tmp_path / "loops", 5)
    at_once = [python(_TAGGER, folder, "loop1", 25 * place) for place in range(3)]
    assert [finished(process).strip() for process in at_once] == ["5"] * 3
    everything = tuple(sorted(f"tag{number}" for number in range(75)))
    with Library(folder) as library:
        assert library.resolve("loop1").tags == everything
        library.rebuild()
        assert library.resolve("loop1").tags == everything
        assert library.count() == 5


def test_threads_share_a_library(tmp_path: Path) -> None:
    folder = some_loops(tmp_path / "loops")
    failed: list[BaseException] = []
    with Library(folder) as library:
        library.refresh()
        one = library.resolve("loop0").id

        def work(first: int) -> None:
            try:
                for number in range(first, first + 10):
                    library.mark(one, add=[f"tag{number}"])
                    assert library.count() == 3
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=work, args=(10 * place,)) for place in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed
        assert len(library.get(one).tags) == 40


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted in /proc")
def test_threads_that_ended_leave_no_open_files(tmp_path: Path) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    with Library(some_loops(tmp_path / "loops")) as library:
        library.refresh()
        before = open_files()
        for _ in range(20):
            thread = threading.Thread(target=library.count)
            thread.start()
            thread.join()
        assert open_files() < before + 10


_CLOSED_AT_WORK = """
import sys, threading
from pathlib import Path
from loopgen.library.index import Library
library = Library(Path(sys.argv[1]))
library.refresh()
ended = threading.Event()
def ask():
    while not ended.is_set():
        assert library.count() == 3 and len(library.find()) == 3
        library.tags()
threads = [threading.Thread(target=ask) for _ in range(4)]
for thread in threads:
    thread.start()
for _ in range(300):
    library.close()
ended.set()
for thread in threads:
    thread.join()
library.close()
print("sound")
"""


def test_closed_while_other_threads_are_at_work_nothing_crashes(tmp_path: Path) -> None:
    assert finished(python(_CLOSED_AT_WORK, some_loops(tmp_path / "loops"))).strip() == "sound"
