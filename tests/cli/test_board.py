"""What the console says, from notices alone."""

from fractions import Fraction

from bridge.service import Notice
from loopgen.cli.board import LINES_A_SECOND, Board, record, title
from loopgen.jobs import Delivered, Generate, Job, Retempo, Rotate, Work
from loopgen.music.melody import Melody, Note

WORK = Generate({"prompt": "dub techno", "bpm": Fraction(1279, 10), "bars": 1})


def board() -> Board:
    return Board("127.0.0.1", 11200, "/loops", "/loops/inbox", {"name": "auto"})


def job(
    state: str = "running",
    delivered: int = 0,
    position: int = 0,
    fraction: float = 0.5,
    work: Work = WORK,
) -> Job:
    loops = tuple(
        Delivered(f"/loops/{n}.wav", Fraction(1279, 10), 1, Fraction(4), 82752, 44100, "seam clean", n + 1, 2)
        for n in range(delivered)
    )
    code, message = ("worker_died", "the worker died") if state == "error" else ("", "")
    notes = ("the prompt says 140 BPM",) if state == "done" else ()
    return Job("ab12", work, state, fraction, "laying on the grid", loops, code, message, notes, position, None)  # type: ignore[arg-type]


def said(shown: Board, *notices: Notice, now: float = 0.0) -> list[str]:
    return [text for notice in notices for _, text in shown.tell(notice, now)]


def test_a_job_is_told_calmly_from_its_beginning_to_its_end() -> None:
    shown = board()
    states = [job("queued", position=2), job(fraction=0.1), job(fraction=0.2), job(delivered=1), job("done", 2)]
    lines = said(shown, *(Notice("job", state.stage, state) for state in states))
    assert lines == [
        "ab12 waits, 2 before it: dub techno, 127.9 BPM, 1 bar",
        "ab12 loop 1 of 2: /loops/0.wav (seam clean)",
        "ab12 loop 2 of 2: /loops/1.wav (seam clean)",
        "ab12 note: the prompt says 140 BPM",
    ]
    assert not shown.jobs and shown.tally() == "1 done"


def test_failures_and_cancellations_are_told_and_counted() -> None:
    shown = board()
    lines = said(shown, Notice("job", "", job("error")), Notice("job", "", job("cancelled")))
    assert "ab12 failed, worker_died: the worker died" in lines
    assert "ab12 cancelled" in lines
    assert shown.tally() == "0 done, 1 failed, 1 cancelled"


def test_who_comes_and_goes() -> None:
    shown = board()
    assert said(shown, Notice("client", "REAPER at 127.0.0.1:5000")) == ["joined: REAPER at 127.0.0.1:5000"]
    assert list(shown.clients) == ["REAPER at 127.0.0.1:5000"]
    assert said(shown, Notice("client", "loopgen send at 127.0.0.1:6")) == []
    assert len(shown.clients) == 2
    assert said(shown, Notice("left", "REAPER at 127.0.0.1:5000")) == ["left: REAPER at 127.0.0.1:5000"]
    assert list(shown.clients) == ["loopgen send at 127.0.0.1:6"]


def test_a_flood_is_counted_and_does_not_grow() -> None:
    shown = board()
    lines = said(shown, *[Notice("refused", f"127.0.0.1:{n} busy") for n in range(5_000)], now=7.0)
    lines += said(shown, *[Notice("client", f"x at 127.0.0.1:{n}") for n in range(5_000)], now=7.9)
    assert len(lines) == LINES_A_SECOND
    assert [text for _, text in shown.tick(8.0)] == [f"and {10_000 - LINES_A_SECOND:,} more of these within a second"]
    assert shown.tick(8.1) == []
    assert len(shown.clients) == 256


def test_what_comes_over_the_wire_does_not_steer_the_terminal() -> None:
    shown = board()
    work = Generate({"prompt": "\x1b[2J"})
    lines = said(
        shown, Notice("refused", "\x1b]0;x\a\n"), Notice("client", "\x1b[1m"), Notice("job", "", job(work=work))
    )
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)


def test_other_notices() -> None:
    shown = board()
    assert said(shown, Notice("listening", "")) == ["listening on 127.0.0.1:11200, loops go to /loops"]
    shown.engine = {"name": "sketch", "version": "1", "licence": "CC0-1.0"}
    assert said(shown, Notice("warm", "")) == ["ready: engine sketch 1 (licence: CC0-1.0)"]
    assert said(shown, Notice("failed", "the engine does not load")) == ["failed: the engine does not load"]
    assert said(shown, Notice("closed", "")) == ["ended; 0 done"]
    assert Board("::1", 5, "", "", {}).address == "[::1]:5"


def test_titles() -> None:
    assert title(Retempo(("ab12/2",), Fraction(263, 2))) == "ab12/2 at 131.5 BPM"
    assert title(Rotate("/loops/a.wav", Fraction(-2))) == "a.wav, begun 2 beats earlier"
    assert title(Rotate("ab12\x1b[2J")).isprintable()
    melody = Melody((Note(0, 60, 1),), 4)
    assert title(Generate({"preset": "trap", "key": "Am"}, melody)) == "trap, Am, with a melody"


def test_records_for_machines_say_it_all() -> None:
    shown = board()
    listening = record(Notice("listening", "127.0.0.1:11200"), shown)
    assert (listening["event"], listening["port"], listening["inbox"]) == ("listening", 11200, "/loops/inbox")
    told = record(Notice("job", "", job("done", 1)), shown)["job"]
    assert isinstance(told, dict)
    assert (told["id"], told["state"], told["asked"]) == ("ab12", "done", "dub techno, 127.9 BPM, 1 bar")
    assert told["loops"][0]["frames"] == 82752
