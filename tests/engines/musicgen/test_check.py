"""What the doctor looks at: it finds a decoder that draws wrong tokens, and versions that are too old."""

from __future__ import annotations

import tomllib
import weakref
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants

from loopgen.engines.base import Hardware
from loopgen.engines.musicgen import check, load, machine, trial, weights
from loopgen.engines.musicgen.check import Finding, examine
from loopgen.engines.musicgen.weights import Weights
from loopgen.errors import Cancelled

CPU = Hardware("cpu", "auto", 1)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))


def of(topic: str, findings: Iterator[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.topic == topic]


def test_the_oldest_versions_are_those_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = {}
    for line in project["optional-dependencies"]["musicgen"]:
        name, _, oldest = line.partition(">=")
        wanted[name] = oldest
    assert {name: wanted[name] for name in check.REQUIRED} == check.REQUIRED


def test_versions_that_are_too_old_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "version", lambda name: "5.17.3" if name == "transformers" else version(name))
    (finding,) = of("transformers", examine(hardware=CPU))
    assert (finding.level, finding.text) == ("warning", "5.17.3 is too old; 5.18 is needed")
    assert not of("decoder", examine(hardware=CPU))
    (finding,) = of("transformers", examine(hardware=CPU, is_needed=True))
    assert finding.level == "problem"


def test_a_library_that_does_not_start_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Hardware) -> None:
        raise OSError("libtorch.so: cannot open shared object file\nand more")

    monkeypatch.setattr(trial, "hardware", broken)
    (finding,) = [finding for finding in examine(hardware=CPU) if finding.level == "problem"]
    assert finding.text == "does not start: OSError: libtorch.so: cannot open shared object file"


@pytest.mark.parametrize("kind", ["text", "melody"])
def test_one_wrong_weight_is_found(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison is no formality: with a layer's norm off by a little, tokens differ, and it is told."""
    real: Any = weights.gather

    def off(*arguments: object, **options: object) -> Weights:
        gathered: Weights = real(*arguments, **options)
        weight, bias = gathered.layers[1].final_norm
        gathered.layers[1].final_norm = (weight, bias + 0.3)  # a new one: ours may share memory with theirs
        return gathered

    good = trial._compared(kind, *trial._tiny(kind, "cpu"))
    monkeypatch.setattr(weights, "gather", off)
    bad = trial._compared(kind, *trial._tiny(kind, "cpu"))
    assert (good.level, bad.level) == ("ok", "problem")
    assert "% of the tokens differ from transformers" in bad.text


@pytest.mark.parametrize("kind", ["text", "melody"])
def test_tiny_models_draw_varied_tokens_and_leave_the_generator_alone(kind: str) -> None:
    before = torch.get_rng_state()
    ours, theirs = trial._tiny(kind, "cpu")
    assert torch.equal(before, torch.get_rng_state())
    tokens = trial._our_tokens(ours, trial.COMPARED)
    assert tokens.shape == (4, trial.COMPARED)
    assert len(set(tokens.flatten().tolist())) > 8
    assert not theirs.training


def test_too_little_memory_for_the_comparison_is_a_warning(tiny_text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Any = load.load

    def full(source: str, *, precision: str = "auto", **options: object) -> object:
        monkeypatch.setattr(machine, "free_memory", lambda _: 400_000_000 if precision == "fp32" else 10**12)
        return real(source, precision=precision, **options)

    monkeypatch.setattr(load, "load", full)
    found = list(examine(str(tiny_text), CPU))
    decoder = of("decoder", iter(found))
    assert [finding.level for finding in decoder] == ["warning", "ok", "ok"]
    assert "is not compared with transformers: text in fp32 needs about" in decoder[0].text
    assert len(of("speed", iter(found))) == 1


@pytest.mark.parametrize("room", [True, False])
def test_the_models_of_the_comparison_are_gone_before_another_is_loaded(
    room: bool, tiny_text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three at once would not fit where two just do."""
    real: Any = load.load
    kept: list[weakref.ref[Any]] = []
    alive: list[int] = []

    def counted(*arguments: object, **options: object) -> object:
        alive.append(sum(model() is not None for model in kept))
        model = real(*arguments, **options)
        kept.append(weakref.ref(model.weights.embeddings))
        return model

    def reference(model: load.Model) -> object:
        if not room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        whole = real_reference(model)
        kept.append(weakref.ref(whole))
        return whole

    real_reference: Any = load.reference
    monkeypatch.setattr(load, "load", counted)
    monkeypatch.setattr(load, "reference", reference)
    found = list(examine(str(tiny_text), CPU))
    assert alive == [0, 0]
    first = of("decoder", iter(found))[0]
    assert first.level == ("ok" if room else "warning")
    assert room or "in fp32 does not fit into the memory of cpu twice" in first.text


def test_memory_is_set_against_the_models(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(free: int) -> Finding:
        monkeypatch.setattr(machine, "free_memory", lambda _: free)
        (finding,) = of("memory", examine(hardware=Hardware("cpu", "fp32", 1)))
        return finding

    assert (told(10**12).level, told(10**12).text.endswith("all fit")) == ("ok", True)
    assert told(4 * 10**9).text.endswith("; small fits")
    nothing = told(10**9)
    assert (nothing.level, nothing.text.endswith("none fits")) == ("warning", True)


def test_it_can_be_stopped() -> None:
    def stop(_share: float, _next: str) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        list(examine(hardware=CPU, told=stop))


def test_it_tells_what_takes_a_while() -> None:
    told: list[tuple[float, str]] = []
    list(examine(hardware=CPU, told=lambda share, what: told.append((share, what))))
    assert told[0][1] == "loading PyTorch"
    assert [share for share, _ in told] == sorted(share for share, _ in told)
    assert all(0 < share < 1 for share, _ in told)
