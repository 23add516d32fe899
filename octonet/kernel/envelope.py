"""A command and everything known about its journey, and the frame in which commands travel together."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

import msgspec

from octonet.kernel.ids import CommandId

C = TypeVar("C")


class Origin(msgspec.Struct, frozen=True, array_like=True):
    """Of what a replication rule carried from another project: where it was first decided, and when."""

    rule: str
    """Id of the rule."""
    chain: tuple[str, ...]
    """The projects that it came through, the first being where it was decided. It is never carried into one of them."""
    at: int
    """The time of the original command, in milliseconds since 1970."""
    stamp: tuple[int, int]
    """See `octonet.kernel.merge.Stamp`: of the state that was carried."""
    entity: str
    id: str
    """The row that was carried; whatever else the same command did to other rows was decided here."""


class Actor(msgspec.Struct, frozen=True, array_like=True):
    """Who asked, and how they came: empty where not known."""

    key: str = ""
    """Id of the API key, never the key."""
    account: str = ""
    transport: str = ""
    address: str = ""
    correlation: str = ""
    causation: str = ""
    traceparent: str = ""
    user: str = ""
    """Id of the person who is logged in."""
    origin: Origin | None = None
    """Where it came from, when a replication rule carried it here."""


class Together(msgspec.Struct, frozen=True, array_like=True):
    """A change set: commands that are decided all or none. They travel next to each other in one frame."""

    set: str
    """The same for all of them, and for no others."""
    size: int


class Envelope(msgspec.Struct, Generic[C], frozen=True, array_like=True):
    """One command on its way. `at` is the time of the command in milliseconds since 1970, UTC."""

    id: CommandId
    at: int
    actor: Actor
    command: C
    fingerprint: bytes = b""
    """Of the request's content, where its caller gave an idempotency key: a later one under the same key must be the
    same."""
    expected: int | None = None
    """The version that the row must have, 0 for any: then it only must be there."""
    together: Together | None = None


class Frame(msgspec.Struct, Generic[C], frozen=True, array_like=True):
    """Commands of one project that travel in one message. `reply` is the subject that awaits the outcomes."""

    reply: str
    envelopes: list[Envelope[C]]


class Draft(Protocol[C]):
    """A command that is not checked yet."""

    def envelope(self, at: int) -> Envelope[C]:
        """Check it and put it into its envelope; `at` is the time, in milliseconds since 1970. Raises
        `OctonetError`."""
        ...
