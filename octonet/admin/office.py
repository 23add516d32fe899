"""What all doors of the office are told."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from octonet.admin.accounts import Accounts
from octonet.admin.authority import Authority, LetIn
from octonet.admin.reception import Entrance
from octonet.transport import HttpDoor


class Office(msgspec.Struct, frozen=True):
    """Who is let in, what they may do, what is whose, and the doors to people and keys: path prefix → door."""

    let_in: LetIn
    entrance: Entrance
    authority: Authority
    accounts: Accounts
    doors: Mapping[str, HttpDoor]
