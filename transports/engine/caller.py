"""Who is calling over HTTP, and which project they mean."""

from __future__ import annotations

from functools import lru_cache

from aiohttp import web

from octonet.kernel.envelope import Actor
from octonet.kernel.errors import NotFound
from octonet.kernel.ids import DEFAULT_PROJECT, ProjectName

PROJECT: web.RequestKey[ProjectName] = web.RequestKey("project")
"""The project named by the first segment of the path; the default project where none is."""
BELOW: web.RequestKey[str] = web.RequestKey("below")
"""The path below the door's prefix, still percent-encoded, without the query: empty or starting with a slash."""

_LONGEST = 128
_TRACEPARENT = 55
_TOLD = ("X-Correlation-Id", "X-Request-Id", "traceparent")


def project_of(request: web.BaseRequest, asked: str | None = None) -> ProjectName:
    """The project that a request is about: the header wins over the query string (`asked`), that over the path.

    Raises `NotFound` with code UNKNOWN_PROJECT for private projects; whether any other exists, the gateway says.
    """
    named = request.headers.get("X-Project", asked)
    project = request.get(PROJECT, DEFAULT_PROJECT) if named is None else ProjectName(named)
    if project.startswith("_"):
        raise NotFound(f"no project is called {project!r}", code="UNKNOWN_PROJECT")
    return project


def actor(request: web.BaseRequest, transport: str) -> Actor:
    """Who asks, as far as the request itself tells. Headers that could not be logged safely are left out."""
    headers = request.headers
    if not any(name in headers for name in _TOLD):
        return _unnamed(transport, request.remote or "")
    correlation = headers.get("X-Correlation-Id") or headers.get("X-Request-Id") or ""
    trace = headers.get("traceparent", "")
    return Actor(
        transport=transport,
        address=request.remote or "",
        correlation=correlation if _clean(correlation) else "",
        traceparent=trace if len(trace) == _TRACEPARENT and _clean(trace) else "",
    )


@lru_cache(maxsize=1024)
def _unnamed(transport: str, address: str) -> Actor:
    return Actor(transport=transport, address=address)


def _clean(text: str) -> bool:
    return len(text) <= _LONGEST and text.isascii() and text.isprintable()
