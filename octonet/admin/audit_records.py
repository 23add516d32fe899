"""One command that was decided, as an auditor is told of it: who, what, when, from where, and what came of it. Never
what stands in a row."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from octonet.admin.audit_search import touched
from octonet.kernel.chain import Link
from octonet.kernel.event import Fact
from octonet.kernel.instant import iso
from octonet.kernel.log import Batch, Decision
from octonet.kernel.position import Position, Positions

_MOST_ROWS = 100
"""Rows that a record names; `octonet audit export` names them all."""


class Change(msgspec.Struct, frozen=True):
    """What happened to one row."""

    fact: Fact
    entity: str
    id: str
    version: int


class Record(msgspec.Struct, frozen=True):
    """`position` is the one that the caller of the command was answered with; `ids` are those of the rows that it
    changed, or named in vain, `facts` what happened to them: of both the first hundred. `changes` counts all of them.
    Texts are empty where nothing is known."""

    position: str
    at: str
    command: str
    op: str
    entity: str
    ids: list[str]
    facts: list[Change]
    changes: int
    verdict: str
    code: str | None
    message: str | None
    key: str
    user: str
    account: str
    transport: str
    address: str
    correlation: str
    traceparent: str


def decisions(link: Link) -> Iterator[tuple[Decision, Position]]:
    """What an entry decided, in order, each with the position that its caller was answered with."""
    if not isinstance(link.entry, Batch):
        return
    index = 0
    for decision in link.entry.decisions:
        index += len(decision.events)
        yield decision, Position(link.sequence, max(index - 1, 0))


def record(decision: Decision, position: Position, positions: Positions) -> Record:
    """A decision, as it is told."""
    actor, rejection = decision.actor, decision.rejection
    ids = dict.fromkeys(id for _, id in touched(decision)[:_MOST_ROWS])
    return Record(
        positions.encode(position),
        iso(decision.at),
        decision.command_id,
        decision.op,
        decision.entity,
        list(ids),
        [Change(event.fact, event.entity, event.id, event.version) for event in decision.events[:_MOST_ROWS]],
        len(decision.events),
        decision.verdict.value,
        None if rejection is None else rejection.code,
        None if rejection is None else rejection.message,
        actor.key,
        actor.user,
        actor.account,
        actor.transport,
        actor.address,
        actor.correlation,
        actor.traceparent,
    )
