"""The fused kernels, as far as they can be tried without a GPU.

Two of the tests need Triton, which comes with PyTorch's CUDA builds on Linux and is 290 MB to install by itself
(``pip install triton``): they are skipped without it. One has its interpreter run the kernels on the processor and
compares them with PyTorch's step, the other has its compiler translate every kernel of every published size.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.engines.musicgen.fused_compiled import SIZES, calls

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="needs Triton: pip install triton")
ROOT = Path(__file__).parents[3]


def run(module: str, *arguments: str, **environment: str) -> list[list[str]]:
    """Fields of the lines that a module prints, in a process of its own, as Triton reads its settings at import."""
    process = subprocess.run(
        [sys.executable, "-m", f"tests.engines.musicgen.{module}", *arguments],
        cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    return [line.split("|") for line in process.stdout.splitlines()]


@needs_triton
def test_kernels_compute_what_pytorch_computes() -> None:
    *cases, alone = run("fused_interpreted", TRITON_INTERPRET="1")
    assert len(cases) >= 10
    for name, dtype, logits, written, *equal in cases:
        limit = 3e-6 if dtype == "float32" else 5e-3
        assert float(logits) < limit and float(written) < limit, name
        assert equal == ["True"] * 3, f"{name}: other slots, tokens, counters {equal}"
    assert alone == ["a row by itself", "True"]


@needs_triton
def test_kernels_compile_for_every_size(tmp_path: Path) -> None:
    lines = run("fused_compiled", "80", "90", TRITON_CACHE_DIR=str(tmp_path))
    assert {line[0] for line in lines} == set(SIZES)
    for model, kernel, capability, _, registers, spilled, shared in lines:
        place = f"{model} {kernel} {capability}"
        assert int(spilled) == 0, f"{place} spills registers"
        assert int(registers) <= 168, f"{place} leaves no room for a second program on a multiprocessor"
        assert int(shared) <= 99 * 1024, f"{place} needs more shared memory than consumer GPUs have"


@pytest.mark.parametrize("model", SIZES)
def test_launches_are_few_and_cover_everything(model: str) -> None:
    width, heads, has_prefix = SIZES[model]
    launches = calls(width, heads, has_prefix, layers=3)
    assert len(launches) == 3 * (5 if has_prefix else 8) + 4
    for kernel, grid, arguments, keywords in launches:
        name = getattr(kernel, "__name__", "")
        if name in ("norm_linear", "linear"):
            weight = arguments[2]
            assert weight.shape == (keywords["OUTER"], keywords["INNER"])
            assert grid[0] * keywords["BLOCK"] == keywords["OUTER"]
            assert keywords["INNER"] % keywords["STRETCH"] == 0
        elif name == "merge_linear":
            assert grid[0] * keywords["BLOCK"] == width == keywords["HEADS"] * keywords["HEAD"]
            assert heads % keywords["GROUP"] == 0
        elif name == "attend":
            slots = arguments[8]
            assert grid[1] * keywords["CHUNK"] >= slots and grid[1] == keywords["PARTS"]
        elif name == "embed":
            assert grid[1] * keywords["BLOCK"] == width
        else:
            assert name in ("draw", "advance")
