"""Rows as OData tells them: other names for links and foreign keys, and what is told about a row beside its values."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeAlias, cast

from octonet.kernel.ids import JsonValue, Row
from octonet.kernel.schema import ID, VERSION_COLUMN
from transports.engine.odata.address import spelled
from transports.engine.odata.model import Entity, Model, Property

ETAG: Final = "@odata.etag"
Shaper: TypeAlias = Callable[[Row], Row]


def shaper(entity: Entity, shown: tuple[Property, ...], level: str, root: str) -> Shaper:
    """A function that tells a row, read with its version, as clients are told it."""
    plain = _writer(tuple((found.name, found.column) for found in shown), level != "none")
    if level != "full":
        return plain

    def full(row: Row) -> Row:
        address = spelled(entity, str(row[ID]))
        told: Row = {"@odata.type": f"#{entity.type}", "@odata.id": address, "@odata.editLink": address}
        told |= plain(row)
        for found in shown:
            if found.edm not in _EVIDENT:
                told[f"{found.name}@odata.type"] = "#" + found.edm.replace("Edm.", "")
        for name in entity.navigations:
            told[f"{name}@odata.navigationLink"] = f"{root}/{address}/{name}"
        return told

    return full


_EVIDENT: Final = frozenset(("Edm.String", "Edm.Double", "Edm.Boolean", "Edm.Untyped", "Collection(Edm.Untyped)"))
"""Types that JSON itself tells."""


@lru_cache(maxsize=512)
def _writer(names: tuple[tuple[str, str], ...], tagged: bool) -> Shaper:
    """A literal with every name in its place, as rows are read from the database: it is twice as fast as a loop."""
    members = [f"{name!r}: r[{column!r}]" for name, column in names]
    if tagged:
        members.insert(0, f"{ETAG!r}: '\"%d\"' % r[{VERSION_COLUMN!r}]")
    return cast("Shaper", eval(f"lambda r: {{{', '.join(members)}}}"))


def populated(model: Model, entity: Entity, row: Row, version: int = 0) -> Row:
    """A row of an operation of ours, with whatever relations it was asked to bring."""
    told: Row = {ETAG: f'"{version}"'} if version else {}
    for name, value in row.items():
        if name == VERSION_COLUMN:
            told[ETAG] = f'"{value}"'
            continue
        found = entity.by_column.get(name)
        navigation = entity.navigations.get(name)
        rows = _brought(value)
        if navigation is not None and rows is not None:
            target = model.target(navigation)
            inner = [cast("JsonValue", populated(model, target, each)) for each in rows]
            told[name] = inner if navigation.collection else inner[0]
            if found is not None:
                ids: list[JsonValue] = [each[ID] for each in rows]
                told[found.name] = ids if found.link else ids[0]
        elif found is not None:
            told[found.name] = value
        else:
            told[name] = value
    return told


def _brought(value: JsonValue) -> list[Row] | None:
    """The rows that stand where an id or ids would."""
    if isinstance(value, dict):
        return [value]
    if isinstance(value, list) and all(isinstance(each, dict) for each in value):
        return cast("list[Row]", value)
    return None
