"""Asking the owner of a lane to let the log go on in a new stream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

import msgspec

from jetstream import subjects
from jetstream.connection import connect
from jetstream.endpoint import Endpoint
from jetstream.log_streams import Closed, LogStreams
from jetstream.owner_requests import OwnerRequests
from jetstream.owners import Owners
from octonet.kernel.errors import NotFound, Unavailable
from octonet.kernel.ids import ProjectName
from octonet.serving.rotating import Rotated

_NOBODY: Final = "NO_WORKER"
_WITHIN: Final = 60.0
_CHOOSING: Final = 20.0
"""Seconds that a cluster may take to choose its leaders."""
_ANSWERED_WITHIN: Final = 10.0
_PAUSE: Final = 0.5

_T = TypeVar("_T")


async def rotate(endpoint: Endpoint, name: str) -> int:
    """See `octonet rotate`. Raises `NotFound`, `Unavailable` with a sentence that says what to do."""
    project = ProjectName(name)
    client = await connect(endpoint, "octonet rotate")
    try:
        streams, owners = LogStreams(client, project), Owners(client)
        if await _answered(streams.look) is None and not streams.closed:
            raise NotFound(f"there is no log of a project {name!r}", code="UNKNOWN_PROJECT")
        await _answered(lambda: owners.open([project]))
        asked = OwnerRequests(client, partial(subjects.rotation, project))
        closed = await _closed(streams, asked, lambda: owners.of(project), name)
        print(f"{closed.name} is closed, with entry {closed.last} as its last; the log goes on in {streams.name}")
        return 0
    finally:
        await client.close()


async def _answered(question: Callable[[], Awaitable[_T]]) -> _T:
    """Ask until there is an answer: a cluster that lost a server is silent while it chooses new leaders."""
    until = time.monotonic() + _CHOOSING
    while True:
        try:
            return await question()
        except Unavailable:
            if time.monotonic() > until:
                raise
        await asyncio.sleep(_PAUSE)


async def _closed(streams: LogStreams, asked: OwnerRequests, owner: Callable[[], str], project: str) -> Closed:
    """Ask until the log has one closed stream more: an answer may be lost with a connection, an owner may change."""
    before, until = len(streams.closed), time.monotonic() + _WITHIN
    trouble = Unavailable("the log does not go on in a new stream yet", code="NOT_ROTATED")
    while True:
        try:
            await _ask(asked, owner(), project)
        except Unavailable as problem:
            trouble = problem
        if await _answered(streams.look) is not None and len(streams.closed) > before:
            return streams.closed[before]
        if time.monotonic() > until or trouble.code == _NOBODY:
            raise trouble
        await asyncio.sleep(_PAUSE)


async def _ask(asked: OwnerRequests, owner: str, project: str) -> None:
    if not owner:
        sentence = f"no worker decides for project {project!r}: start `octonet serve` or `octonet work`"
        raise Unavailable(sentence, code=_NOBODY)
    told = msgspec.json.decode(await asked.ask(owner, b"", _ANSWERED_WITHIN), type=Rotated)
    if told.problem:
        raise Unavailable(told.problem, code="NOT_ROTATED")
