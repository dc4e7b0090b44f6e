"""Settings of the whole suite."""

import os

from hypothesis import settings

# What CI says must not depend on luck; elsewhere every run tries new cases.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")
