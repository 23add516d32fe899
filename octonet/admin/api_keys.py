"""Issuing, listing and revoking API keys. The text of a key is told once, to whoever asked for it, and kept nowhere."""

from __future__ import annotations

from typing import Annotated

import msgspec

from octonet.access import keys, permissions
from octonet.access.principal import Visitor
from octonet.admin.system import SystemProject
from octonet.kernel.errors import NotFound, validation
from octonet.kernel.ids import JsonValue, Row
from octonet.kernel.instant import iso
from octonet.kernel.operation import Raw, Request

_ENTITY = "ApiKey"
_LONGEST_LABEL = 200
_HIDDEN = frozenset({"verifier"})


class Wish(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What a new key is to be."""

    label: str
    permissions: dict[str, Raw]
    environment: keys.Environment = keys.Environment.LIVE
    expires_at: str | None = None
    """ISO-8601; None: never."""
    account: str | None = None
    """Id of the account it belongs to."""


class Change(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """What may be changed of a key."""

    label: str | msgspec.UnsetType = msgspec.UNSET
    permissions: dict[str, Raw] | msgspec.UnsetType = msgspec.UNSET
    enabled: bool | msgspec.UnsetType = msgspec.UNSET
    expires_at: str | None | msgspec.UnsetType = msgspec.UNSET


class Rotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a key is replaced. `overlap`: seconds that the old one still opens what it opened."""

    overlap: Annotated[int, msgspec.Meta(ge=0)] = 3600


class Issued(msgspec.Struct, frozen=True):
    """A new key: its text, and its row as it may be shown."""

    text: str
    row: Row


class ApiKeys:
    """The keys of an installation. `pepper` is secret; `scheme` says how new keys are stored."""

    def __init__(self, system: SystemProject, pepper: bytes, scheme: keys.Scheme = keys.Scheme.HMAC) -> None:
        self._system = system
        self._pepper = pepper
        self._scheme = scheme

    async def issue(self, by: Visitor, wish: Wish, once: str = "") -> Issued:
        """Make a key. `once`: an idempotency key. Raises `ValidationError` naming the place."""
        _check_label(wish.label)
        permissions.parse(wish.permissions)
        made = keys.make(wish.environment)
        data: dict[str, Raw] = {
            "id": made.prefix,
            "label": wish.label,
            "permissions": wish.permissions,
            "verifier": keys.verifier(made.text, self._pepper, self._scheme),
            "expiresAt": wish.expires_at,
            "account": wish.account,
        }
        return Issued(made.text, _shown(await self._system.create(by, _ENTITY, data, once)))

    async def find(self, by: Visitor, key: str) -> Row | None:
        """A key as it may be shown."""
        row = await self._system.find(by, _ENTITY, key)
        return None if row is None else _shown(row)

    async def every(self, by: Visitor, where: dict[str, Raw] | None = None) -> list[Row]:
        """All keys that match, the newest last, as they may be shown."""
        rows = await self._system.every(by, _ENTITY, where)
        return sorted(map(_shown, rows), key=lambda row: str(row["createdAt"]))

    async def change(self, by: Visitor, key: str, change: Change) -> Row:
        """Change a key; every process notices at once. Raises `NotFound`, `ValidationError`."""
        if isinstance(change.label, str):
            _check_label(change.label)
        if change.permissions is not msgspec.UNSET:
            permissions.parse(change.permissions)
        row = await self._system.write(by, Request("update", _ENTITY, key, data=msgspec.to_builtins(change)))
        if row is None:
            raise NotFound("there is no such key", code="NOT_FOUND")
        return _shown(row)

    async def revoke(self, by: Visitor, key: str) -> Row:
        """From now on it opens nothing, anywhere."""
        return await self.change(by, key, Change(enabled=False))

    async def rotate(self, by: Visitor, key: str, overlap: int, now: int) -> Issued:
        """Make a key like this one, which ends `overlap` seconds after `now` (milliseconds since 1970), or sooner where
        it would have. Raises `NotFound`."""
        row = await self._system.find(by, _ENTITY, key)
        if row is None or not row["enabled"]:
            raise NotFound("there is no such key", code="NOT_FOUND")
        granted, account, label = row["permissions"], row["account"], row["label"]
        assert isinstance(granted, dict)
        environment = keys.Environment(key.split("_")[1])
        wish = Wish(str(label), dict(granted), environment, _text(row["expiresAt"]), _text(account))
        made = await self.issue(by, wish)
        end = iso(now + overlap * 1000)
        if row["expiresAt"] is None or str(row["expiresAt"]) > end:
            await self.change(by, key, Change(expires_at=end))
        return made


def _check_label(label: str) -> None:
    if not 1 <= len(label.strip()) <= _LONGEST_LABEL:
        raise validation("$.label", f"must have 1 to {_LONGEST_LABEL} characters")


def _text(value: JsonValue) -> str | None:
    return None if value is None else str(value)


def _shown(row: Row) -> Row:
    return {"prefix": row["id"]} | {name: value for name, value in row.items() if name not in _HIDDEN}
