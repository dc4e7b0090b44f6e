"""loopgen: a prompt and a tempo become a seamless loop of exactly that tempo.

A ``LoopRequest`` becomes a ``Take``, a ``Take`` becomes a ``Loop``, a ``Loop`` is kept::

    cli        arguments -> studio -> report
    studio     one function per intention: generate, conform, inspect
    engines    LoopRequest -> Take
    looping    Take -> Loop: track, stretch, cut, seam, level
    library    Loop -> WAV and sidecar, whole or not at all
    report     a loop as a person wants to see it
    metrics    what the ear would check
    music      the values: tempo, audio, melody, request, beats, loop
"""

__version__ = "0.1.0"
