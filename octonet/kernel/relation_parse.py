"""Reads the relations of an entity, then resolves them against the other entities of the project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from octonet.kernel.document import COLLECTION, NAME, Document
from octonet.kernel.faults import did_you_mean, quote
from octonet.kernel.schema import (
    ID,
    Fetch,
    Field,
    FieldType,
    OnDelete,
    Relation,
    RelationKind,
)

_KEYS: Final = (
    "target", "type", "required", "nullable", "select", "through", "joinColumn", "mappedBy", "fetch", "onDelete",
    "cascade", "orphanRemoval", "inverseJoinColumn",
)  # fmt: skip
_OWNING: Final = (RelationKind.MANY_TO_ONE, RelationKind.ONE_TO_ONE)
_PLACES: Final[Mapping[str, tuple[RelationKind, ...]]] = {
    "joinColumn": _OWNING,
    "mappedBy": (RelationKind.ONE_TO_MANY,),
    "through": (RelationKind.MANY_TO_MANY,),
}


class RelationDraft(msgspec.Struct, frozen=True):
    """A relation as written. `column` is its joinColumn, mappedBy or through, empty where not given."""

    name: str
    source: Document
    target: str
    kind: RelationKind
    column: str
    required: bool
    select: tuple[str, ...]
    fetch: Fetch
    on_delete: OnDelete

    @property
    def own_column(self) -> str:
        """The foreign-key column that this relation gives its own entity, or empty."""
        return (self.column or self.name) if self.kind in _OWNING else ""


class EntityDraft(msgspec.Struct, frozen=True):
    """An entity read, its relations not yet resolved."""

    source: Document
    name: str
    collection: str
    fields: Mapping[str, Field]
    relations: tuple[RelationDraft, ...]
    system: tuple[str, ...]
    """Columns that the entity has beside its fields and foreign keys."""

    def column(self, name: str) -> str:
        """The stored column of this name, or the column of the relation of this name, or empty."""
        if name in self.fields or name in self.system:
            return name
        owned = [r for r in self.relations if r.own_column]
        by_column = {r.own_column: r.own_column for r in owned}
        return by_column.get(name) or {r.name: r.own_column for r in owned}.get(name, "")

    def columns(self) -> list[str]:
        """Every stored column."""
        return [*self.fields, *(r.own_column for r in self.relations if r.own_column), *self.system]


def read(relations: Document) -> tuple[RelationDraft, ...]:
    """The relations as written, in order."""
    return tuple(_read(name, relations.inside(name)) for name in relations.members if relations.is_name(name, name))


def _read(name: str, source: Document) -> RelationDraft:
    source.only(_KEYS)
    if "type" not in source.members:
        source.fault("type", f"is missing: one of {', '.join(RelationKind)}")
    kind = source.choice("type", RelationKind, RelationKind.MANY_TO_ONE)
    column = ""
    for key, kinds in _PLACES.items():
        given = source.name(key, COLLECTION if key == "through" else NAME)
        if kind in kinds:
            column = given
        elif key in source.members:
            source.fault(key, f"does not belong to a {kind} relation")
    required = source.flag("required")
    return RelationDraft(
        name=name,
        source=source,
        target=source.text("target"),
        kind=kind,
        column=column,
        required=required and kind in _OWNING,
        select=source.texts("select"),
        fetch=source.choice("fetch", Fetch, Fetch.LAZY),
        on_delete=_on_delete(source, required),
    )


def _on_delete(source: Document, required: bool) -> OnDelete:
    nullable = source.members.get("nullable", True)
    if not isinstance(nullable, bool):
        source.flag("nullable")
    elif required and nullable and "nullable" in source.members:
        source.fault("nullable", "a required relation cannot be nullable")
    given = source.choice("onDelete", OnDelete, OnDelete.SET_NULL)
    if "onDelete" not in source.members:
        return OnDelete.RESTRICT if required or nullable is False else OnDelete.SET_NULL
    if required and given is OnDelete.SET_NULL:
        source.fault("onDelete", "a required relation cannot be set to null: use restrict or cascade")
    return given


def resolve(draft: RelationDraft, owner: EntityDraft, entities: Mapping[str, EntityDraft]) -> Relation | None:
    """The relation with every default resolved, or None when its target is unknown."""
    target = entities.get(draft.target)
    if target is None:
        draft.source.fault("target", _no_target(draft, entities))
        return None
    select = tuple(_selected(draft, name, target) for name in draft.select)
    column = draft.own_column
    through = source_column = target_column = ""
    if draft.kind is RelationKind.ONE_TO_MANY:
        column = _child_column(draft, owner, target)
    elif draft.kind is RelationKind.MANY_TO_MANY:
        through = draft.column or f"{owner.collection}_{draft.name}"
        source_column = f"{owner.name.lower()}Id"
        target_column = f"{target.name.lower()}Id"
        if source_column == target_column:
            target_column = f"related{target.name}Id"
    return Relation(
        draft.name, draft.target, draft.kind, column, through, source_column, target_column,
        draft.required, select, draft.fetch, draft.on_delete,
    )  # fmt: skip


def _no_target(draft: RelationDraft, entities: Mapping[str, EntityDraft]) -> str:
    if not draft.target:
        return "is missing: the name of an entity"
    by_collection = {entity.collection: entity.name for entity in entities.values()}
    meant = by_collection.get(draft.target)
    near = f"; did you mean {quote(meant)}?" if meant else did_you_mean(draft.target, entities)
    return f"{quote(draft.target)} is not an entity{near}"


def _selected(draft: RelationDraft, name: str, target: EntityDraft) -> str:
    """The column or link of the target under which its rows hold what `select` names."""
    column = name if name == ID else target.column(name)
    field = target.fields.get(column)
    links = [r.name for r in target.relations if r.kind is RelationKind.MANY_TO_MANY]
    if field is not None and field.secret:
        draft.source.fault("select", f"{quote(name)} is secret")
    elif not column and name not in links:
        near = did_you_mean(name, target.columns())
        draft.source.fault("select", f"{quote(name)} is not a column of {target.name}{near}")
    return column or name


def _child_column(draft: RelationDraft, owner: EntityDraft, target: EntityDraft) -> str:
    wanted = draft.column or f"{owner.name.lower()}Id"
    column = target.column(wanted)
    field = target.fields.get(column)
    if not column or column in target.system:
        back = next((r.name for r in target.relations if r.target == owner.name and r.own_column), "")
        near = f"; did you mean {quote(back)}?" if back else did_you_mean(wanted, target.columns())
        draft.source.fault("mappedBy", f"{target.name} has no column {quote(wanted)}{near}")
    elif field is not None and (field.secret or field.type not in (FieldType.STRING, FieldType.TEXT)):
        draft.source.fault("mappedBy", f"{target.name}.{column} cannot hold an id: it must be a plain string")
    return column
