"""Every fused kernel of every published size, compiled ahead of time for NVIDIA GPUs; needs Triton and no GPU.

``python -m tests.engines.musicgen.fused_compiled 80 90`` prints a line a kernel: model, kernel, compute capability,
warps, registers a thread, bytes on a thread's stack (spilled), bytes of shared memory.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from loopgen.engines.musicgen.fused import kernels
from loopgen.engines.musicgen.fused.step import FusedStep
from loopgen.engines.musicgen.step import Size, allocate
from loopgen.engines.musicgen.weights import LayerWeights, Shape, Weights

SIZES = {
    "small": (1024, 16, False),
    "medium": (1536, 24, False),
    "melody": (1536, 24, True),
    "large": (2048, 32, False),
}
TYPES = {
    torch.bfloat16: "*bf16",
    torch.float16: "*fp16",
    torch.float32: "*fp32",
    torch.int64: "*i64",
}
Call = tuple[Any, tuple[int, ...], tuple[Any, ...], dict[str, Any]]


def calls(width: int, heads: int, has_prefix: bool, layers: int = 1) -> list[Call]:
    """What ``FusedStep`` launches for a model: kernel, grid, arguments, keywords."""
    dtype = torch.bfloat16

    def empty(*shape: int) -> Tensor:
        return torch.empty(shape, dtype=dtype, device="meta")

    shape = Shape(layers, width, heads, 4 * width, 4, 2048, 1, has_prefix)
    norm = (empty(width), empty(width))
    square = None if has_prefix else empty(width, width)
    layer = LayerWeights(
        empty(3 * width, width), empty(width, width), square, square, square, square,
        empty(4 * width, width), empty(width, 4 * width), norm, None if has_prefix else norm, norm,
    )  # fmt: skip
    weights = Weights(shape, [layer] * layers, empty(4, 2049, width), empty(2048, width), empty(4 * 2048, width), norm)
    buffers = allocate(weights, Size(1, True, False, 0 if has_prefix else 32, 1024))
    made: list[Call] = []

    class Recorder:
        def __init__(self, kernel: Any) -> None:
            self.kernel = kernel

        def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
            return lambda *arguments, **keywords: made.append((self.kernel, grid, arguments, keywords))

    names = ("embed", "norm_linear", "attend", "merge_linear", "linear", "draw", "advance")
    originals = {name: getattr(kernels, name) for name in names}
    try:
        for name in names:
            setattr(kernels, name, Recorder(originals[name]))
        FusedStep(weights)(buffers)
    finally:
        for name in names:
            setattr(kernels, name, originals[name])
    return made


def compile_call(call: Call, capability: int) -> tuple[Any, dict[str, Any]]:
    """The compiled kernel, and the options that it was compiled with."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    kernel, _, arguments, keywords = call
    options = {key: value for key, value in keywords.items() if key in ("num_warps", "num_stages")}
    constants = {key: value for key, value in keywords.items() if key not in options}
    signature: dict[str, str] = {}
    aligned = {}
    for place, (name, value) in enumerate(zip(kernel.arg_names, arguments, strict=False)):
        signature[name] = TYPES[value.dtype] if isinstance(value, Tensor) else "i32"
        if isinstance(value, Tensor) or value % 16 == 0:
            aligned[(place,)] = [["tt.divisibility", 16]]
    signature |= dict.fromkeys(constants, "constexpr")
    source = ASTSource(kernel, signature, constants, aligned)
    return triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options), options


def resources(compiled: Any) -> tuple[int, int]:
    """Registers a thread, and bytes of its own memory, where registers are spilled to."""
    import triton

    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(compiled.asm["cubin"])
        said = subprocess.run([tool, "-res-usage", path], capture_output=True, text=True, check=True).stdout
    found = re.search(r"REG:(\d+) STACK:(\d+)", said)
    assert found, said
    return int(found[1]), int(found[2])


def lines(capabilities: list[int]) -> Iterator[str]:
    """One for each kernel that differs."""
    for model, size in SIZES.items():
        done = set()
        for call in calls(*size):
            key = (call[0].__name__, tuple(sorted((k, str(v)) for k, v in call[3].items())))
            if key in done:
                continue
            done.add(key)
            for capability in capabilities:
                compiled, options = compile_call(call, capability)
                registers, spilled = resources(compiled)
                kind = call[3].get("KIND", "")
                name = " ".join(part for part in (call[0].__name__, kind, f"{call[3].get('BLOCK', '')}") if part)
                warps, shared = options.get("num_warps", 4), compiled.metadata.shared
                yield f"{model}|{name}|{capability}|{warps}|{registers}|{spilled}|{shared}"


if __name__ == "__main__":
    for line in lines([int(capability) for capability in sys.argv[1:]] or [90]):
        print(line, flush=True)
