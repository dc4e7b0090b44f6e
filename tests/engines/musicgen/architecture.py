"""MusicGen's real architecture in any size, by transformers' classes, with random weights."""

from __future__ import annotations

from typing import Any

from transformers import (
    EncodecConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    MusicgenMelodyConfig,
    MusicgenMelodyDecoderConfig,
    MusicgenMelodyForConditionalGeneration,
    T5Config,
)
from transformers.utils import logging


def build(
    text: T5Config,
    *,
    cards: int,
    filters: int,
    hidden: int,
    layers: int,
    width: int,
    heads: int,
    ffn: int,
    channels: int = 1,
    is_melody: bool = False,
) -> Any:
    """A model of these sizes, as torch fills it, with the generation config of the real ones.

    ``cards`` is the size of each codebook and the padding token, ``filters`` and ``hidden`` are EnCodec's, the others
    the decoder's. EnCodec has 32 kHz, 50 frames a second and four codebooks.
    """
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # the padding token above the vocabulary, as in the real models, brings warnings
    audio = EncodecConfig(
        sampling_rate=32_000,
        audio_channels=1,  # stereo models code their channels one by one
        num_filters=filters,
        hidden_size=hidden,
        codebook_size=cards,
        codebook_dim=hidden,
        upsampling_ratios=[8, 5, 4, 4],
        target_bandwidths=[50 * 4 * (cards - 1).bit_length() / 1000],  # kbit/s: four codebooks at 50 frames a second
        num_lstm_layers=2,
        use_causal_conv=False,
        use_conv_shortcut=False,
    )
    lm: dict[str, Any] = {
        "vocab_size": cards,
        "hidden_size": width,
        "num_hidden_layers": layers,
        "ffn_dim": ffn,
        "num_attention_heads": heads,
        "num_codebooks": 4 * channels,
        "audio_channels": channels,
        "pad_token_id": cards,
        "bos_token_id": cards,
        "max_position_embeddings": 2048,
    }
    model: Any
    if is_melody:
        melody = MusicgenMelodyDecoderConfig(**lm)
        model = MusicgenMelodyForConditionalGeneration(
            MusicgenMelodyConfig(text_encoder=text, audio_encoder=audio, decoder=melody)
        )
    else:
        decoder = MusicgenDecoderConfig(**lm)
        model = MusicgenForConditionalGeneration(
            MusicgenConfig(text_encoder=text, audio_encoder=audio, decoder=decoder)
        )
    model.generation_config.update(
        decoder_start_token_id=cards,
        pad_token_id=cards,
        bos_token_id=cards,
        do_sample=True,
        guidance_scale=3.0,
        max_length=1500,
    )
    return model
