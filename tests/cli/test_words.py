"""What is typed after ``loopgen send``."""

import json
import os
from pathlib import Path

import pytest

from bridge.fields import FIELDS, SESSION
from loopgen.cli import words
from loopgen.errors import InputError, InvalidRequest, ServerUnreachable


def test_words_are_keys_and_values() -> None:
    given = words.read(["prompt=a = b", "tempo=60.23", "key="], FIELDS)
    assert given == {"prompt": "a = b", "tempo": "60.23", "key": ""}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["techno"], "no key=value"),
        (["tmpo=120"], "did you mean 'tempo'"),
        (["zzzz=120"], "there are prompt, tempo"),
        (["bars=4", "bars=8"], "bars is given twice"),
        (["=4"], "unknown"),
    ],
)
def test_bad_words_are_told(given: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        words.read(given, FIELDS)


def test_a_key_that_is_no_session_value_is_not_set() -> None:
    with pytest.raises(InputError, match="'seed' is unknown here"):
        words.read(["seed=4"], SESSION)


def test_values_are_checked_before_they_are_sent() -> None:
    assert words.check({"tempo": "361/3", "bars": "8", "meter": " 7/8"}) == {
        "tempo": "361/3",
        "bars": 8,
        "meter": "7/8",
    }
    assert words.check({"tempo": ""}, unset=True) == {"tempo": ""}
    for name, value in (("tempo", "1e9"), ("tempo", ""), ("bars", "four"), ("key", "H"), ("folder", "../up")):
        with pytest.raises(InvalidRequest):
            words.check({name: value})


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which a server leaves its file; nothing is set anywhere."""
    for name in [name for name in os.environ if name.startswith("LOOPGEN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LOOPGEN_SETTINGS", str(tmp_path / "settings.toml"))
    monkeypatch.setattr("loopgen.settings.state_folder", lambda: tmp_path / "state")
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


def runs(state: Path, host: str, port: int, pid: int) -> None:
    (state / "server.json").write_text(json.dumps({"host": host, "port": port, "pid": pid, "version": "1"}))


def test_where_the_server_is(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = state.parent / "settings.toml"
    assert words.server_address(None, None) == ("127.0.0.1", 11200)
    settings.write_text("port = 4000\n")
    assert words.server_address(None, None) == ("127.0.0.1", 4000)
    runs(state, "127.0.0.1", 5000, os.getpid())
    assert words.server_address(None, None) == ("127.0.0.1", 5000)  # a running one is the truth
    monkeypatch.setenv("LOOPGEN_PORT", "6000")
    assert words.server_address(None, None) == ("127.0.0.1", 6000)
    assert words.server_address("10.0.0.2", "7000") == ("10.0.0.2", 7000)


def test_a_server_on_all_addresses_is_reached_at_this_machines(state: Path) -> None:
    runs(state, "0.0.0.0", 5000, os.getpid())
    assert words.server_address(None, None) == ("127.0.0.1", 5000)


def test_an_open_port_and_no_server(state: Path) -> None:
    (state.parent / "settings.toml").write_text("port = 0\n")
    with pytest.raises(ServerUnreachable, match="loopgen serve"):
        words.server_address(None, None)
