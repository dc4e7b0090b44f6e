"""The tracker as it was before the net decided where the bar begins: a peer for ``tracker``, frozen.

Fit of the tempo, table of styles and novelty of harmony as they stood at commit c130cf7, trimmed to what tracks a take
of which nothing is known but the tempo that was asked for. Not to be improved: it is what ours is compared with.
"""

from __future__ import annotations

from tests.bench.before.track import track

__all__ = ["track"]
