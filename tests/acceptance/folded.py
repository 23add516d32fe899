"""A fold of a project's facts that a test makes for itself, out of the feed that every program can hear."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import nats

from jetstream.server import find_running

SECRETS = frozenset({"password"})


class Told(NamedTuple):
    """One fact of the feed."""

    position: str
    fact: str
    entity: str
    id: str
    version: int
    at: str
    command: str
    op: str
    changed: list[str]
    data: dict[str, Any] | None


async def facts(directory: Path, count: int = 0, project: str = "default") -> list[Told]:
    """All facts of a project, in their order, as far as they are on the feed; at least `count` of them."""
    endpoint = find_running(directory / "nats")
    assert endpoint is not None
    client = await nats.connect(endpoint.url, user=endpoint.user, password=endpoint.password)
    try:
        stream = client.jetstream()
        name = f"OCTO_FACTS_{project}"
        while (last := (await stream.stream_info(name)).state.last_seq) < count:
            await asyncio.sleep(0.01)
        heard = await stream.subscribe(">", stream=name, ordered_consumer=True)
        return [_told(await heard.next_msg(timeout=60)) for _ in range(last)]
    finally:
        await client.close()


def _told(message: Any) -> Told:
    headers, body = message.headers, json.loads(message.data)
    return Told(
        headers["Octonet-Position"],
        message.subject.rpartition(".")[2],
        body["entity"],
        body["id"],
        body["version"],
        headers["ce-time"],
        headers["Octonet-Command"],
        body["op"],
        body["changed"],
        body["data"],
    )


def shown(data: dict[str, Any] | None) -> dict[str, Any] | None:
    """A row as doors show it."""
    return None if data is None else {name: value for name, value in data.items() if name not in SECRETS}


class Fold:
    """The rows of every entity after each fact."""

    def __init__(self, told: list[Told]) -> None:
        self.told = told

    def row(self, entity: str, id: str, index: int) -> dict[str, Any] | None:
        """The row as it was after fact number `index`; softly deleted rows are not seen."""
        for fact in reversed(self.told[: index + 1]):
            if (fact.entity, fact.id) == (entity, id):
                return _live(shown(fact.data))
        return None

    def rows(self, entity: str, index: int) -> dict[str, dict[str, Any]]:
        """All live rows of an entity after fact number `index`, by id in order."""
        found: dict[str, dict[str, Any] | None] = {}
        for fact in self.told[: index + 1]:
            if fact.entity == entity:
                found[fact.id] = _live(shown(fact.data))
        return {id: row for id, row in sorted(found.items()) if row is not None}

    def ids(self) -> Iterator[tuple[str, str]]:
        """Every (entity, id) that there ever was."""
        yield from dict.fromkeys((fact.entity, fact.id) for fact in self.told)


def _live(row: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if row is None or row.get("deletedAt") is not None else row
