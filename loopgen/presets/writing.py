"""A preset becomes text: new keys in their order, and what the user wrote between them left where it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from loopgen.music.key import Key
from loopgen.music.tempo import Meter, format_bpm
from loopgen.presets.fields import KEYS, SCHEMA_FILE

DIRECTIVE = f"#:schema ./{SCHEMA_FILE}"
"""Tells editors (by way of taplo) what may be written here."""

_DIRECTIVE = re.compile(r"^#:schema[^\n]*\n?", re.MULTILINE)


def written(table: Mapping[str, Any], before: str = "") -> str:
    """The text of a preset's file that holds ``table``; ``before`` is the text that it takes the place of.

    Comments and the order of keys stay as they were ``before``; a text that is no TOML is not kept.
    """
    import tomlkit  # takes a moment, and presets are read far more often than written
    from tomlkit.exceptions import ParseError

    try:
        document = tomlkit.parse(before)
    except ParseError:
        document = tomlkit.document()
    plain = plain_table(table)
    for key in [*document]:
        if key not in plain:
            del document[key]
    for key in sorted(plain, key=[*KEYS].index):
        if key not in document or document.unwrap()[key] != plain[key]:  # what says the same may say it in its own way
            document[key] = plain[key]
    return directed(tomlkit.dumps(document))


def plain_table(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table in values that TOML can hold, without those that are None."""
    return {key: value for key, given in table.items() if (value := _plain(given)) is not None}


def directed(text: str) -> str:
    """A text with the line that tells editors where the schema is, at its top."""
    return f"{DIRECTIVE}\n{undirected(text)}"


def undirected(text: str) -> str:
    """A text without that line: for other places, where no schema lies beside it."""
    return _DIRECTIVE.sub("", text)


def _plain(value: Any) -> Any:
    """A field as TOML can hold it, exactly."""
    if isinstance(value, Fraction):
        return text if Fraction(text := format_bpm(value)) == value else str(value)
    if isinstance(value, Meter | Key):
        return str(value)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()  # half a character, as broken senders make, becomes "?"
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
