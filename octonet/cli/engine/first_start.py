"""What every installation begins with is made as soon as that can be done, beside all other work."""

from __future__ import annotations

import asyncio
import logging

from octonet.access.gate import OPEN
from octonet.app import Node
from octonet.kernel.errors import OctonetError
from octonet.kernel.ids import SYSTEM_PROJECT

log = logging.getLogger("octonet.access")

_LOOK = 0.1
_PAUSE = 2.0


async def first_start(node: Node) -> None:
    """Wait for the system project's lane, then make what is missing; tell the key that everybody may read with."""
    if node.identity is None or node.identity.gate is OPEN:
        return
    while SYSTEM_PROJECT in node.unowned():
        await asyncio.sleep(_LOOK)
    while True:
        try:
            public = await node.identity.bootstrap(node.gateway)
        except OctonetError as problem:
            log.warning("the permissions of the system project are seen to later: %s", problem)
            await asyncio.sleep(_PAUSE)
        else:
            break
    if public is not None:
        # To the operator's terminal: a log keeps what it is told.
        print(f"A key that may read the default project, shown this once:  {public}", flush=True)
