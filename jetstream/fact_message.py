"""How one fact is spelled as a NATS message: the body, and headers with CloudEvents attributes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote

import msgspec

from jetstream import headers, subjects
from octonet.kernel.envelope import Actor
from octonet.kernel.event import Event, Fact
from octonet.kernel.instant import iso
from octonet.kernel.log import Decision, FeedMessage
from octonet.kernel.position import Position, Positions

_encoder = msgspec.json.Encoder()
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9._~-]+")


class _Kind(msgspec.Struct, frozen=True):
    """What all facts of one kind about one entity share, encoded once."""

    subject: bytes
    fixed: str


class FactSpeller:
    """Spells the facts of one project."""

    def __init__(self, positions: Positions, schema_digest: str) -> None:
        self._positions = positions
        self._project = positions.project
        self._schema = schema_digest[:12]
        self._kinds: dict[tuple[str, Fact], _Kind] = {}

    def __call__(self, position: Position, decision: Decision, event: Event) -> FeedMessage:
        """The message of a fact at this position."""
        kind = self._kinds.get((event.entity, event.fact)) or self._kind(event)
        token = self._positions.encode(position)
        # Ids come from clients: whatever is not plain is percent-encoded, as CloudEvents asks.
        id = event.id if _PLAIN_ID.fullmatch(event.id) else quote(event.id, "")
        lines = (
            f"{headers.POSITION}: {token}\r\n{headers.CE_ID}: {token}\r\n{headers.CE_SUBJECT}: {id}\r\n"
            f"{headers.CE_TIME}: {iso(decision.at)}\r\n{headers.COMMAND}: {decision.command_id}\r\n"
            f"{kind.fixed}{_journey(decision.actor)}"
        )
        return FeedMessage(kind.subject, lines.encode(), _body(decision, event))

    def _kind(self, event: Event) -> _Kind:
        fixed = (
            f"{headers.CE_SPEC_VERSION}: 1.0\r\n{headers.CE_SOURCE}: octonet/{self._project}\r\n"
            f"{headers.CE_TYPE}: mostajs.{event.entity}.{event.fact}\r\n{headers.SCHEMA}: {self._schema}\r\n"
        )
        kind = _Kind(subjects.fact(self._project, event).encode(), fixed)
        self._kinds[event.entity, event.fact] = kind
        return kind


@lru_cache(maxsize=256)
def _journey(actor: Actor) -> str:
    """What is known of the command's caller. Doors let only printable ASCII in here."""
    found = (
        (headers.TRANSPORT, actor.transport),
        (headers.KEY, actor.key),
        (headers.ACCOUNT, actor.account),
        (headers.USER, actor.user),
        (headers.ORIGIN, "" if actor.origin is None else ",".join(actor.origin.chain)),
        (headers.CORRELATION, actor.correlation),
        (headers.CAUSATION, actor.causation),
        (headers.TRACEPARENT, actor.traceparent),
    )
    return "".join(f"{name}: {value}\r\n" for name, value in found if value)


def _body(decision: Decision, event: Event) -> bytes:
    """`{entity, id, op, version, data, changed}`; the data stands as it was encoded once."""
    return b'{"entity":"%b","id":%b,"op":"%b","version":%d,"data":%b,"changed":%b}' % (
        event.entity.encode(),
        _encoder.encode(event.id),
        decision.op.encode(),
        event.version,
        event.data if event.data is not None else b"null",
        _encoder.encode(event.changed),
    )
