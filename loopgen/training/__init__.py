"""Music made up for the beat tracker to learn from.

What is played (``score``, ``rhythms``, ``phrases``, ``compose``) is kept apart from how it sounds; every piece comes
from a seeded generator, so that a training set is a list of numbers. Nothing here runs when loopgen listens, and
none of it is shared with the embedded engine or with the grooves that the benchmarks judge by.
"""
