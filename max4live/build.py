"""From the sources to the files of the device; the same sources give the same bytes, on every system."""

from __future__ import annotations

import re
from pathlib import Path

from loopgen.errors import InputError
from max4live import amxd, bundle, patch
from max4live.objects import all_references

KIND = "aaaa"
_TEXTS = (".js", ".json", ".maxpat", ".svg", ".txt")


def build(*, frozen: bool = True, folder: Path = bundle.SRC) -> dict[str, bytes]:
    """Name and bytes of each file of the device whose sources lie in a folder.

    Frozen, ``Loopgen.amxd`` holds all that it needs; unfrozen, its script (and pictures) lie beside it, where Max
    finds and edits them. Raises ``LoopgenError`` where a source is wrong.
    """
    content = patch.load(folder / patch.SOURCE.name)
    patcher = content["patcher"]
    files = {name: _file(folder, name) for name in sorted(all_references(content))}
    patcher["dependency_cache"] = [
        {"name": name, "patcherrelativepath": ".", "type": amxd.type_code(name), "implicit": 1} for name in files
    ]  # without Max's "bootpath", which would tell where it was built
    device = amxd.Device(KIND, content, files)
    return {amxd.NAME: amxd.to_bytes(device, frozen=frozen), **({} if frozen else files)}


def _file(folder: Path, name: str) -> bytes:
    """A file that the patch refers to: the bundle, or one of the sources, its lines ending in a line feed."""
    if name == bundle.NAME:
        return bundle.bundle(folder).encode()
    path = folder / name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"the patch refers to {name}, which is neither an object of Max that this device may use "
            f"nor a file in {folder}: {error.strerror or error}; mend the patch, or add the file"
        ) from None
    return re.sub(rb"\r\n?", b"\n", data) if path.suffix in _TEXTS else data
