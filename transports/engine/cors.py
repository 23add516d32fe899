"""Cross-origin access from browsers: only for the origins that the operator named, never with credentials."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from octonet.transport import Incoming, Reply

ANY = "*"

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": (
        "Content-Type, Authorization, X-API-Key, X-Project, Accept, Prefer, Last-Event-ID, Idempotency-Key, If-Match, "
        "If-None-Match, Octonet-Min-Position, Octonet-Dry-Run, X-Correlation-Id, X-Request-Id, traceparent, "
        "mcp-session-id, mcp-protocol-version, mcp-method, mcp-name, OData-Version, OData-MaxVersion, MIME-Version, "
        "X-CSRF-Token, X-SAP-Security-Session, SAP-Cancel-On-Close"
    ),
    "Access-Control-Max-Age": "600",
}
_VARY = {"Vary": "Origin"}
_ALLOWED = "Access-Control-Allow-Origin"
_EXPOSED = (
    "Octonet-Position, Octonet-Dry-Run, Octonet-Cursor, Octonet-More, Preference-Applied, Retry-After, RateLimit, "
    "RateLimit-Policy, ETag, Location, mcp-session-id, OData-Version, OData-EntityId"
)


class Policy(msgspec.Struct, frozen=True):
    """The origins that browsers may call from; `*` stands for any."""

    origins: frozenset[str]

    def granted(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The headers by which an answer shares itself with the origin that these request headers name."""
        origin = headers.get("origin")
        if origin is None:
            return {}
        if ANY not in self.origins and origin not in self.origins:
            return _VARY
        shown = ANY if ANY in self.origins else origin
        return {**_VARY, _ALLOWED: shown, "Access-Control-Expose-Headers": _EXPOSED}


def preflight(incoming: Incoming) -> Reply | None:
    """The answer to a browser that only asks what it may do; None to any other request."""
    asks = incoming.method == "OPTIONS" and "origin" in incoming.headers
    if not asks or "access-control-request-method" not in incoming.headers:
        return None
    return Reply(status=204, headers=_PREFLIGHT if _ALLOWED in incoming.shared else {})
