"""One call of Flight: who asks, what its headers say, and the way to the loop."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from typing import Final, TypeVar

from pyarrow import flight

from octonet.access.principal import Visitor
from octonet.gateway import Gateway
from octonet.kernel.errors import NotFound, OctonetError, invalid
from octonet.kernel.ids import DEFAULT_PROJECT, ProjectName, is_private
from octonet.transport import Incoming, Passage, Turnstile
from transports.engine import caller
from transports.engine.arrow.bridge import Bridge

NAME: Final = "arrow"
HEADERS: Final = "octonet"
"""The name of the middleware that keeps the headers."""
T = TypeVar("T")


class Shown(flight.ServerMiddleware):  # type: ignore[misc]  # pyarrow has no types
    """The headers of one call, and those of its answer."""

    def __init__(self, headers: Mapping[str, str], answer: Mapping[str, str]) -> None:
        self.headers = headers
        self._answer = dict(answer)

    def sending_headers(self) -> dict[str, str]:
        """See Flight."""
        return self._answer


class Call:
    """One call. `gone` may be asked from the call's own thread for as long as the call lasts."""

    def __init__(
        self,
        gateway: Gateway,
        bridge: Bridge,
        turnstile: Turnstile,
        context: flight.ServerCallContext,
        method: str,
        stream: bool = False,
    ) -> None:
        self.gateway = gateway
        self.bridge = bridge
        self._turnstile = turnstile
        self._context = context
        self.headers = dict(context.get_middleware(HEADERS).headers)
        token = context.peer_identity().decode("latin-1")
        if token and caller.shows_nothing(self.headers):
            self.headers["x-api-key"] = token
        self._passage: Passage | None = None
        incoming = Incoming("POST", f"/{method}", self.headers, address=address(context.peer()), door=NAME)
        self.who = self.run(self._enter(incoming, stream))

    async def _enter(self, incoming: Incoming, stream: bool) -> Visitor:
        passage = self._turnstile.enter(incoming, stream=stream)
        try:
            who = await caller.visitor(self.gateway, passage.incoming, NAME)
        except OctonetError as problem:
            passage.leave(problem)
            raise
        self._passage = passage
        return who

    def leave(self, problem: OctonetError | None) -> None:
        """It was answered."""
        if self._passage is not None:
            passage = self._passage
            self.bridge.soon(lambda: passage.leave(problem))

    def gone(self) -> bool:
        """Whether the client went away."""
        return bool(self._context.is_cancelled())

    def run(self, work: Coroutine[object, object, T]) -> T:
        """Do something on the loop, and wait for it."""
        return self.bridge.run(work, self.gone)

    def start(self, work: Coroutine[object, object, T]) -> Future[T]:
        """Begin something on the loop."""
        return self.bridge.start(work)

    def wait(self, future: Future[T]) -> T:
        """Wait for what was begun."""
        return self.bridge.wait(future, self.gone)

    def project(self, named: str | None = None) -> ProjectName:
        """The project of the call, as its header and the request itself (`named`) say; the default one where neither
        does. Raises `Invalid` with code PROJECT_CONFLICT, `NotFound` for private ones."""
        header = self.headers.get("x-project")
        if named is not None and header is not None and named != header:
            raise invalid("x-project", "and the request name different projects", code="PROJECT_CONFLICT")
        name = ProjectName(named or header or DEFAULT_PROJECT)
        if is_private(name):
            raise NotFound(f"no project is called {name!r}", code="UNKNOWN_PROJECT")
        return name


class Reception(flight.ServerMiddlewareFactory):  # type: ignore[misc]  # pyarrow has no types
    """Keeps the headers of calls, and answers the handshake of clients that show a user and a password: the password is
    the key, and the key is the token."""

    def start_call(self, info: flight.CallInfo, headers: Mapping[str, list[str]]) -> Shown:
        """See Flight."""
        found = {name.lower(): values[0] for name, values in headers.items() if isinstance(values[0], str)}
        scheme, _, shown = found.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return Shown(found, {})
        key = _password(shown)
        found["authorization"] = f"Bearer {key}"
        return Shown(found, {"authorization": f"Bearer {key}"} if info.method == flight.FlightMethod.HANDSHAKE else {})


class Handshake(flight.ServerAuthHandler):  # type: ignore[misc]  # pyarrow has no types
    """The other handshake, in which the client sends user and password as a message, and shows from then on what it was
    given. What it shows is looked at where the call is answered."""

    def authenticate(self, outgoing: flight.ServerAuthSender, incoming: flight.ServerAuthReader) -> None:
        """See Flight."""
        try:
            sent = incoming.read()
        except OSError:
            # Nothing was sent: the key is in the headers, and the token goes out in those of the answer.
            return
        outgoing.write(_key_of(sent).encode())

    def is_valid(self, token: bytes) -> bytes:
        """See Flight."""
        return token


def _key_of(sent: bytes) -> str:
    try:
        return str(flight.BasicAuth.deserialize(sent).password.decode())
    except (OSError, ValueError):
        raise flight.FlightUnauthenticatedError("the handshake is not a user and a password [UNAUTHORIZED]") from None


def _password(shown: str) -> str:
    try:
        return base64.b64decode(shown.encode() + b"=" * (-len(shown) % 4)).decode().partition(":")[2]
    except (ValueError, binascii.Error):
        return ""


def address(peer: str) -> str:
    """The address in what gRPC calls a peer, such as ``ipv4:127.0.0.1:50052`` or ``ipv6:%5B::1%5D:50052``."""
    host = peer.partition(":")[2].rpartition(":")[0]
    return host.replace("%5B", "").replace("%5D", "").strip("[]")


def visitor_key(who: Visitor) -> str:
    """What a ticket is bound to."""
    return who.principal.key or who.principal.user
