"""What happens to music before it is listened to: rooms, equalisers, tape, telephones, codecs, neural vocoders.

Everything here leaves events where they are, within 2 ms: the truth of a degraded clip is that of the clean one.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import soundfile
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import oaconvolve

from loopgen.training.render import squeezed
from loopgen.training.signals import (
    Sections,
    Wave,
    band_pass,
    between,
    filtered,
    gain,
    high_pass,
    high_shelf,
    low_pass,
    noise,
    peak,
    room,
    unit,
)  # fmt: skip

Step = Callable[[Wave, np.random.Generator, int], Wave]


def degrade(wave: Wave, rng: np.random.Generator, rate: int) -> Wave:
    """``wave`` (mono, float32) after a random few of STEPS, in their order; same length, peak between -12 and 0 dB."""
    out = unit(wave)
    for chance, step in STEPS:
        if rng.random() < chance:
            out = unit(step(out, rng, rate))
    return out * np.float32(gain(rng.uniform(-12, 0)))


def equalised(x: Wave, rng: np.random.Generator, rate: int) -> Wave:
    """One to three bells, or a tilt."""
    sections: list[Sections] = []
    for _ in range(int(rng.integers(1, 4))):
        sections.append(peak(between(rng, (50, 8000)), rng.uniform(-12, 12), rate, between(rng, (0.4, 2.5))))
    if rng.random() < 0.4:
        sections.append(high_shelf(between(rng, (600, 5000)), rng.uniform(-15, 12), rate))
    return filtered(x, np.concatenate(sections))


def narrowed(x: Wave, rng: np.random.Generator, rate: int) -> Wave:
    """Lows, highs or both taken away: thin, muffled, a telephone."""
    draw = rng.random()
    if draw < 0.4:
        return filtered(x, high_pass(between(rng, (60, 900)), rate))
    if draw < 0.85:
        return filtered(x, low_pass(between(rng, (700, 8000)), rate))
    return filtered(x, band_pass(between(rng, (200, 500)), between(rng, (2500, 4500)), rate))


def reverberant(x: Wave, rng: np.random.Generator, rate: int) -> Wave:
    """A room of 0.1 to 2.2 s, up to as loud as what plays in it, sometimes after a short silence."""
    response = room(between(rng, (0.1, 2.2)), between(rng, (1500, 10_000)), rate, rng)
    before = int(rng.uniform(0, 0.03) * rate)
    wet = oaconvolve(x, response * np.float32(between(rng, (0.06, 0.8))))
    out = x.copy()
    out[before:] += wet[: len(x) - before]
    return out


def echoed(x: Wave, rng: np.random.Generator, rate: int) -> Wave:
    """One repeat after 0.08 to 0.5 s."""
    delay = min(int(rng.uniform(0.08, 0.5) * rate), len(x) - 1)
    out = x.copy()
    out[delay:] += np.float32(rng.uniform(0.15, 0.5)) * x[:-delay]
    return out


def compressed(x: Wave, rng: np.random.Generator, rate: int) -> Wave:
    """A compressor of ratio 1.25 to 5."""
    return squeezed(x, rng.uniform(0.2, 0.8), rate)


def saturated(x: Wave, rng: np.random.Generator, rate: int) -> Wave:
    """Tape (even), tube (more of one side) or clipping."""
    drive = np.float32(between(rng, (1, 7)))
    draw = rng.random()
    if draw < 0.5:
        return np.asarray(np.tanh(drive * x), dtype=np.float32)
    if draw < 0.8:
        bias = np.float32(rng.uniform(0.1, 0.5))
        return np.asarray(np.tanh(drive * x + bias) - np.tanh(bias), dtype=np.float32)
    return np.asarray(np.clip(drive * x, -1, 1), dtype=np.float32)


def noisy(x: Wave, rng: np.random.Generator, rate: int) -> Wave:
    """Hiss, darker or brighter, 30 to 70 dB below the peak."""
    hiss = filtered(noise(len(x), rng), low_pass(between(rng, (800, 11_000)), rate))
    return x + np.float32(gain(rng.uniform(-70, -30))) * hiss


def humming(x: Wave, rng: np.random.Generator, rate: int) -> Wave:
    """Mains hum of 50 or 60 Hz and its overtones: one cycle, repeated."""
    cycle = round(rate / float(rng.choice([50, 60])))
    h = np.arange(1, 8)
    turn = 2 * np.pi * np.arange(cycle) / cycle
    wave = (rng.uniform(0, 1, 7) / h) @ np.sin(np.outer(h, turn) + rng.uniform(0, 6.28, (7, 1)))
    return x + np.resize((gain(rng.uniform(-55, -28)) * wave).astype(np.float32), len(x))


def crackling(x: Wave, rng: np.random.Generator, rate: int) -> Wave:
    """Clicks of a worn record, 2 to 40 a second, most of them soft."""
    count = max(1, int(between(rng, (2, 40)) * len(x) / rate))
    clicks = np.zeros(len(x), np.float32)
    clicks[rng.integers(len(x), size=count)] = gain(rng.uniform(-35, -15)) * rng.standard_normal(count) ** 3 / 3
    return x + filtered(clicks, band_pass(between(rng, (300, 2000)), 9000, rate))


def coarse(x: Wave, rng: np.random.Generator, rate: int) -> Wave:
    """5 to 9 bits."""
    steps = np.float32(2 ** int(rng.integers(4, 9)))
    return np.asarray(np.round(x * steps) / steps, dtype=np.float32)


def fluttering(x: Wave, rng: np.random.Generator, rate: int) -> Wave:
    """Wow of 0.5 to 2 Hz and flutter of 5 to 12 Hz, together under 0.1% of the speed: under 0.5 ms of drift."""
    t = np.arange(len(x)) / rate
    place = np.arange(len(x), dtype=np.float64)
    for speed, most in ((rng.uniform(0.5, 2), 0.0007), (rng.uniform(5, 12), 0.0003)):
        depth = rng.uniform(0.1, 1) * most * rate / (2 * np.pi * speed)
        place += depth * np.sin(2 * np.pi * speed * t + rng.uniform(0, 2 * np.pi))
    return np.interp(place, np.arange(len(x)), x).astype(np.float32)


def smeared(x: Wave, rng: np.random.Generator, rate: int) -> Wave:
    """What a neural codec of 50 frames a second leaves: above 2 to 6 kHz the right loudness, and phases made up.

    Transients soften to the length of a frame; the frames' levels waver a little, as quantised ones do.
    """
    hop = rate // 100
    size = 2 * hop
    window = np.sin(np.pi * (np.arange(size, dtype=np.float32) + np.float32(0.5)) / size)
    count = len(x) // hop + 2
    padded = np.zeros((count + 1) * hop, np.float32)
    padded[hop : hop + len(x)] = x
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop] * window
    spectrum = rfft(frames, axis=1)
    edge = round(between(rng, (2000, 6000)) / rate * size)
    shape = (spectrum.shape[0], spectrum.shape[1] - edge)
    share = np.float32(rng.uniform(0.3, 1))
    turns = np.exp(1j * np.pi * share * rng.uniform(-1, 1, shape).astype(np.float32))
    spectrum[:, edge:] *= turns * (1 + np.float32(0.2) * rng.standard_normal(shape, dtype=np.float32))
    parts = irfft(spectrum, size, axis=1) * window
    out = np.zeros((count + 1, hop), np.float32)
    out[:count] += parts[:count, :hop]
    out[1 : count + 1] += parts[:count, hop:]
    return out.ravel()[hop : hop + len(x)]


@dataclass(frozen=True, slots=True)
class _Codec:
    """A lossy format as libsndfile writes it, and the compression levels (0 best, 1 worst) that are heard."""

    weight: float
    format: str
    subtype: str
    levels: tuple[float, float]
    rates: tuple[int, ...]


_CODECS = (
    _Codec(4, "MP3", "MPEG_LAYER_III", (0.7, 0.95), (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)),
    _Codec(5, "OGG", "VORBIS", (0.6, 1.0), ()),
    _Codec(1, "OGG", "OPUS", (0.9, 0.98), (8000, 12_000, 16_000, 24_000, 48_000)),
)


def coded(x: Wave, rng: np.random.Generator, rate: int) -> Wave:
    """Through MP3, Vorbis or Opus at a low bit rate and back. What the codec delays is taken back."""
    codecs = [codec for codec in _CODECS if not codec.rates or rate in codec.rates]
    weights = np.array([codec.weight for codec in codecs])
    codec = codecs[int(rng.choice(len(codecs), p=weights / weights.sum()))]
    extra = {"bitrate_mode": str(rng.choice(["CONSTANT", "VARIABLE"]))} if codec.format == "MP3" else {}
    file = io.BytesIO()
    level = round(rng.uniform(*codec.levels), 2)
    soundfile.write(
        file, 0.8 * x, rate, format=codec.format, subtype=codec.subtype, compression_level=min(level, 0.99), **extra
    )
    file.seek(0)
    heard, _ = soundfile.read(file, dtype="float32")
    late = _delay(x, heard, rate)
    aligned = np.zeros(len(x), np.float32)
    source = heard[max(0, late) :]
    at = max(0, -late)
    length = min(len(source), len(x) - at)
    aligned[at : at + length] = source[:length]
    return aligned


def _delay(x: Wave, y: Wave, rate: int) -> int:
    """Frames by which ``y`` lags behind ``x``: where their four loudest seconds agree best, within 0.1 s."""
    most = rate // 10
    span = min(4 * rate, len(x))
    steps = range(0, len(x) - span + 1, rate)
    begin = max(steps, key=lambda k: float(np.sum(x[k : k + span] ** 2)))
    size = next_fast_len(2 * span + most, real=True)
    product = rfft(y[begin : begin + span], size) * np.conj(rfft(x[begin : begin + span], size))
    agreement = irfft(product, size)
    lags = np.concatenate([agreement[-most:], agreement[: most + 1]])
    return int(np.argmax(lags)) - most


STEPS: tuple[tuple[float, Step], ...] = (
    (0.12, fluttering),
    (0.5, equalised),
    (0.3, reverberant),
    (0.06, echoed),
    (0.4, compressed),
    (0.4, saturated),
    (0.2, narrowed),
    (0.4, noisy),
    (0.06, humming),
    (0.08, crackling),
    (0.08, coarse),
    (0.15, smeared),
    (0.2, coded),
)
"""Chance and effect, in the order of a recording's life."""
