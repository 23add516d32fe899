"""`make bench`: measures, prints and writes `benchmarks/results.md`. `--quick` takes a third of the time."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sqlite3
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import subjects
from benchmarks.bus import bus
from benchmarks.deployments import databases, deployments
from benchmarks.doors import doors
from benchmarks.fanout import CLIENTS, CREATES, FanOut, fan_out
from benchmarks.flight import ROWS as ROWS_FLOWN
from benchmarks.flight import flights
from benchmarks.hanging import hanging
from benchmarks.keys import cost_of_keys
from benchmarks.load import ROWS, SCENARIOS, Figures, fill, median, run
from benchmarks.rebuild import ROWS as ROWS_REBUILT
from benchmarks.rebuild import rebuild
from benchmarks.revocation import revocation
from benchmarks.startup import parts
from benchmarks.takeover import takeover

CONNECTIONS = (1, 32, 128)
TARGETS = {
    ("create", 128): 0.45,
    ("create", 32): 0.35,
    ("update", 128): 0.40,
    ("get", 128): 0.60,
    ("list", 128): 0.40,
}


def main() -> None:
    """Everything, once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two-second runs")
    parser.add_argument("--only", choices=(*SCENARIOS, *PARTS), help="one scenario or part, nothing is written")
    parser.add_argument("--door", default="", metavar="NAME", help="only the doors whose name begins so")
    parser.add_argument(
        "--rows", type=int, default=0, metavar="N", help="of a rebuild, or with `--only flights` of those"
    )
    chosen = parser.parse_args()
    # Installed packages have their bytecode; whoever runs from a checkout must be let write it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    lines: list[str] = []

    def say(line: str = "") -> None:
        print(line, flush=True)
        lines.append(line)

    with tempfile.TemporaryDirectory() as directory:
        seconds = 2 if chosen.quick else 5
        if chosen.door:
            doors(Path(directory), say, seconds, chosen.door)
        elif chosen.rows and chosen.only == "flights":
            flights(Path(directory) / "flights", say, chosen.rows, seconds)
        elif chosen.rows:
            rebuild(Path(directory), say, chosen.rows)
        else:
            measure(Path(directory), say, seconds, chosen.only)
    if chosen.only is None and not chosen.door and not chosen.rows:
        (Path(__file__).parent / "results.md").write_text("\n".join(lines) + "\n")


def measure(directory: Path, say: Callable[[str], None], seconds: int, only: str | None) -> None:
    """Start the servers, load them in turn, say what came out."""
    if only in PARTS:
        PARTS[only](directory, say, seconds)
        return
    say("# Benchmarks")
    say("")
    say(
        f"Load by {'wrk' if shutil.which('wrk') else 'an own asyncio loader'}; medians of three interleaved runs of "
        f"{seconds} s; all servers, nats-server and the loader share one machine. Ratios are against bare aiohttp in "
        "the same round. Octonet: one process, SQLite, embedded nats-server with `sync_interval: always`."
    )
    say("")
    servers = [subjects.bare(), subjects.octonet(directory), subjects.direct(directory)]
    try:
        asyncio.run(fill(servers[1].url))
        _fill_direct(directory / "direct.db")
        say(
            "| scenario | connections | octonet : bare | target | octonet : direct | bare p50/p99 ms | octonet p50/p99 "
            "ms | direct p50/p99 ms | octonet req/s |"
        )
        say("|---|---|---|---|---|---|---|---|---|")
        for scenario in (only,) if only else SCENARIOS:
            for connections in CONNECTIONS:
                _row(say, servers, scenario, connections, seconds)
        say("")
        say(f"RSS of octonet after this: {servers[1].rss():.0f} MB (target: at most 150)")
    finally:
        for server in servers:
            server.stop()
    if only is None:
        for part in PARTS.values():
            part(directory, say, seconds)


def _row(
    say: Callable[[str], None], servers: list[subjects.Subject], scenario: str, connections: int, seconds: int
) -> None:
    rounds: list[list[Figures]] = []
    for _ in range(3):
        rounds.append([run(server.url, scenario, connections, seconds) for server in servers])
    bare, octonet, direct = (median([one[i] for one in rounds]) for i in range(3))
    ratio = statistics.median(one[1].rate / one[0].rate for one in rounds)
    against = statistics.median(one[1].rate / one[2].rate for one in rounds)
    target = f"{TARGETS[scenario, connections]:.2f}" if (scenario, connections) in TARGETS else ""
    if scenario == "create" and connections == 1:
        target = f"p50 {octonet.p50 / bare.p50:.1f}× of at most 10×"
    flaw = f" ({octonet.bad} not 2xx)" if octonet.bad else ""
    say(
        f"| {scenario} | {connections} | **{ratio:.2f}** | {target} | {against:.1f}× | {bare.latencies} "
        f"| {octonet.latencies} | {direct.latencies} | {octonet.rate:.0f}{flaw} |"
    )


def _fan_out(directory: Path, say: Callable[[str], None]) -> None:
    found: dict[str, list[FanOut]] = {"octonet": [], "plain": []}
    for number in range(3):
        plain = subjects.broadcaster()
        found["plain"].append(asyncio.run(fan_out(plain)))
        plain.stop()
        octonet = subjects.octonet(directory / f"fan{number}")
        found["octonet"].append(asyncio.run(fan_out(octonet)))
        octonet.stop()
    pairs = zip(found["octonet"], found["plain"], strict=True)
    ratio = statistics.median(ours.per_cpu_second / theirs.per_cpu_second for ours, theirs in pairs)
    say("")
    say(
        f"Fan-out of {CREATES} creates to {CLIENTS} SSE clients, deliveries per CPU second of the server: octonet "
        f"{statistics.median(f.per_cpu_second for f in found['octonet']):.0f}, plain broadcaster "
        f"{statistics.median(f.per_cpu_second for f in found['plain']):.0f}, ratio **{ratio:.1f}** (target: 3)"
    )


def _startup(directory: Path, say: Callable[[str], None]) -> None:
    ready, alone = [], []
    subjects.octonet(directory / "start").stop()
    for number in range(5):
        alone.append(parts())
        octonet = subjects.octonet(directory / f"start{number}")
        ready.append(octonet.ready_after)
        octonet.stop()
    ratio = statistics.median(ours / theirs for ours, theirs in zip(ready, alone, strict=True))
    say("")
    say(
        f"Start to ready: {statistics.median(ready):.2f} s; importing aiohttp and SQLAlchemy and starting nats-server "
        f"take {statistics.median(alone):.2f} s; ratio **{ratio:.2f}** (target: at most 1.5)"
    )


def _fill_direct(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.executemany(
            "INSERT INTO items(id, name, price, category, stock, active, made) VALUES(?, 'bolt', 2.5, 'metal', 3, 1, "
            "'2026-01-02T03:04:05.000Z')",
            [(f"i{number:05}",) for number in range(ROWS)],
        )
    database.close()


PARTS: dict[str, Callable[[Path, Callable[[str], None], int], None]] = {
    "doors": doors,
    "bus": bus,
    "deployments": deployments,
    "databases": databases,
    "keys": cost_of_keys,
    "revocation": lambda directory, say, seconds: revocation(directory / "revocation", say),
    "takeover": lambda directory, say, seconds: takeover(directory, say),
    "rebuild": lambda directory, say, seconds: rebuild(directory / "rebuild", say, ROWS_REBUILT),
    "flights": lambda directory, say, seconds: flights(directory / "flights", say, ROWS_FLOWN, seconds),
    "hanging": lambda directory, say, seconds: hanging(directory, say, 12 * seconds),
    "fan-out": lambda directory, say, seconds: _fan_out(directory, say),
    "start": lambda directory, say, seconds: _startup(directory, say),
}
"""What is measured beside the scenarios."""


if __name__ == "__main__":
    main()
