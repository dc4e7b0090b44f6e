"""Engines with faults, for the workers of these tests."""

import pytest

from tests.jobs.support import PLUGINS


@pytest.fixture(autouse=True)
def odd_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines that come through their entry point, in the worker too, which gets our ``sys.path``."""
    monkeypatch.syspath_prepend(PLUGINS)
