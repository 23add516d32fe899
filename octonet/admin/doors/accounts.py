"""`/api/accounts`: whose keys and projects are whose. Opening and changing accounts decides over that, so it takes
everything; whoever belongs to one sees it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from octonet.admin.accounts import AccountChange, Accounts, NewAccount
from octonet.admin.authority import Authority, LetIn
from octonet.admin.http import body, nowhere, ok, only, steps
from octonet.admin.rights import BYPASS
from octonet.transport import HttpDoor, Incoming, Reply

_OWN: Final = "user:read"


class AccountsDoor:
    """`let_in` is the reception's."""

    def __init__(self, accounts: Accounts, let_in: LetIn, authority: Authority) -> None:
        self._accounts = accounts
        self._let_in = let_in
        self._authority = authority

    def mount(self) -> Mapping[str, HttpDoor]:
        """Path prefix → door."""
        return {"/api/accounts": self.accounts}

    async def accounts(self, incoming: Incoming) -> Reply:
        """List, open, change."""
        by = await self._let_in(incoming)
        below = steps(incoming)
        rights = await self._authority.check(by, _OWN if incoming.method == "GET" else BYPASS)
        match below:
            case [""]:
                only(incoming, "GET", "POST")
                if incoming.method == "POST":
                    return ok(await self._accounts.create(by, body(incoming, NewAccount)), HTTPStatus.CREATED)
                rows = await self._accounts.every(by)
                if not rights.everything:
                    allowed = await self._accounts.allowed(by)
                    rows = [row for row in rows if row["id"] in allowed]
                return ok(rows, metadata={"count": len(rows)})
            case [account]:
                only(incoming, "PUT")
                return ok(await self._accounts.change(by, account, body(incoming, AccountChange)))
            case _:
                raise nowhere(incoming)
