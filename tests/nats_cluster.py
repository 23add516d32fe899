"""Three nats-servers as one cluster on this machine, which can be killed, frozen and cut off from each other.

Every route between two nodes goes through a proxy of ours, so that a partition needs no rights: the proxy simply stops
carrying bytes, as a network does that drops packets.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

from jetstream.endpoint import Endpoint
from jetstream.server import binary
from tests.ports import free_port
from tests.proxy import Proxy
from tests.server_process import dying

_SIZE = 3
_PASSWORD = "chaos"
_READY_WITHIN = 180.0
_CONFIG = """\
server_name: "n{number}"
listen: "127.0.0.1:{client}"
http: "127.0.0.1:{monitor}"
log_file: "{directory}/n{number}.log"
max_payload: 8MB
authorization {{ user: octonet, password: "{password}" }}
jetstream {{
  store_dir: "{directory}/n{number}"
  sync_interval: always
  strict: true
  max_buffered_msgs: 50000
}}
cluster {{
  name: octonet
  listen: "127.0.0.1:{cluster}"
  # Nodes tell each other where they are, and connect to that: nobody is there, so that the proxies are the only ways.
  advertise: "127.0.0.1:1"
  no_advertise: true
  connect_retries: 1000
  pool_size: -1
  routes: [{routes}]
}}
"""


class NatsCluster:
    """Three nodes, numbered from 0, over one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ports = [[free_port() for _ in range(3)] for _ in range(_SIZE)]
        self._routes: dict[tuple[int, int], Proxy] = {}
        self._nodes: list[subprocess.Popen[bytes] | None] = [None] * _SIZE

    @property
    def endpoint(self) -> Endpoint:
        """All nodes, for a client that changes between them."""
        urls = (f"nats://127.0.0.1:{client}" for client, _, _ in self._ports)
        return Endpoint(",".join(urls), "octonet", _PASSWORD)

    @property
    def ports(self) -> list[int]:
        """Where each node listens to clients."""
        return [client for client, _, _ in self._ports]

    @property
    def monitors(self) -> str:
        """Where the nodes are monitored, as NATS_MONITOR_URLS has it."""
        return ",".join(f"http://127.0.0.1:{monitor}" for _, monitor, _ in self._ports)

    def store(self, number: int) -> Path:
        """Where one node keeps its copies."""
        return self._directory / f"n{number}"

    def environment(self, ports: Sequence[int]) -> dict[str, str]:
        """How an Octonet process is told of it, which reaches the nodes at these ports."""
        return {
            "NATS_URL": ",".join(f"nats://127.0.0.1:{port}" for port in ports),
            "NATS_USER": self.endpoint.user,
            "NATS_PASSWORD": _PASSWORD,
            "OCTONET_NATS_REPLICAS": str(_SIZE),
        }

    async def start(self) -> None:
        """Start every node and wait until the cluster can hold streams."""
        self._directory.mkdir(parents=True, exist_ok=True)
        for one, other in permutations(range(_SIZE), 2):
            route = self._routes[one, other] = Proxy(self._ports[other][2])
            await route.open()
        for number in range(_SIZE):
            self.start_node(number)
        await self.healthy()

    async def healthy(self) -> None:
        """Wait until every node is whole again."""
        async with asyncio.timeout(_READY_WITHIN):
            while not all([await self._healthy(number) for number in range(_SIZE)]):
                for number, node in enumerate(self._nodes):
                    assert node is None or node.poll() is None, self._ended(number, node.returncode)
                await asyncio.sleep(0.1)

    def start_node(self, number: int) -> None:
        """Start one node, again after a kill."""
        client, monitor, cluster = self._ports[number]
        routes = ", ".join(
            f'"nats://127.0.0.1:{route.port}"' for (one, _), route in self._routes.items() if one == number
        )
        config = self._directory / f"n{number}.conf"
        config.write_text(
            _CONFIG.format(
                number=number,
                client=client,
                monitor=monitor,
                cluster=cluster,
                directory=self._directory,
                password=_PASSWORD,
                routes=routes,
            )
        )
        self._nodes[number] = subprocess.Popen(
            [*dying(), binary(), "-c", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def send(self, number: int, sign: signal.Signals) -> None:
        """Signal one node."""
        node = self._nodes[number]
        assert node is not None
        os.kill(node.pid, sign)
        if sign is signal.SIGKILL:
            node.wait()

    def stop_node(self, number: int) -> None:
        """End one node in good order."""
        node = self._nodes[number]
        assert node is not None
        node.terminate()
        node.wait(30)

    def isolate(self, number: int) -> None:
        """Cut one node off from the others; its clients still reach it."""
        for pair, route in self._routes.items():
            if number in pair:
                route.cut()

    def heal(self) -> None:
        """Every node reaches every other again."""
        for route in self._routes.values():
            route.heal()

    async def stop(self) -> None:
        """End everything."""
        for node in self._nodes:
            if node is not None and node.poll() is None:
                os.kill(node.pid, signal.SIGCONT)
                node.kill()
                node.wait()
        for route in self._routes.values():
            await route.close()

    def _ended(self, number: int, code: int) -> str:
        log = self._directory / f"n{number}.log"
        told = log.read_text()[-3000:] if log.exists() else "nothing"
        return f"node {number} ended with {code}, and said at last:\n{told}"

    async def _healthy(self, number: int) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._ports[number][1])
            writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
            told = await reader.read()
            writer.close()
        except OSError:
            return False
        return b'"ok"' in told
