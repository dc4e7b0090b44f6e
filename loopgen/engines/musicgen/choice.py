"""Which of the models that are here plays when nobody names one. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loopgen.engines.musicgen import catalogue, hub
from loopgen.errors import EngineUnavailable

_ON_GPU = (
    "stereo-medium", "medium", "stereo-melody", "melody", "stereo-large", "large", "stereo-melody-large",
    "melody-large", "stereo-small", "small",
)  # fmt: skip
"""Medium first: large takes nearly twice as long for a small gain in Meta's own listening tests (arXiv 2306.05284)."""
_ON_CPU = tuple(sorted(_ON_GPU, key=lambda name: catalogue.find(name).decoder_parameters))


def choose(*, has_gpu: bool, cache: Path | None = None) -> str:
    """The name of a model in the hub's cache: the fastest of those here without a GPU, else the best balanced.

    Models that Meta did not publish come after those that it did, by name. Raises ``EngineUnavailable`` where none is.
    """
    names = _whole(cache)
    if not names:
        raise EngineUnavailable(why_not_ready(cache=cache))
    order = _ON_GPU if has_gpu else _ON_CPU
    return min(names, key=lambda name: (order.index(name) if name in order else len(order), name))


def why_not_ready(model: str = "", cache: Path | None = None) -> str:
    """Why MusicGen cannot play (by this model), although what it needs is installed; empty if it can.

    Raises ``EngineUnavailable`` for a model that is not here.
    """
    if model:
        hub.locate(model, cache)
    if model or _whole(cache):
        return ""
    small = catalogue.find("small")
    return (
        "no model is on this machine: `loopgen models pull small` gets one "
        f"(about {hub.in_words(small.download_bytes)}; {catalogue.LICENCE}: not for music that is sold)"
    )


def here(cache: Path | None = None) -> list[tuple[str, str]]:
    """The models in the hub's cache that are whole, each with its licence."""
    return [(name, catalogue.licence_of(name)) for name in _whole(cache)]


def _whole(cache: Path | None) -> Sequence[str]:
    return [model.name for model in hub.present(cache) if not model.lacks]
