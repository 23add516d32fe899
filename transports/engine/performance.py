"""How the processes of an installation serve, put together: `/api/performance`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec


class Share(msgspec.Struct, frozen=True, array_like=True):
    """Requests and errors since the process began, and the seconds that the last ones took."""

    requests: int
    errors: int
    recent: list[float]


class Serving(msgspec.Struct, frozen=True, array_like=True):
    """Of one process. `uptime` in seconds, `rate` in requests a second, `refused` those that were too many."""

    uptime: float
    rate: float
    whole: Share
    projects: Mapping[str, Share]
    refused: int = 0


def summary(processes: Iterable[Serving]) -> dict[str, object]:
    """As the page of the reference has it; times in milliseconds, uptime in seconds."""
    found = list(processes)
    names = sorted({name for process in found for name in process.projects})
    shares = {name: [process.projects[name] for process in found if name in process.projects] for name in names}
    whole = _together([process.whole for process in found])
    return {
        "uptime": round(max((process.uptime for process in found), default=0.0), 1),
        "processes": len(found),
        "totalRequests": whole.pop("requests"),
        "totalErrors": whole.pop("errors"),
        "requestsPerSecond": round(sum(process.rate for process in found), 1),
        **whole,
        "perProject": {name: _together(of) for name, of in shares.items()},
    }


def _together(shares: Iterable[Share]) -> dict[str, object]:
    found = list(shares)
    times = sorted(seconds for share in found for seconds in share.recent)
    return {
        "requests": sum(share.requests for share in found),
        "errors": sum(share.errors for share in found),
        "p50": _at(times, 50),
        "p99": _at(times, 99),
    }


def _at(times: list[float], percent: int) -> float:
    return round(times[min(len(times) - 1, len(times) * percent // 100)] * 1000, 3) if times else 0.0
