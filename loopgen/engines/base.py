"""What an engine is, and which ones there are.

An engine turns a ``LoopRequest`` into a ``Take``. The registry is a table of ``EngineEntry``: it says what an engine
is called and what it needs without importing it. Other people's engines join through entry points::

    [project.entry-points."loopgen.engines"]
    mine = "my_package.registration:ENTRY"      # an EngineEntry, in a module that is cheap to import
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Protocol, runtime_checkable

from loopgen.errors import EngineUnavailable
from loopgen.music.loop import Take
from loopgen.music.request import LoopRequest

ENTRY_POINT_GROUP = "loopgen.engines"
Progress = Callable[[float], None]
"""Told the share of the work that is done, 0 to 1; may raise (``Cancelled``) to stop the engine there and then."""


@runtime_checkable
class Engine(Protocol):
    """Makes takes. ``licence`` is what the audio is under; ``version`` changes when the same seed sounds different."""

    @property
    def name(self) -> str:
        """Short name, as the user types it."""

    @property
    def description(self) -> str:
        """One line for ``loopgen engines``."""

    @property
    def licence(self) -> str:
        """What the audio is under."""

    @property
    def version(self) -> str:
        """Goes into the recipe."""

    def generate(self, request: LoopRequest, seed: int, *, progress: Progress | None = None) -> Take:
        """Make one take: the loop's bars, and where the engine can, a bar before and a bar after.

        ``seed`` counts, not ``request.seed``: a request may want several takes. Raises ``GenerationFailed``.
        """


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """An engine as ``loopgen engines`` lists it; ``reason`` says why it is not available, and is empty if it is."""

    name: str
    description: str
    licence: str
    available: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EngineEntry:
    """How to come by an engine without importing it.

    Attributes:
        name: as the user types it.
        description: one line.
        licence: what the audio is under.
        target: ``"module:factory"``; the factory takes no arguments and returns an ``Engine``.
        quality: rank for ``auto``; the highest available wins.
        requires: modules that must be installed.
        remedy: what to do when they are not, like ``"pip install 'loopgen[musicgen]'"``.
    """

    name: str
    description: str
    licence: str
    target: str
    quality: int = 0
    requires: tuple[str, ...] = ()
    remedy: str = ""

    def missing(self) -> str:
        """Why the engine cannot be used here, or an empty string."""
        absent = [module for module in self.requires if not _installed(module)]
        if not absent:
            return ""
        return f"needs {', '.join(absent)}" + (f": {self.remedy}" if self.remedy else "")

    def info(self) -> EngineInfo:
        """The entry as it is listed."""
        reason = self.missing()
        return EngineInfo(self.name, self.description, self.licence, not reason, reason)

    def make(self) -> Engine:
        """Import and construct the engine; raises whatever that raises."""
        module, _, factory = self.target.partition(":")
        engine: Engine = getattr(import_module(module), factory)()
        return engine


BUILT_IN = (
    EngineEntry(
        name="sketch",
        description="embedded groovebox: synthesised drums, bass, chords and leads in many genres; not MusicGen",
        licence="CC0-1.0",
        target="loopgen.engines.sketch.engine:SketchEngine",
        quality=10,
    ),
)


def engines() -> list[EngineInfo]:
    """Every engine that is known here, best first, with the reason where it cannot be used. Imports no engine."""
    entries, broken = _registry()
    ranked = sorted(entries.values(), key=lambda entry: (-entry.quality, entry.name))
    return [entry.info() for entry in ranked] + broken


def load(name: str = "auto") -> Engine:
    """Construct an engine by name; ``auto`` is the available one of the highest quality.

    Raises ``EngineUnavailable`` that says what to do.
    """
    entries, broken = _registry()
    if name == "auto":
        return _best(entries.values())
    if name in entries:
        return _construct(entries[name])
    for info in broken:
        if info.name == name:
            raise EngineUnavailable(f"engine {name!r} is not available: {info.reason}")
    known = sorted(entries)
    near = difflib.get_close_matches(name.lower(), [*known, "auto"], n=1)
    hint = f"did you mean {near[0]!r}?" if near else "see `loopgen engines`"
    raise EngineUnavailable(f"engine {name!r} is unknown; {hint} (known: {', '.join(['auto', *known])})")


def _best(entries: Iterable[EngineEntry]) -> Engine:
    reasons = []
    for entry in sorted(entries, key=lambda entry: (-entry.quality, entry.name)):
        try:
            return _construct(entry)
        except EngineUnavailable as error:
            reasons.append(str(error))
    raise EngineUnavailable("no engine is available: " + "; ".join(reasons))


def _construct(entry: EngineEntry) -> Engine:
    reason = entry.missing()
    if reason:
        raise EngineUnavailable(f"engine {entry.name!r} is not available: {reason}")
    try:
        engine = entry.make()
    except Exception as error:  # an engine may be anybody's code; whatever it raises is a reason
        raise EngineUnavailable(f"engine {entry.name!r} did not start: {_said(error)}") from error
    if not isinstance(engine, Engine):
        raise EngineUnavailable(f"engine {entry.name!r} is not one: {entry.target} made a {type(engine).__name__}")
    return engine


def _registry() -> tuple[dict[str, EngineEntry], list[EngineInfo]]:
    """Usable entries by name, and those entry points that gave none. Built-in names cannot be taken over."""
    entries = {entry.name: entry for entry in BUILT_IN}
    broken = []
    for point in sorted(_entry_points(), key=lambda point: (point.name, point.value)):
        if point.name in entries or point.name == "auto":
            broken.append(_unusable(point, "the name is taken"))
            continue
        try:
            entry = point.load()
        except Exception as error:
            broken.append(_unusable(point, f"did not load: {_said(error)}"))
            continue
        if not isinstance(entry, EngineEntry) or entry.name != point.name:
            broken.append(_unusable(point, f"{point.value} is no EngineEntry called {point.name!r}"))
            continue
        entries[entry.name] = entry
    return entries, broken


def _entry_points() -> Iterable[EntryPoint]:
    return entry_points(group=ENTRY_POINT_GROUP)


def _unusable(point: EntryPoint, reason: str) -> EngineInfo:
    return EngineInfo(point.name, f"from {point.value}", "unknown", False, reason)


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
