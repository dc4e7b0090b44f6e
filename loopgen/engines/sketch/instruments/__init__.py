"""Pitched instruments.

Each is a function ``(Tone) -> (n,)`` or ``(2, n)`` float64 for one note, its release included. ``INSTRUMENTS`` is the
table of all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from loopgen.engines.sketch.instruments import basses, keys, leads
from loopgen.engines.sketch.instruments.tone import Tone as Tone
from loopgen.engines.sketch.wavetable import Wave

Render = Callable[[Tone], Wave]


@dataclass(frozen=True, slots=True)
class Instrument:
    """``render`` plays a note; ``centre`` is the MIDI pitch that it sounds best around."""

    render: Render
    centre: int
    label: str


INSTRUMENTS: dict[str, Instrument] = {
    "sub": Instrument(basses.sub, 36, "sub bass"),
    "808": Instrument(basses.bass808, 36, "808 bass"),
    "acid": Instrument(basses.acid, 40, "acid bass"),
    "reese": Instrument(basses.reese, 36, "reese bass"),
    "wobble": Instrument(basses.wobble, 36, "wobble bass"),
    "synth bass": Instrument(basses.synth_bass, 37, "synth bass"),
    "organ bass": Instrument(basses.organ_bass, 38, "organ bass"),
    "fm bass": Instrument(basses.fm_bass, 38, "FM bass"),
    "log drum": Instrument(basses.log_drum, 36, "log drum"),
    "picked bass": Instrument(basses.picked_bass, 38, "bass guitar"),
    "slap bass": Instrument(basses.slap_bass, 39, "slap bass"),
    "upright bass": Instrument(basses.upright_bass, 38, "double bass"),
    "rhodes": Instrument(keys.rhodes, 62, "electric piano"),
    "piano": Instrument(keys.piano, 62, "piano"),
    "organ": Instrument(keys.organ, 62, "organ"),
    "stab": Instrument(keys.stab, 60, "dub chord"),
    "house stab": Instrument(keys.house_stab, 62, "chord stab"),
    "clavinet": Instrument(keys.clavinet, 60, "clavinet"),
    "guitar": Instrument(keys.guitar, 62, "guitar"),
    "nylon": Instrument(keys.nylon, 60, "nylon guitar"),
    "overdriven": Instrument(keys.overdriven, 50, "overdriven guitar"),
    "brass": Instrument(keys.brass, 62, "brass"),
    "supersaw": Instrument(keys.supersaw, 64, "supersaw"),
    "pad": Instrument(keys.pad, 60, "pad"),
    "strings": Instrument(keys.strings, 62, "strings"),
    "choir": Instrument(keys.choir, 62, "choir"),
    "glass": Instrument(keys.glass, 67, "glass pad"),
    "pluck": Instrument(leads.pluck, 72, "pluck"),
    "saw lead": Instrument(leads.saw_lead, 72, "saw lead"),
    "square lead": Instrument(leads.square_lead, 74, "square lead"),
    "bell": Instrument(leads.bell, 76, "bells"),
    "marimba": Instrument(leads.mallet, 72, "marimba"),
    "vibraphone": Instrument(leads.vibraphone, 72, "vibraphone"),
    "kalimba": Instrument(leads.kalimba, 74, "kalimba"),
    "flute": Instrument(leads.flute, 74, "flute"),
}
