"""The part of regular expressions that every database can answer: anchors, `.`, `.*` and escapes."""

from __future__ import annotations

from typing import Final

from octonet.kernel import value_types
from octonet.kernel.errors import Invalid, invalid
from octonet.kernel.faults import quote
from octonet.kernel.filter import Literal, Wild, Wildcard
from octonet.kernel.value_types import Misfit

_CODE: Final = "UNSUPPORTED_PATTERN"
_LONGEST: Final = 256
_MANY: Final = Wild(Wildcard.MANY)
_ONE: Final = Wild(Wildcard.ONE)


def parse(value: object, path: str) -> tuple[Literal | Wild, ...]:
    """The parts of a pattern; a side without anchor is open. Raises `Invalid`, code UNSUPPORTED_PATTERN."""
    try:
        value = value_types.text(value)
    except Misfit as misfit:
        raise invalid(path, str(misfit), code=_CODE) from None
    if len(value) > _LONGEST:
        raise invalid(path, f"a pattern has at most {_LONGEST} characters", code=_CODE)
    parts: list[Literal | Wild] = [] if value.startswith("^") else [_MANY]
    at = 1 if value.startswith("^") else 0
    while at < len(value):
        if value[at:] == "$":
            return tuple(parts)
        part, at = _next(value, at, path)
        _add(parts, part)
    _add(parts, _MANY)
    return tuple(parts)


def contains(text: str) -> tuple[Literal | Wild, ...]:
    """The parts that find a text anywhere."""
    return (_MANY, Literal(text), _MANY)


def _next(value: str, at: int, path: str) -> tuple[Literal | Wild, int]:
    """The part that begins here, and where the next one does."""
    character = value[at]
    if character == "\\":
        escaped = value[at + 1 : at + 2]
        if not escaped or escaped.isalnum():
            raise _unsupported(character + escaped, path)
        return Literal(escaped), at + 2
    if character == ".":
        many = value[at + 1 : at + 2] == "*"
        return (_MANY, at + 2) if many else (_ONE, at + 1)
    if character in "[]()|+?{}*^$":
        raise _unsupported(character, path)
    return Literal(character), at + 1


def _add(parts: list[Literal | Wild], part: Literal | Wild) -> None:
    last = parts[-1] if parts else None
    if isinstance(part, Literal) and isinstance(last, Literal):
        parts[-1] = Literal(last.text + part.text)
    elif part != _MANY or last != _MANY:
        parts.append(part)


def _unsupported(found: str, path: str) -> Invalid:
    sentence = "is not supported here: a pattern may use ^ and $ at its ends, . and .*, and \\ before a sign"
    return invalid(path, f"{quote(found)} {sentence}", code=_CODE)
