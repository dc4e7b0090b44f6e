from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trial
from hypothesis import strategies as st

from loopgen import settings
from loopgen.errors import SettingUnusable
from loopgen.library import FORMATS
from loopgen.looping.stretch import check_stretcher
from loopgen.music.request import STRETCHERS
from loopgen.settings import NAMES, resolve


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.toml"


def test_without_anything_every_value_is_a_default(file: Path) -> None:
    resolved = resolve({}, {}, file)
    assert set(resolved.origins.values()) == {"default"}
    assert set(resolved.origins) == set(NAMES) == set(asdict(resolved.settings))
    assert (resolved.settings.host, resolved.settings.port) == ("127.0.0.1", 11_200)
    assert resolved.settings.output.name == "loopgen"
    assert resolved.settings.output.is_absolute()
    assert resolved.settings.presets == file.parent / "presets"
    assert not file.exists()


def test_each_layer_wins_over_the_one_below(file: Path) -> None:
    file.write_text("port = 1\nrate = 48000\nqueue = 5\nengine = 'mine'", "utf-8")
    environ = {"LOOPGEN_PORT": "2", "LOOPGEN_RATE": "32000", "LOOPGEN_HOST": "", "PORT": "9"}
    resolved = resolve({"port": "3", "engine": None}, environ, file)
    found = resolved.settings
    assert (found.port, found.rate, found.queue, found.engine, found.host) == (3, 32_000, 5, "mine", "127.0.0.1")
    origins = resolved.origins
    assert [origins[name] for name in ("port", "rate", "queue", "host")] == [
        "--port",
        "LOOPGEN_RATE",
        "file",
        "default",
    ]


def test_folders_are_absolute_and_count_from_where_they_were_said(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for home in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(home, str(tmp_path / "home"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    file.write_text("output = 'loops'\npresets = '~/mine'", "utf-8")
    assert resolve({}, {}, file).settings.output == tmp_path / "loops"
    assert resolve({}, {}, file).settings.presets == tmp_path / "home" / "mine"
    assert resolve({}, {"LOOPGEN_OUTPUT": "loops"}, file).settings.output == tmp_path / "elsewhere" / "loops"
    assert resolve({"output": Path("x")}, {}, file).settings.output == tmp_path / "elsewhere" / "x"


BAD: list[tuple[str, Any, str]] = [
    ("port", 65_536, "0 to 65535"),
    ("port", -1, "0 to 65535"),
    ("port", 1.5, "0 to 65535"),
    ("port", True, "0 to 65535"),
    ("port", "many", "0 to 65535"),
    ("rate", 7_999, "8000 to 192000"),
    ("rate", "44.1k", "8000 to 192000"),
    ("queue", 0, "1 to 10000"),
    ("host", "", "127.0.0.1"),
    ("host", "a b", "127.0.0.1"),
    ("host", 127, "127.0.0.1"),
    ("format", "mp3", "wav, float, flac"),
    ("format", 24, "wav, float, flac"),
    ("stretcher", "rubber", "rubberband"),
    ("engine", "a/b", "loopgen engines"),
    ("engine", ["sketch"], "loopgen engines"),
    ("takes", 17, "1 to 16"),
    ("device", "gpu", "cuda"),
    ("device", "cuda:x", "cuda:1"),
    ("precision", "fp8", "bf16"),
    ("threads", -1, "1 to 1024"),
    ("separate", "perhaps", "true or false"),
    ("separate", 1, "true or false"),
    ("output", "", "a folder"),
    ("output", 3, "a folder"),
    ("presets", "a\0b", "a folder"),
]


@pytest.mark.parametrize(("name", "value", "words"), BAD)
def test_bad_values_name_where_they_stand_and_what_to_give(file: Path, name: str, value: Any, words: str) -> None:
    with pytest.raises(SettingUnusable) as caught:
        resolve({name: value}, {}, file)
    assert str(caught.value).startswith(f"--{name}: {name} = {value!r} cannot be used; give ")
    assert words in str(caught.value)
    if isinstance(value, str) and value:
        with pytest.raises(SettingUnusable, match=f"LOOPGEN_{name.upper()}: {name} = "):
            resolve({}, {f"LOOPGEN_{name.upper()}": value}, file)
    if "\0" not in str(value):
        file.write_text(f"{name} = {str(value).lower() if isinstance(value, bool) else repr(value)}", "utf-8")
        with pytest.raises(SettingUnusable) as caught:
            resolve({}, {}, file)
        assert str(caught.value).startswith(f"{file}: {name} = ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot = 1", "no setting 'prot'; did you mean 'port'"),
        ("[server]\nport = 1", "no setting 'server'"),
        ("zebra = 1", "there are host, port"),
        ("port 11300", "not valid TOML.*line 1.*port = 11300"),
        ("port = ", "not valid TOML"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(file: Path, text: str, words: str) -> None:
    file.write_text(text, "utf-8")
    with pytest.raises(SettingUnusable, match=words) as caught:
        resolve({}, {}, file)
    assert str(file) in str(caught.value)


def test_a_file_of_another_kind_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingUnusable, match="cannot be read"):
        resolve({}, {}, tmp_path)
    path = tmp_path / "latin.toml"
    path.write_bytes(b"output = 'M\xfcsik'")
    with pytest.raises(SettingUnusable, match="UTF-8"):
        resolve({}, {}, path)
    path.write_bytes(b"#" * 1_100_000)
    with pytest.raises(SettingUnusable, match="MB"):
        resolve({}, {}, path)
    path.write_bytes(b"\xef\xbb\xbfport = 7\r\n")  # as Windows' Notepad may save it
    assert resolve({}, {}, path).settings.port == 7


def test_variables_that_are_nearly_ours_are_refused_and_others_left_alone(file: Path) -> None:
    with pytest.raises(SettingUnusable, match=r"LOOPGEN_PRT.*LOOPGEN_PORT"):
        resolve({}, {"LOOPGEN_PRT": "1"}, file)
    resolve({}, {"LOOPGEN_SOMETHING_ELSE": "1", "LOOPGEN_SETTINGS": "x"}, file)


def test_unknown_flags_are_refused(file: Path) -> None:
    with pytest.raises(SettingUnusable, match=r"--prot.*'port'"):
        resolve({"prot": 1}, {}, file)


def test_the_names_of_formats_and_stretchers_are_the_real_ones() -> None:
    assert list(FORMATS) == list(settings.FORMATS)
    for name in STRETCHERS:
        if name != "rubberband":  # needs its program
            check_stretcher(name)


def test_where_the_file_is(tmp_path: Path) -> None:
    assert settings.config_file({"LOOPGEN_SETTINGS": str(tmp_path / "a.toml")}) == tmp_path / "a.toml"
    assert settings.config_file().name == "settings.toml"
    assert settings.config_file().is_absolute()
    assert "loopgen" in settings.state_folder().parts


_VALUES = st.one_of(
    st.text(st.characters(codec="utf-8")), st.integers(), st.floats(), st.booleans(), st.lists(st.integers())
)


@given(st.dictionaries(st.sampled_from(NAMES), _VALUES))
@trial(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_anything_is_settings_or_an_error(file: Path, flags: dict[str, Any]) -> None:
    try:
        found = resolve(flags, {}, file).settings
    except SettingUnusable as error:
        assert "--" in str(error)
    else:
        assert 0 <= found.port <= 65_535
        assert found.output.is_absolute()


def test_what_a_model_is_computed_on_is_settled_like_the_rest(file: Path) -> None:
    file.write_text('device = "cuda:1"\nprecision = "bf16"\nthreads = 2\ntakes = 4\nseparate = true', "utf-8")
    found = resolve({"engine": "musicgen:/weights of mine"}, {"LOOPGEN_SEPARATE": "no", "LOOPGEN_TAKES": "8"}, file)
    chosen = found.settings
    assert (chosen.device, chosen.precision, chosen.threads, chosen.takes) == ("cuda:1", "bf16", 2, 8)
    assert (chosen.separate, chosen.engine) == (False, "musicgen:/weights of mine")
