"""What a client asks for: read from a descriptor, and written into a ticket."""

from __future__ import annotations

from typing import Final

import msgspec

from octonet.kernel.errors import NotFound, invalid
from octonet.kernel.faults import step
from octonet.kernel.operation import Raw, Request
from transports.engine import coerce

READS: Final = ("findAll", "search")
_MEMBERS: Final = frozenset({"op", "filter", "options", "query", "searchFields", "asOf", "minPosition"})
_SHORT: Final = {
    "columns": "select",
    "sort": "sort",
    "limit": "limit",
    "skip": "skip",
    "exclude": "exclude",
    "versions": "versions",
    "includeDeleted": "includeDeleted",
}
"""Member of a descriptor → member of `options`."""
_LONGEST: Final = 1 << 20


class Named(msgspec.Struct, frozen=True):
    """What a descriptor names: an entity, perhaps in a project, and whatever else it says."""

    project: str | None
    entity: str
    more: dict[str, Raw]


def named(path: list[bytes], command: bytes) -> Named:
    """Read a descriptor: a path of an entity, or of a project and an entity; else a command, which is a JSON object
    with the member `entity`. Raises `Invalid`."""
    if not command:
        try:
            names = [part.decode() for part in path]
        except UnicodeDecodeError:
            raise invalid("$", "is a path that is not UTF-8", code="INVALID_DESCRIPTOR") from None
        if len(names) not in (1, 2):
            sentence = "a path is [entity], or [project, entity]"
            raise invalid("$", sentence, code="INVALID_DESCRIPTOR")
        return Named(names[0] if len(names) == 2 else None, names[-1], {})
    content = json_object(command)
    project, entity = content.pop("project", None), content.pop("entity", "")
    if not isinstance(project, str | None):
        raise invalid("$.project", "must be the name of a project")
    if not isinstance(entity, str):
        raise invalid("$.entity", "must be the name of an entity")
    return Named(project, entity, content)


def json_object(body: bytes) -> dict[str, Raw]:
    """A JSON object. Raises `Invalid`."""
    if len(body) > _LONGEST:
        raise invalid("$", f"has more than {_LONGEST} bytes", code="BODY_TOO_LARGE")
    content = coerce.json_text(body)
    if not isinstance(content, dict):
        raise invalid("$", "must be a JSON object")
    return content


def read_request(entity: str, more: dict[str, Raw]) -> Request:
    """The request for rows that these members make. Raises `Invalid` naming the place."""
    found: dict[str, Raw] = {}
    options: dict[str, Raw] = {}
    for name, value in more.items():
        if name in _SHORT:
            options[_SHORT[name]] = value
        elif name in _MEMBERS:
            found[name] = value
        else:
            raise invalid(step("$", name), "is not a member of a descriptor", code="UNKNOWN_MEMBER")
    op = found.pop("op", READS[0])
    if op not in READS:
        raise invalid("$.op", f"is one of {', '.join(READS)}: others are actions", code="UNKNOWN_OP")
    if options:
        given = found.get("options", {})
        if not isinstance(given, dict):
            raise invalid("$.options", "must be a JSON object")
        found["options"] = coerce.merge({"options": given}, {"options": options})["options"]
    return coerce.request(str(op), entity, found)


def no_entity(name: str) -> NotFound:
    """There is none of this name."""
    return NotFound(f"there is no entity {name!r}", code="ENTITY_NOT_FOUND")
