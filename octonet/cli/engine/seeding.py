"""Loading a file on the first start only."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from octonet.app import Node
from octonet.cli.engine.loading import Loader
from octonet.config import Settings
from octonet.kernel.ids import DEFAULT_PROJECT


async def seed(node: Node, settings: Settings, entity: str, file: str) -> None:
    """Load the file unless it was loaded whole before. A load that was cut off goes on: ids tell what is there."""
    marks = Path(settings.data_dir) / "seeded.json"
    done: dict[str, int] = msgspec.json.decode(marks.read_bytes(), type=dict[str, int]) if marks.exists() else {}
    key = f"{entity}={Path(file).name}"
    if key in done:
        return
    tally = await Loader(node, DEFAULT_PROJECT, entity).load(Path(file))
    print(f"  {entity}: {tally.created} rows loaded from {file}", flush=True)
    if not tally.rejected:
        done[key] = tally.created + tally.present
        fresh = marks.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(done))
        os.replace(fresh, marks)
