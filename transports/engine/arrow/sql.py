"""Flight SQL: the messages of its clients, answered. Nothing is kept between two calls."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from pyarrow import flight

from octonet.kernel.errors import Invalid, TooLarge, invalid
from octonet.kernel.ids import ProjectName
from octonet.kernel.operation import Family, Raw
from octonet.project import Project
from transports.engine.arrow import tickets, wire
from transports.engine.arrow.call import Call
from transports.engine.arrow.directory import COMMANDS
from transports.engine.arrow.problems import unsupported
from transports.engine.arrow.terms import Bounds
from transports.engine.arrow.wire import Message

if TYPE_CHECKING:
    from transports.engine.arrow.statement import Statement

_MARK: Final = b"sql:"
_TICKET: Final = "sql"
_PREPARED: Final = "prepared"
_QUERY, _PREPARED_QUERY = "CommandStatementQuery", "CommandPreparedStatementQuery"
_PREPARE, _CLOSE, _CLOSE_SESSION = "CreatePreparedStatement", "ClosePreparedStatement", "CloseSession"
_CANCEL = "CancelFlightInfo"
_ACTIONS: Final = {
    _PREPARE: "Prepares a SELECT, to be run with parameters that are bound to it later.",
    _CLOSE: "Forgets a prepared statement.",
    _CLOSE_SESSION: "Ends a session.",
    _CANCEL: "Cancels a flight: a statement stops when its stream is cancelled.",
}
_REFUSED: Final = frozenset({"BeginTransaction", "EndTransaction", "BeginSavepoint", "EndSavepoint", "CancelQuery"})
_CLOSED: Final = 1
_NOT_CANCELLABLE: Final = 3
_AT_ONCE: Final = 4
"""Statements that are run at a time."""
_MOST_BOUND: Final = 64 * 1024


class Sql:
    """Statements and metadata, as Flight SQL asks for them."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._room = threading.Semaphore(_AT_ONCE)

    @staticmethod
    def means(body: bytes | None) -> bool:
        """Whether a command or a ticket is one of Flight SQL's."""
        return body is not None and (body.startswith(_MARK) or wire.is_message(body))

    @staticmethod
    def acts(name: str) -> bool:
        """Whether an action is one of the protocol's."""
        return name in _ACTIONS or name in _REFUSED

    @staticmethod
    def actions() -> Iterator[flight.ActionType]:
        """The protocol's actions."""
        for name, sentence in _ACTIONS.items():
            yield flight.ActionType(name, sentence)

    def info(self, call: Call, descriptor: flight.FlightDescriptor) -> flight.FlightInfo:
        """Where the answer to a command is to be had."""
        home, asked = _home(call), wire.read_any(descriptor.command)
        says: dict[str, Raw] = {"command": base64.b64encode(descriptor.command).decode()}
        schema = self._schema(call, home, asked)
        ticket = flight.Ticket(_MARK + tickets.give(home, call, _TICKET, says))
        return flight.FlightInfo(schema, descriptor, [flight.FlightEndpoint(ticket, [])])

    def schema(self, call: Call, command: bytes) -> pa.Schema:
        """The columns of the answer to a command."""
        return self._schema(call, _home(call), wire.read_any(command))

    def stream(self, call: Call, ticket: bytes) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """The answer that a ticket stands for."""
        if not ticket.startswith(_MARK):
            raise Invalid("this is a message of Flight SQL, and no ticket of this server", code="INVALID_TICKET")
        opened = tickets.read(call, _TICKET, ticket.removeprefix(_MARK))
        home, asked = opened.home, wire.read_any(base64.b64decode(str(opened.says["command"])))
        call.run(call.gateway.enter(home.name, call.who))
        if asked.name in COMMANDS:
            found = COMMANDS[asked.name][1](home, asked)
            return found.schema, iter(found.to_batches())
        statement, bound = self._statement(call, home, asked)
        return self._run(call, home, statement, bound)

    def put(
        self,
        call: Call,
        command: bytes,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.FlightMetadataWriter,
    ) -> None:
        """Bind the parameters of a prepared statement: the client is given the statement with them in it."""
        asked = wire.read_any(command)
        if asked.name != _PREPARED_QUERY:
            raise unsupported(asked.name)
        home, text, _ = self._prepared(call, asked.data(1))
        table = reader.read_all()
        if table.num_rows != 1 or table.nbytes > _MOST_BOUND:
            raise invalid("$", f"must be one row of parameters, of at most {_MOST_BOUND} bytes", code="SQL_PARAMETERS")
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        bound = base64.b64encode(sink.getvalue().to_pybytes()).decode()
        handle = tickets.give(home, call, _PREPARED, {"text": text, "bound": bound}, 0)
        writer.write(pa.py_buffer(wire.field(1, handle)))

    def act(self, call: Call, name: str, body: bytes) -> list[bytes]:
        """Do what an action of the protocol says."""
        if name in _REFUSED:
            raise unsupported(name)
        call.run(call.gateway.count(call.who))
        if name == _PREPARE:
            return [self._prepare(call, wire.read_any(body))]
        if name == _CLOSE_SESSION:
            return [wire.field(1, _CLOSED)]
        if name == _CANCEL:
            return [wire.field(1, _NOT_CANCELLABLE)]
        return []

    def _prepare(self, call: Call, asked: Message) -> bytes:
        home, text = _home(call), asked.text(1) or ""
        if asked.data(2):
            raise unsupported("a transaction")
        statement = _understood(text, home)
        handle = tickets.give(home, call, _PREPARED, {"text": text}, 0)
        names = (pa.field(f"${number + 1}", pa.null()) for number in range(statement.parameters))
        # What type an answer has may depend on the parameters: where there are any, it is not told beforehand.
        schema = b"" if statement.parameters else self._columns(statement, []).serialize().to_pybytes()
        result = wire.field(1, handle) + wire.field(2, schema)
        if statement.parameters:
            result += wire.field(3, pa.schema(list(names)).serialize().to_pybytes())
        return wire.pack("ActionCreatePreparedStatementResult", result)

    def _schema(self, call: Call, home: Project, asked: Message) -> pa.Schema:
        if asked.name in COMMANDS:
            return COMMANDS[asked.name][0](asked)
        statement, bound = self._statement(call, home, asked)
        return self._columns(statement, bound)

    def _statement(self, call: Call, home: Project, asked: Message) -> tuple[Statement, list[Raw]]:
        """What is to be run, and the values of its parameters."""
        text, bound = self._text(call, asked)
        statement = _understood(text, home)
        if len(bound) != statement.parameters:
            sentence = f"the statement has {statement.parameters} parameters, and {len(bound)} are bound"
            raise Invalid(sentence, code="SQL_PARAMETERS")
        return statement, bound

    def _text(self, call: Call, asked: Message) -> tuple[str, list[Raw]]:
        if asked.name == _QUERY:
            if asked.data(2):
                raise unsupported("a transaction")
            return asked.text(1) or "", []
        if asked.name != _PREPARED_QUERY:
            raise unsupported(asked.name)
        _, text, bound = self._prepared(call, asked.data(1))
        return text, bound

    def _run(
        self, call: Call, home: Project, statement: Statement, bound: list[Raw]
    ) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        from transports.engine.arrow.execution import Execution  # noqa: PLC0415  # DuckDB is for those who ask in SQL

        return Execution(call, home.name, statement, bound, self._bounds, self._room).stream()

    def _columns(self, statement: Statement, bound: list[Raw]) -> pa.Schema:
        from transports.engine.arrow.execution import schema_of  # noqa: PLC0415  # the same

        return schema_of(statement, self._bounds, bound)

    @staticmethod
    def _prepared(call: Call, handle: bytes) -> tuple[Project, str, list[Raw]]:
        if len(handle) > 4 * _MOST_BOUND:
            raise TooLarge("the handle is none that was given here", code="INVALID_TICKET")
        opened = tickets.read(call, _PREPARED, handle)
        bound = opened.says.get("bound")
        if not isinstance(bound, str):
            return opened.home, str(opened.says["text"]), []
        table = pa.ipc.open_stream(base64.b64decode(bound)).read_all()
        return opened.home, str(opened.says["text"]), [column[0].as_py() for column in table.columns]


def _understood(text: str, home: Project) -> Statement:
    from transports.engine.arrow.statement import parse  # noqa: PLC0415  # the parser, likewise

    return parse(text, home.name, home.schemas)


def _home(call: Call) -> Project:
    name: ProjectName = call.project()
    return call.gateway.look(name, call.who, Family.READ)
