"""Take to loop, end to end: do the onsets land where they belong, and how long does it take?"""

from __future__ import annotations

import time
import warnings
from collections import defaultdict
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from loopgen.looping.make import make
from loopgen.music.audio import Audio
from loopgen.music.loop import Take
from loopgen.music.request import LoopRequest
from loopgen.onsets import onset_times
from tests.bench.options import Options
from tests.bench.peer import peer_loop
from tests.bench.takes import KnownTake, known_takes

_BARS = 4
_CLEAR = 0.25
_ALIKE = 0.5
_MATCH_SECONDS = 0.04
_WINDOW_SECONDS = 0.04
_FRAME_SECONDS = 0.006
_HOP_SECONDS = 0.0005


def run(options: Options) -> None:
    """Print deviation of onsets and rate of right beats and bars by kind, beside the peer; then the time."""
    rows: dict[tuple[str, str], list[tuple[str, NDArray[np.float64] | None]]] = defaultdict(list)
    seconds = []
    rng = np.random.default_rng(11)
    for known in known_takes(options, seconds=30.0, offsets=1, synthetic=24):
        bpm = Fraction(round(1000 * known.bpm * rng.uniform(0.94, 1.06)), 1000)
        request = LoopRequest("", bpm, _BARS, known.meter)
        begin = time.process_time()
        loop = make(Take(known.audio, "bench", 0), request)
        seconds.append((time.process_time() - begin) * 30 / known.audio.seconds)
        start = float(loop.recipe["grid"]["loop_start"])
        motion = "wobbling" if known.wobble else "steady"
        rows[f"{known.kind}s, {motion}", "ours"].append((known.name, deviations(known, loop.audio, start)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # librosa's own
            peer = peer_loop(known.audio, bpm, _BARS, known.meter, request.rate)
        late = deviations(known, peer.audio, peer.start) if peer else None
        rows[f"{known.kind}s, {motion}", "the peer's way"].append((known.name, late))
    heads = ("takes", "refused", "onsets", "found", "median", "95%")
    print(f"{'material':<20} {'method':<15}" + "".join(f"{head:>8}" for head in heads))
    for (material, method), found in sorted(rows.items()):
        made = [late for _, late in found if late is not None]
        late = np.abs(np.concatenate(made)) if made else np.zeros(0)
        heard = late[np.isfinite(late)]
        middle, most = np.percentile(heard, [50, 95]) if len(heard) else (np.nan, np.nan)
        counts = f"{len(found):>8}{len(found) - len(made):>8}{len(late):>8}{len(heard) / max(1, len(late)):>8.0%}"
        print(f"{material:<20} {method:<15}{counts}{middle:>8.2f}{most:>8.2f}")
    print("median and 95%: ms off their place; found: attacks that are recognised in the loop at all")
    print("(to reach: 95% within 1 ms)")
    print(
        f"\n30 s of stereo to loop: median {np.median(seconds):.2f} s, longest {max(seconds):.2f} s of one core", end=""
    )
    print("   (to reach: <= 1.5 s)")


def deviations(known: KnownTake, loop: Audio, start: float) -> NDArray[np.float64]:
    """How far, in ms, each clear onset of the take lies in the loop from its place in the music.

    The places are the take's own onsets by its true grid, so that swing and loose playing do not count; the loop's
    first sample stands for the sixteenth nearest to where it was cut (``start``, seconds in the take), and what all
    onsets share is left out: where in an attack its beat lies is a matter of taste. The distance is the lag at which
    the spectrum's rise in the loop is most like that in the take; NaN where nothing is alike.
    """
    onsets = onset_times(known.audio, threshold=_CLEAR)
    origin = np.round(4 * known.grid.position(start)) / 4
    beat = loop.seconds / (_BARS * known.meter.beats)
    expected = (known.grid.position(onsets.times) - origin) * beat
    inside = (expected > 0.1) & (expected < loop.seconds - 0.3)  # the seam is not what is measured here
    inside &= (onsets.times > 0.1) & (onsets.times < known.audio.seconds - 0.1)
    late = np.array([lag(known.audio, loop, a, b) for a, b in zip(onsets.times[inside], expected[inside], strict=True)])
    return late - np.nanmedian(late) if len(late) and np.isfinite(late).any() else late


def lag(take: Audio, loop: Audio, at_take: float, at_loop: float) -> float:
    """By how many ms the attack at ``at_take`` comes later in the loop than at ``at_loop``."""
    pattern = rises(take, at_take, _WINDOW_SECONDS) * np.hanning(round(2 * _WINDOW_SECONDS / _HOP_SECONDS))
    reach = rises(loop, at_loop, _WINDOW_SECONDS + _MATCH_SECONDS)
    windows = np.lib.stride_tricks.sliding_window_view(reach, pattern.shape[1], axis=1)
    product = np.einsum("btw,bw->t", windows, pattern)
    size = np.sqrt(np.einsum("btw,btw->t", windows, windows)) * np.linalg.norm(pattern)
    likeness = product / (size + 1e-9)
    best = int(likeness.argmax())
    if likeness[best] < _ALIKE:
        return float("nan")
    fine = 0.0
    if 0 < best < len(likeness) - 1:
        before, peak, after = likeness[best - 1 : best + 2]
        fine = 0.5 * (before - after) / (before - 2 * peak + after - 1e-12)
    return 1000 * (_HOP_SECONDS * (best + fine) - _MATCH_SECONDS)


def rises(audio: Audio, centre: float, half: float) -> NDArray[np.float64]:
    """Rise of log magnitude in octave bands, every 0.5 ms from ``centre - half`` to ``centre + half`` seconds."""
    size = round(_FRAME_SECONDS * audio.rate)
    times = centre - half + _HOP_SECONDS * np.arange(-1, round(2 * half / _HOP_SECONDS))
    first = np.round(times * audio.rate).astype(int) - size // 2
    padded = np.pad(audio.mono(), (max(0, -first[0]), max(0, first[-1] + size - audio.frames)))
    frames = padded[first[:, None] + max(0, -first[0]) + np.arange(size)] * np.hanning(size)
    power = np.square(np.abs(np.fft.rfft(frames, axis=1)))
    frequencies = np.fft.rfftfreq(size, 1 / audio.rate)
    edges = [0, 250, 500, 1000, 2000, 4000, 8000, 20_000]
    bands = np.stack([power[:, (frequencies >= a) & (frequencies < b)].sum(axis=1) for a, b in pairwise(edges)])
    log = np.log(bands + 1e-5 * bands.max() + 1e-20)
    return np.asarray(np.maximum(0, np.diff(log, axis=1)))
