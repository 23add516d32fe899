"""Cross-origin access from browsers: only for the origins that the operator named, never with credentials."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from aiohttp import web

ANY = "*"

_GRANTED: web.RequestKey[Mapping[str, str]] = web.RequestKey("cors")
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": (
        "Content-Type, Authorization, X-API-Key, X-Project, Accept, Prefer, Last-Event-ID, Idempotency-Key, If-Match, "
        "Octonet-Min-Position, X-Correlation-Id, X-Request-Id, traceparent, mcp-session-id"
    ),
    "Access-Control-Max-Age": "600",
}
_EXPOSED = "Octonet-Position, Preference-Applied, Retry-After, ETag, mcp-session-id"


class Policy(msgspec.Struct, frozen=True):
    """The origins that browsers may call from; `*` stands for any."""

    origins: frozenset[str]

    def enter(self, request: web.BaseRequest) -> web.Response | None:
        """Note what the request's origin is granted; answer it at once where it is only a preflight."""
        origin = request.headers.get("Origin")
        if origin is None:
            return None
        granted = {"Vary": "Origin"}
        if ANY in self.origins or origin in self.origins:
            granted["Access-Control-Allow-Origin"] = ANY if ANY in self.origins else origin
            granted["Access-Control-Expose-Headers"] = _EXPOSED
        request[_GRANTED] = granted
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
            return None
        return web.Response(status=204, headers=_PREFLIGHT if "Access-Control-Allow-Origin" in granted else None)


def granted(request: web.BaseRequest) -> Mapping[str, str]:
    """The headers by which the response shares itself with the request's origin. The host adds them by itself, except
    where a door has already sent its headers."""
    found: Mapping[str, str] = request.get(_GRANTED, {})
    return found
