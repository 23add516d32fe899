"""The codec of frames: decoding knows every command there is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from operator import or_
from typing import cast

import msgspec

from octonet.kernel.envelope import Envelope, Frame
from octonet.kernel.operation import Command

_UNREADABLE = (ValueError, RecursionError)
"""What decoding meets: bytes that are no MessagePack, no text, of another shape, or nested without end."""
_MOST_TOLD = 3

_rough = msgspec.msgpack.Decoder(tuple[str, list[msgspec.Raw]])


class Decoded(msgspec.Struct, frozen=True):
    """What could be read of a frame. `problem` says what could not, empty when that is nothing."""

    reply: str
    envelopes: list[Envelope[Command]]
    problem: str = ""


class FrameCodec:
    """Decodes frames of the given commands. `now` is the process's clock, in milliseconds since 1970."""

    def __init__(self, commands: Iterable[type[Command]], now: Callable[[], int]) -> None:
        union = reduce(or_, commands)
        self._decoder = msgspec.msgpack.Decoder(Frame[union])  # type: ignore[valid-type]  # built at run time
        self._single = msgspec.msgpack.Decoder(Envelope[union])  # type: ignore[valid-type]
        self.now = now

    def decode(self, body: bytes) -> Decoded:
        """Everything in it that can be read, whatever stands beside it. Never raises."""
        try:
            frame = cast("Frame[Command]", self._decoder.decode(body))
        except _UNREADABLE:
            return self._salvage(body)
        return Decoded(frame.reply, frame.envelopes)

    def _salvage(self, body: bytes) -> Decoded:
        try:
            reply, pieces = _rough.decode(body)
        except _UNREADABLE as problem:
            return Decoded("", [], f"it is not a frame: {problem}")
        good: list[Envelope[Command]] = []
        problems: list[str] = []
        for number, piece in enumerate(pieces, 1):
            try:
                good.append(cast("Envelope[Command]", self._single.decode(piece)))
            except _UNREADABLE as problem:
                problems.append(f"envelope {number} of {len(pieces)}: {problem}")
        more = f"; and {len(problems) - _MOST_TOLD} more" if len(problems) > _MOST_TOLD else ""
        return Decoded(reply, good, "; ".join(problems[:_MOST_TOLD]) + more)
