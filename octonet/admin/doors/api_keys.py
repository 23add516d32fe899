"""`/api/api-keys`: issuing, listing, changing, rotating and revoking keys, and the scopes they may name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

import msgspec

from octonet.access import permissions
from octonet.access.principal import Visitor
from octonet.admin.api_keys import ApiKeys, Change, Issued, Rotation, Wish
from octonet.admin.authority import Authority, LetIn
from octonet.admin.http import body, nowhere, ok, only, steps
from octonet.admin.scopes import Scope, Scopes, Value
from octonet.admin.tenancy import Standing, Tenancy, place, seen
from octonet.kernel.ids import Row
from octonet.transport import HttpDoor, Incoming, Reply

_SCOPES: Final = "apikey:admin"
_LIST: Final = "apikey:list"
_CREATE: Final = "apikey:create"
_REVOKE: Final = "apikey:revoke"


class ApiKeysDoor:
    """`let_in` is the reception's; `now` tells milliseconds since 1970."""

    def __init__(
        self,
        api_keys: ApiKeys,
        scopes: Scopes,
        let_in: LetIn,
        authority: Authority,
        tenancy: Tenancy,
        now: Callable[[], int],
    ) -> None:
        self._api_keys = api_keys
        self._scopes = scopes
        self._let_in = let_in
        self._authority = authority
        self._tenancy = tenancy
        self._now = now

    def mount(self) -> Mapping[str, HttpDoor]:
        """Path prefix → door."""
        return {"/api/api-keys": self.keys, "/api/api-keys/scopes": self.scopes}

    async def keys(self, incoming: Incoming) -> Reply:
        """Issue, list, change, revoke."""
        by = await self._let_in(incoming)
        below = steps(incoming)
        standing = await self._tenancy.standing(by, _permission(incoming.method, below))
        match below:
            case [""]:
                only(incoming, "GET", "POST")
                if incoming.method == "POST":
                    return await self._issue(by, standing, body(incoming, Wish))
                rows = await self._api_keys.every(by, standing.where())
                return ok(rows, metadata={"count": len(rows)})
            case [key]:
                only(incoming, "PUT", "DELETE")
                row = seen(standing, await self._api_keys.find(by, key))
                if incoming.method == "DELETE":
                    return ok(await self._api_keys.revoke(by, key))
                return await self._change(by, standing, row, body(incoming, Change))
            case [key, "rotate"]:
                only(incoming, "POST")
                row = seen(standing, await self._api_keys.find(by, key))
                wish = body(incoming, Rotation)
                # Whoever is told its text can do what it can.
                await self._check(by, standing, row)
                return _issued(await self._api_keys.rotate(by, key, wish.overlap, self._now()))
            case _:
                raise nowhere(incoming)

    async def scopes(self, incoming: Incoming) -> Reply:
        """What may be named in a key's permissions."""
        by = await self._let_in(incoming)
        await self._authority.check(by, _SCOPES)
        match steps(incoming):
            case [""]:
                only(incoming, "GET", "POST")
                if incoming.method == "POST":
                    return ok(await self._scopes.register(by, body(incoming, Scope)), HTTPStatus.CREATED)
                return ok(await self._scopes.every(by))
            case [scope, "values"]:
                only(incoming, "PUT", "DELETE")
                value = body(incoming, Value)
                if incoming.method == "PUT":
                    return ok(await self._scopes.put(by, scope, value))
                await self._scopes.remove(by, scope, value.value)
                return ok(True)
            case _:
                raise nowhere(incoming)

    async def _issue(self, by: Visitor, standing: Standing, wish: Wish) -> Reply:
        wish = msgspec.structs.replace(wish, account=place(standing, wish.account))
        wanted = permissions.parse(wish.permissions)
        await self._tenancy.check_grant(by, standing, wish.account, wanted, wish.expires_at)
        return _issued(await self._api_keys.issue(by, wish))

    async def _change(self, by: Visitor, standing: Standing, row: Row, change: Change) -> Reply:
        # As it will be: to enable one again, or to let it last longer, is to give it.
        await self._check(by, standing, {**row, **msgspec.to_builtins(change)})
        return ok(await self._api_keys.change(by, str(row["id"]), change))

    async def _check(self, by: Visitor, standing: Standing, row: Row) -> None:
        wanted = permissions.parse(row["permissions"])
        await self._tenancy.check_grant(by, standing, row["account"], wanted, row["expiresAt"])


def _permission(method: str, below: list[str]) -> str:
    """What somebody needs to do this with keys of their own."""
    if below != [""]:
        return _REVOKE
    return _CREATE if method == "POST" else _LIST


def _issued(made: Issued) -> Reply:
    # The only time that anybody sees the key.
    return ok({**made.row, "apiKey": made.text}, HTTPStatus.CREATED)
