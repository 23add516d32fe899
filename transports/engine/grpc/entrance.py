"""Who calls, which project they mean, and what its messages are; and how what goes wrong is told."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final, Protocol, TypeAlias, TypeVar
from urllib.parse import unquote
from uuid import uuid4

import msgspec
from google.protobuf.message import DecodeError, Message

from octonet.access.principal import Visitor
from octonet.gateway import Gateway
from octonet.kernel.errors import Internal, OctonetError, invalid
from octonet.kernel.ids import ProjectName
from octonet.project import Project
from octonet.transport import Incoming, Turnstile
from transports.engine.caller import known, project_of, visitor
from transports.engine.grpc.descriptions import Described, Descriptions
from transports.engine.grpc.status import NoMethod, code_of, message_of, trailers

log = logging.getLogger("octonet.grpc")

NAME: Final = "grpc"
Metadata: TypeAlias = "Sequence[tuple[str, str | bytes]]"
T = TypeVar("T")
R = TypeVar("R")


class Context(Protocol):
    """A call, as grpcio hands it over: `grpc.aio.ServicerContext`."""

    def invocation_metadata(self) -> Metadata | None: ...

    def peer(self) -> str: ...

    def set_trailing_metadata(self, metadata: Metadata) -> None: ...

    async def send_initial_metadata(self, metadata: Metadata) -> None: ...

    async def write(self, message: bytes) -> None: ...

    async def abort(self, code: object, details: str, trailing_metadata: Metadata) -> None: ...


class Call:
    """A call on its way: `incoming` is what it asks for, and for whom."""

    def __init__(self, context: Context, incoming: Incoming) -> None:
        self.incoming = incoming
        self.set_trailing_metadata = context.set_trailing_metadata
        self.send_initial_metadata = context.send_initial_metadata
        self.write = context.write


class Refused(Exception):
    """A call that is refused because of one of its parts; `told` goes with the error, by name."""

    def __init__(self, problem: OctonetError, **told: str) -> None:
        super().__init__(problem.message)
        self.problem = problem
        self.told = told


class Visit(msgspec.Struct, frozen=True):
    """One call, let in."""

    who: Visitor
    project: ProjectName
    home: Project
    described: Described
    headers: Mapping[str, str]


class Entrance:
    """The way in of every call."""

    def __init__(self, gateway: Gateway, descriptions: Descriptions) -> None:
        self.gateway = gateway
        self._descriptions = descriptions

    async def visit(self, call: Call) -> Visit:
        """Let a call in. Raises as `Gateway.admit` and `Gateway.look` do."""
        incoming = call.incoming
        who = known(self.gateway, incoming, NAME) or await visitor(self.gateway, incoming, NAME)
        project = project_of(incoming)
        home = self.gateway.look(project, who)
        described = self._descriptions.known(home) or await self._descriptions.of(home)
        return Visit(who, project, home, described, incoming.headers)


def headers_of(context: Context) -> dict[str, str]:
    """The text among a call's metadata; of a name that comes twice the first."""
    found: dict[str, str] = {}
    for name, value in context.invocation_metadata() or ():
        if isinstance(value, str):
            found.setdefault(name, value)
    return found


def entity(described: Described, name: str) -> str:
    """The name of an entity whose service was called. Raises `NoMethod`."""
    if name not in described.shapes:
        raise NoMethod(f"there is no entity {name!r}", code="ENTITY_NOT_FOUND")
    return name


def parsed(kind: type[Message], content: bytes) -> Message:
    """What was sent. Raises `Invalid` with code PARSE_ERROR."""
    try:
        return kind.FromString(content)
    except DecodeError:
        raise invalid("$", f"is not a message of type {kind.DESCRIPTOR.full_name}", code="PARSE_ERROR") from None


class Guard:
    """What stands around the work of every method: it is counted, limited and traced, and its errors are told as gRPC
    tells them."""

    def __init__(self, turnstile: Turnstile) -> None:
        self._turnstile = turnstile

    def around(
        self, path: str, work: Callable[[T, Call], Awaitable[R]], *, stream: bool = False, door: str = NAME
    ) -> Callable[[T, Context], Awaitable[R]]:
        """The work of the method of this path. `stream`: it answers for as long as it likes; `door`: what it is counted
        as."""

        async def serve(request: T, context: Context) -> R:
            incoming = Incoming("POST", path, headers_of(context), address=_address(context.peer()), door=door)
            try:
                passage = self._turnstile.enter(incoming, stream=stream)
            except OctonetError as problem:
                await _abort(context, Refused(problem))
                raise AssertionError from None
            told: Refused | None = None
            try:
                return await work(request, Call(context, passage.incoming))
            except OctonetError as problem:
                told = Refused(problem)
            except Refused as problem:
                told = problem
            except Exception as problem:  # the outermost place: its caller is told, and nothing else is disturbed
                incident = uuid4().hex
                log.error("incident %s: gRPC", incident, exc_info=problem)
                told = Refused(Internal(f"something went wrong inside Octonet; incident {incident}"))
            finally:
                passage.leave(None if told is None else told.problem)
            await _abort(context, told)
            raise AssertionError

        return serve


async def _abort(context: Context, refused: Refused) -> None:
    problem = refused.problem
    await context.abort(code_of(problem), message_of(problem), trailers(problem, **refused.told))


@lru_cache(maxsize=4096)
def _address(peer: str) -> str:
    """The address in what gRPC says of the other side, such as ``ipv4:127.0.0.1:55000``."""
    kind, _, rest = peer.partition(":")
    if kind not in ("ipv4", "ipv6"):
        return ""
    return unquote(rest).rpartition(":")[0].strip("[]").partition("%")[0].removeprefix("::ffff:")
