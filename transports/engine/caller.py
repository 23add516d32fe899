"""Who is calling over HTTP, and which project they mean."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from octonet.access.principal import Caller, Visitor
from octonet.gateway import Gateway
from octonet.kernel.envelope import Actor
from octonet.kernel.errors import NotFound, invalid
from octonet.kernel.ids import DEFAULT_PROJECT, ProjectName, is_private
from octonet.transport import Incoming
from transports.engine import limits

_LONGEST = 128
_TRACEPARENT = 55
_TOLD = frozenset({"x-correlation-id", "x-request-id", "traceparent"})


def project_of(incoming: Incoming, asked: str | None = None) -> ProjectName:
    """The project that a request is about, as the header, the query string (`asked`) or the path name it.

    Raises `Invalid` with code PROJECT_CONFLICT when two of them name different ones, `NotFound` with code
    UNKNOWN_PROJECT for private projects; whether any other exists, the gateway says.
    """
    header = incoming.headers.get("x-project")
    if header is None and asked is None:
        # The mounts know of no private project.
        return incoming.project
    named = {name for name in (header, asked) if name is not None}
    if incoming.project != DEFAULT_PROJECT:
        named.add(incoming.project)
    if len(named) > 1:
        raise invalid("X-Project", "and the address name different projects", code="PROJECT_CONFLICT")
    project = ProjectName(named.pop())
    if is_private(project):
        raise NotFound(f"no project is called {project!r}", code="UNKNOWN_PROJECT")
    return project


def caller(incoming: Incoming, transport: str, ticket: str = "") -> Caller:
    """Who asks, and the key they show: ``X-API-Key``, else ``Authorization: Bearer``. `ticket` stands for the key where
    a browser can send no header."""
    return Caller(actor(incoming, transport), _shown(incoming.headers), ticket)


def known(gateway: Gateway, incoming: Incoming, transport: str) -> Visitor | None:
    """Whoever sent this, when they sent something like it a moment ago; None for everybody else, whom `visitor` must
    look at."""
    headers = incoming.headers
    if _TOLD.isdisjoint(headers):
        found = gateway.known(_shown(headers), transport, incoming.address)
        if found is not None and found.principal.limited:
            limits.note(gateway, found)
        return found
    # What is recorded of this one request is in no other.
    return None


async def visitor(gateway: Gateway, incoming: Incoming, transport: str, ticket: str = "") -> Visitor:
    """Let in whoever sent this. Raises as `Gateway.admit` does."""
    if not ticket and (met := known(gateway, incoming, transport)) is not None:
        return met
    who = caller(incoming, transport, ticket)
    found = gateway.recognise(who) or await gateway.admit(who)
    if found.principal.limited:
        limits.note(gateway, found)
    return found


def shows_nothing(headers: Mapping[str, str]) -> bool:
    """Whether a request brings no credential, not even a wrong one."""
    return "x-api-key" not in headers and "authorization" not in headers


def _shown(headers: Mapping[str, str]) -> str:
    shown = headers.get("x-api-key", "")
    if not shown and "authorization" in headers:
        scheme, _, rest = headers["authorization"].partition(" ")
        shown = rest.strip() if scheme.lower() == "bearer" else ""
    return shown


def actor(incoming: Incoming, transport: str) -> Actor:
    """Who asks, as far as the request itself tells. Headers that could not be logged safely are left out."""
    headers = incoming.headers
    if _TOLD.isdisjoint(headers):
        return _unnamed(transport, incoming.address)
    correlation = headers.get("x-correlation-id") or headers.get("x-request-id") or ""
    trace = headers.get("traceparent", "")
    return Actor(
        transport=transport,
        address=incoming.address,
        correlation=correlation if _clean(correlation) else "",
        traceparent=trace if len(trace) == _TRACEPARENT and _clean(trace) else "",
    )


def under_trace(who: Visitor, trace: object) -> Visitor:
    """The same visitor, under a trace that came elsewhere than in the headers. What could not be logged safely is left
    out."""
    if not isinstance(trace, str) or len(trace) != _TRACEPARENT or not _clean(trace):
        return who
    return Visitor(who.principal, msgspec.structs.replace(who.actor, traceparent=trace))


@lru_cache(maxsize=1024)
def _unnamed(transport: str, address: str) -> Actor:
    return Actor(transport=transport, address=address)


def _clean(text: str) -> bool:
    return len(text) <= _LONGEST and text.isascii() and text.isprintable()
