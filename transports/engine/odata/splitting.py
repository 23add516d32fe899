"""Cuts a text where it is not inside quotes or parentheses."""

from __future__ import annotations

from transports.engine.odata.problems import syntax

_DEEPEST = 64


def split(text: str, separator: str, option: str) -> list[tuple[str, int]]:
    """The parts between separators of the outermost level, each with the character at which it begins. Raises
    `Invalid`, code SYNTAX_ERROR, where quotes or parentheses do not end."""
    found: list[tuple[str, int]] = []
    start = depth = 0
    quoted = False
    for at, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif character == "(":
            depth += 1
            if depth > _DEEPEST:
                raise syntax(option, at, "is nested too deeply")
        elif character == ")":
            depth -= 1
            if depth < 0:
                raise syntax(option, at, "')' is not expected")
        elif character == separator and depth == 0:
            found.append((text[start:at], start))
            start = at + 1
    if quoted or depth:
        raise syntax(option, len(text), "a quote or a parenthesis does not end")
    found.append((text[start:], start))
    return found


def within(text: str, option: str, at: int) -> tuple[str, str | None]:
    """What stands before the first parenthesis, and what in it; None where there is none. It must end the text."""
    opening = text.find("(")
    if opening < 0:
        return text, None
    if not text.endswith(")"):
        raise syntax(option, at + len(text), "nothing may follow the parenthesis")
    return text[:opening].strip(), text[opening + 1 : -1]
