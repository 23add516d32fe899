"""A running server as the conformance cases see it: one door to ask through, and the facts that come of it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import nats

from jetstream.server import find_running
from octonet.kernel.event import Fact as FactKind
from tests.conformance.clients import Call, Json
from tests.running import Server

LIBRARY = Path(__file__).parent / "library.json"
KINDS = frozenset(kind.value for kind in FactKind)
COVERED: Counter[str] = Counter()
"""How many cases are about each operation."""

_T = TypeVar("_T", bound=Callable[..., object])
_numbers = count(1)


def about(*operations: str) -> Callable[[_T], _T]:
    """Mark a case as one about these operations."""

    def mark(case: _T) -> _T:
        COVERED.update(operations)
        return case

    return mark


def fresh(word: str = "w") -> str:
    """A word that no other case uses."""
    return f"{word}{next(_numbers)}x"


class Refusal(msgspec.Struct):
    """An error as it was told."""

    code: str
    message: str
    paths: list[str]


class Fact(msgspec.Struct):
    """One message of the feed."""

    subject: str
    entity: str
    id: str
    op: str
    version: int
    data: Json
    changed: list[str]

    @property
    def what(self) -> tuple[str, str, str]:
        """Its kind, entity and id."""
        return self.subject.rpartition(".")[2], self.entity, self.id


class World:
    """One door of one server."""

    def __init__(self, site: Server, door: str, call: Call) -> None:
        self.site = site
        self.door = door
        self._call = call

    async def whole(self, op: str, entity: str, **members: Json) -> Json:
        """The OrmResponse of a request that must succeed."""
        code, told = await self._call({"op": op, "entity": entity, **members})
        assert code == "ok", told
        return told

    async def ask(self, op: str, entity: str, **members: Json) -> Json:
        """The data of a request that must succeed."""
        return (await self.whole(op, entity, **members)).get("data")

    async def outcome(self, op: str, entity: str, **members: Json) -> str:
        """``ok`` or the code of the error."""
        return (await self._call({"op": op, "entity": entity, **members}))[0]

    async def refused(self, op: str, entity: str, **members: Json) -> Refusal:
        """The error of a request that must fail."""
        code, told = await self._call({"op": op, "entity": entity, **members})
        assert code != "ok", told
        assert told["status"] == "error"
        error = told["error"]
        return Refusal(error["code"], error["message"], [fault["path"] for fault in error.get("details", [])])

    async def author(self, **data: Json) -> Json:
        """A new author."""
        return await self.ask("create", "Author", data={"email": fresh(), **data})

    async def tag(self) -> str:
        """The id of a new tag."""
        return str((await self.ask("create", "Tag", data={"label": fresh()}))["id"])

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[Feed]:
        """The feed from now on, as a plain NATS client has it."""
        endpoint = find_running(self.site.directory / "nats")
        assert endpoint is not None
        client = await nats.connect(endpoint.url, user=endpoint.user, password=endpoint.password)
        try:
            feed = Feed(self, await client.subscribe("mostajs.>"))
            # The server has heard of it: the mark would pass unheard else.
            await client.flush()
            await feed.facts()
            yield feed
        finally:
            await client.close()


class Feed:
    """The facts as they come."""

    def __init__(self, world: World, subscription: Any) -> None:
        self._world = world
        self._subscription = subscription

    async def facts(self) -> list[Fact]:
        """All facts since the last time, in order: those before that of a row created now to mark the end."""
        mark = await self._world.tag()
        found: list[Fact] = []
        while True:
            message = await asyncio.wait_for(self._subscription.next_msg(timeout=60), 65)
            if message.subject.rpartition(".")[2] not in KINDS:
                # What is asked for by way of NATS is heard there, too.
                continue
            fact = Fact(message.subject, **json.loads(message.data))
            if fact.id == mark:
                return found
            found.append(fact)

    async def told(self) -> list[tuple[str, str, str]]:
        """(fact, entity, id) of each of them."""
        return [fact.what for fact in await self.facts()]
