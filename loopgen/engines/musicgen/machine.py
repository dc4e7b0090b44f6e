"""What there is to compute on: devices, precisions, threads and memory."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from loopgen.engines.musicgen import int8
from loopgen.engines.musicgen.catalogue import PRECISIONS
from loopgen.errors import InvalidRequest, OutOfMemory

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "int8": torch.float32}
"""What hidden states are computed in; with ``int8``, only the large matrices are of 8 bits."""
_DEVICES = "auto, cpu, mps, cuda, or a GPU by number like cuda:1"


def device_of(name: str) -> torch.device:
    """The device of a name, ``auto`` being the best that is there: CUDA (or ROCm), Apple's GPU, the processor.

    Raises ``InvalidRequest`` for a name that is none, and for a device that is not there.
    """
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,2})?", name):
        raise InvalidRequest("device", name, _DEVICES)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        why = "PyTorch is built without CUDA" if torch.version.cuda is None else "no GPU or no driver is found"
        raise InvalidRequest("device", name, f"cpu (see https://pytorch.org/get-started): {name} is not there ({why})")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        last = torch.cuda.device_count() - 1
        raise InvalidRequest("device", name, "cuda:0" + (f" to cuda:{last}" if last else "") + f": {name} is not there")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise InvalidRequest("device", name, "cpu: mps is the GPU of Apple's processors and is not there")
    return device


def codec_device(device: torch.device) -> torch.device:
    """Where EnCodec is computed for a model on ``device``.

    Not on Apple's GPU: PyTorch has no convolution there whose output is longer than 65536, two seconds of audio
    (pytorch/pytorch issue 152278). One core of an
    x86 server needs a sixth of the audio's length.
    """
    return torch.device("cpu") if device.type == "mps" else device


def describe(device: torch.device) -> str:
    """A device as people know it."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"{device} ({'Apple GPU' if device.type == 'mps' else torch.backends.cpu.get_cpu_capability()})"


def precision_of(name: str, device: torch.device) -> str:
    """One of ``DTYPES``; ``auto`` is the fastest that the device computes MusicGen well in.

    That is bf16 on GPUs that have it in hardware. fp16 on other GPUs, Apple's too: Meta published the weights in fp16
    and audiocraft computes in it. On the processor int8 where that is fast, else fp32.

    Raises ``InvalidRequest`` for another name, or a precision that the device has not.
    """
    if name not in PRECISIONS:
        raise InvalidRequest("precision", name, f"one of {', '.join(PRECISIONS)}")
    if name == "int8" and device.type != "cpu":
        raise InvalidRequest("precision", name, f"bf16, fp16 or fp32 on {device.type}, as int8 is for the processor")
    if name != "auto":
        return name
    if device.type == "cuda":
        with torch.cuda.device(device):  # it is asked of the current one
            return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device.type == "mps":
        return "fp16"
    return "int8" if int8.available() else "fp32"


_USUAL_THREADS = torch.get_num_threads()


def use_threads(count: int) -> int:
    """Set the processor threads that PyTorch computes on, for the whole process; returns how many.

    0: all cores but one, which is left to whatever else plays; not more than PyTorch would take by itself (one a
    physical core). Never more than the cores that this process may use: they would wait for each other, many times as
    long. Raises ``InvalidRequest``.
    """
    if isinstance(count, bool) or not 0 <= count <= 1024:
        raise InvalidRequest("threads", count, "a whole number from 1 to 1024, or 0 for all but one")
    chosen = max(1, min(count or min(_USUAL_THREADS, cores() - 1), cores()))
    if chosen != torch.get_num_threads():
        torch.set_num_threads(chosen)
    return chosen


def cores() -> int:
    """Cores that this process may use: less than the machine has in a container or with a mask; at least 1."""
    count = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        count = min(count, max(1, int(quota) // int(period)))  # "max" is no number: no limit
    return count


@contextmanager
def or_too_much(message: str) -> Iterator[None]:
    """Inside, a lack of memory is raised as ``OutOfMemory(message)``: every device has another way of saying it."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise OutOfMemory(message) from error
    except (RuntimeError, OSError) as error:  # the processor, Apple's GPU, pinned and mapped memory
        if re.search(r"out of memory|not enough memory|allocate memory", str(error)):
            raise OutOfMemory(message) from error
        raise


def free_memory(device: torch.device) -> int | None:
    """Bytes that a model may still take, or None where nobody can say."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return free + kept
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return _free_of_system()


def _free_of_system() -> int | None:
    free = None
    if sys.platform == "linux":
        with suppress(OSError, ValueError, IndexError):
            lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
            free = int(lines["MemAvailable"].split()[0]) * 1024
        with suppress(OSError, ValueError, KeyError):
            group = Path("/sys/fs/cgroup")
            used = int((group / "memory.current").read_text())
            stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            limit = int((group / "memory.max").read_text())  # "max" is no number: no limit
            available = limit - used + int(stat["file"])  # pages of files are given up when they are needed
            free = available if free is None else min(free, available)
    elif sys.platform == "win32":
        free = _free_of_windows()
    else:  # macOS says only what there is, free or not
        with suppress(OSError, ValueError):
            free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return free


def _free_of_windows() -> int | None:
    if sys.platform != "win32":
        return None
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "free", "f", "g", "h", "i", "j")),
        )

    status = Status()
    status.length = ctypes.sizeof(status)
    return int(status.free) if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else None
