"""Engines: a ``LoopRequest`` becomes a ``Take``."""
