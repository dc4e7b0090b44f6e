"""The bridge: OSC messages to jobs, events to OSC messages; it only translates.

::

    protocol   every address, argument and reply in one table; bytes -> Message -> bytes
    clips      a melody sent in pieces -> Melody
    session    the values that all clients share: tempo, meter, prompt ...
    peers      who is listening, where, and for how long
    server     sockets and life cycle: datagram -> handler -> answer; job -> events
    client     for tests, scripts and `loopgen send`
    clients/   ready-made senders for DAWs and live-coding tools
"""
