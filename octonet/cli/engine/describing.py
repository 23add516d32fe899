"""The .proto files of a project, from its schema files and its log."""

from __future__ import annotations

import tempfile
from pathlib import Path

from commands import COMMANDS
from jetstream.connection import connect
from jetstream.endpoint import Endpoint
from jetstream.log import JetStreamLog
from octonet.clock import now
from octonet.config import Settings
from octonet.kernel.ids import ProjectName
from octonet.kernel.schema import Schemas
from octonet.past.past import ProjectPast
from octonet.project_files import choose, load_projects
from octonet.serving.stored_projects import known_projects
from projections import QUERIES
from transports.engine.grpc.descriptions import Described
from transports.engine.grpc.text import text


async def texts(settings: Settings, endpoint: Endpoint | None, project: str) -> list[tuple[str, str, str]]:
    """Package, path and text of each file. Without an endpoint the project is taken as a new one. Raises `NotFound`
    with code UNKNOWN_PROJECT, `Unavailable`."""
    projects = load_projects(settings) if endpoint is None else await known_projects(settings)
    found = choose(projects, project)[0]
    history = [] if endpoint is None else await _history(endpoint, found.name, settings.query_timeout)
    if not history or history[-1].digest != found.schemas.digest:
        history.append(found.schemas)
    described = Described(history, {**QUERIES, **COMMANDS})
    return [(file.proto.package, file.proto.name, text(file)) for file in described.files()]


async def _history(endpoint: Endpoint, project: ProjectName, patience: float) -> list[Schemas]:
    client = await connect(endpoint, "octonet proto")
    try:
        with tempfile.TemporaryDirectory() as folder:
            # A file of its own: that of a server that runs is its own.
            past = ProjectPast(JetStreamLog(client, project), Path(folder) / "history.db", now, patience)
            try:
                return await past.schemas()
            finally:
                await past.close()
    finally:
        await client.close()
