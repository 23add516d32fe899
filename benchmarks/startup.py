"""How long the parts of a start take by themselves: the imports, and the nats-server."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

_IMPORTS = "import aiohttp.web, sqlalchemy, sqlalchemy.ext.asyncio"
_NATS = """
import pathlib, sys
from jetstream.server import EmbeddedServer
server = EmbeddedServer(pathlib.Path(sys.argv[1])); server.spawn(); server.wait_ready(); server.stop()
"""


def parts() -> float:
    """Seconds to import aiohttp and SQLAlchemy, then to start a nats-server and stop it."""
    with tempfile.TemporaryDirectory() as directory:
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", _IMPORTS], check=True)
        subprocess.run([sys.executable, "-c", _NATS, str(Path(directory) / "nats")], check=True)
        return time.monotonic() - began
