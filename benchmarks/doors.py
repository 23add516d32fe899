"""What each door costs beside bare aiohttp: its hottest requests, measured in the same rounds."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import subjects
from benchmarks.grpc_load import run_grpc
from benchmarks.load import BODY, ROW, ROWS, Ask, Figures, fill, median, run, run_ask

_CONNECTIONS = 32
_ROUNDS = 3


_FILTER = "$filter=id%20ge%20'i01000'"
_CATEGORY = "$filter=category%20eq%20'metal'%20and%20price%20gt%201"


def _rpc(method: str, params: str) -> str:
    return f'{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}'


_FIELDS = "id name price category stock active made"


def _graphql(document: str, variables: str) -> Ask:
    return Ask("POST", "/graphql", f'{{"query":"{document}","variables":{variables}}}')


def _mcp(tool: str, arguments: str, revision: str) -> Ask:
    reserved = "io.modelcontextprotocol"
    meta = f',"_meta":{{"{reserved}/protocolVersion":"{revision}","{reserved}/clientCapabilities":{{}}}}'
    modern = revision > "2026"
    params = f'{{"name":"{tool}","arguments":{arguments}{meta if modern else ""}}}'
    headers = [
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
        ("MCP-Protocol-Version", revision),
    ]
    if modern:
        headers += [("Mcp-Method", "tools/call"), ("Mcp-Name", tool)]
    return Ask("POST", "/mcp", _rpc("tools/call", params), tuple(headers))


ASKED: dict[str, tuple[Ask, str, float | None]] = {
    "JSON-RPC findById": (Ask("POST", "/rpc", _rpc("Item.findById", json.dumps([ROW]))), "get", 0.5),
    "JSON-RPC create": (Ask("POST", "/rpc", _rpc("Item.create", f'{{"data":{BODY}}}')), "create", None),
    "MCP tools/call findAll 20": (_mcp("Item_findAll", '{"limit":20}', "2026-07-28"), "list", 0.15),
    "MCP tools/call findAll 20, 2025-11-25": (_mcp("Item_findAll", '{"limit":20}', "2025-11-25"), "list", 0.15),
    "MCP tools/call create": (_mcp("Item_create", f'{{"data":{BODY}}}', "2026-07-28"), "create", None),
    "GraphQL list of 20": (
        _graphql(f"query List($n: Int) {{ items(limit: $n) {{ {_FIELDS} }} }}", '{"n":20}'),
        "list",
        0.25,
    ),
    "GraphQL row by id": (
        _graphql(f"query One($id: ID!) {{ item(id: $id) {{ {_FIELDS} }} }}", f'{{"id":"{ROW}"}}'),
        "get",
        None,
    ),
    "GraphQL create": (
        _graphql(
            f"mutation Make($input: ItemInput!) {{ createItem(input: $input) {{ {_FIELDS} }} }}", f'{{"input":{BODY}}}'
        ),
        "create",
        0.35,
    ),
    "OData filter, 20 rows": (Ask("GET", f"/odata/Item?{_FILTER}&$top=20"), "list", 0.3),
    "OData filter by category, 20 rows": (Ask("GET", f"/odata/Item?{_CATEGORY}&$top=20"), "list", None),
    "OData by key": (Ask("GET", f"/odata/Item('{ROW}')"), "get", None),
    "OData create": (Ask("POST", "/odata/Item", BODY), "create", None),
}
"""What is asked, the scenario of bare aiohttp that it is held against, and the ratio to reach."""


def _by_id() -> bytes:
    """A message whose first field is the id of a row taken by chance."""
    id = f"i{random.randrange(ROWS):05}".encode()
    return bytes((0x0A, len(id))) + id


CALLED: dict[str, tuple[str, Callable[[], bytes], float | None]] = {
    "gRPC findById": ("/octonet.v1.ItemService/FindById", _by_id, 0.5),
    "gRPC findById, mostajs": ("/mostajs.ItemService/FindById", _by_id, None),
    "gRPC health, the floor of grpcio": ("/grpc.health.v1.Health/Check", bytes, None),
}
"""What is called, with which messages, and the ratio to reach."""


def doors(directory: Path, say: Callable[[str], None], seconds: int, only: str = "") -> None:
    """Measure and say it; `only` those whose name begins so."""
    port = subjects.free_port()
    listening = {"MOSTA_NET_GRPC_ENABLED": "true", "MOSTA_NET_GRPC_PORT": str(port)}
    bare, octonet = subjects.bare(), subjects.octonet(directory / "doors", **listening)
    say("")
    say("| door | octonet : bare | target | bare p50/p99 ms | octonet p50/p99 ms | octonet req/s |")
    say("|---|---|---|---|---|---|")
    try:
        asyncio.run(fill(octonet.url))
        for name, (ask, scenario, target) in ASKED.items():
            if not name.startswith(only):
                continue
            rounds = [
                (
                    run(bare.url, scenario, _CONNECTIONS, seconds),
                    run_ask(octonet.url, ask, _CONNECTIONS, seconds),
                )
                for _ in range(_ROUNDS)
            ]
            say(_line(name, target, rounds))
        if any(name.startswith(only) for name in CALLED):
            _grpc(octonet, port, say, seconds, only)
    finally:
        bare.stop()
        octonet.stop()


def _grpc(octonet: subjects.Subject, port: int, say: Callable[[str], None], seconds: int, only: str) -> None:
    """Calls beside REST's get by id, by rate and by what a request costs the server."""
    say("")
    say("| call | gRPC : REST get | target | REST req/s | gRPC req/s | gRPC p50/p99 ms | REST, gRPC CPU µs a request |")
    say("|---|---|---|---|---|---|---|")
    for name, (method, request, target) in CALLED.items():
        if not name.startswith(only):
            continue
        get = partial(run, octonet.url, "get", _CONNECTIONS, seconds)
        call = partial(run_grpc, "127.0.0.1", port, method, request, _CONNECTIONS, seconds)
        rounds = [(_costing(octonet, get, seconds), _costing(octonet, call, seconds)) for _ in range(_ROUNDS)]
        ratio = statistics.median(ours.rate / rest.rate for (rest, _), (ours, _) in rounds)
        rest, ours = (median([one[side][0] for one in rounds]) for side in (0, 1))
        costs = [statistics.median(one[side][1] for one in rounds) for side in (0, 1)]
        wanted = "" if target is None else f"{target:.2f}"
        flaw = f" ({ours.bad} failed)" if ours.bad else ""
        say(
            f"| {name} | **{ratio:.2f}** | {wanted} | {rest.rate:.0f} | {ours.rate:.0f}{flaw} | {ours.latencies} | "
            f"{costs[0]:.0f}, {costs[1]:.0f} |"
        )


def _costing(subject: subjects.Subject, work: Callable[[], Figures], seconds: int) -> tuple[Figures, float]:
    """What came out, and the microseconds of CPU that each request cost the server."""
    before = subject.cpu()
    found = work()
    return found, (subject.cpu() - before) / (found.rate * seconds) * 1e6


def _line(name: str, target: float | None, rounds: list[tuple[Figures, Figures]]) -> str:
    ratio = statistics.median(ours.rate / bare.rate for bare, ours in rounds)
    bare, ours = (median([one[side] for one in rounds]) for side in (0, 1))
    flaw = f" ({ours.bad} not 2xx)" if ours.bad else ""
    wanted = "" if target is None else f"{target:.2f}"
    return f"| {name} | **{ratio:.2f}** | {wanted} | {bare.latencies} | {ours.latencies} | {ours.rate:.0f}{flaw} |"
