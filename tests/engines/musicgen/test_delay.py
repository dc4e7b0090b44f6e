"""The pattern is transformers' own, there and back."""

from __future__ import annotations

import pytest
import torch

from loopgen.engines.musicgen.delay import TO_DRAW, delays, pattern, resolve, steps
from tests.engines.musicgen.peer import hold
from tests.engines.musicgen.tiny import Kind


@pytest.mark.parametrize("kind", ["text", "stereo"])
@pytest.mark.parametrize("known", [0, 5])
def test_pattern_is_that_of_transformers(kind: Kind, known: int) -> None:
    model, frames = hold(kind), 12
    shape = model.shape
    heard = torch.randint(0, shape.cards, (2, shape.codebooks, known))
    start = torch.full((2, shape.codebooks, 1), shape.pad)
    _, theirs = model.theirs.decoder.build_delay_pattern_mask(
        torch.cat([start, heard], dim=2).flatten(0, 1), pad_token_id=shape.pad, max_length=frames + 4
    )
    ours = pattern(shape, heard, frames)
    assert torch.equal(ours.flatten(0, 1), theirs)
    assert int((ours == TO_DRAW).sum()) == 2 * shape.codebooks * (frames - known)
    assert ours.shape[2] == steps(shape, frames) + 1


def test_stereo_draws_left_and_right_together() -> None:
    assert delays(hold("stereo").shape) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert delays(hold("text").shape) == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", ["text", "stereo"])
def test_frames_come_back_as_far_as_they_are_known(kind: Kind) -> None:
    shape = hold(kind).shape
    frames = torch.randint(0, shape.cards, (3, shape.codebooks, 20))
    columns = pattern(shape, frames, 20)
    assert torch.equal(resolve(shape, columns), frames)
    for known in range(columns.shape[2] + 1):
        part = resolve(shape, columns[:, :, :known])
        assert torch.equal(part, frames[:, :, : max(known - 4, 0)])
