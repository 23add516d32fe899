"""Runs Octonet so that it dies in the middle of a rotation: `broken_rotation.py STEP …`.

closing     the log says that it goes on elsewhere, and its stream is not closed
beginning   the stream is closed, and the next one is not made
answering   all is done, and nobody was told
"""

from __future__ import annotations

import os
import signal
import sys

from jetstream.log_streams import LogStreams
from octonet import cli


async def _die(self: LogStreams, last: int = 0) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _break(step: str) -> None:
    if step == "closing":
        LogStreams._close = _die  # type: ignore[method-assign]
        return
    if step == "beginning":
        LogStreams._go_on = _die  # type: ignore[method-assign]
        return
    plain = LogStreams.rotate

    async def rotate(self: LogStreams) -> None:
        await plain(self)
        await _die(self)

    LogStreams.rotate = rotate  # type: ignore[method-assign]


if __name__ == "__main__":
    _break(sys.argv[1])
    sys.exit(cli.main(sys.argv[2:]))
