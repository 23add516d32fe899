"""The requests that a process answers over HTTP: counted always, told one by one while somebody watches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final

import msgspec

from octonet.clock import now
from octonet.kernel.figures import Family, Histogram, Labels, counter, gauge, histogram, labels
from octonet.kernel.ids import DEFAULT_PROJECT
from octonet.kernel.instant import iso
from octonet.transport import Incoming
from transports.engine.performance import Serving, Share

_RECENT: Final = 1000
_RECENT_OF_ONE: Final = 200
"""Of one project: there may be a thousand of them."""
_WINDOW: Final = 5
"""Seconds over which the present rate is told."""
_MOST_LINES: Final = 1000
"""Requests that wait to be told to those who watch; with more, the oldest are left out."""
_FAILED: Final = 500


class Seen(msgspec.Struct, frozen=True):
    """A request, without anything that could be secret: no query, no header, no body. `ms` is a duration, `time`
    ISO-8601 UTC."""

    type: str
    time: str
    transport: str
    method: str
    url: str
    status: int
    ms: float


class _Share:
    """What went to one project."""

    __slots__ = ("errors", "recent", "requests")

    def __init__(self, recent: int = _RECENT_OF_ONE) -> None:
        self.requests = 0
        self.errors = 0
        self.recent: deque[float] = deque(maxlen=recent)

    def add(self, seconds: float, failed: bool) -> None:
        self.requests += 1
        self.errors += failed
        self.recent.append(seconds)

    def told(self) -> Share:
        return Share(self.requests, self.errors, list(self.recent))


class Traffic:
    """Of one process, since it began. `known` says whether a project exists."""

    def __init__(self, known: Callable[[str], bool] = lambda name: False) -> None:
        self._known = known
        self._began = monotonic()
        self._all = _Share(_RECENT)
        self._projects: dict[str, _Share] = {}
        self._statuses: dict[tuple[str, int], int] = {}
        self._times: dict[str, Histogram] = {}
        self._streams: dict[str, int] = {}
        self._seconds: deque[list[int]] = deque(maxlen=_WINDOW + 1)
        self._watched_until = 0.0
        self._lines: deque[Seen] = deque(maxlen=_MOST_LINES)

    def note(self, incoming: Incoming, status: int, seconds: float) -> None:
        """A request was answered."""
        door, failed = incoming.door, status >= _FAILED
        key = (door, status)
        self._statuses[key] = self._statuses.get(key, 0) + 1
        times = self._times.get(door)
        if times is None:
            times = self._times[door] = Histogram()
        times.observe(seconds)
        self._all.add(seconds, failed)
        self._share(incoming.headers.get("x-project", incoming.project)).add(seconds, failed)
        moment = monotonic()
        second = int(moment)
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append([second, 0])
        self._seconds[-1][1] += 1
        if moment < self._watched_until:
            self._tell(incoming, status, seconds)

    def opened(self, incoming: Incoming) -> None:
        """A stream began."""
        self._streams[incoming.door] = self._streams.get(incoming.door, 0) + 1
        if monotonic() < self._watched_until:
            self._tell(incoming, 200, 0.0)

    def closed(self, incoming: Incoming) -> None:
        """It ended."""
        self._streams[incoming.door] -= 1

    def watch(self, seconds: float) -> None:
        """Somebody wants to hear of every request, for so long."""
        self._watched_until = monotonic() + seconds

    @property
    def watched(self) -> bool:
        """Whether anybody still does."""
        return monotonic() < self._watched_until

    def told(self) -> list[Seen]:
        """What there is to tell those who watch; it is told once."""
        found = list(self._lines)
        self._lines.clear()
        return found

    def serving(self) -> Serving:
        """All of it, to be put together with what other processes say."""
        projects = {name: share.told() for name, share in self._projects.items()}
        return Serving(monotonic() - self._began, self._rate(), self._all.told(), projects)

    def families(self) -> list[Family]:
        """All of it, as figures."""
        answered: dict[Labels, float] = {
            labels(transport=door, status=str(status)): count for (door, status), count in self._statuses.items()
        }
        asked: dict[Labels, float] = {
            labels(project=project): share.requests for project, share in self._projects.items()
        }
        times = {labels(transport=door): one for door, one in self._times.items()}
        streams: dict[Labels, float] = {labels(transport=door): count for door, count in self._streams.items()}
        return [
            counter("octonet_http_requests_total", "Requests that were answered.", answered),
            counter("octonet_project_requests_total", "Requests by the project that their path names.", asked),
            histogram("octonet_http_request_seconds", "Time from a request to its answer.", times),
            gauge("octonet_http_streams", "Streams that are open.", streams),
        ]

    def _rate(self) -> float:
        """Requests a second, at the moment."""
        end = int(monotonic())
        return sum(count for second, count in self._seconds if end - _WINDOW <= second < end) / _WINDOW

    def _share(self, project: str) -> _Share:
        share = self._projects.get(project)
        if share is None:
            name = project if self._known(project) else DEFAULT_PROJECT
            share = self._projects.setdefault(name, _Share())
        return share

    def _tell(self, incoming: Incoming, status: int, seconds: float) -> None:
        # Queries may hold keys, and are never told.
        path = incoming.target.partition("?")[0]
        at = iso(now())
        door = incoming.door or "http"
        self._lines.append(Seen("request", at, door, incoming.method, path, status, round(seconds * 1000, 3)))
