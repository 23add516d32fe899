"""Load on one server: wrk where it is installed, else asyncio clients of our own (named in the report)."""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiohttp

BODY = '{"name":"bolt","category":"metal","price":2.5,"stock":3,"active":true,"made":"2026-01-02T03:04:05Z"}'
ROWS = 5000

_LUA = {
    "create": f"""wrk.method='POST'; wrk.path='/api/v1/Item'; wrk.body='{BODY}'
wrk.headers['Content-Type']='application/json'""",
    "update": """math.randomseed(os.time()); wrk.headers['Content-Type']='application/json'
function request()
  return wrk.format('PUT', string.format('/api/v1/Item/i%05d', math.random(0, ROWS - 1)), nil,
    '{"name":"nut","price":' .. math.random(1, 100000) .. '}')
end""",
    "get": """math.randomseed(os.time())
function request() return wrk.format('GET', string.format('/api/v1/Item/i%05d', math.random(0, ROWS - 1))) end""",
    "list": "wrk.method='GET'; wrk.path='/api/v1/Item?limit=20'",
}
SCENARIOS = tuple(_LUA)


@dataclass(frozen=True)
class Figures:
    """One measurement: requests a second, latencies in milliseconds, replies that were not 2xx."""

    rate: float
    p50: float
    p99: float
    bad: int

    @property
    def latencies(self) -> str:
        """Both latencies, as they are reported."""
        return f"{self.p50:.2f} / {self.p99:.1f}"


def median(found: Sequence[Figures]) -> Figures:
    """The middle of several measurements."""
    return Figures(
        statistics.median(one.rate for one in found),
        statistics.median(one.p50 for one in found),
        statistics.median(one.p99 for one in found),
        sum(one.bad for one in found),
    )


ROW = "i-of-any-row"
"""Stands in an `Ask` for the id of any row."""


@dataclass(frozen=True)
class Ask:
    """One request, sent again and again."""

    method: str
    path: str
    body: str = ""
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)

    def script(self) -> str:
        """For wrk. What is always the same is made once, as in the scenarios that it is held against."""
        headers = "; ".join(f"wrk.headers[{_lua(name)}]={_lua(value)}" for name, value in self.headers)
        if ROW not in self.path + self.body:
            return f"""{headers}
wrk.method={_lua(self.method)}; wrk.path={_lua(self.path)}; wrk.body={_lua(self.body)}"""
        return f"""math.randomseed(os.time()); {headers}
local path, body, row = {_lua(self.path)}, {_lua(self.body)}, {_lua(ROW.replace("-", "%-"))}
function request()
  local id = string.format('i%05d', math.random(0, {ROWS - 1}))
  return wrk.format({_lua(self.method)}, (string.gsub(path, row, id)), nil, (string.gsub(body, row, id)))
end"""

    def request(self) -> tuple[str, str, str | None]:
        """Method, path and body, of a row taken by chance."""
        id = f"i{random.randrange(ROWS):05}"
        return self.method, self.path.replace(ROW, id), self.body.replace(ROW, id) or None


_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def _lua(text: str) -> str:
    return f'"{text.translate(_ESCAPED)}"'


def run_ask(url: str, ask: Ask, connections: int, seconds: int) -> Figures:
    """Load `url` with one request."""
    wrk = shutil.which("wrk")
    if wrk:
        return _wrk(wrk, url, ask.script(), connections, seconds, "")
    return asyncio.run(_own(url, ask.request, connections, seconds, dict(ask.headers)))


def run(url: str, scenario: str, connections: int, seconds: int, key: str = "") -> Figures:
    """Load `url` with one scenario, showing an API key."""
    wrk = shutil.which("wrk")
    if wrk:
        return _wrk(wrk, url, _LUA[scenario].replace("ROWS", str(ROWS)), connections, seconds, key)
    headers = {"Content-Type": "application/json", **({"X-API-Key": key} if key else {})}
    return asyncio.run(_own(url, lambda: _request(scenario), connections, seconds, headers))


def _wrk(wrk: str, url: str, lua: str, connections: int, seconds: int, key: str) -> Figures:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(lua)
        if key:
            script.write(f"\nwrk.headers['X-API-Key']='{key}'")
        script.flush()
        printed = subprocess.run(
            [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script.name, url],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", printed)[1])  # type: ignore[index]
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", printed)
    return Figures(rate, _latency(printed, "50%"), _latency(printed, "99%"), int(bad[1]) if bad else 0)


def _latency(printed: str, which: str) -> float:
    found = re.search(rf"{which}\s+([\d.]+)(us|ms|s)", printed)
    assert found is not None, printed
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000}[found[2]]


async def _own(
    url: str,
    request: Callable[[], tuple[str, str, str | None]],
    connections: int,
    seconds: int,
    headers: dict[str, str],
) -> Figures:
    latencies: list[float] = []
    bad = 0
    end = time.perf_counter() + seconds

    async def client(session: aiohttp.ClientSession) -> None:
        nonlocal bad
        while (began := time.perf_counter()) < end:
            method, path, body = request()
            async with session.request(method, url + path, data=body, headers=headers) as response:
                await response.read()
                bad += response.status >= 300
            latencies.append((time.perf_counter() - began) * 1000)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(client(session) for _ in range(connections)))
    quantiles = statistics.quantiles(latencies, n=100)
    return Figures(len(latencies) / seconds, quantiles[49], quantiles[98], bad)


def _request(scenario: str) -> tuple[str, str, str | None]:
    one = f"/api/v1/Item/i{random.randrange(ROWS):05}"
    return {
        "create": ("POST", "/api/v1/Item", BODY),
        "update": ("PUT", one, f'{{"name":"nut","price":{random.randrange(100000)}}}'),
        "get": ("GET", one, None),
        "list": ("GET", "/api/v1/Item?limit=20", None),
    }[scenario]


async def fill(url: str, key: str = "") -> None:
    """The rows that reads and updates ask for. The direct design makes its own ids, so it is filled there by hand."""
    async with aiohttp.ClientSession(headers={"X-API-Key": key} if key else None) as session:
        room = asyncio.Semaphore(64)

        async def one(number: int) -> None:
            body = f'{{"id":"i{number:05}",' + BODY[1:]
            headers = {"Content-Type": "application/json"}
            async with room, session.post(url + "/api/v1/Item", data=body, headers=headers) as response:
                assert response.status == 201, await response.text()

        await asyncio.gather(*(one(number) for number in range(ROWS)))
