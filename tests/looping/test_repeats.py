"""The exact period of repeated recordings, and silence about it where nothing repeats exactly."""

from __future__ import annotations

import numpy as np
import pytest

from loopgen.looping.repeats import repeated_bar

RATE = 24_000


def looped(frames: int, seed: int = 0) -> np.ndarray:
    """24 s of a loop of decaying noise bursts, some of them tonal, ``frames`` samples long."""
    rng = np.random.default_rng(seed)
    loop = np.zeros(frames)
    for start in rng.integers(0, frames, 12):
        since = (np.arange(frames) - start) % frames / RATE
        loop += np.exp(-since / 0.08) * (rng.standard_normal(frames) + np.sin(2 * np.pi * rng.uniform(50, 400) * since))
    return np.resize(loop, 24 * RATE).astype(np.float32)


@pytest.mark.parametrize("frames", [45_001, 48_123, 96_777])
@pytest.mark.parametrize("error", [-7e-4, 0.0, 7e-4])
def test_the_loops_own_length_is_found_to_a_millionth_or_two(frames: int, error: float) -> None:
    exact = frames / RATE
    found = repeated_bar(looped(frames), RATE, exact * (1 + error))
    assert found is not None
    assert abs(found / exact - 1) < 2e-6


def test_a_loop_of_two_bars_gives_the_bar_as_well() -> None:
    found = repeated_bar(looped(90_002), RATE, 45_001 / RATE * 1.0003)
    assert found is not None
    assert abs(found / (45_001 / RATE) - 1) < 2e-6


def test_nothing_is_claimed_where_nothing_repeats() -> None:
    rng = np.random.default_rng(3)
    assert repeated_bar(rng.standard_normal(20 * RATE).astype(np.float32), RATE, 2.0) is None
    assert repeated_bar(np.zeros(20 * RATE, np.float32), RATE, 2.0) is None
    assert repeated_bar(looped(45_001), RATE, 1.7) is None
    assert repeated_bar(looped(45_001)[: 3 * RATE], RATE, 1.9) is None


def test_a_bent_tempo_is_no_repeat() -> None:
    t = np.arange(24 * RATE)
    bent = np.interp(t + 0.02 * RATE * np.sin(2 * np.pi * t / (10 * RATE)), t, looped(45_001))
    assert repeated_bar(bent.astype(np.float32), RATE, 45_001 / RATE) is None
