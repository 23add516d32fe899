"""Two projects that both are written to, and a rule between them: they become alike, and nothing travels twice.

OCTONET_RULES_SECONDS: for how long they are written to, 12 by default.
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from tests.acceptance.rule_stage import Stage

_SECONDS = float(os.environ.get("OCTONET_RULES_SECONDS", "12"))


@pytest.mark.parametrize("resolution", ["timestamp", "source-wins"])
async def test_conflicting_writes_converge_while_workers_die_and_no_fact_travels_twice(
    tmp_path: Path, resolution: str
) -> None:
    stage = Stage(tmp_path)
    seconds = _SECONDS if resolution == "timestamp" else _SECONDS / 2
    seed = random.randrange(1 << 30)
    try:
        await stage.start(resolution)
        trouble = asyncio.create_task(stage.trouble(seconds, random.Random(seed)))
        await stage.write(seconds, seed)
        times = await trouble
        rows = await stage.converged()
        carried, back, refused = await stage.travels()
        told = f"seed {seed}: {stage.written} writes, {sum(carried.values())} carried, {times} faults, {dict(refused)}"
        print(told)
        assert rows["Doc"].rows > 0, told
        assert sum(carried.values()) > 20, told
        assert [state for state, count in carried.items() if count > 1] == [], told
        assert back == 0, told
    finally:
        await stage.remove()
