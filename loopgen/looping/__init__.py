"""A ``Take`` becomes a ``Loop``, one step a file; read ``make.py`` first."""
