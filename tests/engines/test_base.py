"""The registry, with real entry points of a package made on the spot."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from itertools import count
from pathlib import Path

import pytest

from loopgen.engines.base import Engine, EngineEntry, Hardware, check, engines, has_models, load, playable
from loopgen.errors import EngineUnavailable, InvalidRequest

ENGINE = """
from loopgen.engines.base import EngineEntry

class Toy:
    name = "{name}"
    description = "toy"
    licence = "CC0-1.0"
    version = "1"

    def generate(self, request, seed, *, progress=None):
        raise NotImplementedError

def broken():
    raise OSError("no such device")

def no_engine():
    return "a word"

ENTRY = EngineEntry("{name}", "toy", "CC0-1.0", "{module}:{factory}", {quality}, {requires}, "pip install it")
"""

Install = Callable[..., None]
SERIAL = count()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a package with an engine on the path, as pip would."""

    def put(
        name: str,
        value: str = "{module}:ENTRY",
        *,
        factory: str = "Toy",
        quality: int = 1,
        requires: tuple[str, ...] = (),
        called: str = "",
    ) -> None:
        module = f"engine_number_{next(SERIAL)}"
        text = ENGINE.format(
            name=called or name, module=module, factory=factory, quality=quality, requires=repr(requires)
        )
        (tmp_path / f"{module}.py").write_text(text)
        folder = tmp_path / f"{module}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        entry = f"[loopgen.engines]\n{name} = {value.format(module=module)}\n"
        (folder / "entry_points.txt").write_text(entry)
        monkeypatch.syspath_prepend(str(tmp_path))

    return put


def test_sketch_is_always_there() -> None:
    info = next(info for info in engines() if info.name == "sketch")
    assert (info.name, info.available, info.reason) == ("sketch", True, "")
    assert "not MusicGen" in info.description
    engine = load("sketch")
    assert isinstance(engine, Engine)
    assert (engine.name, engine.licence) == ("sketch", info.licence)


def test_listing_imports_no_engine() -> None:
    code = (
        "import sys; from loopgen.engines.base import engines; engines(); "
        "print([m for m in ('scipy', 'loopgen.engines.sketch.engine', 'torch') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_auto_takes_the_best_available(install: Install) -> None:
    assert load("auto").name == "sketch"
    install("orchestra", quality=99)
    assert load("auto").name == "orchestra"
    assert [info.name for info in engines() if info.available][:2] == ["orchestra", "sketch"]


def test_auto_passes_over_what_cannot_be_used(install: Install) -> None:
    install("orchestra", quality=99, requires=("a_module_that_nobody_has",))
    install("choir", quality=98, factory="broken")
    assert load("auto").name == "sketch"
    reasons = {info.name: info.reason for info in engines()}
    assert reasons["orchestra"] == "needs a_module_that_nobody_has: pip install it"
    with pytest.raises(EngineUnavailable, match="'orchestra' is not available: needs a_module_that_nobody_has"):
        load("orchestra")
    with pytest.raises(EngineUnavailable, match="'choir' did not start: OSError: no such device"):
        load("choir")


@pytest.mark.parametrize(
    ("name", "value", "called", "reason"),
    [
        ("lost", "no_module_of_this_name:ENTRY", "", "did not load: ModuleNotFoundError"),
        ("bare", "{module}:Toy", "", "is no EngineEntry called 'bare'"),
        ("other", "{module}:ENTRY", "name", "is no EngineEntry called 'other'"),
        ("sketch", "{module}:ENTRY", "", "the name is taken"),
        ("auto", "{module}:ENTRY", "", "the name is taken"),
    ],
)
def test_a_broken_entry_point_is_a_reason_and_no_crash(
    install: Install, name: str, value: str, called: str, reason: str
) -> None:
    install(name, value, called=called)
    listed = [info for info in engines() if info.description.startswith("from ")]
    assert len(listed) == 1
    assert listed[0].name == name
    assert not listed[0].available
    assert reason in listed[0].reason
    assert load("sketch").name == "sketch"
    if name not in ("sketch", "auto"):
        with pytest.raises(EngineUnavailable, match="is not available"):
            load(name)


def test_what_is_no_engine_is_refused(install: Install) -> None:
    install("impostor", factory="no_engine")
    with pytest.raises(EngineUnavailable, match=r"'impostor' is not one: .* made a str"):
        load("impostor")


@pytest.mark.parametrize(("typed", "meant"), [("sketsh", "sketch"), ("Sketch", "sketch"), ("aut", "auto")])
def test_an_unknown_name_suggests_the_nearest(typed: str, meant: str) -> None:
    with pytest.raises(EngineUnavailable, match=f"did you mean '{meant}'"):
        load(typed)


def test_an_unlike_name_lists_all() -> None:
    with pytest.raises(EngineUnavailable, match="known: auto, audiocraft, musicgen, sketch"):
        load("zzz")


def test_missing_names_every_absent_module() -> None:
    entry = EngineEntry("x", "", "", "x:y", requires=("numpy", "nobody_has_this", "nor.this"))
    assert entry.missing() == "needs nobody_has_this, nor.this"
    assert not entry.info().available


PLAYER = """
from loopgen.engines.base import EngineEntry
from loopgen.errors import InvalidRequest

class Player:
    name, description, licence, version = "player", "toy", "CC0-1.0", "1"

    def __init__(self, model, hardware, progress):
        if hardware.device == "cuda:9":
            raise InvalidRequest("device", hardware.device, "cpu")
        self.told = model, hardware
        progress(0.5)

    def generate(self, request, seed, *, progress=None):
        raise NotImplementedError

def shelf():
    return [("records/blue", "CC-BY-4.0"), ("../mine", "unknown")]

def why(model):
    return "" if model.startswith("records/") else f"no record {model or 'at all'} is there: buy one"

ENTRY = EngineEntry("player", "toy", "CC0-1.0", "player_module:Player", 5, has_models=True, ready="player_module:why",
    models="player_module:shelf")
"""


@pytest.fixture
def player(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine with models, as pip would install it."""
    (tmp_path / "player_module.py").write_text(PLAYER)
    folder = tmp_path / "player_module-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: player_module\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[loopgen.engines]\nplayer = player_module:ENTRY\n")
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("player")
def test_a_model_is_named_after_a_colon_and_loaded_with_the_hardware() -> None:
    told: list[float] = []
    engine = load("player:records/blue", Hardware("cpu", "int8", 3), told.append)
    assert engine.told == ("records/blue", Hardware("cpu", "int8", 3))  # type: ignore[attr-defined]
    assert told == [0.5]


@pytest.mark.usefixtures("player")
def test_an_engine_that_is_not_ready_says_why_also_for_a_model() -> None:
    for model, said in (("", "at all"), (":blue", "blue")):
        for ask in (check, load):
            with pytest.raises(EngineUnavailable, match=f"no record {said} is there: buy one"):
                ask(f"player{model}")
    check("player:records/blue")
    check("auto")
    assert load("auto").name == "sketch"


@pytest.mark.usefixtures("player")
def test_auto_has_a_model_where_what_it_stands_for_has(monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_models("player:records/blue")
    assert not has_models("sketch")
    assert not has_models("auto")  # the best of those that are ready
    monkeypatch.setattr("player_module.why", lambda model: "")
    monkeypatch.setattr("player_module.ENTRY", replace(import_module("player_module").ENTRY, quality=99))
    assert has_models("auto")
    assert load("auto", progress=lambda share: None).name == "player"
    with pytest.raises(InvalidRequest, match="device: 'cuda:9' cannot be used"):  # and no other engine instead
        load("auto", Hardware("cuda:9"), lambda share: None)


@pytest.mark.usefixtures("player")
def test_what_can_play_is_listed_with_its_models_and_their_licences(monkeypatch: pytest.MonkeyPatch) -> None:
    def named() -> list[tuple[str, str]]:
        return [(found.name, found.licence) for found in playable() if not found.name.startswith("audiocraft")]

    assert ("sketch", "CC0-1.0") in named()
    assert not any(name.startswith("player") for name, _ in named())  # no record at all is there
    monkeypatch.setattr("player_module.why", lambda model: "")
    assert named()[-2:] == [("player", "CC0-1.0"), ("player:records/blue", "CC-BY-4.0")]  # no path of this machine
    for name, _ in named():
        check(name)


def test_only_engines_with_models_take_one() -> None:
    with pytest.raises(EngineUnavailable, match="'sketch' has no models to choose from"):
        check("sketch:large")


@pytest.mark.usefixtures("player")
def test_one_that_should_play_and_does_not_is_told(install: Install) -> None:
    told: list[str] = []
    install("choir", quality=98, factory="broken")
    assert load("auto", passed_over=told.append).name == "sketch"
    assert told == [
        "engine 'choir' did not start: OSError: no such device; sketch plays instead"
    ]  # not player, unready
