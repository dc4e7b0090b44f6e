"""The network learns: batches of rivalling grids, of which one cell of one grid begins the bar."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from loopgen.looping.beat_net import CLIP, meter_traits
from loopgen.looping.cell_features import CHANNELS
from loopgen.music.tempo import Meter
from loopgen.onsets import BAND_EDGES
from loopgen.training.examples import Example
from loopgen.training.net import BeatNet

EPOCHS, BATCH, RATE, DECAY = 14, 32, 2.5e-3, 0.01
SMOOTHING = 0.03
AVERAGED = 0.997
"""The network that is kept is a running mean over the steps, each weighing so much of the next."""

BEAT_WEIGHT = 0.5
"""What the beat counts beside the bar: a loop that starts off the beat is worse than one on the wrong beat."""

GRIDS = 3
"""Grids of an example that are compared in a step: the right one and rivals drawn anew each time."""
FEWEST_BARS = 1.3
"""Of an excerpt: people bring loops of a bar or two as well."""
_NOISE = 0.03
_RISING, _BEYOND = 0.15, 40
"""The rate rises for this share of the schedule, which goes on for so many steps an epoch after the training: it ends
before the rate has died out, and the running mean settles what still moves."""

_BANDS = len(BAND_EDGES)

Rng = np.random.Generator


def learned(
    examples: Sequence[Example], seed: int, *, epochs: int = EPOCHS, report: Callable[[str], None] = print
) -> BeatNet:
    """A network trained on ``examples``; the same for the same examples, seed, platform and number of threads."""
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    rng = np.random.default_rng(seed)
    net = BeatNet()
    mean = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(AVERAGED))  # type: ignore[no-untyped-call]
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    steps = epochs * (len(list(_batches(examples, np.random.default_rng(seed)))) + _BEYOND)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps, pct_start=_RISING)
    for epoch in range(epochs):
        net.train()
        losses = []
        for batch in _batches(examples, rng):
            features, present, traits, target, count = _tensors(batch, rng)
            evidence = net(features, present, traits).reshape(count, -1)
            loss = F.cross_entropy(evidence, target, label_smoothing=SMOOTHING)
            loss = loss + BEAT_WEIGHT * _off_beat(evidence, target, batch[0].meter)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            mean.update_parameters(net)
            losses.append(float(loss.detach()))
        report(f"epoch {epoch + 1} of {epochs}: loss {np.mean(losses):.3f}")
    mean.eval()
    assert isinstance(mean.module, BeatNet)
    return mean.module


def _off_beat(evidence: Tensor, target: Tensor, meter: Meter) -> Tensor:
    """Cross-entropy of the beat alone: of the probabilities of all cells of the right grid that are on it."""
    bar, step = round(4 * meter.quarters), round(4 * meter.beat_quarters)
    on_beat = (torch.arange(bar) - target[:, None]) % step == 0
    shares = F.log_softmax(evidence, 1)[:, :bar].masked_fill(~on_beat, -torch.inf)
    return -torch.logsumexp(shares, 1).mean()


def _batches(examples: Sequence[Example], rng: Rng) -> Iterator[list[Example]]:
    """All examples in random order, those of one meter together."""
    meters: dict[tuple[int, int], list[Example]] = defaultdict(list)
    for each in examples:
        meters[each.meter.numerator, each.meter.denominator].append(each)
    batches = []
    for members in meters.values():
        order = rng.permutation(len(members))
        batches += [[members[k] for k in order[b : b + BATCH]] for b in range(0, len(order), BATCH)]
    for k in rng.permutation(len(batches)):
        yield batches[k]


def _tensors(batch: Sequence[Example], rng: Rng) -> tuple[Tensor, Tensor, Tensor, Tensor, int]:
    """Rivalling grids of each example: features, presence, traits, and which cell of the grids in a row is right."""
    meter = batch[0].meter
    bar = round(4 * meter.quarters)
    grids, target = [], []
    for example in batch:
        rivals = [k for k in range(len(example.features)) if k != example.grid]
        chosen = [example.grid, *(int(k) for k in rng.choice(rivals, GRIDS - 1, replace=len(rivals) < GRIDS - 1))]
        begin, end = _excerpt(len(example.features[example.grid]), bar, rng)
        gains, noise = _equaliser(rng), _NOISE
        for k in chosen:
            n = len(example.features[k])
            a, b = round(begin * n), max(round(begin * n) + 1, round(end * n))
            x = np.clip(example.features[k][a:b].astype(np.float32), -CLIP, CLIP) * gains
            grids.append((x + noise * rng.standard_normal(x.shape, dtype=np.float32), (example.first[k] + a) % bar))
        target.append(example.cell)
    bars = max(-(-(first + len(x)) // bar) for x, first in grids)
    features = np.zeros((len(grids), bars * bar, CHANNELS), np.float32)
    present = np.zeros((len(grids), 1, bars * bar), np.float32)
    for row, (x, first) in enumerate(grids):
        features[row, first : first + len(x)] = x
        present[row, 0, first : first + len(x)] = 1
    shaped = torch.from_numpy(features).transpose(1, 2).reshape(len(grids), CHANNELS, bars, bar)
    traits = torch.from_numpy(np.tile(meter_traits(meter), (len(grids), 1)))
    mask = torch.from_numpy(present).reshape(len(grids), 1, bars, bar)
    return shaped, mask, traits, torch.tensor(target), len(batch)


def _excerpt(cells: int, bar: int, rng: Rng) -> tuple[float, float]:
    """A stretch of a take, as shares of it: of ``FEWEST_BARS`` at least, often all."""
    least = min(1.0, FEWEST_BARS * bar / cells)
    length = 1.0 if rng.random() < 0.3 else float(rng.uniform(least, 1.0))
    begin = float(rng.uniform(0, 1 - length))
    return begin, begin + length


def _equaliser(rng: Rng) -> NDArray[np.float32]:
    """Gains of the channels, alike for all that comes of one band: other mixes, and bands that are missing."""
    band = np.exp(rng.normal(0, 0.25, _BANDS)) * (rng.random(_BANDS) > 0.06)
    begun = np.concatenate([band * np.exp(rng.normal(0, 0.1)) for _ in range(4)])
    rest = CHANNELS - len(begun)
    other = (rng.random(rest) > 0.08) * np.exp(rng.normal(0, 0.15, rest))
    return np.concatenate([begun, other]).astype(np.float32)
