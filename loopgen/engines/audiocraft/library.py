"""audiocraft's own models, loaded from disk alone and in silence.

audiocraft reaches for the network whenever a part is missing. Here each part must be on disk, or an error says how to
get it: ``state_dict.bin`` and ``compression_state_dict.bin`` in a folder or in the hub's cache, and what they name.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path
from types import ModuleType
from typing import Any

import huggingface_hub
import torch
from torch import Tensor
from transformers.utils import logging as transformers_logging

from loopgen.chroma import HOP
from loopgen.engines.musicgen import catalogue, hub, original
from loopgen.errors import EngineUnavailable

DEBUG = "debug"
"""audiocraft's name for a tiny model of random weights, which its own tests use."""

PAGE = "https://github.com/facebookresearch/audiocraft"


def version() -> str:
    """audiocraft's; empty where it cannot say."""
    try:
        return version_of("audiocraft")
    except PackageNotFoundError:
        return ""


def locate(name: str) -> Path:
    """The folder of a model's two files: a path of the user's own, or in the hub's cache by its name there.

    Names without an owner are Meta's. Raises ``EngineUnavailable`` that says how to get them.
    """
    if own := hub.own_folder(name):
        if lacks := [file for file in hub.ORIGINAL if not (own / file).is_file()]:
            raise EngineUnavailable(f"{own} is no model of audiocraft's: {' and '.join(lacks)} not there")
        return own
    known = catalogue.get(name)
    repo = known.repo if known else name if "/" in name else f"facebook/{name}"
    found = hub.snapshot(repo)
    if found is None or not all((found / file).is_file() for file in hub.ORIGINAL):
        raise EngineUnavailable(
            f"audiocraft's files of {repo} are not on this machine: `hf download {repo} {' '.join(hub.ORIGINAL)}` gets "
            f"them ({catalogue.LICENCE})"
        )
    return found


def load(name: str, device: str) -> Any:
    """audiocraft's ``MusicGen`` or ``MAGNeT`` of a name (see ``locate``; also ``"debug"``) on ``cpu`` or ``cuda``.

    A melody model's melody is told as ``follow`` says. Raises ``EngineUnavailable``.
    """
    with quiet(), _explained(name):
        models = import_module("audiocraft.models")
        if name == DEBUG:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)  # the same model each time
                return models.MusicGen.get_pretrained(DEBUG, device)
        folder = locate(name)
        settings = original.Settings(original.read(folder / original.LM_FILE), folder / original.LM_FILE)
        kind = models.MAGNeT if settings.get("lm_model") == "transformer_lm_magnet" else models.MusicGen
        with _from_disk(folder):
            model = kind.get_pretrained(str(folder), device)
        if conditioner := chroma_conditioner(model):
            follow(conditioner)
        return model


def chroma_conditioner(model: Any) -> Any:
    """What tells a melody model its melody, or None."""
    found: Any = dict(model.lm.condition_provider.conditioners.items()).get("self_wav")
    return found if hasattr(found, "chroma") and found.chroma.winhop == HOP else None


def follow(conditioner: Any) -> None:
    """From now on the "recording" of a melody is one whose samples are pitch classes, 0 (C) to 11, at 32 kHz.

    audiocraft would take drums and bass out of a recording by demucs, another model, and reduce the rest to one pitch
    class every 128 ms. Notes say that exactly; they still go through all that audiocraft does with a recording
    (batches, windows of long takes). Silence is C, as in the chroma of recordings, and also says that there is none.
    """

    def classes(wav: Tensor, _rate: int) -> Tensor:
        return torch.nn.functional.one_hot(wav[:, 0, ::HOP].round().long(), 12).float()

    conditioner._compute_wav_embedding = classes


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings and no bars: what matters is an error of ours."""
    logger = logging.getLogger("audiocraft")
    level, verbosity = logger.level, transformers_logging.get_verbosity()
    bars: Any = transformers_logging
    shown = bars.is_progress_bar_enabled()
    logger.setLevel(logging.ERROR)
    transformers_logging.set_verbosity(logging.ERROR)
    bars.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        transformers_logging.set_verbosity(verbosity)
        if shown:
            bars.enable_progress_bar()


class _OnDisk:
    """A class of transformers' whose ``from_pretrained`` looks on this machine only."""

    def __init__(self, kind: Any, folder: Path) -> None:
        self._kind, self._folder = kind, folder

    def from_pretrained(self, name: str) -> Any:
        return self._kind.from_pretrained(original.place(name, self._folder), local_files_only=True)


class _Unused:
    """In the place of demucs, which melody models load whether it is needed or not."""

    sources = ("drums", "bass", "vocals", "other")

    def to(self, _device: Any) -> _Unused:
        return self


@contextmanager
def _from_disk(folder: Path) -> Iterator[None]:
    """Parts that a checkpoint only names come from beside it or from the hub's cache, and demucs is left out."""
    conditioners, encodec = (import_module(f"audiocraft.{name}") for name in ("modules.conditioners", "models.encodec"))
    demucs, pretrained = ModuleType("demucs"), ModuleType("demucs.pretrained")
    vars(demucs).update(pretrained=pretrained, __path__=[])
    vars(pretrained).update(get_model=lambda _name: _Unused())
    with ExitStack() as stack:
        for module, name in (
            (conditioners, "T5Tokenizer"),
            (conditioners, "T5EncoderModel"),
            (encodec, "HFEncodecModel"),
        ):
            stack.enter_context(_swapped(vars(module), name, _OnDisk(getattr(module, name), folder)))
        stack.enter_context(_swapped(vars(huggingface_hub.constants), "HF_HUB_OFFLINE", True))
        stack.enter_context(_swapped(sys.modules, "demucs", demucs))
        stack.enter_context(_swapped(sys.modules, "demucs.pretrained", pretrained))
        yield


@contextmanager
def _swapped(names: dict[str, Any], name: str, value: Any) -> Iterator[None]:
    """Inside, another value has the name."""
    before = {name: names[name]} if name in names else {}
    names[name] = value
    try:
        yield
    finally:
        del names[name]
        names.update(before)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """What the library raises while it loads, as errors that say what to do."""
    try:
        yield
    except EngineUnavailable:
        raise
    except ImportError as error:
        raise EngineUnavailable(f"audiocraft lacks a part: {error}; install it as {PAGE} says") from error
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # whatever it raises is a reason
        told = str(error).strip().partition("\n")[0] or type(error).__name__
        raise EngineUnavailable(f"audiocraft {version()} cannot load {name}: {told}") from error
