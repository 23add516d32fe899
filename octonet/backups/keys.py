"""The sealing keys of projects, in a backup and in a data directory."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from octonet.backups.manifest import Backed, KeyFile, Manifest, Signer, damaged
from octonet.kernel.errors import Conflict, Invalid
from octonet.kernel.ids import SYSTEM_PROJECT


def check_present(keys: Path, projects: Collection[str]) -> None:
    """Raises `Invalid`, code KEYS_MISSING, where there is a log and not its key: a new one would open nothing."""
    for project in sorted({*projects, SYSTEM_PROJECT}):
        if not (keys / f"{project}.key").exists():
            raise Invalid(
                f"{keys} holds no key of project {project}: run this where the data directory of the installation is "
                "(--data-dir)",
                code="KEYS_MISSING",
            )


def not_erased(backed: Sequence[Backed], there: Collection[str], keys: Path) -> tuple[Backed, ...]:
    """Those that are still to be kept. A project that was erased has neither log nor key, and leaves the backup. Raises
    `Conflict`, code LOG_IS_GONE, for one that has lost its log only."""
    for one in backed:
        if one.project not in there and (keys / f"{one.project}.key").exists():
            raise Conflict(
                f"the log of project {one.project}, of which the backup holds {one.last} entries, is not on this "
                "nats-server: restore it (`octonet restore`), or begin another backup in an empty directory",
                code="LOG_IS_GONE",
            )
    return tuple(one for one in backed if one.project in there)


def put_in(folder: Path, keys: Path, projects: Collection[str]) -> list[KeyFile]:
    """Copy the keys of projects into the backup, for its owner alone."""
    found: list[KeyFile] = []
    directory = folder / "keys"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for project in sorted(projects):
        key = (keys / f"{project}.key").read_bytes()
        _write(directory / f"{project}.key", key)
        found.append(KeyFile(project, f"keys/{project}.key", hashlib.sha256(key).hexdigest()))
    return found


def kept(folder: Path, manifest: Manifest, projects: Collection[str]) -> dict[str, bytes]:
    """The keys that a backup holds, by project. Raises `Invalid`, code BACKUP_DAMAGED."""
    found: dict[str, bytes] = {}
    for one in manifest.keys:
        path = folder / one.file
        try:
            key = path.read_bytes()
        except OSError as problem:
            raise damaged(path, f"cannot be read: {problem.strerror}") from None
        if hashlib.sha256(key).hexdigest() != one.sha256:
            raise damaged(path, "has other bytes than were written")
        if one.project in projects:
            found[one.project] = key
    return found


def check(manifest: Manifest, brought: dict[str, bytes], keys: Path, projects: Sequence[str]) -> None:
    """Whether the keys that are here are those of the backup, and none is missing. Raises `Conflict`, code
    BACKUP_OF_ANOTHER_INSTALLATION; `Invalid`, code KEYS_MISSING."""
    ours = {project: key for project, key in _present(keys, {*projects, SYSTEM_PROJECT})}
    differing = sorted(project for project, key in brought.items() if ours.get(project, key) != key)
    if SYSTEM_PROJECT in ours and Signer(ours[SYSTEM_PROJECT]).key != manifest.key:
        differing = differing or [SYSTEM_PROJECT]
    if differing:
        raise Conflict(
            f"this is a backup of another installation: the key of project {differing[0]} in {keys} is another than "
            "the one it was made with. Restore it into a data directory of its own (OCTONET_DATA_DIR), or move those "
            "keys away if nothing needs them any more",
            code="BACKUP_OF_ANOTHER_INSTALLATION",
        )
    missing = [project for project in projects if project not in ours and project not in brought]
    if missing:
        raise Invalid(
            f"the backup was made without keys, and {keys} holds none of project {', '.join(missing)}: put the files "
            f"{', '.join(f'{project}.key' for project in missing)} there first. Without them no secret can be opened",
            code="KEYS_MISSING",
        )


def bring(brought: dict[str, bytes], keys: Path) -> None:
    """Put the keys that are missing into the data directory."""
    keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    for project, key in brought.items():
        if not (keys / f"{project}.key").exists():
            _write(keys / f"{project}.key", key)


def _present(keys: Path, projects: Collection[str]) -> Iterator[tuple[str, bytes]]:
    for project in projects:
        with contextlib.suppress(FileNotFoundError):
            yield project, (keys / f"{project}.key").read_bytes()


def _write(path: Path, key: bytes) -> None:
    fresh = path.with_suffix(".new")
    with open(os.open(fresh, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
