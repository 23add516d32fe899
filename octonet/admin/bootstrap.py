"""What every installation begins with: permissions, roles, scopes, and one key that everybody may read with. Made at
each start as far as it is missing; what an operator changed stays as it is."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path

import msgspec

from octonet.access.gate import insider
from octonet.access.key_ring import PUBLIC_ACCOUNT, PUBLIC_LABEL
from octonet.access.keys import slow_hash
from octonet.access.principal import Visitor
from octonet.admin.api_keys import ApiKeys, Wish
from octonet.admin.system import SystemProject
from octonet.kernel.errors import Conflict
from octonet.kernel.ids import Row

log = logging.getLogger("octonet.access")

_PUBLIC = Wish(
    PUBLIC_LABEL,
    {"projects": ["default"], "operations": ["read"], "transports": ["rest", "mcp"]},
    account=PUBLIC_ACCOUNT,
)


class Admin(msgspec.Struct, frozen=True):
    """The first administrator."""

    email: str
    password: str


async def bootstrap(system: SystemProject, api_keys: ApiKeys, admin: Admin | None) -> str | None:
    """Make what is missing; returns the text of the public key when it was made just now."""
    by = insider("bootstrap")
    for entity, rows in _seed().items():
        present = {row["id"] for row in await system.every(by, entity, select=["id"])}
        for row in rows:
            if row["id"] not in present:
                await _create(system, by, entity, row)
    if admin is not None:
        await _make_admin(system, by, admin)
    return await _make_public_key(system, api_keys, by)


@cache
def _seed() -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = msgspec.json.decode((Path(__file__).parent / "seed.json").read_bytes())
    return found


async def _create(system: SystemProject, by: Visitor, entity: str, row: Row) -> None:
    try:
        await system.create(by, entity, {**row})
    except Conflict as problem:
        # Several processes start together.
        log.debug("%s is there already: %s", entity, problem)


async def _make_admin(system: SystemProject, by: Visitor, admin: Admin) -> None:
    if await system.count(by, "User", {"email": admin.email.strip().lower()}):
        return
    hashed = slow_hash(admin.password)
    names: Row = {"firstName": "Admin", "lastName": "Octonet"}
    row: Row = {"email": admin.email, "password": hashed, **names, "roles": ["admin"], "verified": True}
    await _create(system, by, "User", row)
    log.info("an administrator was made")


async def _make_public_key(system: SystemProject, api_keys: ApiKeys, by: Visitor) -> str | None:
    if await system.count(by, "ApiKey", {"label": _PUBLIC.label}):
        return None
    try:
        return (await api_keys.issue(by, _PUBLIC, once="bootstrap public-default")).text
    except Conflict:
        return None
