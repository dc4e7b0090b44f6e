"""What passes between the server and its worker: plain values that pickle, light to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

from loopgen.engines.base import Hardware
from loopgen.music.melody import Melody
from loopgen.music.request import OWN
from loopgen.music.turn import later


@dataclass(frozen=True, slots=True)
class From:
    """An earlier loop that takes go on from: ``how`` is ``continue`` or ``vary``; ``loop`` as one of ``Retempo``'s."""

    how: str
    loop: str


@dataclass(frozen=True, slots=True)
class Generate:
    """Make loops: ``asked`` as ``loopgen.orders`` takes it; ``folder`` is a name below the output folder, checked.

    ``preview``: the first take is to be heard while it is drawn, where the engine lets it.
    """

    asked: Mapping[str, Any]
    melody: Melody | None = None
    folder: str = ""
    begin: From | None = None
    preview: bool = False


@dataclass(frozen=True, slots=True)
class Retempo:
    """Lay the takes of earlier loops on another tempo, in quarter notes a minute.

    ``loops`` are names of loops' files, or ids of their jobs, with ``/2`` for the second variation; each becomes one.
    ``bars`` and ``start`` as for ``loopgen.studio.retempo``.
    """

    loops: tuple[str, ...]
    bpm: Fraction
    folder: str = ""
    bars: int | None = None
    start: int | None = None


@dataclass(frozen=True, slots=True)
class Rotate:
    """Turn an earlier loop, so that what is ``beats`` later becomes its beat 1, as ``loopgen.rotate`` does.

    ``loop`` is a name as one of ``Retempo``'s, or the path of a file anywhere, where no stranger gave it.
    """

    loop: str | Path
    beats: Fraction | None = None
    folder: str = ""

    @property
    def title(self) -> str:
        """What is asked for, in a line.

        >>> Rotate("a.wav", Fraction(-1)).title, Rotate("a.wav", Fraction(1, 2)).title, Rotate("a.wav").title
        ('a.wav, begun 1 beat earlier', 'a.wav, begun half a beat later', 'a.wav, begun on its second likeliest beat 1')
        """
        name = Path(self.loop).name
        return f"{name}, begun {later(self.beats) if self.beats else 'on its second likeliest beat 1'}"


Work: TypeAlias = Generate | Retempo | Rotate
"""What a job can be."""


@dataclass(frozen=True, slots=True)
class WarmUp:
    """Make a short loop that is thrown away, so that the first one asked for finds everything in place."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A loop on disk: ``frames`` at ``rate`` Hz, ``quarters`` quarter notes; ``summary`` is one line on how it is.

    ``seed`` made its take, by ``engine``; ``licence`` is what its music is under.
    """

    path: str
    bpm: Fraction
    bars: int
    quarters: Fraction
    frames: int
    rate: int
    summary: str
    variation: int
    variations: int
    seed: int | None = None
    engine: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """To the worker: a job."""

    job: str
    work: Work | WarmUp


@dataclass(frozen=True, slots=True)
class Stop:
    """To the worker: end this job now."""

    job: str


@dataclass(frozen=True, slots=True)
class Ready:
    """From the worker: the engine's facts (name, version, licence), or the error that it does not load with."""

    facts: Mapping[str, str]
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """From the worker: a sign of life."""

    job: str
    fraction: float
    stage: str


@dataclass(frozen=True, slots=True)
class Noted:
    """From the worker: what the user should know of the job."""

    job: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Previewed:
    """From the worker: so many seconds of the job's first take can be heard at ``path``, until the job ends."""

    job: str
    path: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Writing:
    """From the worker: it looks for a ``Stop`` once more, and if there is none it writes a loop."""

    job: str


@dataclass(frozen=True, slots=True)
class Made:
    """From the worker: one loop is on disk."""

    job: str
    delivered: Delivered


@dataclass(frozen=True, slots=True)
class Ended:
    """From the worker: ``state`` is done, cancelled or error; it waits for the next order."""

    job: str
    state: str
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Setup:
    """How a worker works: the same for all of its jobs.

    ``preload``: load the engine before the first order. ``keep_takes``: on disk, beside the loops.
    """

    output: Path
    engine: str
    stretcher: str
    file_format: str
    own_presets: Path | None
    hardware: Hardware
    preload: bool = True
    keep_takes: bool = True
    listener: str = OWN
