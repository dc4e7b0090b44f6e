"""The network in numpy: the same as the one that was trained, whatever the meter, and turning with the bar."""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files

import numpy as np
import pytest
import torch

from loopgen.looping.beat_net import (
    CARD,
    CLIP,
    TRAITS,
    WEIGHTS,
    Calibration,
    bar_evidence,
    calibration,
    fullness,
    meter_traits,
    packed,
)
from loopgen.looping.cell_features import CHANNELS
from loopgen.music.tempo import Meter
from loopgen.training.net import BeatNet, exported

METERS = [Meter(*m) for m in ((4, 4), (3, 4), (6, 8), (5, 4), (7, 8), (2, 2), (1, 4), (1, 16), (11, 8), (64, 1))]


def some_cells(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, CHANNELS)).astype(np.float32)


@pytest.mark.parametrize("meter", METERS, ids=str)
def test_it_is_the_network_that_was_trained(meter: Meter) -> None:
    torch.manual_seed(3)
    net = BeatNet().eval().half().float()
    member = {name: value.astype(np.float32) for name, value in exported(net).items()}
    cells, first, bar = some_cells(101), 5, round(4 * meter.quarters)
    ours = bar_evidence([cells], [first], meter, (member,))[0]
    bars = -(-(first % bar + len(cells)) // bar)
    features = np.zeros((bars * bar, CHANNELS), np.float32)
    present = np.zeros((bars * bar, 1), np.float32)
    begin = first % bar
    features[begin : begin + len(cells)] = np.clip(cells, -CLIP, CLIP)
    present[begin : begin + len(cells)] = 1
    shaped = [torch.from_numpy(each.T.copy()).reshape(1, -1, bars, bar) for each in (features, present)]
    with torch.no_grad():
        theirs = net(*shaped, torch.from_numpy(meter_traits(meter))[None])[0].numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("meter", METERS[:5], ids=str)
def test_no_cell_is_favoured_by_its_number(meter: Meter) -> None:
    """Counted from elsewhere, the same cells of whole bars give the same answer, turned."""
    bar = round(4 * meter.quarters)
    cells = some_cells(6 * bar)
    plain = bar_evidence([cells], [0], meter)[0]
    turned = bar_evidence([cells], [bar - 3], meter)[0]
    np.testing.assert_allclose(np.roll(turned, 3), plain, atol=1e-4)


def test_the_card_is_of_the_weights_that_are_there() -> None:
    folder = files("loopgen.looping")
    data, card = (folder / WEIGHTS).read_bytes(), (folder / CARD).read_text(encoding="utf-8")
    assert hashlib.sha256(data).hexdigest() in card
    assert f"{len(data)} bytes" in card and len(data) < 700_000
    said = re.search(r"divided by ([0-9.]+), of instruments alone by ([0-9.]+):", card)
    assert said and float(said[1]) == pytest.approx(calibration().full, abs=0.006)
    assert float(said[2]) == pytest.approx(calibration().alone, abs=0.006)


def test_a_groove_is_as_full_as_it_was_when_the_network_learned() -> None:
    """Examples are held within ``CLIP``; what is louder must not count for more later on."""
    cells = 6 * np.abs(some_cells(40))
    np.testing.assert_array_equal(fullness(cells), fullness(np.clip(cells, -CLIP, CLIP)))


def test_what_is_packed_is_the_same_bytes_each_time() -> None:
    torch.manual_seed(0)
    member = exported(BeatNet())
    by = Calibration(1.5, 2.0, np.zeros(TRAITS + 1))
    assert packed([member, member], by) == packed([member, dict(reversed(member.items()))], by)
