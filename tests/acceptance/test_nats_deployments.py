"""The NATS door of several processes, at an address of one's own, and on a nats-server of somebody else."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import nats
import pytest
from nats.errors import Error as NatsError

from jetstream.server import binary
from jetstream.vouching import Issuer, make_seed
from tests.acceptance.nats_asking import SHOP, Asker, fresh
from tests.acceptance.tenants import KeyOffice, entered, is_let_in
from tests.ports import free_port
from tests.running import Server

_EXTERNAL = """\
listen: "127.0.0.1:{port}"
accounts {{ $SYS: {{ users: [ {{ user: overseer, password: eye }} ] }} }}
authorization {{
  users: [ {{ user: app, password: secret }} ]
  auth_callout {{ issuer: {issuer}, auth_users: [app, overseer] }}
}}
jetstream {{ store_dir: "{store}" }}
"""


async def test_several_processes_share_the_requests_and_are_one_service(tmp_path: Path) -> None:
    with Server(tmp_path / "data", SHOP) as server:
        server.stop()
        server.start("--processes", "2")
        client = await nats.connect(server.listens["nats"])
        inbox = client.new_inbox()
        heard = await client.subscribe(inbox)
        await client.publish("$SRV.PING.octonet", b"", reply=inbox)
        found = {json.loads((await heard.next_msg(60)).data)["id"] for _ in range(2)}
        assert len(found) == 2
        asker = Asker(client)
        await asyncio.gather(*(asker.customer() for _ in range(50)))
        # None was done twice, whoever did it.
        assert (await asker.ask("mostajs.Customer.count"))["data"] == 50
        await client.close()


async def test_the_address_of_the_embedded_server_can_be_chosen(tmp_path: Path) -> None:
    listen = f"0.0.0.0:{free_port()}"
    with Server(tmp_path / "data", SHOP, OCTONET_OPEN_MODE="", OCTONET_NATS_LISTEN=listen) as server:
        assert server.listens["nats"] == f"nats://{listen}"
        key = await KeyOffice(server).issue()
        assert await is_let_in(key, server.listens["nats"].replace("0.0.0.0", "127.0.0.1"))


@pytest.mark.parametrize("listen", ["4222", "host", "host:", "host:99999", 'a"b:1', "a b:1", "host:-1"])
def test_what_is_no_address_is_refused_with_a_sentence(tmp_path: Path, listen: str) -> None:
    server = Server(tmp_path / "data", SHOP, OCTONET_OPEN_MODE="", OCTONET_NATS_LISTEN=listen)
    process = server.launch("serve", "--port", "0")
    assert process.reap() == 1
    assert "OCTONET_NATS_LISTEN" in server.log()
    assert "Traceback" not in server.log()


def test_open_mode_lets_nobody_in_from_elsewhere(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", SHOP, OCTONET_NATS_LISTEN="0.0.0.0:0")
    assert server.launch("serve", "--port", "0").reap() == 1
    assert "open mode" in server.log()


async def test_a_tenant_is_cut_off_though_the_process_that_let_it_in_was_killed(tmp_path: Path) -> None:
    found = [Server(tmp_path / "data", SHOP, OCTONET_OPEN_MODE="") for _ in range(3)]
    found[0].start()
    for server in found[1:]:
        server.start("--no-worker")
    try:
        office, url = KeyOffice(found[0]), found[0].listens["nats"]
        keys = [await office.issue() for _ in range(12)]
        async with AsyncExitStack() as stack:
            tenants = [await stack.enter_async_context(entered(key, url)) for key in keys]
            for server in found[1:]:
                server.kill()
            for key in keys:
                await office.revoke(key)
            async with asyncio.timeout(90):
                await asyncio.gather(*(tenant.lost.wait() for tenant in tenants))
        assert not await is_let_in(keys[0], url)
    finally:
        for server in reversed(found):
            server.kill()


@contextmanager
def external(directory: Path, seed: str) -> Iterator[str]:
    """A nats-server that leaves it to us who enters; gives its address."""
    port = free_port()
    config = directory / "nats.conf"
    config.write_text(_EXTERNAL.format(port=port, issuer=Issuer(seed).public, store=directory / "store"))
    process = subprocess.Popen([binary(), "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        yield f"nats://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.parametrize("overseen", [True, False])
async def test_keys_open_a_server_of_somebody_else_too(tmp_path: Path, overseen: bool) -> None:
    seed = make_seed()
    (tmp_path / "seed").write_text(f"{seed}\n")
    with external(tmp_path, seed) as url:
        server = Server(
            tmp_path / "data",
            SHOP,
            OCTONET_OPEN_MODE="",
            NATS_URL=url,
            NATS_USER="app",
            NATS_PASSWORD="secret",
            NATS_SYSTEM_USER="overseer" if overseen else "",
            NATS_SYSTEM_PASSWORD="eye" if overseen else "",
            NATS_CALLOUT_SEED=str(tmp_path / "seed"),
        )
        with server:
            assert server.listens["nats"] == url
            office = KeyOffice(server)
            key = await office.issue(["default"], ["read", "write"])
            async with entered(key, url) as tenant:
                made = await tenant.ask("mostajs.Customer.create", {"data": {"email": fresh()}})
                assert made["status"] == "ok"
                assert not await tenant.may_publish("mostajs.Customer.deleteMany")
                assert not await tenant.may_publish("octo.log.default")
                await office.revoke(key)
                if overseen:
                    await asyncio.wait_for(tenant.lost.wait(), 60)
            assert not await is_let_in(key, url)
        assert "Traceback" not in server.log()


@pytest.mark.parametrize("text", ["", "SUAM", "SA" + "A" * 56, "SAä", None])
def test_a_seed_that_is_none_is_refused_with_a_sentence(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "seed"
    if text is not None:
        file.write_text(text)
    server = Server(tmp_path / "data", SHOP, NATS_URL="nats://127.0.0.1:1", NATS_CALLOUT_SEED=str(file))
    assert server.launch("serve", "--port", "0").reap() == 1
    assert "NATS_CALLOUT_SEED" in server.log()
    assert "Traceback" not in server.log()


async def test_tenants_come_again_after_the_embedded_server_was_killed(tmp_path: Path) -> None:
    with Server(tmp_path / "data", SHOP, OCTONET_OPEN_MODE="") as server:
        office = KeyOffice(server)
        key, revoked = await office.issue(), await office.issue()
        client = await nats.connect(
            server.listens["nats"],
            token=key,
            inbox_prefix=f"_INBOX_{key[:20]}",
            max_reconnect_attempts=-1,
            reconnect_time_wait=1,
        )
        os.kill(int((tmp_path / "data" / "nats" / "nats-server.pid").read_text()), signal.SIGKILL)
        async with asyncio.timeout(90):
            while True:
                try:
                    message = await client.request("mostajs.Customer.count", b"", 5, headers={"X-API-Key": key})
                    break
                except NatsError:
                    await asyncio.sleep(0.1)
        assert json.loads(message.data)["status"] == "ok"
        async with entered(revoked, server.listens["nats"]) as tenant:
            await office.revoke(revoked)
            await asyncio.wait_for(tenant.lost.wait(), 60)
        await client.close()
