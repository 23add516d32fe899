"""What every installation begins with: permissions, roles, scopes, and one key that everybody may read with. Made at
each start as far as it is missing; what an operator changed stays as it is."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path

import msgspec

from octonet.access.gate import insider
from octonet.access.keys import slow_hash
from octonet.access.principal import Visitor
from octonet.admin.api_keys import ApiKeys, Wish
from octonet.gateway import Gateway, Read
from octonet.kernel.errors import Conflict
from octonet.kernel.ids import SYSTEM_PROJECT, Row
from octonet.kernel.operation import Request

log = logging.getLogger("octonet.access")

_PUBLIC = Wish(
    "public-default",
    {"projects": ["default"], "operations": ["read"], "transports": ["rest", "mcp"]},
    account="public-system",
)


class Admin(msgspec.Struct, frozen=True):
    """The first administrator."""

    email: str
    password: str


async def bootstrap(gateway: Gateway, api_keys: ApiKeys, admin: Admin | None) -> str | None:
    """Make what is missing; returns the text of the public key when it was made just now."""
    by = insider("bootstrap")
    for entity, rows in _seed().items():
        present = await _ids(gateway, by, entity)
        for row in rows:
            if row["id"] not in present:
                await _create(gateway, by, entity, row)
    if admin is not None:
        await _make_admin(gateway, by, admin)
    return await _make_public_key(gateway, api_keys, by)


@cache
def _seed() -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = msgspec.json.decode((Path(__file__).parent / "seed.json").read_bytes())
    return found


async def _ids(gateway: Gateway, by: Visitor, entity: str) -> set[object]:
    wish = Request("findAll", entity, options={"select": ["id"], "limit": 1000})
    found = await gateway.execute(SYSTEM_PROJECT, wish, by)
    assert isinstance(found, Read)
    return {row["id"] for row in found.answer.rows or []}


async def _create(gateway: Gateway, by: Visitor, entity: str, row: Row) -> None:
    try:
        await gateway.execute(SYSTEM_PROJECT, Request("create", entity, data=row), by)
    except Conflict as problem:
        # Several processes start together.
        log.debug("%s is there already: %s", entity, problem)


async def _make_admin(gateway: Gateway, by: Visitor, admin: Admin) -> None:
    wish = Request("count", "User", filter={"email": admin.email.strip().lower()})
    found = await gateway.execute(SYSTEM_PROJECT, wish, by)
    assert isinstance(found, Read)
    if found.answer.count:
        return
    hashed = slow_hash(admin.password)
    names: Row = {"firstName": "Admin", "lastName": "Octonet"}
    row: Row = {"email": admin.email, "password": hashed, **names, "roles": ["admin"], "verified": True}
    await _create(gateway, by, "User", row)
    log.info("an administrator was made")


async def _make_public_key(gateway: Gateway, api_keys: ApiKeys, by: Visitor) -> str | None:
    found = await gateway.execute(SYSTEM_PROJECT, Request("count", "ApiKey", filter={"label": _PUBLIC.label}), by)
    assert isinstance(found, Read)
    if found.answer.count:
        return None
    try:
        return (await api_keys.issue(by, _PUBLIC, once="bootstrap public-default")).text
    except Conflict:
        return None
