"""The server's console on a terminal: what has happened scrolls by, what is the case stays below it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live as RichLive
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from loopgen.cli.board import Board, Lines, title
from loopgen.cli.common import clean

if TYPE_CHECKING:
    from bridge.service import Notice

JOBS_SHOWN = 6
CLIENTS_SHOWN = 4
STYLES = {"plain": "", "good": "green", "bad": "red", "faint": "dim"}


def render(board: Board) -> RenderableType:
    """The lower part: where the server is, who is there, what it does."""
    shown = list(board.jobs.values())[:JOBS_SHOWN]
    parts: list[RenderableType] = [_facts(board)]
    if shown:
        parts.append(_jobs(board, len(shown)))
    more = len(board.jobs) - len(shown)
    summary = board.tally() + (f", {more:,} more wait" if more else "") + "; Ctrl-C ends the server"
    return Group(*parts, Text(summary, "dim", no_wrap=True, overflow="ellipsis"))


def _facts(board: Board) -> Panel:
    names = list(board.clients)
    clients = ", ".join(names[-CLIENTS_SHOWN:]) + (
        f" and {len(names) - CLIENTS_SHOWN} more" if len(names) > CLIENTS_SHOWN else ""
    )
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("listens", Text(board.address, "bold"))
    table.add_row("loops", Text(clean(board.output)))
    table.add_row("inbox", Text(clean(board.inbox)))
    table.add_row("engine", Text(board.engine_line()))
    table.add_row("clients", Text(clients or "none yet", "" if clients else "dim"))
    return Panel(table, title="loopgen", title_align="left", border_style="dim")


def _jobs(board: Board, count: int) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=3)
    table.add_column(ratio=2)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=2)
    for job in list(board.jobs.values())[:count]:
        running = job.state == "running"
        bar = ProgressBar(total=1.0, completed=job.fraction if running else 0.0)
        stage = f"{job.fraction:.0%} {clean(job.stage)}" if running else "waits"
        table.add_row(Text(job.id[:12]), Text(title(job.work)), bar, Text(stage, "" if running else "dim"))
    return table


class Live:
    """Shows on a terminal, and leaves it as it was."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._live = RichLive(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> Live:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, board: Board, lines: Lines, notices: Sequence[Notice], when: datetime) -> None:
        """Let the lines scroll by and draw the rest anew."""
        for tone, text in lines:
            self._console.print(Text(f"{when:%H:%M:%S}  ", "dim") + Text(text, STYLES[tone]), soft_wrap=True)
        self._live.update(render(board), refresh=True)
