"""A score becomes sound, and where its bars truly begin.

Half of what a listener meets is played through, the other half are loops: a few bars cut hard at their end and repeated
sample for sample. Both are made here, each event at its exact place, in sounds that no other clip has.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loopgen.training.kits import LAYERS, Drum, draw_kit
from loopgen.training.score import Hit, Music, Note
from loopgen.training.signals import Numbers, Wave, filtered, gain, high_pass, low_pass
from loopgen.training.tone_voices import Instrument, draw_instrument

RATE = 24_000
"""Frames a second of the training clips."""

_DRUM_LEVELS = {
    "kick": -2.0, "snare": 0.0, "clap": -2.0, "rim": -3.0, "hat": -7.0, "open_hat": -7.0, "ride": -8.0,
    "crash": -5.0, "tom_high": -2.0, "tom_low": -2.0, "perc_1": -3.0, "perc_2": -3.0, "shaker": -8.0,
}  # fmt: skip
"""Peaks in dB."""
_PART_LEVELS = {"bass": -2.0, "chord": -2.0, "pad": -5.0, "arp": -3.0, "lead": -1.0}
"""RMS in dB, against each other."""
_SPREAD = 8.0
"""dB by which any instrument may be louder or quieter than usual."""
_PHASES = 8
"""Strokes are placed to this fraction of a frame; notes, whose attacks are softer, to whole frames."""
_REACH = 4
"""Frames on either side over which the fraction is interpolated."""
_BEFORE = 12.0
"""Seconds a note may have begun before the clip and still sound in it."""


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """A clip to learn from.

    Attributes:
        audio: mono, float32, peak at most 1.
        downbeats: seconds where bars begin, float64, increasing; the first lies before the clip or at its start, the
            last after its end or there.
        kind: "played" through, "cut" loop, or "wrapped" loop, whose tails ring on from its end into its beginning.
    """

    audio: Wave
    downbeats: NDArray[np.float64]
    kind: str


@dataclass(frozen=True, slots=True)
class _Time:
    """Where sixteenths fall: ``seconds = place * sixteenth`` from ``start`` on, bent by a slow sine."""

    sixteenth: float
    start: float
    wobble: float
    period: float
    phase: float

    def seconds(self, places: Numbers) -> NDArray[np.float64]:
        """Time of each place; the length of a sixteenth swings by ``wobble`` (relative) once every ``period``."""
        even = (places - self.start) * self.sixteenth
        turn = 2 * np.pi / self.period
        bent = np.cos(self.phase) - np.cos(turn * even + self.phase)
        return np.asarray(even + self.wobble / turn * bent, dtype=np.float64)


def render(
    music: Music, rng: np.random.Generator, *, seconds: float, rate: int = RATE, wobble: float = 0.0
) -> Rendered:
    """``seconds`` of ``music`` from a random place on, over and over if it is shorter, with sounds drawn from ``rng``.

    ``wobble`` is the relative depth of a slow rise and fall of the tempo (period 8 to 16 s); such pieces are always
    played through, as loops keep their tempo.
    """
    band = _Band(music, rate, rng)
    frames = round(seconds * rate)
    bar = 4 * float(music.meter.quarters)
    draw = rng.random()
    kind = "played" if wobble or draw >= 0.45 else "cut" if draw < 0.33 else "wrapped"
    if kind == "played":
        start = _busy(music, seconds / music.sixteenth, rng.uniform(0, music.sixteenths, 8))
        time = _Time(music.sixteenth, start, wobble, rng.uniform(8, 16), rng.uniform(0, 2 * np.pi))
        events = _around(music, start - _BEFORE / time.sixteenth, start + 1.1 * seconds / time.sixteenth)
        audio = band.play(events, time, frames, None)
        first = int(np.floor(time.start / bar)) - 1
        last = first + int(1.1 * seconds / music.sixteenth / bar) + 4
        downbeats = time.seconds(bar * np.arange(first, last + 1))
    else:
        bars = int(rng.choice([n for n in (1, 2, 4, 8) if n <= music.bars]))
        begin = _busy(music, bar * bars, bar * bars * rng.permutation(music.bars // bars))
        length = round(bars * bar * music.sixteenth * rate)
        time = _Time(length / rate / (bars * bar), begin, 0.0, 8.0, 0.0)
        events = _within(music, begin, begin + bars * bar)
        loop = band.play(events, time, length, length if kind == "wrapped" else None)
        if rng.random() < 0.5:
            fade = round(rng.uniform(0.0005, 0.006) * rate)
            loop[length - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
        offset = int(rng.integers(length))
        audio = np.resize(np.roll(loop, -offset), frames)
        count = int(np.ceil((frames + offset) / length)) * bars + 1
        downbeats = np.arange(count + 1) * (length / bars) / rate - offset / rate
    inside = np.searchsorted(downbeats, [0.0, seconds], side="right")
    audio = audio * np.float32(gain(rng.uniform(-12, 0)) / max(float(np.abs(audio).max(initial=0.0)), 1e-9))
    return Rendered(audio, downbeats[max(0, inside[0] - 1) : inside[1] + 1], kind)


def _busy(music: Music, span: float, places: Numbers) -> float:
    """The first of ``places`` that half as much as usual follows within ``span``: nobody asks where one is in rests."""
    events = np.array([*(hit.place for hit in music.hits), *(note.place for note in music.notes)]) % music.sixteenths
    rounds = events + music.sixteenths * np.arange(np.ceil(span / music.sixteenths) + 1)[:, None]
    follow = np.array([np.sum((rounds >= place) & (rounds < place + span)) for place in places])
    enough = follow >= 0.5 * len(events) * span / music.sixteenths
    return float(places[int(np.argmax(enough if enough.any() else follow))])


Events = tuple[list[Hit], list[Note]]


def _around(music: Music, begin: float, end: float) -> Events:
    """Events of endless ``music`` from place ``begin`` to ``end``."""
    hits: list[Hit] = []
    notes: list[Note] = []
    for turn in range(int(np.floor(begin / music.sixteenths)) - 1, int(np.ceil(end / music.sixteenths)) + 1):
        shift = turn * music.sixteenths
        hits += [Hit(x.place + shift, x.drum, x.level) for x in music.hits if begin <= x.place + shift < end]
        notes += [
            Note(x.place + shift, x.length, x.pitch, x.part, x.level)
            for x in music.notes
            if begin <= x.place + shift < end
        ]
    return hits, notes


_EARLY = 0.2
"""Sixteenths by which an event may come before the bar it belongs to."""


def _within(music: Music, begin: float, end: float) -> Events:
    """Events between two places, those just before ``begin`` too: a loop's first stroke may come early."""
    hits, notes = _around(music, begin - _EARLY, end - _EARLY)
    return (
        [Hit(max(hit.place, begin), hit.drum, hit.level) for hit in hits],
        [Note(max(note.place, begin), note.length, note.pitch, note.part, note.level) for note in notes],
    )


class _Band:
    """The players of one clip: their instruments, levels and effects, all drawn at once."""

    def __init__(self, music: Music, rate: int, rng: np.random.Generator) -> None:
        self._rate = rate
        self._rng = rng
        self._kit = draw_kit({hit.drum for hit in music.hits}, rate, rng)
        self._desk = {part: _Strip(part, music.sixteenth, rng) for part in sorted({note.part for note in music.notes})}
        self._levels = {name: gain(_DRUM_LEVELS[name] + rng.uniform(-_SPREAD, _SPREAD)) for name in sorted(self._kit)}
        self._touch = rng.uniform(0.5, 1.5)
        self._strum = rng.uniform(0.004, 0.03) if rng.random() < 0.25 else 0.0
        self._duck = (rng.uniform(0.4, 0.95), rng.uniform(0.06, 0.22)) if rng.random() < 0.3 else None
        self._balance = gain(rng.uniform(-13, 11))
        self._squeeze = rng.uniform(0.2, 0.75) if rng.random() < 0.45 else 0.0
        self._bits = int(rng.integers(6, 12)) if rng.random() < 0.12 else 0
        self._hold = int(rng.choice([2, 3])) if rng.random() < 0.06 else 1

    def play(self, events: Events, time: _Time, frames: int, ring: int | None) -> Wave:
        """``frames`` of the events; with ``ring``, what sounds past the end comes in again at the beginning."""
        hits, notes = events
        drums, kicks = self._play_drums(hits, time, frames, ring)
        tones = np.zeros(frames, np.float32)
        parts: dict[str, list[Note]] = defaultdict(list)
        for note in notes:
            parts[note.part].append(note)
        for part, strip in self._desk.items():
            if parts[part]:
                tones += strip.mixed(
                    self._play_part(strip.instrument, parts[part], time, frames, ring), self._rate, ring
                )
        if self._duck and len(kicks):
            tones *= _ducking(kicks, *self._duck, frames, self._rate)
        loud, soft = _loudness(drums), _loudness(tones)
        if loud > 0 and soft > 0:
            tones *= np.float32(self._balance * loud / soft)
        return drums + tones

    def _play_drums(
        self, hits: list[Hit], time: _Time, frames: int, ring: int | None
    ) -> tuple[Wave, NDArray[np.float64]]:
        """The kit, and the frames of its kicks."""
        bus = np.zeros(frames, np.float32)
        if not hits:
            return bus, np.zeros(0)
        places = time.seconds(np.array([hit.place for hit in hits])) * self._rate
        kicks = np.sort(places[[hit.drum == "kick" for hit in hits]])
        shots: dict[tuple[str, int, int], Wave] = {}
        for hit, place in zip(hits, places, strict=True):
            drum = self._kit[hit.drum]
            layer = int(np.searchsorted(LAYERS[:-1], hit.level))
            whole, phase = divmod(round((place - drum.lead) * _PHASES), _PHASES)
            if whole >= frames or (ring is None and whole + len(drum.waves[0]) + _REACH <= 0):
                continue
            key = (hit.drum, layer, phase)
            if key not in shots:
                shots[key] = _delayed(drum, layer, phase)
            _add(bus, shots[key], whole - _REACH, self._levels[hit.drum] * hit.level**self._touch, ring)
        if self._squeeze:
            bus = squeezed(bus, self._squeeze, self._rate)
        if self._bits:
            full = max(float(np.abs(bus).max()), 1e-9) / 2 ** (self._bits - 1)
            bus = (np.round(bus / full) * full).astype(np.float32)
        if self._hold > 1:
            bus = np.repeat(bus[:: self._hold], self._hold)[:frames]
        return bus, kicks

    def _play_part(self, instrument: Instrument, notes: list[Note], time: _Time, frames: int, ring: int | None) -> Wave:
        """One part, before its effects. Each pitch is played once, as long as it is ever held, and cut shorter."""
        bus = np.zeros(frames, np.float32)
        starts = time.seconds(np.array([note.place for note in notes]))
        held = np.minimum([note.length * time.sixteenth for note in notes], _BEFORE)
        longest: dict[int, float] = defaultdict(float)
        for note, length in zip(notes, held, strict=True):
            longest[note.pitch] = max(longest[note.pitch], float(length))
        waves: dict[int, Wave] = {}
        cuts: dict[tuple[int, int], Wave] = {}
        last, rank = -1.0, 0
        strum = self._strum if notes[0].part in ("chord", "pad") else 0.0
        for note, start, length in zip(notes, starts, held, strict=True):
            rank = rank + 1 if note.place - last < 0.01 else 0
            last = note.place
            whole = round((start + rank * strum) * self._rate)
            if whole >= frames or (ring is None and start + length + instrument.release < 0):
                continue
            if note.pitch not in waves:
                span = longest[note.pitch] + instrument.release
                waves[note.pitch] = instrument.note(note.pitch, span, self._rate, self._rng)
            key = (note.pitch, round(length * 200))
            if key not in cuts:
                cuts[key] = _released(waves[note.pitch], length, instrument.release, self._rate)
            _add(bus, cuts[key], whole, 0.25 + 0.75 * note.level, ring)
        return bus


class _Strip:
    """A part's instrument, level and effects."""

    def __init__(self, part: str, sixteenth: float, rng: np.random.Generator) -> None:
        self.instrument = draw_instrument(part, rng)
        self._level = gain(_PART_LEVELS[part] + rng.uniform(-_SPREAD, _SPREAD))
        echoed = rng.random() < (0.02 if part == "bass" else 0.2)
        self._echo = sixteenth * float(rng.choice([2, 3, 3, 4, 6])) if echoed else 0.0
        self._feedback = rng.uniform(0.2, 0.6)
        self._tremolo = (rng.uniform(0.2, 0.8), rng.uniform(3, 8)) if rng.random() < 0.08 else None
        self._low = rng.uniform(100, 600) if part != "bass" and rng.random() < 0.3 else 0.0
        self._high = rng.uniform(500, 6000) if rng.random() < 0.2 else 0.0

    def mixed(self, bus: Wave, rate: int, ring: int | None) -> Wave:
        """``bus`` with effects, at its level."""
        if self._low:
            bus = filtered(bus, high_pass(self._low, rate))
        if self._high:
            bus = filtered(bus, low_pass(self._high, rate))
        if self._tremolo:
            depth, speed = self._tremolo
            t = np.arange(0, len(bus), dtype=np.float32) / rate
            bus *= 1 - depth * (0.5 + 0.5 * np.sin(2 * np.pi * speed * t))
        if self._echo:
            dry, level = bus.copy(), self._feedback
            for number in range(1, 5):
                delay = round(number * self._echo * rate)
                if delay < len(bus):
                    bus[delay:] += np.float32(level) * dry[: len(bus) - delay]
                    if ring is not None:
                        bus[:delay] += np.float32(level) * dry[len(bus) - delay :]
                level *= self._feedback
        return bus * np.float32(self._level / max(_loudness(bus), 1e-9))


def squeezed(bus: Wave, amount: float, rate: int) -> Wave:
    """``bus`` compressed: its level to the power ``1 - amount``, followed within about 10 ms."""
    block = max(1, rate // 500)
    count = -(-len(bus) // block)
    padded = np.zeros(count * block, np.float32)
    padded[: len(bus)] = bus
    power = np.sqrt(np.mean(padded.reshape(count, block) ** 2, axis=1))
    kernel = np.exp(-np.arange(40) / 12.0)
    level = np.convolve(power, kernel / kernel.sum())[:count]
    factor = (level + 0.02 * max(float(level.max()), 1e-9)) ** -amount
    centres = (np.arange(count) + 0.5) * block
    return np.asarray(bus * np.interp(np.arange(len(bus)), centres, factor), dtype=np.float32)


def _delayed(drum: Drum, layer: int, phase: int) -> Wave:
    """A stroke ``phase`` parts of a frame later, by a windowed sinc; it begins _REACH frames before the stroke."""
    wave = drum.waves[layer]
    if phase == 0:
        return np.concatenate([np.zeros(_REACH, np.float32), wave])
    offset = np.arange(-_REACH, _REACH + 1) - phase / _PHASES
    taps = np.sinc(offset) * np.cos(np.pi * offset / (2 * _REACH + 2)) ** 2
    return np.convolve(wave, (taps / taps.sum()).astype(np.float32))


def _released(wave: Wave, seconds: float, release: float, rate: int) -> Wave:
    """A note let go after ``seconds``."""
    held, tail = int(seconds * rate), max(32, int(release * rate))
    out = wave[: held + tail].copy()
    rest = len(out) - held
    if rest > 0:
        out[held:] *= np.linspace(1, 0, tail, dtype=np.float32)[:rest] ** 2
    return out


def _add(bus: Wave, wave: Wave, at: int, level: float, ring: int | None) -> None:
    """Add ``wave`` to ``bus`` from frame ``at`` on: clipped at both ends, or wrapped round a ring."""
    if ring is not None:
        at %= ring
        wave = wave[:ring] if len(wave) > ring else wave
        over = at + len(wave) - ring
        if over > 0:
            bus[:over] += np.float32(level) * wave[len(wave) - over :]
    begin, end = max(0, at), min(len(bus), at + len(wave))
    if begin < end:
        bus[begin:end] += np.float32(level) * wave[begin - at : end - at]


def _ducking(kicks: NDArray[np.float64], depth: float, back: float, frames: int, rate: int) -> Wave:
    """Gain that dips by ``depth`` at each kick and is mostly back after ``back`` seconds; worked out every 2 ms."""
    grid = np.arange(0, frames + rate // 500, rate // 500)
    before = np.searchsorted(kicks, grid, side="right") - 1
    since = np.where(before >= 0, (grid - kicks[np.maximum(before, 0)]) / rate, 1e3)
    curve = 1 - depth * np.exp(-((since / back) ** 2))
    return np.interp(np.arange(frames), grid, curve).astype(np.float32)


def _loudness(bus: Wave) -> float:
    """RMS over the tenths of a second that are within 20 dB of the loudest."""
    block = 2400
    whole = len(bus) - len(bus) % block
    if not whole:
        return float(np.sqrt(np.mean(bus**2)))
    power = np.mean(bus[:whole].reshape(-1, block) ** 2, axis=1)
    heard = power[power > 0.01 * power.max()]
    return float(np.sqrt(heard.mean())) if len(heard) else 0.0
