"""The only place that spells a subject or names a stream."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from octonet.kernel.bus import DISCOVER
from octonet.kernel.event import Event, Fact
from octonet.kernel.ids import DEFAULT_PROJECT, ProjectName, is_private

LEASES: Final = "OCTO_LEASES"
LEASE_SUBJECTS: Final = "octo.lease.*"
WORKERS: Final = "OCTO_WORKERS"
WORKER_SUBJECTS: Final = "octo.worker.*"
RATES: Final = "OCTO_RATES"
RATE_SUBJECTS: Final = "octo.rate.*.*"
REPLICAS: Final = "octo.replica.*"
FACTS: Final = "mostajs.>"
ENTERING: Final = "$SYS.REQ.USER.AUTH"
"""Where nats-server asks whether somebody may enter."""
REQUESTS: Final = "octonet"
"""The queue group of those who answer requests."""
_FROM: Final = "~"


def commands_stream(project: ProjectName) -> str:
    """The stream that holds a project's frames of commands."""
    return f"OCTO_CMD_{project}"


def commands(project: ProjectName) -> str:
    """Where frames of commands are published."""
    return f"octo.cmd.{project}"


def log_stream(project: ProjectName, first: int = 1) -> str:
    """The stream that holds a project's log from this sequence on. No project has such a sign in its name."""
    return f"OCTO_LOG_{project}" if first == 1 else f"OCTO_LOG_{project}{_FROM}{first}"


def log_begins(stream: str) -> int:
    """The first sequence that a stream of a log holds."""
    _, sign, first = stream.partition(_FROM)
    return int(first) if sign else 1


def log(project: ProjectName, first: int = 1) -> str:
    """Where entries are appended to the log's stream that begins with this sequence: outside ``mostajs.``, closed to
    tenants. Each stream has its own: a server of a cluster that was away while one stream took a subject over from
    another refuses the second, and the cluster throws that away, rows and all (2.15.1)."""
    return f"octo.log.{project}" if first == 1 else f"octo.log.{project}.{first}"


def closed_log(project: ProjectName, first: int) -> str:
    """What the stream of a log listens to that is closed: nobody publishes there."""
    return f"octo.closed.{project}.{first}"


def dead_letters_stream(project: ProjectName) -> str:
    """The stream that holds the frames a project's lane could not read."""
    return f"OCTO_DEAD_{project}"


def dead_letters(project: ProjectName) -> str:
    """Every dead letter of a project: outside ``mostajs.``, closed to tenants."""
    return f"octo.dead.{project}.*"


def dead_letter(project: ProjectName, frame: int) -> str:
    """Where the one dead letter about this frame is stored."""
    return f"octo.dead.{project}.{frame}"


def feed_stream(project: ProjectName) -> str:
    """The stream that holds a project's public facts."""
    return f"OCTO_FACTS_{project}"


def is_log(stream: str) -> bool:
    """Whether a stream is a project's log."""
    return stream.startswith("OCTO_LOG_")


def kept_whole(stream: str) -> ProjectName | None:
    """The project whose log, feed or commands a stream holds: nothing may be missing in it. None for any other."""
    for prefix in ("OCTO_LOG_", "OCTO_FACTS_", "OCTO_CMD_"):
        if stream.startswith(prefix):
            return ProjectName(stream.removeprefix(prefix).partition(_FROM)[0])
    return None


def _prefix(project: ProjectName) -> str:
    if is_private(project):
        return f"octo.facts.{project}"
    return "mostajs" if project == DEFAULT_PROJECT else f"mostajs.{project}"


def feed_subjects(project: ProjectName) -> list[str]:
    """The closed list of fact subjects of a project: requests on ``mostajs.<Entity>.<op>`` are never captured."""
    return [f"{_prefix(project)}.*.{fact}" for fact in Fact]


def fact(project: ProjectName, event: Event) -> str:
    """Where one fact is published."""
    return f"{_prefix(project)}.{event.entity}.{event.fact}"


def request(project: str, entity: str, op: str) -> str:
    """Where an operation is asked for, or, with wildcards, several; `project` empty for the default one."""
    return ".".join(part for part in ("mostajs", project, entity, op) if part)


def every_request(operations: Collection[str]) -> list[str]:
    """What everybody's requests for these operations are sent to, and those for what there is. Facts are told on
    subjects of the same shape: so every operation is named."""
    found = [request(project, "*", op) for op in operations for project in ("", "*")]
    return [*found, request("", "", DISCOVER), request("", "*", DISCOVER)]


def asked_for(subject: str) -> tuple[str, str, str]:
    """The project (empty for none), entity (empty for none) and operation that a request's subject names."""
    parts = subject.split(".")
    return (parts[1] if len(parts) > 3 else "", parts[-2] if len(parts) > 2 else "", parts[-1])


def facts_of(project: str, entity: str = "*") -> list[str]:
    """Where the facts about an entity of a project, or of all its entities, are published; `project` may be a
    wildcard."""
    return [f"{_prefix(ProjectName(project))}.{entity}.{fact}" for fact in Fact]


def service(verb: str, *of: str) -> str:
    """Where services are asked about themselves: all, those of a name, the one with an id."""
    return ".".join(("$SRV", verb, *of))


def kick(server: str) -> str:
    """Where a server is told to cut off a client."""
    return f"$SYS.REQ.SERVER.{server}.KICK"


CONNECTIONS: Final = "$SYS.REQ.SERVER.PING.CONNZ"
"""Where every server is asked for its clients."""


def lease(project: ProjectName) -> str:
    """Where the lease of a project's lane is kept."""
    return f"octo.lease.{project}"


def leased(subject: str) -> ProjectName:
    """The project whose lease is kept at this subject."""
    return ProjectName(subject.removeprefix("octo.lease."))


def following(replica: str) -> ProjectName:
    """Whose lease elects the process that follows a replica: no project has such a name."""
    return ProjectName(f"_replica_{replica}")


def carrying(rule: str) -> ProjectName:
    """Whose lease elects the process that carries out a replication rule: no project has such a name."""
    return ProjectName(f"_rule_{rule}")


def replica(id: str) -> str:
    """Where it is told how a replica is."""
    return f"octo.replica.{id}"


def worker(name: str) -> str:
    """Where a worker says that it lives."""
    return f"octo.worker.{name}"


def trials(project: ProjectName, process: str) -> str:
    """Where a process answers what would become of a command: outside every stream."""
    return f"octo.try.{project}.{process}"


def rotation(project: ProjectName, process: str) -> str:
    """Where a process is asked to let a log go on in a new stream: outside every stream."""
    return f"octo.rotate.{project}.{process}"


def rate(key: str, second: int) -> str:
    """Where it is counted how often a key is used in a second."""
    return f"octo.rate.{key}.{second}"


def asked(what: str) -> str:
    """Where every process of an installation is asked about itself."""
    return f"octo.asked.{what}"


def replies(process: str) -> str:
    """Where one process listens for the outcomes of the commands it published."""
    return f"octo.reply.{process}"
