"""Reads the fields of an entity, and the fields of objects embedded in its arrays."""

from __future__ import annotations

from typing import Final

from msgspec import structs

from octonet.kernel import value_types
from octonet.kernel.document import Document
from octonet.kernel.faults import did_you_mean, quote
from octonet.kernel.schema import ID, Embedded, Field, FieldType
from octonet.kernel.value_types import Misfit

_KEYS: Final = (
    "type", "required", "unique", "sparse", "default", "enum", "lowercase", "trim", "arrayOf", "sensitive",
)  # fmt: skip
_NOW: Final = ("now", "__MOSTA_NOW__")
_TYPES: Final = {str(kind): kind for kind in FieldType}
_TEXTUAL: Final = (FieldType.STRING, FieldType.TEXT)
_DEEPEST: Final = 8
_MOST: Final = 1000
"""Fields of an entity: about as many as the narrowest database has columns."""
_OTHER_NAMES: Final = {
    "int": "number", "integer": "number", "float": "number", "decimal": "number", "double": "number",
    "bool": "boolean", "datetime": "date", "timestamp": "date", "time": "date", "object": "json", "list": "array",
    "enum": "string", "objectid": "string", "uuid": "string", "varchar": "string", "binary": "string",
}  # fmt: skip


def parse(fields: Document, level: int = 0) -> dict[str, Field]:
    """The fields, in order. A field called id is passed over: every entity has one. `level` counts embedding."""
    found: dict[str, Field] = {}
    if level > _DEEPEST:
        fields.faults.add(fields.path, f"objects are embedded more than {_DEEPEST} levels deep")
        return found
    if len(fields.members) > _MOST:
        fields.faults.add(fields.path, f"has {len(fields.members)} fields; {_MOST} are the most")
        return found
    for name in fields.members:
        if name == ID and level == 0:
            continue
        if fields.is_name(name, name):
            found[name] = _field(name, fields.inside(name), level)
    return found


def _field(name: str, source: Document, level: int) -> Field:
    source.only(_KEYS)
    kind = _type(source, "type", source.members.get("type"))
    if kind is None:
        return Field(name, FieldType.STRING)
    bare = Field(
        name,
        kind,
        required=source.flag("required"),
        unique=source.flag("unique"),
        sparse=source.flag("sparse"),
        enum=source.texts("enum"),
        lowercase=source.flag("lowercase"),
        trim=source.flag("trim"),
        array_of=_array_of(source, kind, level),
        sensitive=source.flag("sensitive"),
    )
    before = len(source.faults.found)
    _consistent(source, bare, level)
    return bare if len(source.faults.found) > before else _with_default(source, bare, level)


def _type(source: Document, key: str, name: object) -> FieldType | None:
    if isinstance(name, str) and name in _TYPES:
        return _TYPES[name]
    if name is None:
        source.fault(key, f"is missing: one of {', '.join(FieldType)}")
        return None
    other = _OTHER_NAMES.get(name.lower()) if isinstance(name, str) else None
    near = f"; did you mean {quote(other)}?" if other else did_you_mean(name, FieldType)
    source.fault(key, f"{quote(name)} is not a type{near or ': one of ' + ', '.join(FieldType)}")
    return None


def _array_of(source: Document, kind: FieldType, level: int) -> FieldType | Embedded | None:
    value = source.members.get("arrayOf")
    if value is None:
        return None
    if kind is not FieldType.ARRAY:
        source.fault("arrayOf", "belongs to a field of type array")
        return None
    if not isinstance(value, dict):
        return _type(source, "arrayOf", value)
    shape = source.inside("arrayOf")
    shape.only(("kind", "fields"))
    if shape.text("kind") != "embedded":
        shape.fault("kind", 'must be "embedded"')
    return Embedded(parse(shape.inside("fields"), level + 1))


def _consistent(source: Document, field: Field, level: int) -> None:
    if field.type not in _TEXTUAL:
        for key in ("enum", "lowercase", "trim"):
            if source.members.get(key):
                source.fault(key, "belongs to a field of type string or text")
    if field.unique and field.type in (FieldType.JSON, FieldType.ARRAY):
        source.fault("unique", f"a field of type {field.type} cannot be unique")
    if level > 0:
        for key in ("unique", "sensitive"):
            if source.members.get(key):
                source.fault(key, "is not possible inside embedded objects")
    if source.members.get("enum") == []:
        source.fault("enum", "lists no value")
    check = value_types.for_field(field)
    for choice in field.enum if field.type in _TEXTUAL else ():
        try:
            fits = check(choice) == choice
        except Misfit:
            fits = False
        if not fits:
            source.fault("enum", f"{quote(choice)} can never be stored: it is not in the field's own trim and case")


def _with_default(source: Document, field: Field, level: int) -> Field:
    value = source.members.get("default")
    if value is None:
        return field
    if value in _NOW and _can_be_now(field):
        if level > 0:
            source.fault("default", f"{quote(value)} is not possible inside embedded objects")
        return structs.replace(field, default_now=True)
    try:
        return structs.replace(field, default=value_types.for_field(field)(value))
    except Misfit as misfit:
        for place, message in misfit.faults:
            source.fault("default", f"{place.lstrip('.')}: {message}" if place else message)
        return field


def _can_be_now(field: Field) -> bool:
    """The reference writes the time into any field; here it must also be a value the field accepts."""
    return field.type is FieldType.DATE or (field.type in _TEXTUAL and not field.enum and not field.lowercase)
