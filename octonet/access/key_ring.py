"""Verified keys: looked up in the system project once, kept for a while, dropped by the fact that changes them.

A key is known by a keyed hash of its text. What is kept is bounded and expires; wrong keys are kept too, apart. While
the facts of the system project cannot be heard, nothing is kept. A flood of keys that nobody issued has few look-ups
under way at a time: beyond them, only keys that were right before are looked up at once.
"""

from __future__ import annotations

import asyncio
import os
import weakref
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from time import monotonic
from typing import Final

import msgspec

from octonet.access import keys, permissions
from octonet.access.foreign_keys import ForeignKeys
from octonet.access.principal import REVOKED, Principal
from octonet.access.tickets import Tickets
from octonet.access.wrong_keys import WrongKeys
from octonet.kernel.errors import Exhausted, OctonetError, Unauthenticated, Unavailable
from octonet.kernel.filter import And, Compare, Comparison, Options
from octonet.kernel.ids import EntityId, Row
from octonet.kernel.instant import milliseconds
from octonet.kernel.schema import Schemas
from octonet.kernel.storage import Page, Source, Stored

_MOST: Final = 20_000
_KEPT: Final = 60.0
"""Seconds; a fact drops a key at once, this bounds what a lost fact could do."""
_LOOK: Final = 1.0
"""Seconds between two looks for keys that expired."""
_MOST_SLOW: Final = 32
"""Verifications by bcrypt that may wait for the one thread that makes them."""
_MOST_STRANGERS: Final = 64
"""Keys never seen to be right that may be looked up at the same time."""
PUBLIC_LABEL: Final = "public-default"
PUBLIC_ACCOUNT: Final = "public-system"
"""What tells the public key from all others: only administrators issue keys to this account."""
_PUBLIC: Final = And(
    (
        Compare("label", Comparison.EQ, PUBLIC_LABEL),
        Compare("account", Comparison.EQ, PUBLIC_ACCOUNT),
        Compare("enabled", Comparison.EQ, True),
    )
)
_NO_TEXT: Final = ""
_MOST_PUBLIC: Final = 8
"""One, and those that it was rotated to or from."""
_ATTEMPTS: Final = 200
_PAUSE: Final = 0.01
"""Seconds between two looks at a row whose newest change was heard of and is not readable yet."""


class _Versions(msgspec.Struct, frozen=True):
    """Of the rows that a principal was read from."""

    key: int
    account: int


class Overwhelmed(Exhausted):
    """Too many keys are being verified at the moment: try again."""

    default_code = "RATE_LIMIT"
    retry_after = 1


class KeyRing:
    """The keys of one process. `source` gives the system project's database as it is now."""

    def __init__(
        self,
        source: Callable[[], Source],
        schemas: Schemas,
        pepper: bytes,
        tickets: Tickets,
        now: Callable[[], int],
    ) -> None:
        self._source = source
        self._tickets = tickets
        self._live: weakref.WeakKeyDictionary[Principal, _Versions] = weakref.WeakKeyDictionary()
        """All that are in use anywhere, kept or not, and what each rests on."""
        self._keys, self._accounts = schemas.entities["ApiKey"], schemas.entities["Account"]
        self._foreign = ForeignKeys(source, self._keys)
        self._pepper = pepper
        self._now = now
        self._loop = asyncio.get_running_loop()
        self._secret = os.urandom(32)
        self._kept: OrderedDict[bytes, Principal] = OrderedDict()
        self._wrong = WrongKeys()
        self._right: OrderedDict[str, None] = OrderedDict()
        """Public parts of keys that were right, however long ago."""
        self._proven: OrderedDict[bytes, str] = OrderedDict()
        """The slow hash that a key was verified against: while that stands in its row, once is enough."""
        self._pending: dict[bytes, asyncio.Future[Principal | None]] = {}
        self._heard: OrderedDict[tuple[str, str], int] = OrderedDict()
        """Entity and id → the version that a fact told of, of rows that are there."""
        self._changes = 0
        self._trusting = False
        self._slow = ThreadPoolExecutor(1, "bcrypt")
        self._waiting_slow = 0

    def find(self, text: str) -> Principal | None:
        """The key's principal when it is known by heart, None when it must be verified. Raises `Unauthenticated` for a
        key that is known to be wrong."""
        mark = self._mark(text)
        if mark in self._wrong:
            raise Unauthenticated(REVOKED)
        principal = self._kept.get(mark)
        if principal is None:
            return None
        if principal.expires and principal.expires <= self._now():
            raise Unauthenticated(REVOKED)
        return principal if principal.until > monotonic() else None

    async def verify(self, text: str) -> Principal:
        """The key's principal. Raises `Unauthenticated`; `Unavailable` while the system project cannot be read;
        `Overwhelmed` when too many verifications wait already."""
        known = keys.read(text) or await self._foreign.find(text)
        principal = None if known is None else await self._shared(known, self._mark(text))
        if principal is None:
            raise Unauthenticated(REVOKED)
        return principal

    async def verify_ticket(self, text: str) -> Principal:
        """The principal of the key that a ticket stands for. Raises as `verify` does."""
        prefix = self._tickets.read(text, self._now())
        principal = None if prefix is None else await self._settled(prefix, "")
        if principal is None:
            raise Unauthenticated(REVOKED)
        return principal

    async def verify_shown(self, prefix: str) -> Principal:
        """The principal of the key with this public part, of which it is known that it was shown. Raises as `verify`
        does."""
        principal = await self._settled(prefix, "")
        if principal is None:
            raise Unauthenticated(REVOKED)
        return principal

    async def verify_public(self) -> Principal:
        """The principal of the key that whoever shows none may use. Raises `Unauthenticated` when it was disabled or
        revoked, else as `verify` does."""
        mark = self._mark(_NO_TEXT)
        kept = self._kept.get(mark)
        if kept is not None and kept.until > monotonic() and not 0 < kept.expires <= self._now():
            return kept
        if mark in self._wrong:
            raise Unauthenticated
        changes = self._changes
        rows = await self._source().select(self._keys, Page(_PUBLIC, Options(select=("id",)), _MOST_PUBLIC))
        for row in rows:
            principal = await self._shared(keys.KeyText(_NO_TEXT, str(row["id"])), mark)
            if principal is not None:
                return principal
        if self._trusting and changes == self._changes:
            self._wrong.add(mark)
        raise Unauthenticated

    def hear(self, entity: str, id: str, version: int) -> None:
        """A fact of the system project: whatever rests on this row is verified anew. `version` 0: the row is gone."""
        if entity not in ("ApiKey", "Account"):
            return
        self._changes += 1
        if entity == "ApiKey":
            self._foreign.hear(id)
        self._heard.pop((entity, id), None)
        if version:
            self._heard[entity, id] = version
            if len(self._heard) > _MOST:
                self._heard.popitem(last=False)
        for principal, read in list(self._live.items()):
            of, seen = (principal.key, read.key) if entity == "ApiKey" else (principal.account, read.account)
            # Whoever read the row faster than the fact about it came has nothing to learn.
            if id == of and (not version or version > seen):
                principal.revoke()
        for mark, principal in list(self._kept.items()):
            if principal.revoked:
                del self._kept[mark]
        self._wrong.clear()

    def trust(self) -> None:
        """Facts are heard from now on."""
        self._foreign.forget()
        self._trusting = True

    def distrust(self) -> None:
        """Facts are not heard any more: nothing that is known can be relied upon."""
        self._foreign.forget()
        self._trusting = False
        self._changes += 1
        self._kept.clear()
        self._wrong.clear()
        for principal in self._live:
            principal.until = 0.0

    async def run(self) -> None:
        """Tell whoever is connected under a key that it expired, for ever."""
        while True:
            await asyncio.sleep(_LOOK)
            now = self._now()
            for principal in list(self._live):
                if 0 < principal.expires <= now and not principal.revoked:
                    principal.revoke()

    def close(self) -> None:
        """Verify nothing more."""
        self._slow.shutdown(wait=False, cancel_futures=True)

    async def _shared(self, key: keys.KeyText, mark: bytes) -> Principal | None:
        """Verified, once for all who show the same key meanwhile."""
        while (pending := self._pending.get(mark)) is not None:
            await asyncio.wait((pending,))
            if not pending.cancelled():
                return pending.result()
        if (kept := self._kept.get(mark)) is not None and kept.until > monotonic():
            return kept
        if len(self._pending) >= _MOST_STRANGERS and key.prefix not in self._right:
            raise Overwhelmed
        # No task for it: most keys that come here are wrong ones, and a task costs more than the look-up.
        pending = self._pending[mark] = self._loop.create_future()
        try:
            principal = await self._settled(key.prefix, key.text)
            if self._trusting:
                principal = self._keep(mark, principal)
            pending.set_result(principal)
        finally:
            del self._pending[mark]
            # Where it failed, the next one tries.
            pending.cancel()
        return principal

    async def _settled(self, prefix: str, text: str) -> Principal | None:
        """Looked up, with no fact about any key in between."""
        while True:
            changes = self._changes
            principal = await self._looked_up(prefix, text)
            if changes == self._changes:
                return principal

    def _keep(self, mark: bytes, principal: Principal | None) -> Principal | None:
        """Know it by heart; one that was known before and says the same stays the one it was."""
        before = self._kept.pop(mark, None)
        if principal is None:
            self._wrong.add(mark)
            return None
        if before is not None and before.is_as(principal):
            principal = before
        left = (principal.expires - self._now()) / 1000 if principal.expires else _KEPT
        principal.until = monotonic() + min(left, _KEPT)
        self._kept[mark] = principal
        self._right[principal.key] = None
        for kept in (self._kept, self._right):
            if len(kept) > _MOST:
                kept.popitem(last=False)
        return principal

    async def _looked_up(self, prefix: str, text: str) -> Principal | None:
        """`text` empty: that the key was shown is known already."""
        found = await self._row("ApiKey", prefix)
        if found is None:
            return None
        row = found.state
        if not row["enabled"] or (text and not await self._is_verified(text, str(row["verifier"]))):
            return None
        expires = 0 if row["expiresAt"] is None else milliseconds(str(row["expiresAt"]))
        if expires and expires <= self._now():
            return None
        holder = None
        if row["account"] is not None:
            holder = await self._row("Account", str(row["account"]))
            if holder is None or holder.state["status"] != "active":
                return None
        principal = Principal(prefix, str(row["account"] or ""), _granted(row), expires)
        self._live[principal] = _Versions(found.version, 0 if holder is None else holder.version)
        return principal

    async def _row(self, entity: str, id: str) -> Stored | None:
        """The row, not older than the last fact about it that was heard: the log tells of a change a moment before its
        rows can be read."""
        schema = self._keys if entity == "ApiKey" else self._accounts
        for _ in range(_ATTEMPTS):
            found: Stored | None = await self._source().get(schema, EntityId(id), Options())
            wanted = self._heard.get((entity, id), 0)
            if (0 if found is None else found.version) >= wanted:
                return found
            await asyncio.sleep(_PAUSE)
        raise Unavailable("API key validation unavailable: what is known of this key is not up to date")

    async def _is_verified(self, text: str, stored: str) -> bool:
        if not keys.is_slow(stored):
            return keys.verify(text, stored, self._pepper)
        mark = self._mark(text)
        if self._proven.get(mark) == stored:
            return True
        if self._waiting_slow >= _MOST_SLOW:
            raise Overwhelmed
        self._waiting_slow += 1
        try:
            right = await self._loop.run_in_executor(self._slow, keys.verify, text, stored, self._pepper)
        finally:
            self._waiting_slow -= 1
        if right:
            self._proven[mark] = stored
            if len(self._proven) > _MOST:
                self._proven.popitem(last=False)
        return right

    def _mark(self, text: str) -> bytes:
        return blake2b(text.encode("utf-8", "surrogateescape"), key=self._secret, digest_size=16).digest()


def _granted(row: Row) -> permissions.Permissions:
    """What a stored key may do; nothing where that cannot be read."""
    try:
        return permissions.parse(row["permissions"])
    except OctonetError:
        return permissions.Permissions({})
