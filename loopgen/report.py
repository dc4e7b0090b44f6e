"""A loop as a person wants to see it: as text, as JSON, as a picture."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from loopgen.metrics import BOUNDS, failed, strain
from loopgen.metrics.grid import onset_deviations
from loopgen.music.loop import Loop
from loopgen.music.tempo import counted, format_bpm
from loopgen.music.turn import beat_one, rival_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BLOCKS = " ▁▂▃▄▅▆▇█"
_PLAIN = " .:-=+*#%"
_WEAKER_SHOWN = 3
"""Lines about takes that were passed over."""


def fields(loop: Loop, path: Path, picture: Path | None = None) -> dict[str, Any]:
    """The JSON object of a loop: what it is, how it was made, how good it is.

    Engine, seed and grid are None for a file that does not say how it was made.
    """
    request, recipe = loop.request, loop.recipe
    engine = recipe.get("engine") or {}
    return {
        "path": str(path),
        "frames": loop.audio.frames,
        "rate": loop.audio.rate,
        "channels": loop.audio.channels,
        "seconds": loop.audio.seconds,
        "bpm": float(request.bpm),
        "bars": request.bars,
        "meter": str(request.meter),
        "quarters": float(request.bars * request.meter.quarters),
        "key": recipe.get("key") or (str(request.key) if request.key else None),
        "prompt": request.prompt,
        "engine": engine.get("name"),
        "engine_version": engine.get("version"),
        "licence": engine.get("licence"),
        "seed": recipe.get("seed"),
        "weaker_takes": recipe.get("weaker_takes", []),
        "grid": recipe.get("grid"),
        "seam": loop.scores["seam"],
        "onsets": loop.scores["grid"],
        "level": loop.scores["level"],
        "length_error": loop.scores["length_error"],
        "warnings": list(loop.warnings),
        **({"picture": str(picture)} if picture else {}),
    }


def rank(shown: Mapping[str, Any]) -> tuple[int, float]:
    """Sorts the objects of ``fields``, the best loop first: fewest warnings, then the least strained seam."""
    return len(shown["warnings"]), strain(shown["seam"])


def describe(loop: Loop, path: Path, picture: Path | None = None, *, plain: bool = False) -> Iterator[str]:
    """Lines that say what the loop is and how good; ``plain`` keeps to ASCII."""
    request, recipe = loop.request, loop.recipe
    dot = " - " if plain else " · "
    channels = {1: "mono", 2: "stereo"}.get(loop.audio.channels, f"{loop.audio.channels} channels")
    key = recipe.get("key") or request.key
    yield str(path)
    what = [f"{format_bpm(request.bpm)} BPM", counted(request.bars, "bar") + f" of {request.meter}"]
    what += [str(key)] if key else []
    what += [f"{loop.audio.seconds:.3f} s", f"{loop.audio.frames} frames at {loop.audio.rate / 1000:g} kHz", channels]
    yield "  " + dot.join(what)
    yield "  " + sketch(loop, plain=plain)
    yield from _rows(_judgement(loop.scores, recipe, dot))
    if engine := recipe.get("engine"):
        made = f"{engine['name']} {engine['version']}, seed {recipe['seed']}"
        yield from _rows({"engine": made, "": engine.get("note", ""), "licence": engine["licence"]})
        yield from _weaker(recipe.get("weaker_takes", []))
    for warning in loop.warnings:
        yield f"  warning: {warning}"
    if picture:
        yield f"  picture  {picture}"


def _weaker(takes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The takes that were passed over, those of the same weakness in one line; many are counted."""
    seeds: dict[str, list[str]] = {}
    for take in takes:
        seeds.setdefault("; ".join(take["warnings"]) or "more strained at the seam", []).append(str(take["seed"]))
    lines = [f"seed{'s' * (len(of) > 1)} {', '.join(of)}: {why}" for why, of in seeds.items()]
    if more := sum(len(of) for of in list(seeds.values())[_WEAKER_SHOWN:]):
        lines[_WEAKER_SHOWN:] = [f"and {counted(more, 'take')} more, in the JSON beside the loop"]
    for line in lines:
        yield f"  weaker   {line}"


def _rows(rows: Mapping[str, str]) -> Iterator[str]:
    for name, text in rows.items():
        if text:
            yield f"  {name:<8} {text}"


def _judgement(scores: Mapping[str, Any], recipe: Mapping[str, Any], dot: str) -> dict[str, str]:
    seam, level = scores["seam"], scores["level"]
    if level["loudness"] is None:
        return {"seam": "nothing to judge", "level": "silence"}
    metrics = dot.join(f"{name.replace('_', ' ')} {seam[name]:.2f}" for name in BOUNDS)
    rows = {"seam": f"{_verdict(seam)}: {metrics}"}
    if grid := recipe.get("grid"):
        found = f"{grid['tempo']:.4f} BPM in the {'take' if recipe.get('take') else 'loop'} ({grid['source']})"
        sure = f"beat {grid['confidence']:.0%}, bar {grid['downbeat_confidence']:.0%} sure"
        if rival := rival_of(grid):
            sure += f"; else {beat_one(rival.beats)} ({rival.confidence:.0%})"
        rows["grid"] = dot.join([found, sure])
    onsets = scores["grid"]
    if onsets["deviation_ms"] is not None:
        rows["onsets"] = f"{onsets['onsets']}, half of them within {onsets['deviation_ms']:.2f} ms of a sixteenth"
    rows["level"] = _level(level, dot)
    return rows


def _verdict(seam: Mapping[str, Any]) -> str:
    names = ", ".join(name.replace("_", " ") for name in failed(seam))
    return f"fails {names}" if names else "passes all six"


def _level(level: Mapping[str, Any], dot: str) -> str:
    if level["loudness"] is None:
        return "silence"
    return f"{level['loudness']:.1f} LUFS{dot}peak {level['true_peak']:.1f} dBTP"


def sketch(loop: Loop, *, width: int = 64, plain: bool = False) -> str:
    """The loop's level over time as one line, its bars set apart."""
    marks = _PLAIN if plain else _BLOCKS
    bars = loop.request.bars
    cells = max(1, width // bars) * bars if bars <= width else width
    power = np.square(loop.audio.samples, dtype=np.float64).mean(axis=1)
    edges = np.linspace(0, loop.audio.frames, cells + 1).astype(int)
    level = np.sqrt([power[a:b].mean() if b > a else 0.0 for a, b in pairwise(edges)])
    steps = np.round(level / max(level.max(), 1e-9) * (len(marks) - 1)).astype(int)
    line = "".join(marks[step] for step in steps)
    if bars > width:
        return line
    size = cells // bars
    return ("|" if plain else "│").join(line[bar * size : (bar + 1) * size] for bar in range(bars))


def draw(loop: Loop) -> bytes:
    """A PNG of the loop: waveform with bars and beats, spectrum, the seam enlarged, onsets against the grid."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7.5), dpi=110, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplot_mosaic([["wave", "wave"], ["tone", "tone"], ["seam", "onsets"]], height_ratios=[1.1, 1, 1.1])
    request = loop.request
    name = request.prompt or "loop"
    figure.suptitle(
        f"{name if len(name) < 70 else name[:67] + '...'}\n{format_bpm(request.bpm)} BPM, "
        f"{counted(request.bars, 'bar')} of {request.meter}, {loop.audio.frames} frames at {loop.audio.rate} Hz",
        fontsize=11,
    )
    _draw_wave(axes["wave"], loop)
    _draw_tone(axes["tone"], loop)
    _draw_seam(axes["seam"], loop)
    _draw_onsets(axes["onsets"], loop)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": "loopgen"})
    return stream.getvalue()


_INK, _SOFT, _WARM, _FAINT = "#1f3b57", "#7aa6c8", "#d9622b", "#c9d3dc"


def _bar_lines(axes: Axes, loop: Loop) -> None:
    """Bars and beats as lines; time in beats, numbered in bars."""
    beats = loop.request.meter.beats
    total = loop.request.bars * beats
    if total <= 256:
        for beat in range(total + 1):
            axes.axvline(beat, color=_FAINT, linewidth=1.2 if beat % beats == 0 else 0.4, zorder=0)
    step = max(1, loop.request.bars // 32)
    axes.set_xticks(range(0, total, beats * step), [str(bar + 1) for bar in range(0, loop.request.bars, step)])
    axes.set_xlim(0, total)
    axes.tick_params(length=0, labelsize=8)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)


def _draw_wave(axes: Axes, loop: Loop) -> None:
    columns = min(1800, loop.audio.frames)
    edges = np.linspace(0, loop.audio.frames, columns + 1).astype(int)[:-1]
    x = np.linspace(0, loop.request.bars * loop.request.meter.beats, columns)
    lanes = loop.audio.samples.T[:2]
    top = max(0.05, float(np.abs(lanes).max()))
    for lane, (channel, colour) in enumerate(zip(lanes, (_INK, _SOFT), strict=False)):
        low, high = np.minimum.reduceat(channel, edges) / top, np.maximum.reduceat(channel, edges) / top
        axes.fill_between(x, low - 2.1 * lane, high - 2.1 * lane, color=colour, linewidth=0)
    _bar_lines(axes, loop)
    axes.set_ylim(-1.05 - 2.1 * (len(lanes) - 1), 1.05)
    axes.set_yticks([])
    axes.set_title(f"bars and beats    {_level(loop.scores['level'], ', ')}", **_TITLE)


def _draw_tone(axes: Axes, loop: Loop) -> None:
    size, columns = 2048, 900
    mono = loop.audio.mono()
    middles = np.linspace(0, len(mono), columns, endpoint=False).astype(int)
    frames = mono[(middles[:, None] + np.arange(-size // 2, size // 2)) % len(mono)] * np.hanning(size)
    power = 20 * np.log10(np.abs(np.fft.rfft(frames, axis=1)) + 1e-6)
    low, high = 40.0, min(16_000.0, loop.audio.rate / 2)
    rows = np.geomspace(low, high, 160)
    bins = np.clip((rows * size / loop.audio.rate).round().astype(int), 1, size // 2)
    peak = power.max()
    extent = (0, loop.request.bars * loop.request.meter.beats, 0, len(rows))
    axes.imshow(power[:, bins].T, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=peak - 75, vmax=peak)
    _bar_lines(axes, loop)
    ticks = [f for f in (100, 1000, 10_000) if f < high]
    axes.set_yticks([float(np.searchsorted(rows, f)) for f in ticks], [f"{f / 1000:g}k" for f in ticks])
    axes.set_title("spectrum over the bars (kHz)", **_TITLE)


def _draw_seam(axes: Axes, loop: Loop) -> None:
    reach = min(loop.audio.rate // 50, loop.audio.frames // 2)
    around = np.concatenate([loop.audio.samples[-reach:], loop.audio.samples[:reach]])
    milliseconds = np.arange(-reach, reach) / loop.audio.rate * 1000
    for channel, colour in zip(around.T[:2], (_INK, _SOFT), strict=False):
        axes.plot(milliseconds, channel, color=colour, linewidth=0.9)
    axes.axvline(0, color=_WARM, linewidth=1)
    axes.set_xlim(milliseconds[0], milliseconds[-1])
    axes.tick_params(length=0, labelsize=8)
    axes.set_yticks([])
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.set_title(f"the seam: end | beginning (ms)    {_verdict(loop.scores['seam'])}", **_TITLE)


def _draw_onsets(axes: Axes, loop: Loop) -> None:
    beats, late = onset_deviations(loop.audio, loop.request.bars, loop.request.meter)
    axes.axhspan(-1, 1, color=_FAINT, alpha=0.5, linewidth=0)
    axes.axhline(0, color=_INK, linewidth=0.5)
    axes.scatter(beats, np.clip(late, -10, 10), s=10, color=_WARM, linewidth=0, alpha=0.8)
    _bar_lines(axes, loop)
    axes.set_ylim(-10.5, 10.5)
    axes.set_yticks([-10, -5, -1, 1, 5, 10])
    half = loop.scores["grid"]["deviation_ms"]
    text = "too few to tell" if half is None else f"half within {half:.2f} ms"
    axes.set_title(f"onsets against the grid (ms late)    {text}", **_TITLE)


_TITLE: dict[str, Any] = {"fontsize": 9, "loc": "left", "color": "#44525f"}
