"""Lines of arguments, cut into what a server takes at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from octonet.dialects.engine.grammar import Cell


def packets(lines: Sequence[Sequence[Cell]], most: int, letters: int) -> Iterator[Sequence[Sequence[Cell]]]:
    """At most `most` lines at a time, and no line more once there are more than `letters` letters and bytes."""
    start = held = 0
    for number, line in enumerate(lines):
        if number > start and (held > letters or number - start >= most):
            yield lines[start:number]
            start, held = number, 0
        held += sum(len(cell) for cell in line if isinstance(cell, str | bytes))
    if lines:
        yield lines[start:]


def columns(lines: Sequence[Sequence[Cell]]) -> list[Cell]:
    """Lines turned into columns."""
    return [cast("Cell", list(column)) for column in zip(*lines, strict=True)]
