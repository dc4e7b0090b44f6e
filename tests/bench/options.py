"""What every benchmark is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """``audio``: a folder of real loops, or None; ``quick``: fewer cases, for a first look."""

    audio: Path | None = None
    quick: bool = False
