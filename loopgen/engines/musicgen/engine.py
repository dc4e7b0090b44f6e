"""MusicGen as an engine: a request becomes text, chroma and frames, these become tokens, and tokens become takes.

``generate_batch`` is the whole story; each step is a file beside this one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from loopgen.engines.base import MELODY, OPENING, SAMPLING, Hardware, Preview, Progress
from loopgen.engines.musicgen import catalogue, choice, codec, conditions, graphs, machine
from loopgen.engines.musicgen.chroma import melody_chroma
from loopgen.engines.musicgen.count_in import count_in
from loopgen.engines.musicgen.load import Model, load
from loopgen.engines.musicgen.plan import Plan, opening_bars, plan
from loopgen.engines.musicgen.prompt import describe
from loopgen.engines.musicgen.tokens import draw
from loopgen.music.audio import Audio
from loopgen.music.loop import Take
from loopgen.music.request import LoopRequest
from loopgen.music.tempo import bar_seconds

VERSION = "1"
"""Changes when the same seed, on the same device and versions, draws other tokens."""

TAKES_ON_GPU, TAKES_ON_CPU = 4, 1
"""A step reads all weights whatever the number of takes, so a GPU draws four for little more than the time of one."""

_DRAWING = 0.95
"""Share of the engine's work that is the drawing of tokens."""
_CHUNK, _FIRST_CHUNK = 250, 25
"""Frames that are decoded at once: 5 s, of which four takes need 160 MB a layer, or half a second where somebody
listens. More at once is no faster."""


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """What the model goes on from: ``samples`` ``(n, channels)`` at its rate, of exactly ``seconds``."""

    samples: NDArray[np.float32]
    seconds: Fraction
    is_count_in: bool


class MusicGenEngine:
    """One of MusicGen's models, in memory: ``model``.

    Args:
        model: short name, name on the hub or folder; empty: the best of those that are here.
        hardware: what to compute on.
        progress: told how far the loading is; may raise to stop it.

    Raises ``EngineUnavailable`` and ``OutOfMemory``.
    """

    version = VERSION

    def __init__(
        self,
        model: str = "",
        hardware: Hardware = Hardware(),  # noqa: B008 - frozen
        progress: Progress | None = None,
    ) -> None:
        device = machine.device_of(hardware.device)
        source = model or choice.choose(has_gpu=device.type != "cpu")
        loaded = load(
            source,
            device=hardware.device,
            precision=hardware.precision,
            threads=hardware.threads,
            progress=progress,
        )
        self.model = loaded
        self.name = f"musicgen:{loaded.name}"
        self.hardware = f"{machine.describe(loaded.device)} in {loaded.precision}"
        self.description = f"MusicGen, {loaded.name} on {self.hardware}"
        self.licence = loaded.licence
        self.abilities = frozenset({SAMPLING, OPENING} | ({MELODY} if loaded.is_melody else set()))
        self.batch = _takes_at_once(loaded)

    def generate(self, request: LoopRequest, seed: int, *, progress: Progress | None = None) -> Take:
        """One take; the tokens of a seed are the same alone and among others."""
        return self.generate_batch(request, [seed], progress=progress)[0]

    def generate_batch(
        self,
        request: LoopRequest,
        seeds: Sequence[int],
        *,
        progress: Progress | None = None,
        preview: Preview | None = None,
    ) -> list[Take]:
        """One take a seed, drawn in one pass, mono or stereo at the model's rate (32 kHz).

        A count-in is not in the take; an opening is. ``progress`` may raise to cancel, every few frames; ``preview`` is
        told the first take's audio, piece by piece, as soon as it is final.
        """
        model = self.model
        given = self._given(request)
        planned = plan(request, opening=given.seconds if given else 0, frame_rate=model.frame_rate)
        text = describe(request)
        listener = codec.Preview(
            model.codec, len(seeds), model.shape.channels, chunk=_FIRST_CHUNK if preview else _CHUNK
        )
        trim = round(given.seconds * model.sample_rate) if given and given.is_count_in else 0
        audio = _Heard(listener, preview, model.sample_rate, trim)
        digests = self._draw(request, seeds, text, planned, given, audio, progress or (lambda share: None))
        with machine.or_too_much(f"{model.name} leaves no room for its audio: ask for fewer takes or variations"):
            samples = audio.finish()
        if progress:
            progress(1.0)
        rows = zip(seeds, samples, digests, strict=True)
        return [self._take(request, seed, row, text, planned, given, tokens) for seed, row, tokens in rows]

    def _draw(
        self,
        request: LoopRequest,
        seeds: Sequence[int],
        text: str,
        planned: Plan,
        given: _Given | None,
        audio: _Heard,
        progress: Progress,
    ) -> list[str]:
        """Draw window after window; ``audio`` hears each frame once. Returns a digest of each take's tokens."""
        model = self.model
        known = torch.zeros(len(seeds), model.shape.codebooks, 0, dtype=torch.int64)
        if given and planned.opening:
            samples = torch.from_numpy(given.samples[: planned.opening * model.codec.config.hop_length])
            known = codec.encode(model.codec, samples, model.shape.channels).expand(len(seeds), -1, -1)
        to_draw = planned.frames - planned.opening
        drawn = [hashlib.sha256() for _ in seeds]
        for number, window in enumerate(planned.windows):
            told = conditions.describe(
                model, [text], negative=request.sampling.negative, chroma=self._chroma(request, planned, given, window)
            )
            prompt = known[..., known.shape[-1] - window.given :] if window.given else None
            done = window.start + window.given - planned.opening
            audio.skip(window.given if number else 0)  # what the take opens with is heard, once

            def tell(share: float, done: int = done, own: int = window.frames - window.given) -> None:
                progress(_DRAWING * (done + share * own) / to_draw)

            known = draw(
                model,
                told,
                window.frames,
                request.sampling,
                [_window_seed(seed, number) for seed in seeds],
                prompt=prompt,
                progress=tell,
                on_frames=audio.hear,
            )
            for row, tokens in zip(drawn, known.cpu().numpy().astype("<i2"), strict=True):
                row.update(tokens.tobytes())
        return [row.hexdigest() for row in drawn]

    def _chroma(self, request: LoopRequest, planned: Plan, given: _Given | None, window: Any) -> Any:
        if request.melody is None or not self.model.is_melody:
            return None
        return melody_chroma(
            request.melody,
            request.bpm,
            bar_one=planned.bar_one,
            loop_quarters=request.bars * request.meter.quarters,
            offset=Fraction(window.start, self.model.frame_rate),
            silent_until=given.seconds if given and given.is_count_in else None,
            frames=self.model.chroma_length,
        )

    def _given(self, request: LoopRequest) -> _Given | None:
        """The opening at the model's rate, or the count-in; they end on a bar line."""
        rate = self.model.sample_rate
        if request.opening:
            audio = request.opening.audio
            bar = bar_seconds(request.bpm, request.meter)
            bars = opening_bars(request, max(1, round(audio.seconds / float(bar))), frame_rate=self.model.frame_rate)
            kept = audio.samples[max(0, audio.frames - round(bars * bar * audio.rate)) :]
            return _Given(_resampled(kept, audio.rate, rate), bars * bar, False)
        if request.sampling.count_in:
            clicks = count_in(request.bpm, request.meter, rate=rate)
            return _Given(clicks.samples[:, None], clicks.downbeat, True)
        return None

    def _take(
        self,
        request: LoopRequest,
        seed: int,
        samples: NDArray[np.float32],
        text: str,
        planned: Plan,
        given: _Given | None,
        tokens: str,
    ) -> Take:
        before = given.seconds if given and given.is_count_in else Fraction(0)
        bar_one = float(planned.bar_one - before)
        follows = request.melody is not None and self.model.is_melody
        goes_on = given is not None and not given.is_count_in
        return Take(
            Audio(samples, self.model.sample_rate),
            self.name,
            seed,
            facts=self._facts(request, text, planned) | {"tokens": tokens},
            start=bar_one if follows or goes_on else None,
            cue=bar_one if follows or given else None,
        )

    def _facts(self, request: LoopRequest, text: str, planned: Plan) -> dict[str, Any]:
        """What the recipe says about how the take was made; JSON values only."""
        import transformers

        model = self.model
        known = catalogue.get(model.name) if model.licence == catalogue.LICENCE else None  # else a folder of that name
        return {
            "kind": "neural",
            "note": f"{known.repo if known else model.name} on {self.hardware}"
            + ("; not for music that is sold" if model.licence == catalogue.LICENCE else ""),
            "licence": model.licence,
            "version": VERSION,
            "model": known.repo if known else model.name,
            "revision": model.folder.name if model.folder.parent.name == "snapshots" else None,
            "text": text,
            "sampling": asdict(request.sampling),
            "frames": planned.frames,
            "windows": len(planned.windows),
            "follows_melody": request.melody is not None and model.is_melody,
            "device": machine.describe(model.device),
            "precision": model.precision,
            "step": graphs.described(model.step),
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        }


class _Heard:
    """Makes audio of frames as they come, without what came before the music, and tells who listens."""

    def __init__(self, listener: codec.Preview, preview: Preview | None, rate: int, trim: int) -> None:
        self._listener, self._preview, self._rate, self._trim = listener, preview, rate, trim
        self._known = 0
        self._parts: list[NDArray[np.float32]] = []

    def skip(self, frames: int) -> None:
        """So many of the frames that come next were heard before."""
        self._known = frames

    def hear(self, frames: torch.Tensor) -> None:
        """The next frames of all takes, ``(takes, codebooks, n)``."""
        passed = min(self._known, frames.shape[-1])
        self._known -= passed
        self._add(self._listener.feed(frames[..., passed:]))

    def finish(self) -> NDArray[np.float32]:
        """All audio, ``(takes, samples, channels)``, after the last frames."""
        self._add(self._listener.finish())
        return np.concatenate(self._parts, axis=1)

    def _add(self, audio: torch.Tensor) -> None:
        samples = audio.numpy()
        passed = min(self._trim, samples.shape[1])
        self._trim -= passed
        samples = samples[:, passed:]
        self._parts.append(samples)
        if self._preview and samples.shape[1]:
            self._preview(Audio(samples[0], self._rate))


def _takes_at_once(model: Model) -> int:
    """As many as are worth it, of those that there is room for beside the weights."""
    if model.device.type == "cpu":
        return TAKES_ON_CPU
    free, layers, width = machine.free_memory(model.device), model.shape.layers, model.shape.width
    for takes in range(TAKES_ON_GPU, 1, -1):
        needed = catalogue.memory_bytes(0, layers, width, model.precision, takes, others=0)
        if free is None or needed <= free:
            return takes
    return 1


def _window_seed(seed: int, window: int) -> int:
    """Each window of a take draws noise of its own; the first the seed's.

    >>> _window_seed(7, 0), _window_seed(7, 1) == _window_seed(7 + 2**32, 0)
    (7, True)
    """
    return seed + (window << 32)


def _resampled(samples: NDArray[np.float32], rate: int, to: int) -> NDArray[np.float32]:
    return np.ascontiguousarray(samples if rate == to else soxr.resample(samples, rate, to), dtype=np.float32)
