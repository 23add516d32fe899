"""A line for every request, where an operator wants them."""

from __future__ import annotations

import logging
from typing import Final

from octonet.transport import Incoming

TRACEPARENT: Final = "traceparent"
_log = logging.getLogger("octonet.request")


def log_request(incoming: Incoming, status: int, seconds: float) -> None:
    """Without the query, which may hold keys. The ids that the request came with, or was given, stand beside it."""
    headers = incoming.headers
    path = incoming.target.partition("?")[0]
    more = {
        "transport": incoming.door,
        "project": incoming.project,
        "method": incoming.method,
        "path": path,
        "status": status,
        "ms": round(seconds * 1000, 3),
        "address": incoming.address,
        "traceparent": headers.get(TRACEPARENT, ""),
        "correlation": headers.get("x-correlation-id") or headers.get("x-request-id") or "",
    }
    _log.info("%s %s %d %.1f ms", incoming.method, path, status, seconds * 1000, extra={"octonet": more})
