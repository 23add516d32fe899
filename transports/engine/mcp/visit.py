"""What the handlers of a request must know beside it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from transports.engine.mcp.view import View


class Visit(msgspec.Struct, frozen=True):
    """Who asks, and the headers of their request."""

    view: View
    headers: Mapping[str, str] = {}
