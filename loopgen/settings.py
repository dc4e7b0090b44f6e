"""What a user sets once: defaults, then the settings file, then the environment, then the flags of a command.

The file is TOML, its keys are the fields of ``Settings``::

    # settings.toml; `loopgen settings` says where it is
    port = 11300
    output = "~/Music/loops"
    rate = 48000
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from loopgen.errors import SettingUnusable
from loopgen.music.request import LISTENERS, OWN, STRETCHERS, TAKES_MAX
from loopgen.music.tempo import RATE_RANGE

FORMATS = ("wav", "float", "flac")
PRECISIONS = ("auto", "bf16", "fp16", "fp32", "int8")
PORT = 11_200

_BYTES_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set; checked by ``resolve``.

    ``host`` and ``port`` are where the server listens (port 0: any that is free), ``output`` its folder of loops,
    ``queue`` how many jobs may wait; ``engine``, ``takes``, ``rate`` (Hz), ``format`` and ``stretcher`` are used where
    a request does not say; ``presets`` is the folder of the user's own. ``device``, ``precision`` and ``threads`` are
    what engines with models compute on (``loopgen.engines.base.Hardware``); ``separate`` is whether drums and bass are
    taken out of a recording that is given as a melody; ``listener`` is who says where beats and bars of a take lie.
    ``keep_takes`` is whether takes are kept beside the loops.
    """

    host: str
    port: int
    output: Path
    engine: str
    takes: int
    device: str
    precision: str
    threads: int
    separate: bool
    rate: int
    format: str
    stretcher: str
    listener: str
    keep_takes: bool
    queue: int
    presets: Path


@dataclass(frozen=True, slots=True)
class Resolved:
    """Settings, and where each value came from: ``default``, ``file``, ``LOOPGEN_PORT`` or ``--port``."""

    settings: Settings
    origins: Mapping[str, str]


def config_file(environ: Mapping[str, str] | None = None) -> Path:
    """The settings file, there or not: ``LOOPGEN_SETTINGS`` of the environment, else in the user's config folder."""
    import platformdirs

    if chosen := (environ or {}).get("LOOPGEN_SETTINGS"):
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_config_path("loopgen", appauthor=False) / "settings.toml"


def state_folder() -> Path:
    """The user's folder for what a running server leaves for others to find it by."""
    import platformdirs

    return platformdirs.user_state_path("loopgen", appauthor=False)


def resolve(flags: Mapping[str, Any], environ: Mapping[str, str], file: Path) -> Resolved:
    """Settle every setting; flags that are None and variables that are empty count as absent.

    A file that is not there sets nothing. Relative folders count from the settings file where they stand in it, else
    from the working directory. The user's presets lie beside the file unless something else is said.

    Raises ``SettingUnusable`` for an unknown name (telling the nearest), a wrong type, a value out of range and a file
    that is no TOML; the message names the file, variable or flag.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    layers = (
        (dict(_defaults(file)), dict.fromkeys(NAMES, "default"), Path()),
        (from_file := _read(file), dict.fromkeys(from_file, "file"), file.parent),
        (from_environ := _environment(environ), {name: _variable(name) for name in from_environ}, Path()),
        ({name: value for name, value in flags.items() if value is not None}, {n: f"--{n}" for n in flags}, Path()),
    )
    for given, labels, base in layers:
        for name, value in given.items():
            origin = labels[name]
            where = str(file) if origin == "file" else origin
            if name not in NAMES:
                raise SettingUnusable(f"{where}: there is no setting {name!r}; {_nearest(name)}")
            values[name] = _check(name, value, where, base)
            origins[name] = origin
    return Resolved(Settings(**values), MappingProxyType(origins))


def _defaults(file: Path) -> Mapping[str, Any]:
    import platformdirs

    return {
        "host": "127.0.0.1",
        "port": PORT,
        "output": platformdirs.user_music_path() / "loopgen",
        "engine": "auto",
        "takes": 0,
        "device": "auto",
        "precision": "auto",
        "threads": 0,
        "separate": False,
        "rate": 44_100,
        "format": "wav",
        "stretcher": "auto",
        "listener": OWN,
        "keep_takes": True,
        "queue": 64,
        "presets": file.absolute().parent / "presets",
    }


def _read(file: Path) -> dict[str, Any]:
    """The keys of the settings file, none where it is not there."""
    try:
        if file.stat().st_size > _BYTES_MAX:
            raise SettingUnusable(f"{file} has more than {_BYTES_MAX // 1_000_000} MB and cannot be a settings file")
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))  # Windows' editors begin a file with a mark
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        raise SettingUnusable(f"{file} is not UTF-8 text; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingUnusable(f"{file} is not valid TOML: {error}; a line looks like port = 11300") from None
    except OSError as error:
        raise SettingUnusable(f"{file} cannot be read: {error.strerror or error}; mend or remove it") from None


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Settings in the environment; a variable that is nearly one of them is refused, others are somebody else's."""
    found = {name: environ[_variable(name)] for name in NAMES if environ.get(_variable(name))}
    known = [*map(_variable, NAMES), "LOOPGEN_SETTINGS"]
    for variable in environ:
        ours = variable.startswith("LOOPGEN_") and variable not in known
        if ours and (near := difflib.get_close_matches(variable, known, 1, 0.85)):
            raise SettingUnusable(f"{variable}: there is no such setting; did you mean {near[0]}?")
    return found


def _variable(name: str) -> str:
    return f"LOOPGEN_{name.upper()}"


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(str(name), NAMES, 1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(NAMES)}"


def _check(name: str, value: Any, where: str, base: Path) -> Any:
    """A value as ``Settings`` holds it."""
    allowed, read = _FIELDS[name]
    found = read(value, base)
    if found is None:
        shown = repr(value) if len(repr(value)) <= 60 else repr(value)[:57] + "..."
        raise SettingUnusable(f"{where}: {name} = {shown} cannot be used; give {allowed}")
    return found


_Reader = Callable[[Any, Path], Any]
"""A raw value, and the folder from which a relative path counts -> the value; None where it cannot be used."""


def _whole(low: int, high: int) -> _Reader:
    def read(value: Any, _: Path) -> int | None:
        if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,9}\s*", value):
            value = int(value)
        return value if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high else None

    return read


def _truth(value: Any, _: Path) -> bool | None:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    return value if isinstance(value, bool) else words.get(value.strip().lower()) if isinstance(value, str) else None


def _matching(pattern: str) -> _Reader:
    def read(value: Any, _: Path) -> str | None:
        return value if isinstance(value, str) and re.fullmatch(pattern, value) else None

    return read


def _folder(value: Any, base: Path) -> Path | None:
    """An absolute path; ``~`` is the user's home."""
    if not isinstance(value, str | Path) or not str(value).strip() or "\0" in str(value):
        return None
    try:
        return (base / Path(value).expanduser()).absolute()
    except RuntimeError:  # ~somebody who is not there
        return None


_FIELDS: Mapping[str, tuple[str, _Reader]] = MappingProxyType(
    {
        "host": ("an address of this machine, like 127.0.0.1", _matching(r"[A-Za-z0-9.:%_-]{1,255}")),
        "port": ("a whole number from 0 to 65535, like 11200", _whole(0, 65_535)),
        "output": ('a folder, like "~/Music/loopgen"', _folder),
        "engine": ("an engine of `loopgen engines`, or auto", _matching(r"[A-Za-z0-9_.-]{1,64}(:[^\0]{1,4096})?")),
        "takes": (
            f"a whole number of takes made at once, 1 to {TAKES_MAX}, or 0 for the engine's own",
            _whole(0, TAKES_MAX),
        ),
        "device": ("auto, cpu, mps, cuda or cuda:1", _matching(r"auto|cpu|mps|cuda(:[0-9]{1,2})?")),
        "precision": (f"one of {', '.join(PRECISIONS)}", _matching("|".join(PRECISIONS))),
        "separate": ("true or false", _truth),
        "threads": ("a whole number of processor threads, 1 to 1024, or 0 for all cores but one", _whole(0, 1024)),
        "rate": (f"a whole sample rate from {RATE_RANGE[0]} to {RATE_RANGE[1]} Hz, like 48000", _whole(*RATE_RANGE)),
        "format": (f"one of {', '.join(FORMATS)}", _matching("|".join(FORMATS))),
        "stretcher": (f"one of {', '.join(STRETCHERS)}", _matching("|".join(STRETCHERS))),
        "listener": (f"one of {', '.join(LISTENERS)}", _matching("|".join(LISTENERS))),
        "keep_takes": ("true or false", _truth),
        "queue": ("a whole number of waiting jobs from 1 to 10000", _whole(1, 10_000)),
        "presets": ('a folder, like "~/presets"', _folder),
    }
)
"""Setting -> what may be given, and what reads it."""

NAMES = tuple(field.name for field in fields(Settings))
