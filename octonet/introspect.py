"""Making a schema file of an existing database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from octonet import dialects
from octonet.kernel.errors import Invalid, NotFound, ValidationError
from octonet.kernel.introspection import introspect
from octonet.kernel.reflected import Reflects
from octonet.kernel.schema_parse import parse
from octonet.kernel.storage import DatabaseOptions
from octonet.target import dialect_of

_BOOKS: Final = "octonet_schema"


class SchemaFile(msgspec.Struct, frozen=True):
    """The text of a schema file, how many entities it has, and what it does not say, in sentences."""

    text: str
    entities: int
    notes: list[str]


async def introspected(uri: str, dialect: str = "", only: Sequence[str] = ()) -> SchemaFile:
    """The schema of the database at `uri`, of these tables if any are named. Raises `OctonetError`."""
    name = dialect or dialect_of(uri) or ("sqlite" if Path(uri).is_file() else "")
    if not name:
        known = ", ".join(dialects.known())
        raise Invalid(f"{uri.partition(':')[0]!r} tells no kind of database: name it with --dialect, one of {known}")
    found = dialects.find(name)
    if not isinstance(found, Reflects):
        raise Invalid(f"the catalog of {name} cannot be read: Octonet does not know how")
    tables = await found.reflect(uri)
    if any(table.name == _BOOKS for table in tables) and not only:
        told = await _told_by_itself(name, uri)
        if told is not None:
            return told
    names = {table.name for table in tables}
    if unknown := [table for table in only if table not in names]:
        raise NotFound(f"there is no table {', '.join(unknown)}; there are {', '.join(sorted(names))}")
    made = introspect([table for table in tables if not only or table.name in only])
    if not made.entities:
        raise NotFound("that database has no table that could be an entity")
    text = _pretty(msgspec.json.encode(made.entities))
    notes = list(made.notes)
    try:
        parse(text)
    except ValidationError as problem:
        notes += [f"the schema wants a hand: {fault.path} {fault.message}" for fault in problem.faults]
    return SchemaFile(text, len(made.entities), notes)


async def _told_by_itself(name: str, uri: str) -> SchemaFile | None:
    """The schema that the tables of Octonet follow, where it is known."""
    database = await dialects.find(name).open(uri, parse("[]"), DatabaseOptions())
    try:
        followed = await database.follows()
    finally:
        await database.close()
    if followed is None:
        return None
    entities = len(parse(followed.source).entities)
    return SchemaFile(_pretty(followed.source.encode()), entities, ["Octonet made these tables: that is their schema"])


def _pretty(text: bytes) -> str:
    return msgspec.json.format(text, indent=2).decode()
