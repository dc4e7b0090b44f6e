"""Whether MusicGen can play on this machine, and plays right: what ``loopgen doctor`` looks at.

Importing this module imports nothing heavy, so that it can tell somebody who lacks it what to install.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Literal

from loopgen.engines.base import Hardware
from loopgen.engines.musicgen import catalogue, hub
from loopgen.errors import LoopgenError

Level = Literal["ok", "warning", "problem"]
Told = Callable[[float, str], None]
"""Told the share of the work that is done, and what comes next and takes a while; may raise to stop."""

REQUIRED = {"torch": "2.6", "transformers": "5.18", "safetensors": "0.5"}
"""The extra ``musicgen`` and its oldest versions, as pyproject.toml has them."""
OPTIONAL = {
    "triton": "the fastest steps on NVIDIA GPUs",
    "audiocraft": "the engine audiocraft",
    "demucs": "melodies from whole recordings",
}
INSTALL = "pip install 'loopgen[musicgen]'"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line; a warning is of what works less well or not at all but was not asked for."""

    topic: str
    level: Level
    text: str
    remedy: str = ""


def examine(
    model: str = "", hardware: Hardware | None = None, *, is_needed: bool = False, told: Told | None = None
) -> Iterator[Finding]:
    """Look at versions, hardware, memory, weights and the decoder, one finding after the other.

    ``model`` is the one to try; without a name the smallest that is here, or else a tiny one with random weights.
    ``is_needed``: the user's engine is musicgen, so that it is a problem and no warning if it cannot play.
    """
    tell = told or _nothing
    lacking: Level = "problem" if is_needed or model else "warning"
    versions = list(_versions(lacking))
    yield from versions
    if any(finding.level == lacking for finding in versions):
        return
    hardware = hardware or Hardware()
    tell(0.1, "loading PyTorch")
    try:
        trial = import_module("loopgen.engines.musicgen.trial")  # by name, as it imports torch
        seen = trial.hardware(hardware)
    except LoopgenError as error:
        yield Finding("device", "problem", str(error))
        return
    except Exception as error:  # a library that is installed and does not start
        yield Finding("torch", "problem", f"does not start: {said(error)}", f"install it anew: {INSTALL}")
        return
    free = seen.free
    shown = "memory unknown" if free is None else f"{hub.in_words(free)} of memory free"
    yield Finding("device", "ok", f"{seen.device}, {shown}, precision {seen.precision}")
    yield Finding("threads", "ok", f"{seen.threads} of {seen.cores} cores that this process may use")
    here = [found for found in hub.present() if not found.lacks]
    chosen = model or (min(here, key=lambda found: found.size).name if here else "")
    for finding in _weights(here, model, lacking):
        yield finding
        if finding.level == "problem":
            chosen = ""
    yield _memory(free, seen.precision, chosen, lacking)
    yield from trial.play(chosen, hardware, tell)


def _versions(lacking: Level) -> Iterator[Finding]:
    from loopgen import __version__

    yield Finding("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield Finding("loopgen", "ok", f"{__version__}, numpy {installed('numpy')}")
    for name, oldest in REQUIRED.items():
        found = installed(name)
        if not found or find_spec(name) is None:
            yield Finding(name, lacking, "not installed; the engine musicgen needs it", INSTALL)
        elif _numbers(found) < _numbers(oldest):
            yield Finding(name, lacking, f"{found} is too old; {oldest} is needed", f"{INSTALL} --upgrade")
        else:
            yield Finding(name, "ok", found)
    for name, use in OPTIONAL.items():
        found = installed(name)
        yield Finding(name, "ok", found or f"not installed; it is optional, for {use}")


def _weights(here: list[hub.Found], model: str, lacking: Level) -> Iterator[Finding]:
    for found in hub.present():
        if found.lacks:
            yield Finding("weights", "warning", f"{found.name} is not all here", f"loopgen models pull {found.name}")
    if here:
        licences = ", ".join(sorted({catalogue.licence_of(found.name) for found in here}))
        listed = ", ".join(f"{found.name} ({hub.in_words(found.size)})" for found in here)
        yield Finding("weights", "ok", f"{listed}; licence {licences}")
    if model:
        try:
            yield Finding("weights", "ok", f"{model} in {hub.locate(model)}")
        except LoopgenError as error:
            yield Finding("weights", "problem", str(error))
    elif not here:
        size = hub.in_words(catalogue.find("small").download_bytes)
        remedy = f"loopgen models pull small (about {size}, {catalogue.LICENCE})"
        yield Finding("weights", lacking, "none on this machine", remedy)


def _memory(free: int | None, precision: str, chosen: str, lacking: Level) -> Finding:
    needs = {known.name: known.memory_bytes(precision) for known in catalogue.MODELS if known.channels == 1}
    listed = ", ".join(f"{name} {hub.in_words(size)}" for name, size in needs.items())
    if free is None:
        return Finding("memory", "ok", f"needed in {precision}: {listed}")
    fits = [name for name, size in needs.items() if size <= free]
    text = f"needed in {precision}: {listed}; {_fitting(fits, len(needs))}"
    known = catalogue.get(chosen) if chosen else None
    if known and known.memory_bytes(precision) > free:
        return Finding("memory", lacking, f"{text}, and {known.name} does not", "choose a smaller model")
    if not fits:
        return Finding("memory", "warning", text, "close other programs, or use another machine for musicgen")
    return Finding("memory", "ok", text)


def _fitting(fits: list[str], count: int) -> str:
    if len(fits) in (0, count):
        return "all fit" if fits else "none fits"
    return f"{', '.join(fits)} {'fits' if len(fits) == 1 else 'fit'}"


def installed(name: str) -> str:
    """The version of a package, or an empty string."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _numbers(text: str) -> tuple[int, ...]:
    """The leading numbers of a version.

    >>> _numbers("2.13.0+cpu"), _numbers("5.18.0.dev0") >= _numbers("5.18")
    ((2, 13, 0), True)
    """
    match = re.match(r"\d+(\.\d+)*", text)
    return tuple(map(int, match[0].split("."))) if match else ()


def said(error: Exception) -> str:
    """An error of anybody's in one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _nothing(_share: float, _next: str) -> None:
    return None
