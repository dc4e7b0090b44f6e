"""What a prompt says about tempo, key and meter, so that there is one source of truth for each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from loopgen.errors import InvalidRequest
from loopgen.music.key import KEY_PATTERN, Key
from loopgen.music.tempo import Meter, format_bpm, parse_bpm

DEFAULT_BPM = Fraction(120)

_NUMBER = r"([0-9]{1,4}(?:[.,][0-9]{1,6})?)"  # digits of other scripts are words, here as everywhere
_TEMPO = re.compile(
    rf"(?:\b(?:at|@)\s*)?(?:\b(?:bpm|tempo)\s*[:=]?\s*{_NUMBER}(?!\d)(?:\s*bpm\b)?|\b{_NUMBER}\s*bpm\b)", re.IGNORECASE
)
_METER = re.compile(  # 1/16 is a note value, and so is a fraction before the word for what plays it
    r"\b(?:in\s+)?((?:[2-9]|[1-6][0-9])/(?:2|4|8|16))(?!\d)(?!\s*-?\s*(?:notes?|hats?|hi-?hats?|bass|arp|delay|echo|triplets?)\b)"
    r"(?:\s*(?:time|meter)\b)?",
    re.IGNORECASE,
)
_MODE = r"(?:harmonic minor|melodic minor|major|minor|maj|min|aeolian|ionian|dorian|phrygian|lydian|mixolydian|locrian)"
_SIGN = r"(?:\s*-?\s*(?:sharp|flat)|[#♯b♭])?"
_ARTICLE = r"a\s+(?:major|minor)\s+(?!key|scale|$)\w"  # "a minor detail" names no key
_KEY = re.compile(
    rf"\bkey(?:\s+of)?\s*[:=]?\s*(?i:(?P<named>[A-G]{_SIGN}(?:\s*-?\s*{_MODE}|m)?))(?![\w#♯♭])"
    rf"|(?:\b(?i:in)\s+)?(?<![\w'#])(?!{_ARTICLE})(?i:(?P<worded>[A-G]{_SIGN}\s*-?\s*{_MODE}))\b"
    rf"|(?:\b(?i:in)\s+)?(?<![\w'#])(?P<short>[A-G][#♯b♭]?m)(?![\w'#])"
    rf"|\b(?i:in)\s+(?P<bare>[A-G][#♯b♭]?)(?=\s*(?:[,.;]|$))"
)


@dataclass(frozen=True, slots=True)
class Intent:
    """A prompt with its tempo, key and meter taken out, and what each finally is.

    ``notes`` tells the user, in plain words, whatever was decided for them.
    """

    prompt: str
    bpm: Fraction
    key: Key | None
    meter: Meter
    notes: tuple[str, ...] = ()


def read_prompt(
    prompt: str,
    bpm: str | int | float | Fraction | None = None,
    key: str | Key | None = None,
    meter: str | Meter | None = None,
    *,
    otherwise: Mapping[str, Any] | None = None,
) -> Intent:
    """Settle tempo, key and meter: an explicit value wins over the prompt's words, these over ``otherwise``.

    ``otherwise`` (a preset's fields, say) may hold ``bpm``, ``key`` and ``meter``. Without any tempo it is 120 BPM.
    Raises ``InvalidRequest`` for values out of range.

    >>> intent = read_prompt("liquid dnb, 174 bpm, F minor")
    >>> intent.prompt, intent.bpm, str(intent.key)
    ('liquid dnb', Fraction(174, 1), 'Fm')
    >>> read_prompt("techno 140 bpm", bpm="127.9").notes
    ('the prompt says 140 BPM, but 127.9 BPM was given and is used',)
    """
    notes: list[str] = []
    fallback = otherwise or {}
    said_bpm = said_key = said_meter = None

    if match := _TEMPO.search(prompt):
        try:
            said_bpm = parse_bpm(match[1] or match[2])
        except InvalidRequest:
            if bpm is None:
                raise
        prompt = _without(prompt, match)
    if match := _KEY.search(prompt):
        text = next(group for group in match.group("named", "worded", "short", "bare") if group)
        if found := re.fullmatch(KEY_PATTERN, text) or re.fullmatch(KEY_PATTERN, text.lower()):
            said_key = Key.from_match(found)
            prompt = _without(prompt, match)
    if match := _METER.search(prompt):
        said_meter = Meter.parse(match[1])
        prompt = _without(prompt, match)

    exact = said_bpm if bpm is None else parse_bpm(bpm)
    if exact is None and "bpm" in fallback:
        exact = parse_bpm(fallback["bpm"])
    elif exact is None:
        exact = DEFAULT_BPM
        notes.append(
            f"no tempo was given: {format_bpm(exact)} BPM is used; the prompt may name another, like 127.9 bpm"
        )
    elif said_bpm not in (None, exact):
        notes.append(
            f"the prompt says {format_bpm(said_bpm or exact)} BPM, but {format_bpm(exact)} BPM was given and is used"
        )
    settled_key = said_key if key is None else Key.parse(key)
    if settled_key is None and "key" in fallback:
        settled_key = Key.parse(fallback["key"])
    if said_key not in (None, settled_key):
        notes.append(f"the prompt says {said_key}, but {settled_key} was given and is used")
    settled_meter = (said_meter or Meter.parse(fallback.get("meter", "4/4"))) if meter is None else Meter.parse(meter)
    if said_meter not in (None, settled_meter):
        notes.append(f"the prompt says {said_meter}, but {settled_meter} was given and is used")
    return Intent(prompt, exact, settled_key, settled_meter, tuple(notes))


def _without(prompt: str, match: re.Match[str]) -> str:
    """Cut a match out of a prompt, with the comma or space that it leaves behind."""
    before, after = prompt[: match.start()].rstrip(" ,.;"), prompt[match.end() :].lstrip()
    if after and after[0] in ",.;":
        return (before + after).strip(" ,;.")
    return (before + (", " if before and after else "") + after).strip(" ,;.")
