"""How live facts look on the wire: WebSocket frames and server-sent events, made once per group of clients."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import msgspec

from octonet.kernel.event import Fact
from projections.engine.live import Live

_encode = msgspec.json.Encoder().encode

_FINAL_TEXT = b"\x81"
_FINAL_CLOSE = b"\x88"
_SHORT = 126
_MEDIUM = 1 << 16
_LONGEST_REASON = 123


def frame(payload: bytes) -> bytes:
    """A text message as one unmasked WebSocket frame."""
    return _FINAL_TEXT + _length(len(payload)) + payload


def close_frame(code: int, reason: str) -> bytes:
    """The close frame; a reason too long for one is left out."""
    text = reason.encode()
    payload = code.to_bytes(2, "big") + (text if len(text) <= _LONGEST_REASON else b"")
    return _FINAL_CLOSE + _length(len(payload)) + payload


def _length(size: int) -> bytes:
    if size < _SHORT:
        return size.to_bytes(1, "big")
    if size < _MEDIUM:
        return b"\x7e" + size.to_bytes(2, "big")
    return b"\x7f" + size.to_bytes(8, "big")


@lru_cache(maxsize=256)
def websocket_encoder(subscription: str) -> Callable[[list[Live]], bytes]:
    """Encodes facts as event messages that name the client's subscription (empty: the default tail). Always the same
    function for the same name, so that clients share its work."""
    end = b',"subscription":%b}' % _encode(subscription) if subscription else b"}"

    def encode(facts: list[Live]) -> bytes:
        return b"".join([frame(_event_message(fact, end)) for fact in facts])

    return encode


def _event_message(fact: Live, end: bytes) -> bytes:
    return b'{"type":"event","event":"%b",%b,"position":"%b"%b' % (
        fact.name.encode(),
        members(fact),
        fact.token.encode(),
        end,
    )


def members(fact: Live) -> bytes:
    """Entity, id, version and, unless it is gone, the row."""
    told = b'"entity":"%b","id":%b,"version":%d' % (fact.entity.encode(), _encode(fact.id), fact.version)
    return told if fact.data is None or fact.fact is Fact.DELETED else b'%b,"data":%b' % (told, fact.data)


def chunked_events(facts: list[Live]) -> bytes:
    """Facts as server-sent events in one HTTP/1.1 chunk."""
    return chunk(plain_events(facts))


def plain_events(facts: list[Live]) -> bytes:
    """Facts as server-sent events, for clients that do not know chunks."""
    return b"".join(
        [
            b"id: %b\nevent: %b\ndata: {%b}\n\n" % (fact.token.encode(), fact.name.encode(), members(fact))
            for fact in facts
        ]
    )


def chunk(content: bytes) -> bytes:
    """One HTTP/1.1 chunk."""
    return b"%x\r\n%b\r\n" % (len(content), content)
