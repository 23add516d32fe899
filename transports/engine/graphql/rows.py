"""Rows as the objects of an answer; what they are related to is fetched level by level, one query for each relation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Final, Protocol

from msgspec import structs

from octonet.kernel.errors import Invalid, invalid
from octonet.kernel.ids import JsonValue, Row
from octonet.kernel.operation import Raw, Request
from octonet.kernel.schema import ID, Relation, RelationKind
from transports.engine.graphql.plan import Rows, Table, Twig, reading

TYPENAME: Final = "__typename"
MOST_RELATED: Final = 1000
"""Rows that one relation may bring to one level of an answer, as on every door."""


class Fetch(Protocol):
    """How related rows are asked for."""

    odd: bool
    """Set when a value is not as the schema promises."""
    largest: int
    """Rows that one query may bring."""

    async def rows(self, request: Request) -> tuple[list[Row], str | None]:
        """The rows of a findAll, and the cursor where there are more."""
        ...

    def members(self, twig: Twig) -> dict[str, Raw]:
        """What the arguments of a relation say."""
        ...

    def check_request(self, request: Request) -> None:
        """Whether a findAll would be answered. Raises `OctonetError`."""
        ...


def objects(selection: Rows, rows: Sequence[Row], fetch: Fetch) -> list[dict[str, object]]:
    """The objects of rows that need nothing more, quickly."""
    leaves = selection.leaves
    _check(selection, rows, fetch)
    if not selection.types:
        try:
            return [{key: row[column] for key, column in leaves} for row in rows]
        except KeyError:
            # It was read with fewer columns.
            return [{key: row.get(column) for key, column in leaves} for row in rows]
    title = selection.shape.title
    columns = dict(leaves)
    return [{key: row.get(columns[key]) if key in columns else title for key in selection.keys} for row in rows]


def _check(selection: Rows, rows: Sequence[Row], fetch: Fetch) -> None:
    """Whether all is there that must be."""
    required = selection.required
    if required is None:
        return
    try:
        for row in rows:
            if None in required(row):
                fetch.odd = True
                return
    except KeyError:
        fetch.odd = True


async def grown(selection: Rows, rows: Sequence[Row], fetch: Fetch) -> list[dict[str, object]]:
    """The objects of rows, with everything that is related to them."""
    if not selection.twigs:
        return objects(selection, rows, fetch)
    flat = {key: column for key, column in selection.leaves}
    title = selection.shape.title
    _check(selection, rows, fetch)
    # A key stands where the document has it, whenever its value comes.
    made: list[dict[str, object]] = [
        {key: row.get(flat[key]) if key in flat else title if key in selection.types else None
         for key in selection.keys}
        for row in rows
    ]  # fmt: skip
    found = await _together(*(_related(twig, rows, fetch) for twig in selection.twigs))
    for twig, values in zip(selection.twigs, found, strict=True):
        for each, value in zip(made, values, strict=True):
            each[twig.key] = value
    return made


async def shown(table: Table, sources: Sequence[Mapping[str, object]], fetch: Fetch) -> list[dict[str, object]]:
    """Objects that are no rows, with the rows that are inside them."""
    made: list[dict[str, object]] = [{} for _ in sources]
    for key, name, below in table.members:
        values: Iterable[object]
        if name == TYPENAME:
            values = [table.title] * len(sources)
        elif below is None:
            values = [source[name] for source in sources]
        else:
            values = await _below(below, [source[name] for source in sources], fetch)
        for each, value in zip(made, values, strict=True):
            each[key] = value
    return made


async def _below(below: Rows | Table, values: Sequence[object], fetch: Fetch) -> list[object]:
    """Objects, lists of them and nulls: all are shown at once, then put back where they were."""
    flat: list[dict[str, object]] = []
    for value in values:
        if isinstance(value, list):
            flat.extend(value)
        elif isinstance(value, dict):
            flat.append(value)
    ready = iter(await (shown(below, flat, fetch) if isinstance(below, Table) else _rows(below, flat, fetch)))
    found: list[object] = []
    for value in values:
        if isinstance(value, list):
            found.append([next(ready) for _ in value])
        else:
            found.append(None if value is None else next(ready))
    return found


async def _rows(below: Rows, flat: Sequence[Mapping[str, object]], fetch: Fetch) -> list[dict[str, object]]:
    return await grown(below, flat, fetch)  # type: ignore[arg-type]


async def _related(twig: Twig, rows: Sequence[Row], fetch: Fetch) -> Sequence[object]:
    relation = twig.branch.relation
    if relation.owns_column:
        keys = [row.get(relation.column) for row in rows]
        known = await _by_id(twig, {key for key in keys if isinstance(key, str)}, fetch, {})
        return [known.get(key) if isinstance(key, str) else None for key in keys]
    members = fetch.members(twig)
    cut = _Cut(members)
    if relation.kind is RelationKind.MANY_TO_MANY:
        links = [_ids(row.get(relation.name)) for row in rows]
        known = await _by_id(twig, {key for ids in links for key in ids}, fetch, members)
        order = list(known)
        return [cut.of([known[key] for key in (order if cut.sorted else ids) if key in known and key in ids])
                for ids in links]  # fmt: skip
    return await _children(twig, rows, fetch, members, cut)


class _Cut:
    """How each list of a relation is cut: the query brings those of all parents, in order."""

    def __init__(self, members: Mapping[str, Raw]) -> None:
        options = members.get("options")
        options = options if isinstance(options, dict) else {}
        skip, limit = options.get("skip"), options.get("limit")
        self._from = skip if isinstance(skip, int) else 0
        self._most = limit if isinstance(limit, int) and limit else None
        if self._from < 0 or (self._most or 0) < 0:
            raise invalid("$.options", "skip and limit cannot be negative", code="INVALID_OPTIONS")
        self.sorted = "sort" in options

    def of(self, found: list[object]) -> list[object]:
        """The part of a list that is wanted."""
        return found[self._from :] if self._most is None else found[self._from : self._from + self._most]


async def _children(
    twig: Twig, rows: Sequence[Row], fetch: Fetch, members: Mapping[str, Raw], cut: _Cut
) -> list[object]:
    relation = twig.branch.relation
    owners = [str(row[ID]) for row in rows]
    families: dict[str, list[object]] = {owner: [] for owner in owners}
    found = await _query(twig, relation.column, list(families), fetch, members, (relation.column,))
    for child, made in zip(found, await grown(twig.rows, found, fetch), strict=True):
        families[str(child[relation.column])].append(made)
    return [cut.of(families[owner]) for owner in owners]


async def _by_id(twig: Twig, keys: set[str], fetch: Fetch, members: Mapping[str, Raw]) -> dict[str, object]:
    found = await _query(twig, ID, sorted(keys), fetch, members, ())
    made = await grown(twig.rows, found, fetch)
    return {str(row[ID]): one for row, one in zip(found, made, strict=True)}


async def _query(
    twig: Twig, column: str, values: list[str], fetch: Fetch, members: Mapping[str, Raw], more: tuple[str, ...]
) -> list[Row]:
    """The rows of the target whose column is one of the values."""
    if not values:
        return []
    if column == ID and len(values) > MOST_RELATED:
        raise _too_many(twig.branch.relation)
    request, options = _request(twig, column, values, fetch, members, more)
    found, cursor = await fetch.rows(request)
    while cursor is not None:
        if len(found) >= MOST_RELATED:
            raise _too_many(twig.branch.relation)
        rows, cursor = await fetch.rows(structs.replace(request, options={**options, "after": cursor}))
        found = found + rows
    return found


def _request(
    twig: Twig, column: str, values: list[str], fetch: Fetch, members: Mapping[str, Raw], more: tuple[str, ...]
) -> tuple[Request, dict[str, Raw]]:
    among: Raw = {column: {"$in": values}}
    where = members.get("filter")
    given = members.get("options")
    options: dict[str, Raw] = {"sort": given["sort"]} if isinstance(given, dict) and "sort" in given else {}
    options |= {"limit": min(MOST_RELATED, fetch.largest), **reading({ID, *twig.rows.needed, *more})}
    filter_: Raw = among if where is None else {"$and": [among, where]}
    return Request("findAll", twig.rows.shape.schema.name, filter=filter_, options=options), options


def rehearse(selection: Rows, fetch: Fetch) -> None:
    """Look at everything that will be asked for related rows, without asking. Raises `OctonetError`."""
    for twig in selection.twigs:
        members = fetch.members(twig)
        _Cut(members)
        fetch.check_request(_request(twig, ID, [ID], fetch, members, ())[0])
        rehearse(twig.rows, fetch)


def _too_many(relation: Relation) -> Invalid:
    sentence = f"{relation.name} brings too many rows to this level of the answer: ask for a smaller page"
    return invalid("$.relations", f"{sentence}, or query {relation.target} itself", code="TOO_MANY_ROWS")


def _ids(value: JsonValue) -> list[str]:
    return [key for key in value if isinstance(key, str)] if isinstance(value, list) else []


async def _together(*work: Awaitable[Sequence[object]]) -> list[Sequence[object]]:
    return [await work[0]] if len(work) == 1 else list(await asyncio.gather(*work))
