"""How the bridge's figures are printed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A figure, what was measured, and what is to be reached; a peer's row has no goal."""

    figure: str
    measured: str
    goal: str = ""


def table(rows: Iterable[Row]) -> None:
    """Print rows under those that were printed before."""
    for row in rows:
        print(f"{row.figure:<66} {row.measured}" + (f"   (to reach: {row.goal})" if row.goal else ""), flush=True)
