"""What a rejection on the log stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from octonet.kernel.errors import Kind, OctonetError
from octonet.kernel.log import Rejection


def error(rejection: Rejection) -> OctonetError:
    """The error: its kind, code and faults as they were recorded."""
    made = _BY_KIND.get(rejection.kind, OctonetError)
    return made(rejection.message, code=rejection.code, faults=rejection.faults)


def _kinds() -> dict[Kind, type[OctonetError]]:
    found: dict[Kind, type[OctonetError]] = {}
    for each in OctonetError.__subclasses__():
        found.setdefault(each.kind, each)
    return found


_BY_KIND: Final[Mapping[Kind, type[OctonetError]]] = _kinds()
