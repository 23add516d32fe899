"""The only place that spells a subject or names a stream."""

from __future__ import annotations

from typing import Final

from octonet.kernel.event import Event, Fact
from octonet.kernel.ids import DEFAULT_PROJECT, ProjectName, is_private

LEASES: Final = "OCTO_LEASES"
LEASE_SUBJECTS: Final = "octo.lease.*"
WORKERS: Final = "OCTO_WORKERS"
WORKER_SUBJECTS: Final = "octo.worker.*"
RATES: Final = "OCTO_RATES"
RATE_SUBJECTS: Final = "octo.rate.*.*"
FACTS: Final = "mostajs.>"


def commands_stream(project: ProjectName) -> str:
    """The stream that holds a project's frames of commands."""
    return f"OCTO_CMD_{project}"


def commands(project: ProjectName) -> str:
    """Where frames of commands are published."""
    return f"octo.cmd.{project}"


def log_stream(project: ProjectName) -> str:
    """The stream that holds a project's log."""
    return f"OCTO_LOG_{project}"


def log(project: ProjectName) -> str:
    """Where log entries are appended: outside ``mostajs.``, closed to tenants."""
    return f"octo.log.{project}"


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


def lease(project: ProjectName) -> str:
    """Where the lease of a project's lane is kept."""
    return f"octo.lease.{project}"


def leased(subject: str) -> ProjectName:
    """The project whose lease is kept at this subject."""
    return ProjectName(subject.removeprefix("octo.lease."))


def worker(name: str) -> str:
    """Where a worker says that it lives."""
    return f"octo.worker.{name}"


def rate(key: str, second: int) -> str:
    """Where it is counted how often a key is used in a second."""
    return f"octo.rate.{key}.{second}"


def replies(process: str) -> str:
    """Where one process listens for the outcomes of the commands it published."""
    return f"octo.reply.{process}"
