"""One message in, one message out: the operations of the package `octonet.v1`, and operations as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar, cast

import msgspec

from octonet.change_set import Refusal
from octonet.gateway import Gateway, Written
from octonet.kernel.errors import Invalid, invalid
from octonet.kernel.operation import Command, Operation, Request
from octonet.reader import Read
from transports.engine import conditions, orm_response
from transports.engine.grpc import answers, core_file, requests
from transports.engine.grpc.entity_file import OTHER, command_field, method_of
from transports.engine.grpc.entrance import Call, Entrance, Refused, Visit, entity, parsed
from transports.engine.grpc.rows import Fields, Rows
from transports.engine.grpc.status import allowance

if TYPE_CHECKING:
    from google.protobuf.message import Message

T = TypeVar("T")
POSITION: Final = "octonet-position"
_KEY: Final = "idempotency-key"
_ONE_ONLY: Final = ("if-match", "octonet-dry-run")


class Calls:
    """Answers them."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance
        self._gateway: Gateway = entrance.gateway
        self._commands = {
            command_field(op): operation
            for op, operation in self._gateway.operations.items()
            if issubclass(operation, Command)
        }

    async def operation(self, name: str, operation: type[Operation], content: bytes, call: Call) -> bytes:
        """One operation on an entity of this name."""
        visit = await self._entrance.visit(call)
        takes, gives = visit.described.sent(entity(visit.described, name), method_of(operation.op()))
        rows = visit.described.rows[name]
        wish = conditioned(requests.request(parsed(takes, content), operation, rows), operation, visit.headers)
        found = await self._gateway.execute(visit.project, wish, visit.who)
        tell(call, found)
        return gives(**answers.fields(found, rows)).SerializeToString()

    async def execute(self, content: bytes, call: Call) -> bytes:
        """One operation as JSON."""
        visit = await self._entrance.visit(call)
        takes, gives = _core(visit, "Execute")
        wish = requests.whole(_text(parsed(takes, content), "request"), "$")
        operation = self._gateway.operations.get(wish.op)
        if operation is not None:
            wish = conditioned(wish, operation, visit.headers)
        found = await self._gateway.execute(visit.project, wish, visit.who)
        tell(call, found)
        return gives(response=orm_response.whole(found).decode()).SerializeToString()

    async def batch(self, content: bytes, call: Call) -> bytes:
        """A change set as JSON."""
        visit = await self._entrance.visit(call)
        takes, gives = _core(visit, "Batch")
        texts = cast("Sequence[str]", getattr(parsed(takes, content), "requests"))  # noqa: B009  # known at run time only
        wishes = _each(texts, requests.whole)
        done = await self._together(visit, wishes, call)
        told = [orm_response.whole(each).decode() for each in done]
        return gives(responses=told, position=done[-1].position).SerializeToString()

    async def entity_batch(self, name: str, content: bytes, call: Call) -> bytes:
        """A change set of commands on an entity of this name, for the most part."""
        visit = await self._entrance.visit(call)
        takes, gives = visit.described.sent(entity(visit.described, name), "Batch")
        rows = visit.described.rows[name]
        commands = cast("Sequence[Message]", getattr(parsed(takes, content), "commands"))  # noqa: B009
        wishes = _each(commands, lambda command, path: self._command(command, rows, path))
        done = await self._together(visit, wishes, call)
        told = [_result(command, each, rows) for command, each in zip(commands, done, strict=True)]
        return gives(results=told, position=done[-1].position).SerializeToString()

    async def _together(self, visit: Visit, wishes: list[Request], call: Call) -> list[Written]:
        done = await self._gateway.execute_together(visit.project, _keyed(wishes, visit.headers), visit.who)
        if isinstance(done, Refusal):
            raise Refused(done.problem, index=str(done.index))
        tell(call, done[-1])
        return done

    def _command(self, command: Message, rows: Rows, path: str) -> Request:
        chosen = command.WhichOneof("command")
        if chosen is None:
            raise invalid(path, "says no command")
        if chosen == OTHER:
            return requests.whole(_text(command, OTHER), path)
        return requests.request(getattr(command, chosen), self._commands[chosen], rows)


def conditioned(wish: Request, operation: type[Operation], headers: Mapping[str, str]) -> Request:
    """The request with the conditions that the metadata puts on it, under the names that HTTP has for them."""
    return conditions.add(wish, operation, headers) if conditions.named(headers) else wish


def tell(call: Call, found: Read | Written) -> None:
    """Tell beside the answer where in history a write stands, and what a limited key has left."""
    told = allowance()
    if isinstance(found, Written) and found.position:
        told = ((POSITION, found.position), *told)
    if told:
        call.set_trailing_metadata(told)


def _core(visit: Visit, method: str) -> tuple[type[Message], type[Message]]:
    package = core_file.SERVICE.rpartition(".")[0]
    return visit.described.message(f"{package}.{method}Request"), visit.described.message(f"{package}.{method}Response")


def _text(message: Message, field: str) -> str:
    return cast("str", getattr(message, field))


def _each(wanted: Sequence[T], read: Callable[[T, str], Request]) -> list[Request]:
    found: list[Request] = []
    for index, each in enumerate(wanted):
        try:
            found.append(read(each, f"$[{index}]"))
        except Invalid as problem:
            raise Refused(problem, index=str(index)) from None
    return found


def _keyed(wishes: list[Request], headers: Mapping[str, str]) -> list[Request]:
    """One key in the metadata stands for one of each command."""
    for name in _ONE_ONLY:
        if name in headers:
            raise invalid(name, "cannot say which command of a batch it means: say it in the command")
    if _KEY not in headers:
        return wishes
    return [
        msgspec.structs.replace(wish, idempotency_key=f"{headers[_KEY]}-{index}") for index, wish in enumerate(wishes)
    ]


def _result(command: Message, written: Written, rows: Rows) -> Fields:
    chosen = command.WhichOneof("command")
    if chosen == OTHER:
        return {OTHER: orm_response.whole(written).decode()}
    assert chosen is not None
    return {chosen: answers.fields(written, rows)}
