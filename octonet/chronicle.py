"""The history of one row: every version that it had, who made it, when, through which door, and what it changed."""

from __future__ import annotations

from typing import Final

import msgspec

from octonet.kernel.equality import same
from octonet.kernel.errors import invalid
from octonet.kernel.ids import EntityId, JsonValue, Row
from octonet.kernel.instant import iso
from octonet.kernel.past import Version
from octonet.kernel.schema import ID, EntitySchema
from octonet.kernel.sealing import is_sealed
from octonet.project import Project

MOST: Final = 100
"""Versions on a page at most."""
_DEFAULT: Final = 20
_row = msgspec.json.Decoder(dict)


class Author(msgspec.Struct, frozen=True):
    """Who made a version: ids, empty where there is none."""

    key: str
    account: str
    user: str


class Difference(msgspec.Struct, frozen=True):
    """How one member differs from the version before."""

    before: JsonValue
    after: JsonValue


class Chapter(msgspec.Struct, frozen=True):
    """One version. `data` is the row as it was, without secrets, null when it was gone; `changed` names what was
    changed, `changes` shows it, but for secrets."""

    position: str
    version: int
    fact: str
    at: str
    op: str
    command: str
    by: Author
    transport: str
    correlation: str
    changed: list[str]
    changes: dict[str, Difference]
    data: Row | None


class Chronicle(msgspec.Struct, frozen=True):
    """A page of versions, the newest first, and where the next one begins."""

    versions: list[Chapter]
    cursor: str | None


async def tell(home: Project, schema: EntitySchema, id: EntityId, limit: int | None, cursor: str | None) -> Chronicle:
    """A page of the history of a row; nothing when there never was one. Raises `Invalid`, `Unavailable`."""
    most = _DEFAULT if limit is None else limit
    if not 1 <= most <= MOST:
        raise invalid("?limit", f"must be 1 to {MOST}", code="LIMIT_TOO_LARGE")
    before = None if cursor is None else home.positions.decode(cursor, "?cursor")
    # One more: it is what the last one shown differs from.
    found = await home.past.versions(home.schemas, schema.name, id, before, most + 1)
    rows = [_visible(schema, version) for version in found]
    chapters = [
        _chapter(home, version, row, earlier)
        for version, row, earlier in zip(found[:most], rows, [*rows[1:], None], strict=False)
    ]
    return Chronicle(chapters, chapters[-1].position if len(found) > most else None)


def _chapter(home: Project, version: Version, row: Row | None, earlier: Row | None) -> Chapter:
    actor = version.actor
    changes = _changes(row or {}, earlier or {})
    return Chapter(
        home.positions.encode(version.position),
        version.version,
        version.fact.value,
        iso(version.at),
        version.op,
        version.command,
        Author(actor.key, actor.account, actor.user),
        actor.transport,
        actor.correlation,
        list(version.changed) or list(changes),
        changes,
        row,
    )


def _changes(row: Row, earlier: Row) -> dict[str, Difference]:
    """What differs; a row that is not there has nothing but nulls."""
    return {
        name: Difference(earlier.get(name), row.get(name))
        for name in dict.fromkeys((*row, *earlier))
        if name != ID and not same(earlier.get(name), row.get(name))
    }


def _visible(schema: EntitySchema, version: Version) -> Row | None:
    """The row as it was written then. What is secret now, or was secret then, is not shown."""
    if version.data is None:
        return None
    row: Row = _row.decode(version.data)
    return {name: value for name, value in row.items() if name not in schema.secrets and not is_sealed(value)}
