"""The delay pattern: in which order the tokens of a frame are drawn (arXiv 2306.05284, figure 1).

Codebook k of a frame is drawn k steps after codebook 0, so that it can depend on the coarser ones. Stereo models have
codebooks in pairs, left and right, that are drawn together. Column 0 is all padding; frame f of codebook k stands in
column ``1 + f + delay(k)``::

    mono, 3 frames:   codebook 0    P a b c P P P
                      codebook 1    P P a b c P P
                      codebook 2    P P P a b c P
                      codebook 3    P P P P a b c
"""

from __future__ import annotations

import torch
from torch import Tensor

from loopgen.engines.musicgen.weights import Shape

TO_DRAW = -1
"""Stands in a pattern where a token is yet to be drawn."""


def delays(shape: Shape) -> list[int]:
    """Steps by which each codebook comes later than the first.

    >>> mono = Shape(layers=1, width=8, heads=1, ffn=8, codebooks=4, cards=16, channels=1, has_prefix=False)
    >>> delays(mono)
    [0, 1, 2, 3]
    """
    return [codebook // shape.channels for codebook in range(shape.codebooks)]


def steps(shape: Shape, frames: int) -> int:
    """Steps that draw so many frames; the pattern has one column more."""
    return frames + max(delays(shape))


def pattern(shape: Shape, prompts: Tensor, frames: int) -> Tensor:
    """The delayed sequence before anything is drawn, ``(takes, codebooks, steps + 1)`` int64.

    ``prompts`` are the tokens that the takes begin with, ``(takes, codebooks, n)``, n from 0 to ``frames``. The rest is
    padding or ``TO_DRAW``.
    """
    takes, _, known = prompts.shape
    columns = torch.full((takes, shape.codebooks, steps(shape, frames) + 1), shape.pad, dtype=torch.int64)
    for codebook, delay in enumerate(delays(shape)):
        first = 1 + delay
        columns[:, codebook, first : first + frames] = TO_DRAW
        columns[:, codebook, first : first + known] = prompts[:, codebook]
    return columns


def resolve(shape: Shape, columns: Tensor) -> Tensor:
    """Frames out of the first columns of a pattern, ``(takes, codebooks, columns - 1 - largest delay)``.

    >>> shape = Shape(layers=1, width=8, heads=1, ffn=8, codebooks=2, cards=16, channels=1, has_prefix=False)
    >>> known = torch.arange(6).view(1, 2, 3)
    >>> resolve(shape, pattern(shape, known, 3)).tolist() == known.tolist()
    True
    """
    late = delays(shape)
    frames = max(columns.shape[-1] - 1 - max(late), 0)
    rows = [columns[:, codebook, 1 + delay : 1 + delay + frames] for codebook, delay in enumerate(late)]
    return torch.stack(rows, dim=1)
