"""A small shop's schema, shared by tests that need something to parse against."""

from __future__ import annotations

import json

from octonet.kernel import schema_parse
from octonet.kernel.schema import EntitySchema

AT = "2024-05-06T07:08:09.010Z"

ENTITIES: list[dict[str, object]] = [
    {
        "name": "User",
        "collection": "users",
        "timestamps": True,
        "fields": {
            "email": {"type": "string", "required": True, "unique": True, "lowercase": True, "trim": True},
            "name": {"type": "string", "required": True},
            "age": {"type": "number", "default": 0},
            "active": {"type": "boolean", "default": True},
            "bio": {"type": "text"},
            "born": {"type": "date"},
            "seen": {"type": "date", "default": "now"},
            "role": {"type": "string", "enum": ["admin", "member"], "default": "member"},
            "settings": {"type": "json", "default": {"theme": "dark"}},
            "labels": {"type": "array", "arrayOf": "string"},
            "password": {"type": "string"},
            "addresses": {
                "type": "array",
                "arrayOf": {
                    "kind": "embedded",
                    "fields": {
                        "city": {"type": "string", "required": True, "trim": True},
                        "zip": {"type": "string"},
                        "main": {"type": "boolean", "default": False},
                    },
                },
            },
        },
        "relations": {
            "orders": {"type": "one-to-many", "target": "Order", "mappedBy": "customer", "select": ["total"]},
            "groups": {"type": "many-to-many", "target": "Group"},
            "boss": {"type": "many-to-one", "target": "User", "joinColumn": "bossId", "select": ["name"]},
        },
    },
    {
        "name": "Order",
        "collection": "orders",
        "softDelete": True,
        "fields": {"total": {"type": "number", "required": True}, "paid": {"type": "boolean"}},
        "relations": {
            "customer": {"type": "many-to-one", "target": "User", "required": True, "fetch": "eager"},
        },
    },
    {"name": "Group", "collection": "groups", "fields": {"title": {"type": "string"}, "level": {"type": "number"}}},
    {
        "name": "Dog",
        "collection": "dogs",
        "discriminator": "_type",
        "discriminatorValue": "dog",
        "fields": {"weight": {"type": "number"}},
    },
]

SCHEMAS = schema_parse.parse(json.dumps(ENTITIES))


def entity(name: str) -> EntitySchema:
    """An entity of the shop."""
    return SCHEMAS.entities[name]


USER, ORDER, GROUP, DOG = entity("User"), entity("Order"), entity("Group"), entity("Dog")
