"""A text in the user's editor: a copy, asked for again until it is sound, never lost."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from loopgen.cli.common import say

if TYPE_CHECKING:
    from pathlib import Path


def edited(name: str, text: str, beside: Mapping[str, str], problems: Callable[[Path], list[str]]) -> str | None:
    """What the user makes of a text in their editor, None where they leave it as it is.

    Args:
        name: of the copy that is opened, in a folder of its own.
        text: as it is before.
        beside: other files of that folder, by name.
        problems: what is wrong with a file, in words; the editor is opened again while there is anything.

    Raises ``InputError`` where the editor is missing or fails, and where what was written is unsound and nobody is
    there to mend it; the copy stays then, and the message says where.
    """
    import shutil
    import tempfile
    from pathlib import Path

    from loopgen.files import write_whole

    place = Path(tempfile.mkdtemp(prefix="loopgen-edit-"))
    copy = place / name
    write_whole({**{place / other: content.encode() for other, content in beside.items()}, copy: text.encode()})
    while True:
        _open(copy)
        if copy.read_bytes() == text.encode():
            written = None
            break
        if wrong := problems(copy):
            _ask_again(wrong, copy)
            continue
        written = copy.read_text(encoding="utf-8-sig")
        break
    shutil.rmtree(place, ignore_errors=True)
    return written


def _open(copy: Path) -> None:
    """Run the user's editor until it is closed."""
    import shlex
    import subprocess

    from loopgen.errors import InputError

    windows = sys.platform == "win32"
    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ("notepad" if windows else "vi")
    try:
        words = [word.strip('"') for word in shlex.split(chosen, posix=not windows)]
    except ValueError:
        raise InputError(f"the editor {chosen!r} has a quote without its other; set VISUAL or EDITOR anew") from None
    try:
        status = subprocess.run([*words, str(copy)], check=False).returncode
    except OSError as error:
        why = error.strerror or error
        raise InputError(f"the editor {chosen!r} cannot be run ({why}); set VISUAL or EDITOR to yours") from None
    if status or not copy.exists():
        raise InputError(f"the editor {chosen!r} ended with status {status}; nothing was changed. The copy is {copy}")


def _ask_again(wrong: Sequence[str], copy: Path) -> None:
    """Say what is wrong, and wait for the user to go on."""
    from loopgen.errors import InputError

    if not sys.stdin.isatty():
        raise InputError(f"nothing was changed: {'; '.join(wrong)}. What you wrote is in {copy}")
    for line in wrong:
        say(f"loopgen: {line}")
    try:
        input("Enter opens the editor again, Ctrl-C gives up: ")
    except (KeyboardInterrupt, EOFError):
        raise InputError(f"nothing was changed. What you wrote is in {copy}") from None
