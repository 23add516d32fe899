"""What is wrong with a copy of a stream."""

from __future__ import annotations

import msgspec

from octonet.kernel.ids import ProjectName


class Damage(msgspec.Struct, frozen=True):
    """The copy of `stream` on `server` is not whole, for the `reason`, a sentence; `stream` and `project` are empty
    when it is the server that is missing."""

    project: ProjectName
    stream: str
    server: str
    reason: str
