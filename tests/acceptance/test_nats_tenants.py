"""A tenant on NATS, connected by its API key: it asks for what the key opens, hears what it may read, no more."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from nats.errors import NoRespondersError

from commands import COMMANDS
from octonet.kernel.operation import Family
from projections import QUERIES
from tests.acceptance.tenants import LOOKUP, KeyOffice, Tenant, entered, is_let_in
from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"
OPERATIONS = {**QUERIES, **COMMANDS}
FACTS = ("created", "updated", "deleted")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyOffice]:
    directory = tmp_path_factory.mktemp("tenants")
    tree = directory / "tree.json"
    shop = json.loads(SHOP.read_text())
    tree.write_text(json.dumps({"crm": {"schemas": shop}, "other": {"schemas": shop}}))
    with Server(directory / "data", SHOP, OCTONET_OPEN_MODE="", MOSTA_PROJECTS=str(tree)) as server:
        yield KeyOffice(server)
    assert "Traceback" not in server.log()


@pytest.fixture
def url(office: KeyOffice) -> str:
    return office.server.listens["nats"]


@pytest.fixture
async def reader(office: KeyOffice, url: str) -> AsyncIterator[Tenant]:
    """May read project `crm`."""
    async with entered(await office.issue(["crm"], ["read"], ["nats"]), url) as tenant:
        yield tenant


@pytest.fixture
async def writer(office: KeyOffice, url: str) -> AsyncIterator[Tenant]:
    """May read and write project `crm`."""
    async with entered(await office.issue(["crm"], ["read", "write"], ["nats"]), url) as tenant:
        yield tenant


async def test_a_key_opens_a_connection_as_a_token_or_as_anybodys_password(office: KeyOffice, url: str) -> None:
    key = await office.issue()
    assert await is_let_in(key, url)
    assert await is_let_in(key, url, user="whoever", password=key)


async def test_what_is_no_key_opens_no_connection(office: KeyOffice, url: str) -> None:
    revoked = await office.issue()
    await office.revoke(revoked)
    expired = await office.issue(expiresAt="2020-01-01T00:00:00Z")
    elsewhere = await office.issue(transports=["rest"])
    nowhere = await office.issue(projects=["Not a project!"])
    right = await office.issue()
    for key in (revoked, expired, elsewhere, nowhere, "let me in", f"{right[:-1]}{'a' if right[-1] != 'a' else 'b'}"):
        assert not await is_let_in(key, url), key
    assert not await is_let_in(right, url, user=right, password="")
    assert not await is_let_in("", url, user="octonet", password="octonet")
    assert not await is_let_in("", url, user="system", password="")


async def test_nobody_enters_without_a_key(url: str) -> None:
    assert not await is_let_in("", url, token="")


async def test_a_tenant_reads_and_writes_and_hears_the_facts_of_it(writer: Tenant) -> None:
    heard = await writer.client.subscribe("mostajs.crm.*.created")
    await writer.client.flush()
    made = await writer.ask("mostajs.crm.Customer.create", {"data": {"email": "tenant@x.org"}})
    assert made["status"] == "ok", made
    message = await heard.next_msg(60)
    assert (message.subject, json.loads(message.data)["id"]) == ("mostajs.crm.Customer.created", made["data"]["id"])
    found = await writer.ask("mostajs.crm.Customer.findById", {"id": made["data"]["id"]})
    assert found["data"]["email"] == "tenant@x.org"
    assert writer.refused == []


@pytest.mark.parametrize("family", Family)
async def test_a_tenant_may_ask_for_the_operations_of_its_families_and_no_other(
    office: KeyOffice, url: str, family: Family
) -> None:
    key = await office.issue(["default", "crm"], [family.value], ["nats"])
    async with entered(key, url) as tenant:
        for op, operation in OPERATIONS.items():
            wanted = operation.family is family
            for subject in (f"mostajs.Customer.{op}", f"mostajs.default.Customer.{op}", f"mostajs.crm.Customer.{op}"):
                assert await tenant.may_publish(subject) is wanted, subject
            assert not await tenant.may_publish(f"mostajs.other.Customer.{op}")
        for project in ("", "crm."):
            for fact in FACTS:
                assert await tenant.may_subscribe(f"mostajs.{project}*.{fact}") is (family is Family.READ)


@pytest.mark.parametrize(
    "subject",
    [
        "mostajs.Customer.findAll",
        "mostajs.other.Customer.findAll",
        "mostajs.crm.Customer.create",
        "mostajs.crm.Customer.deleteMany",
        "mostajs.crm.Customer.created",
        "mostajs.crm.Customer.updated",
        "mostajs.crm.Customer.deleted",
        "mostajs.Customer.created",
        "mostajs._system.ApiKey.findAll",
        "mostajs.crm.Customer.findAll.more",
        "mostajs.crm",
        "octo.cmd.crm",
        "octo.log.crm",
        "octo.lease.crm",
        "octo.reply.forged",
        "octo.asked.figures",
        "octo.facts._system.ApiKey.created",
        "$JS.API.INFO",
        "$JS.API.STREAM.DELETE.OCTO_LOG_crm",
        "$JS.API.STREAM.MSG.GET.OCTO_LOG_crm",
        "$JS.API.CONSUMER.CREATE.OCTO_FACTS_crm",
        "$JS.ACK.OCTO_CMD_crm.x.1.1.1.1.0",
        "$KV.x.y",
        "$SYS.REQ.USER.AUTH",
        "$SYS.REQ.SERVER.PING",
        "$SYS.REQ.SERVER.PING.CONNZ",
        "$SRV.PING.another",
        "_INBOX.somebody.1",
        "_INBOX_octonet.somebody.1",
        "_INBOX_facts.somebody.1",
        "anything",
    ],
)
async def test_a_reader_can_publish_nothing_else(reader: Tenant, subject: str) -> None:
    assert not await reader.may_publish(subject)


@pytest.mark.parametrize(
    "subject",
    [
        ">",
        "*",
        "*.>",
        "mostajs.>",
        "mostajs.crm.>",
        "mostajs.*.*.created",
        "mostajs.*.created",
        "mostajs.crm.*.*",
        "mostajs.crm.Customer.*",
        "mostajs.other.*.created",
        "mostajs.crm.*.create",
        "mostajs.crm.Customer.findAll",
        "mostajs.*.*.findAll",
        "mostajs.discover",
        "octo.>",
        "octo.log.crm",
        "octo.cmd.crm",
        "octo.facts._system.*.created",
        "octo.reply.*",
        "_INBOX.>",
        "_INBOX_octonet.>",
        "_INBOX_facts.>",
        "$SYS.>",
        "$SYS.REQ.USER.AUTH",
        "$JS.>",
        "$JS.API.>",
        "$JS.EVENT.>",
        "$SRV.>",
        "$SRV.PING",
        "$KV.>",
    ],
)
async def test_a_reader_can_listen_to_nothing_else(reader: Tenant, subject: str) -> None:
    assert not await reader.may_subscribe(subject)
    assert not await reader.may_subscribe(subject, "octonet")


async def test_a_tenant_takes_no_part_in_answering_requests(writer: Tenant) -> None:
    for op in OPERATIONS:
        await writer.client.subscribe(f"mostajs.crm.*.{op}", queue="octonet")
    await writer.told()
    assert len([one for one in writer.refused if "permissions violation" in one]) == len(OPERATIONS)


async def test_tenants_do_not_hear_each_others_answers(reader: Tenant, writer: Tenant) -> None:
    assert await reader.may_subscribe(f"_INBOX_{reader.key[:LOOKUP]}.*")
    assert not await reader.may_subscribe(f"_INBOX_{writer.key[:LOOKUP]}.>")
    assert not await reader.may_subscribe(f"_INBOX_{writer.key[:LOOKUP]}.*")


async def test_a_connection_gives_no_right_that_the_key_in_the_request_does_not_have(
    office: KeyOffice, writer: Tenant
) -> None:
    asked = {"data": {"email": "other@x.org"}}
    nothing = await writer.client.request("mostajs.crm.Customer.create", json.dumps(asked).encode(), timeout=60)
    assert json.loads(nothing.data)["error"]["code"] == "UNAUTHORIZED"
    reading = await office.issue(["crm"], ["read"])
    told = await writer.ask("mostajs.crm.Customer.create", asked, **{"X-API-Key": reading})
    assert told["error"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize(
    "reply",
    [
        "octo.cmd.crm",
        "octo.log.crm",
        "octo.lease.crm",
        "mostajs.crm.Customer.created",
        "mostajs.crm.Customer.deleteMany",
        "$JS.API.STREAM.PURGE.OCTO_LOG_crm",
        "$JS.API.STREAM.DELETE.OCTO_FACTS_crm",
        "$SYS.REQ.USER.AUTH",
        "_INBOX_octonet.forged.1",
        "_INBOX",
    ],
)
async def test_an_answer_is_never_sent_where_only_octonet_may_speak(
    office: KeyOffice, writer: Tenant, reply: str
) -> None:
    before = (await office.ask("GET", "/api/nats/info"))[1]["stats"]["requests"]
    headers = {"X-API-Key": writer.key}
    body = json.dumps({"data": {"email": f"{reply}@x.org"}}).encode()
    await writer.client.publish("mostajs.crm.Customer.create", body, reply=reply, headers=headers)
    count = await writer.ask("mostajs.crm.Customer.count", {"filter": {"email": f"{reply}@x.org".lower()}})
    assert count["data"] == 0
    assert (await office.ask("GET", "/api/nats/info"))[1]["stats"]["requests"] == before + 1


async def test_a_key_for_every_project_hears_and_asks_in_each_of_them_and_in_no_private_one(
    office: KeyOffice, url: str
) -> None:
    async with entered(await office.issue(), url) as tenant:
        heard = await tenant.client.subscribe("mostajs.*.*.created")
        await tenant.client.flush()
        told = await tenant.ask("mostajs.other.Customer.create", {"data": {"email": "every@x.org"}})
        assert told["status"] == "ok"
        assert (await heard.next_msg(60)).subject == "mostajs.other.Customer.created"
        assert (await tenant.ask("mostajs._system.ApiKey.findAll"))["error"]["code"] == "UNKNOWN_PROJECT"
        assert (await tenant.ask("mostajs.nowhere.Customer.findAll"))["error"]["code"] == "UNKNOWN_PROJECT"


async def test_names_in_a_scope_are_never_read_as_patterns(office: KeyOffice, url: str) -> None:
    key = await office.issue(["crm", ">", "cr*", "*.Customer.create.x", "other.>", "_system"], ["read"], ["nats"])
    async with entered(key, url) as tenant:
        assert await tenant.may_publish("mostajs.crm.Customer.findAll")
        assert not await tenant.may_publish("mostajs.other.Customer.findAll")
        assert not await tenant.may_publish("mostajs._system.ApiKey.findAll")
        assert not await tenant.may_subscribe("mostajs.other.*.created")


async def _lost_after(office: KeyOffice, tenant: Tenant) -> float:
    began = time.monotonic()
    await office.revoke(tenant.key)
    await asyncio.wait_for(tenant.lost.wait(), 60)
    return tenant.lost_at - began


async def test_a_revoked_key_loses_its_connections_and_opens_none(office: KeyOffice, url: str) -> None:
    key, stays = await office.issue(["crm"]), await office.issue(["crm"])
    async with entered(key, url) as first, entered(key, url) as second, entered(stays, url) as other:
        took = await _lost_after(office, first)
        await asyncio.wait_for(second.lost.wait(), 60)
        print(f"the connection was lost {took * 1000:.0f} ms after the key was revoked")
        assert other.client.is_connected
        assert not await is_let_in(key, url)


async def test_a_key_whose_scopes_change_is_let_in_anew_with_the_new_ones(office: KeyOffice, url: str) -> None:
    key = await office.issue(["crm"], ["read"], ["nats"])
    async with entered(key, url) as tenant:
        scopes = {"projects": ["other"], "operations": ["read"], "transports": ["nats"]}
        status, told = await office.ask("PUT", f"/api/api-keys/{key[:LOOKUP]}", {"permissions": {"scopes": scopes}})
        assert status < 300, told
        await asyncio.wait_for(tenant.lost.wait(), 60)
    async with entered(key, url) as tenant:
        assert await tenant.may_publish("mostajs.other.Customer.findAll")
        assert not await tenant.may_publish("mostajs.crm.Customer.findAll")


async def test_a_tenant_asks_what_services_there_are(reader: Tenant) -> None:
    for subject in ("$SRV.PING", "$SRV.INFO.octonet", "$SRV.STATS"):
        assert (await reader.ask(subject))["name"] == "octonet"
    found = await reader.ask("mostajs.crm.discover")
    assert {entity["name"] for entity in found["entities"]} == {one["name"] for one in json.loads(SHOP.read_text())}
    told = await reader.ask("mostajs.discover")
    assert told["error"]["code"] == "FORBIDDEN"


async def test_what_nobody_serves_has_no_responders(office: KeyOffice, url: str) -> None:
    async with entered(await office.issue(), url) as tenant:
        with pytest.raises(NoRespondersError):
            await tenant.client.request("$SRV.PING.octonet.nobody", b"", timeout=60)
