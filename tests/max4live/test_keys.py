"""The keys that the device tells the server, against loopgen's own reading of them and Live's scales."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from loopgen.music.key import SCALES, TONICS, Key
from tests.bridge.clients_support import needs

SONG = Path(__file__).parents[2] / "max4live" / "src" / "song.js"

LIVE_SCALES: dict[str, tuple[int, ...]] = {
    "Major": (0, 2, 4, 5, 7, 9, 11),
    "Minor": (0, 2, 3, 5, 7, 8, 10),
    "Dorian": (0, 2, 3, 5, 7, 9, 10),
    "Mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "Lydian": (0, 2, 4, 6, 7, 9, 11),
    "Phrygian": (0, 1, 3, 5, 7, 8, 10),
    "Locrian": (0, 1, 3, 5, 6, 8, 10),
    "Whole Tone": (0, 2, 4, 6, 8, 10),
    "Half-whole Dim.": (0, 1, 3, 4, 6, 7, 9, 10),
    "Whole-half Dim.": (0, 2, 3, 5, 6, 8, 9, 11),
    "Minor Blues": (0, 3, 5, 6, 7, 10),
    "Minor Pentatonic": (0, 3, 5, 7, 10),
    "Major Pentatonic": (0, 2, 4, 7, 9),
    "Harmonic Minor": (0, 2, 3, 5, 7, 8, 11),
    "Harmonic Major": (0, 2, 4, 5, 7, 8, 11),
    "Dorian #4": (0, 2, 3, 6, 7, 9, 10),
    "Phrygian Dominant": (0, 1, 4, 5, 7, 8, 10),
    "Melodic Minor": (0, 2, 3, 5, 7, 9, 11),
    "Lydian Augmented": (0, 2, 4, 6, 8, 9, 11),
    "Lydian Dominant": (0, 2, 4, 6, 7, 9, 10),
    "Super Locrian": (0, 1, 3, 4, 6, 8, 10),
    "8-Tone Spanish": (0, 1, 3, 4, 5, 6, 8, 10),
    "Bhairav": (0, 1, 4, 5, 7, 8, 11),
    "Hungarian Minor": (0, 2, 3, 6, 7, 8, 11),
    "Hirajoshi": (0, 2, 3, 7, 8),
    "In-Sen": (0, 1, 5, 7, 10),
    "Iwato": (0, 1, 5, 6, 10),
    "Kumoi": (0, 2, 3, 7, 9),
    "Pelog Selisir": (0, 1, 3, 7, 8),
    "Pelog Tembung": (0, 1, 5, 7, 8),
    "Messiaen 3": (0, 2, 3, 4, 6, 7, 8, 10, 11),
    "Messiaen 4": (0, 1, 2, 5, 6, 7, 8, 11),
    "Messiaen 5": (0, 1, 5, 6, 7, 11),
    "Messiaen 6": (0, 2, 4, 5, 6, 8, 10, 11),
    "Messiaen 7": (0, 1, 2, 3, 5, 6, 7, 8, 9, 11),
    "A scale of one's own": (0, 1, 2),
}
"""Live 12's scales by the names it shows, semitones above the root."""


@pytest.fixture(scope="module")
def keys() -> dict[str, list[str]]:
    """Of each scale, the device's keys for the twelve roots."""
    script = (
        "const song = require(process.argv[1]); const scales = JSON.parse(process.argv[2]);"
        "console.log(JSON.stringify(Object.fromEntries(scales.map((scale) =>"
        " [scale, Array.from({ length: 12 }, (_, root) => song.key(root, scale))]))));"
    )
    done = subprocess.run(
        [needs("node"), "-e", script, str(SONG), json.dumps(list(LIVE_SCALES))],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, list[str]] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("scale", LIVE_SCALES)
def test_a_scale_that_loopgen_knows_is_told_as_loopgen_spells_it_and_no_other_is(
    keys: dict[str, list[str]], scale: str
) -> None:
    known = [mode for mode, steps in SCALES.items() if steps == LIVE_SCALES[scale]]
    for root in range(len(TONICS)):
        text = keys[scale][root]
        assert text == (str(Key(root, known[0])) if known else "")
        if text:
            assert Key.parse(text).scale == tuple((root + step) % 12 for step in LIVE_SCALES[scale])


def test_every_scale_of_loopgen_is_one_of_lives() -> None:
    assert set(SCALES.values()) <= set(LIVE_SCALES.values())
