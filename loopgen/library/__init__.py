"""Where loops are kept: the folder is the truth, each loop a WAV or FLAC with a JSON sidecar beside it.

:mod:`keep` writes them, :mod:`recall` reads what they say of themselves.
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
