"""Tells the holders of limited keys what is left to them, on every HTTP reply, whichever door gives it: the headers of
draft-ietf-httpapi-ratelimit-headers.

A door knows who asks, the host writes the reply. What passes between them is a note in the context of the request, and
only where there is something to tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final

from octonet.access.principal import Visitor
from octonet.gateway import Gateway

_noted: Final[ContextVar[tuple[Gateway, Visitor] | None]] = ContextVar("limited visitor", default=None)


def note(gateway: Gateway, visitor: Visitor) -> None:
    """Whoever asks has a limited key."""
    _noted.set((gateway, visitor))


def forget() -> None:
    """A new request begins where another one ended."""
    _noted.set(None)


def headers() -> Mapping[str, str] | None:
    """What is to be told beside the reply to this request; None where there is nothing."""
    found = _noted.get()
    if found is None:
        return None
    gateway, visitor = found
    told = gateway.allowances(visitor)
    return {
        "RateLimit-Policy": ", ".join(f'"{one.name}";q={one.limit};w={one.window}' for one in told),
        "RateLimit": ", ".join(f'"{one.name}";r={one.left};t={one.ends}' for one in told),
    }
