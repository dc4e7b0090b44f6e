"""Take to loop, end to end: do the onsets land where they belong, and how long does it take?"""

from __future__ import annotations

import time
import warnings
from collections import defaultdict
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

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
_MATCH_SECONDS = 0.025
_FRAMES_A_SECOND = 4000


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
    print(f"{'material':<20} {'method':<15} {'takes':>5} {'refused':>8} {'median':>9} {'95%':>9}   ms off their place")
    for (material, method), found in sorted(rows.items()):
        made = [late for _, late in found if late is not None]
        all_late = np.abs(np.concatenate(made)) if made else np.zeros(0)
        middle, most = np.percentile(all_late, [50, 95]) if len(all_late) else (np.nan, np.nan)
        print(f"{material:<20} {method:<15} {len(found):>5} {len(found) - len(made):>8} {middle:>9.2f} {most:>9.2f}")
    print("(to reach: 95% within 1 ms)")
    print(
        f"\n30 s of stereo to loop: median {np.median(seconds):.2f} s, longest {max(seconds):.2f} s of one core", end=""
    )
    print("   (to reach: <= 1.5 s)")


def deviations(known: KnownTake, loop: Audio, start: float) -> NDArray[np.float64]:
    """How far, in ms, each clear onset of the take lies in the loop from its place in the music.

    The places are the take's own onsets by its true grid, so that swing and loose playing do not count; the loop's
    first sample stands for the sixteenth nearest to where it was cut (``start``, seconds in the take). The distance is
    the lag at which the attack's envelope in the loop is most like that in the take.
    """
    onsets = onset_times(known.audio, threshold=_CLEAR)
    origin = np.round(4 * known.grid.position(start)) / 4
    beat = loop.seconds / (_BARS * known.meter.beats)
    expected = (known.grid.position(onsets.times) - origin) * beat
    inside = (expected > 0.05) & (expected < loop.seconds - 0.3)  # the seam is not what is measured here
    take_envelope, loop_envelope = envelope(known.audio), envelope(loop)
    late = [
        lag(take_envelope, loop_envelope, there, here)
        for there, here in zip(onsets.times[inside], expected[inside], strict=True)
        if there > 0.1 and there < known.audio.seconds - 0.1
    ]
    return np.array(late)


def envelope(audio: Audio) -> NDArray[np.float64]:
    """Rise of log energy, every 0.25 ms: what makes an attack."""
    hop = audio.rate / _FRAMES_A_SECOND
    edges = np.round(np.arange(int(audio.frames / hop) + 1) * hop).astype(int)
    energy = np.add.reduceat(np.square(audio.mono(), dtype=np.float64), edges[:-1])
    smooth = gaussian_filter1d(energy, 0.0015 * _FRAMES_A_SECOND)
    log = np.log(smooth + 1e-6 * smooth.max() + 1e-20)
    return np.asarray(np.maximum(0, np.gradient(log)))


def lag(a: NDArray[np.float64], b: NDArray[np.float64], at_a: float, at_b: float) -> float:
    """By how many ms the attack near ``at_b`` in ``b`` comes later than that near ``at_a`` in ``a`` would."""
    half, most = int(0.03 * _FRAMES_A_SECOND), int(_MATCH_SECONDS * _FRAMES_A_SECOND)
    i, j = at_a * _FRAMES_A_SECOND, at_b * _FRAMES_A_SECOND
    window = a[round(i) - half : round(i) + half + 1] * np.hanning(2 * half + 1)
    reach = b[round(j) - half - most : round(j) + half + most + 1]
    likeness = np.correlate(reach, window, "valid")
    best = int(likeness.argmax())
    fine = 0.0
    if 0 < best < len(likeness) - 1:
        before, peak, after = likeness[best - 1 : best + 2]
        fine = 0.5 * (before - after) / (before - 2 * peak + after - 1e-12)
    frames = best - most + fine + (round(j) - j) - (round(i) - i)
    return 1000 * float(frames) / _FRAMES_A_SECOND
