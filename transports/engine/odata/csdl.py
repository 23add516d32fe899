"""The metadata document as JSON CSDL, from which the XML is made too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from octonet.kernel.operation import Operation, Result
from octonet.kernel.schema import ID, FieldType, OnDelete
from transports.engine.odata.model import CONTAINER, NAMESPACE, Complex, Entity, Model, Navigation, Property

Json: TypeAlias = dict[str, object]

VOCABULARIES: Final = {"Org.OData.Core.V1": "Core", "Org.OData.Capabilities.V1": "Capabilities"}
_HOME: Final = "https://oasis-tcs.github.io/odata-vocabularies/vocabularies/"
_COLLECTION: Final = "Collection("
_ID_LENGTH: Final = 64
_PARAMETERS: Final[Mapping[str, str]] = {
    "id": "Edm.String",
    "query": "Edm.String",
    "field": "Edm.String",
    "amount": "Edm.Double",
    "relations": "Collection(Edm.String)",
    "searchFields": "Collection(Edm.String)",
    "stages": "Collection(Edm.Untyped)",
    "idempotencyKey": "Edm.String",
    "minPosition": "Edm.String",
    "asOf": "Edm.String",
    "dryRun": "Edm.Boolean",
}
"""Members of a request that have a type; the others have any."""
_ON_DELETE: Final = {OnDelete.CASCADE: "Cascade", OnDelete.SET_NULL: "SetNull", OnDelete.RESTRICT: "None"}
_UNORDERED: Final = (FieldType.JSON, FieldType.ARRAY)


def document(model: Model, catalog: Mapping[str, type[Operation]], version: str) -> Json:
    """The whole document."""
    schema: Json = {}
    for entity in model.entities.values():
        for complex in entity.complexes:
            schema[complex.name] = _complex(complex)
        schema[entity.schema.name] = _entity(entity)
    for name, operation in catalog.items():
        schema[name] = list(_actions(model, operation))
    schema[CONTAINER] = {"$Kind": "EntityContainer", **{e.set: _set(model, e) for e in model.entities.values()}}
    schema["$Annotations"] = {f"{NAMESPACE}.{CONTAINER}": _capabilities()}
    return {
        "$Version": version,
        "$Reference": {
            f"{_HOME}{name}.json": {"$Include": [{"$Namespace": name, "$Alias": alias}]}
            for name, alias in VOCABULARIES.items()
        },
        "$EntityContainer": f"{NAMESPACE}.{CONTAINER}",
        NAMESPACE: schema,
    }


def _typed(edm: str, nullable: bool) -> Json:
    """A type, its collection said apart; Edm.String is what nothing means."""
    found: Json = {}
    if edm.startswith(_COLLECTION):
        found["$Collection"] = True
        edm = edm[len(_COLLECTION) : -1]
    if edm != "Edm.String":
        found["$Type"] = edm
    if nullable:
        found["$Nullable"] = True
    if edm == "Edm.DateTimeOffset":
        found["$Precision"] = 3
    return found


def _complex(complex: Complex) -> Json:
    members = {name: _typed(edm, nullable) for name, (edm, nullable) in complex.fields.items()}
    return {"$Kind": "ComplexType", **members}


def _entity(entity: Entity) -> Json:
    found: Json = {"$Kind": "EntityType", "$Key": [ID]}
    for held in entity.properties.values():
        found[held.name] = _property(held)
    for navigation in entity.navigations.values():
        found[navigation.name] = _navigation(navigation)
    return found


def _property(held: Property) -> Json:
    found = _typed(held.edm, held.nullable and not held.collection)
    if held.name == ID:
        found["$MaxLength"] = _ID_LENGTH
        found["@Core.Immutable"] = True
    if held.managed:
        found["@Core.Computed"] = True
    elif held.name == ID:
        found["@Core.ComputedDefaultValue"] = True
    if held.secret:
        found["@Core.Permissions"] = "Write"
    return found


def _navigation(navigation: Navigation) -> Json:
    relation = navigation.relation
    found: Json = {"$Kind": "NavigationProperty", "$Type": f"{NAMESPACE}.{relation.target}"}
    if navigation.collection:
        found["$Collection"] = True
    elif not relation.required:
        found["$Nullable"] = True
    if navigation.partner:
        found["$Partner"] = navigation.partner
    if relation.owns_column:
        found["$ReferentialConstraint"] = {navigation.holder: ID}
    return found


def _actions(model: Model, operation: type[Operation]) -> Iterator[Json]:
    """An operation as actions, one for each entity: bound to a row where it is about one, else to the set. At a set
    it is served with the id among its parameters too, but there are clients that take one overload only."""
    for entity in model.entities.values():
        yield _action(entity, operation, bound_to_row=ID in operation.needs)


def _action(entity: Entity, operation: type[Operation], *, bound_to_row: bool) -> Json:
    binding: Json = {"$Name": "bindingParameter", "$Type": entity.type}
    if not bound_to_row:
        binding["$Collection"] = True
    parameters: list[Json] = [binding]
    for name in sorted(operation.accepts() - {"op", "entity"}, key=lambda name: name not in operation.needs):
        if bound_to_row and name == ID:
            continue
        needed = name in operation.needs
        edm = _PARAMETERS.get(name, "Edm.Untyped")
        parameter = {"$Name": name, **_typed(edm, not needed and not edm.startswith(_COLLECTION))}
        if not needed:
            parameter["@Core.OptionalParameter"] = {}
        parameters.append(parameter)
    return {
        "$Kind": "Action",
        "$IsBound": True,
        "$Parameter": parameters,
        "$ReturnType": _returns(entity, operation),
    }


def _returns(entity: Entity, operation: type[Operation]) -> Json:
    match operation.result:
        case Result.ROW:
            return {"$Type": entity.type, "$Nullable": True}
        case Result.ROWS:
            row = entity.type if operation.op() != "aggregate" else "Edm.Untyped"
            return {"$Collection": True, "$Type": row}
        case Result.DELETED:
            return {"$Type": "Edm.Boolean"}
        case Result.COUNT:
            return {"$Type": "Edm.Int64"}


def _set(model: Model, entity: Entity) -> Json:
    unfiltered = [p.name for p in entity.properties.values() if p.secret or p.link]
    unsorted = [p.name for p in entity.properties.values() if p.secret or p.link or p.type in _UNORDERED]
    searchable = any(
        f.type in (FieldType.STRING, FieldType.TEXT) and not f.secret for f in entity.schema.fields.values()
    )
    bindings = {n.name: model.target(n).set for n in entity.navigations.values()}
    return {
        "$Collection": True,
        "$Type": entity.type,
        **({"$NavigationPropertyBinding": bindings} if bindings else {}),
        "@Core.OptimisticConcurrency": [],
        "@Capabilities.SearchRestrictions": {"Searchable": searchable},
        "@Capabilities.FilterRestrictions": {"Filterable": True, "NonFilterableProperties": unfiltered},
        "@Capabilities.SortRestrictions": {"Sortable": True, "NonSortableProperties": unsorted},
        "@Capabilities.ChangeTracking": {"Supported": True},
        "@Capabilities.DeepInsertSupport": {"Supported": True},
    }


def _capabilities() -> Json:
    return {
        "@Capabilities.ConformanceLevel": "Intermediate",
        "@Capabilities.KeyAsSegmentSupported": True,
        "@Capabilities.BatchSupported": True,
        "@Capabilities.BatchContinueOnErrorSupported": True,
        "@Capabilities.AsynchronousRequestsSupported": False,
        "@Capabilities.SupportedFormats": [
            "application/json;odata.metadata=full;IEEE754Compatible=true",
            "application/json;odata.metadata=minimal;IEEE754Compatible=true",
            "application/json;odata.metadata=none;IEEE754Compatible=true",
        ],
        "@Capabilities.FilterFunctions": [
            "contains", "startswith", "endswith", "tolower", "toupper", "length", "indexof", "year", "date", "now",
            "matchesPattern",
        ],
    }  # fmt: skip
