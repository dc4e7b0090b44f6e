"""Settings of the whole suite."""

import os

from hypothesis import settings

# No test asserts a time. What CI says must not depend on luck; elsewhere every run tries new cases.
settings.register_profile("anywhere", deadline=None)
settings.register_profile("ci", derandomize=True, deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "anywhere")
