"""The genres, written down once: everything that a genre sounds like is decided in these tables.

Marks are explained in ``rhythm`` (drums) and ``genres.Genre`` (the rest). To add a genre, add an entry; the tests
check that every pattern, instrument, kit and numeral in it exists.
"""

from __future__ import annotations

from loopgen.engines.sketch.genres import Genre
from loopgen.engines.sketch.repertoire import bands, breaks, club

GENRES: tuple[Genre, ...] = (*club.GENRES, *breaks.GENRES, *bands.GENRES)
BY_NAME = {genre.name: genre for genre in GENRES}
