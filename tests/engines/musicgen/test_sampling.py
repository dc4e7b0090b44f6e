"""Drawing against the plain definition of what is drawn."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from loopgen.engines.musicgen.sampling import Noise, choose, guide, gumbel

CARDS = 12
DRAWS = 40_000


def drawn(logits: Tensor, *, temperature: float = 1, top_k: int = CARDS, top_p: float = 0, seed: int = 0) -> Tensor:
    """Shares of the tokens over many draws from the same logits, ``(cards,)``."""
    noise = Noise([seed], codebooks=DRAWS, cards=CARDS).draw(1)[0]
    tokens = choose(
        logits.expand(1, DRAWS, CARDS),
        torch.tensor([float(temperature)]),
        torch.tensor([top_k]),
        torch.tensor([float(top_p)]),
        noise,
    )
    return torch.bincount(tokens.flatten(), minlength=CARDS) / DRAWS


@pytest.fixture
def logits() -> Tensor:
    return torch.randn(CARDS, generator=torch.Generator().manual_seed(4)) * 1.5


def assert_shares(shares: Tensor, chances: Tensor) -> None:
    """Within five standard deviations of a share, whose variance is at most p / n; what has no chance never comes."""
    assert torch.equal(shares[chances == 0], chances[chances == 0])
    assert bool(((shares - chances).abs() <= 5 * (chances / DRAWS).sqrt()).all())


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_shares_are_the_probabilities(logits: Tensor, temperature: float) -> None:
    assert_shares(drawn(logits, temperature=temperature), (logits / temperature).softmax(dim=0))


@pytest.mark.parametrize("top_k", [1, 3, CARDS])
def test_top_k_draws_among_the_likeliest(logits: Tensor, top_k: int) -> None:
    chances = logits.softmax(dim=0)
    chances[logits.argsort(descending=True)[top_k:]] = 0
    assert_shares(drawn(logits, top_k=top_k), chances / chances.sum())


@pytest.mark.parametrize("top_p", [1e-6, 0.3, 0.8, 1.0])
def test_top_p_draws_among_those_that_reach_it(logits: Tensor, top_p: float) -> None:
    chances, total = logits.softmax(dim=0), 0.0
    kept = torch.zeros_like(chances)
    for token in logits.argsort(descending=True).tolist():
        if total < top_p:
            kept[token] = chances[token]
        total += float(chances[token])
    assert_shares(drawn(logits, top_p=top_p, top_k=1), kept / kept.sum())


def test_without_noise_the_likeliest_comes(logits: Tensor) -> None:
    one = torch.ones(1)
    token = choose(logits.view(1, 1, CARDS), one, one.long() * CARDS, 0 * one, torch.zeros(1, 1, CARDS))
    assert int(token) == int(logits.argmax())


def test_guidance_is_a_line_through_both_rows() -> None:
    rows = torch.randn(4, 3, CARDS)
    told, untold = rows[:2], rows[2:]
    torch.testing.assert_close(guide(rows, torch.tensor([1.0])), told)
    torch.testing.assert_close(guide(rows, torch.tensor([0.0])), untold)
    torch.testing.assert_close(guide(rows, torch.tensor([3.0])), untold + 3 * (told - untold))


def test_noise_belongs_to_its_seed_however_it_is_drawn() -> None:
    together = Noise([5, 6, 5], codebooks=2, cards=16)
    whole = torch.cat([together.draw(steps) for steps in (7, 1, 16)])
    alone = Noise([5], codebooks=2, cards=16).draw(24)
    assert whole.shape == (24, 3, 2, 16)
    assert torch.equal(whole[:, 0], alone[:, 0]) and torch.equal(whole[:, 2], alone[:, 0])
    assert not torch.equal(whole[:, 1], alone[:, 0])


def test_noise_is_gumbel_and_finite() -> None:
    noise = Noise([1], codebooks=4, cards=50_000).draw(1)
    assert abs(float(noise.mean()) - 0.5772) < 0.02  # Euler's constant
    assert abs(float(noise.var()) - torch.pi**2 / 6) < 0.05
    ends = gumbel(torch.tensor([0.0, 1 - 2**-24]))
    assert bool(ends.isfinite().all()) and -4 < float(ends[0]) < -3 and 16 < float(ends[1]) < 17
