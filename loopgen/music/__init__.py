"""Musical values: pure, checked on construction, numpy at most."""
