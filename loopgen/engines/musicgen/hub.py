"""Where weights lie: a folder of the user's own, or the cache of the Hugging Face hub, which other programs share.

Nothing here reaches for the network. A model is looked up in the cache's documented layout
(``models--owner--name/refs/main`` names the folder in ``snapshots``), as importing the hub's library to ask would cost
a tenth of a second each time engines are listed.
"""

from __future__ import annotations

import json
import re
import shutil
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from loopgen.engines.musicgen import catalogue
from loopgen.errors import EngineUnavailable
from loopgen.files import unwritable

CONFIG, INDEX = "config.json", ".index.json"
MODEL_TYPES = ("musicgen", "musicgen_melody")
ORIGINAL = ("state_dict.bin", "compression_state_dict.bin")
"""A checkpoint as audiocraft's own trainer writes it."""

WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the first that is there; safetensors holds no code
_TOKENIZERS = ("tokenizer.json", "spiece.model")
_REPO = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}/[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}")


@dataclass(frozen=True, slots=True)
class Found:
    """A model that is on this machine.

    Attributes:
        name: short name if Meta published it, otherwise its name on the hub.
        folder: where its files lie.
        size: bytes on disk.
        lacks: what is missing to play it; empty if nothing is.
    """

    name: str
    folder: Path
    size: int
    lacks: tuple[str, ...] = ()


def cache_folder() -> Path:
    """The hub's cache (``HF_HOME`` and the like move it); raises ``EngineUnavailable`` without the hub's library."""
    try:
        from huggingface_hub import constants
    except ImportError:
        raise EngineUnavailable("the Hugging Face hub's library is missing: pip install 'loopgen[musicgen]'") from None
    return Path(constants.HF_HUB_CACHE)


def repo_of(name: str) -> str:
    """A model's name on the hub, for a short name or such a name; raises ``EngineUnavailable``.

    >>> repo_of("melody"), repo_of("me/mine")
    ('facebook/musicgen-melody', 'me/mine')
    """
    if known := catalogue.get(name):
        return known.repo
    is_metas = name.startswith(catalogue.OWNER_PREFIX)  # then it is misspelt, or one that audiocraft alone plays
    if _REPO.fullmatch(name) and ".." not in name and "--" not in name and not is_metas:
        return name
    return catalogue.find(name).repo


def locate(name: str, cache: Path | None = None) -> Path:
    """The folder of a model that is here: by short name, name on the hub, or path (see ``own_folder``).

    Raises ``EngineUnavailable`` that says how to get it.
    """
    known = catalogue.get(name)
    if known is None and (folder := own_folder(name)) is not None:
        return folder
    repo = repo_of(name)
    found = snapshot(repo, cache)
    pull = f"`loopgen models pull {known.name if known else repo}`"
    if found is None:
        more = f" (about {in_words(known.download_bytes)}, {catalogue.LICENCE})" if known else ""
        if not known and Path(name).is_dir():
            more = f"; the folder of this name is ./{name}"
        raise EngineUnavailable(f"the weights of {repo} are not on this machine: run {pull}{more}")
    if lacks := missing(found):
        raise EngineUnavailable(f"{repo} is not all here, {_listed(lacks)} missing: {pull} gets the rest")
    return found


def repo_folder(repo: str, cache: Path) -> Path:
    """Where the cache keeps a repository."""
    return cache / ("models--" + repo.replace("/", "--"))


def snapshot(repo: str, cache: Path | None = None) -> Path | None:
    """The folder that the cache has of a repository's main branch, or None; it may be incomplete."""
    folder = repo_folder(repo, cache or cache_folder())
    with suppress(OSError):
        commit = (folder / "refs" / "main").read_text().strip()
        if (folder / "snapshots" / commit).is_dir():
            return folder / "snapshots" / commit
    return None


def missing(folder: Path) -> list[str]:
    """What a folder lacks to be played: names of files, or several with "or" between; empty if it is whole.

    Raises ``EngineUnavailable`` for an index that cannot be read.
    """
    names = {path.name for path in folder.iterdir() if path.is_file()}
    if is_original(folder):
        return []
    lacks = [] if CONFIG in names else [CONFIG]
    if not names & set(_TOKENIZERS):
        lacks.append(" or ".join(_TOKENIZERS))
    weights = weight_files(folder, names)
    return lacks + ([name for name in weights if name not in names] if weights else [" or ".join(WEIGHTS)])


def is_original(folder: Path) -> bool:
    """Whether a folder holds a checkpoint of audiocraft's and none of transformers'."""
    has_weights = any((folder / (name + end)).is_file() for name in WEIGHTS for end in ("", INDEX))
    return not has_weights and all((folder / name).is_file() for name in ORIGINAL)


def weight_files(folder: Path, names: Collection[str]) -> list[str]:
    """The files of weights, the safer format first; large ones are in parts that an index lists."""
    for name in WEIGHTS:
        if name in names:
            return [name]
        if name + INDEX in names:
            return _parts(folder / (name + INDEX))
    return []


def present(cache: Path | None = None) -> list[Found]:
    """The MusicGen models in the cache, whole or not: Meta's in the order of the catalogue, then others by name."""
    root = cache or cache_folder()
    models = []
    for folder in sorted(root.glob("models--*--*")):
        repo = folder.name.removeprefix("models--").replace("--", "/")
        known = catalogue.get(repo)
        place = snapshot(repo, root)
        if known is None and (place is None or not is_musicgen(place)):
            continue
        try:
            lacks = tuple(missing(place)) if place else ("the rest of it",)
        except EngineUnavailable as error:
            lacks = (str(error),)
        models.append(Found(known.name if known else repo, place or folder, _size(folder), lacks))
    order = [known.name for known in catalogue.MODELS]
    return sorted(models, key=lambda model: order.index(model.name) if model.name in order else len(order))


def remove(name: str, cache: Path | None = None) -> int:
    """Delete a model from the cache, and what a broken download left; returns the bytes that became free.

    Raises ``EngineUnavailable`` where there is none, ``OutputUnwritable`` where it cannot be deleted.
    """
    if catalogue.get(name) is None and (folder := own_folder(name)) is not None:
        raise EngineUnavailable(f"{folder} is a folder of your own: delete it yourself if you want to")
    root = cache or cache_folder()
    repo = repo_of(name)
    folder = repo_folder(repo, root)
    if not folder.is_dir():
        raise EngineUnavailable(f"{repo} is not on this machine: `loopgen models list` shows what is")
    size = _size(folder)
    from huggingface_hub import scan_cache_dir

    with quiet(), suppress(ValueError):  # ValueError: no cache folder
        found = scan_cache_dir(root)
        own = frozenset(model for model in found.repos if model.repo_path == folder)
        if commits := [revision.commit_hash for model in own for revision in model.revisions]:
            # files that other models share in the cache are theirs to keep: the library knows
            replace(found, repos=own).delete_revisions(*commits).execute()
    try:
        if folder.is_dir():
            shutil.rmtree(folder)
        locks = root / ".locks" / folder.name
        if locks.is_dir():
            shutil.rmtree(locks)
    except OSError as error:
        raise unwritable(folder, error) from None
    return size


def in_words(size: float) -> str:
    """Bytes as people read them, in powers of a thousand as disks are sold.

    >>> in_words(8_027_240_000), in_words(236e6), in_words(1500)
    ('8.0 GB', '236 MB', '2 kB')
    """
    if size >= 1e9:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


@contextmanager
def quiet() -> Iterator[None]:
    """The hub's library tells nothing to the terminal: what matters is an error of ours."""
    from huggingface_hub.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity(40)  # errors
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(before)


def own_folder(name: str) -> Path | None:
    """The folder that a path names, or None for a name: what may be a model's name never leads to a folder.

    A path is absolute, or begins with ``.`` or ``~``, or has more than one separator: ``./mine``, not ``mine``. So a
    name that came from elsewhere reaches no folder of this machine, and means the same wherever the program runs.
    Raises ``EngineUnavailable`` for a path where no folder is.
    """
    path = Path(name)
    if not (path.is_absolute() or name.startswith((".", "~")) or "\\" in name or name.count("/") > 1):
        return None
    with suppress(RuntimeError):  # no such user
        path = path.expanduser()
    if path.is_dir():
        return path
    raise EngineUnavailable(f"there is no folder {path}: give one that holds a MusicGen model, or a model's name")


def is_musicgen(folder: Path) -> bool:
    """Whether a folder's config is one of MusicGen, or the weights are audiocraft's."""
    try:
        return json.loads((folder / CONFIG).read_bytes()).get("model_type") in MODEL_TYPES
    except (OSError, ValueError, AttributeError):
        return is_original(folder)


def _parts(index: Path) -> list[str]:
    try:
        names = set(json.loads(index.read_bytes())["weight_map"].values())
        if not names or any(not isinstance(name, str) or Path(name).name != name for name in names):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise EngineUnavailable(f"{index} cannot be read as the index of a model's weights: get it again") from None
    return sorted(names)


def _size(folder: Path) -> int:
    """Bytes of a folder in the cache; what is linked to counts once."""
    files = {path.resolve() for path in folder.rglob("*") if path.is_file()}
    return sum(file.stat().st_size for file in files)


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{shown} {'is' if len(names) == 1 else 'are'}"
