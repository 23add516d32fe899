"""Which form of answer a client prefers, by its Accept header."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

RESPONSE: Final = "application/graphql-response+json"
LEGACY: Final = "application/json"
_MODERN: Final = (RESPONSE, LEGACY)
_OLD: Final = (LEGACY, RESPONSE)
EVENTS: Final = "text/event-stream"
PAGE: Final = "text/html"


@lru_cache(maxsize=1024)
def form(header: str) -> str:
    """The form of a GraphQL answer; empty when no form is liked. Who does not name the new one, gets the old one."""
    return best(header, _MODERN if RESPONSE in header.lower() else _OLD)


@lru_cache(maxsize=1024)
def best(header: str, offered: Sequence[str]) -> str:
    """The offer that is liked most, the first of several; empty when none is liked at all. Without a header, and for
    ``*/*``, that is the first offer."""
    ranges = list(_ranges(header)) or [("*/*", 1.0)]
    liked = [(_quality(offer, ranges), offer) for offer in offered]
    quality = max(quality for quality, _ in liked)
    return next(offer for found, offer in liked if found == quality) if quality > 0 else ""


def _ranges(header: str) -> Iterator[tuple[str, float]]:
    for part in header.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if not media:
            continue
        quality = 1.0
        charset = "utf-8"
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                quality = _number(value.strip())
            elif name.strip() == "charset":
                charset = value.strip().strip('"')
        yield media, quality if charset in ("utf-8", "utf8", "*") else 0.0


def _number(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def _quality(offer: str, ranges: Sequence[tuple[str, float]]) -> float:
    """That of the range which says the most about the offer."""
    kind = offer.split("/", maxsplit=1)[0]
    for named in (offer, f"{kind}/*", "*/*"):
        found = [quality for media, quality in ranges if media == named]
        if found:
            return max(found)
    return 0.0
