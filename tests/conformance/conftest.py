"""Servers for the conformance cases: one for each dialect that can be opened here, every door of it in turn.

A stand-in for a database is asked at one door: all doors lead to the same gateway, and what they do on the way to it is
shown on databases that are themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from octonet import dialects
from octonet.dialects.engine.evidence import Tier
from octonet.kernel.storage import Database
from tests.conformance.clients import DOORS, enter
from tests.conformance.dialect_cases import APART, CANNOT, KNOWN, opened, uri_of
from tests.conformance.world import LIBRARY, World
from tests.running import EveryDoor, Server

_ONE_DOOR = "rest"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the other doors of stand-ins, and skip what cannot be, each with its reason."""
    left = [item for item in items if isinstance(item, pytest.Function) and _is_beside(item)]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in set(left)]
    for item in items:
        _skip_what_cannot_be(item)


def _is_beside(item: pytest.Function) -> bool:
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    if "site" not in parameters or parameters.get("world", _ONE_DOOR) == _ONE_DOOR:
        return False
    return dialects.evidence(str(parameters["site"])).tier is not Tier.VERIFIED


def _skip_what_cannot_be(item: pytest.Item) -> None:
    name, _, parameters = item.name.rstrip("]").partition("[")
    for dialect in parameters.split("-"):
        if (dialect, name) in CANNOT:
            item.add_marker(pytest.mark.skip(reason=CANNOT[dialect, name]))


@pytest.fixture(scope="session", params=APART)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server over a database of each dialect that a process of its own can open."""
    folder = tmp_path_factory.mktemp(request.param)
    server = EveryDoor(folder / "data", LIBRARY, DB_DIALECT=request.param, SGBD_URI=uri_of(request.param, folder))
    with server:
        yield server
    assert "Traceback" not in server.log()


@pytest.fixture(params=DOORS)
async def world(request: pytest.FixtureRequest, site: Server) -> AsyncIterator[World]:
    """Each door of it."""
    async with enter(request.param, site) as call:
        yield World(site, request.param, call)


@pytest.fixture(params=KNOWN)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A fresh database of each dialect that is found."""
    async with opened(request.param, tmp_path) as database:
        yield database
