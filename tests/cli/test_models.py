"""``loopgen models`` as its user meets it: real processes, and a server that speaks the hub's protocol."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.programs import environment
from tests.engines.musicgen.hub_server import Hub, serving
from tests.engines.musicgen.tiny import save_tiny


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    root = tmp_path_factory.mktemp("published")
    repos = {"facebook/musicgen-small": save_tiny(root / "small"), "me/mine": save_tiny(root / "mine", "melody")}
    with serving(repos) as running:
        yield running


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of its own, and no hub but that of the test."""
    for name in [name for name in os.environ if name.startswith(("HF_", "TRANSFORMERS_", "HUGGINGFACE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")


def loopgen(
    *arguments: str, folder: Path, status: int = 0, hub: Hub | None = None, more: dict[str, str] | None = None
) -> tuple[str, str]:
    """What a command prints as its result, and what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "loopgen", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(folder) | ({"HF_ENDPOINT": hub.address} if hub else {}) | (more or {}),
        check=False,
        timeout=120,
    )
    assert done.returncode == status, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    if status:
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stdout, done.stderr


def test_the_list_tells_sizes_and_what_the_licence_means(tmp_path: Path) -> None:
    shown, said = loopgen("models", "list", folder=tmp_path)
    lines = shown.splitlines()
    assert len([line for line in lines if "loopgen models pull" in line]) == 10
    assert "  medium                about 8.0 GB  text, mono               loopgen models pull medium" in lines
    assert any("stereo-melody " in line and "text and melody, stereo" in line for line in lines)
    assert "CC-BY-NC-4.0" in shown
    assert "do not use them in music that you sell" in shown
    assert str(tmp_path / "hf" / "hub") in shown
    assert said == ""


def test_the_list_is_told_without_the_extra(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("import sys\nsys.modules['huggingface_hub'] = None\n")
    path = os.pathsep.join([str(tmp_path / "site"), environment(tmp_path)["PYTHONPATH"]])
    shown, said = loopgen("models", "list", folder=tmp_path, more={"PYTHONPATH": path})
    assert len([line for line in shown.splitlines() if "loopgen models pull" in line]) == 10
    assert "None can play yet: the Hugging Face hub's library is missing: pip install 'loopgen[musicgen]'" in shown
    assert said == ""
    listed = json.loads(loopgen("models", "list", "--json", folder=tmp_path, more={"PYTHONPATH": path})[0])
    assert listed["cache"] is None
    assert not any(model["here"] for model in listed["models"])
    _, said = loopgen("models", "pull", "small", folder=tmp_path, status=2, more={"PYTHONPATH": path})
    assert "pip install 'loopgen[musicgen]'" in said


def test_a_model_is_pulled_found_and_removed(server: Hub, tmp_path: Path) -> None:
    shown, said = loopgen("models", "pull", "small", folder=tmp_path, hub=server)
    folder = Path(shown.strip())
    assert (folder / "model.safetensors").is_file()
    assert "CC-BY-NC-4.0. Meta's weights may be used for non-commercial purposes only" in said
    assert "--engine musicgen:small" in said
    listed, _ = loopgen("models", "list", folder=tmp_path)
    (line,) = [line for line in listed.splitlines() if line.startswith("* small")]
    assert line.endswith(str(folder))
    assert loopgen("models", "path", "small", folder=tmp_path)[0].strip() == str(folder)
    freed, _ = loopgen("models", "remove", "small", folder=tmp_path)
    assert freed == "small is removed; 2 MB are free again\n"
    assert not folder.exists()
    _, said = loopgen("models", "path", "small", folder=tmp_path, status=2)
    assert "run `loopgen models pull small`" in said


def test_json_is_one_object_and_nothing_else(server: Hub, tmp_path: Path) -> None:
    shown, said = loopgen("models", "pull", "me/mine", "--json", folder=tmp_path, hub=server)
    pulled = json.loads(shown)
    assert said == ""
    assert (pulled["name"], pulled["repo"], pulled["here"], pulled["lacks"]) == ("me/mine", "me/mine", True, [])
    assert pulled["licence"].startswith("unknown")
    assert pulled["bytes"] == sum(path.stat().st_size for path in Path(pulled["path"]).iterdir()) + 40
    listed = json.loads(loopgen("models", "list", "--json", folder=tmp_path)[0])
    assert [model["name"] for model in listed["models"] if model["here"]] == ["me/mine"]
    assert len(listed["models"]) == 11
    medium = next(model for model in listed["models"] if model["name"] == "medium")
    assert medium["licence"] == "CC-BY-NC-4.0"
    assert 7.9e9 < medium["approximate_download_bytes"] < 8.1e9
    assert medium["approximate_memory_bytes"]["bf16"] < medium["approximate_memory_bytes"]["fp32"]
    removed = json.loads(loopgen("models", "remove", "me/mine", "--json", folder=tmp_path)[0])
    assert removed == {"name": "me/mine", "freed_bytes": pulled["bytes"]}


def test_what_cannot_be_pulled_is_one_line(server: Hub, tmp_path: Path) -> None:
    for name, status, told in (
        ("smal", 2, "did you mean 'small'"),
        ("me/nothing", 2, "the hub has no model me/nothing"),
        ("../x", 2, "../x"),
    ):
        assert told in loopgen("models", "pull", name, folder=tmp_path, hub=server, status=status)[1]
    _, said = loopgen("models", "pull", "small", folder=tmp_path, status=1)  # nobody listens there
    assert said.strip().endswith("run `loopgen models pull small`; it goes on where it stopped")
    assert "is not on this machine" in loopgen("models", "remove", "small", folder=tmp_path, status=2)[1]


def test_help_and_the_list_of_commands_import_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys, loopgen.cli as c\n"
        "assert c.main(['models', 'list', '--help']) == 0\n"
        "print(sorted({'torch', 'transformers', 'huggingface_hub', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
