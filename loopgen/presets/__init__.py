"""Presets: one sound a TOML file, giving a request whatever fields it leaves open.

:mod:`fields` is the table of what a file may hold, :mod:`reading` checks one, :mod:`writing` writes one and keeps the
user's comments, :mod:`shelf` knows the folders, :mod:`recipe` makes one of a loop.
"""

from loopgen.presets.fields import FIELDS, KEYS, SCHEMA_FILE, SET_KEY, VERSION, Field, schema
from loopgen.presets.reading import Preset, problems, read, read_text
from loopgen.presets.recipe import left_out, of_recipe
from loopgen.presets.shelf import (
    bring_in,
    delete,
    editable,
    export,
    file_of,
    folder,
    load,
    names,
    preset_files,
    save,
    schema_text,
    take_over,
)

__all__ = [
    "FIELDS",
    "KEYS",
    "SCHEMA_FILE",
    "SET_KEY",
    "VERSION",
    "Field",
    "Preset",
    "bring_in",
    "delete",
    "editable",
    "export",
    "file_of",
    "folder",
    "left_out",
    "load",
    "names",
    "of_recipe",
    "preset_files",
    "problems",
    "read",
    "read_text",
    "save",
    "schema",
    "schema_text",
    "take_over",
]
