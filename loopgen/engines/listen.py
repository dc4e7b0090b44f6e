"""beat_this as another listener: what the published network of Foscarin, Schlüter and Widmer hears of beats and bars.

It is MIT and was trained on far more music than ours, but it is twenty million weights that run in PyTorch, which come
from its authors' server and not from PyPI, and it needs torchaudio: so it is asked only where the user says so, and its
answer is weighed with what loopgen hears itself. Nothing of it is imported before, and nothing is ever downloaded here.

"Beat This! Accurate beat tracking without DBN postprocessing", ISMIR 2024, https://github.com/CPJKU/beat_this
"""

from __future__ import annotations

import os
import sys
import threading
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from loopgen.errors import EngineUnavailable
from loopgen.music.audio import Audio
from loopgen.music.beats import Votes

MODEL = "final0"
"""The checkpoint that beat_this takes when nobody names one: trained on all of its data but GTZAN."""

REQUIRED = ("beat_this", "torchaudio")
INSTALL = "pip install 'loopgen[beat-this]'"
GO_WITHOUT = "--listener own goes without"

_SHORTEST_SECONDS = 0.1
_loading = threading.Lock()


def missing() -> str:
    """Why beat_this cannot be asked, and what to do; empty where it can. Imports and downloads nothing."""
    if absent := [name for name in REQUIRED if find_spec(name) is None]:
        return f"{' and '.join(absent)} {'are' if absent[1:] else 'is'} not installed: {INSTALL}"
    if not weights().is_file():
        return f"its weights are not in {weights()}; this fetches them, some 80 MB, once: {fetching()}"
    return ""


def weights() -> Path:
    """Where beat_this keeps its weights once they are fetched: in the cache of ``torch.hub``."""
    cached = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or f"{cached}/torch"
    return Path(home).expanduser() / "hub" / "checkpoints" / f"beat_this-{MODEL}.ckpt"


def fetching() -> str:
    """The command that fetches the weights, for this very Python."""
    return f"{sys.executable} -c \"from beat_this.inference import load_model; load_model('{MODEL}')\""


def votes(audio: Audio) -> Votes:
    """Beats and downbeats in seconds that beat_this hears; none in less than a tenth of a second.

    The network stays in memory. Raises ``EngineUnavailable`` where it is not here, does not start or fails.
    """
    if reason := missing():
        raise EngineUnavailable(f"beat_this cannot be asked: {reason}; or {GO_WITHOUT}")
    if audio.seconds < _SHORTEST_SECONDS:
        return Votes(np.zeros(0), np.zeros(0))
    try:
        with _loading:
            hear = _network()
        mono = np.nan_to_num(audio.mono(), nan=0.0, posinf=0.0, neginf=0.0)
        beats, downbeats = hear(mono, audio.rate)
    except Exception as error:  # somebody else's code, and whatever weights lie there
        said = f"{type(error).__name__}: {error}"
        raise EngineUnavailable(
            f"beat_this failed ({said}); {GO_WITHOUT}, and where its weights are damaged, delete {weights()} and fetch "
            f"them anew: {fetching()}"
        ) from error
    return Votes(_times(beats), _times(downbeats))


def _times(found: Any) -> np.typing.NDArray[np.float64]:
    times = np.unique(np.asarray(found, dtype=np.float64).ravel())
    return times[np.isfinite(times)]


@cache
def _network() -> Any:
    from beat_this.inference import Audio2Beats

    return Audio2Beats(checkpoint_path=str(weights()), device="cpu", dbn=False)
