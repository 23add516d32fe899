"""Coerces what HTTP carries, bodies and query strings, into the members of a `Request`."""

from __future__ import annotations

from collections.abc import Mapping
from email.message import Message
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import parse_qsl, unquote

import msgspec

from octonet.kernel.errors import Invalid, invalid
from octonet.kernel.faults import step
from octonet.kernel.members import check_unique
from octonet.kernel.operation import Operation, Raw, Request
from octonet.transport import Incoming
from transports.engine.render import Refused

_MOST_PARAMETERS = 64
_PARSE_ERROR = "PARSE_ERROR"
_JSON = "application/json"
_decode = msgspec.json.Decoder().decode

_MEMBERS = frozenset(Request.__struct_encode_fields__) - {"op", "entity"}
_OPTIONS = MappingProxyType(
    {
        "sort": "sort",
        "limit": "limit",
        "skip": "skip",
        "select": "select",
        "exclude": "exclude",
        "includeDeleted": "includeDeleted",
        "versions": "versions",
        "cursor": "after",
        "confirm": "all",
    }
)
"""Query parameter → member of `options`."""
_PLAIN = MappingProxyType(
    {
        "filter": "filter",
        "relations": "relations",
        "include": "relations",
        "q": "query",
        "query": "query",
        "fields": "searchFields",
        "asOf": "asOf",
    }
)
"""Query parameter → member of the request."""


def json_text(text: str | bytes, path: str = "$") -> Raw:
    """Decode JSON. Raises `Invalid` with code PARSE_ERROR or DUPLICATE_MEMBER naming the place."""
    try:
        found: Raw = _decode(text)
    except (msgspec.DecodeError, UnicodeError) as problem:
        raise invalid(path, f"is not JSON: {problem}", code=_PARSE_ERROR) from None
    except RecursionError:
        raise invalid(path, "is nested too deeply", code=_PARSE_ERROR) from None
    check_unique(text, found, path)
    return found


def body(incoming: Incoming) -> Raw:
    """The request's JSON body, UNSET when it is empty, whatever its declared type."""
    if not incoming.body:
        return msgspec.UNSET
    declared = incoming.headers.get("content-type", "")
    check_type(declared)
    return json_text(incoming.body)


def check_type(declared: str) -> None:
    """Raises `Refused` with 415 for a body that is not declared as JSON in UTF-8."""
    if declared == _JSON:
        return
    message = Message()
    message["content-type"] = declared
    kind = message.get_content_type() if declared else ""
    if not (kind == _JSON or kind.endswith("+json")):
        raise Refused(415, "UNSUPPORTED_MEDIA_TYPE", "the body must be JSON, declared as application/json")
    if (message.get_content_charset() or "utf-8") not in ("utf-8", "utf8", "us-ascii"):
        raise Refused(415, "UNSUPPORTED_MEDIA_TYPE", "the body's charset must be utf-8")


def segments(below: str) -> list[str]:
    """A path's segments, decoded; one slash at its end says nothing."""
    if "%" not in below:
        found = below[1:].split("/")
    else:
        try:
            found = [unquote(part, errors="strict") for part in below[1:].split("/")]
        except UnicodeDecodeError:
            raise Invalid("the path is not UTF-8", code=_PARSE_ERROR) from None
    if found[-1] == "":
        found.pop()
    return found


def query_pairs(raw_path: str) -> dict[str, str]:
    """The query string's parameters. One that comes twice is refused."""
    text = raw_path.partition("?")[2]
    if not text:
        return {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise Invalid("the query string cannot be read", code=_PARSE_ERROR) from None
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name in found if sum(name == other for other, _ in pairs) > 1)
        raise invalid(f"?{twice}", "is given more than once")
    return found


def parameters(operation: type[Operation], pairs: Mapping[str, str]) -> dict[str, Raw]:
    """Query parameters as members of the operation's request. One that it does not take is refused by name."""
    allowed = accepted(operation)
    found: dict[str, Raw] = {}
    options: dict[str, Raw] = {}
    for name, text in pairs.items():
        if name not in allowed:
            raise invalid(f"?{name}", f"is not a parameter of {operation.op()}", code="UNKNOWN_PARAMETER")
        if name in _OPTIONS:
            options[_OPTIONS[name]] = _option(name, text)
        elif _PLAIN[name] in found:
            raise invalid(f"?{name}", f"says a second time what {_PLAIN[name]!r} is")
        else:
            found[_PLAIN[name]] = _plain(_PLAIN[name], text)
    if options:
        found["options"] = options
    return found


@lru_cache(maxsize=256)
def accepted(operation: type[Operation]) -> frozenset[str]:
    """The query parameters that an operation takes."""
    taken = frozenset(operation.needs + operation.takes) | ({"asOf"} & operation.accepts())
    plain = {name for name, member in _PLAIN.items() if member in taken}
    return frozenset(plain | set(_OPTIONS) if "options" in taken else plain)


def members(operation: type[Operation], content: Raw) -> dict[str, Raw]:
    """A body's members as those of the operation's request, for operations whose body is more than an entity."""
    if content is msgspec.UNSET:
        return {}
    if not isinstance(content, dict):
        raise invalid("$", "must be a JSON object")
    found: dict[str, Raw] = dict(content)
    if "fields" in found and "searchFields" in operation.needs + operation.takes:
        found["searchFields"] = found.pop("fields")
    confirm = found.pop("confirm", msgspec.UNSET)
    if confirm is not msgspec.UNSET:
        _confirm(found, confirm)
    for name in found:
        if name not in _MEMBERS:
            raise invalid(step("$", name), f"is not a member of {operation.op()}", code="UNKNOWN_MEMBER")
    return found


def request(op: str, entity: str, found: Mapping[str, Raw]) -> Request:
    """The request with these members, given by their names on the wire."""
    return Request(op=op, entity=entity, **{_FIELD_OF[name]: value for name, value in found.items()})


def field(name: str) -> str:
    """The field of `Request` that a member is, by its name on the wire; what is no member stays as it is."""
    return _FIELD_OF.get(name, name)


def whole(content: dict[str, Raw]) -> Request:
    """A request that came as one JSON object: the reference's OrmRequest."""
    for name in content:
        if name not in _FIELD_OF:
            raise invalid(step("$", name), "is not a member of a request", code="UNKNOWN_MEMBER")
    op, entity = content.pop("op", ""), content.pop("entity", "")
    if not isinstance(op, str):
        raise invalid("$.op", "must be the name of an operation")
    if not isinstance(entity, str):
        raise invalid("$.entity", "must be the name of an entity")
    return request(op, entity, content)


def merge(found: dict[str, Raw], more: Mapping[str, Raw]) -> dict[str, Raw]:
    """Members from the body and from the query string together. What both say is refused."""
    for name, value in more.items():
        here = found.get(name)
        if isinstance(here, dict) and isinstance(value, dict) and name == "options" and not here.keys() & value.keys():
            found[name] = {**here, **value}
        elif name in found:
            raise invalid(f"$.{name}", "is given both in the body and in the address")
        else:
            found[name] = value
    return found


def integer(text: str, path: str) -> int:
    """A whole number of decimal digits."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 16):
        raise invalid(path, "must be a whole number, zero or more")
    return int(text)


def boolean(text: str, path: str) -> bool:
    """`true` or `false`."""
    if text not in ("true", "false"):
        raise invalid(path, "must be true or false")
    return text == "true"


def names(text: str) -> list[str]:
    """A comma-separated list."""
    return [name for part in text.split(",") if (name := part.strip())]


_FIELD_OF = dict(zip(Request.__struct_encode_fields__, Request.__struct_fields__, strict=True))


def _plain(member: str, text: str) -> Raw:
    if member == "filter":
        return json_text(text, "$.filter")
    return text if member in ("query", "asOf") else names(text)


def _option(name: str, text: str) -> Raw:
    path = f"$.options.{_OPTIONS[name]}"
    match name:
        case "sort":
            return json_text(text, path)
        case "limit" | "skip":
            return integer(text, path)
        case "select" | "exclude":
            return names(text)
        case "includeDeleted" | "versions":
            return boolean(text, path)
        case "confirm":
            if text != "all":
                raise invalid("?confirm", "must be 'all'")
            return True
        case _:
            return text


def _confirm(found: dict[str, Raw], value: Raw) -> None:
    if not isinstance(value, bool):
        raise invalid("$.confirm", "must be true or false")
    if value:
        options = found.get("options", {})
        if not isinstance(options, dict):
            raise invalid("$.options", "must be a JSON object")
        found["options"] = {**options, "all": True}
