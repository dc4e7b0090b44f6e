"""The console as it looks, at several widths."""

import io
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from rich.console import Console

from bridge.service import Notice
from loopgen.cli.board import Board
from loopgen.cli.live import JOBS_SHOWN, Live, render
from loopgen.jobs import Generate, Job

WHEN = datetime(2026, 11, 21, 14, 3, 12, tzinfo=UTC)


def job(number: int, state: str = "queued", fraction: float = 0.0) -> Job:
    asked = {"prompt": f"dub techno [bold]{number}[/] " + "and a very long wish " * 5, "bpm": Fraction(1279, 10)}
    return Job(f"job{number}", Generate(asked), state, fraction, "laying on the grid", (), "", "", (), number, None)  # type: ignore[arg-type]


def busy_board() -> Board:
    board = Board("127.0.0.1", 11200, "/home/somebody/Music/loopgen", "/home/somebody/Music/loopgen/inbox", {})
    board.engine = {"name": "sketch", "version": "1", "licence": "CC0-1.0"}
    board.tell(Notice("warm", ""), 0.0)
    for number in range(6):
        board.tell(Notice("client", f"REAPER {number} at 127.0.0.1:500{number}"), 0.0)
    for number in range(12):
        board.tell(Notice("job", "", job(number, "running" if number == 0 else "queued", 0.62)), 0.0)
    return board


def drawn(board: Board, width: int, encoding: str = "utf-8") -> list[str]:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=file, width=width, force_terminal=False, record=True)
    console.print(render(board))
    return console.export_text().splitlines()


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_it_fits_every_width(width: int) -> None:
    lines = drawn(busy_board(), width)
    assert max(map(len, lines)) <= width
    assert sum(line.startswith("job") for line in lines) == JOBS_SHOWN


def test_it_shows_where_who_and_what() -> None:
    text = "\n".join(drawn(busy_board(), 160))
    for part in ("127.0.0.1:11200", "/home/somebody/Music/loopgen/inbox", "sketch 1 (licence: CC0-1.0)"):
        assert part in text
    assert "REAPER 5 at 127.0.0.1:5005 and 2 more" in text
    assert "62% laying on the grid" in text
    assert "[bold]0[/]" in text  # words of a prompt are no markup
    assert "6 more wait" in text


def test_an_idle_server_says_so() -> None:
    text = "\n".join(drawn(Board("127.0.0.1", 1, "/loops", "/loops/inbox", {"name": "auto"}), 80))
    assert "none yet" in text and "auto, starting" in text


def test_an_engine_that_does_not_load_is_seen() -> None:
    board = Board("127.0.0.1", 1, "/loops", "/loops/inbox", {"name": "heavy"}, "failed")
    assert "heavy, failed" in "\n".join(drawn(board, 80))


@pytest.mark.parametrize("width", [40, 120])
def test_lines_scroll_by_and_the_terminal_is_left_as_it_was(width: int) -> None:
    file = io.StringIO()
    board = busy_board()
    with Live(Console(file=file, width=width, force_terminal=True, color_system=None)) as live:
        for n in range(3):
            lines = [("good", f"job{n} loop: /a/path/that/is/longer/than/forty/columns/and/stays/whole_{n}.wav")]
            live.show(board, lines, [], WHEN)
    shown = file.getvalue()
    assert shown.count("14:03:12") == 3
    assert "14:03:12  job2 loop: /a/path/that/is/longer/than/forty/columns/and/stays/whole_2.wav\n" in shown
    assert shown.index("\x1b[?25l") < shown.rindex("\x1b[?25h")  # the cursor is hidden, and comes back
