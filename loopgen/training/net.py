"""The network of ``loopgen.looping.beat_net`` as PyTorch trains it: the same layers under the same names."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from loopgen.looping.beat_net import DILATIONS, METER_TRAITS, TURNS
from loopgen.looping.cell_features import CHANNELS

HIDDEN, AROUND = 40, 48
"""Channels in time and around the bar."""

DROPOUT = 0.15


class BeatNet(nn.Module):
    """Evidence for each cell of the bar, from the cells of grids that all have bars of the same length."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv1d(CHANNELS, HIDDEN, 1)
        self.time = nn.ModuleList(nn.Conv1d(HIDDEN, HIDDEN, 3, padding=d, dilation=d) for d in DILATIONS)
        self.mix = nn.ModuleList(nn.Conv1d(HIDDEN, HIDDEN, 1) for _ in DILATIONS)
        self.fold = nn.Conv1d(2 * HIDDEN + METER_TRAITS, AROUND, 1)
        self.turn = nn.ModuleList(nn.Conv1d(AROUND, AROUND, 5) for _ in TURNS)
        self.leave = nn.Conv1d(AROUND, 1, 1, bias=False)

    def forward(self, features: Tensor, present: Tensor, traits: Tensor) -> Tensor:
        """``(grids, CHANNELS, bars, bar)``, ``(grids, 1, bars, bar)`` of 0 and 1, ``(grids, METER_TRAITS)`` ->
        ``(grids, bar)``. Absent cells have zeros."""
        bars, bar = features.shape[2:]
        present = present.flatten(2)
        x = F.silu(self.enter(features.flatten(2))) * present
        x = F.dropout1d(x, DROPOUT, self.training)
        for convolve, mix in zip(self.time, self.mix, strict=True):
            x = (x + mix(F.silu(convolve(x)))) * present
        count = present.reshape(len(x), 1, bars, bar).sum(2)
        mean = x.reshape(len(x), -1, bars, bar).sum(2) / count.clamp(min=1)
        most = (x + (present - 1) * 1e4).reshape(len(x), -1, bars, bar).amax(2) * (count > 0)
        told = traits[:, :, None].expand(-1, -1, bar)
        z = F.silu(self.fold(torch.cat([mean, most, told], 1)))
        z = F.dropout(z, DROPOUT, self.training)
        for convolve, dilation in zip(self.turn, TURNS, strict=True):
            reach = 2 * dilation
            around = torch.arange(-reach, bar + reach) % bar
            layer = cast(nn.Conv1d, convolve)
            z = z + F.silu(F.conv1d(z[:, :, around], layer.weight, layer.bias, dilation=dilation))
        return cast(Tensor, self.leave(z)[:, 0])


def exported(net: BeatNet) -> dict[str, NDArray[np.float16]]:
    """The weights as ``beat_net`` reads them: half precision, 1x1 convolutions as matrices."""
    weights = {}
    for name, value in net.state_dict().items():
        array = value.detach().numpy().astype(np.float16)
        weights[name] = array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array
    return weights
