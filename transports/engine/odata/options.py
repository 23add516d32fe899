"""The system query options of an address, and of an expansion within it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_plus

import msgspec

from octonet.kernel.errors import Invalid, invalid
from octonet.kernel.faults import did_you_mean, quote
from transports.engine.odata import expression
from transports.engine.odata.problems import syntax, unsupported
from transports.engine.odata.splitting import split, within
from transports.engine.odata.syntax import Expression

DEEPEST: Final = 8
"""Levels of $expand."""
MOST: Final = 64
"""Options of one address, expansions of one level."""
_SYSTEM: Final = (
    "filter", "search", "orderby", "select", "expand", "top", "skip", "count", "format", "skiptoken", "deltatoken",
    "apply", "compute", "index", "schemaversion", "id", "levels",
)  # fmt: skip
_NESTED: Final = frozenset(("filter", "search", "orderby", "select", "expand", "top", "skip", "count", "levels"))
_UNSUPPORTED: Final = ("compute", "index", "schemaversion")
_LONGEST: Final = 2048
"""Characters of a query string that is worth remembering."""
_LARGEST: Final = 2**31 - 1


class Sort(msgspec.Struct, frozen=True):
    """One term of an $orderby."""

    path: tuple[str, ...]
    descending: bool
    at: int


class Expansion(msgspec.Struct, frozen=True):
    """One navigation property of an $expand."""

    name: str
    """Empty: every one (``*``)."""
    options: Options
    reference: bool = False
    """Only the addresses of the rows: ``/$ref``."""
    count: bool = False
    """Only how many: ``/$count``."""


class Options(msgspec.Struct, frozen=True):
    """What was asked for; nothing is None or empty."""

    filter: Expression | None = None
    search: str | None = None
    orderby: tuple[Sort, ...] = ()
    select: tuple[str, ...] = ()
    """Names; ``*`` for every property."""
    expand: tuple[Expansion, ...] = ()
    top: int | None = None
    skip: int = 0
    count: bool = False
    format: str = ""
    skiptoken: str | None = None
    deltatoken: str | None = None
    apply: str | None = None
    id: str | None = None
    levels: int = 1
    """How often an expansion is to be repeated; 0 for ``max``."""


_OF_SAP: Final = "sap-"
"""What SAP's clients say of themselves with every request (client, language, statistics): it changes no answer."""


def parse(query: str, allowed: frozenset[str] | None = None) -> Options:
    """The options of a query string, with or without ``$``, in any case. Raises `Invalid` for what is no option, and
    a 501 for those that are not supported; `allowed` names those that mean something at this address."""
    return _remembered(query, allowed) if len(query) <= _LONGEST else _parsed(query, allowed)


def _parsed(query: str, allowed: frozenset[str] | None) -> Options:
    found: dict[str, str] = {}
    aliases: dict[str, str] = {}
    pairs = [pair for pair in query.split("&") if pair]
    if len(pairs) > MOST:
        raise Invalid(f"the address has more than {MOST} options", code="PARSE_ERROR")
    for pair in pairs:
        raw, _, text = pair.partition("=")
        name, value = _decoded(raw), _decoded(text)
        if name.startswith("@"):
            aliases[name] = value
            continue
        if name.startswith(_OF_SAP):
            continue
        key = _key(name, found)
        if key in _UNSUPPORTED:
            raise unsupported(f"${key}", "this option")
        if allowed is not None and key not in allowed:
            raise invalid(f"?${key}", "means nothing at this address", code="UNKNOWN_PARAMETER")
        found[key] = value
    return _options(found, aliases, 0)


_remembered: Final = lru_cache(maxsize=512)(_parsed)


def format_of(query: str) -> str:
    """The $format of a query string, whatever else it holds."""
    for pair in query.split("&"):
        raw, _, text = pair.partition("=")
        if raw.replace("%24", "$").lower().removeprefix("$") == "format":
            return _decoded(text)
    return ""


def _decoded(text: str) -> str:
    try:
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        raise Invalid("the query string is not UTF-8", code="PARSE_ERROR") from None


def _key(name: str, found: Mapping[str, str]) -> str:
    key = name.lower().removeprefix("$")
    if key not in _SYSTEM:
        raise invalid(f"?{name}", f"is not an option{did_you_mean(key, _SYSTEM)}", code="UNKNOWN_PARAMETER")
    if key in found:
        raise invalid(f"?${key}", "is given more than once")
    return key


def _options(found: Mapping[str, str], aliases: Mapping[str, str], depth: int) -> Options:
    given = found.get
    filter_text = given("filter")
    levels = given("levels")
    return Options(
        filter=None if filter_text is None else expression.parse(filter_text, "$filter", aliases),
        search=given("search"),
        orderby=_orders(found["orderby"]) if "orderby" in found else (),
        select=_names(found["select"]) if "select" in found else (),
        expand=_expansions(found["expand"], aliases, depth + 1) if "expand" in found else (),
        top=_whole("$top", found["top"]) if "top" in found else None,
        skip=_whole("$skip", found["skip"]) if "skip" in found else 0,
        count=_flag("$count", found["count"]) if "count" in found else False,
        format=found.get("format", ""),
        skiptoken=given("skiptoken"),
        deltatoken=given("deltatoken"),
        apply=given("apply"),
        id=given("id"),
        levels=1 if levels is None else _levels(levels),
    )


def _whole(option: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) <= _LARGEST):
        raise invalid(option, "must be a whole number, zero or more")
    return int(text)


def _levels(text: str) -> int:
    if text.lower() == "max":
        return 0
    found = _whole("$levels", text)
    if not 1 <= found <= DEEPEST:
        raise invalid("$levels", f"must be max, or 1 to {DEEPEST}")
    return found


def _flag(option: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise invalid(option, "must be true or false")
    return text.lower() == "true"


def _names(text: str) -> tuple[str, ...]:
    found: list[str] = []
    for part, at in split(text, ",", "$select"):
        name = part.strip()
        if "(" in name or "/" in name:
            raise unsupported("$select", "a part of a value", at)
        if not name:
            raise syntax("$select", at, "a name is expected")
        found.append(name)
    return tuple(dict.fromkeys(found))


def _orders(text: str) -> tuple[Sort, ...]:
    found: list[Sort] = []
    for part, at in split(text, ",", "$orderby"):
        words = part.split()
        direction = words[-1].lower() if len(words) > 1 else "asc"
        if direction not in ("asc", "desc") or len(words) != 1 + (len(words) > 1):
            if "(" in part or len(words) > 1:
                # It may be an expression: read it, so that a fault in it is told as one.
                expression.parse(part.strip().removesuffix(" desc").removesuffix(" asc"), "$orderby")
                raise unsupported("$orderby", "to sort by what is computed", at)
            raise syntax("$orderby", at, "a property is expected, and asc or desc behind it")
        if "(" in words[0]:
            expression.parse(words[0], "$orderby")
            raise unsupported("$orderby", "to sort by what is computed", at)
        if not all(step.removeprefix("$").isidentifier() for step in words[0].split("/")):
            raise syntax("$orderby", at, f"{quote(words[0])} is no property")
        found.append(Sort(tuple(words[0].split("/")), direction == "desc", at))
    return tuple(found)


def _expansions(text: str, aliases: Mapping[str, str], depth: int) -> tuple[Expansion, ...]:
    if depth > DEEPEST:
        raise invalid("$expand", f"is nested more than {DEEPEST} levels deep", code="TOO_DEEP")
    parts = split(text, ",", "$expand")
    if len(parts) > MOST:
        raise invalid("$expand", f"names more than {MOST} relations")
    found = [_expansion(part.strip(), at, aliases, depth) for part, at in parts]
    names = [expansion.name for expansion in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise invalid("$expand", f"names {quote(twice)} more than once")
    return tuple(found)


def _expansion(text: str, at: int, aliases: Mapping[str, str], depth: int) -> Expansion:
    head, inside = within(text, "$expand", at)
    options = Options() if inside is None else _nested(inside, aliases, depth)
    name, _, rest = head.partition("/")
    if not name:
        raise syntax("$expand", at, "the name of a navigation property is expected")
    if rest in ("$ref", "$count"):
        found = Expansion(name, options, rest == "$ref", rest == "$count")
        _check_bare(found, at)
        return found
    if rest:
        # A path of the reference and of OData 4.0's looser readers: one expansion within the other.
        inner = _expansion(text.partition("/")[2], at, aliases, depth + 1)
        return Expansion(name, Options(expand=(inner,)))
    return Expansion("" if name == "*" else name, options)


def _check_bare(expansion: Expansion, at: int) -> None:
    """Of rows that are not shown, nothing can be selected; of those that are only counted, no page can be cut."""
    given = expansion.options
    shows = given.select or given.expand or given.levels != 1
    cuts = given.orderby or given.top is not None or given.skip or given.count
    if shows or (expansion.count and cuts):
        raise syntax("$expand", at, "has an option that means nothing there")


def _nested(text: str, aliases: Mapping[str, str], depth: int) -> Options:
    found: dict[str, str] = {}
    parts: Sequence[tuple[str, int]] = split(text, ";", "$expand") if text.strip() else ()
    for part, at in parts:
        raw, equals, value = part.strip().partition("=")
        key = raw.lower().removeprefix("$")
        if not equals or key not in _NESTED:
            if key in _SYSTEM or key == "compute":
                raise unsupported("$expand", f"{raw} within an expansion", at)
            raise syntax("$expand", at, f"{quote(raw)} is not an option of an expansion")
        if key in found:
            raise syntax("$expand", at, f"{raw} is given more than once")
        found[key] = value.strip()
    return _options(found, aliases, depth)
