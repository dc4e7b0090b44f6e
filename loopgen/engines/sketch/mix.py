"""Score -> samples: play every part, put it in a room, balance the mix.

Everything happens on a ring one loop long, so that tails ring on into the beginning and nothing has an edge.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter

from loopgen.engines.sketch import effects
from loopgen.engines.sketch.chance import Chance
from loopgen.engines.sketch.drums import KITS
from loopgen.engines.sketch.instruments import INSTRUMENTS, Tone
from loopgen.engines.sketch.score import Hit, Played, Score

Wave = NDArray[np.float64]

TARGET_LUFS = -15.0
CEILING = 10 ** (-1.2 / 20)

# RMS while playing, in dB against a kick that peaks at 0
_PART_LEVEL = {"bass": -20.0, "chords": -19.5, "pad": -23.0, "lead": -19.5}
_PART_ROOM = {"bass": 0.0, "chords": 0.8, "pad": 0.8, "lead": 0.8}
_PART_ECHO = {"bass": 0.0, "chords": 0.8, "pad": 0.0, "lead": 0.9}
_PART_PAN = {"bass": 0.0, "chords": 0.12, "pad": 0.0, "lead": -0.1}
_WIDTH = 1.25
"""Gain of the side signal above the lows."""
_LONGEST = 12.0
"""Seconds after which a held note has faded."""
_ROUND_ROBIN = {"kick": 1, "hat": 4, "shaker": 4, "snare": 3}


@dataclass(slots=True)
class _Desk:
    """The buses of a mix: ``straight`` past the ducking, ``ducked`` through it, mono sends to room and echo."""

    straight: Wave
    ducked: Wave
    room: Wave
    echo: Wave


def render(score: Score, frames: int, rate: int, chance: Chance, tick: Callable[[float], None]) -> Wave:
    """Play a score as a ring of ``frames`` samples at ``rate`` Hz: ``(2, frames)``, mixed and levelled."""
    genre, mood = score.genre, score.style.mood
    clock = _Clock(score.quarters, frames, rate)
    desk = _Desk(np.zeros((2, frames)), np.zeros((2, frames)), np.zeros(frames), np.zeros(frames))
    kicks = _play_drums(score, desk, clock, chance)
    tick(0.25)
    for number, (part, notes) in enumerate(sorted(score.notes.items())):
        _play_part(score, part, notes, desk, clock, chance)
        tick(0.25 + 0.4 * (number + 1) / len(score.notes))
    mix = desk.ducked
    _, feedback, echo_level = genre.echo
    if echo_level and desk.echo.any():
        delay = genre.echo[0] * score.pulse * clock.frames_per_quarter
        returned = effects.echoes(desk.echo, delay, feedback, rate) * (0.5 * echo_level * 2**mood.space)
        mix += returned
        desk.room += 0.25 * returned.sum(axis=0)
    seconds = min(genre.room[0] * 2 ** (0.8 * mood.space), 8.0)
    wet = genre.room[1] * 2 ** (1.6 * mood.space)
    if desk.room.any():
        response = effects.room(seconds, genre.bright + mood.bright, rate, chance.stream("room"))
        mix += 0.55 * wet * effects.convolved(desk.room, response)
    tick(0.8)
    if genre.duck and kicks:
        length = int(0.9 * score.pulse * clock.frames_per_quarter)
        mix *= effects.ducking(kicks, genre.duck, max(64, min(length, int(0.45 * rate))), frames)
    mix += desk.straight
    dust = min(1.0, max(0.0, genre.dust + mood.dust))
    if dust:
        _add_dust(mix, dust, rate, chance)
    return _master(mix, score, rate)


class _Clock:
    """Quarters -> frames on the ring."""

    def __init__(self, quarters: float, frames: int, rate: int) -> None:
        self.frames_per_quarter = frames / quarters
        self.frames = frames
        self.rate = rate

    def frame(self, start: float, nudge: float = 0.0) -> int:
        """Nearest frame of an event; nudges never reach a neighbouring step at any tempo."""
        limit = 0.06 * self.frames_per_quarter
        shift = max(-limit, min(limit, nudge * self.rate))
        return round(start * self.frames_per_quarter + shift) % self.frames


def _play_drums(score: Score, desk: _Desk, clock: _Clock, chance: Chance) -> list[int]:
    """Play the drums onto the desk; returns the frames of the kicks."""
    kit = KITS[score.kit]
    level = _gain(score.genre.levels.get("drums", 0.0))
    lanes: dict[str, list[Hit]] = defaultdict(list)
    for hit in score.hits:
        lanes[hit.lane].append(hit)
    kicks = []
    for lane, hits in sorted(lanes.items()):
        drum = kit[lane]
        shots = [
            level
            * _gain(drum.level)
            * drum.recipe(clock.rate, chance.stream("drum", score.kit, lane, str(k)), **drum.sound)
            for k in range(_ROUND_ROBIN.get(lane, 2))
        ]
        choose = chance.stream("drum", lane, "robin")
        left, right = _pan(drum.pan)
        previous = -1
        for hit in hits:
            k = int(choose.random() * len(shots))
            previous = k = (k + 1) % len(shots) if k == previous and len(shots) > 1 else k
            frame = clock.frame(hit.start, hit.nudge)
            shot = hit.velocity**1.4 * shots[k]
            effects.add(desk.straight[0], left * shot, frame)
            effects.add(desk.straight[1], right * shot, frame)
            if drum.room:
                effects.add(desk.room, 1.6 * drum.room * shot, frame)
            if lane == "kick":
                kicks.append(frame)
            if lane in ("snare", "rim", "clap") and score.genre.echo[2] >= 0.9:
                effects.add(desk.echo, 0.12 * shot, frame)  # dub: the snare goes out into the delay
    return kicks


def _play_part(score: Score, part: str, notes: tuple[Played, ...], desk: _Desk, clock: _Clock, chance: Chance) -> None:
    """Play one pitched part onto a bus of its own, bring it to its level, send it on."""
    name = score.instruments[part]
    instrument = INSTRUMENTS[name]
    mood = score.style.mood
    bus: Wave | None = None
    cache: dict[tuple[int, int, int], Wave] = {}
    pulse = score.pulse * clock.frames_per_quarter / clock.rate
    bright = max(-1.2, min(1.2, score.genre.bright + mood.bright))
    for note in notes:
        seconds = min(note.duration * clock.frames_per_quarter / clock.rate, _LONGEST)
        layer = max(1, min(8, round(8 * note.velocity)))
        identity = (note.pitch, round(seconds * 500), layer)
        wave = cache.get(identity)
        if wave is None:
            stream = chance.stream("tone", name, *map(str, identity))
            tone = Tone(note.pitch, seconds, layer / 8, clock.rate, pulse, bright, stream)
            wave = np.atleast_2d(instrument.render(tone))
            wave = cache[identity] = wave.mean(axis=0, keepdims=True) if part == "bass" else wave  # lows in the middle
        if bus is None:
            bus = np.zeros((1 if part == "bass" else 2, clock.frames))
        gain = np.array([[0.35 + 0.65 * note.velocity]])
        if part != "bass":  # low notes to the left, high ones to the right, as on a keyboard
            gain = gain * np.array([_pan(max(-0.7, min(0.7, (note.pitch - instrument.centre) / 12)))]).T
        effects.add(bus, gain * wave, clock.frame(note.start, note.nudge))
    if bus is None:
        return
    level = _PART_LEVEL[part] + score.genre.levels.get(part, 0.0) + (1.5 if part in score.style.wanted else 0.0)
    bus *= _gain(level) / max(_active_rms(bus), 1e-9)
    drive = score.genre.drive + mood.drive
    if part == "bass" and drive > 0.3:
        effects.saturate(bus, 1 + 2.0 * drive)
    for channel, weight in enumerate(_pan(_PART_PAN[part])):
        desk.ducked[channel] += weight * bus[channel % len(bus)]
    room, echo = _PART_ROOM[part], _PART_ECHO[part]
    if room or echo:
        send = bus.mean(axis=0)
        desk.room += room * send
        desk.echo += echo * send


def _master(mix: Wave, score: Score, rate: int) -> Wave:
    """Tone of the whole, saturation, loudness, ceiling."""
    mood = score.style.mood
    warm = int(0.1 * rate)
    tilt = _gain(4.0 + 9.0 * mood.bright + 1.5 * score.genre.bright)
    sections = np.concatenate([effects.block_dc(22.0, rate), effects.shelf(tilt, 1400.0, rate)])
    mix = effects.filtered(mix, sections, warm)
    # lows in the middle, the rest a little wider: the side loses what lies below 130 Hz
    side = 0.5 * (mix[0] - mix[1])
    wide = _WIDTH * effects.filtered(side, np.tile(effects.block_dc(130.0, rate), (2, 1)), warm)
    wide -= side
    mix[0] += wide
    mix[1] -= wide
    drive = max(0.0, score.genre.drive + 0.7 * mood.drive)
    peak = float(np.max(np.abs(mix))) or 1.0
    mix /= peak
    effects.saturate(mix, 0.3 + 2.2 * drive)
    mix *= _gain(min(TARGET_LUFS - effects.loudness(mix, rate), 30.0))
    # as much of the way to the target as 5 dB of limiting go, no more: transients matter more than level
    peak = float(np.max(np.abs(mix))) or 1.0
    mix *= min(1.0, CEILING * _gain(5.0) / peak)
    return effects.limited(mix, CEILING)


def _add_dust(mix: Wave, amount: float, rate: int, chance: Chance) -> None:
    """Hiss that never repeats within the ring's seams, and the clicks of a worn record."""
    frames = mix.shape[1]
    rng = chance.stream("dust")
    level = float(np.sqrt(np.mean(mix**2))) * amount
    size = min(1 << 16, 2 * frames)
    hiss = effects.filtered(
        rng.standard_normal((2, size)),
        butter(1, (300.0, min(7000.0, 0.4 * rate)), "bandpass", fs=rate, output="sos"),
        512,
    )
    hop = size // 2
    count = max(1, round(frames / hop))
    window = np.sin(np.pi * (np.arange(size) + 0.5) / size)
    for k in range(count):
        # windows that overlap by half keep the power of noise constant; each starts elsewhere in the noise
        turn = int(rng.random() * size)
        effects.add(mix, 0.022 * level * window * np.roll(hiss, turn, axis=1), round(k * frames / count))
    clicks = max(1, int(9 * amount * frames / rate))
    length = int(0.004 * rate)
    fall = np.exp(-np.arange(length) / (0.0006 * rate))
    for _ in range(clicks):
        gain = 0.5 * level * float(rng.random()) ** 3
        pan = float(rng.random())
        click = gain * fall * rng.standard_normal(length)
        at = int(rng.random() * frames)
        effects.add(mix[0], (1 - pan) * click, at)
        effects.add(mix[1], pan * click, at)


def _active_rms(bus: Wave) -> float:
    """RMS over the blocks in which something sounds (within 20 dB of the loudest)."""
    size = 2048
    channels, frames = bus.shape
    whole = frames - frames % size
    if not whole:
        return float(np.sqrt(np.mean(bus**2)))
    blocks = bus[:, :whole].reshape(channels, -1, size)
    power = np.einsum("cbs,cbs->b", blocks, blocks) / (channels * size)
    active = power[power > 0.01 * power.max()]
    return float(np.sqrt(active.mean())) if len(active) else 0.0


def _gain(decibels: float) -> float:
    return float(10 ** (decibels / 20))


def _pan(place: float) -> tuple[float, float]:
    """Constant-power gains, 1 and 1 in the middle."""
    angle = (place + 1) * np.pi / 4
    return float(np.sqrt(2) * np.cos(angle)), float(np.sqrt(2) * np.sin(angle))
