from pathlib import Path

import pytest

from loopgen import presets
from loopgen.errors import PresetUnusable


@pytest.mark.parametrize("name", presets.names())
def test_every_factory_preset_is_whole(name: str) -> None:
    preset = presets.load(name)
    assert preset.description
    assert {"prompt", "bpm"} <= preset.fields.keys()


def test_a_wrong_name_gets_the_nearest() -> None:
    with pytest.raises(PresetUnusable, match="dub-techno"):
        presets.load("dubtechno")
    with pytest.raises(PresetUnusable, match="no preset"):
        presets.load("../../etc/passwd")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prompt = ", "cannot be read"),
        ('promt = "house"', "did you mean 'prompt'"),
        ('prompt = "house"\nbars = "four"', "wrong type"),
        ('prompt = "house"\nbars = true', "wrong type"),
        ('prompt = "house"\nbpm = 5', "20 to 999"),
        ("bpm = 120", "no prompt"),
        ("\x00", "cannot be read"),
    ],
)
def test_a_broken_preset_says_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PresetUnusable, match=words):
        presets.read(path)
