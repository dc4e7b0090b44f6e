"""Names that a user gives to things that become files: the same rule everywhere, on every system."""

from __future__ import annotations

import re

from loopgen.errors import InvalidRequest

_NAME = re.compile(r"[A-Za-z0-9 _.-]{1,64}")
_DEVICES = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|com\d|lpt\d)\s*(?:\..*)?", re.IGNORECASE)


def check_name(field: str, text: str) -> str:
    """Return a name that is safe as the name of one file or folder on Linux, macOS and Windows.

    1 to 64 letters, digits, spaces and ``_ . -``, without a dot or space at either end, and none of the names that
    Windows keeps for devices (``CON``, ``nul.txt``, ``COM1``). Raises ``InvalidRequest``, naming ``field``.

    >>> check_name("preset", "Night Drive 2")
    'Night Drive 2'
    >>> check_name("preset", "nul.txt")
    Traceback (most recent call last):
    loopgen.errors.InvalidRequest: preset: 'nul.txt' cannot be used; give another name: Windows keeps this for a device
    """
    if not isinstance(text, str) or not _NAME.fullmatch(text):
        raise InvalidRequest(field, text, "a name of 1 to 64 letters from a to z, digits, spaces, _ . or -")
    if text[0] in " ." or text[-1] in " .":
        raise InvalidRequest(field, text, "a name without a dot or space at its beginning or end")
    if _DEVICES.fullmatch(text):
        raise InvalidRequest(field, text, "another name: Windows keeps this for a device")
    return text
