"""One command that a request means, and how its outcome is told."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from octonet.gateway import Written
from octonet.kernel.operation import Request
from octonet.transport import Reply
from transports.engine.odata.model import Entity
from transports.engine.odata.payload import Nested


class Wish(msgspec.Struct, frozen=True):
    """One command, and how its outcome is told."""

    request: Request
    tell: Callable[[Written], Reply]
    nested: tuple[Nested, ...] = ()
    entity: Entity | None = None
    after: tuple[Request, ...] = ()
    """Commands that belong to it, and come behind it."""
