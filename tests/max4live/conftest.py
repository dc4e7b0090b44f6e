"""The device as it is built, for the tests in JavaScript."""

from __future__ import annotations

from pathlib import Path

import pytest

from max4live.build import build


@pytest.fixture(scope="session")
def amxd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The frozen device."""
    folder: Path = tmp_path_factory.mktemp("max4live")
    for name, data in build(frozen=True).items():
        (folder / name).write_bytes(data)
    return folder / "Loopgen.amxd"
