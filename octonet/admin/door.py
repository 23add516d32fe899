"""The office over HTTP: `/api/api-keys`, `/api/auth/verify` and `/api/auth/ticket`, in the reference's paths."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final, TypeAlias, TypeVar

import msgspec

from octonet.access.permissions import EVERYTHING, OPERATIONS, PROJECTS
from octonet.access.principal import Visitor
from octonet.access.tickets import LIFE, Tickets
from octonet.admin.api_keys import ApiKeys, Change, Issued, Rotation, Wish
from octonet.admin.scopes import Scope, Scopes, Value
from octonet.kernel.errors import NotFound, invalid
from octonet.kernel.instant import iso
from octonet.kernel.operation import Family
from octonet.transport import HttpDoor, Incoming, Reply

T = TypeVar("T")
LetIn: TypeAlias = Callable[[Incoming], Awaitable[Visitor]]
"""Establishes who sent a request, or raises."""

_encode = msgspec.json.Encoder().encode
_SERVER_WIDE: Final = {OPERATIONS: Family.ADMIN.value, PROJECTS: EVERYTHING}
"""What a key needs in order to see to other keys: they may open any project."""


class Office:
    """The doors of the office. `let_in` is the gate's; `now` tells milliseconds since 1970."""

    def __init__(
        self, api_keys: ApiKeys, scopes: Scopes, tickets: Tickets, let_in: LetIn, now: Callable[[], int]
    ) -> None:
        self._api_keys = api_keys
        self._scopes = scopes
        self._tickets = tickets
        self._let_in = let_in
        self._now = now

    def mount(self) -> Mapping[str, HttpDoor]:
        """Path prefix → door."""
        return {
            "/api/api-keys": self.keys,
            "/api/api-keys/scopes": self.scopes,
            "/api/auth/verify": self.verify,
            "/api/auth/ticket": self.ticket,
        }

    async def verify(self, incoming: Incoming) -> Reply:
        """What the key that is shown may do."""
        _only(incoming, "GET")
        who = (await self._let_in(incoming)).principal
        scopes = {name: sorted(values) for name, values in who.permissions.scopes.items()}
        expires = iso(who.expires) if who.expires else None
        return _ok(
            {"prefix": who.key, "account": who.account or None, "permissions": {"scopes": scopes}, "expiresAt": expires}
        )

    async def ticket(self, incoming: Incoming) -> Reply:
        """What a browser puts into the address of a socket or a stream, instead of the key."""
        _only(incoming, "POST")
        who = (await self._let_in(incoming)).principal
        return _ok({"ticket": self._tickets.give(who.key, self._now()), "expiresIn": LIFE // 1000})

    async def keys(self, incoming: Incoming) -> Reply:
        """Issue, list, change, revoke."""
        by = await self._let_in(incoming)
        by.principal.check_scopes(_SERVER_WIDE)
        match incoming.below.strip("/").split("/"):
            case [""]:
                _only(incoming, "GET", "POST")
                return await self._issue(incoming, by) if incoming.method == "POST" else await self._every(by)
            case [key]:
                _only(incoming, "PUT", "DELETE")
                if incoming.method == "DELETE":
                    return _ok(await self._api_keys.revoke(by, key))
                return _ok(await self._api_keys.change(by, key, _body(incoming, Change)))
            case [key, "rotate"]:
                _only(incoming, "POST")
                return _issued(await self._api_keys.rotate(by, key, _body(incoming, Rotation).overlap, self._now()))
            case _:
                raise _nowhere(incoming)

    async def scopes(self, incoming: Incoming) -> Reply:
        """What may be named in a key's permissions."""
        by = await self._let_in(incoming)
        by.principal.check_scopes(_SERVER_WIDE)
        match incoming.below.strip("/").split("/"):
            case [""]:
                _only(incoming, "GET", "POST")
                if incoming.method == "POST":
                    return _ok(await self._scopes.register(by, _body(incoming, Scope)), HTTPStatus.CREATED)
                return _ok(await self._scopes.every(by))
            case [scope, "values"]:
                _only(incoming, "PUT", "DELETE")
                value = _body(incoming, Value)
                if incoming.method == "PUT":
                    return _ok(await self._scopes.put(by, scope, value))
                await self._scopes.remove(by, scope, value.value)
                return _ok(True)
            case _:
                raise _nowhere(incoming)

    async def _every(self, by: Visitor) -> Reply:
        rows = await self._api_keys.every(by)
        return _ok(rows, metadata={"count": len(rows)})

    async def _issue(self, incoming: Incoming, by: Visitor) -> Reply:
        return _issued(await self._api_keys.issue(by, _body(incoming, Wish)))


def _issued(made: Issued) -> Reply:
    # The only time that anybody sees the key.
    return _ok({**made.row, "apiKey": made.text}, HTTPStatus.CREATED)


def _nowhere(incoming: Incoming) -> NotFound:
    return NotFound(f"nothing is served at {incoming.target[:200]!r}")


def _only(incoming: Incoming, *methods: str) -> None:
    if incoming.method not in methods:
        raise invalid("$.method", f"must be {' or '.join(methods)} here", code="METHOD_NOT_ALLOWED")


def _body(incoming: Incoming, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(incoming.body, type=kind)
    except msgspec.ValidationError as problem:
        message, _, path = str(problem).partition(" - at `")
        raise invalid(path.rstrip("`") or "$", message, code="VALIDATION_ERROR") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise invalid("$", f"is not JSON: {problem}", code="PARSE_ERROR") from None


def _ok(data: object, status: int = 200, **more: object) -> Reply:
    headers = {"Cache-Control": "no-store"}
    return Reply(_encode({"status": "ok", "data": data, **more}), status, headers)
