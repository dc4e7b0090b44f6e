"""Models from the Hugging Face hub into its cache; the only place that reaches for the network."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loopgen.engines.musicgen import catalogue, hub
from loopgen.errors import EngineUnavailable, OutputUnwritable, ServerUnreachable
from loopgen.files import unwritable

Told = Callable[[int, int, str], None]
"""Told bytes that are here, bytes that there will be, and the file in work; may raise to stop."""

_SMALL = (
    *("config.json", "generation_config.json", "preprocessor_config.json"),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "spiece.model"),
)
_ROOM = 100_000_000
"""Bytes that a download leaves free on the disk."""


def pull(name: str, told: Told | None = None, *, cache: Path | None = None, endpoint: str | None = None) -> Path:
    """Download a model into the cache, or what is missing of it; returns its folder.

    What was cut off goes on where it stopped; every file is compared with the hash that the hub gives. ``endpoint`` is
    the hub's address, if it is another than usual. Raises ``EngineUnavailable`` (unknown, private, no MusicGen),
    ``ServerUnreachable`` and ``OutputUnwritable`` (the disk is full).
    """
    root = cache or hub.cache_folder()
    repo = hub.repo_of(name)
    with _explained(repo, root), hub.quiet():
        from huggingface_hub import HfApi, hf_hub_download

        info = HfApi(endpoint=endpoint).model_info(repo, files_metadata=True)
        commit = str(info.sha)
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}

        def link(file: str, revision: str) -> Path:
            done = hf_hub_download(repo, file, revision=revision, cache_dir=root, endpoint=endpoint)
            return Path(done)

        wanted = [file for file in _SMALL if file in sizes]
        for file in (name + hub.INDEX for name in hub.WEIGHTS):
            if file in sizes:
                wanted.append(file)
        folder = root
        for file in wanted:
            folder = link(file, commit).parent
        weights = hub.weight_files(folder, sizes) or [file for file in hub.ORIGINAL if file in sizes]
        if not weights or (hub.CONFIG in sizes and not hub.is_musicgen(folder)):
            raise EngineUnavailable(f"{repo} is no MusicGen model: `loopgen models list` shows some that are")
        download = _Download(repo, commit, root, endpoint, {file: sizes.get(file, 0) for file in weights}, told)
        for file in weights:
            download.fetch(file)
            folder = link(file, commit).parent
        link(wanted[0] if wanted else weights[0], "main")  # main is this commit, from now on
    return folder


class _Download:
    """The large files of one model, one after the other.

    The hub's library begins a file anew when the process that loaded it has ended, and drops what there was. So the
    file is fetched here, into the place where the library looks for one that is whole, and the library files it.
    """

    def __init__(
        self, repo: str, commit: str, root: Path, endpoint: str | None, sizes: dict[str, int], told: Told | None
    ) -> None:
        self._repo, self._commit, self._endpoint, self._sizes = repo, commit, endpoint, sizes
        self._told = told or (lambda _here, _total, _file: None)
        self._root, self._folder = root, hub.repo_folder(repo, root)
        self._before = 0

    def fetch(self, file: str) -> None:
        """Have a file in the cache: its bytes, whole and compared with their hash, but not yet under its name."""
        from filelock import FileLock, Timeout
        from huggingface_hub import get_hf_file_metadata, hf_hub_url
        from huggingface_hub.file_download import are_symlinks_supported

        url = hf_hub_url(self._repo, file, revision=self._commit, endpoint=self._endpoint)
        about = get_hf_file_metadata(url, endpoint=self._endpoint)
        if not about.etag:
            raise ServerUnreachable(f"the hub gives no hash for {file} of {self._repo}: try again later")
        self._sizes[file] = size = about.size if about.size is not None else self._sizes[file]
        blob = self._folder / "blobs" / about.etag
        linked = self._folder / "snapshots" / self._commit / file
        part = blob.with_name(f"{about.etag}.loopgen.incomplete")
        lock = self._root / ".locks" / self._folder.name / f"{about.etag}.loopgen.lock"
        blob.parent.mkdir(parents=True, exist_ok=True)
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(lock, timeout=0):
                if not blob.exists() and not linked.exists():
                    self._stream(url, part, file, size)
                    if _hash_of(part, about.etag) != about.etag:
                        part.unlink()
                        raise ServerUnreachable(f"{file} of {self._repo} came in damaged: pull it again")
                    part.replace(blob if are_symlinks_supported(self._root) else linked)
        except Timeout:
            raise EngineUnavailable(f"another program is pulling {self._repo} right now: wait for it to end") from None
        self._before += size
        self._tell(0, file)

    def _stream(self, url: str, part: Path, file: str, size: int) -> None:
        from huggingface_hub.file_download import http_get
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

        here = part.stat().st_size if part.exists() else 0
        if here > size:  # of another file, whatever the reason
            part.unlink()
            here = 0
        free = shutil.disk_usage(part.parent).free
        if (needed := sum(self._sizes.values()) - self._before - here + _ROOM) > free:
            raise OutputUnwritable(
                f"{self._repo} needs {hub.in_words(needed)} more and {hub.in_words(free)} are free in {self._root}: "
                "free some space, or set HF_HOME to a folder on another drive"
            )
        self._tell(here, file)
        with part.open("ab") as out:
            http_get(
                url,
                out,
                resume_size=here,
                headers=build_hf_headers(),
                expected_size=size,
                displayed_filename=file,
                tqdm_class=_counter(lambda done: self._tell(done, file), here),
            )

    def _tell(self, here: int, file: str) -> None:
        self._told(self._before + here, sum(self._sizes.values()), file)


def _counter(told: Callable[[int], None], start: int) -> Any:
    """A class in the place of the progress bar that the hub's library would draw."""

    class Counter:
        def __init__(self, **_: object) -> None:
            self.done = start

        def __enter__(self) -> Counter:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def update(self, more: float | None = 1) -> None:
            self.done += int(more or 0)
            told(self.done)

        def close(self) -> None:
            return None

    return Counter


@contextmanager
def _explained(repo: str, root: Path) -> Iterator[None]:
    """What the hub's library raises, as errors that say what to do."""
    try:
        from huggingface_hub import errors
    except ImportError:
        raise EngineUnavailable("the Hugging Face hub's library is missing: pip install 'loopgen[musicgen]'") from None
    network: type[Exception] = getattr(errors, "HTTPError", errors.HfHubHTTPError)
    known = catalogue.get(repo)
    again = f"`loopgen models pull {known.name if known else repo}`"
    try:
        yield
    except errors.GatedRepoError:
        raise EngineUnavailable(
            f"{repo} is gated: accept its terms at https://huggingface.co/{repo}, log in with `hf auth login`, then "
            f"run {again}"
        ) from None
    except errors.RepositoryNotFoundError:
        raise EngineUnavailable(
            f"the hub has no model {repo}, or it is private: look at its spelling, or log in with `hf auth login`"
        ) from None
    except errors.OfflineModeIsEnabled:
        raise EngineUnavailable(
            f"{repo} cannot be pulled while HF_HUB_OFFLINE is set: unset it, then run {again}"
        ) from None
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        raise ServerUnreachable(f"the hub answers {status} for {repo}: try {again} again later") from None
    except (network, errors.LocalEntryNotFoundError, errors.FileMetadataError, ConnectionError, TimeoutError):
        raise ServerUnreachable(
            f"the hub cannot be reached, or the connection broke: see to the network, then run {again}; it goes on "
            "where it stopped"
        ) from None
    except OSError as error:
        if error.errno is None:  # the library's: a file that ended too early
            raise ServerUnreachable(f"the connection broke: run {again}, it goes on where it stopped") from None
        raise unwritable(root, error) from None


def _hash_of(path: Path, like: str) -> str:
    """The hash that the hub names a file by: SHA-256 of large ones, git's SHA-1 of small ones."""
    if len(like) == 64:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    digest.update(path.read_bytes())
    return digest.hexdigest()
