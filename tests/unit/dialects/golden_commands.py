"""The commands of each operation on MongoDB, as they were read and found right: `golden/mongodb.txt`.

What the driver sends is listened to, at the stand-in: there is no statement to be compiled beforehand.
`python -m tests.unit.dialects.golden_commands` writes the file anew; the difference is to be read. A comment behind a
heading says why a command is as it is; it stays with its heading.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from bson import json_util
from pymongo import monitoring

from octonet.kernel.aggregate import Accumulator, Function, Group, Match
from octonet.kernel.filter import (
    And,
    Compare,
    Comparison,
    In,
    IsNull,
    Like,
    Literal,
    Options,
    Or,
    Order,
    Wild,
    Wildcard,
)
from octonet.kernel.ids import CommandId, EntityId
from octonet.kernel.storage import Checkpoint, Database, Remembered, Strategy
from tests.conformance.dialect_cases import ACCOUNT, DOG, ORDER, PERSON, SCHEMAS, USER, opened, page, stored

FILE: Final = Path(__file__).parent / "golden" / "mongodb.txt"
_OF_THE_SESSION: Final = ("lsid", "$db", "txnNumber", "$clusterTime", "$readPreference")
_LONGEST: Final = 200
"""Letters of a value that is shown: what is longer is a schema, or writes packed together."""
_RANDOM: Final = re.compile(r"\b[0-9a-f]{32}\b|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ADULTS: Final = Compare("age", Comparison.GTE, 18)


class _Ear(monitoring.CommandListener):
    """Hears every command of every client that is made after it was lent."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        command = {name: _short(value) for name, value in event.command.items() if name not in _OF_THE_SESSION}
        text = json_util.dumps(command, json_options=json_util.RELAXED_JSON_OPTIONS, ensure_ascii=False)
        self.heard.append(_RANDOM.sub("<random>", text))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing more is said."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing more is said."""


def _short(value: object) -> object:
    match value:
        case dict():
            return {name: _short(member) for name, member in value.items()}
        case list():
            return [_short(member) for member in value]
        case str() | bytes() if len(value) > _LONGEST:
            return "<long>"
        case _:
            return value


_EAR: Final = _Ear()


async def commands(folder: Path) -> dict[str, list[str]]:
    """What each piece of work says to the server, by its name."""
    if _EAR not in monitoring._LISTENERS.command_listeners:
        monitoring.register(_EAR)
    _EAR.heard.clear()
    found: dict[str, list[str]] = {}
    async with opened("mongodb", folder) as database:
        async for heading in _work(database):
            found[heading] = list(_EAR.heard)
            _EAR.heard.clear()
    return found


async def _work(database: Database) -> AsyncIterator[str]:
    """Does one piece after another, each told when it is done."""
    yield "connect, and make the collections and indexes"
    async for heading in _writes(database):
        yield heading
    async for heading in _reads(database):
        yield heading
    async for heading in _pages(database):
        yield heading
    async with database.snapshot() as snapshot:
        await snapshot.rows(PERSON, "", 10)
    yield "snapshot"
    await database.migrate(SCHEMAS, Strategy.UPDATE)
    yield "a start that finds all as it should be"


async def _writes(database: Database) -> AsyncIterator[str]:
    transaction = await database.begin()
    people = [stored(PERSON, "p", name="Ann", age=41, groups=["g"]), stored(PERSON, "q", name="Bob", age=7)]
    await transaction.insert(PERSON, people)
    await transaction.insert(USER, [stored(USER, "u", email="a@b"), stored(USER, "v", email="c@d")])
    await transaction.remember([Remembered(CommandId("c"), 1)])
    await transaction.move_checkpoint(Checkpoint(1, 1, b"one", "s"))
    await transaction.commit()
    yield "a commit of creates"
    transaction = await database.begin()
    await transaction.fetch(USER, [EntityId("u"), EntityId("v")])
    await transaction.update(USER, [(1, stored(USER, "u", 2, email="e@f"))])
    await transaction.delete(USER, [EntityId("v")])
    await transaction.remember([Remembered(CommandId("d"), 2)])
    await transaction.move_checkpoint(Checkpoint(2, 2, b"two", "s"))
    await transaction.commit()
    yield "a commit of an update and a delete"
    transaction = await database.begin()
    await transaction.recall([CommandId("c"), CommandId("x")])
    await transaction.newest()
    await transaction.rollback()
    yield "recall commands, and the newest one; roll back"


async def _reads(database: Database) -> AsyncIterator[str]:
    await database.get(PERSON, EntityId("p"), Options())
    yield "get by id"
    await asyncio.gather(*(database.get(PERSON, EntityId(id), Options()) for id in ("p", "q", "r")))
    yield "gets that travel together"
    await database.get(ACCOUNT, EntityId("a"), Options())
    yield "get of a row that may be soft-deleted"
    await database.get(DOG, EntityId("d"), Options())
    yield "get by a discriminator"
    await database.version(PERSON, EntityId("p"))
    yield "version"
    await database.count(PERSON, _ADULTS)
    yield "count"
    total = Accumulator("total", Function.SUM, "age")
    await database.aggregate(PERSON, (Match(_ADULTS), Group("name", (total,))), 100)
    yield "aggregate"
    await database.pairs(PERSON, PERSON.relations["groups"], [EntityId("p"), EntityId("q")])
    yield "links of several owners"
    await database.checkpoint()
    yield "checkpoint"
    await database.recall(CommandId("c"))
    yield "recall a command"


async def _pages(database: Database) -> AsyncIterator[str]:
    await database.select(PERSON, page())
    yield "page of everything"
    await database.select(PERSON, page(_ADULTS, Order("age", descending=True), Order("name"), skip=20))
    yield "page that is filtered, sorted and skipped to"
    await database.select(PERSON, page(In("age", (1, 2.5), True)))
    yield "membership of numbers, negated"
    await database.select(PERSON, page(Or((IsNull("bio", True), IsNull("bio", False)))))
    yield "null, and not null"
    either = And((Or((_ADULTS, Compare("active", Comparison.EQ, True))), Compare("name", Comparison.NE, "x")))
    await database.select(PERSON, page(either))
    yield "and, or, not equal, a boolean"
    for what, ignore, negated in (("", False, False), (", negated", False, True), (", whatever the case", True, False)):
        like = Like("name", (Literal("50%_"), Wild(Wildcard.MANY)), ignore, negated)
        await database.select(PERSON, page(like))
        yield f"like{what}"
    await database.select(ORDER, page(Compare("select", Comparison.EQ, "x"), Order("group")))
    yield "reserved words"


def golden() -> tuple[dict[str, str], dict[str, str]]:
    """The commands and the comments of the file, by heading."""
    texts: dict[str, str] = {}
    comments: dict[str, str] = {}
    for part in (FILE.read_text() if FILE.exists() else "").split("\n# ")[1:]:
        heading, _, rest = part.partition("\n")
        lines = rest.strip().splitlines()
        comments[heading] = "\n".join(line for line in lines if line.startswith("-- "))
        texts[heading] = "\n".join(line for line in lines if not line.startswith("-- "))
    return texts, comments


def written(found: dict[str, list[str]]) -> str:
    """The file as it should be, with the comments that stand there."""
    comments = golden()[1]
    parts = ["What Octonet says to mongodb. Written by tests/unit/dialects/golden_commands.py.\n"]
    for heading, lines in found.items():
        comment = comments.get(heading, "")
        said = "\n".join(lines) or "(nothing)"
        parts.append(f"\n# {heading}\n" + (f"{comment}\n" if comment else "") + f"{said}\n")
    return "".join(parts)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        FILE.write_text(written(asyncio.run(commands(Path(directory)))))
