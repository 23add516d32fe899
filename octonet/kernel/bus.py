"""The message bus as a door sees it: requests that come, answers that go, and who may connect to it directly."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final, Protocol, TypeAlias

import msgspec

EVERY: Final = "*"
"""In place of a project's name: all of them, those to come too."""
SERVICE: Final = "octonet"
"""What the service is called that answers requests."""
DISCOVER: Final = "discover"
"""Asks what there is to ask for: stands where an operation's name does."""


class BusRequest(msgspec.Struct, frozen=True):
    """A request, whole."""

    project: str
    """As it was sent; empty where none was named."""
    entity: str
    op: str
    reply: str
    """Where the answer goes; empty where nobody waits for one, or none may be sent there."""
    headers: Mapping[str, str]
    """By names in lower case; of a name that comes twice the first."""
    body: bytes


Receive: TypeAlias = Callable[[BusRequest], None]


class Access(msgspec.Struct, frozen=True):
    """What a connection to the bus may do. `key`: the public part of the API key that it shows, empty for one that
    needs none. `operations`: those it may ask for, by project or `EVERY`; `facts`: whose facts it may hear. `watch`:
    tells once when the key is revoked; returns how to stop listening."""

    key: str
    operations: Mapping[str, frozenset[str]]
    facts: frozenset[str]
    watch: Callable[[Callable[[], None]], Callable[[], None]] | None = None


class Doorman(Protocol):
    """Says who may connect to the bus."""

    async def admit(self, credential: str, address: str) -> Access:
        """Whoever shows this. Raises `OctonetError`."""
        ...

    async def still(self, key: str) -> Access:
        """Whoever showed the key with this public part to a process that may be gone. Raises `Unauthenticated` when it
        does not count any more, `Unavailable`."""
        ...


class Bus(Protocol):
    """A connection to the bus for one door."""

    @property
    def url(self) -> str:
        """Where clients connect, without credentials."""
        ...

    @property
    def max_message(self) -> int:
        """Bytes a message may have."""
        ...

    @property
    def connected(self) -> bool:
        """Whether it is."""
        ...

    def subject(self, project: str, entity: str, op: str) -> str:
        """Where an operation is asked for; `project` empty for the default one."""
        ...

    def facts(self, project: str, entity: str) -> list[str]:
        """Where the facts about an entity are told."""
        ...

    async def open(self) -> None:
        """Connect. Raises `Unavailable`."""
        ...

    async def serve(self, operations: Collection[str], receive: Receive) -> None:
        """Hand over every request for one of these operations, in whatever project, that no other process takes."""
        ...

    async def describe(self, id: str, describe: Callable[[str], bytes]) -> None:
        """Answer who asks for services, or for this one (``PING``, ``INFO``, ``STATS``), with what `describe` says.
        `id`: of this process, letters and digits."""
        ...

    async def guard(self, doorman: Doorman) -> None:
        """Let him say who else may connect, where this server leaves that to us."""
        ...

    def answer(self, request: BusRequest, body: bytes, headers: Mapping[str, str]) -> None:
        """Answer a request, if it can be. Header values are printable ASCII."""
        ...

    async def leave(self) -> None:
        """Take no more requests: those that came already are handed over when this returns."""
        ...

    async def close(self) -> None:
        """End the connection."""
        ...
