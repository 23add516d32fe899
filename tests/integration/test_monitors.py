"""What servers say of their own copies, asked by TLS, for the account that we are in."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from jetstream.api import publish
from jetstream.connection import connect
from jetstream.copies import account, miscounted, streams
from jetstream.endpoint import Endpoint
from jetstream.monitors import Monitors
from jetstream.server import binary
from jetstream.topology import ensure
from octonet.kernel.errors import Invalid
from tests.certificates import Authority
from tests.ports import free_port
from tests.server_process import dying


class Two:
    """One server with two accounts, each of which has a log of the same name."""

    def __init__(self, directory: Path) -> None:
        self.authority = Authority(directory)
        certificate, key = self.authority.issue("nats")
        self.port, self.monitor = free_port(), free_port()
        file = directory / "nats.conf"
        file.write_text(
            f'server_name: lone\nlisten: "127.0.0.1:{self.port}"\nhttps: "127.0.0.1:{self.monitor}"\n'
            f'jetstream {{ store_dir: "{directory / "store"}" }}\nmax_payload: 8MB\n'
            f'tls {{ cert_file: "{certificate}", key_file: "{key}" }}\n'
            "accounts {\n"
            "  one { jetstream: enabled, users: [{ user: one, password: hush }] }\n"
            "  two { jetstream: enabled, users: [{ user: two, password: hush }] }\n}\n"
        )
        self.process = subprocess.Popen(
            [*dying(), binary(), "-c", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def way(self, user: str) -> Endpoint:
        return Endpoint(f"tls://127.0.0.1:{self.port}", user, "hush", ca=self.authority.ca)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.monitor}"


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    found = Two(tmp_path)
    yield found
    found.process.terminate()
    found.process.wait(60)


async def test_a_server_is_asked_about_the_streams_of_our_account_alone(two: Two) -> None:
    for user, count in (("one", 1), ("two", 2)):
        client = await connect(two.way(user))
        await ensure(client, {"name": "OCTO_LOG_default", "subjects": ["octo.log.default"], "storage": "file"})
        for _ in range(count):
            await publish(client, "octo.log.default", b"body", {})
        assert await account(client) == user
        assert [one.name for one in await streams(client)] == ["OCTO_LOG_default"]
        [told], silent = await Monitors([two.url], Endpoint("", ca=two.authority.ca)).ask(await account(client))
        await client.close()
        assert (told.server, silent) == ("lone", [])
        state = told.copies["OCTO_LOG_default"]
        assert (state.last, miscounted("OCTO_LOG_default", state)) == (count, "")


async def test_a_server_that_is_not_recognised_does_not_answer(two: Two, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    monitors = Monitors([two.url], Endpoint("", ca=stranger.ca))
    assert await monitors.ask("") == ([], ["number 1 of NATS_MONITOR_URLS"])


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(Invalid, match="such as http://nats-1:8222"):
        Monitors(["nats-1:8222"], Endpoint(""))
