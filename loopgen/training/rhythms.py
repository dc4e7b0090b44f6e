"""The drums of a piece: a style or a pattern made up, varied from bar to bar, with fills, breaks and distraction.

A pattern is a dictionary from instrument to the level of its strokes, shape ``(bars, steps)``, 0 where it rests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loopgen.training.pulses import Pulses
from loopgen.training.styles import Style

Rng = np.random.Generator
Array = NDArray[np.float64]
Pattern = dict[str, Array]

_TICKING = ("hat", "open_hat", "ride", "shaker")
_CELLS = ("X...", "X.X.", "XX.X", "XXX.", "X.XX", "XXXX", "..X.", ".XXX", "X..X", "..XX", "....")
_CELL_WEIGHTS = np.array([1.2, 2.4, 0.5, 0.9, 1.2, 1.0, 1.0, 0.4, 0.9, 0.4, 0.5])


@dataclass(frozen=True, slots=True)
class Drumming:
    """Strokes as written, before anyone's feel: ``places`` in sixteenths and ``levels``, by instrument."""

    strokes: dict[str, tuple[Array, Array]]
    style: str

    def kicks(self) -> Array:
        """Where the lowest drum falls; nothing where the piece has none."""
        for drum in ("kick", "tom_low"):
            if drum in self.strokes:
                return self.strokes[drum][0]
        return np.zeros(0)


def drumming(rng: Rng, pulses: Pulses, bars: int, style: Style | None, alone: bool) -> Drumming:
    """Drums for ``bars`` bars in a style, or in one made up; ``alone``: of a single instrument."""
    if style is None:
        name, pattern = made_up(rng, pulses)
    else:
        name, pattern = style.name, drawn(rng, style)
    steps = next(iter(pattern.values())).shape[1]
    weights = pulses.weights() if steps == pulses.cells else _weights(pulses, steps)
    pattern = _one(rng, pattern, weights) if alone else _arranged(rng, pattern, steps)
    pattern = {drum: _accented(rng, drum, levels, weights) for drum, levels in pattern.items()}
    if rng.random() < 0.6:
        pattern = mutated(rng, pattern, float(rng.uniform(0.02, 0.3)))
    played = _form(rng, pattern, bars)
    if rng.random() < 0.3:
        _unsteady(rng, played, float(rng.uniform(0.02, 0.12)))
    if rng.random() < 0.25 and bars >= 8 and len(played) > 1:
        _entries(rng, played)
    section, offset = int(rng.choice([2, 4, 4, 8])), int(rng.integers(8))
    if rng.random() < 0.45 and not alone:
        _fills(rng, played, section, offset)
    if rng.random() < 0.14:
        _breaks(rng, played, section, offset)
    if rng.random() < 0.3 and not alone:
        crashes = np.zeros((bars, steps))
        crashes[(np.arange(bars) + offset) % section == 0, 0] = rng.uniform(0.5, 1)
        played["crash"] = np.maximum(played.get("crash", crashes), crashes)
    strokes = {}
    for drum, levels in played.items():
        bar, step = np.nonzero(levels)
        if len(bar):
            strokes[drum] = ((bar * steps + step) * (pulses.cells / steps), levels[bar, step])
    if "hat" in strokes and rng.random() < (0.5 if name.startswith(("trap", "drill", "plugg")) else 0.04):
        strokes["hat"] = _rolls(rng, *strokes["hat"])
    if not alone and rng.random() < 0.07:
        _against(rng, strokes, pulses, bars)
    return Drumming(strokes, name) if strokes else drumming(rng, pulses, bars, style, alone)


# ---------------------------------------------------------------- patterns


def drawn(rng: Rng, style: Style) -> Pattern:
    """A style as one player plays it: every probable stroke taken or left, once for the whole piece."""
    pattern = {}
    repeats = 2 if style.bars == 1 and rng.random() < 0.3 else 1
    for drum in style.loud:
        loud, soft = np.tile(style.loud[drum], (repeats, 1)), np.tile(style.soft[drum], (repeats, 1))
        chance = rng.random(loud.shape)
        sure = np.minimum(loud, 0.985)
        weak = rng.uniform(0.5, 1)  # how loud the strokes are that not every player takes
        levels = np.where(chance < sure, np.where(loud > 0.8, 1.0, weak), 0.0)
        pattern[drum] = np.where(chance < soft, rng.uniform(0.15, 0.5), levels)
    return pattern


def made_up(rng: Rng, pulses: Pulses) -> tuple[str, Pattern]:
    """A pattern by rule, for any meter: low strokes that say where the bar starts, answers, ticking and percussion."""
    cells, weights = pulses.cells, pulses.weights()
    one = np.zeros(cells)
    kind = ("weighted", "pulses", "grouped", "euclid", "cells")[int(rng.choice(5, p=[0.35, 0.15, 0.2, 0.12, 0.18]))]
    kick = one.copy()
    if kind == "weighted":
        kick = _chance(rng, weights ** rng.uniform(0.7, 2) * rng.uniform(0.5, 1))
    elif kind == "pulses":
        kick[list(pulses.starts)] = 1
    elif kind == "grouped":
        kick[list(pulses.strong)] = 1
        kick = np.maximum(kick, _chance(rng, 0.25 * weights))
    elif kind == "euclid":
        kick = euclid(cells, int(rng.integers(2, max(3, cells // 3))))
    else:
        kick = _chance(rng, celled(rng, pulses) * 0.85)
    kick[0] = 1
    pattern = {"kick" if rng.random() < 0.9 else "tom_low": kick}
    if rng.random() < 0.82 and len(pulses.starts) > 1:
        answer = one.copy()
        habit = rng.random()
        if habit < 0.5:
            answer[list(pulses.starts[1::2])] = 1
        elif habit < 0.65:
            answer[pulses.middle] = 1
        elif habit < 0.8:
            answer[list(pulses.starts[1:])] = 1
        else:
            answer[[p for p in pulses.starts if p not in pulses.strong] or [pulses.starts[-1]]] = 1
        kick[answer > 0] *= rng.random() < (0.8 if kind == "pulses" else 0.25)
        ghosts = _chance(rng, 0.25 * (1 - weights)) * rng.uniform(0.15, 0.45) if rng.random() < 0.4 else one
        pattern[("snare", "snare", "clap", "rim")[int(rng.integers(4))]] = np.maximum(answer, ghosts)
    if rng.random() < 0.85:
        pattern[_TICKING[int(rng.choice([0, 0, 0, 2, 3]))]] = _ticks(rng, pulses)
    if rng.random() < 0.25:
        pattern["open_hat"] = one.copy()
        pattern["open_hat"][list(pulses.offbeats)] = 1
    for drum in ("perc_1", "perc_2", "tom_high"):
        if rng.random() < 0.28:
            few = int(rng.integers(2, max(4, cells // 2)))
            pattern[drum] = (
                np.roll(euclid(cells, few), int(rng.integers(cells)) if rng.random() < 0.4 else 0)
                if rng.random() < 0.6
                else _chance(rng, celled(rng, pulses) * 0.8)
            )
    return f"made up, {kind}", {drum: levels[None, :] for drum, levels in pattern.items()}


def euclid(cells: int, strokes: int) -> Array:
    """Strokes spread over the cells as evenly as they go, the first on cell 0 (Toussaint 2005).

    >>> "".join(".X"[int(cell)] for cell in euclid(8, 3)), "".join(".X"[int(cell)] for cell in euclid(16, 5))
    ('X..X..X.', 'X...X..X..X..X..')
    """
    return np.array([float((k * strokes) % cells < strokes) for k in range(cells)])


def celled(rng: Rng, pulses: Pulses) -> Array:
    """A rhythm of one figure a pulse, the same for most pulses of the bar, as players make up riffs; 0 or 1 a cell."""
    share = _CELL_WEIGHTS / _CELL_WEIGHTS.sum()
    figures = [_CELLS[int(k)] for k in rng.choice(len(_CELLS), 4, p=share)]
    order = ((0, 0, 0, 0), (0, 0, 0, 1), (0, 1, 0, 1), (0, 1, 0, 2), (0, 1, 2, 3))[int(rng.integers(5))]
    out = np.zeros(pulses.cells)
    for number, (start, end) in enumerate(zip(pulses.starts, pulses.ends, strict=True)):
        figure = figures[order[number % 4]] * 4
        if (end - start) % 4:  # a pulse of three or six: the figure in threes
            figure = (figure[:3] if end - start < 6 else figure[0] + "." + figure[1] + "." + figure[2] + ".") * 4
        out[start:end] = [step == "X" for step in figure[: end - start]]
    return out


def mutated(rng: Rng, pattern: Pattern, amount: float) -> Pattern:
    """Strokes left out, moved or added; the first low stroke of the bar mostly stays, an instrument's alone always."""
    out = {}
    for drum, levels in pattern.items():
        fate = rng.random(levels.shape)
        lost = (fate < 0.3 * amount) & (levels > 0)
        moved = (fate >= 0.3 * amount) & (fate < 0.6 * amount) & (levels > 0)
        if drum in ("hat", "ride", "shaker"):
            moved[:] = False
        if len(pattern) == 1 or (drum in ("kick", "tom_low") and rng.random() < 0.95):
            lost[:, 0] = moved[:, 0] = False
        added = (fate < 0.1 * amount) & (levels == 0)
        new = np.where(lost | moved, 0.0, levels)
        new = np.where(added, rng.uniform(0.25, 1), new)
        shift = int(rng.choice([-2, -1, 1, 2]))
        new = np.maximum(new, np.roll(np.where(moved, levels, 0.0).ravel(), shift).reshape(levels.shape))
        out[drum] = new
    return out


def _weights(pulses: Pulses, steps: int) -> Array:
    """Metrical weight of each step where steps are not sixteenths."""
    weights = np.full(steps, 0.25)
    weights[np.round(np.array(pulses.starts) * steps / pulses.cells).astype(int)] = 0.6
    weights[0] = 1.0
    return weights


def _chance(rng: Rng, probability: Array) -> Array:
    return (rng.random(len(probability)) < probability).astype(np.float64)


def _ticks(rng: Rng, pulses: Pulses) -> Array:
    ticks = np.zeros(pulses.cells)
    habit = rng.random()
    if habit < 0.45:
        ticks[::2] = 1
    elif habit < 0.65:
        ticks[:] = 1
    elif habit < 0.8:
        ticks[list(pulses.starts)] = 1
    elif habit < 0.92:
        ticks[list(pulses.offbeats)] = 1
    else:
        ticks = celled(rng, pulses)
    return ticks * (rng.random(pulses.cells) < 0.95)


def _one(rng: Rng, pattern: Pattern, weights: Array) -> Pattern:
    """One instrument that alone says where the bar begins: it plays on the first beat, or backbeats.

    Off-beats, a clave from its middle or a lone stroke on three would be heard as beat 1.
    """
    pulses = weights > 0.5
    told = [
        drum
        for drum, levels in pattern.items()
        if levels[:, 0].any() or (levels[:, pulses].sum() >= 2 * len(levels) and not (levels[:, ~pulses] > 0.5).any())
    ]
    drum = told[int(rng.integers(len(told)))] if told else next(iter(pattern))
    levels = pattern[drum]
    if not told:
        levels[:, 0] = 1
    return {drum: levels}


def _arranged(rng: Rng, pattern: Pattern, steps: int) -> Pattern:
    """With instruments missing, swapped for others, or joined by one of their own mind."""
    low = ("kick", "tom_low")
    kept = {drum: levels for drum, levels in pattern.items() if rng.random() > (0.06 if drum in low else 0.12)} or dict(
        pattern
    )
    swaps = {"snare": ("clap", "rim", "perc_1", "tom_high"), "kick": ("tom_low",), "hat": ("shaker", "ride", "perc_2")}
    for drum, others in swaps.items():
        other = others[int(rng.integers(len(others)))]
        if drum in kept and other not in kept and rng.random() < 0.12:
            kept[other] = kept.pop(drum)
    if rng.random() < 0.22:
        drum = ("perc_1", "perc_2", "shaker", "rim", "tom_high")[int(rng.integers(5))]
        if drum not in kept:
            extra = euclid(steps, int(rng.integers(2, max(3, steps // 2) + 1)))
            turn = int(rng.integers(4)) if rng.random() < 0.3 else 0
            kept[drum] = np.tile(np.roll(extra, turn) * rng.uniform(0.35, 1), (len(next(iter(kept.values()))), 1))
    return kept


def _accented(rng: Rng, drum: str, levels: Array, weights: Array) -> Array:
    """Accents with the meter, against it, of the player's own, or none."""
    habit, depth = rng.random(), rng.uniform(0.1, 0.6)
    if drum in (*_TICKING, "perc_1", "perc_2"):
        if habit < 0.5:
            return np.asarray(levels * (1 - depth * (1 - weights)))
        if habit < 0.65:
            return np.asarray(levels * (1 - depth * weights))
        if habit < 0.85:
            return np.asarray(levels * np.where(rng.random(len(weights)) < 0.3, 1.0, 1 - depth))
        return levels
    if habit < 0.3:
        return np.asarray(levels * (1 - 0.5 * depth * (1 - weights)))
    return levels


# ---------------------------------------------------------------- the piece


def _form(rng: Rng, pattern: Pattern, bars: int) -> Pattern:
    """The pattern laid out over the piece, its variations where songs have them."""
    form = ("A", "A", "A", "AB", "AAAB", "AABA", "AABC", "AAAAAAAB")[int(rng.integers(8))]
    other = {"A": pattern}
    for letter in sorted(set(form) - {"A"}):
        other[letter] = mutated(rng, pattern, float(rng.uniform(0.1, 0.55)))
    turn = int(rng.integers(len(form)))
    out = {}
    for drum in pattern:
        cycle = np.concatenate([other[letter][drum] for letter in form[turn:] + form[:turn]])
        out[drum] = np.tile(cycle, (bars // len(cycle) + 1, 1))[:bars].copy()
    return out


def _unsteady(rng: Rng, played: Pattern, amount: float) -> None:
    """Strokes missed and soft ones added, differently in every bar."""
    for drum, levels in played.items():
        fate = rng.random(levels.shape)
        levels[fate < amount * (0.3 if drum in ("kick", "clap") else 0.6)] = 0
        if drum not in ("kick", "clap", "crash"):
            levels[(fate > 1 - 0.4 * amount) & (levels == 0)] = 0.35


def _entries(rng: Rng, played: Pattern) -> None:
    """An instrument or two that come in or leave half way, at a bar that starts a section."""
    drums = list(played)
    for _ in range(int(rng.integers(1, 3))):
        drum = drums[int(rng.integers(len(drums)))]
        bar = 4 * int(rng.integers(1, max(2, len(played[drum]) // 4)))
        resting = slice(0, bar) if rng.random() < 0.7 else slice(bar, None)
        others = sum(levels[resting].sum(axis=1) for other, levels in played.items() if other != drum)
        if np.all(others > 0):  # somebody goes on in every bar
            played[drum][resting] = 0


def _fills(rng: Rng, played: Pattern, section: int, offset: int) -> None:
    """The end of each section given to the snare or the toms, or left without a kick."""
    bars, steps = next(iter(played.values())).shape
    start = steps - max(1, round(steps * float(rng.choice([0.125, 0.25, 0.25, 0.5]))))
    kind = ("snare", "toms", "drop", "drop all", "clap", "perc")[
        int(rng.choice(6, p=[0.3, 0.25, 0.2, 0.08, 0.07, 0.1]))
    ]
    where = np.flatnonzero((np.arange(bars) + offset) % section == section - 1)
    silenced = {"drop": ("kick", "tom_low"), "drop all": tuple(played)}.get(
        kind, ("kick", "snare", "clap", "hat", "ride")
    )
    for drum in silenced:
        if drum in played:
            played[drum][where, start:] = 0
    if kind.startswith("drop"):
        return
    length = steps - start
    density, same = rng.uniform(0.5, 1), rng.random() < 0.6
    levels = np.linspace(rng.uniform(0.4, 0.8), 1, length)
    fill = levels * (rng.random(length) < density)
    first, second = {"snare": ("snare", "snare"), "clap": ("clap", "clap"), "toms": ("tom_high", "tom_low")}.get(
        kind, ("perc_1", "perc_2")
    )
    for bar in where:
        if not same:
            fill = levels * (rng.random(length) < density)
        for drum, part in ((first, slice(0, (length + 1) // 2)), (second, slice((length + 1) // 2, length))):
            row = played.setdefault(drum, np.zeros((bars, steps)))[bar]
            row[start:][part] = fill[part]


def _breaks(rng: Rng, played: Pattern, section: int, offset: int) -> None:
    """Nobody plays for the last beats of a section, or the second half of a bar."""
    bars, steps = next(iter(played.values())).shape
    where = (np.arange(bars) + offset) % section == section - 1
    length = max(1, int(steps * rng.choice([0.125, 0.25, 0.25, 0.5])))
    for levels in played.values():
        levels[where, steps - length :] = 0


def _rolls(rng: Rng, places: Array, levels: Array) -> tuple[Array, Array]:
    """Some strokes become two, three or four before the next, as hats roll in trap."""
    gaps = np.diff(places, append=places[-1] + 1)
    chosen = np.flatnonzero((rng.random(len(places)) < rng.uniform(0.03, 0.15)) & (gaps <= 2))
    more, soft = [places], [levels]
    for k in chosen:
        count = int(rng.choice([2, 3, 3, 4]))
        more.append(places[k] + gaps[k] * np.arange(1, count) / count)
        soft.append(np.linspace(0.9, 0.6, count - 1) * levels[k])
    places, levels = np.concatenate(more), np.concatenate(soft)
    order = np.argsort(places, kind="stable")
    return places[order], levels[order]


def _against(rng: Rng, strokes: dict[str, tuple[Array, Array]], pulses: Pulses, bars: int) -> None:
    """Percussion in a period of its own that runs over the bar lines: threes against fours, fives, sevens."""
    drum = ("perc_1", "perc_2", "rim", "tom_high", "shaker")[int(rng.integers(5))]
    if drum in strokes:
        return
    period = float(rng.choice([3, 3, 3, 5, 6, 7, 16 / 3, 8 / 3]))
    places = np.arange(0, bars * pulses.cells, period)
    strokes[drum] = (places, np.full(len(places), rng.uniform(0.3, 0.8)))
