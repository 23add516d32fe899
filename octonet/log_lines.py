"""Log records as JSON, an object on each line, for programs that collect them."""

from __future__ import annotations

import logging
from typing import Final

import msgspec

from octonet.kernel.instant import iso

_TRACE: Final = slice(3, 35)
_SPAN: Final = slice(36, 52)
_TRACEPARENT: Final = 55


class JsonLines(logging.Formatter):
    """`time` (ISO-8601 UTC), `level`, `logger`, `message`, `exception`; members of `extra={"octonet": {...}}` beside
    them, and of a ``traceparent`` among those the ids by which a trace is found."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        told: dict[str, object] = {
            "time": iso(int(record.created * 1000)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        more = getattr(record, "octonet", None)
        if isinstance(more, dict):
            told |= {name: value for name, value in more.items() if value != ""}
            trace = more.get("traceparent")
            if isinstance(trace, str) and len(trace) == _TRACEPARENT:
                told |= {"trace_id": trace[_TRACE], "span_id": trace[_SPAN]}
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(told).decode()
