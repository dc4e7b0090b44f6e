"""How fast the engine is; no test, but for the benchmark's own."""
