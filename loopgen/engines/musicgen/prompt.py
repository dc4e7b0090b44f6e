"""What the text encoder reads: a request in the style of the text that MusicGen was trained with.

In training the description of a recording was followed by its metadata as ``field: value``, joined by ``". "``
(audiocraft's ``augment_music_info_description``): ``key`` in lower case, ``bpm`` as a float, ``genre``, ``moods``,
``instrument`` and ``keywords``. The fields came in any order there; here it is always the same, so that a seed gives
the same take. Fields say only what the user said, in the words of such metadata; a field that is not known is left
out, as it was there.

- **One tempo.** ``bpm`` is the request's, whatever the words say. Tagged music lies between 50 and 200 BPM, and some
  genres are always counted at one of two tempos; elsewhere the request's tempo is doubled or halved until it is one
  that the model has seen. The grid is the same: drum and bass at 87 BPM is told as 174.
- **Meter**, where it is not 4/4, and **chords** have no field; they stand behind the description in words.
- **Voices** were taken out of the training music: there is nothing to say against them.
- What the user refuses ("no drums") is left to the description: no field names it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from fractions import Fraction

from loopgen.engines.musicgen.vocabulary import Entry, entries, tempos, words
from loopgen.errors import InvalidRequest
from loopgen.music.chords import SYMBOLS
from loopgen.music.key import TONICS, Key
from loopgen.music.melody import Melody, Note
from loopgen.music.prompt import read_prompt
from loopgen.music.request import LoopRequest

DESCRIPTION_CHARACTERS = 320
"""Of the user's words; a character is a token at worst, and with the fields these stay below T5's 512 tokens."""

TAGGED_BPM = (50, 200)

VALUES_MAX = 5
"""Values that a field has at most."""

CHORDS_MAX = 8

_FIELDS = ("bpm", "key", "genre", "moods", "instrument", "keywords")
_REFUSING = frozenset({"no", "not", "without", "minus", "sans", "except", "zero"})
_AGAIN = frozenset({*",.;:!?()/|", "but", "with", "just", "only"})
"""A refusal ("no loud drums or bass") reaches up to one of these."""

_LEFT_OVER = re.compile(
    r"\b(?:bpm|tempo)\b\W*\d[\d.,]*|[\d.,]*\d\s*(?:bpm|beats\s+(?:per|a)\s+minute)\b|\bbpm\b|\bkey\s*[:=]\s*[^.,;]*",
    re.IGNORECASE,
)
"""Tempo and key in forms that ``read_prompt`` does not take out; a second one would fight the field."""

_EDGES = " ,;:.@&+/|-–—"
_SPACES = re.compile(r"\s+")
_TOKEN = re.compile(r"[,.;:!?()/|]|[^\s,.;:!?()/|\"]+")


def describe(request: LoopRequest) -> str:
    """The text for the text encoder: one line, never empty, at most some 600 characters.

    >>> describe(LoopRequest("Warm groove, rhodes", 124, key="Am"))
    'Warm groove, rhodes. bpm: 124.0. key: a minor. moods: warm. instrument: rhodes. keywords: loop'
    >>> describe(LoopRequest("", "127.9", meter="7/8"))
    'in 7/8 time. bpm: 127.9. keywords: loop'
    """
    description, key = _description(request)
    values: dict[str, list[str]] = {field: [] for field in _FIELDS}
    for field, value in dict.fromkeys(_found(description)):
        values[field].append(value)
    values["bpm"] = [str(round(float(told_bpm(request.bpm, values["genre"])), 2))]
    if key:
        values["key"] = [f"{TONICS[key.tonic].lower()} {'minor' if key.is_minor else 'major'}"]
        values["keywords"] += [key.mode] * (key.mode not in ("major", "minor"))
    if not re.search(r"\bloops?\b", description, re.IGNORECASE):
        values["keywords"].append("loop")
    said = {match[1].lower() for match in re.finditer(r"(\w+):", description)}
    head = ", ".join(filter(None, [description, *_in_words(request)]))
    fields = [
        f"{name}: {', '.join(values[name][:VALUES_MAX])}" for name in _FIELDS if values[name] and name not in said
    ]
    return ". ".join(filter(None, [head, *fields]))


def told_bpm(bpm: Fraction, genres: list[str]) -> Fraction:
    """The tempo to tell the model: the request's, doubled or halved where no music of the kind is counted so.

    The first of ``genres`` that has tempos of its own decides, where a doubled or halved tempo is one of them; else it
    is a tempo that music is tagged with at all.

    >>> told_bpm(Fraction(87), ["drum and bass"]), told_bpm(Fraction(87), ["house"]), told_bpm(Fraction(240), [])
    (Fraction(174, 1), Fraction(87, 1), Fraction(120, 1))
    """
    ranges = [tempos()[genre] for genre in genres if genre in tempos()][:1]
    for low, high in (*ranges, TAGGED_BPM):
        fitting = [told for k in (0, 1, -1, 2, -2, -3) if low <= (told := bpm * Fraction(2) ** k) <= high]
        if fitting:
            return fitting[0]
    return bpm


def _description(request: LoopRequest) -> tuple[str, Key | None]:
    """The user's words without tempo, key and meter, and without what no tokenizer knows; and the key."""
    text = "".join(" " if _is_noise(c) else c for c in unicodedata.normalize("NFKC", request.prompt))
    key = request.key
    for _ in range(len(text)):
        try:
            intent = read_prompt(text, request.bpm, key, request.meter)
        except InvalidRequest:  # a meter that is none; the words stay as they are
            break
        key = intent.key
        if intent.prompt == text:
            break
        text = intent.prompt
    text = _SPACES.sub(" ", _LEFT_OVER.sub(" ", text)).strip(_EDGES)
    if len(text) > DESCRIPTION_CHARACTERS:
        text = text[: DESCRIPTION_CHARACTERS + 1].rpartition(" ")[0] or text[:DESCRIPTION_CHARACTERS]
    return text.strip(_EDGES), key


def _is_noise(character: str) -> bool:
    """Whether a character is a control, a private one, an emoji or part of one, or an odd quotation mark."""
    category = unicodedata.category(character)
    return category[0] == "C" or category in ("So", "Sk", "Zl", "Zp") or character in '\ufe0f"“”„«»'


def _found(description: str) -> Iterator[Entry]:
    """Field and value of the longest phrases that are known, in order, but those refused."""
    tokens = [word for token in _TOKEN.findall(description) for word in words(token)]
    table = entries()
    longest = max(map(len, table))
    refused = False
    at = 0
    while at < len(tokens):
        for size in range(longest, 0, -1):
            if entry := table.get(tuple(tokens[at : at + size])):
                if not refused:
                    yield entry
                at += size
                break
        else:
            refused = tokens[at] in _REFUSING or (refused and tokens[at] not in _AGAIN)
            at += 1


def _in_words(request: LoopRequest) -> Iterator[str]:
    if request.melody and (chords := chord_symbols(request.melody)):
        yield "chord progression " + " ".join(chords)
    if str(request.meter) != "4/4":
        yield f"in {request.meter} time"


def chord_symbols(melody: Melody) -> list[str]:
    """The chords of a melody that is nothing but chords, as symbols, once where they repeat; else none.

    The inverse of ``loopgen.music.chords.parse_chords``; none also where there are more than ``CHORDS_MAX``.

    >>> from loopgen.music.chords import parse_chords
    >>> chord_symbols(parse_chords("Am7 F C/E G Am7 F C/E G"))
    ['Am7', 'F', 'C/E', 'G']
    """
    struck: dict[float, list[Note]] = {}
    for note in melody.notes:
        struck.setdefault(note.start, []).append(note)
    symbols = [_symbol(sorted(note.pitch for note in notes)) for notes in struck.values()]
    known = [symbol for symbol in symbols if symbol]
    if len(known) < len(symbols):
        return []
    turn = next((n for n in range(1, len(known)) if known == (known[:n] * len(known))[: len(known)]), len(known))
    return known[:turn] if turn <= CHORDS_MAX else []


def _symbol(pitches: list[int]) -> str:
    """A bass note with a chord above it -> the chord's symbol, or nothing."""
    bass, above = pitches[0], pitches[1:]
    shape = tuple(pitch - above[0] for pitch in above)
    if len(shape) < 2 or shape not in SYMBOLS:
        return ""
    root = above[0] % 12
    return TONICS[root] + SYMBOLS[shape] + (f"/{TONICS[bass % 12]}" if bass % 12 != root else "")
