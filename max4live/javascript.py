"""Reading JavaScript without a parser: enough to tell code from comments and strings."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""(?P<comment> //[^\n]* | /\*.*?(?:\*/|\Z) )
      | (?P<string> "(?:\\.|[^"\\\n])*"? | '(?:\\.|[^'\\\n])*'? )
      | (?P<regex> /(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/[a-z]* )
      | (?P<word> [A-Za-z0-9_$]+ )
      | (?P<space> \s+ )
      | (?P<sign> . )""",
    re.VERBOSE | re.DOTALL,
)
_BEFORE_REGEX = {"return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else", "do", "instanceof"}


def blank(text: str, *, strings: bool = True) -> str:
    """The code alone: comments, and what is inside strings and regular expressions, become spaces.

    Lines and columns stay where they are; with ``strings=False`` strings and regular expressions stay too.

    >>> blank('post("a // b"); // c')
    'post("      ");     '
    """
    parts: list[str] = []
    before, at = "", 0
    while match := _TOKEN.match(text, at):
        kind, token = match.lastgroup, match[0]
        if kind == "regex" and (before[-1:] in (")", "]", "}") or (_is_word(before) and before not in _BEFORE_REGEX)):
            kind, token = "sign", "/"  # a division
        at += len(token)
        if kind == "comment" or (strings and kind in ("string", "regex")):
            inside = token if kind == "comment" else token[1:]
            end = token[-1] if kind != "comment" and len(token) > 1 and token[-1] == token[0] else ""
            parts.append(token[: len(token) - len(inside)] + _spaces(inside[: len(inside) - len(end)]) + end)
        else:
            parts.append(token)
        if kind not in ("comment", "space"):
            before = '")' if kind in ("string", "regex") else token
    return "".join(parts)


def _is_word(token: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z0-9_$]+", token))


def _spaces(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def line_of(text: str, at: int) -> int:
    """The number, from 1, of the line that character ``at`` is in."""
    return text.count("\n", 0, at) + 1
