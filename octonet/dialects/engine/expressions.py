"""Patterns as regular expressions that whole texts match, in the language of PCRE and of Java: letters in any case."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from octonet.dialects.engine.glob import cases
from octonet.kernel.filter import Literal, Wild, Wildcard


def any_case(letter: str) -> str:
    """Every letter whose lower case is this one."""
    others = cases(letter)
    if others:
        return f"[{letter}{others}]"
    return letter if letter.isalnum() or not letter.isascii() else f"\\{letter}"


def anchored(
    parts: Sequence[Literal | Wild], one: str = ".", letter: Callable[[str], str] = any_case, lower: bool = True
) -> str:
    """The expression; `one` stands for any one letter, `letter` writes one of the pattern's own, in lower case unless
    case counts. What stands between two gaps of any length is found where it comes first, and never looked for again: a
    text is read once, however many gaps there are."""
    runs: list[str] = [""]
    for part in parts:
        if isinstance(part, Wild) and part.kind is Wildcard.MANY:
            runs.append("")
        elif isinstance(part, Wild):
            runs[-1] += one
        else:
            runs[-1] += "".join(letter(each) for each in (part.text.lower() if lower else part.text))
    first, *between = runs
    if not between:
        return rf"(?s)\A{first}\z"
    last = between.pop()
    return rf"(?s)\A{first}{''.join(f'(?>.*?{run})' for run in between if run)}.*{last}\z"
