"""A command and everything known about its journey, and the frame in which commands travel together."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

import msgspec

from octonet.kernel.ids import CommandId

C = TypeVar("C")


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
