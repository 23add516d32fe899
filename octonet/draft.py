"""A command on its way in, checked only when its frame is made.

Doors hand in drafts as requests come; the frame's maker turns all drafts of one turn of the event loop into envelopes,
one after the other. The same work done inside each request's own turn takes three times as long, because in between
the processor's caches are full of HTTP.
"""

from __future__ import annotations

import os

import msgspec

from octonet.kernel import options_parse
from octonet.kernel.envelope import Actor, Envelope, Together
from octonet.kernel.errors import invalid
from octonet.kernel.ids import CommandId, EntityId, uuid7
from octonet.kernel.instant import iso
from octonet.kernel.operation import Command, Raw, Request
from octonet.kernel.schema import EntitySchema, Schemas
from octonet.kernel.sealing import seal_row
from octonet.project import Project

_DIGITS = 19
_DRAW = _DIGITS * 256 // 2


class Entropy:
    """Random bits from the operating system, drawn for many ids at once: a system call each would be felt."""

    def __init__(self) -> None:
        self._drawn = ""
        self._used = 0

    def draw(self) -> str:
        """Nineteen hexadecimal digits that were never drawn before."""
        if self._used >= len(self._drawn):
            self._drawn, self._used = os.urandom(_DRAW).hex(), 0
        start, self._used = self._used, self._used + _DIGITS
        return self._drawn[start : self._used]


class _Door(msgspec.Struct, frozen=True):
    """Implements `kernel.operation.Door`: the time of one command, and fresh ids."""

    schemas: Schemas
    at: str
    milliseconds: int
    entropy: Entropy

    def new_id(self) -> EntityId:
        """A fresh UUIDv7."""
        return EntityId(uuid7(self.milliseconds, self.entropy.draw()))


class CommandDraft:
    """Implements `kernel.envelope.Draft`. `id` and `shown` (relations to populate in the answer) are known once the
    envelope was made."""

    __slots__ = (
        "_actor", "_entropy", "_expected", "_request", "_together", "command", "home", "id", "once", "schema", "shown"
    )  # fmt: skip

    def __init__(
        self,
        home: Project,
        command: type[Command],
        schema: EntitySchema,
        request: Request,
        actor: Actor,
        entropy: Entropy,
        together: Together | None = None,
    ) -> None:
        self._together = together
        self.home = home
        self.command = command
        self.schema = schema
        self._request = request
        self._actor = actor
        self._entropy = entropy
        self.once = home.idempotency.once(actor, request, schema.name)
        self._expected = _expected(request.expected_version)
        self.id = CommandId("") if self.once is None else self.once.command
        self.shown: tuple[str, ...] = ()

    def envelope(self, at: int) -> Envelope[Command]:
        """Check, normalise, seal; fix ids and time. Raises `OctonetError` naming the place."""
        home, schema = self.home, self.schema
        door = _Door(home.schemas, iso(at), at, self._entropy)
        parsed = self.command.parse(self._request, schema, door)
        self.shown = options_parse.relations(schema, self._request.relations)
        if schema.secrets:
            parsed = parsed.sealed(lambda row: seal_row(home.sealer, schema, "", row))
        if self.once is not None:
            return Envelope(self.id, at, self._actor, parsed, self.once.fingerprint, self._expected, self._together)
        self.id = CommandId(door.new_id())
        return Envelope(self.id, at, self._actor, parsed, expected=self._expected, together=self._together)


def _expected(given: Raw) -> int | None:
    """The version that the row must have; ``*`` stands for any, as 0 does in an envelope."""
    if given is msgspec.UNSET or given is None:
        return None
    if given == "*":
        return 0
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise invalid("$.expectedVersion", "must be a version, a whole number from 1, or '*'", code="INVALID_VERSION")
    return given
