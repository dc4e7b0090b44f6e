"""The words for instruments and moods, and what each asks for. Genres name themselves in ``repertoire.py``."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Mood:
    """How a word bends a genre; moods add up.

    Attributes:
        bright: -1 dark to 1 bright (an octave of every filter, a tilt of the mix).
        density: -1 sparse to 1 busy. ``space``: -1 dry to 1 drenched. ``drive``: -1 clean to 1 distorted.
        major: above 0 prefers major keys, below 0 minor ones. ``dust``: vinyl and tape noise.
        swing: above 0 swings more, below 0 straightens. ``feel``: 1 half time, -1 double time.
        scale: a scale to use where no key is given.
    """

    bright: float = 0.0
    density: float = 0.0
    space: float = 0.0
    drive: float = 0.0
    major: float = 0.0
    dust: float = 0.0
    swing: float = 0.0
    feel: int = 0
    scale: str = ""

    def __add__(self, other: Mood) -> Mood:
        values = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self) if f.name != "scale"}
        return Mood(**values, scale=other.scale or self.scale)

    def clipped(self) -> Mood:
        """Every amount within -1 to 1."""
        values = {f.name: max(-1, min(1, getattr(self, f.name))) for f in fields(self) if f.name != "scale"}
        return Mood(**values, scale=self.scale)


MOOD_WORDS: dict[str, Mood] = {
    "dark, darker, gloomy, sinister, moody, night, midnight, nocturnal, brooding, shadowy, noir": Mood(
        bright=-0.7, major=-1
    ),
    "bright, brighter, shiny, sparkling, crisp, shimmering, crystalline, airy": Mood(bright=0.7),
    "happy, joyful, cheerful, sunny, summer, summery, playful, fun, beach, tropical, feel good": Mood(
        bright=0.35, major=1
    ),
    "uplifting, euphoric, hopeful, triumphant, anthemic, heroic": Mood(bright=0.3, major=0.6, space=0.2),
    "sad, melancholic, melancholy, emotional, lonely, bittersweet, sombre, somber": Mood(
        bright=-0.3, density=-0.3, space=0.3, major=-1
    ),
    "nostalgic, wistful, memories, sentimental": Mood(bright=-0.25, dust=0.4, space=0.2),
    "rainy, rain, foggy, misty, underwater, muffled, cloudy, winter, wet": Mood(
        bright=-0.5, space=0.4, dust=0.25, major=-0.5
    ),
    "warm, cozy, cosy, soft, mellow, smooth, gentle, tender": Mood(bright=-0.35, drive=0.1),
    "aggressive, angry, hard, heavy, distorted, intense, dirty, gritty, raw, brutal, filthy, nasty": Mood(
        bright=0.2, drive=0.8, density=0.3, major=-0.6
    ),
    "dreamy, ethereal, floating, spacey, cosmic, lush, hazy, heavenly, celestial, psychedelic, trippy": Mood(
        space=0.7, bright=-0.05
    ),
    "sparse, empty, simple, minimalistic, minimalist, stripped, stripped down, spacious, skeletal": Mood(density=-0.8),
    "calm, quiet, relaxed, chill, chilled, laid back, peaceful, relaxing, slow, sleepy, lazy, easy": Mood(
        density=-0.45, bright=-0.2, drive=-0.2
    ),
    "busy, dense, complex, intricate, frantic, hectic, wild": Mood(density=0.8),
    "energetic, driving, rolling, fast, upbeat, pumping, banging, powerful, punchy, bouncy": Mood(
        density=0.4, bright=0.1
    ),
    "dry, tight, close": Mood(space=-0.8),
    "reverb, reverberant, cathedral, hall, spacious reverb, echoing, cavernous, drenched": Mood(space=0.8),
    "swung, shuffled, shuffle, swinging, groovy": Mood(swing=1),
    "straight, robotic, mechanical, quantized": Mood(swing=-1),
    "vinyl, dusty, crackle, crackling, tape, vintage, old, retro, analog, analogue, worn": Mood(
        dust=0.6, drive=0.2, bright=-0.15
    ),
    "clean, polished, pristine, modern": Mood(drive=-0.6, dust=-1, bright=0.1),
    "epic, huge, massive, orchestral, dramatic": Mood(space=0.5, drive=0.2),
    "tense, scary, horror, evil, ominous, menacing, creepy, haunted": Mood(bright=-0.5, major=-1, scale="phrygian"),
    "spanish, flamenco, arabic, oriental, middle eastern, egyptian": Mood(scale="phrygian"),
    "mysterious, hypnotic, mystic": Mood(scale="dorian", space=0.2),
    "magical, wonder, fairy": Mood(scale="lydian", bright=0.3),
    "half time, halftime": Mood(feel=1),
    "double time, doubletime": Mood(feel=-1),
    "major": Mood(major=1),
    "minor": Mood(major=-1),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """An instrument by its part, its name in ``instruments.INSTRUMENTS``, drum kit, or drum lanes (joined by ``+``).

    No part at all means everything that is pitched.
    """

    part: str = ""
    instrument: str | None = None
    kit: str | None = None
    lane: str = ""


INSTRUMENT_WORDS: dict[str, Wish] = {
    "drums, drum, beat, beats, drum beat, drum loop, percussion, perc, drumming, rhythm section, drum machine": Wish(
        "drums"
    ),
    "bass, bassline, bass line, baseline, low end": Wish("bass"),
    "chords, chord, harmony, harmonies, keys, keyboard, comping, chord progression": Wish("chords"),
    "pad, pads, synth pad, atmosphere, textures, texture": Wish("pad", "pad"),
    "lead, melody, lead synth, topline, tune, synth lead, hook": Wish("lead"),
    "synths, synth": Wish("lead", "saw lead"),
    "instruments, melodic instruments": Wish(),
    # basses
    "sub, sub bass, subbass, deep bass": Wish("bass", "sub"),
    "acid, 303, tb 303, tb303, acid bass, acid line, acid bassline": Wish("bass", "acid"),
    "reese, reese bass": Wish("bass", "reese"),
    "wobble, wobble bass, wobbly bass, growl, growl bass": Wish("bass", "wobble"),
    "808, 808s, 808 bass, 808 sub": Wish("bass", "808", "808"),
    "upright, upright bass, double bass, acoustic bass, contrabass, walking bass": Wish("bass", "upright bass"),
    "bass guitar, picked bass, electric bass, fingered bass": Wish("bass", "picked bass"),
    "slap, slap bass": Wish("bass", "slap bass"),
    "log drum, logdrum, log drums": Wish("bass", "log drum"),
    "moog, moog bass, synth bass, synth bassline, analog bass": Wish("bass", "synth bass"),
    "fm bass": Wish("bass", "fm bass"),
    "organ bass": Wish("bass", "organ bass"),
    # chords
    "rhodes, electric piano, ep, e piano, wurlitzer, wurli, fender rhodes": Wish("chords", "rhodes"),
    "piano, pianos, grand piano, upright piano, felt piano": Wish("chords", "piano"),
    "organ, hammond, b3, drawbar organ": Wish("chords", "organ"),
    "stab, stabs, dub chord, dub chords, chord stab, chord stabs": Wish("chords", "stab"),
    "clav, clavinet": Wish("chords", "clavinet"),
    "guitar, guitars, electric guitar, skank, clean guitar, rhythm guitar": Wish("chords", "guitar"),
    "acoustic guitar, nylon guitar, classical guitar, spanish guitar": Wish("chords", "nylon"),
    "distorted guitar, overdriven guitar, power chords, rock guitar, heavy guitar, distortion guitar": Wish(
        "chords", "overdriven"
    ),
    "brass, horns, horn, horn section, trumpet, trumpets, trombone, sax, saxophone": Wish("chords", "brass"),
    "supersaw, supersaws, super saw, trance synth": Wish("chords", "supersaw"),
    # pads
    "strings, string section, violin, violins, cello, orchestra, string": Wish("pad", "strings"),
    "choir, voices, vocal, vocals, vocal pad, voice": Wish("pad", "choir"),
    "glass, glass pad": Wish("pad", "glass"),
    # leads
    "pluck, plucks, plucked synth": Wish("lead", "pluck"),
    "arp, arpeggio, arpeggios, arpeggiator, arpeggiated, arps": Wish("lead", "pluck"),
    "saw lead, sawtooth, saw": Wish("lead", "saw lead"),
    "chiptune, 8 bit, 8bit, gameboy, square lead, video game, nintendo": Wish("lead", "square lead"),
    "bell, bells, music box, glockenspiel, celesta, chimes": Wish("lead", "bell"),
    "marimba, xylophone, mallet, mallets": Wish("lead", "marimba"),
    "vibraphone, vibes": Wish("lead", "vibraphone"),
    "kalimba, thumb piano, mbira": Wish("lead", "kalimba"),
    "flute, whistle, recorder, pan flute": Wish("lead", "flute"),
    # drums by name
    "kick, kick drum, bass drum, kicks, four on the floor": Wish("drums", lane="kick"),
    "snare, snares, snare drum, backbeat": Wish("drums", lane="snare"),
    "clap, claps, handclap, handclaps": Wish("drums", lane="clap"),
    "hat, hats, hi hat, hi hats, hihat, hihats": Wish("drums", lane="hat+open"),
    "cymbal, cymbals": Wish("drums", lane="ride+crash"),
    "ride, ride cymbal": Wish("drums", lane="ride"),
    "crash": Wish("drums", lane="crash"),
    "shaker, shakers, maracas": Wish("drums", lane="shaker"),
    "tambourine": Wish("drums", lane="tambourine"),
    "conga, congas, hand drums, hand percussion": Wish("drums", lane="conga+conga high"),
    "bongo, bongos": Wish("drums", lane="bongo"),
    "tom, toms": Wish("drums", lane="tom+tom low"),
    "cowbell, cowbells": Wish("drums", lane="cowbell"),
    "rimshot, rim, rimshots, side stick": Wish("drums", lane="rim"),
    "clave, claves": Wish("drums", lane="clave"),
    "woodblock, wood block": Wish("drums", lane="wood"),
    "snap, snaps, finger snaps": Wish("drums", lane="snap"),
    "agogo": Wish("drums", lane="agogo"),
    # kits
    "909, 909 drums, tr 909, 909 kit": Wish("drums", kit="909"),
    "808 drums, 808 kit, tr 808, 808 beat": Wish("drums", kit="808"),
    "acoustic drums, live drums, real drums, drum kit, acoustic kit": Wish("drums", kit="acoustic"),
    "brushes, brushed drums, brush": Wish("drums", kit="brushes"),
    "linndrum, gated drums, gated snare, gated reverb": Wish("drums", kit="linn"),
}

HINTS: dict[str, tuple[str, ...]] = {
    "acid": ("techno", "house"),
    "808": ("trap", "hip-hop"),
    "909": ("techno", "house"),
    "reese": ("drum and bass",),
    "wobble": ("dubstep",),
    "log drum": ("amapiano",),
    "upright bass": ("jazz", "hip-hop"),
    "slap bass": ("funk",),
    "rhodes": ("soul", "lo-fi"),
    "organ": ("soul", "funk"),
    "clavinet": ("funk",),
    "overdriven": ("rock",),
    "nylon": ("bossa nova",),
    "supersaw": ("trance",),
    "square lead": ("electro", "synthwave"),
    "strings": ("ambient", "pop"),
    "choir": ("ambient",),
    "pad": ("ambient",),
    "piano": ("pop", "soul"),
    "guitar": ("pop", "soul"),
    "brass": ("funk", "afrobeat"),
    "kalimba": ("ambient", "lo-fi"),
    "brushes": ("jazz",),
    "linn": ("synthwave",),
}
"""Instrument or kit -> genres it suggests where the prompt names none; the one nearest in tempo is taken."""

_FILLERS = """
a an the of in on at to for and or with by from into is it its my your me some that this very really quite bit
loop loops music track song style type vibe vibes feel feeling sound sounds sounding bar bars bpm tempo key sharp
flat like as good nice cool great make please want give generate instrumental genre inspired influenced tinged
line part parts section kit deep big super ultra little more less lots up down
"""
FILLERS = frozenset(_FILLERS.split())
"""Words without musical meaning here; they do not change the take."""
