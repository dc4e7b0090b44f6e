"""The drummer: patterns of a genre, varied, filled, thinned or thickened, and played by a human."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from loopgen.engines.sketch.chance import Chance
from loopgen.engines.sketch.genres import Genre
from loopgen.engines.sketch.prompt import Style
from loopgen.engines.sketch.rhythm import VELOCITY, Cell, Step, Swing, lay
from loopgen.engines.sketch.score import Hit

_PLAIN: Mapping[str, str] = {
    "kick": "X... .... X... ....", "snare": ".... X... .... X...", "clap": ".... X... .... X...",
    "hat": "x.o. x.o. x.o. x.o.", "open": "..x. ..x. ..x. ..x.", "ride": "x.o. x.o. x.o. x.o.",
    "crash": "x... .... .... .... .... .... .... ....", "shaker": "o-x- o-x- o-x- o-x-",
    "tambourine": ".... x... .... x...", "conga": "..o. ..oo ..o. .o.o", "conga high": "o... .o.. o..o ....",
    "bongo": "..o- .o.. ..o- o...", "tom": ".... .... .... ..oo", "tom low": "...o .... ...o .o..",
    "cowbell": "x... x... x... x...", "rim": "...o ..o. .... o...", "clave": "x..x ..x. ..x. x...",
    "wood": "..o. ...o ..o. .o..", "snap": ".... x... .... x...", "agogo": "x.x. .x.x .x.. x.x.",
}  # fmt: skip
"""What a drum plays that was asked for by name in a genre without it."""

_FILLS: Mapping[str, tuple[dict[str, str], ...]] = {
    # four marks for each of the last two pulses of the phrase
    "snare": (
        {"snare": "o.o. oxxX", "hat": "..x. ....", "kick": "X... ...."},
        {"snare": ".... xxxX", "kick": "X... ...."},
        {"snare": "x..x ..xx", "kick": "X..o .o..", "hat": "x.x. x..."},
    ),
    "toms": (
        {
            "snare": "xx.. ....",
            "tom high": "..xx ....",
            "tom": ".... xx..",
            "tom low": ".... ..xX",
            "kick": "X... X...",
        },
        {"snare": "x... x...", "tom high": "..x. .x..", "tom low": "...x ..xx", "kick": "X... ..x."},
        {
            "tom high": ".... xx..",
            "tom": ".... ..x.",
            "tom low": ".... ...X",
            "kick": "X... ....",
            "snare": "X... ....",
        },
    ),
    "chop": (
        {"kick": "X..X ....", "snare": ".x.. x.xX", "hat": "x.x. x.x."},
        {"kick": "X.X. ..X.", "snare": ".o.x x..x", "hat": "x.x. x.x."},
        {"kick": "X... X...", "snare": "..X. .xXx", "hat": "x.xx x.x."},
    ),
    "drop": (
        {"kick": "X... ....", "hat": "x.x. ....", "open": ".... x...", "clap": ".... ...x"},
        {"kick": ".... ....", "hat": "x.x. xxxx", "clap": ".... X..x"},
        {"kick": "X... ....", "snare": ".... ..xX"},
    ),
}
_FILLED = ("kick", "snare", "clap", "hat", "open", "rim", "tom high", "tom", "tom low", "ride")
_TIMEKEEPERS = ("hat", "shaker", "ride", "tambourine")


def drum(genre: Genre, style: Style, cells: Sequence[Cell], swing: Swing, chance: Chance) -> tuple[Hit, ...]:
    """All strokes of the loop, in order."""
    hits: list[Hit] = []
    density = style.mood.density
    filled = _fill_pulses(genre, cells, density, chance)
    lanes = _lanes(genre, style, chance)
    for lane, pattern in lanes.items():
        rng = chance.stream("drums", lane, "play")
        for cell in cells:
            for step in lay(pattern, cell, swing):
                mark = step.mark
                if (step.pulse.start, lane) in filled:
                    mark = "."  # the fill plays here
                draw = rng.random(3)
                mark = _varied(mark, lane, step, cell, density, draw)
                if mark in VELOCITY:
                    hits.extend(_strokes(genre, lane, step, mark, rng))
    for cell in cells:
        for pulse in cell.pulses:
            for lane in _FILLED:
                marks = filled.get((pulse.start, lane))
                if not marks or (style.only_lanes and lane not in style.only_lanes) or lane in style.no_lanes:
                    continue
                rng = chance.stream("drums", lane, "fill", str(cell.index), f"{pulse.start:.6f}")
                local = Cell(0, pulse.start, pulse.length, (pulse,))
                for step in lay(marks * 4, local, swing):
                    if step.mark in VELOCITY:
                        hits.extend(_strokes(genre, lane, step, step.mark, rng))
    if lanes and not hits:  # a loop too short for its pattern still begins
        lane = next(iter(lanes))
        hits.extend(
            _strokes(
                genre,
                lane,
                next(iter(lay("x...............", cells[0], swing))),
                "x",
                chance.stream("drums", lane, "one"),
            )
        )
    return tuple(sorted(hits, key=lambda hit: (hit.start, hit.lane)))


def _lanes(genre: Genre, style: Style, chance: Chance) -> dict[str, str]:
    """Lane -> the pattern chosen for it; drums asked for by name are there, those refused are not."""
    lanes = {}
    for lane, options in genre.drums.items():
        asked = lane in style.lanes
        choices = [option for option in options if option] if asked else list(options)
        if choices:
            lanes[lane] = chance.pick(choices, "drums", lane, "pattern")
    if not any(lanes.values()) and style.plays("drums"):
        lanes.update({lane: _PLAIN[lane] for lane in ("kick", "rim", "shaker")})  # drums asked of ambient
    for lane in style.lanes:
        if not lanes.get(lane):
            lanes[lane] = _PLAIN[lane]
    if style.mood.density > 0.5 and "shaker" not in style.no_lanes and not lanes.get("shaker"):
        lanes["shaker"] = _PLAIN["shaker"]
    if style.only_lanes:
        lanes = {lane: pattern for lane, pattern in lanes.items() if lane in style.only_lanes}
    return {lane: p for lane, p in lanes.items() if p and lane not in style.no_lanes}


def _varied(mark: str, lane: str, step: Step, cell: Cell, density: float, draw: np.ndarray) -> str:
    """A bar is never quite the bar before: soft strokes come and go, busy prompts fill gaps, sparse ones leave them."""
    soft = mark in "o-"
    if mark != "." and density < 0:
        drop = -density * (0.9 if soft else 0.35 if lane in _TIMEKEEPERS else 0.0)
        if draw[0] < drop:
            return "."
    if soft and draw[0] < 0.1:
        return "."
    offbeat = step.at > step.pulse.start
    if mark == "." and density > 0 and offbeat:
        if lane in _TIMEKEEPERS and draw[1] < 0.75 * density:
            return "-" if draw[2] < 0.6 else "o"
        if lane in ("snare", "rim", "conga") and draw[1] < 0.18 * density:
            return "-"
    if mark == "." and lane == "snare" and offbeat and cell.index % 2 and draw[1] < 0.04:
        return "-"
    return mark


def _strokes(genre: Genre, lane: str, step: Step, mark: str, rng: np.random.Generator) -> list[Hit]:
    """One mark as a human plays it; kicks stay exactly on the grid, so that the beat stays tight."""
    velocity = VELOCITY[mark] * (1 + 0.05 * float(np.clip(rng.standard_normal(), -2, 2)))
    spread = {"kick": 0.0, "snare": 0.4, "clap": 0.4}.get(lane, 1.0) * genre.human * 1e-3
    nudge = spread * float(np.clip(rng.standard_normal(), -2, 2))
    if lane in ("snare", "clap", "rim"):
        nudge += genre.late * 1e-3
    if mark != "r":
        return [Hit(step.start, lane, velocity, nudge)]
    count = 2 + int(rng.random() * 3)
    fall = 0.25 + 0.3 * rng.random()
    return [
        Hit(step.start + step.length * k / count, lane, velocity * (1 - fall * k / count), 0.0) for k in range(count)
    ]


def _fill_pulses(genre: Genre, cells: Sequence[Cell], density: float, chance: Chance) -> dict[tuple[float, str], str]:
    """(start of a pulse, lane) -> four marks, for the pulses at the ends of phrases that a fill takes over.

    Phrases are four felt bars; the end of the loop always has its fill where there are two bars or more.
    """
    if not genre.fill or len(cells) < 2 or density < -0.6:
        return {}
    ends = {k for k in range(len(cells)) if k % 4 == 3} | {len(cells) - 1}
    out: dict[tuple[float, str], str] = {}
    for k in sorted(ends):
        last = k == len(cells) - 1
        rng = chance.stream("drums", "fill", str(k))
        if not last and rng.random() < 0.35:
            continue
        fill = _FILLS[genre.fill][int(rng.random() * len(_FILLS[genre.fill]))]
        long = rng.random() < (0.6 if last else 0.4) and len(cells) >= 4
        count = min(2 if long else 1, len(cells[k].pulses) - 1)
        for pulse, half in zip(cells[k].pulses[len(cells[k].pulses) - count :], (0, 1)[2 - count :], strict=True):
            for lane in _FILLED:
                marks = fill.get(lane, "........").replace(" ", "")
                out[(pulse.start, lane)] = marks[4 * half : 4 * half + 4]
    return out
