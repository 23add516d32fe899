"""The monitoring endpoints of the servers: what each says of the copies that it holds itself."""

from __future__ import annotations

import asyncio
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence

import msgspec

from jetstream.encryption import client_context
from jetstream.endpoint import Endpoint
from jetstream.reader import State
from octonet.kernel.errors import Invalid, Unavailable

_WITHIN = 5.0


class _Server(msgspec.Struct, frozen=True):
    name: str = msgspec.field(name="server_name")
    start: str


class _Stream(msgspec.Struct, frozen=True):
    name: str
    state: State


class _Account(msgspec.Struct, frozen=True):
    name: str
    id: str = ""
    streams: tuple[_Stream, ...] = msgspec.field(name="stream_detail", default=())


class _Held(msgspec.Struct, frozen=True):
    accounts: tuple[_Account, ...] = msgspec.field(name="account_details", default=())


class Account(msgspec.Struct, frozen=True):
    """What one server says: its name, the time it began, and the state of its own copy of each stream."""

    server: str
    began: str
    copies: Mapping[str, State]


_server = msgspec.json.Decoder(_Server)
_held = msgspec.json.Decoder(_Held)


class Monitors:
    """`urls`: of every server, such as ``http://nats-1:8222``; with ``https`` they are recognised, and shown who we
    are, as `endpoint` says."""

    def __init__(self, urls: Sequence[str], endpoint: Endpoint) -> None:
        """Raises `Invalid` for an address that is none."""
        for url in urls:
            if not url.startswith(("http://", "https://")):
                raise Invalid(f"NATS_MONITOR_URLS: {url!r} is no address such as http://nats-1:8222")
        self._context = client_context(endpoint)
        self._urls = [url.rstrip("/") for url in urls]
        self._names: dict[str, str] = {}

    async def ask(self, account: str) -> tuple[list[Account], list[str]]:
        """What the servers say of the streams of an account of theirs, empty for every account. And who does not
        answer: by name, or by place in the list where none is known yet."""
        answers = await asyncio.gather(*(self._ask(url, account) for url in self._urls), return_exceptions=True)
        found: list[Account] = []
        silent: list[str] = []
        for number, (url, answer) in enumerate(zip(self._urls, answers, strict=True), 1):
            if isinstance(answer, Account):
                self._names[url] = answer.server
                found.append(answer)
            elif isinstance(answer, Unavailable):
                silent.append(self._names.get(url, f"number {number} of NATS_MONITOR_URLS"))
            else:
                raise answer
        return found, silent

    async def _ask(self, url: str, account: str) -> Account:
        try:
            server = _server.decode(await asyncio.to_thread(_get, f"{url}/varz", self._context))
            path = f"{url}/jsz?streams=true&accounts=true&limit=1000000"
            held = _held.decode(await asyncio.to_thread(_get, path, self._context))
        except (OSError, urllib.error.URLError, msgspec.DecodeError) as problem:
            raise Unavailable(f"{url} does not answer: {problem}") from problem
        ours = [one for one in held.accounts if account in ("", one.name, one.id)]
        copies = {stream.name: stream.state for one in ours for stream in one.streams}
        return Account(server.name, server.start, copies)


def _get(url: str, context: ssl.SSLContext | None) -> bytes:
    with urllib.request.urlopen(url, timeout=_WITHIN, context=context) as reply:
        found: bytes = reply.read()
        return found
