"""`/api/api-keys`: issuing, listing, changing, rotating and revoking keys, and the scopes they may name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus

from octonet.admin.api_keys import ApiKeys, Change, Issued, Rotation, Wish
from octonet.admin.authority import Authority, LetIn
from octonet.admin.http import body, nowhere, ok, only, steps
from octonet.admin.scopes import Scope, Scopes, Value
from octonet.transport import HttpDoor, Incoming, Reply

_PERMISSION = "apikey:admin"


class ApiKeysDoor:
    """`let_in` is the gate's; `now` tells milliseconds since 1970."""

    def __init__(
        self, api_keys: ApiKeys, scopes: Scopes, let_in: LetIn, authority: Authority, now: Callable[[], int]
    ) -> None:
        self._api_keys = api_keys
        self._scopes = scopes
        self._let_in = let_in
        self._authority = authority
        self._now = now

    def mount(self) -> Mapping[str, HttpDoor]:
        """Path prefix → door."""
        return {"/api/api-keys": self.keys, "/api/api-keys/scopes": self.scopes}

    async def keys(self, incoming: Incoming) -> Reply:
        """Issue, list, change, revoke."""
        by = await self._let_in(incoming)
        await self._authority.check(by, _PERMISSION)
        match steps(incoming):
            case [""]:
                only(incoming, "GET", "POST")
                if incoming.method == "POST":
                    return _issued(await self._api_keys.issue(by, body(incoming, Wish)))
                rows = await self._api_keys.every(by)
                return ok(rows, metadata={"count": len(rows)})
            case [key]:
                only(incoming, "PUT", "DELETE")
                if incoming.method == "DELETE":
                    return ok(await self._api_keys.revoke(by, key))
                return ok(await self._api_keys.change(by, key, body(incoming, Change)))
            case [key, "rotate"]:
                only(incoming, "POST")
                return _issued(await self._api_keys.rotate(by, key, body(incoming, Rotation).overlap, self._now()))
            case _:
                raise nowhere(incoming)

    async def scopes(self, incoming: Incoming) -> Reply:
        """What may be named in a key's permissions."""
        by = await self._let_in(incoming)
        await self._authority.check(by, _PERMISSION)
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


def _issued(made: Issued) -> Reply:
    # The only time that anybody sees the key.
    return ok({**made.row, "apiKey": made.text}, HTTPStatus.CREATED)
