"""Keys, TLS and ports of the gRPC door."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.acceptance.grpc_site import OPEN, SHOP, Status, address, entered, error
from tests.certificates import Authority
from tests.key_office import KeyOffice
from tests.running import Server


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyOffice]:
    with Server(tmp_path_factory.mktemp("keys") / "data", SHOP, OCTONET_OPEN_MODE="", **OPEN) as server:
        yield KeyOffice(server)
        assert "Traceback" not in server.log()


async def test_a_key_may_come_as_bearer(keys: KeyOffice) -> None:
    async with grpc.aio.insecure_channel(address(keys.server)) as channel:
        count = channel.unary_unary("/octonet.v1.TagService/Count")
        assert await count(b"", metadata=[("authorization", f"Bearer {keys.office}")]) is not None
        for metadata in ([], [("authorization", "Bearer nonsense")], [("x-api-key", "nonsense")]):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await count(b"", metadata=metadata)
            assert refused.value.code() is Status.UNAUTHENTICATED
        nobody = channel.unary_unary("/octonet.v1.NobodyService/Count")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await nobody(b"")
        # Who shows no key is not told which entities there are.
        assert refused.value.code() is Status.UNAUTHENTICATED


async def test_a_revoked_key_ends_what_is_watched(keys: KeyOffice) -> None:
    key = keys.key()
    async with entered(keys.server, key) as shop:
        stream = shop.watch("Tag")
        await stream.initial_metadata()
        keys.ask("DELETE", f"/api/api-keys/{key[:20]}")
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await stream.read()
        assert ended.value.code() is Status.UNAUTHENTICATED
        assert "revoked" in (ended.value.details() or "")


async def test_a_limited_key_is_told_what_it_has_left(keys: KeyOffice) -> None:
    scopes = {"projects": "*", "operations": "*", "transports": "*"}
    key = keys.key(permissions={"scopes": scopes, "rateLimit": 3})
    async with grpc.aio.insecure_channel(address(keys.server)) as channel:
        count = channel.unary_unary("/octonet.v1.TagService/Count")
        for left in (2, 1, 0):
            call = count(b"", metadata=[("x-api-key", key)])
            await call
            assert f"r={left};" in dict(await call.trailing_metadata())["ratelimit"]
        status, _, _ = await error(count(b"", metadata=[("x-api-key", key)]))
        assert status is Status.RESOURCE_EXHAUSTED


async def test_tls_is_spoken_where_there_is_a_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    tls: dict[str, Any] = {"OCTONET_TLS_CERT": certificate, "OCTONET_TLS_KEY": key}
    with Server(tmp_path / "data", SHOP, **tls, **OPEN) as server:
        roots = Path(authority.ca).read_bytes()
        async with entered(server, credentials=grpc.ssl_channel_credentials(roots)) as shop:
            assert (await shop.do("Tag", "Count")).count == 0
        async with grpc.aio.insecure_channel(address(server)) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await channel.unary_unary("/octonet.v1.TagService/Count")(b"", timeout=5)


async def test_clients_show_certificates_where_an_authority_is_named(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "other")
    certificate, key = authority.issue("server")
    tls: dict[str, Any] = {"OCTONET_TLS_CERT": certificate, "OCTONET_TLS_KEY": key}
    tls["OCTONET_TLS_CLIENT_CA"] = authority.ca
    with Server(tmp_path / "data", SHOP, **tls, **OPEN) as server:
        roots = Path(authority.ca).read_bytes()

        def shown(pair: tuple[str, str]) -> Any:
            return grpc.ssl_channel_credentials(roots, Path(pair[1]).read_bytes(), Path(pair[0]).read_bytes())

        async with entered(server, credentials=shown(authority.issue("client"))) as shop:
            assert (await shop.do("Tag", "Count")).count == 0
        for credentials in (grpc.ssl_channel_credentials(roots), shown(stranger.issue("client"))):
            async with grpc.aio.secure_channel(address(server), credentials) as channel:
                with pytest.raises(grpc.aio.AioRpcError):
                    await channel.unary_unary("/octonet.v1.TagService/Count")(b"", timeout=5)


def test_files_that_are_no_certificates_stop_the_start(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    tls: dict[str, Any] = {"OCTONET_TLS_CERT": certificate, "OCTONET_TLS_KEY": key}
    tls["OCTONET_TLS_CLIENT_CA"] = str(nonsense)
    server = Server(tmp_path / "data", SHOP, **tls, **OPEN)
    process = server.launch("serve", "--port", "0")
    assert process.reap(90) == 1
    assert "the doors cannot speak TLS" in server.log()
    assert "Traceback" not in server.log()


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        server = Server(tmp_path / "data", SHOP, **OPEN | {"MOSTA_NET_GRPC_PORT": port})
        process = server.launch("serve", "--port", "0", "--host", "127.0.0.1")
        assert process.reap(90) == 1
    assert "MOSTA_NET_GRPC_PORT" in server.log()
    assert "Traceback" not in server.log()


async def test_nothing_listens_where_it_was_not_asked_for(tmp_path: Path) -> None:
    with Server(tmp_path / "data", SHOP) as server:
        assert "grpc" not in server.listens
