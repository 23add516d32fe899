"""The messages of the package `octonet.v1` as requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, cast

from octonet.kernel.errors import invalid
from octonet.kernel.operation import Operation, Raw, Request
from transports.engine import coerce
from transports.engine.grpc.entity_file import mask_of
from transports.engine.grpc.rows import Rows, number

if TYPE_CHECKING:
    from google.protobuf.message import Message

_DATA: Final = "data"
_PLAIN: Final[Mapping[str, str]] = {
    "id": "id",
    "query": "query",
    "field": "field",
    "idempotency_key": "idempotencyKey",
    "expected_version": "expectedVersion",
    "min_position": "minPosition",
    "as_of": "asOf",
    "dry_run": "dryRun",
}
_TEXTS: Final[Mapping[str, str]] = {"filter": "filter", "stages": "stages", "value": "value"}
_LISTS: Final[Mapping[str, str]] = {"relations": "relations", "search_fields": "searchFields"}
_OPTIONS: Final[Mapping[str, str]] = {
    "limit": "limit",
    "skip": "skip",
    "include_deleted": "includeDeleted",
    "versions": "versions",
    "cursor": "after",
    "all": "all",
}
_MASKS: Final[Mapping[str, str]] = {"read_mask": "select", "exclude_mask": "exclude"}


def members(message: Message, operation: type[Operation], rows: Rows) -> dict[str, Raw]:
    """The members of the request that a message stands for. Raises `Invalid` naming the place."""
    found: dict[str, Raw] = {}
    options: dict[str, Raw] = {}
    for field, value in message.ListFields():
        name = field.name
        if name in _PLAIN:
            found[_PLAIN[name]] = value
        elif name in _TEXTS:
            found[_TEXTS[name]] = coerce.json_text(value, f"$.{_TEXTS[name]}")
        elif name in _LISTS:
            found[_LISTS[name]] = list(value)
        elif name in _OPTIONS:
            options[_OPTIONS[name]] = value
        elif name == "sort":
            options["sort"] = coerce.json_text(value, "$.options.sort")
        elif name in _MASKS:
            options[_MASKS[name]] = rows.columns(value.paths)
        elif name == "amount":
            found["amount"] = number(value)
    if _DATA in operation.accepts():
        _add_data(found, message, mask_of(operation), rows)
    if options:
        found["options"] = options
    return found


def request(message: Message, operation: type[Operation], rows: Rows) -> Request:
    """The same, whole."""
    return coerce.request(operation.op(), rows.shape.schema.name, members(message, operation, rows))


def whole(text: str, path: str) -> Request:
    """A request that came as JSON."""
    content = coerce.json_text(text)
    if not isinstance(content, dict):
        raise invalid(path, "must be a JSON object")
    return coerce.whole(content)


def _add_data(found: dict[str, Raw], message: Message, mask: str, rows: Rows) -> None:
    paths = list(cast("Iterable[str]", getattr(message, mask).paths))
    if paths or message.HasField(_DATA):
        found[_DATA] = rows.given(getattr(message, _DATA), paths, "$.data")
