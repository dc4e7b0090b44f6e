"""A GPU of little memory: fewer takes at once, and an error that says what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from loopgen.engines.base import Hardware
from loopgen.engines.musicgen import codec, machine
from loopgen.engines.musicgen.engine import MusicGenEngine, _takes_at_once
from loopgen.engines.musicgen.load import load
from loopgen.errors import OutOfMemory
from loopgen.music.request import LoopRequest


@pytest.mark.parametrize(
    ("free", "takes"), [(10**12, 4), (None, 4), (5_100_000_000, 4), (3_900_000_000, 3), (2_000_000_000, 1), (0, 1)]
)
def test_takes_are_as_many_as_there_is_room_for(
    free: int | None, takes: int, tiny_text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A take of musicgen-medium in bf16 keeps two rows of 0.44 GB each: keys and values of 1503 frames."""
    tiny = load(tiny_text, device="cpu", precision="bf16", threads=1)
    tiny.weights.shape = replace(tiny.shape, layers=48, width=1536)
    monkeypatch.setattr(machine, "free_memory", lambda _: free)
    assert _takes_at_once(tiny) == 1, "the processor gains nothing by more"
    tiny.device = torch.device("cuda")
    assert _takes_at_once(tiny) == takes


def test_no_room_for_the_audio_is_told(tiny_text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: codec.Preview) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(codec.Preview, "finish", full)
    engine = MusicGenEngine(str(tiny_text), Hardware("cpu", "fp32", 1))
    with pytest.raises(OutOfMemory, match="text leaves no room for its audio: ask for fewer takes"):
        engine.generate(LoopRequest("dub", 240, bars=1), 1)
