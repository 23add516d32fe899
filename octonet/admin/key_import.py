"""Keys that are brought along from a predecessor: only what it stored of them, so that their holders notice nothing."""

from __future__ import annotations

import asyncio
import re
from typing import Final, Protocol

import msgspec

from octonet.access import keys, permissions
from octonet.access.principal import Visitor
from octonet.admin.system import SystemProject
from octonet.kernel.errors import OctonetError, invalid
from octonet.kernel.faults import Faults
from octonet.kernel.instant import milliseconds
from octonet.kernel.operation import Raw

_ENTITY: Final = "ApiKey"
_AT_ONCE: Final = 64
_BCRYPT: Final = re.compile(r"\$2[aby]\$(0[4-9]|1[0-4])\$[./A-Za-z0-9]{53}")
"""With a cost that can be afforded: 14 takes a second."""


class Brought(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A key as its predecessor stored it."""

    prefix: str
    """Its public part; what is longer than 16 characters is cut."""
    hash: str
    """bcrypt's."""
    label: str
    permissions: dict[str, Raw]
    enabled: bool = True
    expires_at: str | None = None
    account: str | None = None


class Imported(msgspec.Struct, frozen=True):
    """What became of them. `present`: those that were here already, by the same hash."""

    created: int
    present: int


class Progress(Protocol):
    """Hears how far an import has come."""

    def reset(self, total: int) -> None:
        """So many are to be done."""
        ...

    def update(self, n: int) -> object:
        """So many more are done."""
        ...


class KeyImport:
    """Imports keys into the system project, on behalf of `by`."""

    def __init__(self, system: SystemProject, by: Visitor, progress: Progress) -> None:
        self._system = system
        self._by = by
        self._progress = progress
        self._faults = Faults()

    async def run(self, text: bytes) -> Imported:
        """A JSON array of keys. Raises `Invalid` or `ValidationError` with every fault at its path: then nothing was
        imported."""
        rows = self._read(text)
        stored = await self._stored()
        accounts = {str(row["id"]) for row in await self._system.every(self._by, "Account", select=["id"])}
        for path, row in rows.items():
            self._check(path, row, accounts)
        self._check_parts({path: _public_part(row) for path, row in rows.items()}, set(stored))
        new = []
        for path, row in rows.items():
            verifier = stored.get(_public_part(row))
            if verifier is None:
                new.append(row)
            elif verifier != row.hash:
                self._faults.add(f"{path}.prefix", "is that of a key which is here already, by another hash")
        self._faults.check()
        await self._create(new)
        return Imported(len(new), len(rows) - len(new))

    async def _stored(self) -> dict[str, str]:
        """Public part → verifier of all keys that are here."""
        rows = await self._system.every(self._by, _ENTITY, select=["id", "verifier"])
        return {str(row["id"]): str(row["verifier"]) for row in rows}

    def _check_parts(self, parts: dict[str, str], stored: set[str]) -> None:
        """No two public parts may be found in the same key."""
        seen: dict[str, str] = {}
        for path, part in parts.items():
            if part in seen:
                self._faults.add(f"{path}.prefix", f"begins like that of {seen[part]}: {part}")
            seen.setdefault(part, path)
        every = stored | seen.keys()
        longer = {shorter for part in every for shorter in keys.foreign_parts(part) if shorter != part}
        for part, path in seen.items():
            if part in longer or any(shorter in every for shorter in keys.foreign_parts(part) if shorter != part):
                self._faults.add(f"{path}.prefix", f"is the beginning of another one, or begins with one: {part}")

    def _read(self, text: bytes) -> dict[str, Brought]:
        """By path."""
        try:
            found = msgspec.json.decode(text, type=list[msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            raise invalid("$", f"is not a JSON array of keys: {problem}", code="PARSE_ERROR") from None
        rows: dict[str, Brought] = {}
        for number, raw in enumerate(found):
            path = f"$[{number}]"
            try:
                rows[path] = msgspec.json.decode(raw, type=Brought)
            except (msgspec.DecodeError, UnicodeDecodeError) as problem:
                message, _, place = str(problem).partition(" - at `$")
                self._faults.add(path + place.rstrip("`"), message)
        return rows

    def _check(self, path: str, row: Brought, accounts: set[str]) -> None:
        faults, prefix = self._faults, _public_part(row)
        if not keys.is_foreign_part(prefix):
            sentence = "must be the first 12 characters or more of a key: sk_live_…, sk_test_…, msk_live_…, msk_test_…"
            faults.add(f"{path}.prefix", sentence)
        if not _BCRYPT.fullmatch(row.hash):
            faults.add(f"{path}.hash", "must be a bcrypt hash ($2a$, $2b$ or $2y$) with a cost of 4 to 14")
        if not 1 <= len(row.label.strip()) <= 200:
            faults.add(f"{path}.label", "must have 1 to 200 characters")
        if row.account is not None and row.account not in accounts:
            faults.add(f"{path}.account", f"there is no account {row.account!r}")
        try:
            permissions.parse(row.permissions, f"{path}.permissions")
            if row.expires_at is not None:
                milliseconds(row.expires_at, f"{path}.expiresAt")
        except OctonetError as problem:
            for fault in problem.faults:
                faults.add(fault.path, fault.message)

    async def _create(self, rows: list[Brought]) -> None:
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(row: Brought) -> None:
            async with room:
                await self._system.create(self._by, _ENTITY, _row(row))
            self._progress.update(1)

        self._progress.reset(len(rows))
        await asyncio.gather(*map(one, rows))


def _public_part(row: Brought) -> str:
    return row.prefix[: keys.FOREIGN_LOOKUP.stop - 1]


def _row(row: Brought) -> dict[str, Raw]:
    return {
        "id": _public_part(row),
        "verifier": row.hash,
        "label": row.label,
        "permissions": row.permissions,
        "enabled": row.enabled,
        "imported": True,
        "expiresAt": row.expires_at,
        "account": row.account,
    }
