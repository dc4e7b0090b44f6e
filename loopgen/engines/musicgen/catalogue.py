"""The models that Meta published: what they are called, what they weigh, and what their licence lets you do.

Sizes are computed from the architecture, not measured: parameters times four bytes, as the published files are in fp32.
What the hub says when a model is pulled is exact.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from loopgen.errors import EngineUnavailable

LICENCE = "CC-BY-NC-4.0"
LICENCE_MEANING = (
    "Meta's weights may be used for non-commercial purposes only: make loops with them for yourself and share them "
    "with credit, but do not use them in music that you sell or are paid for."
)
UNKNOWN_LICENCE = "unknown (CC-BY-NC-4.0 if it was fine-tuned from Meta's weights)"
OWNER_PREFIX = "facebook/musicgen-"

PRECISIONS = ("auto", "bf16", "fp16", "fp32", "int8")
BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "int8": 1.05}
"""A parameter; int8 has a scale for every output feature besides, and small tensors stay as they are."""

T5_PARAMETERS = 109_628_544
"""T5-base's encoder, which all of them read the prompt with (counted in transformers' ``T5EncoderModel``)."""
CODEC_PARAMETERS = 58_990_022
"""EnCodec of 32 kHz, codebooks included (counted in transformers' ``EncodecModel``)."""
_CARDS, _T5_WIDTH, _FRAMES = 2048, 768, 1503
_ROOM = 400e6
"""Bytes for what is neither weights nor keys and values: activations, audio, the libraries' own."""


@dataclass(frozen=True, slots=True)
class Known:
    """A published model.

    Attributes:
        name: short name, as the user types it.
        layers: of the decoder.
        width: features of its hidden states.
        channels: 1 mono, 2 stereo.
        is_melody: whether it follows a melody (by a chromagram before the tokens) as well as a prompt.
    """

    name: str
    layers: int
    width: int
    channels: int = 1
    is_melody: bool = False

    @property
    def repo(self) -> str:
        """Its name on the hub."""
        return OWNER_PREFIX + self.name

    @property
    def decoder_parameters(self) -> int:
        """Parameters of the language model.

        >>> [round(find(name).decoder_parameters / 1e6) for name in ("small", "medium", "large")]
        [420, 1838, 3255]
        """
        matrices = 12 if self.is_melody else 16  # of width x width a layer; melody models have no cross-attention
        norms = 4 if self.is_melody else 6
        tables = 4 * self.channels * (2 * _CARDS + 1)
        return self.layers * (matrices * self.width**2 + norms * self.width) + (tables + 2) * self.width

    @property
    def parameters(self) -> int:
        """All parameters: language model, T5 and EnCodec.

        >>> find("small").parameters
        588990022
        """
        projections = (_T5_WIDTH + 1 + (13 if self.is_melody else 0)) * self.width
        return self.decoder_parameters + projections + T5_PARAMETERS + CODEC_PARAMETERS

    @property
    def download_bytes(self) -> int:
        """About what has to be downloaded: all parameters in fp32.

        >>> find("medium").download_bytes / 1e9 // 0.1 / 10
        8.0
        """
        return 4 * self.parameters

    @property
    def description(self) -> str:
        """What it takes and gives.

        >>> find("stereo-melody").description
        'text and melody, stereo'
        """
        return f"{'text and melody' if self.is_melody else 'text'}, {'mono' if self.channels == 1 else 'stereo'}"

    def memory_bytes(self, precision: str, takes: int = 1) -> int:
        """About the memory that generating 30 s needs, with the prompt's guidance, in one of ``BYTES``' precisions.

        The decoder in that precision, T5 and EnCodec in fp32, keys and values of two rows a take, and some room.

        >>> [round(find("medium").memory_bytes(precision) / 1e9, 1) for precision in ("fp32", "bf16", "int8")]
        [10.2, 5.6, 4.8]
        """
        return memory_bytes(self.decoder_parameters, self.layers, self.width, precision, takes)


MODELS = (
    Known("small", 24, 1024),
    Known("medium", 48, 1536),
    Known("large", 48, 2048),
    Known("melody", 48, 1536, is_melody=True),
    Known("melody-large", 48, 2048, is_melody=True),
    Known("stereo-small", 24, 1024, channels=2),
    Known("stereo-medium", 48, 1536, channels=2),
    Known("stereo-large", 48, 2048, channels=2),
    Known("stereo-melody", 48, 1536, channels=2, is_melody=True),
    Known("stereo-melody-large", 48, 2048, channels=2, is_melody=True),
)


def memory_bytes(
    parameters: int,
    layers: int,
    width: int,
    precision: str,
    takes: int = 1,
    *,
    others: int = T5_PARAMETERS + CODEC_PARAMETERS,
) -> int:
    """``Known.memory_bytes`` for any decoder of so many parameters, and ``others`` of T5 and codec."""
    row = 2 * layers * width * _FRAMES  # keys and values
    cached = 2 * takes * row * (4 if precision in ("fp32", "int8") else 2)
    return int(parameters * BYTES[precision] + 4 * others + cached + _ROOM)


def find(name: str) -> Known:
    """A published model by its short name, with or without ``facebook/musicgen-`` before it.

    Raises ``EngineUnavailable`` that names the nearest one.

    >>> find("facebook/musicgen-small").name
    'small'
    >>> find("meduim")
    Traceback (most recent call last):
    loopgen.errors.EngineUnavailable: MusicGen has no model 'meduim'; did you mean 'medium'? ...
    """
    if known := get(name):
        return known
    names = [model.name for model in MODELS]
    near = difflib.get_close_matches(_short(name), names, n=1)
    give = f"did you mean {near[0]!r}? Give" if near else "give"
    raise EngineUnavailable(
        f"MusicGen has no model {name[:80]!r}; {give} one of {', '.join(names)}, a name on the hub "
        "(owner/name), or a folder (./name)"
    )


def get(name: str) -> Known | None:
    """Like ``find``, but None for a name that is not in the list."""
    short = _short(name)
    return next((model for model in MODELS if model.name == short), None)


def _short(name: str) -> str:
    return name.strip().lower().removeprefix("facebook/").removeprefix("musicgen-")


def licence_of(name: str) -> str:
    """The licence of a model's weights, as far as it is known.

    >>> licence_of("melody")
    'CC-BY-NC-4.0'
    """
    return LICENCE if get(name) else UNKNOWN_LICENCE
