"""How one fact is spelled as a NATS message: the body, and headers with CloudEvents attributes."""

from __future__ import annotations

import msgspec

from jetstream import headers, subjects
from octonet.kernel.event import Event
from octonet.kernel.ids import ProjectName
from octonet.kernel.instant import iso
from octonet.kernel.log import Decision, FeedMessage
from octonet.kernel.position import Position, encode

_encoder = msgspec.json.Encoder()


class FactSpeller:
    """Spells the facts of one project."""

    def __init__(self, project: ProjectName, schema_digest: str) -> None:
        self._project = project
        self._source = f"octonet/{project}"
        self._schema = schema_digest[:12]

    def __call__(self, position: Position, decision: Decision, event: Event) -> FeedMessage:
        """The message of a fact at this position."""
        token = encode(self._project, position)
        actor = decision.actor
        found = {
            headers.POSITION: token,
            headers.CE_SPEC_VERSION: "1.0",
            headers.CE_ID: token,
            headers.CE_SOURCE: self._source,
            headers.CE_TYPE: f"mostajs.{event.entity}.{event.fact}",
            headers.CE_SUBJECT: event.id,
            headers.CE_TIME: iso(decision.at),
            headers.CONTENT_TYPE: "application/json",
            headers.ENTITY_ID: event.id,
            headers.VERSION: str(event.version),
            headers.COMMAND: decision.command_id,
            headers.TRANSPORT: actor.transport,
            headers.SCHEMA: self._schema,
        }
        for name, value in (
            (headers.KEY, actor.key),
            (headers.ACCOUNT, actor.account),
            (headers.CORRELATION, actor.correlation),
            (headers.CAUSATION, actor.causation),
            (headers.TRACEPARENT, actor.traceparent),
        ):
            if value:
                found[name] = value
        return FeedMessage(subjects.fact(self._project, event), found, _body(decision, event))


def _body(decision: Decision, event: Event) -> bytes:
    """`{entity, id, op, version, data, changed}`; the data stands as it was encoded once."""
    return b'{"entity":%b,"id":%b,"op":%b,"version":%d,"data":%b,"changed":%b}' % (
        _encoder.encode(event.entity),
        _encoder.encode(event.id),
        _encoder.encode(decision.op),
        event.version,
        event.data if event.data is not None else b"null",
        _encoder.encode(event.changed),
    )
