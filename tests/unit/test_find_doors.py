"""A door stands open unless it is switched off, or lacks its package."""

from __future__ import annotations

import pytest

from octonet.config import Settings
from octonet.door_catalog import find_doors
from octonet.kernel.errors import Unavailable
from transports.sse import TRANSPORT


def opened(settings: Settings) -> set[str]:
    return {door.name for door in find_doors(settings)}


def test_a_door_is_open_until_it_is_switched_off() -> None:
    assert opened(Settings()) - opened(Settings(transports={"sse": False})) == {"sse"}


def test_a_door_without_its_package_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TRANSPORT, "needs", "no_such_package", raising=False)
    assert "sse" not in opened(Settings())


def test_a_door_that_was_asked_for_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TRANSPORT, "needs", "no_such_package", raising=False)
    with pytest.raises(Unavailable, match=r"pip install 'octonet\[sse\]'"):
        find_doors(Settings(transports={"sse": True}))
