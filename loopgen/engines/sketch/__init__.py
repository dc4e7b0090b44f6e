"""The embedded engine: synthesised grooves, no weights. Read ``engine.py`` first.

::

    prompt.py    words -> Style          genres.py, repertoire.py   the table of genres
    rhythm.py    pulses, swing, fills    theory.py                  chords, voice leading, keys
    compose.py   Style -> Score          bass.py ... see there
    drums.py     one-shots               tones.py                   pitched instruments
    effects.py   rooms, echoes, ducking  mix.py                     Score -> samples
"""
