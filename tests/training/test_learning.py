"""The tracker's network can be made again: examples, training, calibration, card."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from loopgen.looping.beat_net import CARD, WEIGHTS, bar_evidence
from loopgen.looping.cell_features import CHANNELS
from loopgen.looping.phase import THIRDS
from loopgen.music.tempo import Meter
from loopgen.training.examples import KINDS, Example, examples
from loopgen.training.judge import CLAIM, KEPT, asked, calibrated, verdict
from loopgen.training.learn import learned
from loopgen.training.net import exported
from loopgen.training.weights import THREADS, main


@pytest.fixture(scope="module")
def some() -> list[Example]:
    return [each for number in range(14) for each in examples(5, number) if each is not None]


def test_examples_are_the_same_for_the_same_seed(some: list[Example]) -> None:
    again = [each for number in range(3) for each in examples(5, number) if each is not None]
    for one, other in zip(again, some, strict=False):
        assert (one.style, one.cell, one.grid, one.first) == (other.style, other.cell, other.grid, other.first)
        assert all(np.array_equal(a, b) for a, b in zip(one.features, other.features, strict=True))


def test_examples_hold_what_the_network_reads(some: list[Example]) -> None:
    assert len(some) > 20
    for each in some:
        bar = round(4 * each.meter.quarters)
        assert 0 <= each.cell < bar and 0 <= each.grid < len(THIRDS) <= len(each.features) == len(each.first)
        assert all(x.shape[1] == CHANNELS and np.isfinite(x).all() for x in each.features)
    assert {each.rough for each in some} == {True, False}


def ticking(count: int, seed: int) -> list[Example]:
    """Examples whose first channel says where the bar begins: anything that learns must learn these."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        cell, cells = int(rng.integers(12)), 72
        x = 0.3 * rng.standard_normal((len(THIRDS), cells, CHANNELS))
        x[0, (np.arange(cells) - cell) % 12 == 0, 0] += 3
        halves = tuple(each.astype(np.float16) for each in x)
        made.append(Example(Meter(3, 4), halves, (0, 0, 0), 0, cell, "ticking", KINDS[number % 2], False))
    return made


def test_it_learns_and_says_how_sure_it_is() -> None:
    torch.set_num_threads(1)
    net = learned(ticking(320, 1), 0, epochs=40, report=lambda line: None)
    member = {name: value.astype(np.float32) for name, value in exported(net).items()}
    judged = asked(ticking(60, 2), (member,))
    by = calibrated(judged)
    verdicts = [verdict(each, by.full) for each in judged]
    assert np.mean([each.bar for each in verdicts]) >= 0.9
    sure = [each.beat for each in verdicts if each.claim >= CLAIM]
    assert np.mean(sure) >= KEPT


def test_training_is_the_same_for_the_same_seed(some: list[Example]) -> None:
    torch.set_num_threads(1)
    first, second, other = (exported(learned(some, seed, epochs=1, report=lambda line: None)) for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not all(np.array_equal(first[name], other[name]) for name in first)


def test_one_command_makes_weights_and_card(tmp_path: Path) -> None:
    words = ["--pieces", "12", "--epochs", "1", "--processes", "2", "--out", str(tmp_path)]
    command = [sys.executable, "-m", "loopgen.training", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    card = (tmp_path / CARD).read_text(encoding="utf-8")
    assert "--pieces 12 --epochs 1" in card and card in done.stdout
    with np.load(tmp_path / WEIGHTS) as stored:
        assert int(stored["members"]) == 3 and float(stored["full"]) > 0
        member = {name[2:]: stored[name].astype(np.float32) for name in stored.files if name.startswith("0.")}
    assert bar_evidence([np.zeros((40, CHANNELS), np.float32)], [0], Meter(7, 8), (member,)).shape == (1, 14)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--processes", "0"], "--processes: '0' is not a whole number from 1 on"),
        (["--epochs", "some"], "--epochs: 'some' is not"),
        (["--seed", "-1"], "--seed: '-1' is not a whole number from 0 on"),
        (["--pieces", "1", "--processes", "1"], "--pieces 1: not enough styles"),
        (["--out", __file__], "test_learning.py"),
    ],
)
def test_what_cannot_be_made_is_told_before_the_work(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["loopgen.training", "--out", str(tmp_path), *words])
    for name in THREADS:
        monkeypatch.setenv(name, "1")
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
