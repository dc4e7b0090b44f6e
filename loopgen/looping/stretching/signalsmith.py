"""Signalsmith Stretch (MIT, by Geraint Luff, bound by ``python-stretch``): one ratio for the whole take.

Its ratio cannot change on the way, and pieces stretched apart and joined cancel where a tone sounds across the join
(their phases have drifted apart). A wobbling take is therefore straightened first: by the vocoder, which follows
any map, to the constant tempo that is nearest to its own.
"""

from __future__ import annotations

import numpy as np
import python_stretch.Signalsmith

from loopgen.looping.stretching.timemap import TimeMap, place
from loopgen.looping.stretching.vocoder import vocode
from loopgen.music.audio import Samples

SEED = 0
"""It randomises phases at ratios above 2."""


def signalsmith(samples: Samples, time_map: TimeMap, frames: int, rate: int) -> Samples:
    """Move ``samples`` ``(n, channels)`` along ``time_map``; returns ``(frames, channels)``, float32."""
    if len(time_map.source) > 2:
        samples, time_map = _straightened(samples, time_map, rate)
    # A margin on both sides keeps the ends of the take away from its start and its last flush.
    margin = rate // 4
    padded = np.ascontiguousarray(np.pad(samples, ((margin, margin), (0, 0))).T)
    stretcher = python_stretch.Signalsmith.Stretch(SEED)
    stretcher.preset(padded.shape[0], rate)
    stretcher.setTimeFactor(padded.shape[1] / round(padded.shape[1] * time_map.ratio))
    result = np.asarray(stretcher.process(padded)).T
    # It maps its whole input onto its whole output, latency already compensated.
    begin = time_map.target_of(0.0) - margin * result.shape[0] / padded.shape[1]
    return place(result, round(float(begin)), frames)


def _straightened(samples: Samples, time_map: TimeMap, rate: int) -> tuple[Samples, TimeMap]:
    """The take at its nearest constant tempo, and the straight map that is left to follow."""
    lead = rate // 4
    line = time_map.line()
    straight = TimeMap(time_map.source, line.source_of(time_map.target) + lead)
    reach = int(np.ceil(straight.target_of(len(samples)))) + lead
    return vocode(samples, straight, max(reach, 1), rate), TimeMap(line.source + lead, line.target)
