"""Reads a project's schema file: checked once, whole, then trusted by everyone else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from octonet.kernel import field_parse, index_parse, relation_parse
from octonet.kernel.document import COLLECTION, LONGEST_NAME, Document
from octonet.kernel.errors import validation
from octonet.kernel.faults import Faults, kind, quote
from octonet.kernel.relation_parse import EntityDraft
from octonet.kernel.schema import (
    CREATED_AT,
    DELETED_AT,
    ID,
    UPDATED_AT,
    VERSION_COLUMN,
    EntitySchema,
    FieldType,
    Relation,
    Schemas,
)

_CODE: Final = "INVALID_SCHEMA"
_DISCRIMINATOR: Final = re.compile(r"_?[A-Za-z][A-Za-z0-9_]*")
_RESERVED_COLUMNS: Final = (VERSION_COLUMN, "_group", "_by")
_RESERVED_COLLECTIONS: Final = ("octonet_", "sqlite_")


def parse(text: str | bytes) -> Schemas:
    """The entities of a JSON array of EntitySchema. Raises `ValidationError`, code INVALID_SCHEMA, with all faults
    at their paths, such as ``$[2].fields.email.type``."""
    items = _decode(text)
    faults = Faults()
    drafts = [_draft(Document(item, f"$[{i}]", faults)) for i, item in enumerate(items)]
    _unique_names(drafts)
    known = {draft.name: draft for draft in drafts}
    entities = [_entity(draft, known) for draft in drafts]
    _unique_junctions(drafts, entities)
    faults.check(_CODE)
    return Schemas({entity.name: entity for entity in entities}, msgspec.json.encode(items).decode())


def _decode(text: str | bytes) -> list[object]:
    try:
        raw = text.encode() if isinstance(text, str) else text
        found: object = msgspec.json.decode(raw.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as problem:
        raise validation("$", f"is not JSON: {problem}", code=_CODE) from None
    if not isinstance(found, list):
        raise validation("$", f"expected a list of entities, not {kind(found)}", code=_CODE)
    return found


def _draft(source: Document) -> EntityDraft:
    for key in ("name", "collection"):
        if not source.members.get(key):
            source.fault(key, "is missing")
    collection = source.name("collection", COLLECTION)
    if collection.lower().startswith(_RESERVED_COLLECTIONS):
        source.fault("collection", f"{quote(collection)} is reserved")
    fields = field_parse.parse(source.inside("fields"))
    system = dict.fromkeys(name for name in _system_columns(source) if name not in fields)
    draft = EntityDraft(
        source, source.name("name"), collection, fields, relation_parse.read(source.inside("relations")), tuple(system)
    )
    _check_system_fields(draft)
    _check_columns(draft)
    return draft


def _system_columns(source: Document) -> Iterator[str]:
    discriminator = source.name("discriminator", _DISCRIMINATOR)
    if discriminator in _RESERVED_COLUMNS or discriminator.lower() == ID:
        source.fault("discriminator", f"{quote(discriminator)} is reserved")
    elif discriminator:
        yield discriminator
    if source.text("discriminatorValue") and "discriminator" not in source.members:
        source.fault("discriminatorValue", "needs a discriminator")
    if source.flag("timestamps"):
        yield from (CREATED_AT, UPDATED_AT)
    if source.flag("softDelete"):
        yield DELETED_AT


def _check_system_fields(draft: EntityDraft) -> None:
    source, fields = draft.source, draft.source.inside("fields")
    dates = (CREATED_AT, UPDATED_AT) if source.flag("timestamps") else ()
    for name in (*dates, *((DELETED_AT,) if source.flag("softDelete") else ())):
        field = draft.fields.get(name)
        if field is not None and field.type is not FieldType.DATE:
            fields.fault(name, "is kept by the server: it must be of type date, or not be declared")
    deleted = draft.fields.get(DELETED_AT)
    if deleted is not None and source.flag("softDelete") and (deleted.required or deleted.default_now):
        fields.fault(DELETED_AT, "is null while the row lives: it can neither be required nor have a default")
    told = draft.fields.get(source.text("discriminator"))
    if told is not None and (told.type is not FieldType.STRING or told.secret):
        source.fault("discriminator", f"field {quote(told.name)} must be a plain string")
    value = source.text("discriminatorValue")
    if told is not None and told.enum and value and value not in told.enum:
        source.fault("discriminatorValue", f"{quote(value)} is not in the enum of field {quote(told.name)}")


def _check_columns(draft: EntityDraft) -> None:
    taken = {ID: "the id"}
    places = [
        *((name, f"field {quote(name)}", draft.source.inside("fields"), name) for name in draft.fields),
        *((name, f"column {quote(name)}", draft.source, "fields") for name in draft.system),
        *((r.own_column, f"relation {quote(r.name)}", draft.source.inside("relations"), r.name)
          for r in draft.relations if r.own_column),
    ]  # fmt: skip
    for column, owner, place, key in places:
        other = taken.setdefault(column.lower(), owner)
        if other != owner:
            place.fault(key, f"its column {quote(column)} collides with that of {other}")
    columns = {ID, *draft.fields, *draft.system}
    owned = {r.own_column: r.name for r in draft.relations if r.own_column}
    for relation in draft.relations:
        taken_by_other = relation.name in columns or owned.get(relation.name, relation.name) != relation.name
        if relation.own_column != relation.name and taken_by_other:
            draft.source.inside("relations").fault(relation.name, "has the name of a column")


def _unique_names(drafts: list[EntityDraft]) -> None:
    names: dict[str, EntityDraft] = {}
    collections: dict[str, EntityDraft] = {}
    for draft in drafts:
        if draft.name and names.setdefault(draft.name, draft) is not draft:
            draft.source.fault("name", f"{quote(draft.name)} is the name of another entity")
        collection = draft.collection.lower()
        if collection and collections.setdefault(collection, draft) is not draft:
            draft.source.fault("collection", f"{quote(draft.collection)} is the collection of another entity")
    by_collection = {draft.collection: draft for draft in drafts}
    for draft in drafts:
        other = by_collection.get(draft.name)
        if draft.name and other is not None and other is not draft and other.name != draft.name:
            draft.source.fault("name", f"{quote(draft.name)} is the collection of {other.name}")


def _entity(draft: EntityDraft, known: Mapping[str, EntityDraft]) -> EntitySchema:
    relations: dict[str, Relation] = {}
    for relation_draft in draft.relations:
        relation = relation_parse.resolve(relation_draft, draft, known)
        if relation is not None:
            relations[relation.name] = relation
    source = draft.source
    return EntitySchema(
        name=draft.name,
        collection=draft.collection,
        fields=draft.fields,
        relations=relations,
        indexes=index_parse.parse(draft),
        timestamps=source.flag("timestamps"),
        soft_delete=source.flag("softDelete"),
        discriminator=source.text("discriminator"),
        discriminator_value=source.text("discriminatorValue"),
    )


def _unique_junctions(drafts: list[EntityDraft], entities: list[EntitySchema]) -> None:
    taken = {draft.collection.lower(): f"the collection of {draft.name}" for draft in drafts}
    for draft, entity in zip(drafts, entities, strict=True):
        for relation in entity.links:
            place = draft.source.inside("relations").inside(relation.name)
            owner = f"the junction of {draft.name}.{relation.name}"
            other = taken.setdefault(relation.through.lower(), owner)
            if other != owner:
                place.fault("through", f"{quote(relation.through)} is {other}: a link has one owner")
            if len(relation.through) > LONGEST_NAME:
                place.fault("through", f"{quote(relation.through)} is too long: name the junction yourself")
