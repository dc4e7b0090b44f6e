"""Models on this machine, and those that come from the hub: here a server that speaks its protocol."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from loopgen.engines.musicgen import hub
from loopgen.engines.musicgen.pull import pull
from loopgen.errors import Cancelled, EngineUnavailable, LoopgenError, OutputUnwritable, ServerUnreachable
from tests.engines.musicgen.hub_server import COMMIT, Hub, etag, serving
from tests.engines.musicgen.tiny import save_tiny

SMALL = "facebook/musicgen-small"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Repositories: one above the library's pieces of 10 MB, one in parts, one in the old format, one that is another
    model, and one as audiocraft writes them."""
    root = tmp_path_factory.mktemp("published")
    one = save_tiny(root / "small", width=512)
    (one / "pytorch_model.bin").write_bytes(b"not wanted, as there is model.safetensors")
    (one / "README.md").write_text("not wanted either")
    (one / "state_dict.bin").write_bytes(b"nor this")
    parts = save_tiny(root / "parts", "melody", max_shard_size="400KB")
    old = save_tiny(root / "old", safetensors=False)
    other = root / "other"
    other.mkdir()
    (other / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (other / "model.safetensors").write_bytes(b"weights of something else")
    original = root / "original"
    original.mkdir()
    for name in hub.ORIGINAL:
        (original / name).write_bytes(b"weights " + name.encode())
    return {SMALL: one, "me/parts": parts, "me/old": old, "me/bert": other, "me/original": original}


@pytest.fixture
def server(published: dict[str, Path]) -> Iterator[Hub]:
    with serving(published) as running:
        yield running


def same_files(folder: Path, other: Path, *, but: set[str] | None = None) -> bool:
    names = {path.name for path in other.iterdir()} - (but or set())
    return {path.name for path in folder.iterdir()} == names and all(
        (folder / name).read_bytes() == (other / name).read_bytes() for name in names
    )


def test_a_model_comes_whole_with_what_it_needs_and_no_more(
    server: Hub, published: dict[str, Path], tmp_path: Path
) -> None:
    told: list[tuple[int, int, str]] = []
    folder = pull("small", lambda *state: told.append(state), cache=tmp_path, endpoint=server.address)
    assert same_files(folder, published[SMALL], but={"pytorch_model.bin", "README.md", "state_dict.bin"})
    size = (published[SMALL] / "model.safetensors").stat().st_size
    assert told[0] == (0, size, "model.safetensors")
    assert told[-1] == (size, size, "model.safetensors")
    here = [state[0] for state in told]
    assert here == sorted(here)
    assert len(set(here)) > 2, "it was told on the way too"
    assert hub.locate("small", tmp_path) == hub.locate("facebook/musicgen-small", tmp_path) == folder


def test_other_programs_find_it_in_the_cache(server: Hub, tmp_path: Path) -> None:
    from huggingface_hub import try_to_load_from_cache

    folder = pull("small", cache=tmp_path, endpoint=server.address)
    found = try_to_load_from_cache(SMALL, "model.safetensors", cache_dir=tmp_path)
    assert found == str(folder / "model.safetensors")


def test_what_other_programs_pulled_is_found(server: Hub, tmp_path: Path) -> None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

    with disable_progress_bars():
        folder = snapshot_download(SMALL, cache_dir=tmp_path, endpoint=server.address)
    assert hub.locate("small", tmp_path) == Path(folder)
    (found,) = hub.present(tmp_path)
    assert (found.name, found.folder, found.lacks) == ("small", Path(folder), ())


@pytest.mark.parametrize(
    ("name", "weights"),
    [("me/parts", "model-00001-of-"), ("me/old", "pytorch_model.bin"), ("me/original", "compression_state_dict.bin")],
)
def test_weights_come_in_parts_and_in_older_formats(
    server: Hub, published: dict[str, Path], tmp_path: Path, name: str, weights: str
) -> None:
    folder = pull(name, cache=tmp_path, endpoint=server.address)
    assert same_files(folder, published[name])
    assert any(path.name.startswith(weights) for path in folder.iterdir())
    assert hub.locate(name, tmp_path) == folder
    assert [found.name for found in hub.present(tmp_path)] == [name]


def test_a_pull_that_was_stopped_goes_on_where_it_was(server: Hub, published: dict[str, Path], tmp_path: Path) -> None:
    def stop(here: int, _total: int, _file: str) -> None:
        if here > 15_000_000:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        pull("small", stop, cache=tmp_path, endpoint=server.address)
    with pytest.raises(EngineUnavailable, match="loopgen models pull small"):
        hub.locate("small", tmp_path)
    (found,) = hub.present(tmp_path)
    assert found.lacks
    server.requests.clear()
    told: list[int] = []
    folder = pull("small", lambda here, *_: told.append(here), cache=tmp_path, endpoint=server.address)
    (asked,) = server.asked_for("model.safetensors")
    start = int(asked.removeprefix("bytes=").removesuffix("-"))
    assert start >= 10_000_000
    assert told[0] == start
    assert etag(folder / "model.safetensors") == etag(published[SMALL] / "model.safetensors")


def test_a_connection_that_breaks_is_taken_up_again(server: Hub, published: dict[str, Path], tmp_path: Path) -> None:
    server.cut = 21_000_000
    folder = pull("small", cache=tmp_path, endpoint=server.address)
    assert server.asked_for("model.safetensors") == ["", "bytes=20971520-"]
    assert etag(folder / "model.safetensors") == etag(published[SMALL] / "model.safetensors")


def test_damaged_bytes_are_not_kept(server: Hub, tmp_path: Path) -> None:
    server.damage = True
    with pytest.raises(ServerUnreachable, match=r"model\.safetensors of facebook/musicgen-small came in damaged: pull"):
        pull("small", cache=tmp_path, endpoint=server.address)
    server.damage = False
    assert hub.missing(pull("small", cache=tmp_path, endpoint=server.address)) == []


def test_a_second_pull_loads_nothing(server: Hub, tmp_path: Path) -> None:
    folder = pull("small", cache=tmp_path, endpoint=server.address)
    server.requests.clear()
    assert pull("small", cache=tmp_path, endpoint=server.address) == folder
    assert server.asked_for("model.safetensors") == []


def test_each_failure_says_what_to_do(server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.gated.add("me/gated")

    def said(error: type[LoopgenError], name: str) -> str:
        with pytest.raises(error) as caught:
            pull(name, cache=tmp_path, endpoint=server.address)
        return str(caught.value)

    assert "accept its terms at https://huggingface.co/me/gated" in said(EngineUnavailable, "me/gated")
    assert "the hub has no model me/nothing, or it is private" in said(EngineUnavailable, "me/nothing")
    assert "me/bert is no MusicGen model" in said(EngineUnavailable, "me/bert")
    assert "did you mean 'small'" in said(EngineUnavailable, "smal")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 10**6))
    full = said(OutputUnwritable, "small")
    assert re.search(r"needs 12\d MB more and 1 MB are free", full)
    assert "HF_HOME" in full
    server.broken = True
    assert "answers 500 for facebook/musicgen-small: try `loopgen models pull small`" in said(
        ServerUnreachable, "small"
    )
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set: unset it" in said(EngineUnavailable, "small")


def test_a_hub_that_is_not_there_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ServerUnreachable, match=r"cannot be reached.*`loopgen models pull small`"):
            pull("small", cache=tmp_path, endpoint=address)


def test_two_pulls_do_not_write_into_one_file(server: Hub, tmp_path: Path) -> None:
    def pull_it_too(here: int, _total: int, _file: str) -> None:
        if here:
            pull("small", cache=tmp_path, endpoint=server.address)

    with pytest.raises(EngineUnavailable, match="another program is pulling"):
        pull("small", pull_it_too, cache=tmp_path, endpoint=server.address)


def test_removing_frees_the_room(server: Hub, tmp_path: Path) -> None:
    pull("small", cache=tmp_path, endpoint=server.address)
    pull("me/parts", cache=tmp_path, endpoint=server.address)
    size = sum(path.stat().st_size for path in (tmp_path / "models--facebook--musicgen-small" / "blobs").iterdir())
    assert hub.remove("small", tmp_path) == size + len(COMMIT)
    assert [found.name for found in hub.present(tmp_path)] == ["me/parts"]
    assert not list(tmp_path.rglob("*facebook*"))
    with pytest.raises(EngineUnavailable, match="is not on this machine: `loopgen models list`"):
        hub.remove("small", tmp_path)
    assert hub.missing(hub.locate("me/parts", tmp_path)) == []


def test_what_a_broken_pull_left_can_be_removed(server: Hub, tmp_path: Path) -> None:
    server.damage = True
    with pytest.raises(ServerUnreachable):
        pull("small", cache=tmp_path, endpoint=server.address)
    assert hub.remove("small", tmp_path) > 0
    assert hub.present(tmp_path) == []


def test_a_folder_of_ones_own_is_a_model_and_stays(tiny_text: Path, tmp_path: Path) -> None:
    assert hub.locate(str(tiny_text)) == tiny_text
    with pytest.raises(EngineUnavailable, match="a folder of your own"):
        hub.remove(str(tiny_text), tmp_path)
    for path in ("/no/such/folder", "./nothing", "a/b/c", "~/no such", "~nobody-has-this-name/x", ".\\x"):
        with pytest.raises(EngineUnavailable, match="there is no folder"):
            hub.locate(path, tmp_path)


def test_a_name_never_leads_to_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "me" / "mine").mkdir(parents=True)
    assert hub.locate("./me/mine", tmp_path) == Path("me/mine")
    with pytest.raises(EngineUnavailable, match=r"not on this machine: .*; the folder of this name is \./me/mine"):
        hub.locate("me/mine", tmp_path)
    with pytest.raises(EngineUnavailable, match=r"or a folder \(\./name\)"):
        hub.locate("me", tmp_path)


def test_what_is_not_here_names_the_command_and_the_licence(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"run `loopgen models pull medium` \(about 8\.0 GB, CC-BY-NC-4\.0\)"):
        hub.locate("medium", tmp_path)
    with pytest.raises(EngineUnavailable, match=r"weights of me/mine are not .*run `loopgen models pull me/mine`$"):
        hub.locate("me/mine", tmp_path)
    with pytest.raises(EngineUnavailable, match="did you mean 'medium'"):
        hub.locate("mediun", tmp_path)
    with pytest.raises(EngineUnavailable, match="did you mean 'medium'"):
        hub.locate("facebook/musicgen-mediun", tmp_path)


@pytest.mark.parametrize("name", ["../x", "a/../b", "--/x", "a b/c", "me/x--y", "", "me/", "/x"])
def test_odd_names_are_no_repositories(name: str) -> None:
    with pytest.raises(EngineUnavailable):
        hub.repo_of(name)


def test_missing_files_are_named(tmp_path: Path, published: dict[str, Path]) -> None:
    folder = tmp_path / "m"
    shutil.copytree(published["me/parts"], folder)
    assert hub.missing(folder) == []
    parts = hub.weight_files(folder, {path.name for path in folder.iterdir()})
    assert len(parts) > 2
    (folder / parts[1]).unlink()
    (folder / "config.json").unlink()
    (folder / "tokenizer.json").unlink()
    assert hub.missing(folder) == ["config.json", "tokenizer.json or spiece.model", parts[1]]
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"x": "../../etc/passwd"}}')
    with pytest.raises(EngineUnavailable, match="cannot be read as the index"):
        hub.missing(folder)
    (folder / "model.safetensors.index.json").unlink()
    assert hub.missing(folder)[-1] == "model.safetensors or pytorch_model.bin"


def test_looking_up_imports_nothing_heavy(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from loopgen.engines.musicgen import hub
hub.cache_folder()
assert hub.present(Path({str(tmp_path)!r})) == []
print(sorted({{'torch', 'transformers', 'numpy', 'httpx', 'httpx2', 'requests'}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
