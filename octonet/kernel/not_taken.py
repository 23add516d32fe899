"""What a request says and its operation has no use for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import attrgetter

import msgspec

from octonet.kernel.errors import invalid
from octonet.kernel.operation import Operation, Request


class _NotTaken(msgspec.Struct, frozen=True):
    """The members of a request that an operation has no use for."""

    names: tuple[str, ...]
    """On the wire."""
    read: Callable[[Request], tuple[object, ...]]
    absent: tuple[object, ...]
    """What `read` finds where none of them was given."""


@cache
def _not_taken(operation: type[Operation]) -> _NotTaken:
    fields = [field for field in msgspec.structs.fields(Request) if field.encode_name not in operation.accepts()]
    names = tuple(field.encode_name for field in fields)
    # The entity is read too: with two names or more, what is read is a tuple.
    read = attrgetter("entity", *(field.name for field in fields))
    return _NotTaken(names, lambda request: read(request)[1:], (msgspec.UNSET,) * len(names))


def refuse_more(operation: type[Operation], request: Request) -> None:
    """What would be ignored is refused: the caller meant something by it. Raises `Invalid` with code UNKNOWN_MEMBER."""
    more = _not_taken(operation)
    found = more.read(request)
    if found != more.absent:
        name = next(name for name, value in zip(more.names, found, strict=True) if value is not msgspec.UNSET)
        raise invalid(f"$.{name}", f"is not taken by {operation.op()}", code="UNKNOWN_MEMBER")
