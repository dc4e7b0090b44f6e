"""Where loops are kept: the folder is the truth, each loop a WAV or FLAC with a JSON sidecar beside it.

:mod:`keep` writes them, with their :mod:`takes`; :mod:`recall` reads what they say of themselves. :mod:`index` is the
library of a folder: read :mod:`index` first, then :mod:`refresh`, which brings its :mod:`database` to what lies in the
:mod:`folder`. What people say of loops is in :mod:`marks`, what they look for in :mod:`find`.
"""

from loopgen.library.keep import (
    FORMATS,
    Kept,
    check_writable,
    file_stem,
    is_folder,
    keep,
    loop_key,
    resolve_format,
    slug,
)
from loopgen.library.recall import Known, recall

__all__ = [
    "FORMATS",
    "Kept",
    "Known",
    "check_writable",
    "file_stem",
    "is_folder",
    "keep",
    "loop_key",
    "recall",
    "resolve_format",
    "slug",
]
