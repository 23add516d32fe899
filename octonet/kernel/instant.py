"""Times as they are written: ISO-8601, UTC, milliseconds, Z."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from octonet.kernel.errors import invalid


@lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    """A second as text: thousands of commands share it."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


@lru_cache(maxsize=1024)
def iso(milliseconds: int) -> str:
    """`2026-11-23T15:04:05.678Z` from milliseconds since 1970."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


def milliseconds(text: str, path: str = "$.time") -> int:
    """Milliseconds since 1970 from any ISO-8601 text; without an offset it is UTC. Refused with `path` otherwise."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(path, f"{text!r} is not an ISO-8601 time") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)
