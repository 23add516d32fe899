"""Trying commands out: asked by any process, answered by the owner of the project's lane."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from commands.engine.trying import Trying
from jetstream.owner_requests import OwnerRequests
from octonet.kernel.envelope import Envelope, Frame
from octonet.kernel.errors import TooLarge, Unavailable
from octonet.kernel.operation import Command
from octonet.kernel.trial import Tried

_encode: Final = msgspec.msgpack.Encoder().encode
_decoder: Final = msgspec.msgpack.Decoder(Tried)


class OwnersTrial:
    """Implements `octonet.kernel.trial.Trial`. `owner` tells the process that owns the project, empty when none does;
    `patience` is how many seconds its answer may take."""

    def __init__(self, trials: OwnerRequests, owner: Callable[[], str], patience: float) -> None:
        self._trials = trials
        self._owner = owner
        self._patience = patience

    async def attempt(self, envelope: Envelope[Command]) -> Tried:
        """See the port."""
        owner = self._owner()
        if not owner:
            raise Unavailable("no worker decides for this project at the moment", code="NO_OWNER")
        body = _encode(Frame("", [envelope]))
        if len(body) > self._trials.largest:
            raise TooLarge("the command is larger than a message can be")
        return _decoder.decode(await self._trials.ask(owner, body, self._patience))


class Answering:
    """What a worker does for those who ask: see `commands.engine.trying`."""

    def __init__(self, trials: OwnerRequests, process: str, trying: Trying) -> None:
        self._trials = trials
        self._process = process
        self._trying = trying

    async def run(self) -> None:
        """Answer until cancelled."""
        await self._trials.serve(self._process, self._trying.answer)
