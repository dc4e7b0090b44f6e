"""Tiny models on disk, made once a session and process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines.musicgen.tiny import KINDS, save_tiny


@pytest.fixture(scope="session")
def tiny_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder a kind: ``text``, ``melody``, ``stereo``, ``melody-stereo``. They are read by all: change none."""
    root = tmp_path_factory.mktemp("musicgen")
    return {kind: save_tiny(root / kind, kind) for kind in KINDS}


@pytest.fixture(scope="session")
def tiny_text(tiny_folders: dict[str, Path]) -> Path:
    """Folder of the text model, mono."""
    return tiny_folders["text"]


@pytest.fixture(scope="session")
def tiny_melody(tiny_folders: dict[str, Path]) -> Path:
    """Folder of the melody model, mono."""
    return tiny_folders["melody"]


@pytest.fixture(scope="session")
def tiny_stereo(tiny_folders: dict[str, Path]) -> Path:
    """Folder of the stereo text model."""
    return tiny_folders["stereo"]


@pytest.fixture(scope="session")
def tiny_melody_stereo(tiny_folders: dict[str, Path]) -> Path:
    """Folder of the stereo melody model."""
    return tiny_folders["melody-stereo"]
