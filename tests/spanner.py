"""Google's emulator of Spanner for tests: one for the session, on a free port; one database for each folder that asks.

It cannot be had from a registry: it is looked for where Google's own tools put it. It keeps everything in memory, and
forgets it when it is stopped.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.ports import free_port

_HOST: Final = "127.0.0.1"
_PROGRAM: Final = "emulator_main"
_FOLDERS: Final = [f"{root}/google-cloud-sdk" for root in ("/usr/lib", "/usr/local", "/opt", "")]
_INSTANCE: Final = "projects/octonet/instances/tests"
_ATTEMPTS: Final = 3
_READY_WITHIN: Final = 60.0
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


class SpannerEmulator:
    """One emulator, which dies with this process."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="octonet-spanner-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._started = False
        self._databases: list[str] = []
        self._made: set[str] = set()

    def start(self) -> None:
        """Start, and wait until it answers. Its first start is tried on other ports, too; later ones must be where
        clients look for it."""
        for _ in range(_ATTEMPTS):
            self._launch()
            if self._answers():
                self._started = True
                os.environ["SPANNER_EMULATOR_HOST"] = f"{_HOST}:{self.port}"
                self._make_all()
                return
            if not self._started:
                self.port = free_port()
        raise AssertionError(f"the emulator did not start; its log says:\n{self._log_end()}")

    def stop(self) -> None:
        """Stop at once: it forgets everything."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(60)
            self._process = None

    def pause(self) -> None:
        """Answer nobody, and refuse nobody."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Stopped at once for a while, and started again whatever happens, with databases that are empty."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def remove(self) -> None:
        """Stop, and leave nothing behind."""
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def uri(self, folder: Path) -> str:
        """The database that belongs to this folder, made when it is asked for first."""
        name = f"t{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
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
        channel = grpc.insecure_channel(f"{_HOST}:{self.port}")
        return kind(transport=transport(channel=channel, credentials=AnonymousCredentials()))  # type: ignore[no-untyped-call]

    def _launch(self) -> None:
        wrapped = ["setpriv", "--pdeathsig", "SIGKILL", "--"] if shutil.which("setpriv") else []
        command = [*wrapped, _program(), f"--host_port={_HOST}:{self.port}"]
        command.append("--override_max_databases_per_instance=10000")
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._directory)

    def _answers(self) -> bool:
        """Whether it does in the end. False when it ended."""
        assert self._process is not None
        deadline = time.monotonic() + _READY_WITHIN
        while self._process.poll() is None:
            try:
                socket.create_connection((_HOST, self.port), 1).close()
            except OSError:
                assert time.monotonic() < deadline, f"the emulator is not ready; its log says:\n{self._log_end()}"
                time.sleep(0.05)
            else:
                return True
        return False

    def _log_end(self) -> str:
        log = self._directory / "log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-20:]) if log.exists() else ""


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    return None if kind == "null_value" else getattr(value, kind)


@cache
def server() -> SpannerEmulator:
    """The session's emulator, started by whoever asks first and stopped at exit."""
    started = SpannerEmulator()
    atexit.register(started.remove)
    started.start()
    return started
