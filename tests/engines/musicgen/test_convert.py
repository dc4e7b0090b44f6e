"""audiocraft's own models against what they are converted to: logits, tokens, codec."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from loopgen.engines.musicgen.conditions import describe
from loopgen.engines.musicgen.convert import Converted, convert
from loopgen.engines.musicgen.load import Model, load
from loopgen.engines.musicgen.original import CODEC_FILE, LM_FILE, Settings, part
from loopgen.engines.musicgen.tokens import draw
from loopgen.errors import EngineUnavailable
from loopgen.music.sampling import Sampling
from tests.engines import audiocraft_tiny as tiny
from tests.engines.audiocraft_stand_ins import need_audiocraft, stand_ins

PROMPT = "warm deep house groove. bpm: 124. key: a minor"
KINDS = ("text", "melody", "stereo", "melody-stereo")


@dataclass
class Pair:
    """A model of audiocraft's, its export, and what that was converted to."""

    lm: Any
    codec: Any
    folder: Path
    converted: Converted
    model: Any


@pytest.fixture(scope="module", autouse=True)
def t5(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    need_audiocraft()
    with stand_ins(), tiny.tiny_t5(tmp_path_factory.mktemp("t5")) as folder:
        yield folder


@pytest.fixture(scope="module")
def pairs(t5: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    root = tmp_path_factory.mktemp("originals")
    codec = tiny.make_codec(tiny.codec_settings())
    made = {}
    for kind in KINDS:
        lm = tiny.make_lm(tiny.lm_settings(kind))
        folder = tiny.export(root / kind, lm, codec, tiny.codec_settings())
        shutil.copytree(t5, folder / "t5-base")
        converted = convert(folder, find=lambda name: t5)
        made[kind] = Pair(lm, codec, folder, converted, converted.model)
    return made


@pytest.fixture(params=KINDS)
def pair(request: pytest.FixtureRequest, pairs: dict[str, Pair]) -> Pair:
    return pairs[request.param]


def attributes(lm: Any, prompt: str | None, tones: list[int] | None = None) -> Any:
    """What audiocraft's model is told: a prompt, and a melody of one pitch class (0 to 11) a second."""
    from_audiocraft = __import__("audiocraft.modules.conditioners", fromlist=["_"])
    told = from_audiocraft.ConditioningAttributes(text={"description": prompt})
    wav = torch.zeros(1, 1, 1)
    if tones is not None:
        time = torch.arange(32_000) / 32_000
        seconds = [torch.sin(2 * torch.pi * 261.6256 * 2 ** (tone / 12) * time) for tone in tones]
        wav = torch.cat(seconds)[None, None]
    length = torch.tensor([wav.shape[-1] if tones else 0])
    if "self_wav" in lm.condition_provider.conditioners:
        lm.condition_provider.conditioners["self_wav"].match_len_on_eval = True  # as audiocraft's loader sets them
        lm.condition_provider.conditioners["self_wav"]._use_masking = False
    told.wav["self_wav"] = from_audiocraft.WavCondition(wav, length, [32_000], [None], [0.0])
    return told


def told(lm: Any, *attributes: Any) -> dict[str, tuple[Tensor, Tensor]]:
    provider = lm.condition_provider
    with torch.no_grad():
        tensors: dict[str, tuple[Tensor, Tensor]] = provider(provider.tokenize(list(attributes)))
    return tensors


def loaded(folder: Path) -> Model:
    """The model as our engine has it."""
    return load(folder, device="cpu", precision="fp32", threads=torch.get_num_threads())


def chroma_of(lm: Any, tones: list[int]) -> Tensor:
    """One-hot chroma that audiocraft hears in the melody of ``attributes``, (235, 12)."""
    conditioner = lm.condition_provider.conditioners["self_wav"]
    heard: Tensor = conditioner._get_wav_embedding(attributes(lm, None, tones).wav["self_wav"])
    return heard[0]


@torch.no_grad()
def test_the_logits_are_those_of_the_original(pair: Pair) -> None:
    lm, model = pair.lm, pair.model
    tones = [9, 4, 7, 0] if "melody" in pair.folder.name else None
    conditions = told(lm, attributes(lm, PROMPT, tones), attributes(lm, None))
    books = lm.n_q
    sequence = torch.randint(0, tiny.CARDS, (2, books, 40), generator=torch.Generator().manual_seed(1))
    sequence[:, :, 0] = tiny.CARDS
    expected = lm(sequence, [], conditions)

    states, mask = conditions["description"]
    if tones:
        states = torch.cat([conditions["self_wav"][0], states], dim=1)
        mask = torch.ones(states.shape[:2], dtype=torch.int64)
    logits = model.decoder(
        input_ids=sequence.reshape(2 * books, -1), encoder_hidden_states=states, encoder_attention_mask=mask
    ).logits
    logits = logits.reshape(2, books, -1, tiny.CARDS)[:, :, -40:]
    assert expected.abs().max() > 1  # there is something to compare
    assert (logits - expected).abs().max() <= 1e-4


@torch.no_grad()
def test_the_same_words_and_melody_are_told(pair: Pair) -> None:
    lm, tones = pair.lm, [9, 4, 7, 0]
    is_melody = "melody" in pair.folder.name
    expected = told(lm, attributes(lm, PROMPT, tones), attributes(lm, None))
    ours = describe(loaded(pair.folder), [PROMPT], chroma=chroma_of(lm, tones) if is_melody else None)
    states = expected["description"][0]
    if is_melody:
        states = torch.cat([expected["self_wav"][0], states], dim=1)
        assert ours.null_states is not None
        assert (ours.null_states[0] - states[1]).abs().max() <= 1e-5
    assert (ours.states[0] - states[0]).abs().max() <= 1e-5


@pytest.mark.parametrize("guidance", [3.0, 1.5])
def test_our_decoder_draws_the_tokens_that_audiocraft_draws(pair: Pair, guidance: float) -> None:
    lm, frames = pair.lm, 60
    is_melody = "melody" in pair.folder.name
    tones = [9, 4, 7, 0] if is_melody else None
    model = loaded(pair.folder)
    told = describe(model, [PROMPT], chroma=chroma_of(lm, tones) if tones else None)
    prompt = torch.randint(0, tiny.CARDS, (lm.n_q, 7), generator=torch.Generator().manual_seed(2))
    for opening in (None, prompt):
        expected = lm.generate(
            None if opening is None else opening[None],
            [attributes(lm, PROMPT, tones)],
            max_gen_len=frames,
            use_sampling=False,
            cfg_coef=guidance,
            two_step_cfg=False,
        )
        ours = draw(model, told, frames, Sampling(temperature=0, guidance=guidance), [0], prompt=opening)
        assert len(expected.unique()) > 8  # no monotony that any decoder would hit
        assert torch.equal(ours, expected)


@torch.no_grad()
def test_the_codec_is_the_original(pair: Pair) -> None:
    original, codec = pair.codec, pair.model.audio_encoder
    noise = torch.rand(2, 1, 640 * 40, generator=torch.Generator().manual_seed(3)) * 2 - 1
    codes = original.encode(noise)[0]
    assert len(codes.unique()) > 8
    assert torch.equal(codec.encode(noise).audio_codes[0], codes)
    codes = torch.randint(0, tiny.CARDS, (2, 4, 40), generator=torch.Generator().manual_seed(4))
    expected = original.decode(codes)
    assert expected.std() > 1e-3
    assert (codec.decode(codes[None], [None]).audio_values - expected).abs().max() <= 1e-4


def test_the_pattern_may_be_said_as_at_first(pairs: dict[str, Pair], t5: Path, tmp_path: Path) -> None:
    changed(pairs["text"], tmp_path, LM_FILE, settings={"codebooks_pattern.modeling": None})
    assert convert(tmp_path, find=lambda name: t5).model.config.decoder.num_codebooks == 4
    changed(
        pairs["text"],
        tmp_path,
        LM_FILE,
        settings={"codebooks_pattern.modeling": None, "transformer_lm.q_modeling": "parallel"},
    )
    with pytest.raises(EngineUnavailable, match="q_modeling"):
        convert(tmp_path, find=lambda name: t5)


def test_sizes_and_settings_are_taken_over(pairs: dict[str, Pair]) -> None:
    stereo, melody = pairs["stereo"].model, pairs["melody"].model
    assert (stereo.config.decoder.num_codebooks, stereo.config.decoder.audio_channels) == (8, 2)
    assert (melody.config.chroma_length, melody.config.num_chroma) == (235, 12)
    assert stereo.config.audio_encoder.frame_rate == 50
    assert not stereo.training


def test_a_text_encoder_that_was_trained_along_is_used(t5: Path, tmp_path: Path) -> None:
    lm = tiny.make_lm(tiny.lm_settings(finetune=True))
    with torch.no_grad():
        for weight in lm.condition_provider.conditioners["description"].t5.parameters():
            weight.mul_(1.5)
    folder = tiny.export(tmp_path, lm, tiny.make_codec(tiny.codec_settings()), tiny.codec_settings())
    told_states = told(lm, attributes(lm, PROMPT))["description"][0]
    shutil.copytree(t5, folder / "t5-base")
    ours = describe(loaded(folder), [PROMPT])
    assert (ours.states - told_states).abs().max() <= 1e-5


def test_weights_may_be_of_half_precision(pairs: dict[str, Pair], t5: Path, tmp_path: Path) -> None:
    changed(pairs["text"], tmp_path, LM_FILE, state=lambda state: {name: w.half() for name, w in state.items()})
    converted = convert(tmp_path, find=lambda name: t5)
    assert converted.state["decoder.lm_heads.0.weight"].dtype == torch.float16  # as stored: it may be large
    assert {weight.dtype for weight in converted.model.parameters()} == {torch.float32}


def test_a_codec_that_is_only_named_is_looked_up(pairs: dict[str, Pair], t5: Path, tmp_path: Path) -> None:
    name, published = "facebook/encodec_32khz", tmp_path / "published"
    pairs["stereo"].model.audio_encoder.save_pretrained(published)
    folder = tmp_path / "mine"
    changed(pairs["stereo"], folder, LM_FILE)
    torch.save({"pretrained": name, "exported": True, "version": "1.3.0"}, folder / CODEC_FILE)
    found = {name: published, "t5-base": t5}
    codec, same = convert(folder, find=found.__getitem__).model.audio_encoder, pairs["stereo"].model
    codes = torch.randint(0, tiny.CARDS, (1, 1, 4, 20), generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        pair = [each.decode(codes, [None]).audio_values for each in (codec, same.audio_encoder)]
    assert torch.equal(*pair)


def test_a_codec_without_weight_norm_is_the_original(pairs: dict[str, Pair], t5: Path, tmp_path: Path) -> None:
    settings = tiny.codec_settings()
    settings.seanet.norm = "none"
    codec = tiny.make_codec(settings)
    tiny.export(tmp_path, pairs["text"].lm, codec, settings)
    codes = torch.randint(0, tiny.CARDS, (1, 4, 30), generator=torch.Generator().manual_seed(6))
    with torch.no_grad():
        ours = convert(tmp_path, find=lambda name: t5).model.audio_encoder.decode(codes[None], [None]).audio_values
        assert (ours - codec.decode(codes)).abs().max() <= 1e-4


def test_parts_beside_the_checkpoint_are_found_there(pairs: dict[str, Pair], t5: Path, tmp_path: Path) -> None:
    changed(pairs["text"], tmp_path, LM_FILE)
    (tmp_path / "t5-base").symlink_to(t5, target_is_directory=True)
    assert convert(tmp_path, find=unused).text_encoder == tmp_path / "t5-base"


def test_a_part_that_is_not_whole_is_told(pairs: dict[str, Pair], t5: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((t5 / "config.json").read_bytes())
    changed(pairs["text"], tmp_path, LM_FILE)
    with pytest.raises(EngineUnavailable, match="no whole T5EncoderModel"):
        convert(tmp_path, find=lambda name: tmp_path)


def test_a_part_that_is_not_here_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("loopgen.engines.musicgen.hub.cache_folder", lambda: tmp_path)
    with pytest.raises(EngineUnavailable, match="hf download google-t5/t5-base"):
        part("t5-base")
    refs = tmp_path / "models--t5-base" / "refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text("abc")
    snapshot = tmp_path / "models--t5-base" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    assert part("t5-base") == snapshot


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("lm_model", "transformer_lm_magnet"),
        ("transformer_lm.norm_first", False),
        ("transformer_lm.bias_ff", True),
        ("transformer_lm.positional_embedding", "rope"),
        ("codebooks_pattern.modeling", "parallel"),
        ("codebooks_pattern.delay.delays", [0, 0, 0, 0]),
        ("conditioners.description.t5.normalize_text", True),
    ],
)
def test_other_architectures_are_refused_by_name(
    pairs: dict[str, Pair], t5: Path, tmp_path: Path, path: str, value: object
) -> None:
    changed(pairs["text"], tmp_path, LM_FILE, settings={path: value})
    with pytest.raises(EngineUnavailable, match=path):
        convert(tmp_path, find=lambda name: t5)


def test_a_codec_of_another_model_is_refused(pairs: dict[str, Pair], t5: Path, tmp_path: Path) -> None:
    changed(pairs["text"], tmp_path, LM_FILE, settings={"transformer_lm.card": 2048})
    with pytest.raises(EngineUnavailable, match="another codec"):
        convert(tmp_path, find=lambda name: t5)


def test_what_is_no_checkpoint_is_refused(pairs: dict[str, Pair], t5: Path, tmp_path: Path) -> None:
    changed(pairs["text"], tmp_path, LM_FILE)
    whole = (tmp_path / LM_FILE).read_bytes()
    settings = pairs["text"].lm.cfg
    broken: list[Any] = [b"", whole[: len(whole) // 2], b"no pickle at all"]
    for content in broken:
        (tmp_path / LM_FILE).write_bytes(content)
        with pytest.raises(EngineUnavailable, match=LM_FILE):
            convert(tmp_path, find=lambda name: t5)
    others: list[Any] = [{"weights": 1}, {"best_state": {}}, {"best_state": {}, "xp.cfg": settings}]
    for checkpoint in others:
        torch.save(checkpoint, tmp_path / LM_FILE)
        with pytest.raises(EngineUnavailable, match=r"audiocraft\.utils\.export"):
            convert(tmp_path, find=lambda name: t5)


def test_weights_too_few_too_many_or_of_another_size_are_told(pairs: dict[str, Pair], t5: Path, tmp_path: Path) -> None:
    cases = {
        "lacks": lambda state: {name: w for name, w in state.items() if name != "linears.1.weight"},
        "no place for: transformer.layers.0.linear1.bias": lambda state: {
            **state,
            "transformer.layers.0.linear1.bias": torch.zeros(1),
        },
        "lacks|not the model": lambda state: {**state, "linears.1.weight": torch.zeros(3, 3)},
    }
    for said, change in cases.items():
        changed(pairs["text"], tmp_path, LM_FILE, state=change)
        with pytest.raises(EngineUnavailable, match=said):
            _ = convert(tmp_path, find=lambda name: t5).model


def test_settings_are_read_with_their_references() -> None:
    settings = Settings({"xp.cfg": "a: 3\nb: {c: '${a}', d: '${b.c}'}\ne: null"}, Path("state_dict.bin"))
    assert (settings.get("b.d"), settings.get("e"), settings.get("b.x", 7)) == (3, None, 7)
    with pytest.raises(EngineUnavailable, match=r"'b\.x'"):
        settings.get("b.x")
    with pytest.raises(EngineUnavailable, match="no YAML"):
        Settings({"xp.cfg": "a: [1"}, Path("state_dict.bin"))


def changed(pair: Pair, folder: Path, file: str, *, settings: Any = None, state: Any = None) -> None:
    """Copy a pair's export into ``folder``, one of its two files with other settings or weights."""
    folder.mkdir(exist_ok=True)
    for name in (LM_FILE, CODEC_FILE):
        checkpoint = torch.load(pair.folder / name, weights_only=True)
        if name == file:
            omegaconf = __import__("omegaconf").OmegaConf
            tree = omegaconf.create(checkpoint["xp.cfg"])
            for path, value in (settings or {}).items():
                omegaconf.update(tree, path, value)
            checkpoint["xp.cfg"] = omegaconf.to_yaml(tree)
            checkpoint["best_state"] = state(checkpoint["best_state"]) if state else checkpoint["best_state"]
        torch.save(checkpoint, folder / name)


def unused(name: str) -> Path:
    raise AssertionError(f"{name} was looked up")
