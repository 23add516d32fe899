"""Every stream as data, ensured idempotently."""

from __future__ import annotations

import asyncio

import msgspec

from jetstream import subjects
from jetstream.api import NO_LEADER, NO_PEERS, NO_SUCH_STREAM, ApiError, Config, NoAnswer, call
from jetstream.connection import Connection
from jetstream.log_streams import LogStreams
from octonet.kernel.errors import Unavailable
from octonet.kernel.ids import ProjectName

_SECOND = 1_000_000_000
_DAY = 86_400 * _SECOND
_MIB = 1024**2

_CHOOSING = 30.0
"""Seconds that a cluster may take to choose its leaders."""
_PAUSE = 0.5

LEASE_TTL = 4.0
"""Seconds a lease lives without renewal."""
RESTORING = "octonet-restoring"
"""Stands in the metadata of a log's stream while it is filled from a backup."""
ENVELOPING = 1024
"""Bytes of a message that headers may take: bodies leave them free."""

_FEED_OVER_LOG = 4
"""How much larger a feed may be than its log, which must be full first: a fact of its own has headers of its own."""


class StreamLimits(msgspec.Struct, frozen=True):
    """What an operator may set per installation."""

    replicas: int = 1
    commands_max_bytes: int = 256 * _MIB
    commands_max_age_days: float = 7.0
    dead_letters_max_bytes: int = 16 * _MIB
    dead_letters_max_age_days: float = 30.0
    quota: int = 0
    """Bytes the log may hold; 0: as many as the server may store. The server sets them aside."""
    largest_message: int = 8 * _MIB
    """Bytes the server lets one message have, headers included."""

    def small(self) -> StreamLimits:
        """The same, for a project that few write to: what streams may hold is set aside for them, and there may be a
        thousand such projects."""
        return msgspec.structs.replace(self, commands_max_bytes=min(self.commands_max_bytes, 16 * _MIB))

    def within(self, store: int) -> StreamLimits:
        """The same limits, for a server that may store this many bytes in all (0: as many as it likes): what streams
        reserve must leave the log its room."""
        if not store:
            return self
        commands = min(self.commands_max_bytes, max(store // 16, 16 * _MIB))
        return msgspec.structs.replace(self, commands_max_bytes=commands)


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


def worker_stream(limits: StreamLimits) -> Config:
    """One message per worker that lives."""
    return {**lease_stream(limits), "name": subjects.WORKERS, "subjects": [subjects.WORKER_SUBJECTS]}


def rate_stream(limits: StreamLimits) -> Config:
    """One number per key and second, which nobody asks for when the second is over. In memory: it is written often, and
    a broker that restarts comes back in another second."""
    return {
        "name": subjects.RATES,
        "subjects": [subjects.RATE_SUBJECTS],
        "storage": "memory",
        "num_replicas": limits.replicas,
        "allow_msg_counter": True,
        "max_msgs_per_subject": 1,
        "max_age": 5 * _SECOND,
        "duplicate_window": _SECOND,
        "discard": "old",
    }


def project_streams(project: ProjectName, limits: StreamLimits) -> list[Config]:
    """The four streams of a project: commands, log, facts, dead letters.

    None is compressed: a node of a cluster that was killed cuts its copy back to what it had applied, and 2.15.1 cannot
    cut a compressed block ("smb.truncate: … s2: corrupt input"); that copy then never comes back.
    """
    return [
        {
            "name": subjects.commands_stream(project),
            "subjects": [subjects.commands(project)],
            "storage": "file",
            "num_replicas": limits.replicas,
            "retention": "limits",
            "max_age": int(limits.commands_max_age_days * _DAY),
            "max_bytes": limits.commands_max_bytes,
            # Whatever a lane may have to put aside fits a dead letter, headers and all.
            "max_msg_size": limits.largest_message - ENVELOPING,
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
            "max_bytes": limits.quota or -1,
            "discard": "new",
            "deny_delete": True,
            "deny_purge": True,
            "duplicate_window": 120 * _SECOND,
        },
        {
            "name": subjects.feed_stream(project),
            "subjects": subjects.feed_subjects(project),
            "storage": "file",
            "num_replicas": limits.replicas,
            "retention": "limits",
            "max_bytes": limits.quota * _FEED_OVER_LOG or -1,
            "discard": "new",
            "allow_atomic": True,
            "duplicate_window": 120 * _SECOND,
        },
        dead_letters_stream(project, limits),
    ]


def dead_letters_stream(project: ProjectName, limits: StreamLimits) -> Config:
    """What cannot be read is put aside, the oldest letters making room for new ones: it is never full."""
    return {
        "name": subjects.dead_letters_stream(project),
        "subjects": [subjects.dead_letters(project)],
        "storage": "file",
        "num_replicas": limits.replicas,
        "retention": "limits",
        "max_age": int(limits.dead_letters_max_age_days * _DAY),
        "max_bytes": max(limits.dead_letters_max_bytes, 2 * limits.largest_message),
        "discard": "old",
        "duplicate_window": 120 * _SECOND,
    }


class _Config(msgspec.Struct, frozen=True):
    metadata: dict[str, str] = {}


class _Info(msgspec.Struct, frozen=True):
    config: _Config = _Config()


_info = msgspec.json.Decoder(_Info)


async def ensure(client: Connection, config: Config) -> None:
    """Make the stream, or bring its settings in line; a cluster that is coming together is waited for. Raises
    `Unavailable` with a sentence when the server will not, or when the stream is being filled from a backup."""
    until = asyncio.get_running_loop().time() + _CHOOSING
    while True:
        over = asyncio.get_running_loop().time() > until
        try:
            await _ensure(client, config)
            return
        except NoAnswer:
            if over:
                raise
        except ApiError as problem:
            if over or problem.code not in (NO_LEADER, NO_PEERS):
                sentence = f"the stream {config['name']} cannot be set up: {problem}"
                raise Unavailable(sentence, code="NATS_UNSUITABLE") from problem
        await asyncio.sleep(_PAUSE)


async def _ensure(client: Connection, config: Config) -> None:
    name = config["name"]
    try:
        info = _info.decode(await call(client, f"STREAM.INFO.{name}"))
    except ApiError as problem:
        if problem.code != NO_SUCH_STREAM:
            raise
        await call(client, f"STREAM.CREATE.{name}", config)
        return
    if RESTORING in info.config.metadata:
        raise Unavailable(
            f"the stream {name} is being restored, or its restore was broken off: finish it with `octonet restore "
            "--resume` and the same backup",
            code="RESTORE_UNFINISHED",
        )
    await call(client, f"STREAM.UPDATE.{name}", config)


async def ensure_shared(client: Connection, limits: StreamLimits) -> None:
    """What all projects share: who works, who owns what, and how often keys are used."""
    await ensure(client, lease_stream(limits))
    await ensure(client, worker_stream(limits))
    await ensure(client, rate_stream(limits))


async def ensure_project(client: Connection, project: ProjectName, limits: StreamLimits) -> None:
    """Everything one project needs of its own. Of a log the newest stream is brought in line: closed ones stay as they
    are, and what begins where the last of them ends is made by whoever owns the lane."""
    limits = msgspec.structs.replace(limits, largest_message=client.max_payload)
    for config in project_streams(project, limits):
        if not subjects.is_log(str(config["name"])):
            await ensure(client, config)
            continue
        streams = LogStreams(client, project)
        if await streams.look() is not None or not streams.closed:
            more = {"first_seq": streams.begins, "max_bytes": streams.room(limits.quota)} if streams.closed else {}
            await ensure(client, {**config, "name": streams.name, "subjects": [streams.subject], **more})


async def remove_project(client: Connection, project: ProjectName) -> None:
    """Remove what `ensure_project` made, history included. Raises `Unavailable`."""
    streams = LogStreams(client, project)
    await streams.look()
    names = [str(config["name"]) for config in project_streams(project, StreamLimits())]
    # The newest first: what is left of a log when this is broken off is found again from its beginning.
    closed = [one.name for one in reversed(streams.closed)]
    for name in [streams.name, *closed, *(name for name in names if not subjects.is_log(name))]:
        try:
            await call(client, f"STREAM.DELETE.{name}")
        except ApiError as problem:
            if problem.code != NO_SUCH_STREAM:
                raise Unavailable(f"the stream {name} cannot be removed: {problem}") from problem
