"""Reads the catalog of a database, by SQLAlchemy's own inspection of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import types
from sqlalchemy.engine.interfaces import ReflectedColumn as Told
from sqlalchemy.engine.interfaces import ReflectedForeignKeyConstraint
from sqlalchemy.engine.interfaces import ReflectedIndex as ToldIndex

from octonet.kernel.errors import StorageUnavailable
from octonet.kernel.reflected import ReflectedColumn, ReflectedIndex, ReflectedReference, ReflectedTable
from octonet.kernel.schema import FieldType, OnDelete

_ON_DELETE: Final[Mapping[str, OnDelete]] = {
    "CASCADE": OnDelete.CASCADE,
    "SET NULL": OnDelete.SET_NULL,
    "RESTRICT": OnDelete.RESTRICT,
}
SHORT: Final = 255
"""Characters of a string; what may be longer is a text."""
_TYPES: Final[Sequence[tuple[type[types.TypeEngine[Any]], FieldType]]] = (
    (types.Boolean, FieldType.BOOLEAN),
    (types.Numeric, FieldType.NUMBER),
    (types.Integer, FieldType.NUMBER),
    (types.DateTime, FieldType.DATE),
    (types.Date, FieldType.DATE),
    (types.Time, FieldType.STRING),
    (types.JSON, FieldType.JSON),
    (types.ARRAY, FieldType.ARRAY),
    (types.Uuid, FieldType.STRING),
    (types.Enum, FieldType.STRING),
)


async def reflected(driver: str, connect: Callable[[], Awaitable[object]]) -> list[ReflectedTable]:
    """The tables behind a connection of an asyncio driver, named as in ``postgresql+asyncpg``."""
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415  # a start has no use for it

    engine = create_async_engine(f"{driver}://", async_creator=connect)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(tables)
    except sa.exc.DBAPIError as problem:
        raise StorageUnavailable(f"the catalog cannot be read: {problem.orig}") from problem
    finally:
        await engine.dispose()


def tables(connection: sa.Connection) -> list[ReflectedTable]:
    """The tables behind an open connection."""
    inspector = sa.inspect(connection)
    columns, keys = inspector.get_multi_columns(), inspector.get_multi_pk_constraint()
    # SQLite keeps its unique constraints as indexes that are not told unless they are asked for.
    indexes = inspector.get_multi_indexes(include_auto_indexes=True)
    references = inspector.get_multi_foreign_keys()
    uniques = inspector.get_multi_unique_constraints()
    found: list[ReflectedTable] = []
    for place in sorted(columns, key=lambda place: place[1]):
        constrained = [
            ReflectedIndex(str(one["name"] or ""), tuple(one["column_names"]), True) for one in uniques.get(place, ())
        ]
        found.append(
            ReflectedTable(
                place[1],
                tuple(_column(one) for one in columns[place]),
                tuple((keys.get(place) or {"constrained_columns": []})["constrained_columns"]),
                once([*map(_index, indexes.get(place, ())), *constrained]),
                tuple(_reference(one) for one in references.get(place, ())),
            )
        )
    return found


def _column(told: Told) -> ReflectedColumn:
    kind = told["type"]
    enum = tuple(kind.enums) if isinstance(kind, types.Enum) else ()
    return ReflectedColumn(told["name"], _type(kind), _spelled(kind), not told["nullable"], enum)


def _type(kind: types.TypeEngine[Any]) -> FieldType | None:
    # A truth value of MySQL and its kin.
    if getattr(kind, "display_width", None) == 1 and isinstance(kind, types.Integer):
        return FieldType.BOOLEAN
    for known, field in _TYPES:
        if isinstance(kind, known):
            return field
    if isinstance(kind, types.String):
        return FieldType.STRING if kind.length is not None and kind.length <= SHORT else FieldType.TEXT
    return None


def _spelled(kind: types.TypeEngine[Any]) -> str:
    try:
        return str(kind)
    except sa.exc.UnsupportedCompilationError:
        return type(kind).__name__


def _index(told: ToldIndex) -> ReflectedIndex:
    return ReflectedIndex(told["name"] or "", tuple(name or "" for name in told["column_names"]), bool(told["unique"]))


def once(indexes: Sequence[ReflectedIndex]) -> tuple[ReflectedIndex, ...]:
    """Each index once: some databases tell a unique constraint as an index, too."""
    by_columns: dict[tuple[str, ...], ReflectedIndex] = {}
    for index in indexes:
        known = by_columns.get(index.columns)
        if known is None or (index.unique and not known.unique):
            by_columns[index.columns] = index
    return tuple(by_columns.values())


def _reference(told: ReflectedForeignKeyConstraint) -> ReflectedReference:
    return ReflectedReference(
        tuple(told["constrained_columns"]),
        told["referred_table"],
        tuple(told["referred_columns"]),
        on_delete(told.get("options", {}).get("ondelete") or ""),
    )


def on_delete(told: str) -> OnDelete:
    """What SQL says of a reference."""
    return _ON_DELETE.get(told.upper(), OnDelete.NO_ACTION)
