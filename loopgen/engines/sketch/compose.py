"""Request and style -> Score: the decisions, in the order a band would take them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from loopgen.engines.sketch import beats, parts
from loopgen.engines.sketch.chance import Chance
from loopgen.engines.sketch.genres import PARTS, Genre
from loopgen.engines.sketch.instruments import INSTRUMENTS
from loopgen.engines.sketch.progression import progression
from loopgen.engines.sketch.prompt import Style, hinted
from loopgen.engines.sketch.repertoire import BY_NAME, GENRES
from loopgen.engines.sketch.rhythm import STRAIGHT, Cell, Swing, cells
from loopgen.engines.sketch.score import Harmony, Played, Score
from loopgen.engines.sketch.theory import chord, estimate_key, harmonise
from loopgen.music.key import SCALES, Key
from loopgen.music.melody import Note
from loopgen.music.request import LoopRequest

_SUSTAINING = (
    "saw lead",
    "flute",
    "square lead",
    "piano",
    "vibraphone",
    "brass",
    "rhodes",
    "overdriven",
    "strings",
    "organ",
)
_DEFAULTS = {"bass": "synth bass", "chords": "rhodes", "pad": "pad", "lead": "pluck"}
_COMMON = {"minor": ("i VI III VII", "i iv VII i"), "major": ("I V vi IV", "I vi IV V")}


def compose(request: LoopRequest, style: Style, seed: int) -> Score:
    """Write the whole loop down."""
    start = Chance(seed, " ".join(style.rest))
    genre = style.genre or _suggested(request, style, start)
    chance = Chance(seed, f"{genre.name}: {' '.join(style.rest)}")
    layout = cells(request.meter, request.bars, _feel(request, genre, style))
    quarters = float(request.bars * request.meter.quarters)
    melody = request.melody.repeated(quarters) if request.melody else ()
    key = request.key or _key(genre, style, melody, chance)
    given = progression(melody, quarters, float(request.meter.quarters))
    melody = () if given else melody
    harmony = given.harmony if given else _harmony(genre, key, layout, melody, chance)
    swing = _swing(genre, style)
    instruments = _band(genre, style, bool(melody), chance)
    score = Score(
        genre, style, key, quarters, layout[0].pulses[0].length, layout, swing, harmony, instruments=instruments,
        kit=style.kit or chance.pick(style.borrowed.get("drums", genre).kits, "drums", "kit"),
    )  # fmt: skip
    score = replace(score, notes=_notes(score, melody, chance))
    if given:
        sounding = {part: given.silenced(notes) for part, notes in score.notes.items()}
        score = replace(score, notes={part: notes for part, notes in sounding.items() if notes})
    if style.plays("drums") is not False:
        drummer = style.borrowed.get("drums", genre)
        beat_swing = _swing(drummer, style)
        score = replace(score, hits=beats.drum(drummer, style, layout, beat_swing, chance))
    return score


def _suggested(request: LoopRequest, style: Style, chance: Chance) -> Genre:
    """A genre where none is named: what the instruments suggest, else one that lives at this tempo."""
    candidates: Sequence[Genre] = hinted(style)
    if not candidates:
        home = [genre for genre in GENRES if genre.tempo[0] <= request.bpm <= genre.tempo[1]]
        popular = [genre for genre in home if genre.name in _EVERYDAY]
        candidates = popular or home or [BY_NAME[name] for name in _EVERYDAY]
        return chance.pick(candidates, "genre")
    return min(
        candidates, key=lambda genre: abs(math.log2(float(request.bpm) / math.sqrt(genre.tempo[0] * genre.tempo[1])))
    )


_EVERYDAY = ("house", "techno", "hip-hop", "lo-fi", "pop", "drum and bass", "synthwave", "soul", "trap", "disco")


def _feel(request: LoopRequest, genre: Genre, style: Style) -> int:
    """Octaves between the tempo and the genre's own: 1 is felt at half the speed, -1 at double.

    The written tempo is kept unless it is off by more than about two thirds of an octave.
    """
    home = math.log2(float(request.bpm) / math.sqrt(genre.tempo[0] * genre.tempo[1]))
    feel = max(-3, min(4, (0 if abs(home) < 0.66 else round(home)) + style.mood.feel))
    quarters = request.bars * float(request.meter.quarters)
    while feel > 0 and quarters / 2**feel < 4 and 2 ** (feel - 1) * 60 / float(request.bpm) >= 0.2:
        feel -= 1  # a short loop is felt faster, so that it holds a whole felt bar
    return feel


def _swing(genre: Genre, style: Style) -> Swing:
    ratio = genre.swing.ratio
    if style.mood.swing > 0:
        return Swing(genre.swing.unit, max(ratio + 0.04, 0.6))
    return STRAIGHT if style.mood.swing < 0 else Swing(genre.swing.unit, ratio)


def _key(genre: Genre, style: Style, melody: Sequence[Note], chance: Chance) -> Key:
    if melody:
        weights = np.zeros(12)
        for note in melody:
            weights[note.pitch % 12] += note.duration
        return estimate_key(weights)
    modes = list(genre.modes)
    if style.mood.scale:
        modes = [style.mood.scale]
    elif style.mood.major:
        wanted = style.mood.major > 0
        modes = [m for m in modes if (4 in SCALES[m]) == wanted] or ["major" if wanted else "minor"]
    return Key(int(chance.stream("key", "tonic").random() * 12), chance.pick(modes, "key", "mode"))


def _harmony(
    genre: Genre, key: Key, layout: Sequence[Cell], melody: Sequence[Note], chance: Chance
) -> tuple[Harmony, ...]:
    """Chords over the loop: a progression of the genre, or what fits the melody."""
    if melody:
        slots = _slots(layout, 0.5 if len(layout) < 8 else 1)
        numerals = harmonise([_weights(melody, start, length) for start, length in slots], key)
    else:
        options = genre.minor if key.is_minor else genre.major
        progression = chance.pick(options or _COMMON["minor" if key.is_minor else "major"], "harmony").split()
        span = genre.span
        while span > 0.5 and len(_slots(layout, span)) < min(len(progression), 3):
            span /= 2
        slots = _slots(layout, span)
        if key.mode == "harmonic minor":
            progression = [numeral.replace("v", "V") if numeral[0] == "v" else numeral for numeral in progression]
        numerals = [progression[k % len(progression)] for k in range(len(slots))]
    size = min(genre.colour, 4) if melody else genre.colour
    out: list[Harmony] = []
    for numeral, (start, length) in zip(numerals, slots, strict=True):
        sounded = chord(numeral, key, min(size, 3) if melody else size)
        if out and out[-1].chord == sounded:
            out[-1] = replace(out[-1], duration=out[-1].duration + length)
        else:
            out.append(Harmony(start, length, sounded))
    return tuple(out)


def _slots(layout: Sequence[Cell], span: float) -> list[tuple[float, float]]:
    """(start, length) in quarters of stretches of ``span`` felt bars; halves break at a pulse."""
    if span < 1:
        out = []
        for cell in layout:
            if len(cell.pulses) < 2:
                out.append((cell.start, cell.length))
                continue
            middle = cell.pulses[(len(cell.pulses) + 1) // 2].start
            out += [(cell.start, middle - cell.start), (middle, cell.start + cell.length - middle)]
        return out
    step = int(span)
    groups = [layout[k : k + step] for k in range(0, len(layout), step)]
    return [(group[0].start, sum(cell.length for cell in group)) for group in groups]


def _weights(melody: Sequence[Note], start: float, length: float) -> np.ndarray:
    """Share of each pitch class in a stretch, by duration; notes that begin with it count half as much again."""
    weights = np.zeros(12)
    for note in melody:
        overlap = min(note.start + note.duration, start + length) - max(note.start, start)
        if overlap > 0:
            weights[note.pitch % 12] += overlap * (1.5 if abs(note.start - start) < 0.05 else 1.0)
    return weights / max(float(weights.sum()), 1e-9)


def _band(genre: Genre, style: Style, melody: bool, chance: Chance) -> dict[str, str]:
    """Part -> instrument for the pitched parts that play."""
    options = {"bass": "basses", "chords": "chords", "pad": "pads", "lead": "leads"}
    out = {}
    for part in PARTS[1:]:
        home = style.borrowed.get(part, genre)
        choices: tuple[str, ...] = getattr(home, options[part])
        wish = style.plays(part)
        if part == "lead" and melody and part not in style.unwanted and _carries(style):
            wish = True
        if wish is False:
            continue
        chosen = style.instruments.get(part) or (chance.pick(choices, part, "instrument") if choices else "")
        if wish is None and part in ("pad", "lead"):
            thin = style.mood.density < -0.4
            if chance.stream(part, "chance").random() > genre.lead_chance * (0.5 if thin else 1.0):
                continue
        if wish and not chosen:
            chosen = _DEFAULTS[part]
        if part == "lead" and melody and style.alone and part not in style.alone:
            chosen = style.instruments.get("chords") or style.instruments.get("pad") or chosen
        elif part == "lead" and melody and part not in style.instruments and chosen not in _SUSTAINING:
            sustained = [name for name in choices if name in _SUSTAINING] or ["saw lead", "flute", "square lead"]
            chosen = chance.pick(sustained, "lead", "sustained")
        if chosen:
            out[part] = chosen
    if not out and style.plays("drums") is False:
        out["pad"] = _DEFAULTS["pad"]  # everything refused: silence is no loop
    return out


def _carries(style: Style) -> bool:
    """Whether what plays can carry a melody: "solo piano" can, "only drums" cannot."""
    return not style.alone or bool(style.alone & {"chords", "pad", "lead"})


def _notes(score: Score, melody: Sequence[Note], chance: Chance) -> dict[str, tuple[Played, ...]]:
    style, layout, harmony = score.style, score.cells, score.harmony
    out: dict[str, tuple[Played, ...]] = {}
    low = min((note.pitch for note in melody), default=0)
    high = max(low, 55) if melody else None
    for part, name in score.instruments.items():
        home = style.borrowed.get(part, score.genre)
        swing = _swing(home, style)
        centre = INSTRUMENTS[name].centre
        if part == "bass":
            out[part] = parts.bass(home, layout, swing, harmony, centre, style, chance)
        elif part == "chords":
            out[part] = parts.comp(home, layout, swing, harmony, name, centre, style, chance, high)
        elif part == "pad":
            out[part] = parts.hold(harmony, centre, high)
        elif melody:
            out[part] = parts.follow(melody)
        else:
            arp = home.arp or any(word.startswith("arp") for word in style.understood)
            out[part] = parts.lead(home, layout, swing, harmony, score.key, max(centre, 66), arp, style, chance)
    return {part: notes for part, notes in out.items() if notes}
