"""The bridge: OSC messages to jobs, events to OSC messages; it only translates.

::

    protocol   every address, argument and reply in one table; fields: the values; wire: bytes <-> messages
    clips      a melody sent in pieces -> Melody
    session    the values that all clients share: tempo, meter, prompt ...
    peers      who sends, where answers go, and for how long
    service    what each message does: datagram -> handler -> answer
    desk       orders for jobs, followed until they have ended
    post       answers on their way out; outbox: those that are sent again
    slow       files and presets, away from the thread that answers
    server     socket, thread and life cycle; discovery: how it is found
    client     for tests, scripts and `loopgen send`
    clients/   ready-made senders for DAWs and live-coding tools
"""
