"""Google's emulator of Spanner for tests: one for the session, on a free port; one database for each folder that asks.

It cannot be had from a registry: it is looked for where Google's own tools put it. It keeps everything in memory, and
forgets it when it is stopped.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.server_process import HOST, ServerProcess, database_of, dying, until_exit

_PROGRAM: Final = "emulator_main"
_FOLDERS: Final = [f"{root}/google-cloud-sdk" for root in ("/usr/lib", "/usr/local", "/opt", "")]
_INSTANCE: Final = "projects/octonet/instances/tests"
_SECONDS: Final = 30.0


def missing() -> str:
    """Why no emulator can be started here; empty when one can."""
    if importlib.util.find_spec("google.cloud") is None or importlib.util.find_spec("google.cloud.spanner_v1") is None:
        return "no Spanner can be emulated here: google-cloud-spanner is not installed"
    return "" if _program() else f"no Spanner can be emulated here: there is no {_PROGRAM} of Google's tools"


def _program() -> str:
    named = [folder for name in ("CLOUDSDK_ROOT", "CLOUDSDK_ROOT_DIR") if (folder := os.environ.get(name))]
    places = [Path(folder, "bin", "cloud_spanner_emulator", _PROGRAM) for folder in (*named, *_FOLDERS)]
    return next((str(place) for place in places if os.access(place, os.X_OK)), shutil.which(_PROGRAM) or "")


class SpannerEmulator(ServerProcess):
    """One emulator, which dies with this process. Stopped, it forgets everything; started again, its databases are
    empty."""

    title = "Spanner's emulator"
    look = 0.05

    def __init__(self) -> None:
        super().__init__()
        self._databases: list[str] = []

    def uri(self, folder: Path) -> str:
        """The database that belongs to this folder, made when it is asked for first."""
        name = database_of(folder)
        if self._process is not None and self._process.poll() is not None:
            # It crashes now and then: that is the trouble of the test that met it, and of no other.
            self.start()
        if name not in self._databases:
            self._databases.append(name)
            self._make(name)
        return f"spanner://octonet/tests/{name}"

    def rows(self, text: str, database: str) -> list[tuple[Any, ...]]:
        """What a query answers; several statements, with a semicolon and a blank between them, are definitions or, if
        there is one, a change."""
        from google.cloud import spanner_v1

        path = f"{_INSTANCE}/databases/{database}"
        if text.startswith(("CREATE", "ALTER", "DROP")):
            self._define(path, text.split("; "))
            return []
        client = self._client(spanner_v1.SpannerClient, "spanner")
        session = client.create_session(database=path, timeout=_SECONDS).name
        try:
            options: dict[str, Any] = {"single_use": {"read_only": {"strong": True}}}
            begun = b""
            if not text.startswith("SELECT"):
                begun = client.begin_transaction(session=session, options={"read_write": {}}, timeout=_SECONDS).id
                options = {"id": begun}
            request = {"session": session, "sql": text, "transaction": options, "seqno": 1}
            answer = client.execute_sql(request=request, timeout=_SECONDS)
            if begun:
                client.commit(session=session, transaction_id=begun, timeout=_SECONDS)
            result = spanner_v1.ResultSet.pb(answer)
            return [tuple(_plain(value) for value in row.values) for row in result.rows]
        finally:
            client.delete_session(name=session, timeout=_SECONDS)

    def _define(self, path: str, texts: Sequence[str]) -> None:
        from google.cloud import spanner_admin_database_v1 as admin

        client = self._client(admin.DatabaseAdminClient, "database_admin")
        client.update_database_ddl(database=path, statements=list(texts), timeout=_SECONDS).result(_SECONDS)

    def _make_all(self) -> None:
        from google.cloud import spanner_admin_instance_v1 as admin

        client = self._client(admin.InstanceAdminClient, "instance_admin")
        config = "projects/octonet/instanceConfigs/emulator-config"
        instance = {"config": config, "display_name": "tests", "node_count": 1}
        client.create_instance(
            parent="projects/octonet", instance_id="tests", instance=instance, timeout=_SECONDS
        ).result(_SECONDS)
        for name in self._databases:
            self._make(name)

    def _make(self, name: str) -> None:
        from google.cloud import spanner_admin_database_v1 as admin

        client = self._client(admin.DatabaseAdminClient, "database_admin")
        statement = f"CREATE DATABASE `{name}`"
        client.create_database(parent=_INSTANCE, create_statement=statement, timeout=_SECONDS).result(_SECONDS)

    def _client(self, kind: Any, name: str) -> Any:
        import grpc
        from google.auth.credentials import AnonymousCredentials

        transport = kind.get_transport_class("grpc")
        channel = grpc.insecure_channel(f"{HOST}:{self.port}")
        return kind(transport=transport(channel=channel, credentials=AnonymousCredentials()))  # type: ignore[no-untyped-call]

    def _command(self) -> list[str]:
        place = f"--host_port={HOST}:{self.port}"
        return [*dying(), _program(), place, "--override_max_databases_per_instance=10000"]

    def _came_up(self) -> None:
        os.environ["SPANNER_EMULATOR_HOST"] = f"{HOST}:{self.port}"
        self._make_all()


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    return None if kind == "null_value" else getattr(value, kind)


@cache
def server() -> SpannerEmulator:
    """The session's emulator, started by whoever asks first and stopped at exit."""
    return until_exit(SpannerEmulator())
