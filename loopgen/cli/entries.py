"""A library's loops on the terminal and as JSON, and what people type to find them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from loopgen.cli.common import plain_terminal

if TYPE_CHECKING:  # heavy modules are imported by the command that needs them: --help answers at once
    from datetime import datetime
    from pathlib import Path

    from loopgen.library.find import Entry

_TEMPO = 2
"""The column of the table that is flush right."""


def read_tempos(text: str) -> tuple[float, float]:
    """A range of tempos as people type it; one tempo is meant to half a BPM.

    >>> read_tempos("120-130"), read_tempos("128")
    ((120.0, 130.0), (127.5, 128.5))
    """
    import re

    from loopgen.errors import InvalidRequest
    from loopgen.music.tempo import BPM_RANGE, parse_bpm

    texts = re.split(r"\s*(?:-|–|\.\.)\s*", text.strip())
    if len(texts) > 2:
        raise InvalidRequest("bpm", text, "a tempo or a range within 20 to 999, like 128 or 120-130")
    parts = [float(parse_bpm(part)) for part in texts]
    if len(parts) == 1:
        return max(BPM_RANGE[0], parts[0] - 0.5), min(BPM_RANGE[1], parts[0] + 0.5)
    return parts[0], parts[1]


def read_time(text: str, field: str) -> datetime:
    """A time as people type it; a day as ``until`` means its end."""
    import re
    from datetime import datetime, time, timedelta

    from loopgen.errors import InvalidRequest

    now = datetime.now().astimezone()
    if match := re.fullmatch(r"(\d{1,4})\s*([hdw])(?:\s*ago)?", text.strip().lower()):
        return (
            now - int(match[1]) * {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}[match[2]]
        )
    days = {"today": now.date(), "yesterday": now.date() - timedelta(days=1)}
    try:
        day = days.get(text.strip().lower()) or datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidRequest(
            field, text, "a date like 2026-11-20, today, yesterday, or 36h, 7d, 2w for so long ago"
        ) from None
    if not isinstance(day, datetime) or len(text.strip()) == 10:
        return datetime.combine(day, time.max if field == "until" else time.min).astimezone()
    return day.astimezone()


def print_rows(found: Sequence[Entry], folder: Path) -> None:
    """Loops as a table, one a line."""
    from loopgen.library.folder import key_of
    from loopgen.music.tempo import counted, format_bpm

    rows = []
    for each in found:
        heart = ("*" if plain_terminal() else "♥") if each.favourite else " "
        bars = counted(each.bars, "bar") if each.bars else ""
        meter = f" {each.meter}" if each.meter not in (None, "4/4") else ""
        tags = " ".join(f"+{tag}" for tag in each.tags)
        title = each.title if len(each.title) <= 40 else each.title[:37] + "..."
        path = each.name if each.trashed else key_of(each.path, folder)
        notes = " (away)" * each.away + f" (and {each.copies - 1} more)" * (each.copies > 1)
        rows.append(
            (
                each.id[:8],
                f"{heart}{each.rating or ' '}",
                format_bpm(round(each.bpm, 3)) if each.bpm else "",
                bars + meter,
                each.key.short if each.key else "",
                title + (f"  {tags}" if tags else ""),
                path + notes,
            )
        )
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(6)]
    for row in rows:
        shown = enumerate(zip(row, widths, strict=False))
        cells = [cell.rjust(width) if at == _TEMPO else cell.ljust(width) for at, (cell, width) in shown]
        print("  ".join([*cells, row[6]]))


def fields(each: Entry) -> dict[str, object]:
    """A loop for machines."""
    return {
        "id": each.id,
        "path": str(each.path),
        "name": each.name,
        "title": each.title,
        "bpm": float(each.bpm) if each.bpm is not None else None,
        "bpm_exact": str(each.bpm) if each.bpm is not None else None,
        "bars": each.bars,
        "meter": each.meter,
        "key": str(each.key) if each.key else None,
        "engine": each.engine,
        "prompt": each.prompt,
        "seed": each.seed,
        "licence": each.licence,
        "tags": list(each.tags),
        "favourite": each.favourite,
        "rating": each.rating,
        "added": each.added.isoformat(),
        "made": each.made.isoformat(),
        "seconds": each.seconds,
        "rate": each.rate,
        "frames": each.frames,
        "channels": each.channels,
        "warnings": list(each.warnings),
        "summary": each.summary,
        "origin": each.origin,
        "trashed": each.trashed,
        "away": each.away,
        "has_take": each.has_take,
        "copies": each.copies,
    }


def print_one(each: Entry, files: Sequence[Path]) -> None:
    """All that is known of a loop; ``files`` hold its samples."""
    from loopgen.music.tempo import counted, format_bpm

    print(each.path)
    tempo = f"{format_bpm(round(each.bpm, 6))} BPM" if each.bpm else "tempo unknown"
    bars = counted(each.bars, "bar") + (f" of {each.meter}" if each.meter else "") if each.bars else ""
    form = f"{each.frames} frames at {each.rate / 1000:g} kHz"
    said = [tempo, bars, str(each.key or ""), f"{each.seconds:.3f} s", form]
    made = each.made.astimezone().strftime("%Y-%m-%d %H:%M")
    rows = {
        "": (" - " if plain_terminal() else " · ").join(part for part in said if part),
        "id": each.id,
        "prompt": each.prompt,
        "engine": f"{each.engine}, seed {each.seed}" if each.engine else "",
        "licence": each.licence or "",
        "made": f"{made}, by {'loopgen' if each.origin == 'loopgen' else 'somebody else'}",
        "marks": marks(each),
        "take": "is kept: `loopgen retempo` lays it on another tempo" if each.has_take else "",
        "good": "" if each.warnings else each.summary,
        "state": "in the trash" if each.trashed else "away: its drive or folder is not there" if each.away else "",
    }
    for name, text in rows.items():
        if text:
            print(f"  {name:<8} {text}")
    for warning in each.warnings:
        print(f"  warning  {warning}")
    for file in files:
        if file != each.path:
            print(f"  same as  {file}")


def marks(each: Entry) -> str:
    """What was said of a loop, in one line."""
    parts = ["favourite"] * each.favourite + [f"{each.rating} of 5"] * bool(each.rating)
    return ", ".join([*parts, *(f"+{tag}" for tag in each.tags)])
