"""Rendezvous hashing: who goes first for a project, agreed upon by all workers without a word between them."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b

from octonet.kernel.ids import ProjectName


def first(project: ProjectName, workers: Collection[str]) -> str | None:
    """The worker that comes first for this project, None when there is no worker. A worker that joins takes its share
    from all others alike, one that leaves gives its share to all others alike; no other project moves."""
    return max(workers, key=lambda worker: _weight(project, worker), default=None)


def _weight(project: ProjectName, worker: str) -> tuple[bytes, str]:
    # No slug holds a NUL, so that no two pairs are spelled alike; the name decides between equals.
    return blake2b(f"{project}\0{worker}".encode(), digest_size=8).digest(), worker
