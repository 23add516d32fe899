"""REST's map: which operation a method and the path below an entity mean, and where its members are found."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

import msgspec

from octonet.kernel.operation import Operation
from transports.engine.render import Refused

CREATED = 201
BULK = "bulk"
HISTORY = "history"
"""Behind a row: its versions."""
_GET_WORDS = {"count": "count", "one": "findOne", "search": "search"}
_ID = "id"


class Content(Enum):
    """What a body is."""

    NOTHING = auto()
    ENTITY = auto()
    """The `data` of the operation."""
    MEMBERS = auto()
    """An object of request members; it may be left out."""


class Route(msgspec.Struct, frozen=True):
    """One operation as the address names it."""

    operation: type[Operation]
    content: Content
    id: str | None = None
    status: int = 200


Catalog = Mapping[str, type[Operation]]


def find(catalog: Catalog, method: str, below: list[str]) -> Route:
    """The route of a method and the one to three segments that start with the entity's name. Raises `Refused` with
    404 or 405."""
    match len(below):
        case 1:
            route = _collection(catalog, method)
        case 2:
            route = _item(catalog, method, below[1])
        case 3 if below[2] == HISTORY:
            route = None
        case 3:
            route = _action(catalog, method, below[1], below[2])
        case _:
            raise _nothing(below)
    if route is None:
        allowed = allow(catalog, below)
        raise Refused(405, "METHOD_NOT_ALLOWED", f"{method} is not possible here; {allowed} are", {"Allow": allowed})
    return route


def allow(catalog: Catalog, below: list[str]) -> str:
    """The methods that a path takes, as the Allow header lists them. Raises `Refused` with 404."""
    match len(below):
        case 1:
            return "GET, HEAD, POST, OPTIONS"
        case 2:
            post = ", POST" if below[1] in catalog else ""
            return f"GET, HEAD, PUT, PATCH, DELETE{post}, OPTIONS"
        case 3 if below[2] == HISTORY:
            return "GET, HEAD, OPTIONS"
        case 3 if _acts_on_one(catalog, below[2]):
            return "POST, OPTIONS"
        case _:
            raise _nothing(below)


def _collection(catalog: Catalog, method: str) -> Route | None:
    match method:
        case "GET":
            return Route(catalog["findAll"], Content.NOTHING)
        case "POST":
            return Route(catalog["create"], Content.ENTITY, status=CREATED)
        case _:
            return None


def _item(catalog: Catalog, method: str, word: str) -> Route | None:
    bulk = word == BULK
    match method:
        case "GET" if word in _GET_WORDS:
            return Route(catalog[_GET_WORDS[word]], Content.NOTHING)
        case "GET":
            return Route(catalog["findById"], Content.NOTHING, word)
        case "PUT" | "PATCH":
            return _members(catalog, "updateMany") if bulk else Route(catalog["update"], Content.ENTITY, word)
        case "DELETE":
            return _members(catalog, "deleteMany") if bulk else Route(catalog["delete"], Content.MEMBERS, word)
        case "POST" if word in catalog:
            return _members(catalog, word)
        case _:
            return None


def _members(catalog: Catalog, op: str) -> Route:
    return Route(catalog[op], Content.MEMBERS, status=CREATED if op == "create" else 200)


def _action(catalog: Catalog, method: str, id: str, word: str) -> Route | None:
    if not _acts_on_one(catalog, word):
        raise _nothing([id, word])
    return Route(catalog[word], Content.MEMBERS, id) if method == "POST" else None


def _acts_on_one(catalog: Catalog, word: str) -> bool:
    return word in catalog and _ID in catalog[word].needs


def _nothing(below: list[str]) -> Refused:
    return Refused(404, "NOT_FOUND", f"nothing is served at '…/{'/'.join(below)[:200]}'")
