"""Spans by OpenTelemetry, sent over OTLP as every collector takes them."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urljoin

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from octonet import __version__

_PATH = "/v1/traces"
_ERROR = 500
_propagator = TraceContextTextMapPropagator()


class _Request:
    """Implements `octonet.kernel.trace.Span`."""

    def __init__(self, span: Span) -> None:
        self._span = span
        context = span.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"

    def end(self, status: int) -> None:
        """See the port."""
        self._span.set_attribute("http.response.status_code", status)
        if status >= _ERROR:
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


class Tracing:
    """Implements `octonet.kernel.trace.Trace`. Spans are sent by a thread of their own; those that a collector does not
    take are lost, and hold up nobody."""

    def __init__(self, url: str, share: float, process: str) -> None:
        """`url`: where a collector listens, with or without its path; `share`: of the requests that come without a
        trace, how many get one, from 0 to 1."""
        resource = Resource.create(
            {SERVICE_NAME: "octonet", SERVICE_VERSION: __version__, SERVICE_INSTANCE_ID: process}
        )
        self._provider = TracerProvider(
            resource=resource, sampler=ParentBased(TraceIdRatioBased(share)), shutdown_on_exit=False
        )
        whole = url if url.rstrip("/").endswith(_PATH) else urljoin(url.rstrip("/") + "/", _PATH.lstrip("/"))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=whole)))
        self._tracer = self._provider.get_tracer("octonet", __version__)

    def begin(self, name: str, parent: str, attributes: Mapping[str, str]) -> _Request:
        """See the port."""
        span = self._tracer.start_span(
            name, context=_context(parent), kind=SpanKind.SERVER, attributes=dict(attributes)
        )
        return _Request(span)

    def record(
        self, name: str, parent: str, began: int, ended: int, attributes: Mapping[str, str | int], failed: str = ""
    ) -> None:
        """See the port."""
        span = self._tracer.start_span(
            name,
            context=_context(parent),
            kind=SpanKind.CONSUMER,
            attributes=dict(attributes),
            start_time=began,
        )
        if failed:
            span.set_status(Status(StatusCode.ERROR, failed))
        span.end(ended)

    def close(self) -> None:
        """Send what waits."""
        self._provider.shutdown()


def _context(parent: str) -> Context:
    return _propagator.extract({"traceparent": parent}) if parent else Context()
