"""The step of decoding in few launches, for NVIDIA GPUs: Triton kernels that stream the weights and little else.

A step reads all weights once, and at two rows computes almost nothing with them: what is left to lose is the time
between launches. PyTorch needs about 22 of them a layer, 2 us each even inside a CUDA graph; here there are eight:
LayerNorm with QKV and cache write; attention by chunks; their merging with projection and residual; the same three for
cross-attention; LayerNorm with fc1 and GELU; fc2 with residual. Without cross-attention there are five.

Arithmetic, not measurement, for bfloat16, two rows, 400 slots on average, at a copy bandwidth of 4.3 TB/s and 1.8 us
lost a launch::

    model    weights   cache    floor   launches   launches' loss   together   over the floor
    small    0.72 GB   0.08 GB  0.19 ms   196       0.35 ms          0.54 ms        2.9
    medium   3.20 GB   0.24 GB  0.80 ms   388       0.70 ms          1.50 ms        1.9
    melody   2.74 GB   0.37 GB  0.73 ms   244       0.44 ms          1.17 ms        1.6
    large    5.67 GB   0.31 GB  1.39 ms   388       0.70 ms          2.09 ms        1.5

``python -m tests.gpu.bench_musicgen`` measures it. So far the kernels ran in Triton's interpreter only, and compile for
compute capability 8.0 and 9.0 without spilling registers: before they are used, each size is compared with PyTorch's
step on the GPU itself (``graphs.GraphStep``).
"""

from __future__ import annotations

from importlib.util import find_spec

import torch

from loopgen.engines.musicgen.weights import Weights


def missing(device: torch.device | None = None) -> str:
    """Why fused kernels cannot be used on a GPU (None: the current one), or an empty string."""
    if not torch.cuda.is_available():
        return "fused kernels need an NVIDIA GPU"
    if torch.version.hip is not None or torch.cuda.get_device_capability(device) < (8, 0):
        return f"fused kernels need an NVIDIA GPU of 2020 or later; this is {torch.cuda.get_device_name(device)}"
    if find_spec("triton") is None:
        return (
            "fused kernels need Triton, which comes with PyTorch's CUDA builds on Linux (elsewhere: pip install triton)"
        )
    return ""


def unfit(weights: Weights) -> str:
    """What about a decoder the fused kernels do not take, or an empty string. All published ones are taken."""
    shape = weights.shape
    if weights.dtype not in (torch.bfloat16, torch.float16):
        return (
            f"fused kernels compute in bfloat16 or float16; the weights are {str(weights.dtype).removeprefix('torch.')}"
        )
    return misshapen(shape.width, shape.ffn, shape.head, shape.codebooks * shape.cards)


def misshapen(width: int, ffn: int, head: int, outputs: int) -> str:
    """What about these sizes the kernels do not take, or an empty string.

    >>> misshapen(1536, 6144, 64, 8192)
    ''
    >>> misshapen(48, 96, 12, 256)
    'fused kernels take attention heads of 16, 32, 64 or 128 features; the model has 12'
    """
    if head not in (16, 32, 64, 128):
        return f"fused kernels take attention heads of 16, 32, 64 or 128 features; the model has {head}"
    odd = [size for size in (width, ffn, outputs) if size % 16]
    return f"fused kernels take sizes that 16 divides; the model has {odd[0]}" if odd else ""
