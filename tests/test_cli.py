"""The command line as its user meets it: real processes, real files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from loopgen.music.tempo import Meter, loop_frames, parse_bpm

ROOT = Path(__file__).parent.parent


def loopgen(*arguments: object, cwd: Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the program; every run must be free of tracebacks and say errors in one line."""
    command = [sys.executable, "-m", "loopgen", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "LOOPGEN_SETTINGS": str(cwd / "none")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False, timeout=120)
    assert done.returncode == status, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    if status:
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done


def as_json(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


@pytest.fixture
def groove(tmp_path: Path) -> Path:
    """Twelve bars at 118 BPM, from 0.31 s before a bar line, 48 kHz stereo FLAC: kick, snare, hats and a bass note."""
    rate, beat = 48_000, 60 / 118
    rng = np.random.default_rng(3)
    samples = np.zeros((int(rate * (0.31 + 12 * 4 * beat)), 2))
    t = np.arange(int(0.2 * rate)) / rate
    kick = np.sin(2 * np.pi * (50 * t + 4 * (1 - np.exp(-t / 0.03)))) * np.exp(-t / 0.08)
    snare = rng.standard_normal(len(t)) * np.exp(-t / 0.05)
    hat = np.diff(rng.standard_normal(len(t) + 1)) * np.exp(-t / 0.012)
    for step in range(12 * 16):
        start = round(rate * (0.31 + step * beat / 4))
        sound = 0.15 * hat * (step % 2 == 0) + 0.8 * kick * (step % 16 in (0, 7, 10)) + 0.4 * snare * (step % 8 == 4)
        piece = samples[start : start + len(t)]
        piece += sound[: len(piece), None] * [1.0, 0.8]
    path = tmp_path / "groove.flac"
    soundfile.write(path, np.clip(0.7 * samples, -1, 1), rate)
    return path


def test_the_first_command_writes_a_loop_and_shows_it(tmp_path: Path) -> None:
    done = loopgen("generate", "dub techno, rolling bass, rainy", "--bpm", "127.9", "--bars", 4, cwd=tmp_path)
    (path,) = tmp_path.glob("*.wav")
    assert path.name.startswith("loopgen_127.9bpm_")
    assert path.name in done.stdout
    assert "not MusicGen" in done.stdout
    assert soundfile.info(str(path)).frames == loop_frames(parse_bpm("127.9"), 4, Meter(), 44_100)
    assert sorted(p.suffix for p in tmp_path.iterdir() if p.is_file()) == [".json", ".wav"]


def test_json_says_everything(tmp_path: Path) -> None:
    arguments = ("generate", "house, F minor", "--bpm", "60.23", "--rate", 48_000, "--seed", 5, "--json")
    shown = as_json(loopgen(*arguments, cwd=tmp_path))
    assert (shown["frames"], shown["rate"], shown["channels"]) == (765_067, 48_000, 2)
    assert (shown["bpm"], shown["bars"], shown["meter"], shown["key"]) == (60.23, 4, "4/4", "Fm")
    assert (shown["engine"], shown["seed"]) == ("sketch", 5)
    assert {"tempo", "confidence", "first_beat", "downbeat_confidence"} <= shown["grid"].keys()
    seam = {"click", "flux_beats", "flux_bars", "hole", "loudness_step", "chroma_drop", "passes"}
    assert seam <= shown["seam"].keys()
    assert shown["warnings"] == []
    sidecar = json.loads((tmp_path / shown["path"]).with_suffix(".json").read_text("utf-8"))
    assert sidecar["request"]["bpm"] == "60.23"
    assert sidecar["seed"] == 5
    assert "synthesis" in json.dumps(sidecar["engine"])


def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        loopgen("generate", "funk", "--bpm", 104, "--bars", 2, "--seed", 9, "-o", name, cwd=tmp_path)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_variations_are_several_loops(tmp_path: Path) -> None:
    arguments = ("generate", "trap", "--bpm", 140, "--bars", 2, "--seed", 1, "--variations", 3, "--json", "-o", "out")
    shown = as_json(loopgen(*arguments, cwd=tmp_path))
    paths = [Path(tmp_path / one["path"]) for one in shown["variations"]]
    assert len({path.read_bytes() for path in paths}) == 3
    assert len({one["seed"] for one in shown["variations"]}) == 3


def test_what_the_prompt_says_is_used_and_a_contradiction_is_told(tmp_path: Path) -> None:
    shown = as_json(loopgen("generate", "techno, 140 bpm, F minor", "--bars", 1, "--json", cwd=tmp_path))
    assert (shown["bpm"], shown["key"]) == (140.0, "Fm")
    done = loopgen("generate", "techno, 140 bpm", "--bpm", 130, "--bars", 1, cwd=tmp_path)
    assert "the prompt says 140 BPM, but 130 BPM was given and is used" in done.stderr


def test_a_preset_with_a_field_overridden(tmp_path: Path) -> None:
    shown = as_json(loopgen("generate", "--preset", "slow-waltz", "--bpm", 90, "--bars", 2, "--json", cwd=tmp_path))
    assert (shown["bpm"], shown["meter"], shown["key"]) == (90.0, "3/4", "F")


def test_a_take_becomes_a_loop_and_is_inspected(tmp_path: Path, groove: Path) -> None:
    made = as_json(loopgen("conform", groove, "--bpm", 124, "--bars", 4, "-o", "loop.wav", "--json", cwd=tmp_path))
    assert made["frames"] == loop_frames(parse_bpm(124), 4, Meter(), 44_100)
    assert made["grid"]["tempo"] == pytest.approx(118, rel=1e-4)
    assert made["seam"]["passes"]
    assert made["onsets"]["deviation_95_ms"] < 1
    seen = as_json(loopgen("inspect", "loop.wav", "--picture", "out.png", "--json", cwd=tmp_path))
    assert (seen["bpm"], seen["bars"]) == (124.0, 4)
    assert seen["seam"] == pytest.approx(made["seam"], abs=0.01)  # 24 bits away from the loop itself
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_what_the_user_knows_of_a_take_is_used(tmp_path: Path, groove: Path) -> None:
    known = ("--source-bpm", "118", "--downbeat", "0.31")
    arguments = ("conform", groove, "--bpm", "118", "--bars", 2, *known, "-o", "loop.wav", "--json")
    made = as_json(loopgen(*arguments, cwd=tmp_path))
    assert made["grid"]["source"] == "user"
    off = (made["grid"]["loop_start"] - 0.31) / (4 * 60 / 118)
    assert abs(off - round(off)) * 4 * 60 / 118 < 0.002


@pytest.mark.parametrize("command", [("engines",), ("presets",), ("presets", "dub-techno")])
def test_lists(tmp_path: Path, command: tuple[str, ...]) -> None:
    assert loopgen(*command, cwd=tmp_path).stdout
    assert as_json(loopgen(*command, "--json", cwd=tmp_path))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("generate", "house", "--bpm", "0"), "20 to 999"),
        (("generate", "house", "--bpm", "nan"), "20 to 999"),
        (("generate", "house", "--bpm", "1e9"), "20 to 999"),
        (("generate", "house", "--bpm=-120"), "20 to 999"),
        (("generate", "house", "--bpm", "120", "--bars", "0"), "1 to 256"),
        (("generate", "house", "--bpm", "120", "--bars", "four"), "--bars"),
        (("generate", "house", "--bpm", "120", "--key", "H"), "key"),
        (("generate", "house", "--bpm", "120", "--meter", "4/3"), "meter"),
        (("generate", "house", "--bpm", "120", "--rate", "1"), "8000 to 192000"),
        (("generate", "house", "--bpm", "120", "--rate", "0"), "8000 to 192000"),
        (("generate", "house", "--bpm", "120", "--seed", "-1"), "seed"),
        (("generate", "house", "--bpm", "120", "--variations", "99"), "variations"),
        (("generate", "house", "--bpm", "120", "--engine", "skech"), "sketch"),
        (("generate", "house", "--bpm", "120", "--stretcher", "magic"), "stretcher"),
        (("generate", "house", "--bpm", "120", "--melody", "no notes"), "melody"),
        (("generate", "house", "--bpm", "120", "-o", "loop.mp3"), ".wav or .flac"),
        (("generate", "house", "--bpm", "120", "-o", "file.txt/loop.wav"), "cannot be written"),
        (("generate", "house", "--bpm", "120", "--picture", "p.jpg"), ".png"),
        (("generate", "house", "--bpm", "120", "-o", ".wav"), ".wav or .flac"),
        (("generate", "--preset", "dub-tecno"), "dub-techno"),
        (("generate",), "prompt"),
        (("conform", "missing.wav", "--bpm", "120"), "does not exist"),
        (("conform", "file.txt", "--bpm", "120"), "no audio"),
        (("conform", "empty.wav", "--bpm", "120"), "empty"),
        (("conform", ".", "--bpm", "120"), "folder"),
        (("conform", "file.txt"), "--bpm"),
        (("conform", "file.txt", "--bpm", "120", "--source-bpm", "x"), "20 to 999"),
        (("inspect", "missing.wav"), "does not exist"),
        (("presets", "nope"), "presets"),
        (("fly",), "fly"),
        ((), "COMMAND"),
    ],
)
def test_unusable_arguments_get_one_clear_line_and_leave_nothing(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "file.txt").write_text("text")
    (tmp_path / "empty.wav").touch()
    before = sorted(tmp_path.iterdir())
    assert words in loopgen(*arguments, cwd=tmp_path, status=2).stderr
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("downbeat", ["-5", "1e9", "nan"])
def test_a_downbeat_outside_the_take_is_refused(tmp_path: Path, groove: Path, downbeat: str) -> None:
    done = loopgen("conform", groove, "--bpm", 120, f"--downbeat={downbeat}", cwd=tmp_path, status=2)
    assert "downbeat" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "loopgen", "generate", "house", "--bpm", "40", "--bars", "64", "--variations", "9"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE
    )
    time.sleep(2.0)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert b"Traceback" not in error
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".") or ".tmp" in path.name]
    assert len(list(tmp_path.glob("*.wav"))) == len(list(tmp_path.glob("*.json")))


@pytest.mark.parametrize("words", [[], ["serve"], ["send"], ["send", "ping"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    script = f"import sys; from loopgen.cli import main; main({[*words, '--help']}); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    heavy = ("numpy", "scipy", "soundfile", "matplotlib", "rich", "pythonosc", "mido", "multiprocessing", "librosa")
    for module in (*heavy, "bridge.protocol", "loopgen.jobs"):
        assert f"'{module}'" not in done.stdout
