"""The two requests that make up nearly all traffic, calls and lists of tools, answered without the SDK.

Whatever is not exactly as both revisions want it is left to the SDK, which says what is wrong with it; what is answered
here is what the SDK would have answered, with every member of it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, TypeGuard

import msgspec

from octonet.kernel.operation import Raw
from octonet.transport import Incoming, Reply
from transports.engine.mcp import call, identity, rpc
from transports.engine.mcp.call import Told
from transports.engine.mcp.known_reads import KnownReads
from transports.engine.mcp.toolbox import Page, Toolbox
from transports.engine.mcp.view import View

_CALL: Final = "tools/call"
_LIST: Final = "tools/list"
_ENVELOPE: Final = frozenset({"jsonrpc", "id", "method", "params"})
_CALLED: Final = frozenset({"name", "arguments", "_meta"})
_LISTED: Final = frozenset({"cursor", "_meta"})
_RESERVED: Final = "io.modelcontextprotocol/"
_VERSION: Final = _RESERVED + "protocolVersion"
_INFO: Final = _RESERVED + "clientInfo"
_CAPABILITIES: Final = _RESERVED + "clientCapabilities"
_ACCEPTED: Final = frozenset({"application/json", "application/*", "*/*"})
_MOST_CLIENTS: Final = 1024
_LARGEST_ID: Final = 2**53
_encode = msgspec.json.Encoder().encode


class Question(msgspec.Struct, frozen=True):
    """A request that can be answered here."""

    id: str | int
    method: str
    params: dict[str, Raw]
    modern: bool
    client: bytes
    """What a modern client says of itself, JSON text."""


class Quick:
    """Answers from the tools of `toolbox`."""

    def __init__(self, toolbox: Toolbox, reads: KnownReads) -> None:
        self._toolbox = toolbox
        self._reads = reads
        self._clients: OrderedDict[bytes, None] = OrderedDict()
        """How clients described themselves whose requests the SDK found right."""

    async def answer(self, view: View, incoming: Incoming, message: Raw) -> Reply | None:
        """The answer; None where the SDK must see to it."""
        question = read(incoming.headers, message)
        if question is None or (question.modern and question.client not in self._clients):
            return None
        if question.method == _LIST:
            return await self._list(view, question)
        name, given = question.params["name"], question.params.get("arguments") or {}
        assert isinstance(name, str)
        assert isinstance(given, dict)
        tool = view.find(name)
        if tool is None:
            return None
        told = await call.run(view, tool, given, question.params.get("_meta"), incoming.headers, self._reads)
        return rpc.result(question.id, _called(told, question.modern))

    def learn(self, headers: Mapping[str, str], message: Raw, reply: Reply) -> None:
        """The SDK answered: whoever describes itself in the same words is answered here from now on."""
        question = read(headers, message)
        if question is not None and question.modern and "result" in msgspec.json.decode(reply.body):
            self._clients[question.client] = None
            if len(self._clients) > _MOST_CLIENTS:
                self._clients.popitem(last=False)

    async def _list(self, view: View, question: Question) -> Reply | None:
        cursor = question.params.get("cursor")
        if cursor is not None:
            # The SDK says what is wrong with one, and nobody turns pages often.
            return None
        await view.gateway.visit(view.project, view.who)
        return rpc.result(question.id, _listed(self._toolbox.page(view, None), question.modern))


def read(headers: Mapping[str, str], message: Raw) -> Question | None:
    """The question in a message; None where anything about it is out of the ordinary."""
    if not isinstance(message, dict) or message.keys() != _ENVELOPE or message["jsonrpc"] != "2.0":
        return None
    id, method, params = message["id"], message["method"], message["params"]
    if not _is_id(id) or not _is_plain(method, params) or not _is_json(headers):
        return None
    version = headers.get("mcp-protocol-version")
    if version == identity.MODERN:
        client = _client(headers, method, params)
        return None if client is None else Question(id, method, params, True, client)
    if version in identity.LEGACY and _is_token(params.get("_meta")):
        return Question(id, method, params, False, b"")
    return None


def _is_id(id: Raw) -> TypeGuard[str | int]:
    return isinstance(id, str) or (type(id) is int and -_LARGEST_ID < id < _LARGEST_ID)


def _is_plain(method: Raw, params: Raw) -> bool:
    if not isinstance(params, dict):
        return False
    if method == _CALL:
        given = params.get("arguments", {})
        return params.keys() <= _CALLED and isinstance(params.get("name"), str) and isinstance(given, dict)
    return method == _LIST and params.keys() <= _LISTED


def _is_json(headers: Mapping[str, str]) -> bool:
    """Whether JSON comes and may be answered."""
    if headers.get("content-type", "").partition(";")[0].rstrip().lower() != "application/json":
        return False
    return any(kind.partition(";")[0].strip() in _ACCEPTED for kind in headers.get("accept", "").split(","))


def _is_token(meta: Raw) -> bool:
    if meta is None:
        return True
    return isinstance(meta, dict) and (token := meta.get("progressToken", "")) is not None and _is_id(token)


def _client(headers: Mapping[str, str], method: str, params: dict[str, Raw]) -> bytes | None:
    """What the client says of itself; None where headers and body do not agree, or more is said than that."""
    meta = params.get("_meta")
    if not isinstance(meta, dict) or meta.get(_VERSION) != identity.MODERN or not _is_token(meta):
        return None
    if headers.get("mcp-method") != method or (method == _CALL and headers.get("mcp-name") != params["name"]):
        return None
    said = {name: value for name, value in meta.items() if name.startswith(_RESERVED)}
    if _CAPABILITIES not in said or said.keys() - {_VERSION, _INFO, _CAPABILITIES}:
        return None
    return _encode((said.get(_INFO), said[_CAPABILITIES]))


def _called(told: Told, modern: bool) -> bytes:
    return b'{"content":[{"text":%b,"type":"text"}],"isError":%b%b,"structuredContent":%b%b}' % (
        _encode(told.text),
        b"true" if told.failed else b"false",
        b',"resultType":"complete"' if modern else b"",
        told.structured,
        b',"_meta":%b' % identity.STAMP if modern else b"",
    )


def _listed(page: Page, modern: bool) -> bytes:
    following = b"" if page.next is None else b'"nextCursor":%b,' % _encode(page.next)
    tools = b'"tools":[%b]' % b",".join(page.tools)
    if not modern:
        return b"{%b%b}" % (following, tools)
    return b'{"cacheScope":"private",%b"resultType":"complete",%b,"ttlMs":%d,"_meta":%b}' % (
        following,
        tools,
        identity.TTL,
        identity.STAMP,
    )
