"""What an engine is, and which ones there are.

An engine turns a ``LoopRequest`` into a ``Take``. The registry is a table of ``EngineEntry``: it says what an engine
is called and what it needs without importing it. An engine that plays by a model takes the model's name after a colon:
``musicgen:medium``. Other people's engines join through entry points::

    [project.entry-points."loopgen.engines"]
    mine = "my_package.registration:ENTRY"      # an EngineEntry, in a module that is cheap to import
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any, Protocol, runtime_checkable

from loopgen.errors import Cancelled, EngineUnavailable, InvalidRequest, LoopgenError
from loopgen.music.audio import Audio
from loopgen.music.beats import Votes
from loopgen.music.loop import Take
from loopgen.music.request import OWN, LoopRequest

ENTRY_POINT_GROUP = "loopgen.engines"
Progress = Callable[[float], None]
"""Told the share of the work that is done, 0 to 1; may raise (``Cancelled``) to stop the engine there and then."""


Preview = Callable[[Audio], None]
"""Told the audio of a take, piece by piece, while the rest of it is being made; what was told once stays."""


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


@runtime_checkable
class BatchEngine(Engine, Protocol):
    """An engine that makes several takes at once for little more than the price of one."""

    @property
    def batch(self) -> int:
        """How many takes it makes at once when nobody says."""

    def generate_batch(
        self,
        request: LoopRequest,
        seeds: Sequence[int],
        *,
        progress: Progress | None = None,
        preview: Preview | None = None,
    ) -> list[Take]:
        """One take a seed, each the same as ``generate`` would make of its seed alone; ``preview`` hears the first.

        Raises ``GenerationFailed``.
        """


MELODY, OPENING, SAMPLING = "melody", "opening", "sampling"
"""What an engine may be able to: follow a request's melody, continue its opening, heed its sampling."""


def abilities(engine: Engine) -> frozenset[str]:
    """What an engine says it can do, of the three above; one that says nothing is taken to follow melodies."""
    said: frozenset[str] = getattr(engine, "abilities", frozenset({MELODY}))
    return said


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a model is to be computed on.

    Attributes:
        device: ``auto``, ``cpu``, ``mps``, ``cuda`` or ``cuda:1``.
        precision: of the weights: ``auto``, ``bf16``, ``fp16``, ``fp32`` or ``int8``.
        threads: on the CPU; 0: all cores but one. More than there are free cores makes it slower.
    """

    device: str = "auto"
    precision: str = "auto"
    threads: int = 0


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """An engine as ``loopgen engines`` lists it; ``reason`` says why it is not available, and is empty if it is."""

    name: str
    description: str
    licence: str
    available: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Playable:
    """A name that ``load`` takes and that can play here: an engine's own, or with a model. ``licence``: its music's."""

    name: str
    licence: str


@dataclass(frozen=True, slots=True)
class EngineEntry:
    """How to come by an engine without importing it.

    Attributes:
        name: as the user types it.
        description: one line.
        licence: what the audio is under.
        target: ``"module:factory"``; the factory returns an ``Engine``. It takes no arguments, or, where the engine
            ``has_models``, the model's name (empty: its own choice), ``Hardware`` and a ``Progress`` or None.
        quality: rank for ``auto``; the highest available wins; 0: only by its name.
        requires: modules that must be installed.
        remedy: what to do when they are not, like ``"pip install 'loopgen[musicgen]'"``.
        has_models: whether the user may say which model it plays by.
        ready: ``"module:function"`` that is given the model's name (empty: the engine's own choice) and says why the
            engine cannot be used although all it requires is installed (no weights, say), or an empty string; it must
            be quick and import nothing heavy.
        models: ``"module:function"`` that gives the names and licences of the models that are here; as quick.
    """

    name: str
    description: str
    licence: str
    target: str
    quality: int = 0
    requires: tuple[str, ...] = ()
    remedy: str = ""
    has_models: bool = False
    ready: str = ""
    models: str = ""

    def missing(self, model: str = "") -> str:
        """Why the engine cannot be used here, by this model where one is named, or an empty string."""
        absent = [module for module in self.requires if not _installed(module)]
        if absent:
            return f"needs {', '.join(absent)}" + (f": {self.remedy}" if self.remedy else "")
        if not self.ready:
            return ""
        try:
            return str(_named(self.ready)(model))
        except LoopgenError as error:
            return str(error)
        except Exception as error:  # whatever it raises is a reason
            return _said(error)

    def info(self) -> EngineInfo:
        """The entry as it is listed."""
        reason = self.missing()
        return EngineInfo(self.name, self.description, self.licence, not reason, reason)

    def playable(self) -> list[Playable]:
        """The engine by its own name, then with each model that is here; nothing where it cannot be used."""
        if self.missing():
            return []
        named = _named(self.models)() if self.models else []
        return [Playable(self.name, self.licence), *(Playable(f"{self.name}:{name}", says) for name, says in named)]

    def make(self, model: str = "", hardware: Hardware | None = None, progress: Progress | None = None) -> Engine:
        """Import and construct the engine; raises whatever that raises."""
        factory = _named(self.target)
        engine: Engine = factory(model, hardware or Hardware(), progress) if self.has_models else factory()
        return engine


BUILT_IN = (
    EngineEntry(
        name="sketch",
        description="embedded groovebox: synthesised drums, bass, chords and leads in many genres; not MusicGen",
        licence="CC0-1.0",
        target="loopgen.engines.sketch.engine:SketchEngine",
        quality=10,
    ),
    EngineEntry(
        name="musicgen",
        description="MusicGen's models by loopgen's own decoder; musicgen:NAME plays by one of `loopgen models list`",
        licence="CC-BY-NC-4.0",
        target="loopgen.engines.musicgen.engine:MusicGenEngine",
        quality=30,
        requires=("torch", "transformers"),
        remedy="pip install 'loopgen[musicgen]'",
        has_models=True,
        ready="loopgen.engines.musicgen.choice:why_not_ready",
        models="loopgen.engines.musicgen.choice:here",
    ),
    EngineEntry(
        name="audiocraft",
        description="the original library: MusicGen, MusicGen-Style, MAGNeT; audiocraft:NAME plays by one of them",
        licence="CC-BY-NC-4.0",
        target="loopgen.engines.audiocraft:AudiocraftEngine",
        quality=0,
        requires=("audiocraft",),
        remedy="install audiocraft as its own page says",
        has_models=True,
    ),
)


def engines() -> list[EngineInfo]:
    """Every engine that is known here, best first, with the reason where it cannot be used. Imports no engine."""
    entries, broken = _registry()
    ranked = sorted(entries.values(), key=lambda entry: (-entry.quality, entry.name))
    return [entry.info() for entry in ranked] + broken


def playable() -> list[Playable]:
    """All that can play here and that may be named to strangers, the best engine first. Imports no engine."""
    entries, _ = _registry()
    ranked = sorted(entries.values(), key=lambda entry: (-entry.quality, entry.name))
    return [found for entry in ranked for found in entry.playable() if is_public(found.name)]


def load(
    name: str = "auto",
    hardware: Hardware | None = None,
    progress: Progress | None = None,
    *,
    passed_over: Callable[[str], None] = lambda reason: None,
) -> Engine:
    """Construct an engine by name; ``auto`` is the available one of the highest quality.

    ``hardware`` is for engines with models; ``progress`` is told how far the loading of a model is, and may raise to
    stop it; ``passed_over`` is told why one that seemed available does not play after all (damaged weights, say), and
    which does. Raises ``EngineUnavailable`` that says what to do.
    """
    entries, broken = _registry()
    if name == "auto":
        return _best(_ranked(entries.values()), hardware, progress, passed_over)
    plain, model = _found(name, entries, broken)
    return _construct(entries[plain], model, hardware, progress)


def check(name: str) -> None:
    """Raise ``EngineUnavailable`` for an engine that is unknown or lacks what it needs; loads nothing."""
    entries, broken = _registry()
    if name != "auto":
        plain, model = _found(name, entries, broken)
        if reason := entries[plain].missing(model):
            raise EngineUnavailable(f"engine {name!r} is not available: {reason}")


def separator() -> Callable[[Audio], Audio]:
    """What takes drums and bass out of a recording; it raises ``EngineUnavailable`` where Demucs is missing."""
    return _named("loopgen.engines.separate:without_drums_and_bass")


def listener(name: str) -> Callable[[Audio], Votes] | None:
    """What says beats and downbeats by another listener's ear, one of ``LISTENERS``; None for our own.

    Nothing is loaded before it is asked. Raises ``EngineUnavailable`` where it is not here, and when it fails.
    """
    if name == OWN:
        return None
    if reason := listener_missing():
        raise EngineUnavailable(f"listener {name!r} is not available: {reason}; or --listener {OWN} goes without")
    return _named("loopgen.engines.listen:votes")


def listener_missing() -> str:
    """Why the other listener, beat_this, cannot be asked, or an empty string. Imports nothing heavy."""
    return str(_named("loopgen.engines.listen:missing")())


def has_models(name: str) -> bool:
    """Whether an engine of this name plays by a model, which takes room; False for unknown ones.

    ``auto`` is what it stands for at the moment.
    """
    entries = _registry()[0]
    if name == "auto":
        return next((entry.has_models for entry in _ranked(entries.values()) if not entry.missing()), False)
    entry = entries.get(split(name)[0])
    return entry is not None and entry.has_models


def split(name: str) -> tuple[str, str]:
    """An engine's own name, and the model's.

    >>> split("musicgen:facebook/musicgen-small"), split("sketch")
    (('musicgen', 'facebook/musicgen-small'), ('sketch', ''))
    """
    plain, _, model = name.partition(":")
    return plain, model


def is_public(name: str) -> bool:
    """Whether an engine's name leads to no path of this machine: a model is plain, or one of a hub (``owner/name``).

    >>> [is_public(name) for name in ("musicgen:medium", "musicgen:me/mine", "musicgen:../x", "musicgen:/weights")]
    [True, True, False, False]
    """
    plain = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}"
    return re.fullmatch(rf"{plain}(:{plain}(/{plain})?)?", name) is not None


def _found(name: str, entries: dict[str, EngineEntry], broken: list[EngineInfo]) -> tuple[str, str]:
    """The parts of a name that is in the registry; raises ``EngineUnavailable``."""
    plain, model = split(name)
    if plain in entries:
        if model and not entries[plain].has_models:
            raise EngineUnavailable(f"engine {plain!r} has no models to choose from; give {plain!r} alone")
        return plain, model
    for info in broken:
        if info.name == name:
            raise EngineUnavailable(f"engine {name!r} is not available: {info.reason}")
    known = ["auto", *sorted(entries)]
    near = difflib.get_close_matches(plain.lower(), known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "see `loopgen engines`"
    raise EngineUnavailable(f"engine {name[:64]!r} is unknown; {hint} (known: {', '.join(known)})")


def _ranked(entries: Iterable[EngineEntry]) -> list[EngineEntry]:
    """Those that ``auto`` may be, best first."""
    return sorted((entry for entry in entries if entry.quality > 0), key=lambda entry: (-entry.quality, entry.name))


def _best(
    entries: Iterable[EngineEntry],
    hardware: Hardware | None,
    progress: Progress | None,
    passed_over: Callable[[str], None],
) -> Engine:
    reasons, unforeseen = [], []
    for entry in entries:
        try:
            engine = _construct(entry, "", hardware, progress)
        except (Cancelled, InvalidRequest):  # hardware that the user named and that is not there
            raise
        except LoopgenError as error:
            reasons.append(str(error))
            unforeseen += [] if entry.missing() else [str(error)]
            continue
        for reason in unforeseen:
            passed_over(f"{reason}; {engine.name} plays instead")
        return engine
    raise EngineUnavailable("no engine is available: " + "; ".join(reasons))


def _construct(entry: EngineEntry, model: str, hardware: Hardware | None, progress: Progress | None) -> Engine:
    reason = entry.missing(model)
    if reason:
        raise EngineUnavailable(f"engine {entry.name!r} is not available: {reason}")
    try:
        engine = entry.make(model, hardware, progress)
    except LoopgenError:  # says what to do better than we could
        raise
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


def _named(target: str) -> Callable[..., Any]:
    """What ``"module:name"`` names."""
    module, _, name = target.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
