"""A request becomes a take by audiocraft's own MusicGen, MusicGen-Style and MAGNeT.

It plays what loopgen's own decoder does not (MAGNeT, models with other conditions), and it is what that decoder is
compared with. Tokens are drawn from one stream of chance for a whole batch, so that a seed means the same only if each
take is drawn by itself: this engine makes one take at a time.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from torch import Tensor

from loopgen.chroma import HOP, RATE
from loopgen.engines.audiocraft import library
from loopgen.engines.base import MELODY, OPENING, SAMPLING, Hardware, Progress
from loopgen.engines.musicgen import catalogue, machine
from loopgen.engines.musicgen.chroma import melody_chroma
from loopgen.engines.musicgen.count_in import count_in
from loopgen.engines.musicgen.plan import Plan, opening_bars, plan
from loopgen.engines.musicgen.prompt import describe
from loopgen.errors import GenerationFailed, InvalidRequest, LoopgenError, OutOfMemory
from loopgen.music.audio import Audio, Samples
from loopgen.music.loop import Take
from loopgen.music.request import LoopRequest
from loopgen.music.sampling import Sampling
from loopgen.music.tempo import bar_seconds

DEFAULT_MODEL = "facebook/musicgen-small"

MAGNET = {"temperature": 3.0, "top_k": 0, "top_p": 0.9, "guidance": 10.0}
"""MAGNeT's own values (``MAGNeT.set_generation_params``) of what a request leaves as it is; guidance sinks to 1."""

PRECISIONS = {"cpu": "fp32", "cuda": "fp16"}

DECODING = 0.05
"""Share of the work that is told for the codec."""


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """What the model goes on from: ``samples`` ``(channels, n)`` at its rate, of exactly ``seconds``, whole bars."""

    samples: Tensor
    seconds: Fraction
    is_count_in: bool


class AudiocraftEngine:
    """audiocraft with one of its models: by name on the hub (Meta's also without owner), folder, or ``"debug"``."""

    def __init__(self, model: str = "", hardware: Hardware | None = None, progress: Progress | None = None) -> None:
        """Load a model; raises ``EngineUnavailable``, ``InvalidRequest`` and ``OutOfMemory``."""
        hardware = hardware or Hardware()
        tell = progress or _nothing
        tell(0.0)
        self.model = model or DEFAULT_MODEL
        self.name = f"audiocraft:{Path(self.model).name or self.model}"
        self._device = _device(hardware)
        machine.use_threads(hardware.threads)
        with _explained(self.model):
            self._player = library.load(self.model, self._device.type)
        self.description = f"audiocraft's own {type(self._player).__name__}, {self.model} on {self._device}"
        tell(1.0)

    @property
    def licence(self) -> str:
        """Of the weights, and so of the audio."""
        if self.model == library.DEBUG:
            return "none: random weights"
        meta = catalogue.get(self.model) or "/" not in self.model or self.model.startswith("facebook/")
        return catalogue.LICENCE if meta else catalogue.UNKNOWN_LICENCE

    @property
    def version(self) -> str:
        """audiocraft's and PyTorch's, on which tokens depend."""
        return f"{library.version()} on torch {torch.__version__}"

    @property
    def abilities(self) -> frozenset[str]:
        """See ``loopgen.engines.base.abilities``."""
        melody = {MELODY} if library.chroma_conditioner(self._player) else set()
        return frozenset({SAMPLING} | melody | (set() if self._fills_at_once else {OPENING}))

    def generate(self, request: LoopRequest, seed: int, *, progress: Progress | None = None) -> Take:
        """Draw one take. Same request, seed, versions and device, same samples.

        Raises ``GenerationFailed``, ``OutOfMemory``, and ``InvalidRequest`` for what the model cannot do.
        """
        tell = progress or _nothing
        tell(0.0)
        _check(request.sampling)
        given = self._given(request)
        drawn = self._plan(request, given)
        text = describe(request)
        gpus = [0] if self._device.type == "cuda" else []
        with torch.random.fork_rng(gpus), library.quiet(), _explained(self.model):
            torch.manual_seed(seed)
            self._set(request.sampling, drawn.frames)
            self._listen(tell, drawn)
            tokens = self._tokens(text, given, drawn, self._melody(request, drawn, given))
            sound = self._player.generate_audio(tokens)[0].float().cpu().numpy()
        if not np.isfinite(sound).all():
            raise GenerationFailed(f"{self.model} gave no numbers but infinities: try another seed, or the CPU")
        tell(1.0)
        return self._take(request, seed, sound.T, text, drawn, given)

    @property
    def _fills_at_once(self) -> bool:
        """Whether it is MAGNeT, which fills a segment of fixed length in a few passes, in no order of time."""
        return type(self._player).__name__ == "MAGNeT"

    @property
    def _frame_rate(self) -> int:
        return int(self._player.frame_rate)

    @property
    def _hop(self) -> int:
        """Samples of a frame of tokens."""
        return int(self._player.sample_rate) // self._frame_rate

    @property
    def _window(self) -> int:
        """Frames that the model was trained on."""
        return int(self._player.max_duration * self._frame_rate)

    def _follows(self, request: LoopRequest) -> bool:
        return request.melody is not None and MELODY in self.abilities

    def _given(self, request: LoopRequest) -> _Given | None:
        """The opening, or the count-in; MAGNeT goes on from nothing."""
        rate, channels = self._player.sample_rate, self._player.audio_channels
        if self._fills_at_once:
            return None
        if request.opening:
            audio, bar = request.opening.audio, bar_seconds(request.bpm, request.meter)
            window = {"frame_rate": self._frame_rate, "window": self._window, "overlap": self._window - self._stride}
            bars = opening_bars(request, max(1, round(audio.seconds / float(bar))), **window)
            samples = audio.samples if audio.channels == channels else audio.mono()[:, None].repeat(channels, axis=1)
            samples = np.asarray(soxr.resample(samples, audio.rate, rate), np.float32)[-round(bars * bar * rate) :]
            return _Given(torch.from_numpy(np.ascontiguousarray(samples.T)), bars * bar, False)
        if request.sampling.count_in:
            clicks = count_in(request.bpm, request.meter, rate=rate)
            return _Given(torch.from_numpy(clicks.samples).expand(channels, -1), clicks.downbeat, True)
        return None

    def _plan(self, request: LoopRequest, given: _Given | None) -> Plan:
        window, opening = self._window, given.seconds if given else 0
        overlap = window - self._stride
        drawn = plan(request, opening=opening, frame_rate=self._frame_rate, window=window, overlap=overlap)
        if self._fills_at_once and drawn.frames > window:
            allowed = f"fewer bars: {self.model} plays {window / self._frame_rate:g} seconds at once, and no more"
            raise InvalidRequest("bars", request.bars, allowed)
        return drawn

    @property
    def _stride(self) -> int:
        """Frames by which a window of a long take is later than the one before: 18 s of 30, as is audiocraft's way.

        Just less, a whole number of frames of chroma too, so that each window's melody begins with one.
        """
        chroma = int(0.6 * self._player.max_duration * RATE) // HOP
        return chroma * HOP * self._frame_rate // RATE

    def _set(self, sampling: Sampling, frames: int) -> None:
        """Sampling and length, which audiocraft keeps in the model."""
        player, asked = self._player, asdict(sampling)
        if self._fills_at_once:
            plain = asdict(Sampling())
            asked |= {name: value for name, value in MAGNET.items() if asked[name] == plain[name]}
        common = {
            "use_sampling": asked["temperature"] > 0,
            "temperature": asked["temperature"],
            "top_k": min(asked["top_k"], player.lm.card),
            "top_p": asked["top_p"],
        }
        if self._fills_at_once:
            player.set_generation_params(**common, max_cfg_coef=asked["guidance"])
            return
        # half a frame more, as audiocraft rounds down; but a whole window is one window
        seconds = (frames + 0.5) / self._frame_rate if frames != self._window else player.max_duration
        stride = (self._stride + 0.5) / self._frame_rate
        player.set_generation_params(**common, cfg_coef=asked["guidance"], duration=seconds, extend_stride=stride)

    def _listen(self, tell: Progress, drawn: Plan) -> None:
        """Have audiocraft say each step; what ``tell`` raises stops it there and then."""
        of_all = drawn.frames - drawn.opening if len(drawn.windows) > 1 else 0
        count = itertools.count(1)

        def told(_done: int, steps: int) -> None:
            tell((1 - DECODING) * min(1.0, next(count) / (of_all or steps)))

        self._player.set_custom_progress_callback(told)

    def _tokens(self, text: str, given: _Given | None, drawn: Plan, melody: Tensor | None) -> Tensor:
        """``(1, codebooks, frames)``. These are the two steps of audiocraft's ``generate_...`` methods, none of which
        takes an opening and a melody.
        """
        told = {} if melody is None else {"melody_wavs": [melody]}
        prompt = given.samples[None, :, : drawn.opening * self._hop].contiguous() if given and drawn.opening else None
        attributes, known = self._player._prepare_tokens_and_attributes([text], prompt, **told)
        tokens: Tensor = self._player._generate_tokens(attributes, known, progress=True)
        return tokens

    def _melody(self, request: LoopRequest, drawn: Plan, given: _Given | None) -> Tensor | None:
        """The melody as ``library.follow`` takes it, ``(1, samples)``: as long as the take and one window more."""
        if not self._follows(request):
            return None
        assert request.melody is not None
        frames = (drawn.frames + self._window) * RATE // (self._frame_rate * HOP) + 1
        chroma = melody_chroma(
            request.melody,
            request.bpm,
            bar_one=drawn.bar_one,
            loop_quarters=request.bars * request.meter.quarters,
            silent_until=given.seconds if given and given.is_count_in else None,
            frames=frames,
        )
        classes = chroma.argmax(axis=1).astype(np.float32)
        return torch.from_numpy(np.repeat(classes, HOP))[None]

    def _take(
        self, request: LoopRequest, seed: int, sound: Samples, text: str, drawn: Plan, given: _Given | None
    ) -> Take:
        """The take without the count-in."""
        before = given.seconds if given and given.is_count_in else Fraction(0)
        rate, follows = self._player.sample_rate, self._follows(request)
        bar_one = float(drawn.bar_one - before)
        return Take(
            Audio(sound[round(before * rate) :], rate),
            self.name,
            seed,
            facts=self._facts(request, text, drawn),
            start=bar_one if follows or request.opening else None,
            cue=bar_one if follows or given else None,
        )

    def _facts(self, request: LoopRequest, text: str, drawn: Plan) -> dict[str, Any]:
        """What the recipe says about how the take was made; JSON values only."""
        return {
            "kind": "neural",
            "note": f"weights of {self.model}: {self.licence}"
            + (", not for music that is sold" if self.licence == catalogue.LICENCE else ""),
            "licence": self.licence,
            "version": self.version,
            "model": self.model,
            "text": text,
            "sampling": dict(self._player.generation_params),
            "frames": drawn.frames,
            "windows": len(drawn.windows),
            "follows_melody": self._follows(request),
            "device": machine.describe(self._device),
            "precision": PRECISIONS[self._device.type],
            "versions": {"audiocraft": library.version(), "torch": torch.__version__},
        }


def _device(hardware: Hardware) -> torch.device:
    """What audiocraft can compute on; raises ``InvalidRequest`` for what it cannot."""
    device = machine.device_of(hardware.device)
    if device.type == "mps" and hardware.device == "auto":
        device = torch.device("cpu")
    if device.type not in ("cpu", "cuda") or device.index:
        raise InvalidRequest("device", hardware.device, "cuda or cpu: audiocraft computes on the first GPU, or none")
    precision = PRECISIONS[device.type]
    if hardware.precision not in ("auto", precision):
        raise InvalidRequest("precision", hardware.precision, f"auto or {precision}, as audiocraft has it on {device}")
    return device


def _check(sampling: Sampling) -> None:
    if sampling.negative:
        allowed = "none with this engine: audiocraft has no negative prompt, the engine musicgen has"
        raise InvalidRequest("negative", sampling.negative, allowed)


@contextmanager
def _explained(model: str) -> Iterator[None]:
    """What the library raises, as errors that say what to do."""
    try:
        yield
    except LoopgenError:
        raise
    except (MemoryError, torch.OutOfMemoryError) as error:
        allowed = "a smaller model, fewer bars, or the CPU"
        raise OutOfMemory(f"{model} needs more memory than there is: {allowed}") from error
    except (AssertionError, RuntimeError, ValueError, IndexError) as error:
        told = str(error).strip().partition("\n")[0] or type(error).__name__
        raise GenerationFailed(f"audiocraft failed with {model}: {told}") from error


def _nothing(_: float) -> None:
    return None
