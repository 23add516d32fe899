"""What all projects of a process share."""

from __future__ import annotations

import msgspec

from jetstream.connection import Connection
from jetstream.owners import Owners
from jetstream.topology import StreamLimits
from octonet.access.notary import Notary
from octonet.access.sealing import derived, project_key
from octonet.config import Settings
from octonet.data_directory import DataDirectory
from octonet.kernel.ids import ProjectName, is_private, is_sandbox
from octonet.kernel.trace import Trace
from octonet.serving.worker import Worker
from octonet.sources import SourcesByProject


class Surroundings(msgspec.Struct, frozen=True):
    """The process that a project is served in."""

    settings: Settings
    client: Connection
    process: str
    """The process's name among all."""
    owners: Owners
    worker: Worker | None
    """None in a process that only serves doors."""
    migrates: bool
    """Whether tables are made to fit here; else they are awaited."""
    sources: SourcesByProject
    """Replicas that the queries of projects may be answered from."""
    trace: Trace | None = None


def limits(settings: Settings, project: ProjectName) -> StreamLimits:
    """How large streams of a project may be: on a server of our own all share what it may store."""
    # Who may do what must be writable when a project is full: that is how somebody sees to it.
    quota = 0 if is_private(project) else settings.quota
    found = StreamLimits(replicas=settings.nats_replicas, quota=quota)
    found = found if settings.nats_url else found.within(settings.nats_max_store)
    return found.small() if is_private(project) or is_sandbox(project) else found


def notary(settings: Settings, project: ProjectName) -> Notary:
    """Who signs for a project's log."""
    return Notary(project, derived(project_key(DataDirectory(settings.data_dir).keys, project), "notary"))
