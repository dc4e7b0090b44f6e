"""Words -> Style: genres, instruments (wanted, unwanted, alone) and moods.

Tempo and key in the prompt are read elsewhere; here they are passed over. Words that mean nothing to the engine are
not lost: they seed the take, so that "house by the sea" and "house in the hills" differ.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from loopgen.engines.sketch.genres import PARTS, Genre
from loopgen.engines.sketch.lexicon import FILLERS, HINTS, INSTRUMENT_WORDS, MOOD_WORDS, Mood, Wish
from loopgen.engines.sketch.repertoire import BY_NAME, GENRES

_NO = {"no", "without", "minus", "sans", "except", "not", "zero"}
_ONLY = {"just", "only", "solo", "alone", "nothing but"}
_AND = {"and", "or", "nor", "&", "+", "plus"}
_PASS = {"a", "an", "the", "any", "some", "of", "my", "with"}
_ELSEWHERE = re.compile(
    r"[\W\d_]*(bpm)?|[a-g][#b♯♭]?(m|maj|min)?|aeolian|ionian|dorian|phrygian|lydian|mixolydian|locrian"
)
"""Tempo and key, which are read before the request reaches an engine."""
_MARKS = ",;:.!?()/|"
_TOKEN = re.compile(r"[,;:.!?()/|]|[^\s,;:.!?()/|\"]+")


@dataclass(frozen=True, slots=True)
class Style:
    """What the words ask for.

    Attributes:
        genre: the one named, or None.
        borrowed: part -> the other genre it comes from ("techno with a reggae bassline").
        wanted, unwanted: parts asked for and refused. ``alone``: parts that play, if any, and none but
            these and the wanted.
        instruments: part -> name in ``instruments.INSTRUMENTS``; ``kit``: name in ``drums.KITS``.
        lanes, no_lanes: drums asked for and refused by name; ``only_lanes``: drums that play alone.
        mood: the sum of the moods.
        understood: words that had an effect, in order; ``rest``: the others.
    """

    genre: Genre | None = None
    borrowed: Mapping[str, Genre] = field(default_factory=dict)
    wanted: frozenset[str] = frozenset()
    unwanted: frozenset[str] = frozenset()
    alone: frozenset[str] = frozenset()
    instruments: Mapping[str, str] = field(default_factory=dict)
    kit: str | None = None
    lanes: tuple[str, ...] = ()
    no_lanes: frozenset[str] = frozenset()
    only_lanes: frozenset[str] = frozenset()
    mood: Mood = field(default_factory=Mood)
    understood: tuple[str, ...] = ()
    rest: tuple[str, ...] = ()

    def plays(self, part: str) -> bool | None:
        """Whether a part plays: True or False where the words say so, else None."""
        if part in self.unwanted:
            return False
        if self.alone:
            return part in self.alone or part in self.wanted  # "just a bassline with strings"
        return True if part in self.wanted else None


@dataclass(frozen=True, slots=True)
class _Term:
    """A word or phrase with a meaning: a genre, an instrument wish, a mood, or a joining word."""

    text: str
    meaning: Genre | Wish | Mood | None


def parse(prompt: str) -> Style:
    """Read a prompt; never fails.

    >>> style = parse("dub techno, no drums, rainy, rhodes")
    >>> style.genre.name, sorted(style.unwanted), style.instruments, style.rest
    ('dub techno', ['drums'], {'chords': 'rhodes'}, ())
    """
    terms = _terms(prompt)
    genre, borrowed = _genres(terms)
    wishes = _wishes(terms)
    style = Style(genre=genre, borrowed=borrowed)
    for wish, attitude in wishes:
        style = _apply(style, wish, attitude)
    mood = Mood()
    for term in terms:
        if isinstance(term.meaning, Mood):
            mood = mood + term.meaning
    understood = tuple(t.text for t in terms if t.meaning is not None)
    rest = tuple(t.text for t in terms if t.meaning is None and t.text not in _JOINING)
    rest = tuple(word for word in rest if word not in FILLERS and not _ELSEWHERE.fullmatch(word))
    return replace(style, mood=mood.clipped(), understood=understood, rest=rest)


_JOINING = _NO | _ONLY | _AND | _PASS | set(_MARKS)


def _terms(prompt: str) -> list[_Term]:
    """Split into the longest phrases that mean something, and single words that do not."""
    text = prompt.lower().replace("’", "'").replace("_", " ")
    text = re.sub(r"\bw/o\b", "without", text)
    text = re.sub(r"\b(drum|beat|bass|melody)less\b", r"no \1", text)
    words = [part for token in _TOKEN.findall(text) for part in (token.split("-") if token.strip("-") else [])]
    words = [word for word in words if word]
    vocabulary = _vocabulary()
    longest = max(len(phrase) for phrase in vocabulary)
    out: list[_Term] = []
    at = 0
    while at < len(words):
        for size in range(min(longest, len(words) - at), 0, -1):
            phrase = tuple(words[at : at + size])
            found = vocabulary.get(phrase) or vocabulary.get((*phrase[:-1], _singular(phrase[-1])))
            if found is None and size == 1:
                found = _nearly(words[at])
            if found is not None:
                out.append(_Term(" ".join(phrase), found))
                at += size
                break
        else:
            out.append(_Term(words[at], None))
            at += 1
    return out


@cache
def _vocabulary() -> dict[tuple[str, ...], Genre | Wish | Mood]:
    table: dict[tuple[str, ...], Genre | Wish | Mood] = {}
    for words, mood in MOOD_WORDS.items():
        table.update({_key(word): mood for word in words.split(", ")})
    for genre in GENRES:
        table.update({_key(word): genre for word in (*genre.words, genre.name)})
    for words, wish in INSTRUMENT_WORDS.items():
        table.update({_key(word): wish for word in words.split(", ")})
    return table


def _key(phrase: str) -> tuple[str, ...]:
    return tuple(phrase.replace("-", " ").split())


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


@cache
def _nearly(word: str) -> Genre | Wish | Mood | None:
    """A misspelt word of six letters or more, like "technno" or "reggaton"."""
    if len(word) < 6 or word in FILLERS or not word.isalpha():
        return None
    single = [phrase[0] for phrase in _vocabulary() if len(phrase) == 1 and len(phrase[0]) >= 5]
    near = difflib.get_close_matches(word, single, n=1, cutoff=0.87)
    return _vocabulary()[(near[0],)] if near else None


def _genres(terms: list[_Term]) -> tuple[Genre | None, dict[str, Genre]]:
    """The main genre (the last of the first run of genre words, as in "ambient techno") and what is borrowed."""
    main: Genre | None = None
    borrowed: dict[str, Genre] = {}
    runs: list[tuple[int, Genre]] = []
    for k, term in enumerate(terms):
        if isinstance(term.meaning, Genre):
            if runs and runs[-1][0] == k - 1:
                runs.pop()
            runs.append((k, term.meaning))
    for k, genre in runs:
        following = terms[k + 1].meaning if k + 1 < len(terms) else None
        refused = k > 0 and terms[k - 1].text in _NO
        if refused:
            continue
        if len(runs) > 1 and isinstance(following, Wish) and following.part and not following.instrument:
            borrowed[following.part] = genre
        elif main is None:
            main = genre
    if main is None and borrowed:
        main = next(iter(borrowed.values()))
    return main, {part: genre for part, genre in borrowed.items() if genre is not main}


def _wishes(terms: list[_Term]) -> list[tuple[Wish, str]]:
    """Each instrument with how it is meant: ``yes``, ``no`` or ``only``."""
    out: list[tuple[Wish, str]] = []
    attitude = "yes"
    joined = False
    for k, term in enumerate(terms):
        if isinstance(term.meaning, Wish):
            after = terms[k + 1].text if k + 1 < len(terms) else ""
            own = "only" if after in ("only", "alone", "solo") else attitude
            out.append((term.meaning, own))
            joined = True
        elif term.text in _NO:
            attitude, joined = "no", False
        elif term.text in _ONLY and not (out and joined and terms[k - 1].meaning is not None):
            attitude, joined = "only", False
        elif term.text in ("with", "but", "add"):
            attitude, joined = "yes", False
        elif term.text in _AND or term.text in _PASS:
            pass
        elif term.text in _MARKS:
            if attitude != "only" or joined:
                attitude = "yes"
            joined = False
        # a mood or an unknown word between ("no loud drums", "just a deep bassline") changes nothing
    return out


def _apply(style: Style, wish: Wish, attitude: str) -> Style:
    if attitude == "no":
        if wish.lane:
            return replace(style, no_lanes=style.no_lanes | set(wish.lane.split("+")))
        return replace(style, unwanted=style.unwanted | ({wish.part} if wish.part else set(PARTS) - {"drums"}))
    if wish.lane:
        lanes = tuple(wish.lane.split("+"))
        style = replace(style, lanes=style.lanes + lanes)
        if attitude == "only":
            style = replace(style, only_lanes=style.only_lanes | set(lanes))
    parts = {wish.part} if wish.part else set(PARTS) - {"drums"}
    if wish.instrument and wish.part:
        style = replace(style, instruments={**style.instruments, wish.part: wish.instrument})
    if wish.kit:
        style = replace(style, kit=wish.kit)
        if wish.instrument is None and attitude == "yes" and wish.part == "drums":
            return style
    if attitude == "only":
        return replace(style, alone=style.alone | parts)
    return replace(style, wanted=style.wanted | parts)


def hinted(style: Style) -> tuple[Genre, ...]:
    """Genres that the instruments suggest where none is named ("808" trap, "acid" techno)."""
    for name in (*style.instruments.values(), style.kit or ""):
        if name in HINTS:
            return tuple(BY_NAME[genre] for genre in HINTS[name])
    return ()
