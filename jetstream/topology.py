"""Every stream as data, ensured idempotently."""

from __future__ import annotations

import msgspec
from nats.aio.client import Client

from jetstream import subjects
from jetstream.api import NO_SUCH_STREAM, ApiError, Config, call
from octonet.kernel.errors import Unavailable
from octonet.kernel.ids import ProjectName

_SECOND = 1_000_000_000
_DAY = 86_400 * _SECOND
_MIB = 1024**2

LEASE_TTL = 4.0
"""Seconds a lease lives without renewal."""


class StreamLimits(msgspec.Struct, frozen=True):
    """What an operator may set per installation."""

    replicas: int = 1
    commands_max_bytes: int = 256 * _MIB
    commands_max_age_days: float = 7.0


def lease_stream(limits: StreamLimits) -> Config:
    """One message per project, which dies with its owner. On file: a memory stream is gone when a lone server
    restarts."""
    return {
        "name": subjects.LEASES,
        "subjects": [subjects.LEASE_SUBJECTS],
        "storage": "file",
        "num_replicas": limits.replicas,
        "max_msgs_per_subject": 1,
        "max_age": int(LEASE_TTL * _SECOND),
        "discard": "old",
        "allow_direct": False,
    }


def project_streams(project: ProjectName, limits: StreamLimits) -> list[Config]:
    """The three streams of a project: commands, log, facts."""
    return [
        {
            "name": subjects.commands_stream(project),
            "subjects": [subjects.commands(project)],
            "storage": "file",
            "num_replicas": limits.replicas,
            "retention": "limits",
            "max_age": int(limits.commands_max_age_days * _DAY),
            "max_bytes": limits.commands_max_bytes,
            # A full stream refuses new commands of this project; it never drops old ones undecided.
            "discard": "new",
            "duplicate_window": 120 * _SECOND,
        },
        {
            "name": subjects.log_stream(project),
            "subjects": [subjects.log(project)],
            "storage": "file",
            "num_replicas": limits.replicas,
            "retention": "limits",
            "discard": "new",
            "deny_delete": True,
            "deny_purge": True,
            "compression": "s2",
            "duplicate_window": 120 * _SECOND,
        },
        {
            "name": subjects.feed_stream(project),
            "subjects": subjects.feed_subjects(project),
            "storage": "file",
            "num_replicas": limits.replicas,
            "retention": "limits",
            "discard": "new",
            "allow_atomic": True,
            "compression": "s2",
            "duplicate_window": 120 * _SECOND,
        },
    ]


async def ensure(client: Client, config: Config) -> None:
    """Make the stream, or bring its settings in line. Raises `Unavailable` with a sentence when the server will not."""
    name = config["name"]
    try:
        try:
            await call(client, f"STREAM.INFO.{name}")
        except ApiError as problem:
            if problem.code != NO_SUCH_STREAM:
                raise
            await call(client, f"STREAM.CREATE.{name}", config)
        else:
            await call(client, f"STREAM.UPDATE.{name}", config)
    except ApiError as problem:
        raise Unavailable(f"the stream {name} cannot be set up: {problem}", code="NATS_UNSUITABLE") from problem


async def ensure_project(client: Client, project: ProjectName, limits: StreamLimits) -> None:
    """Everything one project needs."""
    await ensure(client, lease_stream(limits))
    for config in project_streams(project, limits):
        await ensure(client, config)
