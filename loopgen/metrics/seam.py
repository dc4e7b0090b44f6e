"""Does the ear hear where the loop begins again?

Conventions
-----------
A loop is exactly ``bars`` bars; its seam is where the last sample meets sample 0. Everything is read circularly. Each
metric compares the seam with the loop's *own* beats and bar lines, because a kick on every beat makes every beat a
jump: only a seam that stands out is heard. A loop of one bar has no bar line but the seam and is compared with its
beats. Channels are judged one by one where a fault in one, or in opposite phase in two, could hide in their mean.

Metrics
-------
====================  ==========================================================================================
``click``             error of linear prediction across the wrap over the largest within 3 ms of it
``flux_beats``        change of the mel spectrum at the wrap over the largest at the loop's own beats
``flux_bars``         the same over the median at its own bar lines
``hole``              level of the quietest 5 ms within 40 ms of the wrap, above that of its worst beat, in dB
``loudness_step``     first bar against last bar, in LU, sign dropped
``chroma_drop``       how much less the harmony carries on over the wrap than over its own bar lines
====================  ==========================================================================================

``BOUNDS`` holds what each may reach. They come from natural bar lines of real loops and songs: about 95% of those are
accepted by each metric, three quarters by all six.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_toeplitz
from scipy.signal import lfilter, sosfilt

from loopgen.metrics.loudness import check_not_empty, k_weighted, k_weighting
from loopgen.metrics.spectra import chroma, hann, mel, windowed_spectra
from loopgen.music.audio import Audio
from loopgen.music.tempo import Meter, beat_frames, check_bars

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bound:
    """What a metric may reach: up to ``natural`` it is no strain at all; beyond ``reject`` a seam is heard."""

    natural: float
    accept: float
    reject: float

    def strain(self, value: float) -> float:
        """How far a value is from natural (0) towards the bound of acceptance (1), and beyond it."""
        return max(0.0, (value - self.natural) / (self.accept - self.natural))


BOUNDS = {
    "click": Bound(natural=0.36, accept=1.0, reject=1.5),
    "flux_beats": Bound(natural=0.56, accept=1.1, reject=1.3),
    "flux_bars": Bound(natural=1.0, accept=2.0, reject=3.0),
    "hole": Bound(natural=1.1, accept=-0.5, reject=-2.0),
    "loudness_step": Bound(natural=0.5, accept=3.2, reject=5.0),
    "chroma_drop": Bound(natural=0.0, accept=0.26, reject=0.45),
}


def failed(seam: Mapping[str, float]) -> list[str]:
    """Which of the metrics in ``SeamScores.to_dict()`` are out of bounds, in the order of ``BOUNDS``."""
    return [name for name, bound in BOUNDS.items() if bound.strain(seam[name]) > 1]


def strain(seam: Mapping[str, float]) -> float:
    """The largest strain among the metrics in ``SeamScores.to_dict()``; 1 and below passes."""
    return max(bound.strain(seam[name]) for name, bound in BOUNDS.items())


@dataclass(frozen=True, slots=True)
class SeamScores:
    """The six metrics of a seam; see the module for what they mean and ``BOUNDS`` for what they may reach."""

    click: float
    flux_beats: float
    flux_bars: float
    hole: float
    loudness_step: float
    chroma_drop: float

    @property
    def passed(self) -> dict[str, bool]:
        """Metric -> whether it is within its bound of acceptance."""
        return {name: strain <= 1 for name, strain in self.strains.items()}

    @property
    def passes(self) -> bool:
        """Whether all six are."""
        return self.worst <= 1

    @property
    def rejected(self) -> bool:
        """Whether some metric is beyond its bound of rejection, where the ear hears a seam."""
        return any(strain > BOUNDS[name].strain(BOUNDS[name].reject) for name, strain in self.strains.items())

    @property
    def strains(self) -> dict[str, float]:
        """Metric -> 0 for as good as a natural bar line, 1 at the bound of acceptance, more beyond it."""
        return {name: bound.strain(getattr(self, name)) for name, bound in BOUNDS.items()}

    @property
    def worst(self) -> float:
        """The largest strain."""
        return max(self.strains.values())

    @property
    def cost(self) -> float:
        """For ranking, lower is better: the worst strain, then by a little the mean of all."""
        strains = self.strains
        return max(strains.values()) + 0.1 * sum(strains.values()) / len(strains)

    def to_dict(self) -> dict[str, float | bool]:
        """The six values, rounded for people, and ``passes``."""
        values: dict[str, float | bool] = {f.name: round(getattr(self, f.name), 4) for f in fields(self)}
        return values | {"passes": self.passes}


def seam(audio: Audio, bars: int, meter: Meter) -> SeamScores:
    """Score the seam of a loop of ``bars`` bars. Raises ``ValueError`` for audio that is empty or not finite.

    >>> silence = Audio(np.zeros((88_200, 2)), 44_100)
    >>> seam(silence, 1, Meter()).passes
    True
    """
    return SeamJudge(audio, bars, meter).judge()


class SeamJudge:
    """Scores many seams of one loop that differ only next to the wrap.

    The loop's own beats and bar lines are measured once, from ``audio``; each candidate then costs a few milliseconds.

    Args:
        audio: the loop, ``(frames, channels)``, its seam as it is.
        bars: how many bars it has, 1 to 256.
        meter: its meter.
    """

    def __init__(self, audio: Audio, bars: int, meter: Meter) -> None:
        check_not_empty(audio)
        self._rate, self._frames = audio.rate, audio.frames
        self._samples = audio.samples
        self._ms = audio.rate / 1000
        beats = check_bars(bars) * meter.beats
        self._bar = max(1, round(audio.frames / max(2, bars)))
        self._beat = round(min(max(audio.frames / beats, 200 * self._ms), 1000 * self._ms))
        self._lines = beat_frames(audio.frames, beats * -(-_LEAST_LINES // beats))[1:]
        self._beat_lines = beat_frames(audio.frames, max(beats, 2))[1:]
        own = beat_frames(audio.frames, bars if bars > 1 else max(beats, 2))[1:]
        self._bar_lines = np.intersect1d(own, self._lines)
        self._measure()

    def judge(self, tail: NDArray[np.floating] | None = None, head: NDArray[np.floating] | None = None) -> SeamScores:
        """Score the loop with its last ``len(tail)`` and first ``len(head)`` samples replaced; both may be missing."""
        near = _Patch(self._samples, tail, head)
        flux = float(self._flux(near, np.array([0]))[0])
        return SeamScores(
            click=self._click(near),
            flux_beats=flux / self._flux_at_beats,
            flux_bars=flux / self._flux_at_bars,
            hole=self._hole_above_beats(near),
            loudness_step=self._loudness_step(near),
            chroma_drop=self._chroma_drop(near),
        )

    def splice(self, tail: NDArray[np.floating] | None = None, head: NDArray[np.floating] | None = None) -> float:
        """Fastest change of the spectrum within the replaced samples, over the fastest around the loop's own beats.

        Half a window of 12 ms says what the six metrics with their 46 ms do not: whether sustained tones were cut and
        joined out of phase somewhere in the fade. Natural bar lines: median 0.5, 97% below 1.
        """
        near = _Patch(self._samples, tail, head)
        return float(self._swiftness(near, -near.before, near.after).max()) / self._swiftest

    def _swiftness(self, near: _Patch, start: int, stop: int) -> Float:
        """Distance of log mel spectra 12 ms apart, every 3 ms from 15 ms before ``start`` to 15 ms after ``stop``."""
        n, hop, margin = round(12 * self._ms), max(1, round(3 * self._ms)), round(15 * self._ms)
        centres = np.arange(start - margin - 2 * hop, stop + margin + 2 * hop + 1, hop)
        spectra, size = windowed_spectra(near.read(_windows(centres - n // 2, n)))
        logs = np.log(mel(spectra, self._rate, size, 28) + 10 * _FLUX_FLOOR * self._level + 1e-9)
        return np.asarray(np.sqrt(np.mean((logs[4:] - logs[:-4]) ** 2, axis=(1, 2))))

    @cached_property
    def _swiftest(self) -> float:
        whole, about = _Patch(self._samples), round(15 * self._ms)
        at_beats = [self._swiftness(whole, int(line) - about, int(line) + about).max() for line in self._beat_lines]
        return max(_LEAST_FLUX, float(max(at_beats)))

    def _measure(self) -> None:
        """Read the loop's own lines: what the seam is compared with."""
        whole = _Patch(self._samples)
        mean_square = float(np.mean(np.square(self._samples, dtype=np.float64)))
        self._level = np.sqrt(mean_square)
        self._weighted = k_weighted(Audio(self._samples, self._rate))
        self._power = np.concatenate([[0.0], np.cumsum((self._weighted**2).sum(axis=1))])
        flux = self._flux(whole, self._lines)
        at_bars = flux[np.isin(self._lines, self._bar_lines)]
        self._flux_at_beats = max(float(flux.max()), _LEAST_FLUX)
        self._flux_at_bars = max(float(np.median(at_bars)), _LEAST_FLUX)
        reach = self._hole_reach
        pieces = self._weighted[_windows(self._lines - 3 * reach, 4 * reach) % self._frames]
        self._hole_at_beats = self._holes(pieces).min(axis=0)
        self._harmony = self._continuity(whole, self._bar_lines)

    # click ------------------------------------------------------------------------------------------------------

    def _click(self, near: _Patch) -> float:
        step = max(1, self._rate // 44_100)  # above 88.2 kHz the band that music leaves empty would be predicted
        reach = round(_CLICK_WINDOW * self._rate / step)
        local = _decimated(near, reach + 2 * _ORDER, step)
        loudest = np.sqrt(np.mean(local**2, axis=0)).max(initial=0.0)
        floor = max(_CLICK_FLOOR * loudest, 0.1 * _CLICK_FLOOR * self._level, 1e-9)
        about = max(round(0.003 * self._rate / step), 8)
        return max(min(_surprise(channel, reach, about, floor) for channel in (x, x[::-1][:-1])) for x in local.T)

    # flux -------------------------------------------------------------------------------------------------------

    def _flux(self, near: _Patch, lines: NDArray[np.int64]) -> Float:
        """Root mean square distance of log mel spectra before and after each line, over bands and channels."""
        n, gap = round(46 * self._ms), round(4 * self._ms)
        starts = np.concatenate([lines - gap - n, lines + gap])
        spectra, size = windowed_spectra(near.read(_windows(starts, n)))
        logs = np.log(mel(spectra, self._rate, size) + _FLUX_FLOOR * self._level + 1e-9)
        before, after = np.split(logs, 2)
        return np.asarray(np.sqrt(np.mean((after - before) ** 2, axis=(1, 2))))

    # hole -------------------------------------------------------------------------------------------------------

    @property
    def _hole_reach(self) -> int:
        return round(40 * self._ms)

    def _holes(self, pieces: Float) -> Float:
        """Quietest 5 ms in the last half of pieces ``(lines, 4 reach, channels)``, against their first half, in dB.

        One column for each channel, then one for their sum.
        """
        reach, short = self._hole_reach, max(1, round(5 * self._ms))
        power = pieces**2
        power = np.concatenate([power, power.sum(axis=-1, keepdims=True)], axis=-1)
        sums = np.cumsum(power[:, 2 * reach - 1 :], axis=1)
        floor = 1e-6 * self._level**2 + 1e-12  # what lies 60 dB under the loop is no louder than a hole
        quietest = (sums[:, short:] - sums[:, :-short]).min(axis=1) / short
        before = power[:, : 2 * reach].mean(axis=1)
        return np.asarray(10 * np.log10((quietest + floor) / (before + floor)))

    def _hole_above_beats(self, near: _Patch) -> float:
        reach = self._hole_reach
        piece = self._reweighted(near, -3 * reach, reach)
        worst = np.minimum(self._hole_at_beats, _SHALLOW)
        above = self._holes(piece[None])[0] - worst
        return float(min(above[-1], above[:-1].min() + _ONE_CHANNEL))

    # loudness ---------------------------------------------------------------------------------------------------

    def _reweighted(self, near: _Patch, start: int, stop: int) -> Float:
        """K-weighted samples from ``start`` (negative) to ``stop`` around the wrap."""
        warm = round(200 * self._ms)
        local = near.read(np.arange(start - warm, stop))
        return np.asarray(sosfilt(k_weighting(self._rate), local, axis=0)[warm:])

    def _loudness_step(self, near: _Patch) -> float:
        before = min(near.before + round(5 * self._ms), self._bar)
        after = min(near.after + round(50 * self._ms), self._bar)
        local = (self._reweighted(near, -before, after) ** 2).sum(axis=1)
        last = local[:before].sum() + self._between(self._frames - self._bar, self._frames - before)
        first = local[before:].sum() + self._between(after, self._bar)
        floor = 1e-6 * self._power[-1] / self._frames * self._bar + 1e-12
        return float(abs(10 * np.log10((first + floor) / (last + floor))))

    def _between(self, start: int, stop: int) -> float:
        return float(self._power[stop] - self._power[start])

    # harmony ----------------------------------------------------------------------------------------------------

    def _continuity(self, near: _Patch, lines: NDArray[np.int64]) -> Float:
        """Cosine of the chroma a beat before and a beat after each line; nan where either side is silent."""
        n = self._beat
        before, after = np.split(chroma(near.read(_windows(np.concatenate([lines - n, lines]), n)), self._rate), 2)
        norms = np.linalg.norm(before, axis=1), np.linalg.norm(after, axis=1)
        sounding = np.minimum(*norms) > 1e-3 * self._level
        cosine = np.sum(before * after, axis=1) / np.where(sounding, norms[0] * norms[1], 1)
        return np.where(sounding, cosine, np.nan)

    def _chroma_drop(self, near: _Patch) -> float:
        here = float(self._continuity(near, np.array([0]))[0])
        own = self._harmony[np.isfinite(self._harmony)]
        return float(np.median(own)) - here if len(own) and np.isfinite(here) else 0.0


_LEAST_LINES = 12  # a loop with fewer beats is compared with their subdivisions, lest one odd beat decide
_ORDER = 24
_CLICK_WINDOW = 0.02  # seconds on either side that the predictor learns from
_CLICK_FLOOR = 3e-4  # a click 70 dB under the sound around it is not heard
_LEAST_FLUX = 0.2  # nepers (1.7 dB): a smaller change is no change, however steady the loop
_FLUX_FLOOR = 1e-4  # of the loop's level: what a spectrum changes below it is not heard
_SHALLOW = -6.0  # dB: dips of steady chords and noise over 5 ms reach this by themselves, so they are no holes
_ONE_CHANNEL = 3.0  # dB: a hole in one channel while the others sound may be this much deeper


class _Patch:
    """A loop read circularly, with other samples next to its wrap."""

    def __init__(
        self,
        samples: NDArray[np.float32],
        tail: NDArray[np.floating] | None = None,
        head: NDArray[np.floating] | None = None,
    ) -> None:
        self._samples, self._tail, self._head = samples, tail, head
        self.before = 0 if tail is None else len(tail)
        self.after = 0 if head is None else len(head)
        if self.before + self.after > len(samples):
            raise ValueError(f"{self.before} + {self.after} samples replaced in a loop of {len(samples)}")

    def read(self, at: NDArray[np.int64]) -> Float:
        """Samples at any positions, shape ``at.shape + (channels,)``, float64."""
        frames = len(self._samples)
        at = at % frames
        out = self._samples[at].astype(np.float64)
        if self._tail is not None and self.before:
            late = at >= frames - self.before
            out[late] = self._tail[at[late] - (frames - self.before)]
        if self._head is not None and self.after:
            early = at < self.after
            out[early] = self._head[at[early]]
        return out


def _windows(starts: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    return np.asarray(starts[:, None] + np.arange(length))


def _decimated(near: _Patch, reach: int, step: int) -> Float:
    """``2 reach`` samples around the wrap, every ``step``-th after a low-pass; the wrap lies at index ``reach``."""
    if step == 1:
        return near.read(np.arange(-reach, reach))
    half = 8 * step
    taps = np.sinc(np.arange(-half, half + 1) / step) * hann(2 * half + 1)
    wide = near.read(np.arange(-reach * step - half, reach * step + half))
    return np.stack([np.convolve(x, taps / taps.sum(), "valid")[::step][: 2 * reach] for x in wide.T], axis=1)


def _surprise(x: Float, reach: int, about: int, floor: float) -> float:
    """Error of linear prediction across the middle of ``x`` over the largest around it.

    ``x`` holds ``reach`` samples and twice the predictor's order on either side of its middle. The predictor is the
    autocorrelation method's (Makhoul 1975), learnt from what comes before.
    """
    middle = len(x) // 2
    past = x[middle - reach : middle - 8] * hann(reach - 8)
    lags = np.correlate(past, past, "full")[len(past) - 1 : len(past) + _ORDER]
    lags[0] = lags[0] * (1 + 1e-6) + 1e-12
    taps = np.concatenate([[1.0], -solve_toeplitz(lags[:-1], lags[1:])])
    error = np.abs(lfilter(taps, [1.0], x[middle - about - 2 * _ORDER : middle + about]))[2 * _ORDER :]
    nearby = np.concatenate([error[: about - 4], error[about + 5 :]])
    return float(error[about - 2 : about + 3].max() / (nearby.max() + floor))
