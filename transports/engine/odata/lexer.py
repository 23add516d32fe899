"""Cuts the text of an expression into tokens."""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final

import msgspec

from transports.engine.odata.problems import syntax

LONGEST: Final = 32 * 1024
"""Characters of one expression."""


class Kind(Enum):
    """What a token is."""

    STRING = auto()
    MOMENT = auto()
    DATE = auto()
    GUID = auto()
    TIME = auto()
    NUMBER = auto()
    TYPED = auto()
    """A literal that names its type before its quotes: ``duration'P1D'``."""
    JSON = auto()
    """A text in the quotes of JSON."""
    NAME = auto()
    PUNCTUATION = auto()
    SPACE = auto()
    END = auto()


class Token(msgspec.Struct, frozen=True):
    """A piece of the text, and where it begins."""

    kind: Kind
    text: str
    at: int


_GUID: Final = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_DATE: Final = r"-?[0-9]{4,}-[0-9]{2}-[0-9]{2}"
_CLOCK: Final = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,12})?)?"
_END: Final = r"(?![\w.])"
_TOKEN: Final = re.compile(
    rf"(?P<SPACE>[ \t]+)"
    rf"|(?P<STRING>'(?:[^']|'')*')"
    rf"|(?P<GUID>{_GUID}){_END}"
    rf"|(?P<MOMENT>{_DATE}[Tt]{_CLOCK}(?:[Zz]|[+-][0-9]{{2}}:[0-9]{{2}})){_END}"
    rf"|(?P<DATE>{_DATE}){_END}"
    rf"|(?P<TIME>{_CLOCK}){_END}"
    rf"|(?P<NUMBER>[+-]?(?:[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|INF)){_END}"
    rf"|(?P<TYPED>[A-Za-z_][\w.]*'(?:[^']|'')*')"
    rf"|(?P<NAME>[$@]?[^\W\d][\w]*(?:\.[^\W\d]\w*)*)"
    rf'|(?P<JSON>"(?:[^"\\]|\\.)*")'
    rf"|(?P<PUNCTUATION>[(),/:=;*.\[\]{{}}-])"
)


def tokens(text: str, option: str) -> list[Token]:
    """The tokens of a text, spaces among them, END last. Raises `Invalid`, code SYNTAX_ERROR, naming the character."""
    if len(text) > LONGEST:
        raise syntax(option, LONGEST, f"an expression has at most {LONGEST} characters")
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            what = "a text that does not end" if text[at] == "'" else f"{text[at]!r} is not expected"
            raise syntax(option, at, what)
        assert match.lastgroup is not None
        found.append(Token(Kind[match.lastgroup], match[0], at))
        at = match.end()
    found.append(Token(Kind.END, "", at))
    return found


def unquoted(text: str) -> str:
    """What stands between the quotes, doubled ones halved."""
    return text[1:-1].replace("''", "'")
