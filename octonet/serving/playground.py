"""The public sandbox, put together: the door where sandboxes are made, and the round that removes them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from octonet.admin.api_keys import ApiKeys
from octonet.admin.doors.sandbox import SandboxDoor
from octonet.admin.places import Places
from octonet.admin.projects import Projects
from octonet.admin.sandboxes import Limits, Sandboxes
from octonet.admin.system import SystemProject
from octonet.clock import now
from octonet.config import Settings
from octonet.kernel.errors import OctonetError
from octonet.kernel.schema import Schemas
from octonet.kernel.schema_parse import parse
from octonet.project_files import load_schemas
from octonet.transport import HttpDoor

log = logging.getLogger("octonet.access")

_FIRST = 60.0
"""Seconds after the start until the first round."""
_PAUSE = 1.0
_DAY = 86_400_000
_SAMPLE = """[{
  "name": "Client", "collection": "clients", "timestamps": true,
  "fields": {
    "name": {"type": "string", "required": true},
    "email": {"type": "string", "unique": true, "lowercase": true, "trim": true},
    "city": {"type": "string"},
    "active": {"type": "boolean", "default": true}
  }
}]"""


class Playground:
    """`leads` says whether this process is the one that removes."""

    def __init__(
        self,
        settings: Settings,
        system: SystemProject,
        projects: Projects,
        places: Places,
        api_keys: ApiKeys,
        leads: Callable[[], bool],
    ) -> None:
        self._settings = settings
        self._leads = leads
        limits = Limits(int(settings.trial_days * _DAY), settings.trial_per_hour, settings.trial_most)
        self._sandboxes = Sandboxes(system, projects, api_keys, places, lambda: _schemas(settings), limits, now)

    def doors(self) -> Mapping[str, HttpDoor]:
        """Path prefix → door."""
        return SandboxDoor(
            self._sandboxes, self._settings.public_url, "https" if self._settings.tls_cert else "http"
        ).mount()

    async def run(self) -> None:
        """Remove what is over, for ever."""
        every = self._settings.trial_cleanup
        await asyncio.sleep(min(_FIRST, every))
        while True:
            try:
                ended = await self._sandboxes.end_those_that_are_over() if self._leads() else 0
            except OctonetError as problem:
                log.warning("sandboxes are looked at again later: %s", problem)
                await asyncio.sleep(_PAUSE)
            else:
                log.log(logging.INFO if ended else logging.DEBUG, "%d sandboxes were over", ended)
                await asyncio.sleep(every)


def _schemas(settings: Settings) -> Schemas:
    if settings.trial_schemas:
        return load_schemas(settings.trial_schemas)
    return load_schemas(settings.schemas_path) if Path(settings.schemas_path).exists() else parse(_SAMPLE)
