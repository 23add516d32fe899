"""A command that is only tried out, as its caller is told of it."""

from __future__ import annotations

import msgspec

from octonet.clock import now
from octonet.draft import CommandDraft
from octonet.kernel.errors import invalid
from octonet.kernel.event import Event
from octonet.kernel.ids import CommandId, JsonValue
from octonet.kernel.log import Outcome
from octonet.kernel.operation import Raw, Request
from octonet.kernel.position import START
from octonet.kernel.schema import Schemas

_json = msgspec.json.Encoder()
_row = msgspec.json.Decoder(dict)


class ShownFact(msgspec.Struct, frozen=True):
    """One fact that a command would have, as facts are told: without secrets."""

    entity: str
    id: str
    fact: str
    version: int
    data: dict[str, JsonValue] | None
    changed: tuple[str, ...]


class Consequences(msgspec.Struct, frozen=True):
    """What a command would do: its first facts, and how many there are."""

    facts: list[ShownFact]
    count: int


def is_wanted(request: Request) -> bool:
    """Whether the command is only to be tried out. Raises `Invalid`."""
    if not isinstance(request.dry_run, bool):
        raise invalid("$.dryRun", "must be true or false", code="INVALID_DRY_RUN")
    return request.dry_run


def bare(request: Request) -> Request:
    """The request without what only counts when it is done: no key is used up by a trial."""
    absent: Raw = msgspec.UNSET
    return msgspec.structs.replace(request, dry_run=absent, idempotency_key=absent)


async def attempt(draft: CommandDraft) -> tuple[Outcome, Consequences]:
    """What would become of a command now. Raises `OctonetError`: what is wrong with it, or why it is not known; what
    its decision says against it stands in the outcome."""
    home = draft.home
    envelope = draft.envelope(now())
    tried = await home.trial.attempt(envelope)
    facts = [_shown(home.schemas, event) for event in tried.events]
    outcome = Outcome(
        CommandId(envelope.id), START, tried.verdict, tried.count, tried.data, tried.rejection, b"", tried.version
    )
    return outcome, Consequences(facts, tried.facts)


def text(consequences: Consequences) -> bytes:
    """The facts as JSON text."""
    return _json.encode(consequences.facts)


def _shown(schemas: Schemas, event: Event) -> ShownFact:
    schema = schemas.entities.get(event.entity)
    secrets = frozenset() if schema is None else schema.secrets
    data = None
    if event.data is not None:
        data = {name: value for name, value in _row.decode(event.data).items() if name not in secrets}
    return ShownFact(event.entity, event.id, event.fact.value, event.version, data, event.changed)
