"""The Flight server: its methods run on threads of gRPC, and hand everything to the event loop."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec
import pyarrow as pa
from pyarrow import flight

from octonet.gateway import Gateway
from octonet.kernel.errors import OctonetError, invalid
from octonet.kernel.ids import ProjectName
from octonet.kernel.operation import Family, Request
from octonet.kernel.schema import EntitySchema
from octonet.project import Project
from octonet.transport import Turnstile
from transports.engine.arrow import acting, problems, storing, tailing, tickets, wishes
from transports.engine.arrow.bridge import Bridge
from transports.engine.arrow.call import HEADERS, Call, Handshake, Reception
from transports.engine.arrow.columns import Columns
from transports.engine.arrow.scan import Scan
from transports.engine.arrow.sql import Sql
from transports.engine.arrow.wishes import Named

log = logging.getLogger("octonet.arrow")

ROWS = "rows"
"""The purpose of a ticket for the rows of an entity."""
T = TypeVar("T")


class Server(flight.FlightServerBase):  # type: ignore[misc]  # pyarrow has no types
    """Serves from the moment it is made. `tls`: certificates and keys in PEM; `authority`: of the clients' ones."""

    def __init__(
        self,
        gateway: Gateway,
        bridge: Bridge,
        turnstile: Turnstile,
        location: str,
        sql: Sql,
        largest: int,
        tls: tuple[str, str] | None,
        authority: str,
    ) -> None:
        self._gateway = gateway
        self._bridge = bridge
        self._turnstile = turnstile
        self._sql = sql
        self._largest = largest
        super().__init__(
            location,
            auth_handler=Handshake(),
            tls_certificates=[tls] if tls else None,
            verify_client=bool(authority),
            root_certificates=authority or None,
            middleware={HEADERS: Reception()},
        )

    def list_flights(self, context: flight.ServerCallContext, criteria: bytes) -> Iterator[flight.FlightInfo]:
        """Every entity that the caller may read; `criteria` as a JSON object may name a `project` and an `entity`."""
        return iter(self._guarded(context, "ListFlights", lambda call: list(self._flights(call, bytes(criteria)))))

    def get_flight_info(
        self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor
    ) -> flight.FlightInfo:
        """Where the rows of an entity are to be had, or the answer to a statement."""

        def told(call: Call) -> flight.FlightInfo:
            if self._sql.means(descriptor.command):
                return self._sql.info(call, descriptor)
            named = _named(descriptor)
            return _info(call, self._scan(call, named), descriptor, named)

        return self._guarded(context, "GetFlightInfo", told)

    def get_schema(self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor) -> flight.SchemaResult:
        """The columns of an entity, or of the answer to a statement."""

        def told(call: Call) -> flight.SchemaResult:
            if self._sql.means(descriptor.command):
                return flight.SchemaResult(self._sql.schema(call, descriptor.command))
            named = _named(descriptor)
            return flight.SchemaResult(self._scan(call, named).columns.schema)

        try:
            found = self._guarded(context, "GetSchema", told)
        except flight.FlightError as problem:
            found = problem
        if isinstance(found, flight.FlightError):
            # What this method raises, and no other, pyarrow tells with every place that it came through.
            raise found.with_traceback(None)
        return found

    get_schema.__code__ = get_schema.__code__.replace(co_filename="octonet")

    def do_get(self, context: flight.ServerCallContext, ticket: flight.Ticket) -> flight.FlightDataStream:
        """The rows that a ticket stands for."""

        def told(call: Call) -> flight.FlightDataStream:
            if self._sql.means(ticket.ticket):
                schema, batches = self._sql.stream(call, ticket.ticket)
            else:
                opened = tickets.read(call, ROWS, ticket.ticket)
                named = msgspec.convert(opened.says, Named)
                scan = self._scan(call, named)
                schema, batches = scan.columns.schema, scan.batches()
            return flight.GeneratorStream(schema, self._streamed(lambda: batches))

        return self._guarded(context, "DoGet", told)

    def do_put(
        self,
        context: flight.ServerCallContext,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.FlightMetadataWriter,
    ) -> None:
        """Rows that are to be written, or the parameters of a prepared statement."""

        def done(call: Call) -> None:
            if self._sql.means(descriptor.command):
                self._sql.put(call, descriptor.command, reader, writer)
            else:
                named = _named(descriptor)
                storing.store(call, named, reader, writer, self._largest)

        self._guarded(context, "DoPut", done)

    def do_exchange(
        self,
        context: flight.ServerCallContext,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.MetadataRecordBatchWriter,
    ) -> None:
        """Facts, as they happen."""
        self._guarded(context, "DoExchange", lambda call: tailing.tail(call, _named(descriptor), writer), stream=True)

    def list_actions(self, context: flight.ServerCallContext) -> list[flight.ActionType]:
        """Every operation, and what the protocol knows."""
        return self._guarded(context, "ListActions", lambda call: [*acting.described(call), *self._sql.actions()])

    def do_action(self, context: flight.ServerCallContext, action: flight.Action) -> Iterator[bytes]:
        """Do an operation, or what the protocol knows."""

        def done(call: Call) -> list[bytes]:
            body = action.body.to_pybytes()
            if len(body) > self._largest:
                raise invalid("$", f"has more than {self._largest} bytes", code="BODY_TOO_LARGE")
            if self._sql.acts(action.type):
                return self._sql.act(call, action.type, body)
            return [acting.act(call, action.type, body)]

        return iter(self._guarded(context, "DoAction", done))

    def _flights(self, call: Call, criteria: bytes) -> Iterator[flight.FlightInfo]:
        wanted = wishes.json_object(criteria) if criteria else {}
        for name in wanted:
            if name not in ("project", "entity"):
                raise invalid(f"$.{name}", "is not a member of criteria: there are project and entity")
        header = call.headers.get("x-project")
        project, entity = wanted.get("project", header), wanted.get("entity")
        homes = [home for home, families in call.gateway.visible(call.who) if Family.READ in families]
        call.run(call.gateway.count(call.who))
        for home in homes:
            for schema in home.schemas.entities.values():
                if project in (None, home.name) and entity in (None, schema.name, schema.collection):
                    yield _entity_info(call, home, schema)

    def _scan(self, call: Call, named: Named) -> Scan:
        return Scan(call, call.project(named.project), _request(named))

    def _guarded(
        self, context: flight.ServerCallContext, method: str, work: Callable[[Call], T], *, stream: bool = False
    ) -> T:
        with _Told():
            call = Call(self._gateway, self._bridge, self._turnstile, context, method, stream)
            problem: OctonetError | None = None
            try:
                return work(call)
            except OctonetError as refused:
                problem = refused
                raise
            finally:
                call.leave(problem)

    def _streamed(self, begin: Callable[[], Iterator[T]]) -> Iterator[T]:
        with _Told():
            yield from begin()


class _Told:
    """The outermost place: whatever goes wrong inside becomes an error that Flight can tell."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: object) -> None:
        if problem is None or isinstance(problem, flight.FlightError | GeneratorExit):
            return
        if isinstance(problem, OctonetError):
            raise problems.told(problem) from None
        if isinstance(problem, problems.ClientGone):
            raise problems.gone() from None
        if isinstance(problem, pa.ArrowException):
            # Of the stream that the client sends.
            broken = invalid("$", f"is not a stream that can be read: {problem}"[:500], code="INVALID_STREAM")
            raise problems.told(broken) from None
        log.error("a call failed", exc_info=problem)
        raise problems.incident() from None


def _named(descriptor: flight.FlightDescriptor) -> Named:
    return wishes.named(list(descriptor.path or []), descriptor.command or b"")


def _request(named: Named) -> Request:
    return wishes.read_request(named.entity, dict(named.more))


def _info(call: Call, scan: Scan, descriptor: flight.FlightDescriptor, named: Named) -> flight.FlightInfo:
    says = msgspec.to_builtins(Named(scan.home.name, scan.schema.name, named.more))
    endpoint = flight.FlightEndpoint(tickets.give(scan.home, call, ROWS, says), [])
    return flight.FlightInfo(scan.columns.schema, descriptor, [endpoint])


def _entity_info(call: Call, home: Project, schema: EntitySchema) -> flight.FlightInfo:
    descriptor = flight.FlightDescriptor.for_path(home.name, schema.name)
    says = msgspec.to_builtins(Named(ProjectName(home.name), schema.name, {}))
    endpoint = flight.FlightEndpoint(tickets.give(home, call, ROWS, says), [])
    return flight.FlightInfo(Columns(schema).schema, descriptor, [endpoint])
