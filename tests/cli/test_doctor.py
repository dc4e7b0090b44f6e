"""``loopgen doctor`` as its user meets it, with weights, without, and without the extra."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.programs import environment
from tests.engines.musicgen.tiny import save_tiny


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub."""
    for name in [name for name in os.environ if name.startswith(("HF_", "TRANSFORMERS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path / "hf" / "hub"


def doctor(*arguments: str, folder: Path, status: int = 0, more: dict[str, str] | None = None) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "loopgen", "doctor", *arguments, "--device", "cpu", "--threads", "1"],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(folder) | (more or {}),
        check=False,
        timeout=300,
    )
    assert done.returncode == status, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def findings(*arguments: str, folder: Path, status: int = 0, **more: Any) -> dict[str, list[dict[str, str]]]:
    shown = json.loads(doctor(*arguments, "--json", folder=folder, status=status, **more)[0])
    assert shown["fine"] == (status == 0)
    by_topic: dict[str, list[dict[str, str]]] = {}
    for finding in shown["findings"]:
        assert finding["level"] in ("ok", "warning", "problem")
        by_topic.setdefault(finding["topic"], []).append(finding)
    return by_topic


def in_cache(home: Path, repo: str, model: Path) -> Path:
    """Put a model where the hub's library would."""
    folder = home / f"models--{repo}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0123")
    return Path(shutil.copytree(model, folder / "snapshots" / "0123"))


def test_without_weights_it_tries_tiny_models_and_all_is_fine(tmp_path: Path) -> None:
    shown, said = doctor(folder=tmp_path)
    assert said == ""
    assert "warning  weights       none on this machine" in shown
    assert "-> loopgen models pull small (about 2.4 GB, CC-BY-NC-4.0)" in shown
    decoder = [line for line in shown.splitlines() if line.startswith("ok       decoder")]
    assert [" text " in line for line in decoder] == [True, False]
    assert all("every token is that of transformers" in line for line in decoder)
    assert "sketch" in shown.splitlines()[-1]


def test_a_model_of_the_cache_is_compared_and_timed(home: Path, tmp_path: Path) -> None:
    in_cache(home, "facebook--musicgen-stereo-melody", save_tiny(tmp_path / "m", "melody-stereo"))
    found = findings(folder=tmp_path)
    assert "stereo-melody (2 MB); licence CC-BY-NC-4.0" in found["weights"][0]["text"]
    (decoder,) = found["decoder"]
    assert decoder["text"].startswith("16 frames of stereo-melody: every token is that of transformers")
    (speed,) = found["speed"]
    assert "ms a step" in speed["text"]
    assert float(speed["text"].split(": ")[-1].split(" ms")[0]) > 0


def test_a_folder_can_be_tried(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "mine", "stereo")
    found = findings(f"musicgen:{folder}", "--precision", "bf16", folder=tmp_path)  # as --engine takes it
    assert f"16 frames of {folder}: every token" in found["decoder"][0]["text"]
    assert f"{folder} in bf16 on cpu" in found["speed"][0]["text"]


def test_a_damaged_model_is_a_problem_with_its_remedy(home: Path, tmp_path: Path) -> None:
    folder = in_cache(home, "facebook--musicgen-small", save_tiny(tmp_path / "m"))
    (folder / "model.safetensors").write_bytes(b"half")
    shown, said = doctor(folder=tmp_path, status=1)
    assert "PROBLEM  decoder" in shown
    assert "`loopgen models remove small` and `loopgen models pull small` get it anew" in shown
    assert said.strip().endswith("checks found a problem: decoder")
    (folder / "model.safetensors").unlink()
    found = findings(folder=tmp_path)
    assert (found["weights"][0]["level"], found["weights"][0]["text"]) == ("warning", "small is not all here")


def test_weights_that_were_asked_for_and_are_not_here_are_a_problem(tmp_path: Path) -> None:
    found = findings("medium", folder=tmp_path, status=1)
    assert "run `loopgen models pull medium`" in found["weights"][0]["text"]
    assert found["decoder"][0]["level"] == "ok", "what can be tried without them is"
    found = findings(folder=tmp_path, status=1, more={"LOOPGEN_ENGINE": "musicgen"})
    assert found["weights"][0]["level"] == "problem"


def test_another_listener_is_a_problem_only_where_it_was_chosen(tmp_path: Path) -> None:
    more = {"TORCH_HOME": str(tmp_path / "torch")}
    (own,) = findings(folder=tmp_path, more=more)["listener"]
    assert own["level"] == "ok"
    assert own["text"].startswith("own; beat_this is optional: ")
    (chosen,) = findings(folder=tmp_path, status=1, more=more | {"LOOPGEN_LISTENER": "beat_this"})["listener"]
    assert chosen["level"] == "problem"
    assert "pip install 'loopgen[beat-this]'" in chosen["text"] or "load_model('final0')" in chosen["text"]


@pytest.mark.parametrize(("engine", "status"), [("auto", 0), ("musicgen", 1)])
def test_without_the_extra_it_says_how_to_install_it(engine: str, status: int, tmp_path: Path) -> None:
    """A Python that finds no transformers, as where loopgen was installed plainly."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import importlib.util as u\n"
        "real = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name in ('torch', 'transformers') else real(name, *rest)\n"
    )
    path = os.pathsep.join([str(tmp_path / "site"), environment(tmp_path)["PYTHONPATH"]])
    more = {"PYTHONPATH": path, "LOOPGEN_ENGINE": engine}
    found = findings(folder=tmp_path, status=status, more=more)
    for name in ("torch", "transformers"):
        (finding,) = found[name]
        assert finding["level"] == ("problem" if status else "warning")
        assert finding["remedy"] == "pip install 'loopgen[musicgen]'"
    assert "decoder" not in found


def test_a_device_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "loopgen", "doctor", "--device", "cuda:99", "--json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(tmp_path),
        check=False,
    )
    assert done.returncode == 1
    (finding,) = [one for one in json.loads(done.stdout)["findings"] if one["topic"] == "device"]
    assert finding["level"] == "problem"
    assert "cuda:99 is not there" in finding["text"]
