"""Requests in OData's own words, as far as it has any for them."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import msgspec

from tests.conformance.world import LIBRARY

Json: TypeAlias = Any

_OPERATORS = {"$eq": "eq", "$ne": "ne", "$gt": "gt", "$gte": "ge", "$lt": "lt", "$lte": "le"}
_TYPES: dict[str, Any] = {"string": str, "text": str, "date": str, "number": (int, float), "boolean": bool}
_OPTIONS = {"sort", "skip", "limit", "select", "after"}
_LARGEST_PAGE = 1000


class Native(msgspec.Struct):
    """One request: to the set, or to the row of this id."""

    id: str | None = None
    data: Json = None
    options: dict[str, str] = {}
    page: int = 0


class _Entity(msgspec.Struct):
    columns: dict[str, str]
    """Name → type."""
    links: set[str]
    relations: set[str]


def _entities() -> dict[str, _Entity]:
    found = {}
    for schema in json.loads(LIBRARY.read_text()):
        relations = schema.get("relations", {})
        fields = {n: f["type"] for n, f in schema["fields"].items() if n != "password" and not f.get("sensitive")}
        owned = {name: "string" for name, r in relations.items() if r["type"] == "many-to-one"}
        links = {name for name, r in relations.items() if r["type"] == "many-to-many"}
        found[schema["name"]] = _Entity({"id": "string", **fields, **owned}, links, set(relations))
    return found


_ENTITIES = _entities()
RELATIONS = frozenset(name for entity in _ENTITIES.values() for name in entity.relations)


def native(op: str, entity: str, members: dict[str, Json]) -> Native | None:
    """The request in OData's own words; None where it has none, or where it is wrong in a way that only the words of
    the other doors can be."""
    known = _ENTITIES.get(entity)
    if known is None or "asOf" in members:
        return None
    if op in ("create", "update", "delete"):
        return Native(members.get("id"), members.get("data")) if "relations" not in members else None
    if op not in ("findAll", "findOne", "findById", "count"):
        return None
    options = _options(known, members)
    if options is None:
        return None
    if op == "findById":
        return Native(members["id"], options={k: v for k, v in options.items() if k != "limit"})
    if op == "findOne":
        return Native(options={**options, "$top": "1"})
    page = int(members.get("options", {}).get("limit", 0))
    return Native(options=options, page=page) if page <= _LARGEST_PAGE else None


def _options(entity: _Entity, members: dict[str, Json]) -> dict[str, str] | None:
    given = members.get("options", {})
    if not given.keys() <= _OPTIONS or not set(members.get("relations", ())) <= entity.relations:
        return None
    found: dict[str, str] = {}
    if members.get("filter") not in (None, {}):
        text = filter_text(entity, members["filter"])
        if text is None:
            return None
        found["$filter"] = text
    if "relations" in members:
        found["$expand"] = ",".join(members["relations"])
    if "sort" in given:
        words = {1: "asc", -1: "desc", "asc": "asc", "desc": "desc"}
        if not all(name in entity.columns and order in words for name, order in given["sort"].items()):
            return None
        if {entity.columns[name] for name in given["sort"]} & {"json", "array"}:
            return None
        if given["sort"]:
            found["$orderby"] = ",".join(f"{name} {words[order]}" for name, order in given["sort"].items())
    if "select" in given:
        if not all(name in entity.columns or name in entity.links for name in given["select"]):
            return None
        names = [f"{name}_ids" if name in entity.links else name for name in given["select"]]
        found["$select"] = ",".join(["id", *names])
    if "after" in given:
        found["$skiptoken"] = given["after"]
    elif given.get("skip"):
        found["$skip"] = str(given["skip"])
    return found


def filter_text(entity: _Entity, where: Json) -> str | None:
    """A filter of ours as one of OData's; None where it is wrong, or where OData would mean something else."""
    if not isinstance(where, dict) or not where:
        return None
    parts: list[str] = []
    for name, wanted in where.items():
        if name in ("$and", "$or"):
            inner = [filter_text(entity, each) for each in wanted] if isinstance(wanted, list) else []
            texts = [f"({text})" for text in inner if text is not None]
            if not texts or len(texts) < len(inner):
                return None
            parts.append("({})".format(f" {name[1:]} ".join(texts)))
            continue
        kind = entity.columns.get(name)
        found = None if kind in (None, "json", "array") else _column(name, str(kind), wanted)
        if found is None:
            return None
        parts.append(found)
    return " and ".join(parts)


def _column(name: str, kind: str, wanted: Json) -> str | None:
    conditions = wanted if isinstance(wanted, dict) else {"$eq": wanted}
    parts: list[str] = []
    for operator, value in conditions.items():
        if operator == "$exists" and isinstance(value, bool):
            parts.append(f"{name} {'ne' if value else 'eq'} null")
        elif operator in ("$in", "$nin") and isinstance(value, list) and value:
            texts = [_literal(kind, each) for each in value]
            if None in texts:
                return None
            listed = f"{name} in ({','.join(map(str, texts))})"
            parts.append(listed if operator == "$in" else f"not ({listed}) and {name} ne null")
        elif operator in _OPERATORS:
            text = _literal(kind, value)
            if text is None:
                return None
            # To OData null differs from every value; to our other doors it compares with none.
            unlike = operator == "$ne" and value is not None
            parts.append(f"{name} {_OPERATORS[operator]} {text}" + (f" and {name} ne null" if unlike else ""))
        else:
            return None
    return " and ".join(parts) or None


def _literal(kind: str, value: Json) -> str | None:
    if value is None:
        return "null"
    if not isinstance(value, _TYPES[kind]) or (kind == "number" and isinstance(value, bool)):
        return None
    if isinstance(value, str):
        return "'{}'".format(value.replace("'", "''"))
    return json.dumps(value)
