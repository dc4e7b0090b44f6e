"""Models from disk to what plays them: the real path, on tiny models laid out as the published ones."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import MusicgenForConditionalGeneration, MusicgenMelodyForConditionalGeneration
from transformers.utils import logging

from loopgen.engines.musicgen import catalogue, machine, trial
from loopgen.engines.musicgen.conditions import describe
from loopgen.engines.musicgen.int8 import Int8Matrix
from loopgen.engines.musicgen.load import Model, load, reference
from loopgen.engines.musicgen.step import Buffers
from loopgen.engines.musicgen.tokens import draw
from loopgen.errors import Cancelled, EngineUnavailable, InvalidRequest, OutOfMemory
from loopgen.music.sampling import Sampling
from tests.engines import audiocraft_tiny
from tests.engines.audiocraft_stand_ins import need_audiocraft, stand_ins
from tests.engines.musicgen.tiny import CARDS, KINDS, make_tiny, save_model, save_tiny

PROMPT = "warm deep house groove. bpm: 124. key: a minor"
GREEDY = Sampling(temperature=0, guidance=3.0)
FRAMES = 40


def on_cpu(folder: Path, precision: str = "fp32") -> Model:
    return load(folder, device="cpu", precision=precision, threads=1)


def greedy(model: Model) -> Tensor:
    return draw(model, describe(model, [PROMPT]), FRAMES, GREEDY, [0])[0]


def theirs(folder: Path, prompt: str = PROMPT) -> Tensor:
    """Tokens that transformers itself makes of a folder: ``from_pretrained``, then ``generate``."""
    kind: Any = MusicgenForConditionalGeneration
    if "melody" in json.loads((folder / "config.json").read_text())["model_type"]:
        kind = MusicgenMelodyForConditionalGeneration
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model = kind.from_pretrained(folder)
    words = on_cpu(folder).tokenizer([prompt], return_tensors="pt")
    heard: list[Tensor] = []
    decode = model.audio_encoder.decode

    def listen(codes: Tensor, *args: Any, **kwargs: Any) -> Any:
        heard.append(codes[0, 0])
        return decode(codes, *args, **kwargs)

    model.audio_encoder.decode = listen
    model.generate(**words, do_sample=False, guidance_scale=3.0, max_new_tokens=FRAMES + 3)
    return heard[0] if len(heard) == 1 else torch.stack(heard, dim=1).flatten(0, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_loaded_draws_the_tokens_of_transformers(kind: str, tiny_folders: dict[str, Path]) -> None:
    model = on_cpu(tiny_folders[kind])
    tokens = greedy(model)
    assert torch.equal(tokens, theirs(tiny_folders[kind]))
    assert len(set(tokens.flatten().tolist())) > 10, "tokens vary"
    shape = model.shape
    assert (shape.cards, shape.channels) == (CARDS, 2 if "stereo" in kind else 1)
    assert (shape.codebooks, model.sample_rate, model.frame_rate) == (4 * shape.channels, 32_000, 50)
    assert model.is_melody == kind.startswith("melody")
    assert model.chroma_length == (235 if model.is_melody else 0)
    assert (model.name, model.folder, model.precision) == (kind, tiny_folders[kind], "fp32")


@pytest.mark.parametrize("kind", KINDS)
def test_the_codec_and_text_encoder_are_those_of_the_files(kind: str, tiny_folders: dict[str, Path]) -> None:
    """Also the codec's, whose names in the published files are those of an older torch."""
    model, reference = on_cpu(tiny_folders[kind]), make_tiny(kind)  # type: ignore[arg-type]
    for ours, original in ((model.codec, reference.audio_encoder), (model.text_encoder, reference.text_encoder)):
        state = ours.state_dict()
        assert state.keys() == original.state_dict().keys()
        assert all(torch.equal(tensor, state[name]) for name, tensor in original.state_dict().items())
        assert not ours.training
        assert not any(weight.requires_grad for weight in ours.parameters())


@pytest.mark.parametrize("precision", ["bf16", "fp16", "int8"])
@pytest.mark.parametrize("kind", KINDS)
def test_lower_precisions_stay_close(kind: str, precision: str, tiny_folders: dict[str, Path]) -> None:
    """Logits of the first step: bf16 has 8 bits, int8 weights 7 and a scale a row; fp16 has 11."""
    exact, rough = logits(on_cpu(tiny_folders[kind])), logits(on_cpu(tiny_folders[kind], precision))
    error = float((rough - exact).norm() / exact.norm())
    assert 0 < error < {"bf16": 0.03, "fp16": 0.004, "int8": 0.03}[precision]


def logits(model: Model) -> Tensor:
    """Of the first step: those after it depend on what was drawn."""
    seen: list[Tensor] = []
    step = model.step

    def look(buffers: Buffers) -> None:
        step(buffers)
        seen.append(buffers.logits.clone())

    model.step = look
    draw(model, describe(model, [PROMPT]), 1, GREEDY, [0])
    return seen[0]


def test_precision_is_the_decoders_alone(tiny_text: Path) -> None:
    for precision, dtype in (("bf16", torch.bfloat16), ("fp16", torch.float16), ("int8", torch.float32)):
        model = on_cpu(tiny_text, precision)
        assert model.dtype == dtype
        assert isinstance(model.weights.layers[0].fc1, Int8Matrix) == (precision == "int8")
        for module in (model.text_encoder, model.codec, model.enc_to_dec_proj):
            assert {weight.dtype for weight in module.parameters()} == {torch.float32}


@pytest.mark.parametrize("options", [{"max_shard_size": "300KB"}, {"safetensors": False}])
def test_weights_in_parts_or_in_the_old_format_are_the_same(
    options: dict[str, Any], tiny_text: Path, tmp_path: Path
) -> None:
    folder = save_tiny(tmp_path / "m", **options)
    names = {path.name for path in folder.iterdir()}
    assert "model.safetensors" not in names
    parts = [name for name in names if name.endswith((".safetensors", ".bin"))]
    assert len(parts) > 2 if "max_shard_size" in options else parts == ["pytorch_model.bin"]
    assert torch.equal(greedy(on_cpu(folder)), greedy(on_cpu(tiny_text)))


def test_weights_stored_in_half_are_computed_in_what_was_asked(tmp_path: Path) -> None:
    reference = make_tiny("text")
    reference.decoder.half()
    model = on_cpu(save_model(tmp_path / "half", reference))
    assert model.dtype == torch.float32
    stored = reference.decoder.model.decoder.layers[0].fc1.weight
    assert torch.equal(torch.as_tensor(model.weights.layers[0].fc1), stored.float())


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_file_is_mapped_and_the_decoder_is_in_memory_once(tmp_path: Path) -> None:
    """In fp32 no matrix is copied but those that are joined; the peak stays below the file and those."""
    folder = save_tiny(tmp_path / "m", width=768, layers=12, heads=12)
    code = f"""
import re
from loopgen.engines.musicgen.load import load
def kept():
    text = open('/proc/self/status').read()
    return 1024 * int(re.search(r'RssAnon:\\s+(\\d+)', text)[1])
load({str(folder)!r}, device='cpu', precision='bf16', threads=1)  # what libraries take the first time
before = kept()
model = load({str(folder)!r}, device='cpu', precision='fp32', threads=1)
print(kept() - before, sum(weight.nbytes for layer in model.weights.layers for weight in (layer.qkv,)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    grown, joined = map(int, done.stdout.split())
    size = (folder / "model.safetensors").stat().st_size
    assert joined > 80_000_000
    assert size > 240_000_000
    assert grown < joined + 60_000_000 < size, "positions, tables and heads are joined too"


def test_nothing_is_said_and_nothing_of_the_libraries_changes(tiny_folders: dict[str, Path]) -> None:
    code = f"""
import warnings
warnings.simplefilter('error')
from transformers.utils import logging
before = logging.get_verbosity(), logging.is_progress_bar_enabled()
from loopgen.engines.musicgen.load import load
for folder in {[str(folder) for folder in tiny_folders.values()]!r}:
    load(folder, device='cpu', threads=1)
assert before == (logging.get_verbosity(), logging.is_progress_bar_enabled())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_progress_goes_up_to_one_and_may_stop_it(tiny_text: Path) -> None:
    told: list[float] = []
    load(tiny_text, device="cpu", threads=1, progress=told.append)
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 1)
    assert len(told) > 3

    def stop(share: float) -> None:
        if share:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        load(tiny_text, device="cpu", threads=1, progress=stop)


@pytest.mark.parametrize("kind", ["text", "melody-stereo"])
def test_a_checkpoint_of_audiocrafts_own_is_loaded(kind: str, tmp_path: Path) -> None:
    need_audiocraft()
    with stand_ins(), audiocraft_tiny.narrow_t5():
        t5 = audiocraft_tiny.save_t5(tmp_path / "m" / "t5-base")
        with audiocraft_tiny.tiny_t5(tmp_path / "t5"):
            lm = audiocraft_tiny.make_lm(audiocraft_tiny.lm_settings(kind))
        codec = audiocraft_tiny.codec_settings()
        folder = audiocraft_tiny.export(t5.parent, lm, audiocraft_tiny.make_codec(codec), codec)
    model = on_cpu(folder)
    assert (model.is_melody, model.shape.channels) == ((False, 1) if kind == "text" else (True, 2))
    tokens = trial._our_tokens(model, trial.COMPARED)
    assert torch.equal(tokens, trial._their_tokens(reference(model), model.tokenizer))
    assert len(set(tokens.flatten().tolist())) > 8


def copy_of(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def said(folder: Path) -> str:
    with pytest.raises(EngineUnavailable) as caught:
        on_cpu(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_of_something_else_is_told(tmp_path: Path) -> None:
    assert "is no MusicGen model: it has no config.json, nor both of state_dict.bin" in said(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    assert "of the kind 'bert', not MusicGen" in said(tmp_path)
    (tmp_path / "config.json").write_text("{")
    assert "config.json is damaged or cut off" in said(tmp_path)
    assert "there is no folder" in said(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("name", "told"),
    [("model.safetensors", "model.safetensors or pytorch_model.bin"), ("tokenizer.json", "tokenizer.json or spiece")],
)
def test_missing_files_are_named(name: str, told: str, tiny_text: Path, tmp_path: Path) -> None:
    folder = copy_of(tiny_text, tmp_path)
    (folder / name).unlink()
    assert told in said(folder)


@pytest.mark.parametrize("kept", [0, 5, 2_000, 1_000_000])
def test_truncated_weights_are_told(kept: int, tiny_text: Path, tmp_path: Path) -> None:
    folder = copy_of(tiny_text, tmp_path)
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    assert "model.safetensors is damaged or cut off: copy it anew" in said(folder)


@pytest.mark.parametrize("kept", [0, 5, 2_000, 1_000_000])
def test_truncated_weights_in_the_old_format_are_told(kept: int, tmp_path: Path) -> None:
    file = save_tiny(tmp_path / "m", safetensors=False) / "pytorch_model.bin"
    file.write_bytes(file.read_bytes()[:kept])
    assert "pytorch_model.bin is damaged" in said(file.parent)


def test_a_program_in_the_old_format_does_not_run(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "harm",))

    folder = save_tiny(tmp_path / "m", safetensors=False)
    torch.save({"decoder.x": Harm()}, folder / "pytorch_model.bin")
    assert "may be a program that does harm: get the model as safetensors" in said(folder)
    assert not (tmp_path / "harm").exists()


def test_weights_of_another_architecture_are_told(tiny_folders: dict[str, Path], tmp_path: Path) -> None:
    folder = copy_of(tiny_folders["text"], tmp_path)
    shutil.copy(tiny_folders["melody"] / "model.safetensors", folder)
    assert "its weights" in (message := said(folder))
    assert "encoder_attn" in message
    config = json.loads((folder / "config.json").read_text())
    config["decoder"]["ffn_dim"] = 32
    (folder / "config.json").write_text(json.dumps(config))
    shutil.copy(tiny_folders["text"] / "model.safetensors", folder)
    assert "does not fit together: its weights are of other sizes than config.json says" in said(folder)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("tokenizer.json", "{", "the tokenizer in"),
        ("config.json", '{"model_type": "musicgen", "decoder": {"hidden_size": "wide"}}', "config.json in"),
        ("config.json", '{"model_type": "musicgen", "decoder": 7}', "config.json in"),
        ("config.json", '{"model_type": "musicgen"}', "does not fit together"),
    ],
)
def test_files_that_say_nonsense_are_told(name: str, text: str, told: str, tiny_text: Path, tmp_path: Path) -> None:
    folder = copy_of(tiny_text, tmp_path)
    (folder / name).write_text(text)
    assert told in said(folder)


def test_a_path_is_a_folder_even_if_a_model_is_called_so(
    tiny_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_text, tmp_path / "small")
    monkeypatch.chdir(tmp_path)
    model = on_cpu(Path("small"))
    assert (model.name, model.licence) == ("small", catalogue.UNKNOWN_LICENCE)


def test_a_model_of_the_cache_has_its_name_and_licence(tiny_text: Path, tmp_path: Path) -> None:
    for repo, name in (("facebook--musicgen-small", "small"), ("me--mine", "me/mine")):
        folder = tmp_path / f"models--{repo}" / "snapshots" / "0123"
        shutil.copytree(tiny_text, folder)
        model = on_cpu(folder)
        assert model.name == name
        assert (model.licence == catalogue.LICENCE) == (name == "small")
        (folder / "model.safetensors").write_bytes(b"x")
        assert f"`loopgen models remove {name}` and `loopgen models pull {name}` get it anew" in said(folder)


def test_too_little_memory_is_told_before_it_is_taken(tiny_text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "free_memory", lambda _: 300_000_000)
    with pytest.raises(
        OutOfMemory, match=r"text in fp32 needs about 40\d MB and cpu has 300 MB free: .*precision int8"
    ):
        on_cpu(tiny_text)
    monkeypatch.setattr(machine, "free_memory", lambda _: None)
    on_cpu(tiny_text)


def test_hardware_that_is_not_there_is_told(tiny_text: Path) -> None:
    for device in ("gpu", "cuda:x", "CPU", ""):
        with pytest.raises(InvalidRequest, match=r"device: .* cannot be used; give auto, cpu"):
            load(tiny_text, device=device)
    for precision in ("fp8", "INT8", ""):
        with pytest.raises(InvalidRequest, match=r"precision: .* cannot be used; give one of auto, bf16"):
            load(tiny_text, device="cpu", precision=precision)
    with pytest.raises(InvalidRequest, match="threads"):
        load(tiny_text, device="cpu", threads=-1)
    if not torch.cuda.is_available():
        with pytest.raises(InvalidRequest, match=r"device: 'cuda' cannot be used; give cpu.* cuda is not there \("):
            load(tiny_text, device="cuda")
    with pytest.raises(InvalidRequest, match="bf16, fp16 or fp32 on mps, as int8 is for the processor"):
        machine.precision_of("int8", torch.device("mps"))


def test_each_gpu_is_asked_for_its_own_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch asks the current one, which may be another."""
    current = ["cuda:0"]

    @contextmanager
    def device(name: torch.device) -> Iterator[None]:
        current.append(str(name))
        yield
        current.pop()

    monkeypatch.setattr(torch.cuda, "device", device)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: current[-1] == "cuda:1")
    assert machine.precision_of("auto", torch.device("cuda:1")) == "bf16"
    assert machine.precision_of("auto", torch.device("cuda:0")) == "fp16"


def test_the_codec_is_where_its_convolutions_are() -> None:
    for name, codec in (("cpu", "cpu"), ("cuda:1", "cuda:1"), ("mps", "cpu")):
        assert machine.codec_device(torch.device(name)) == torch.device(codec)


def test_the_codec_may_be_elsewhere_than_the_decoder(tiny_text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "codec_device", lambda _: torch.device("meta"))
    model = on_cpu(tiny_text)
    assert (model.device.type, model.text_encoder.device.type, model.codec.device.type) == ("cpu", "cpu", "meta")


def test_auto_takes_what_is_there(tiny_text: Path) -> None:
    model = load(tiny_text, threads=1)
    if torch.cuda.is_available():
        assert model.device.type == "cuda"
        assert model.precision in ("bf16", "fp16")
    elif not torch.backends.mps.is_available():
        assert model.device.type == "cpu"
        assert model.precision in ("int8", "fp32")
    assert model.threads == torch.get_num_threads() == 1


def test_memory_that_is_free_is_less_than_there_is() -> None:
    free = machine.free_memory(torch.device("cpu"))
    assert free is None or 0 < free < 2**50
    assert 1 <= machine.cores() <= 4096


def test_no_more_threads_than_cores() -> None:
    before = torch.get_num_threads()
    try:
        assert machine.use_threads(1024) == torch.get_num_threads() == machine.cores()
        assert machine.use_threads(1) == torch.get_num_threads() == 1
        with pytest.raises(InvalidRequest, match="from 1 to 1024"):
            machine.use_threads(1025)
    finally:
        torch.set_num_threads(before)
