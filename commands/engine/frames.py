"""The codec of frames: decoding knows every command there is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from operator import or_
from typing import cast

import msgspec

from octonet.kernel.envelope import Frame
from octonet.kernel.operation import Command


class FrameCodec:
    """Decodes frames of the given commands. `now` is the process's clock, in milliseconds since 1970."""

    def __init__(self, commands: Iterable[type[Command]], now: Callable[[], int]) -> None:
        union = reduce(or_, commands)
        self._decoder = msgspec.msgpack.Decoder(Frame[union])  # type: ignore[valid-type]  # built at run time
        self.now = now

    def decode(self, body: bytes) -> Frame[Command]:
        """Raises `msgspec.DecodeError` for anything that is not a frame."""
        return cast("Frame[Command]", self._decoder.decode(body))
