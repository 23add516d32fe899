"""What every request passes that does not come by HTTP: limits, figures, traces."""

from __future__ import annotations

from time import perf_counter

import msgspec

from octonet.kernel.errors import OctonetError
from octonet.kernel.trace import Span, Trace
from octonet.transport import Incoming
from transports.engine import limits, render
from transports.engine.request_log import TRACEPARENT
from transports.engine.throttle import FREE, Throttle
from transports.engine.traffic import Traffic


class Turnstile:
    """That of one process, beside its HTTP host. Implements `octonet.transport.Turnstile`."""

    def __init__(self, traffic: Traffic, throttle: Throttle, trace: Trace | None) -> None:
        self._traffic = traffic
        self._throttle = throttle
        self._trace = trace

    def enter(self, incoming: Incoming, *, stream: bool = False) -> Passage:
        """See the port."""
        limits.forget()
        if self._throttle.pace is not FREE:
            try:
                self._throttle.check(incoming)
            except OctonetError as problem:
                self._traffic.note(incoming, render.status_of(problem), 0.0)
                raise
        span: Span | None = None
        if self._trace is not None:
            attributes = {"octonet.transport": incoming.door, "url.path": incoming.target}
            name = f"{incoming.door} {incoming.target}"
            span = self._trace.begin(name, incoming.headers.get(TRACEPARENT, ""), attributes)
            headers = {**incoming.headers, TRACEPARENT: span.traceparent}
            incoming = msgspec.structs.replace(incoming, headers=headers)
        if stream:
            self._traffic.opened(incoming)
        return Passage(self._traffic, incoming, span, stream)


class Passage:
    """One request. Implements `octonet.transport.Passage`."""

    def __init__(self, traffic: Traffic, incoming: Incoming, span: Span | None, stream: bool) -> None:
        self.incoming = incoming
        self._traffic = traffic
        self._span = span
        self._stream = stream
        self._began = perf_counter()

    def leave(self, problem: OctonetError | None = None) -> None:
        """See the port."""
        status = 200 if problem is None else render.status_of(problem)
        if self._stream:
            self._traffic.closed(self.incoming)
        else:
            self._traffic.note(self.incoming, status, perf_counter() - self._began)
        if self._span is not None:
            self._span.end(status)
