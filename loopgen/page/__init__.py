"""A place to look: the library's folder as a page on loopback, for whoever's DAW speaks no OSC.

::

    browser  <->  guard     who may ask: this machine, this page, this user
                  api       addresses -> shelf, sounds, peaks, workshop
                  shelf       the library's index as cards; watches the folder
                  audio       a loop as plain samples, on the page's tempo and rate
                  waveform    what its card draws
                  workshop    what is made: jobs, with a worker that starts with the first
                  events    server-sent: jobs, changes of the folder

``static/`` is the page itself: plain ES modules and CSS, without a build step.
"""
