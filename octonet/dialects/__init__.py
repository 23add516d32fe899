"""One module per kind of database, found by its presence and imported only when somebody asks for it."""

from __future__ import annotations

import importlib

from octonet.dialects.engine.evidence import Evidence
from octonet.kernel import catalog
from octonet.kernel.errors import Invalid
from octonet.kernel.storage import Dialect


def known() -> list[str]:
    """Names of the dialects that are here, sorted; none of them is imported."""
    return catalog.names(__path__)


def evidence(name: str) -> Evidence:
    """What a dialect was proved by, needs and can, whether or not its driver is installed. Raises `Invalid` when there
    is none of this name."""
    found: Evidence = importlib.import_module(f"{__name__}.engine.{_checked(name)}_evidence").EVIDENCE
    return found


def find(name: str) -> Dialect:
    """The dialect of this name. Raises `Invalid` when there is none, or when its driver is not installed."""
    try:
        dialect: Dialect = importlib.import_module(f"{__name__}.{_checked(name)}").DIALECT
    except ModuleNotFoundError as missing:
        raise Invalid(
            f"the driver of dialect {name!r} is not installed ({missing.name}): install octonet[{name}]",
            code="DRIVER_MISSING",
        ) from missing
    return dialect


def _checked(name: str) -> str:
    if name not in known():
        raise Invalid(f"there is no dialect {name!r}; the known ones are {', '.join(known())}", code="UNKNOWN_DIALECT")
    return name
