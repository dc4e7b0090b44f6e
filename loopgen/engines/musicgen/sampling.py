"""From logits to tokens: guidance, temperature, top-k, top-p and seeded noise, all as tensors of static shape.

Tokens are drawn by the Gumbel-max method: the largest of log-probability plus Gumbel noise is distributed as the
probabilities are (Gumbel 1954; Maddison et al. 2014, "A* sampling"). The noise is all the chance there is, and it comes
from one generator a seed on the CPU: so a seed means the same on every device and in every batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def guide(logits: Tensor, guidance: Tensor) -> Tensor:
    """Lead away from the unconditional rows (classifier-free guidance, arXiv 2207.12598).

    ``logits`` are ``(2 * takes, codebooks, cards)``, conditional rows first; ``guidance`` is ``(1,)``, 1 being the
    conditional model itself. Gives ``(takes, codebooks, cards)``.
    """
    told, untold = logits.chunk(2)
    return untold + (told - untold) * guidance


def choose(logits: Tensor, temperature: Tensor, top_k: Tensor, top_p: Tensor, noise: Tensor) -> Tensor:
    """Draw a token for each take and codebook: ``(takes, codebooks)`` int64.

    ``logits`` and ``noise`` are ``(takes, codebooks, cards)`` float32; the others ``(1,)``. ``temperature`` is above 0.
    Of the ``top_k`` likeliest tokens (1 to ``cards``), or where ``top_p`` is above 0, of the likeliest that together
    have that probability, as audiocraft does it: a token counts as long as those before it have not reached ``top_p``.
    Tokens as likely as the last of these count too. Zero noise gives the likeliest token.

    >>> one = torch.ones(1)
    >>> choose(torch.tensor([[[0.0, 3.0, 2.0]]]), one, one.long(), 0 * one, torch.tensor([[[9.0, 0.0, 5.0]]]))
    tensor([[1]])
    """
    logits = logits / temperature
    ranked = logits.sort(dim=-1, descending=True).values
    chances = ranked.softmax(dim=-1)
    nucleus = (chances.cumsum(dim=-1) - chances < top_p).sum(dim=-1, keepdim=True).clamp(min=1)
    count = torch.where(top_p > 0, nucleus, top_k)
    least = ranked.gather(-1, count - 1)
    return (logits.masked_fill(logits < least, -math.inf) + noise).argmax(dim=-1)


class Noise:
    """Gumbel noise for takes, one stream a seed.

    >>> a, b = Noise([1, 2], codebooks=4, cards=8), Noise([2], codebooks=4, cards=8)
    >>> bool((a.draw(3)[:, 1] == torch.cat([b.draw(1), b.draw(2)])[:, 0]).all())
    True
    """

    def __init__(self, seeds: Sequence[int], *, codebooks: int, cards: int) -> None:
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._shape = (codebooks, cards)

    def draw(self, steps: int) -> Tensor:
        """The next steps' noise, ``(steps, takes, codebooks, cards)`` float32 on the CPU."""
        return gumbel(self.uniform(steps))

    def uniform(self, steps: int, out: Tensor | None = None) -> Tensor:
        """What the noise is made of: uniform numbers in [0, 1), same shape; ``gumbel`` of them is the noise."""
        if out is None:
            out = torch.empty(steps, len(self._generators), *self._shape)
        for take, generator in enumerate(self._generators):
            out[:, take] = torch.rand(steps, *self._shape, generator=generator)
        return out


def gumbel(uniform: Tensor) -> Tensor:
    """Standard Gumbel noise from uniform numbers in [0, 1); float32's coarse grid near 1 caps it at 16.6."""
    return -torch.log(-torch.log(uniform.clamp(1e-20, 1 - 2**-24)))
