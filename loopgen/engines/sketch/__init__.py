"""The embedded engine: synthesised grooves, no weights. Read ``engine.py`` first.

::

    LoopRequest
      prompt.py       words -> Style                        lexicon.py     the words for instruments and moods
      compose.py      Style -> Score                        genres.py      what a genre is
        rhythm.py     pulses, patterns, swing, any meter    repertoire/    the genres, as tables
        theory.py     chords, voice leading, keys           chance.py      a random stream for each purpose
        beats.py      the drummer                           score.py       what is to be played
        parts.py      bass, chords, pad, lead
      mix.py          Score -> samples, on a ring
        drums.py      one-shots and kits                    wavetable.py   oscillators whose spectrum moves
        instruments/  basses, keys, leads                   effects.py     rooms, echoes, ducking, limiting
    Take
"""
