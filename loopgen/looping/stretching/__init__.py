"""Ways of moving audio along a time map: our vocoder, Signalsmith Stretch and Rubber Band.

Each has one function from samples and a :class:`~loopgen.looping.stretching.timemap.TimeMap` to samples;
:mod:`loopgen.looping.stretch` chooses between them, and resamples by itself.
"""
