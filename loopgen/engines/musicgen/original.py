"""Checkpoints as the original library, audiocraft, exports them: two files and what they only name.

Each is a dictionary of weights and of the settings of the training run (audiocraft 1.3.0, ``utils/export.py``)::

    state_dict.bin               best_state: the language model and what reads its prompts, xp.cfg: YAML
    compression_state_dict.bin   best_state and xp.cfg of the codec, or pretrained: the name of a published one
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import yaml  # type: ignore[import-untyped]

from loopgen.engines.musicgen import hub
from loopgen.errors import EngineUnavailable

LM_FILE, CODEC_FILE = hub.ORIGINAL

_EXPORT = "a model that audiocraft trained is exported by export_lm and export_encodec of audiocraft.utils.export"


def read(file: Path) -> dict[str, Any]:
    """A checkpoint, on the CPU, its tensors mapped from the file; only data is unpickled, no code of the file's is run.

    Raises ``EngineUnavailable`` where it cannot be read or is none.
    """
    try:
        try:
            checkpoint = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:  # the format of torch before 1.6 cannot be mapped
            checkpoint = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise EngineUnavailable(f"{file} is damaged, or holds objects besides weights and text; {_EXPORT}") from error
    except (OSError, RuntimeError, EOFError, ValueError) as error:
        raise EngineUnavailable(f"{file} cannot be read: {str(error).partition('.')[0] or 'it is empty'}") from error
    if not isinstance(checkpoint, dict) or not ("best_state" in checkpoint or "pretrained" in checkpoint):
        raise EngineUnavailable(f"{file} is no exported model: it has no 'best_state'; {_EXPORT}")
    return checkpoint


def part(name: str) -> Path:
    """The folder of a part that checkpoints only name, a T5 or a codec, in the hub's cache.

    Raises ``EngineUnavailable`` that says how to get it.
    """
    repos = [f"google-t5/{name}", name] if re.fullmatch(r"t5-\w+", name) else [name]  # t5-base moved there in 2024
    for repo in repos:
        folder = hub.snapshot(repo)
        if folder is not None and (folder / hub.CONFIG).is_file():
            return folder
    raise EngineUnavailable(
        f"the checkpoint needs {name}, which is not on this machine: "
        f"`hf download {repos[0]} --include '*.json' '*.model' model.safetensors` gets it"
    )


def place(name: str, folder: Path, find: Callable[[str], Path] = part) -> Path:
    """The folder of a part: beside a checkpoint, in ``folder / NAME``, or where ``find`` finds it."""
    return folder / name if (folder / name / hub.CONFIG).is_file() else find(name)


class Settings:
    """The settings of a training run, as ``xp.cfg`` has them: YAML with references like ``${sample_rate}``.

    >>> text = "sample_rate: 32000\\ncodec: {rate: '${sample_rate}'}"
    >>> Settings({"xp.cfg": text}, Path("state_dict.bin")).get("codec.rate")
    32000
    """

    def __init__(self, checkpoint: Mapping[str, Any], file: Path) -> None:
        self.file = file
        text = checkpoint.get("xp.cfg")
        try:
            self._tree = yaml.safe_load(text) if isinstance(text, str) else None
        except yaml.YAMLError as error:
            raise EngineUnavailable(f"{file} has settings in 'xp.cfg' that are no YAML: {error}") from error
        if not isinstance(self._tree, dict):
            raise EngineUnavailable(f"{file} has no settings as text in 'xp.cfg'; {_EXPORT}")

    def get(self, path: str, *default: Any) -> Any:
        """The value at a path like ``transformer_lm.dim``, or ``default``; without one it must be there."""
        node: Any = self._tree
        for name in path.split("."):
            if not isinstance(node, dict) or name not in node:
                if default:
                    return default[0]
                raise EngineUnavailable(f"{self.file} does not say {path!r} in its settings; {_EXPORT}")
            node = self._resolved(node[name])
        return node

    def require(self, wanted: Mapping[str, Any]) -> None:
        """Raise ``EngineUnavailable`` where a setting is there and is none of those that transformers knows."""
        for path, value in wanted.items():
            found = self.get(path, value)
            if found != value:
                raise EngineUnavailable(
                    f"{self.file} is of a model that loopgen's decoder does not know: {path} is {found!r}, "
                    f"not {value!r}; where audiocraft is installed, --engine audiocraft:FOLDER plays it"
                )

    def _resolved(self, value: Any) -> Any:
        reference = re.fullmatch(r"\$\{([\w.]+)\}", value) if isinstance(value, str) else None
        return self.get(reference[1]) if reference else value
