"""Effects on a loop, which is a ring: what leaves at the end comes in at the start.

Signals are float64, ``(n,)`` or ``(channels, n)``, one loop long. Nothing here has an edge.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import butter, sosfilt

Wave = NDArray[np.float64]


def add(bus: Wave, wave: Wave, at: int) -> None:
    """Add ``wave`` into the ring ``bus`` from frame ``at`` on, as many times round as it is long."""
    n = bus.shape[-1]
    at %= n
    done = 0
    length = wave.shape[-1]
    while done < length:
        take = min(length - done, n - at)
        bus[..., at : at + take] += wave[..., done : done + take]
        done += take
        at = 0


def filtered(x: Wave, sos: NDArray[np.float64], warm: int) -> Wave:
    """Filter a ring: the filter has already heard its last ``warm`` frames."""
    n = x.shape[-1]
    before = np.take(x, np.arange(-warm, 0) % n, axis=-1) if warm > n else x[..., n - warm :]
    state = np.zeros((sos.shape[0], *x.shape[:-1], 2))
    _, state = sosfilt(sos, before, axis=-1, zi=state)
    out, _ = sosfilt(sos, x, axis=-1, zi=state)
    return np.asarray(out)


def shelf(gain: float, frequency: float, rate: int) -> NDArray[np.float64]:
    """A first-order high shelf of ``gain`` (a factor at high frequencies) as one second-order section."""
    k = np.tan(np.pi * min(frequency, 0.4 * rate) / rate)
    # H(s) = (g s + w) / (s + w) with the bilinear transform
    b0, b1, a0, a1 = gain + k, k - gain, 1 + k, k - 1
    return np.array([[b0 / a0, b1 / a0, 0.0, 1.0, a1 / a0, 0.0]])


def block_dc(frequency: float, rate: int) -> NDArray[np.float64]:
    """A first-order high-pass as one section. First order, because rounding errors grow with the square of
    ``rate / frequency`` in a second-order one, and would show as differences between platforms.
    """
    k = np.tan(np.pi * frequency / rate)
    return np.array([[1 / (1 + k), -1 / (1 + k), 0.0, 1.0, (k - 1) / (1 + k), 0.0]])


def folded(x: Wave, length: int) -> Wave:
    """Wrap the last axis onto a ring of ``length`` frames."""
    out = np.zeros((*x.shape[:-1], length))
    for start in range(0, x.shape[-1], length):
        piece = x[..., start : start + length]
        out[..., : piece.shape[-1]] += piece
    return out


def convolved(x: Wave, response: Wave) -> Wave:
    """A ring ``(n,)`` through an impulse response ``(channels, m)``: ``(channels, n)``, by overlap-add."""
    n, m = x.shape[-1], response.shape[-1]
    size = next_fast_len(max(2 * m, min(n + m, 1 << 17)), real=True)
    block = size - m + 1
    spectrum = rfft(response, size, axis=-1)
    out = np.zeros((response.shape[0], n + size))
    for start in range(0, n, block):
        piece = x[start : min(start + block, n)]
        if not piece.any():
            continue
        out[:, start : start + size] += irfft(rfft(piece, size) * spectrum, size, axis=-1)
    return folded(out[:, : n + m - 1], n)


def room(seconds: float, bright: float, rate: int, rng: np.random.Generator) -> Wave:
    """A synthesised stereo room, ``(2, n)``: early reflections, then noise that loses its highs first.

    ``seconds`` is the time to -60 dB at 500 Hz; energy of each channel is 1. Nothing below 200 Hz: lows stay dry and
    in the middle.
    """
    n = max(64, int(rate * min(1.1 * seconds, 8.0)))
    t = np.arange(n) / rate
    noise = rng.standard_normal((2, n))
    out = np.zeros((2, n))
    cut = 2**bright
    edges = ((200.0, 900.0, 1.0), (900.0, 3200.0, 0.8), (3200.0, min(11_000.0 * cut, 0.45 * rate), 0.45))
    for low, high, share in edges:
        if low >= 0.4 * rate:
            continue
        sos = butter(1, (low, min(high, 0.45 * rate)), "bandpass", fs=rate, output="sos")
        out += sosfilt(sos, noise, axis=-1) * np.exp(-6.91 * t / (seconds * share))
    rise = int(0.012 * rate)
    out[:, :rise] *= np.linspace(0, 1, rise) ** 2
    for channel in range(2):
        for _ in range(7):
            at = int((0.006 + 0.05 * rng.random()) * rate)
            if at < n:
                out[channel, at] += (rng.random() - 0.5) * 6 * np.exp(-at / (0.04 * rate))
    out[:, -min(n, 256) :] *= np.linspace(1, 0, min(n, 256))
    return np.asarray(out / np.sqrt(np.sum(out**2, axis=-1, keepdims=True)))


def echoes(x: Wave, delay: float, feedback: float, rate: int) -> Wave:
    """Ping-pong echoes of a mono ring, ``(2, n)``, each duller than the last; ``delay`` in frames."""
    n = x.shape[-1]
    warm = int(0.05 * rate)
    x = filtered(x, butter(1, (280.0, min(4200.0, 0.4 * rate)), "bandpass", fs=rate, output="sos"), warm)
    duller = butter(1, min(2600.0, 0.4 * rate), "lowpass", fs=rate, output="sos")
    out = np.zeros((2, n))
    gain = 1.0
    for k in range(1, 9):
        if gain < 0.04:
            break
        near, far = ((0.95, 0.35), (0.35, 0.95))[k % 2]
        shift = round(k * delay) % n
        for channel, share in enumerate((near, far)):
            out[channel, shift:] += gain * share * x[: n - shift]
            out[channel, :shift] += gain * share * x[n - shift :]
        if k in (2, 4):
            x = filtered(x, duller, warm)
        gain *= feedback
    return out


def ducking(frames: Iterable[int], depth: float, length: int, n: int) -> Wave:
    """Gain ``(n,)`` that dips by ``depth`` at each of ``frames`` and is back after ``length`` frames."""
    u = np.arange(length) / length
    shape = np.clip(1.06 - u, 0, 1) ** 2 * (1 + 2 * u) / 1.06
    shape[: min(length, 64)] *= np.linspace(0.3, 1, min(length, 64))
    dip = np.zeros(n)
    for frame in frames:
        at, done = frame % n, 0
        while done < min(length, n):
            take = min(length - done, n - at)
            np.maximum(dip[at : at + take], shape[done : done + take], out=dip[at : at + take])
            done += take
            at = 0
    return np.asarray(1 - depth * np.clip(dip, 0, 1))


def saturate(x: Wave, drive: float) -> None:
    """Rational soft clipper in place, ``x (27 + x^2) / (27 + 9 x^2)`` within ±3, slope 1 at 0.

    ``drive`` is the gain into it, taken back after it. Works in blocks that stay in the processor's cache.
    """
    block = 1 << 14
    for channel in x:
        for start in range(0, len(channel), block):
            y = np.clip(channel[start : start + block] * drive, -3, 3)
            square = y * y
            y *= 27 + square
            square *= 9 * drive
            square += 27 * drive
            np.divide(y, square, out=channel[start : start + block])


def limited(x: Wave, ceiling: float) -> Wave:
    """Peaks of a ring ``(2, n)`` brought below ``ceiling`` by a gain that moves slowly around each."""
    n = x.shape[-1]
    block = 64
    count = -(-n // block)
    peaks = np.zeros(count * block)
    np.max(np.abs(x), axis=0, out=peaks[:n])
    need = np.minimum(1.0, ceiling / np.maximum(peaks.reshape(count, block).max(axis=1), 1e-9))
    if need.min() >= 1:
        return x
    reach = min(16, count)
    around = np.arange(count)
    lowest = need.copy()
    for shift in range(-reach, reach + 1):
        np.minimum(lowest, need[(around + shift) % count], out=lowest)
    smooth = np.zeros(count)
    width = 2 * (reach - 1) + 1
    for shift in range(-(reach - 1), reach):
        smooth += lowest[(around + shift) % count] / width
    centres = (np.arange(-1, count + 1) + 0.5) * block
    gain = np.interp(np.arange(n), centres, np.concatenate([smooth[-1:], smooth, smooth[:1]]))
    return np.asarray(np.clip(x * gain, -ceiling, ceiling))


def loudness(x: Wave, rate: int) -> float:
    """Loudness of ``(channels, n)`` in LUFS, estimated from up to 120 windows spread over the ring, gated at -10 LU.

    The K weighting of ITU-R BS.1770 is applied to the spectrum; close to the standard's figure, much cheaper.
    """
    n = x.shape[-1]
    size = 8192
    starts = np.unique((np.arange(120) * n) // 120)
    window = np.hanning(size)
    index = (starts[:, None] + np.arange(size)[None, :]) % n
    frequency = np.fft.rfftfreq(size, 1 / rate)
    # analogue forms of the two stages: a +4 dB shelf about 1.5 kHz, a high-pass at 38 Hz
    s = 1j * frequency
    high = (1.585 * s**2 + 1.2589 * 1681.97 * s / 0.7072 + 1681.97**2) / (s**2 + 1681.97 * s / 0.7072 + 1681.97**2)
    low = s**2 / (s**2 + 38.135 * s / 0.5003 + 38.135**2)
    weight = np.abs(high * low) ** 2
    power = np.zeros(len(starts))
    for channel in x:
        power += (np.abs(rfft(channel[index] * window, axis=-1)) ** 2 @ weight) * 2 / (size * np.sum(window**2))
    gated = power[power > 0.1 * power.mean()]
    return float(-0.691 + 10 * np.log10(max(float(gated.mean()), 1e-12)))
