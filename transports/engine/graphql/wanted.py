"""A GraphQL request as HTTP carries it: in a JSON body, or in the address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from octonet.kernel.errors import invalid
from octonet.kernel.faults import kind, step
from octonet.kernel.operation import Raw
from transports.engine import coerce, conditions
from transports.engine.render import Refused

encode = msgspec.json.Encoder().encode

_MEMBERS: Final = frozenset({"query", "variables", "operationName", "extensions", "documentId"})
_AROUND: Final = frozenset({"project"})
"""What else an address may say."""


class Wanted(msgspec.Struct, frozen=True):
    """What a client wants executed."""

    query: str = ""
    variables: Mapping[str, object] = {}
    operation: str = ""
    extensions: Mapping[str, object] = {}
    document: str = ""
    """The name of a persisted document."""

    def extension(self, name: str) -> Raw:
        """A member of the extensions, UNSET where it is not given."""
        found = self.extensions.get(name)
        return msgspec.UNSET if found is None else found


class Demands(msgspec.Struct, frozen=True):
    """What a request puts on all its operations."""

    key: Raw = msgspec.UNSET
    version: Raw = msgspec.UNSET
    position: Raw = msgspec.UNSET
    dry: Raw = msgspec.UNSET


NO_DEMANDS: Final = Demands()
_DEMANDS: Final = (
    ("key", "idempotency-key", "idempotencyKey"),
    ("version", "if-match", ""),
    ("position", "octonet-min-position", "minPosition"),
    ("dry", "octonet-dry-run", "dryRun"),
)


def demands(headers: Mapping[str, str], wanted: Wanted) -> Demands:
    """What the headers and the extensions put on all operations. Raises `Invalid` for what both say."""
    if not wanted.extensions and not conditions.named(headers):
        return NO_DEMANDS
    found: dict[str, Raw] = {}
    for member, header, extension in _DEMANDS:
        here, there = headers.get(header), wanted.extension(extension)
        if here is not None and there is not msgspec.UNSET:
            raise invalid(f"$.extensions.{extension}", f"says a second time what the header {header} says")
        if here is not None:
            found[member] = _said(member, here)
        elif there is not msgspec.UNSET:
            found[member] = there
    return Demands(**found) if found else NO_DEMANDS


def _said(member: str, header: str) -> Raw:
    match member:
        case "version":
            return conditions.version(header)
        case "dry":
            return conditions.dry(header)
        case _:
            return header


def of_body(body: bytes, declared: str) -> Wanted:
    """What a POST wants. Raises `Refused` with 415, `Invalid`."""
    coerce.check_type(declared)
    return of_json(coerce.json_text(body))


def of_json(content: Raw) -> Wanted:
    """What a JSON object wants. Raises `Invalid`."""
    if isinstance(content, list):
        sentence = "is a batch: send several fields in one document, or several requests"
        raise invalid("$", sentence, code="BATCH_NOT_SUPPORTED")
    if not isinstance(content, dict):
        raise invalid("$", "must be a JSON object")
    text, variables = content.get("query"), content.get("variables")
    if len(content) == 2 and text and isinstance(text, str) and isinstance(variables, dict):
        # What most requests are.
        return Wanted(text, variables)
    for name in content:
        if name not in _MEMBERS:
            raise invalid(step("$", name), "is not a member of a GraphQL request", code="UNKNOWN_MEMBER")
    query, document = _text(content, "query"), _text(content, "documentId")
    found = Wanted(
        query, _object(content, "variables"), _text(content, "operationName"), _object(content, "extensions"), document
    )
    if not query and not document and "persistedQuery" not in found.extensions:
        raise invalid("$.query", "is missing", code="MISSING_DOCUMENT")
    return found


def of_address(pairs: Mapping[str, str], around: frozenset[str] = _AROUND) -> Wanted:
    """What a GET wants; `around`: what else its address may say. Raises `Invalid`."""
    content: dict[str, Raw] = {}
    for name, text in pairs.items():
        if name in ("variables", "extensions"):
            content[name] = coerce.json_text(text, f"?{name}") if text else None
        elif name not in around:
            content[name] = text
    return of_json(content)


def check_around(pairs: Mapping[str, str], around: frozenset[str] = _AROUND) -> None:
    """What may stand in the address of a request that says the rest in its body. Raises `Invalid`."""
    for name in pairs:
        if name not in around:
            raise invalid(f"?{name}", "is not a parameter of a GraphQL request by POST", code="UNKNOWN_PARAMETER")


def not_possible(method: str) -> Refused:
    """The refusal of a method."""
    allowed = {"Allow": "GET, HEAD, POST, OPTIONS"}
    return Refused(405, "METHOD_NOT_ALLOWED", f"{method} is not possible here", allowed)


def _text(content: Mapping[str, Raw], name: str) -> str:
    found = content.get(name)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise invalid(step("$", name), f"must be text, not {kind(found)}")
    return found


def _object(content: Mapping[str, Raw], name: str) -> Mapping[str, object]:
    found = content.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise invalid(step("$", name), f"must be an object, not {kind(found)}")
    return found
