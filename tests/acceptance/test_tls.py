"""TLS and credentials: the way to nats-server, and the HTTP doors."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import nkeys
import pytest

from jetstream import connection
from jetstream.connection import connect
from jetstream.endpoint import Endpoint
from jetstream.server import binary
from octonet import dialects
from octonet.kernel.errors import Invalid, OctonetError, StorageUnavailable, Unavailable
from octonet.kernel.schema_parse import parse
from octonet.kernel.storage import DatabaseOptions
from tests import mariadb, postgres
from tests.acceptance.nats_accounts import decentralised
from tests.certificates import Authority
from tests.ports import free_port
from tests.running import Server
from tests.server_process import dying

SHOP = Path(__file__).parent / "shop.json"
PROGRAM = ("-m", "octonet")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be reached is not tried for long."""
    monkeypatch.setattr(connection, "REACHED_WITHIN", 5.0)


@contextmanager
def _nats(directory: Path, config: str) -> Iterator[int]:
    """A nats-server with this configuration; its port."""
    port = free_port()
    file = directory / "nats.conf"
    store = directory / "store"
    file.write_text(f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{store}" }}\nmax_payload: 8MB\n{config}\n')
    process = subprocess.Popen(
        [*dying(), binary(), "-c", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), 1):
                    break
            except OSError:
                assert process.poll() is None
                time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(60)


def _demanding(authority: Authority) -> str:
    certificate, key = authority.issue("nats")
    return (
        f'tls {{ cert_file: "{certificate}", key_file: "{key}", ca_file: "{authority.ca}", verify: true }}\n'
        "authorization { user: octonet, password: hush }"
    )


async def _post(server: Server, label: str, url: str = "", context: ssl.SSLContext | None = None) -> int:
    async with (
        aiohttp.ClientSession(url or server.url) as session,
        session.post("/api/v1/tags", json={"label": label}, ssl=context or True) as reply,
    ):
        return reply.status


async def test_a_server_that_demands_client_certificates_is_entered_with_one(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("octonet")
    with _nats(tmp_path, _demanding(authority)) as port:
        way = {
            "NATS_URL": f"tls://127.0.0.1:{port}",
            "NATS_USER": "octonet",
            "NATS_PASSWORD": "hush",
            "NATS_CA": authority.ca,
            "NATS_CERT": certificate,
            "NATS_KEY": key,
        }
        with Server(tmp_path / "data", SHOP, program=PROGRAM, **way) as server:
            assert await _post(server, "over TLS") == 201


@pytest.mark.usefixtures("impatient")
async def test_who_is_not_who_they_should_be_is_not_entered_nor_told_anything(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    certificate, key = authority.issue("octonet")
    wrong, wrong_key = stranger.issue("octonet")
    with _nats(tmp_path, _demanding(authority)) as port:
        way = Endpoint(f"tls://127.0.0.1:{port}", "octonet", "hush", ca=authority.ca, certificate=certificate, key=key)
        await (await connect(way)).close()
        attempts = [
            # A server that another authority vouches for, a client that one does, and a client without a certificate.
            Endpoint(way.url, "octonet", "hush", ca=stranger.ca, certificate=certificate, key=key),
            Endpoint(way.url, "octonet", "hush", ca=authority.ca, certificate=wrong, key=wrong_key),
            Endpoint(way.url, "octonet", "hush", ca=authority.ca),
        ]
        found = await asyncio.gather(*(connect(one) for one in attempts), return_exceptions=True)
        assert [type(one) for one in found] == [Unavailable] * 3, found


@pytest.mark.usefixtures("impatient")
async def test_nothing_is_sent_to_a_server_that_offers_no_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    heard: list[bytes] = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.15.1","max_payload":1048576,"auth_required":true}\r\n')
        await writer.drain()
        heard.append(await reader.read(100))
        writer.close()

    listening = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    with pytest.raises(Unavailable, match="does not demand TLS, and nothing is sent to it without"):
        await connect(Endpoint(f"nats://127.0.0.1:{port}", "octonet", "hush", ca=authority.ca))
    listening.close()
    await listening.wait_closed()
    assert set(heard) == {b""}


@pytest.mark.usefixtures("impatient")
async def test_an_nkey_enters_and_another_one_does_not(tmp_path: Path) -> None:
    pairs = []
    for name in ("ours", "other"):
        seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
        (tmp_path / name).write_bytes(seed)
        pairs.append(nkeys.from_seed(bytearray(seed)).public_key.decode())
    with _nats(tmp_path, f"authorization {{ users: [ {{ nkey: {pairs[0]} }} ] }}") as port:
        way = {"NATS_URL": f"nats://127.0.0.1:{port}", "NATS_NKEY": str(tmp_path / "ours")}
        with Server(tmp_path / "data", SHOP, program=PROGRAM, **way) as server:
            assert await _post(server, "by an nkey") == 201
        with pytest.raises(Unavailable, match="Authorization Violation"):
            await connect(Endpoint(way["NATS_URL"], nkey=str(tmp_path / "other")))


async def test_a_credentials_file_enters(tmp_path: Path) -> None:
    config, file = decentralised(tmp_path)
    with _nats(tmp_path, config) as port:
        way = {"NATS_URL": f"nats://127.0.0.1:{port}", "NATS_CREDS": file}
        with Server(tmp_path / "data", SHOP, program=PROGRAM, **way) as server:
            assert await _post(server, "by credentials") == 201


async def test_postgresql_is_reached_by_tls_as_its_address_says(tmp_path: Path) -> None:
    if reason := postgres.missing():
        pytest.skip(reason)
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    database = postgres.PostgresServer()
    try:
        database.start()
        for file, setting in zip(authority.issue("postgres"), ("ssl_cert_file", "ssl_key_file"), strict=True):
            database.sql(f"ALTER SYSTEM SET {setting} = '{database.given(Path(file))}'")
        database.sql("ALTER SYSTEM SET ssl = on")
        database.sql("SELECT pg_reload_conf()")
        while database.sql("SHOW ssl") != "on":
            await asyncio.sleep(0.02)
        uri = database.uri(tmp_path)
        way = {"DB_DIALECT": "postgres", "SGBD_URI": f"{uri}?sslmode=verify-full&sslrootcert={authority.ca}"}
        with Server(tmp_path / "data", SHOP, program=PROGRAM, **way) as server:
            assert await _post(server, "over TLS") == 201
            ours = "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
            others = "datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            assert database.sql(f"{ours} WHERE {others}", uri.rpartition("/")[2]) == "t"
        address, schemas = f"{uri}?sslmode=verify-full&sslrootcert={stranger.ca}", parse(SHOP.read_bytes())
        with pytest.raises(StorageUnavailable, match="certificate verify failed"):
            await dialects.find("postgres").open(address, schemas, DatabaseOptions())
    finally:
        database.remove()


async def test_mariadb_is_reached_by_tls_as_its_address_says(tmp_path: Path) -> None:
    if reason := mariadb.missing():
        pytest.skip(reason)
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    database = mariadb.MariadbServer()
    try:
        certificate, key = (str(database.given(Path(file))) for file in authority.issue("mariadb"))
        database.settings |= {"ssl-cert": certificate, "ssl-key": key, "require-secure-transport": "1"}
        database.start()
        uri = database.uri(tmp_path)
        way = {"DB_DIALECT": "mariadb", "SGBD_URI": f"{uri}?ssl_ca={authority.ca}"}
        with Server(tmp_path / "data", SHOP, program=PROGRAM, **way) as server:
            assert await _post(server, "over TLS") == 201
        schemas = parse(SHOP.read_bytes())
        for address, told in (
            (f"{uri}?ssl_ca={stranger.ca}", "certificate verify failed"),
            (uri, "refused the user"),
        ):
            with pytest.raises(StorageUnavailable, match=told):
                await dialects.find("mariadb").open(address, schemas, DatabaseOptions())
    finally:
        database.remove()


async def test_files_that_do_not_fit_are_refused_with_a_sentence(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (certificate, _), (_, other) = authority.issue("one"), authority.issue("two")
    text = tmp_path / "text"
    text.write_text("no certificate")
    url = "tls://127.0.0.1:4222"
    for way, code, words in (
        (Endpoint(url, ca=str(tmp_path / "nowhere")), "TLS_FILES", "nowhere cannot be read"),
        (Endpoint(url, ca=str(text)), "TLS_FILES", "holds no certificate in PEM"),
        (Endpoint(url, certificate=certificate), "TLS_FILES", "set both NATS_CERT and NATS_KEY"),
        (Endpoint(url, certificate=certificate, key=other), "TLS_FILES", "the key is of this certificate"),
        (Endpoint(url, "octonet", credentials=str(text)), "NATS_CREDENTIALS", "entered in one way"),
        (Endpoint(url, credentials=str(text)), "NATS_CREDENTIALS", "is no credentials file"),
        (Endpoint(url, nkey=str(text)), "NATS_CREDENTIALS", "holds no seed of a user"),
        (Endpoint(url, nkey=str(tmp_path / "nowhere")), "NATS_CREDENTIALS", "nowhere cannot be read"),
    ):
        with pytest.raises(OctonetError, match=words) as refused:
            await connect(way)
        assert (type(refused.value), refused.value.code) == (Invalid, code)
    for doors, words in (
        ({"OCTONET_TLS_CERT": certificate}, "set both OCTONET_TLS_CERT and OCTONET_TLS_KEY"),
        ({"OCTONET_TLS_CERT": certificate, "OCTONET_TLS_KEY": other}, "the key is of this certificate"),
    ):
        server = Server(tmp_path / words[:3] / "data", SHOP, program=PROGRAM, **doors)
        server.directory.parent.mkdir(exist_ok=True)
        assert server.launch("serve", "--port", "0").reap() == 1
        assert words in server.log()


async def test_the_doors_speak_https_and_nothing_else(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("doors")
    context = ssl.create_default_context(cafile=authority.ca)
    with Server(tmp_path / "data", SHOP, OCTONET_TLS_CERT=certificate, OCTONET_TLS_KEY=key) as server:
        url = server.url.replace("http:", "https:")
        assert await _post(server, "over https", url, context) == 201
        async with aiohttp.ClientSession(url) as session:
            # A large body is another way through the host, and a WebSocket leaves it altogether.
            body = {"slug": "large", "body": "x" * 300_000}
            async with session.post("/api/v1/notes", json=body, ssl=context) as reply:
                assert reply.status == 201
            async with session.ws_connect("/ws", ssl=context) as socket_:
                assert (await socket_.receive()).type is aiohttp.WSMsgType.TEXT
            async with session.get("/events", ssl=context) as events:
                assert await _post(server, "an event", url, context) == 201
                async with asyncio.timeout(60):
                    async for line in events.content:
                        if b"an event" in line:
                            break
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await _post(server, "a stranger", url, ssl.create_default_context())
        with pytest.raises(aiohttp.ClientError):
            await _post(server, "in clear")
        old = ssl.create_default_context(cafile=authority.ca)
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.deprecated_call():
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(aiohttp.ClientError):
            await _post(server, "of old", url, old)
