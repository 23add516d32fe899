"""Settings: defaults, then `.env`, then the environment (by profile), then flags. The only reader of the environment.

With `MOSTA_ENV=DEV` a variable `DEV_SGBD_URI` wins over `SGBD_URI`; an empty variable counts as not set.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final, get_type_hints

import msgspec
from dotenv import dotenv_values
from msgspec import Meta

from octonet.kernel.errors import Fault, ValidationError

PROFILE: Final = "MOSTA_ENV"
_OURS: Final = ("OCTONET_", "MOSTA_")
_TRANSPORTS: Final = ("rest", "graphql", "ws", "sse", "jsonrpc", "mcp", "trpc", "odata", "grpc", "nats", "arrow")


def _setting(env: str, text: str) -> Meta:
    return Meta(description=text, extra={"env": env})


class Settings(msgspec.Struct, frozen=True):
    """The whole configuration. Each field's description stands in `docs/settings.md`."""

    dialect: Annotated[str, _setting("DB_DIALECT", "Kind of database")] = "sqlite"
    uri: Annotated[
        str, _setting("SGBD_URI", "Where the database is; empty: `octonet.db` in the data directory (SQLite)")
    ] = ""
    schema_strategy: Annotated[
        str,
        _setting(
            "DB_SCHEMA_STRATEGY",
            "`none` leaves the tables alone, `validate` refuses to start when they differ, `update` makes them fit, "
            "rows and all, `create` drops them and refills them from the log, `create-drop` drops them at the end too",
        ),
    ] = "update"
    show_sql: Annotated[bool, _setting("DB_SHOW_SQL", "Log every statement")] = False
    pool_size: Annotated[int, _setting("DB_POOL_SIZE", "Connections for long reads")] = 4
    query_timeout: Annotated[float, _setting("OCTONET_QUERY_TIMEOUT", "Seconds a read may take")] = 10.0
    table_prefix: Annotated[str, _setting("DB_TABLE_PREFIX", "Put before the name of every table")] = ""
    system_dialect: Annotated[str, _setting("MOSTA_SYSTEM_DIALECT", "Kind of database of keys, accounts and roles")] = (
        "sqlite"
    )
    system_uri: Annotated[
        str,
        _setting(
            "MOSTA_SYSTEM_URI",
            "Where keys, accounts and roles are; empty: `_system.db` in the data directory (SQLite)",
        ),
    ] = ""
    schemas_path: Annotated[
        str, _setting("SCHEMAS_PATH", "Schema files, or directories of `*.json`, separated by commas")
    ] = "schemas.json"
    projects_tree: Annotated[
        str,
        _setting(
            "MOSTA_PROJECTS",
            "The file of further projects; empty: `projects-tree.json` of the working directory, if any",
        ),
    ] = ""
    data_dir: Annotated[
        str, _setting("OCTONET_DATA_DIR", "Where the embedded nats-server, keys and SQLite files live")
    ] = "./data"
    nats_url: Annotated[
        str, _setting("NATS_URL", "An external nats-server (or several, by commas); empty: the embedded one")
    ] = ""
    nats_user: Annotated[str, _setting("NATS_USER", "User at the external nats-server")] = ""
    nats_password: Annotated[str, _setting("NATS_PASSWORD", "Password at the external nats-server")] = ""
    nats_max_store: Annotated[
        int,
        _setting(
            "OCTONET_NATS_MAX_STORE",
            "Bytes the embedded nats-server may store, at least 128 MiB; 0: three quarters of the free disk",
        ),
    ] = 0
    nats_replicas: Annotated[int, _setting("OCTONET_NATS_REPLICAS", "Copies of each stream (1, 3 or 5)")] = 1
    host: Annotated[str, _setting("OCTONET_HOST", "Address the HTTP doors listen on")] = "127.0.0.1"
    port: Annotated[int, _setting("MOSTA_NET_PORT", "Port of the HTTP doors; 0 takes a free one")] = 4488
    open_mode: Annotated[bool, _setting("OCTONET_OPEN_MODE", "Serve without keys: for development only")] = False
    key_hash: Annotated[
        str, _setting("OCTONET_KEY_HASH", "How new API keys are stored: hmac, or bcrypt where a policy wants it")
    ] = "hmac"
    admin_email: Annotated[str, _setting("OCTONET_ADMIN_EMAIL", "The first administrator, made at a start")] = ""
    admin_password: Annotated[str, _setting("OCTONET_ADMIN_PASSWORD", "Their password")] = ""
    database_hosts: Annotated[
        str,
        _setting(
            "OCTONET_DATABASE_HOSTS",
            "Servers with private addresses that projects added at run time may use: names and patterns, `*` for all",
        ),
    ] = ""
    public_url: Annotated[
        str,
        _setting(
            "OCTONET_PUBLIC_URL",
            "Where browsers find this server, such as `https://octonet.example`, when a proxy stands before it; empty: "
            "as each request names it",
        ),
    ] = ""
    session_life: Annotated[int, _setting("OCTONET_SESSION_LIFE", "Seconds after which a login is over")] = 43_200
    trial_enabled: Annotated[
        bool, _setting("OCTONET_TRIAL_ENABLED", "Whether everybody may make a sandbox at /try; never in open mode")
    ] = True
    trial_dir: Annotated[
        str, _setting("OCTONET_TRIAL_DATA_DIR", "Where sandboxes are kept; empty: `trials` in the data directory")
    ] = ""
    trial_schemas: Annotated[
        str, _setting("MOSTA_TRIAL_SCHEMAS", "The entities of a sandbox; empty: those of SCHEMAS_PATH, or a sample")
    ] = ""
    trial_days: Annotated[
        float, _setting("OCTONET_TRIAL_TTL_DAYS", "Days without a request after which a sandbox is removed")
    ] = 7.0
    trial_per_hour: Annotated[
        int, _setting("OCTONET_TRIAL_RATE_LIMIT_PER_HOUR", "Sandboxes an address may make in an hour")
    ] = 10
    trial_most: Annotated[int, _setting("OCTONET_TRIAL_MOST", "Sandboxes there may be at a time")] = 1000
    trial_cleanup: Annotated[
        float, _setting("OCTONET_TRIAL_CLEANUP", "Seconds between two looks for sandboxes that are over")
    ] = 3600.0
    trusted_proxies: Annotated[
        str,
        _setting(
            "OCTONET_TRUSTED_PROXIES",
            "Addresses and networks of proxies before this server, whose X-Forwarded-For is believed",
        ),
    ] = ""
    cors_origin: Annotated[
        str, _setting("MOSTA_NET_CORS_ORIGIN", "Origins that browsers may call from, separated by commas")
    ] = ""
    max_body: Annotated[int, _setting("OCTONET_MAX_BODY", "Bytes a request body may have")] = 10 * 1024 * 1024
    default_page: Annotated[int, _setting("OCTONET_DEFAULT_PAGE", "Rows of a page when no limit is given")] = 100
    maximum_page: Annotated[int, _setting("OCTONET_MAXIMUM_PAGE", "Rows of a page at most")] = 1000
    heartbeat: Annotated[float, _setting("OCTONET_HEARTBEAT", "Seconds between signs of life on WS and SSE")] = 15.0
    max_buffer: Annotated[
        int, _setting("OCTONET_MAX_BUFFER", "Bytes that may wait for a slow subscriber before it is cut")
    ] = 4 * 1024 * 1024
    command_timeout: Annotated[
        float, _setting("OCTONET_COMMAND_TIMEOUT", "Seconds a caller waits for a command's outcome")
    ] = 30.0
    log_level: Annotated[str, _setting("OCTONET_LOG_LEVEL", "debug, info, warning or error")] = "info"
    transports: Mapping[str, bool] = {}
    """Which doors are open, by name."""
    paths: Mapping[str, str] = {}
    """Where a door is mounted, when not at its default."""

    def database_uri(self) -> str:
        """The database's address, with the default filled in."""
        return self.uri or f"sqlite:///{Path(self.data_dir).absolute() / 'octonet.db'}"

    def tree(self) -> dict[str, object]:
        """What an administrator may see of them, as `/api/config-tree` tells it: nothing secret."""
        return {
            "database": {
                "dialect": self.dialect,
                "schemaStrategy": self.schema_strategy,
                "showSql": self.show_sql,
                "poolSize": self.pool_size,
            },
            "server": {"port": self.port, "projectsFile": self.projects_tree or "projects-tree.json"},
            "transports": dict(self.transports),
        }


class Variable(msgspec.Struct, frozen=True):
    """One environment variable, for the documentation."""

    name: str
    field: str
    default: str
    description: str


def variables(transports: Mapping[str, str]) -> Iterator[Variable]:
    """Every variable there is; `transports` maps the doors that exist to their default paths."""
    for field, meta, default in _fields():
        yield Variable(_env(meta), field, _spell(default), meta.description or "")
    for name, path in transports.items():
        upper = name.upper()
        yield Variable(f"MOSTA_NET_{upper}_ENABLED", "transports", "true", f"Open the {name} door")
        yield Variable(f"MOSTA_NET_{upper}_PATH", "paths", path, f"Where the {name} door is mounted")
    yield Variable(PROFILE, "", "", "Profile: `<PROFILE>_<NAME>` wins over `<NAME>`")


def load(
    flags: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> tuple[Settings, list[str]]:
    """The settings, and a warning for each variable nobody knows. Raises `ValidationError` with every fault."""
    found = _read(environment if environment is not None else os.environ, directory or Path())
    profile = found.get(PROFILE, "").strip()
    values: dict[str, object] = {}
    faults: list[Fault] = []
    hints = get_type_hints(Settings)
    for field, meta, _ in _fields():
        text = _look_up(found, profile, _env(meta))
        if text is not None:
            try:
                values[field] = _parse(text, hints[field])
            except ValueError as problem:
                faults.append(Fault(_env(meta), str(problem)))
    values["transports"], values["paths"] = _doors(found, profile, faults)
    values |= {name: value for name, value in (flags or {}).items() if value is not None}
    if faults:
        raise ValidationError("; ".join(f"{f.path}: {f.message}" for f in faults), faults=tuple(faults))
    return msgspec.convert(values, Settings), list(_unknown(found, profile))


def _read(environment: Mapping[str, str], directory: Path) -> dict[str, str]:
    files: dict[str, str] = {}
    for name in (".env", ".env.local"):
        files |= {key: value for key, value in dotenv_values(directory / name).items() if value is not None}
    given = {key: value for key, value in environment.items() if value != ""}
    return {key: value for key, value in (files | given).items() if value != ""}


def _look_up(found: Mapping[str, str], profile: str, name: str) -> str | None:
    return (found.get(f"{profile}_{name}") if profile else None) or found.get(name)


def _doors(found: Mapping[str, str], profile: str, faults: list[Fault]) -> tuple[dict[str, bool], dict[str, str]]:
    enabled: dict[str, bool] = {}
    paths: dict[str, str] = {}
    for name in _TRANSPORTS:
        variable = f"MOSTA_NET_{name.upper()}_ENABLED"
        text = _look_up(found, profile, variable)
        if text is not None:
            try:
                enabled[name] = _boolean(text)
            except ValueError as problem:
                faults.append(Fault(variable, str(problem)))
        path = _look_up(found, profile, f"MOSTA_NET_{name.upper()}_PATH")
        if path is not None:
            paths[name] = path
    return enabled, paths


def _parse(text: str, hint: object) -> object:
    if hint is bool:
        return _boolean(text)
    if hint is int or hint is float:
        try:
            return int(text) if hint is int else float(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a number") from None
    return text


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() in ("true", "1", "yes")


def _unknown(found: Mapping[str, str], profile: str) -> Iterator[str]:
    known = {_env(meta) for _, meta, _ in _fields()} | {PROFILE}
    known |= {f"MOSTA_NET_{name.upper()}_{what}" for name in _TRANSPORTS for what in ("ENABLED", "PATH", "PORT")}
    for variable in sorted(found):
        bare = variable.removeprefix(f"{profile}_") if profile else variable
        if bare.startswith(_OURS) and bare not in known:
            near = difflib.get_close_matches(bare, known, 1, 0.6)
            yield f"{variable} is not a setting" + (f"; did you mean {near[0]}?" if near else "")


def _fields() -> Iterator[tuple[str, Meta, object]]:
    hints = get_type_hints(Settings, include_extras=True)
    for field in msgspec.structs.fields(Settings):
        metadata = getattr(hints[field.name], "__metadata__", ())
        for meta in metadata:
            if isinstance(meta, Meta):
                yield field.name, meta, field.default


def _env(meta: Meta) -> str:
    assert meta.extra is not None
    return str(meta.extra["env"])


def _spell(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
