"""What the ear would check of a finished loop, in numbers.

``evaluate`` gives all of it; each part stands alone too: ``seam`` (is the wrap heard?), ``grid`` and ``length_error``
(does it keep its tempo?), ``loudness``, ``sample_peak`` and ``true_peak``, and ``usable`` for the bars of a take.
Every function refuses malformed audio with ``ValueError`` and takes silence, any rate and any number of channels.
"""

from loopgen.metrics.evaluate import LevelScores, Scores, evaluate
from loopgen.metrics.grid import GridScores, grid, length_error
from loopgen.metrics.loudness import loudness, sample_peak, true_peak
from loopgen.metrics.seam import BOUNDS, Bound, SeamJudge, SeamScores, failed, seam, strain
from loopgen.metrics.usable import Usable, clipped, usable

__all__ = [
    "BOUNDS",
    "Bound",
    "GridScores",
    "LevelScores",
    "Scores",
    "SeamJudge",
    "SeamScores",
    "Usable",
    "clipped",
    "evaluate",
    "failed",
    "grid",
    "length_error",
    "loudness",
    "sample_peak",
    "seam",
    "strain",
    "true_peak",
    "usable",
]
