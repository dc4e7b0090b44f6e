"""Settings of the whole suite."""

import os
import tempfile
from pathlib import Path

from hypothesis import settings

# Models that whoever runs the tests has pulled are not for the tests.
os.environ["HF_HOME"] = str(Path(tempfile.gettempdir()) / "loopgen-tests-have-no-models")

# No test asserts a time. What CI says must not depend on luck; elsewhere every run tries new cases.
settings.register_profile("anywhere", deadline=None)
settings.register_profile("ci", derandomize=True, deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "anywhere")
