"""`/api/schemas-config`, `/api/compare-schema`, `/api/apply-schema`, `/api/upload-schemas[-json]`: entities,
at run time, of the project that the path or ``X-Project`` names."""

from __future__ import annotations

import base64
import binascii
import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from octonet.admin.authority import Authority, LetIn, Meant
from octonet.admin.http import answer, body, only
from octonet.admin.schemas import SchemaStore
from octonet.kernel.errors import OctonetError, TooLarge, validation
from octonet.kernel.operation import Raw
from octonet.projects_tree import ProjectSettings
from octonet.transport import HttpDoor, Incoming, Reply

_LARGEST: Final = 4 * 1024 * 1024
"""Bytes that the files of an archive may have together."""
_Entities = msgspec.json.Decoder(list[dict[str, Raw]] | dict[str, Raw])


class _Compared(msgspec.Struct, frozen=True):
    schema: dict[str, Raw]


class _Uploaded(msgspec.Struct, frozen=True):
    """`zip`: a base64 archive of JSON files, instead of `schemas`. `replace`: entities that are not named go.
    `confirm`: what loses data is meant."""

    schemas: list[dict[str, Raw]] | None = None
    zip: str | None = None
    replace: bool = False
    confirm: bool = False


class SchemasDoor:
    """`let_in` is the gate's."""

    def __init__(self, store: SchemaStore, let_in: LetIn, meant: Meant, authority: Authority) -> None:
        self._store = store
        self._let_in = let_in
        self._meant = meant
        self._authority = authority

    def mount(self) -> Mapping[str, HttpDoor]:
        """Path prefix → door."""
        return {
            "/api/schemas-config": self.told,
            "/api/compare-schema": self.compare,
            "/api/apply-schema": self.apply,
            "/api/upload-schemas-json": self.upload,
            "/api/upload-schemas": self.upload,
        }

    async def told(self, incoming: Incoming) -> Reply:
        """Which entities there are."""
        only(incoming, "GET")
        by, project = await self._let_in(incoming), self._meant(incoming)
        await self._authority.check(by, "schema:read", project)
        entities = (await self._store.every(by, project)).entities
        listed = [
            {
                "name": entity.name,
                "collection": entity.collection,
                "fieldsCount": len(entity.fields),
                "relationsCount": len(entity.relations),
            }
            for entity in entities.values()
        ]
        return answer(
            {
                "schemasJsonExists": bool(listed),
                "schemasJsonPath": "schemas.json",
                "schemasPath": "",
                "schemaCount": len(listed),
                "schemas": listed,
            }
        )

    async def compare(self, incoming: Incoming) -> Reply:
        """What an entity would change."""
        only(incoming, "POST")
        by, project = await self._let_in(incoming), self._meant(incoming)
        await self._authority.check(by, "schema:compare", project)
        return answer({"data": await self._store.compare(by, project, body(incoming, _Compared).schema)})

    async def apply(self, incoming: Incoming) -> Reply:
        """Make the tables fit; entities that are sent along are added first."""
        only(incoming, "POST")
        project = await self._put(incoming, "schema:apply", _Uploaded([]))
        tables = [entity.collection for entity in project.schemas.entities.values()]
        told = {"ok": True, "message": f"{len(tables)} tables fit the schema", "tables": tables}
        return answer({**told, "applied": list(project.schemas.entities)})

    async def upload(self, incoming: Incoming) -> Reply:
        """Add entities, or replace them."""
        only(incoming, "POST")
        project = await self._put(incoming, "schema:upload", None)
        names = list(project.schemas.entities)
        return answer({"ok": True, "count": len(names), "needsRestart": False, "schemas": names})

    async def _put(self, incoming: Incoming, permission: str, bodiless: _Uploaded | None) -> ProjectSettings:
        by, project = await self._let_in(incoming), self._meant(incoming)
        await self._authority.check(by, permission, project)
        wish = bodiless if bodiless is not None and not incoming.body else body(incoming, _Uploaded)
        entities = wish.schemas if wish.schemas is not None else _unpacked(wish.zip)
        if not entities and bodiless is None:
            raise validation("$.schemas", "expected at least one entity")
        return await self._store.put(by, project, entities, wish.replace, wish.confirm)


def _unpacked(archive: str | None) -> Sequence[dict[str, Raw]]:
    """The entities of the JSON files in an archive. Nothing else in it is looked at, and nothing is ever run."""
    if archive is None:
        raise validation("$.schemas", "is required: a list of entities")
    found: list[dict[str, Raw]] = []
    try:
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(archive, validate=True))) as files:
            members = [info for info in files.infolist() if info.filename.endswith(".json")]
            if sum(info.file_size for info in members) > _LARGEST:
                raise TooLarge(f"the files of the archive have more than {_LARGEST} bytes")
            for info in members:
                with files.open(info) as file:
                    found += _read(info.filename, file.read(_LARGEST))
    except (binascii.Error, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as bad:
        raise validation("$.zip", f"is not a base64 archive: {bad}") from None
    return found


def _read(name: str, text: bytes) -> list[dict[str, Raw]]:
    try:
        entities = _Entities.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise _unreadable(name, problem) from None
    return entities if isinstance(entities, list) else [entities]


def _unreadable(name: str, problem: Exception) -> OctonetError:
    return validation("$.zip", f"{name[:200]!r} is not JSON of entities: {problem}")
