"""`octonet backup`: online, under load, and again into the same directory."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from tqdm import tqdm

from jetstream.connection import Connection, connect
from jetstream.endpoint import Endpoint
from jetstream.log import JetStreamLog
from jetstream.restoration import kept_projects
from octonet import __version__
from octonet.access.sealing import project_key
from octonet.backups import keys
from octonet.backups.manifest import FORMAT, NAME, Backed, Manifest, Proof, Signer, read, write
from octonet.backups.taking import LogTaker, Pace, check_files, clear, with_project
from octonet.backups.vouching import end_of, vouched
from octonet.clock import now
from octonet.config import Settings
from octonet.data_directory import DataDirectory
from octonet.kernel.errors import Conflict, Invalid, NotFound, OctonetError, Unavailable
from octonet.kernel.ids import SYSTEM_PROJECT, ProjectName
from octonet.kernel.instant import iso
from octonet.kernel.log import LogGap
from octonet.kernel.row_hash import row_hashes
from octonet.project_files import EVERY
from octonet.projects_tree import ProjectSettings
from octonet.serving.storage import open_as_it_is
from octonet.serving.stored_projects import known_projects

log = logging.getLogger("octonet.backup")


class BackupWish(msgspec.Struct, frozen=True):
    """What to back up, and where to. `rate` is in bytes of log a second, 0 for as fast as it goes; `prove`: note the
    hashes of all rows, too."""

    to: Path
    projects: Sequence[str] = (EVERY,)
    with_keys: bool = True
    prove: bool = False
    rate: float = 0.0
    quiet: bool = False


async def back_up(settings: Settings, endpoint: Endpoint, wish: BackupWish) -> Manifest:
    """Take a backup, or add to the one that is there what happened since. Raises `OctonetError`."""
    directory = DataDirectory(settings.data_dir).keys
    client = await connect(endpoint, "octonet backup")
    try:
        there = await kept_projects(client)
        names = _chosen(there, wish.projects)
        keys.check_present(directory, names if wish.with_keys else [])
        signer = Signer(project_key(directory, SYSTEM_PROJECT))
        with _held(wish.to):
            before = _earlier(wish.to, signer)
            known = () if before is None else keys.not_erased(before.projects, there, directory)
            if before is None:
                _check_empty(wish.to)
            check_files(wish.to, known)
            backed = await _logs(settings, client, wish, names, known)
            found = keys.put_in(wish.to, directory, [one.project for one in backed]) if wish.with_keys else []
            manifest = Manifest(FORMAT, iso(now()), __version__, signer.key, backed, tuple(found))
            write(wish.to, manifest, signer)
            clear(wish.to, manifest)
            return manifest
    except OSError as problem:
        sentence = f"the backup in {wish.to} cannot be written: {problem.strerror or problem}"
        raise Unavailable(sentence, code="BACKUP_NOT_WRITTEN") from problem
    finally:
        await client.close()


async def _logs(
    settings: Settings, client: Connection, wish: BackupWish, names: Sequence[ProjectName], before: tuple[Backed, ...]
) -> tuple[Backed, ...]:
    logs = {name: JetStreamLog(client, name) for name in names}
    there = {project.name: project for project in await known_projects(settings)}
    proofs = await _proofs(settings, [there[name] for name in names if name in there]) if wish.prove else {}
    # Every place is fixed before the first log is read, and behind every proof.
    ends = {name: await _end(settings, name, there.get(name), found) for name, found in logs.items()}
    known = {one.project: one for one in before}
    pace, backed = Pace(wish.rate), before
    done = sum(known[name].last for name in names if name in known)
    with tqdm(total=max(0, sum(ends.values()) - done), unit="entry", desc="backup", disable=wish.quiet) as bar:
        for name, found in logs.items():
            taker = LogTaker(wish.to, found, pace, bar.update)
            backed = with_project(backed, await taker.take(name, known.get(name), ends[name], proofs.get(name)))
    return backed


async def _end(settings: Settings, name: ProjectName, project: ProjectSettings | None, found: JetStreamLog) -> int:
    try:
        return await end_of(found, await vouched(settings, name, project))
    except LogGap as gap:
        sentence = f"the log of project {name} is damaged, and was not backed up: {gap}"
        raise Conflict(sentence, code="HISTORY_DAMAGED") from gap


async def _proofs(settings: Settings, projects: Sequence[ProjectSettings]) -> dict[str, Proof]:
    """The hashes of every database that can be read, each at a place of its log."""
    found: dict[str, Proof] = {}
    for project in projects:
        proof = None if project.hold else await _proof(settings, project)
        if proof is not None:
            found[project.name] = proof
    return found


async def _proof(settings: Settings, project: ProjectSettings) -> Proof | None:
    try:
        database = await open_as_it_is(settings, project)
        try:
            followed = await database.follows()
            hashes = await row_hashes(database, project.schemas)
        finally:
            await database.close()
    except OctonetError as problem:
        log.warning("the rows of project %s are not looked at: %s", project.name, problem.message)
        return None
    digest = project.schemas.digest
    if hashes.checkpoint.schema != digest or (followed is not None and followed.digest != digest):
        log.warning("the rows of project %s are not looked at: its tables follow another schema", project.name)
        return None
    return Proof(hashes.checkpoint.entry, hashes.entities)


def _chosen(there: Sequence[ProjectName], wanted: Sequence[str]) -> list[ProjectName]:
    if not there:
        raise NotFound(
            "there is nothing to back up: this nats-server holds no log. Name the data directory of the installation "
            "(--data-dir), or its nats-server (--nats-url)",
            code="NOTHING_TO_BACK_UP",
        )
    if EVERY in wanted:
        return list(there)
    unknown = [name for name in wanted if name not in there]
    if unknown:
        names = ", ".join(map(repr, unknown))
        raise NotFound(f"there is no log of project {names}; there are {', '.join(there)}", code="UNKNOWN_PROJECT")
    return [name for name in there if name in wanted]


def _earlier(folder: Path, signer: Signer) -> Manifest | None:
    if not (folder / NAME).exists():
        return None
    found = read(folder)
    if found.key != signer.key:
        raise Conflict(
            f"{folder} holds a backup of another installation: name an empty directory",
            code="BACKUP_OF_ANOTHER_INSTALLATION",
        )
    return found


def _check_empty(folder: Path) -> None:
    """What a run left that was broken off is in nobody's way. Raises `Invalid`, code TARGET_NOT_EMPTY."""
    strange = sorted(path.name for path in folder.iterdir() if path.name not in ("logs", "keys", f"{NAME}.new"))
    if strange:
        raise Invalid(
            f"{folder} is not empty and holds no backup ({strange[0]}): name an empty directory, or one that a backup "
            "was written to",
            code="TARGET_NOT_EMPTY",
        )


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Nobody else writes to the same backup meanwhile."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as problem:
        raise Invalid(f"the directory {folder} cannot be made: {problem.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise Conflict(f"another backup is being written to {folder}: wait for it", code="BACKUP_RUNNING") from None
    try:
        yield
    finally:
        os.close(handle)
