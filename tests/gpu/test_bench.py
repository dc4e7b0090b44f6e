"""The benchmark of MusicGen runs, whatever it is run on: here with a tiny model on the processor."""

from __future__ import annotations

import re

import pytest
import torch

from loopgen.engines.musicgen.step import Size
from tests.gpu import bench_musicgen, measure
from tests.gpu.random_models import our_model, whole_model


def test_it_prints_every_figure_and_what_is_to_be_reached(capsys: pytest.CaptureFixture[str]) -> None:
    threads = torch.get_num_threads()
    try:
        assert bench_musicgen.main(["--models", "tiny", "--device", "cpu", "--quick"]) == 0
    finally:
        torch.set_num_threads(threads)
    said = capsys.readouterr().out
    assert "FAILED" not in said
    for figure in (
        "copy bandwidth", "by transformers' generate in fp32", "in fp32", "in bf16", "in int8", "prompt encoding",
        "EnCodec of 12 s", "EnCodec of 16 s",
    ):  # fmt: skip
        value = re.search(rf"{re.escape(figure)}\D* ([\d.]+)", said)
        assert value and float(value[1]) > 0, figure
    assert re.search(r"times faster than transformers in fp32 +[\d.]+ +\(to reach: >= 4\) +(met|MISSED)", said)


def test_the_part_for_gpus_runs_too(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_musicgen, "on_cpu", bench_musicgen.on_gpu)
    assert bench_musicgen.main(["--models", "tiny", "--device", "cpu", "--quick"]) == 0
    said = capsys.readouterr().out
    for figure in ("generate", "1 variation", "4 variations", "8 variations", "from trigger to finished loop, s"):
        value = re.search(rf"{figure} +([\d.]+)", said)
        assert value and float(value[1]) > 0, figure
    assert re.search(r"first exact preview [\d.]+, take [\d.]+; 1\d\.\d s of audio", said)
    assert "fused kernels need an NVIDIA GPU" in said or torch.cuda.is_available()


def test_a_part_that_fails_does_not_cost_the_others(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> float:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(measure, "prompt_ms", fail)
    monkeypatch.setattr(measure, "step_ms", fail)
    assert bench_musicgen.main(["--models", "tiny", "--device", "cpu", "--quick"]) == 1
    said = capsys.readouterr().out
    assert said.count("FAILED (RuntimeError: no such kernel)") == 4
    assert re.search(r"EnCodec of 16 s, ms +[\d.]+", said), "what comes after is measured"
    assert "not measured" in said


def test_bytes_of_a_step_are_those_of_the_matrices_and_of_the_cache() -> None:
    whole = whole_model("tiny", torch.device("cpu"), torch.float32)
    model = our_model("tiny", whole, torch.device("cpu"), "fp32")
    layers, width, cards = 2, 64, 2048
    matrices = layers * (3 + 1 + 1 + 1 + 4 + 4) * width * width + 4 * cards * width
    norms = (layers * 3 + 1) * 2 * width
    size = Size(takes=1, guided=True, negative=False, text=10, capacity=0)
    cache = layers * 2 * (2 * 100 + 10) * width
    assert measure.step_bytes(model.weights, size, 100) == 4 * (matrices + norms + cache)
    told = Size(takes=1, guided=True, negative=False, text=0, capacity=0)
    assert measure.step_bytes(model.weights, told, 0) < 4 * (matrices + norms)
