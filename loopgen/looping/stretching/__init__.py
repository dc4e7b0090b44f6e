"""Ways of moving audio along a time map: resampling, Signalsmith Stretch and Rubber Band.

Each module has one function from samples and a :class:`~loopgen.looping.stretching.timemap.TimeMap` to samples;
:mod:`loopgen.looping.stretch` chooses between them.
"""
