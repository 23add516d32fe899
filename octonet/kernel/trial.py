"""Trying a command out: it is decided on the rows as they are, and nothing of it is kept."""

from __future__ import annotations

from typing import Protocol

import msgspec

from octonet.kernel.envelope import Envelope
from octonet.kernel.event import Event
from octonet.kernel.log import Rejection, Verdict
from octonet.kernel.operation import Command


class Tried(msgspec.Struct, frozen=True, array_like=True):
    """What would become of a command. `data` is the row that it would answer with, `version` that row's; both as in
    `octonet.kernel.log.Outcome`. `events` are its facts, secrets sealed: the first of `facts`, as many as a message
    holds."""

    verdict: Verdict
    count: int = 0
    data: bytes | None = None
    version: int = 0
    rejection: Rejection | None = None
    events: tuple[Event, ...] = ()
    facts: int = 0


class Trial(Protocol):
    """Where commands are tried out: at the owner of the project's lane, who alone can decide."""

    async def attempt(self, envelope: Envelope[Command]) -> Tried:
        """Decide it, between two batches. Raises `Unavailable` when the project has no owner, or it does not answer."""
        ...
