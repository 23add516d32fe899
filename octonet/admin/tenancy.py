"""What tenants see and give: of what belongs to accounts only what is their own, and of what a key may do no more than
they can do themselves.

A rule for all of it: nobody comes by a key that could do what they could not. The keys that an account has are what
its people hold; a new one must fit into a single one of them, and what it could do in the office, on behalf of the
account's owner, must be theirs as well.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from octonet.access.permissions import EVERYTHING, Permissions
from octonet.access.principal import Visitor
from octonet.admin.accounts import Accounts
from octonet.admin.authority import Authority
from octonet.admin.rights import Rights, without_account
from octonet.kernel.errors import Denied, NotFound, validation
from octonet.kernel.ids import Row
from octonet.kernel.instant import milliseconds
from octonet.kernel.operation import Raw

_ANY = "apikey:admin"


class Standing(msgspec.Struct, frozen=True):
    """Where somebody stands towards what belongs to accounts."""

    rights: Rights
    accounts: frozenset[str] | None = frozenset()
    """Whose belongings they see; None: everybody's, and nobody's."""
    held: tuple[Permissions, ...] | None = ()
    """What they hold themselves; None: they may give anything."""
    expires: int = 0
    """When the key that they come with ends, in milliseconds since 1970; 0: never."""

    def sees(self, account: Raw) -> bool:
        """Whether what belongs to this account is theirs to see. `account`: an id, None for nobody's."""
        return self.accounts is None or (isinstance(account, str) and account in self.accounts)

    def where(self) -> dict[str, Raw]:
        """The filter for what they see."""
        return {} if self.accounts is None else {"account": {"$in": sorted(self.accounts)}}

    def holds(self, wanted: Permissions) -> bool:
        """Whether they have all of this themselves, in one key."""
        return self.held is None or any(covers(one, wanted) for one in self.held)

    def outlasts(self, end: Raw) -> bool:
        """Whether they are there for as long as what ends then, ISO-8601, or never, None. Raises `Invalid` when it is
        no time."""
        return not self.expires or (end is not None and milliseconds(str(end), "$.expiresAt") <= self.expires)


class Tenancy:
    """Establishes where visitors stand. Fails closed: raises `Unavailable` while that cannot be read."""

    def __init__(self, authority: Authority, accounts: Accounts) -> None:
        self._authority = authority
        self._accounts = accounts

    async def standing(self, by: Visitor, permission: str) -> Standing:
        """Where the visitor stands, who must have this permission for what is their own, or that for all keys. Raises
        `Denied`."""
        rights = await self._authority.rights(by)
        who = by.principal
        any_key = rights.allow(_ANY)
        if not any_key and not rights.allow(permission):
            raise Denied(f"this takes the permission {permission!r}")
        if rights.everything:
            return Standing(rights, None, None)
        accounts = await self._accounts.allowed(by)
        seen = None if any_key else accounts
        if who.key:
            return Standing(rights, seen, (who.permissions,), who.expires)
        return Standing(rights, seen, None if any_key else await self._accounts.held(by, accounts))

    async def check_grant(self, by: Visitor, standing: Standing, account: Raw, wanted: Permissions, end: Raw) -> None:
        """Whether the visitor may let a key of this account, id or None, do this until `end`, ISO-8601 or None. Raises
        `Denied`, `Invalid` when the end is no time."""
        if not standing.sees(account):
            raise Denied("a key for this account is not yours to give")
        if not standing.holds(wanted):
            raise Denied("a key can be given no more than its giver has")
        if not standing.outlasts(end):
            raise Denied("a key that ends cannot give one that lasts longer")
        if standing.rights.everything:
            return
        if account is None:
            reach = without_account(wanted)
        else:
            reach = (await self._authority.of_account(by, str(account))).narrowed(wanted)
        if not reach.within(standing.rights):
            raise Denied("a key can be given no more than its giver may do in the office")


def place(standing: Standing, account: str | None) -> str | None:
    """The account of what is to be made: the one that is named, else the only one there is. Raises `ValidationError`
    when there are several."""
    if account is not None or standing.accounts is None:
        return account
    if len(standing.accounts) != 1:
        raise validation("$.account", "must be one of your accounts")
    return next(iter(standing.accounts))


def seen(standing: Standing, row: Row | None) -> Row:
    """The row, if it is theirs to see. Raises `NotFound` as if it were not there otherwise."""
    if row is None or not standing.sees(row["account"]):
        raise NotFound("there is no such key", code="NOT_FOUND")
    return row


def covers(held: Permissions, wanted: Permissions) -> bool:
    """Whether all that is wanted is held: each value of each scope, and no more uses a day."""
    if held.daily and not 1 <= wanted.daily <= held.daily:
        return False
    return all(_within(held.scopes.get(scope, ()), values) for scope, values in wanted.scopes.items())


def _within(held: Iterable[str], wanted: frozenset[str]) -> bool:
    return EVERYTHING in held or wanted <= frozenset(held)
