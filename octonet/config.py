"""The settings of a server: what there is, its default, and what it means. `octonet.environment` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta


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
    nats_ca: Annotated[
        str,
        _setting(
            "NATS_CA",
            "File (PEM) of the certificates that the nats-server's must lead to; empty: those that the system trusts. "
            "Set, or with `tls://` in NATS_URL, nothing is sent without TLS",
        ),
    ] = ""
    nats_cert: Annotated[str, _setting("NATS_CERT", "File (PEM) of a certificate to show to the nats-server")] = ""
    nats_key: Annotated[str, _setting("NATS_KEY", "File (PEM) of that certificate's key")] = ""
    nats_creds: Annotated[
        str, _setting("NATS_CREDS", "A credentials file (`.creds`) to enter the nats-server with, instead of a user")
    ] = ""
    nats_nkey: Annotated[str, _setting("NATS_NKEY", "The file of an nkey's seed, likewise")] = ""
    nats_listen: Annotated[
        str,
        _setting(
            "OCTONET_NATS_LISTEN",
            "`host:port` where others connect to the embedded nats-server; empty: from this machine only, at a free "
            "port that the banner tells",
        ),
    ] = ""
    nats_callout_seed: Annotated[
        str,
        _setting(
            "NATS_CALLOUT_SEED",
            "The file of the seed (`SA…`) of the `auth_callout` issuer of an external nats-server: API keys then open "
            "connections to it",
        ),
    ] = ""
    nats_system_user: Annotated[
        str,
        _setting(
            "NATS_SYSTEM_USER",
            "User of the system account of an external nats-server, through which the connections of a revoked key "
            "are ended at once",
        ),
    ] = ""
    nats_system_password: Annotated[str, _setting("NATS_SYSTEM_PASSWORD", "Their password")] = ""
    nats_max_store: Annotated[
        int,
        _setting(
            "OCTONET_NATS_MAX_STORE",
            "Bytes the embedded nats-server may store, at least 128 MiB; 0: three quarters of the free disk",
        ),
    ] = 0
    quota: Annotated[
        int,
        _setting(
            "OCTONET_QUOTA",
            "Bytes the log of each project may hold, and its facts on NATS four times as many; nats-server sets them "
            "aside; 0: as many as the server may store",
        ),
    ] = 0
    rotate_at: Annotated[
        int,
        _setting(
            "OCTONET_ROTATE_AT",
            "Bytes of the stream that a log is kept in, at which it is closed and the log goes on in another; 0: only "
            "`octonet rotate` does that",
        ),
    ] = 0
    nats_replicas: Annotated[int, _setting("OCTONET_NATS_REPLICAS", "Copies of each stream (1, 3 or 5)")] = 1
    nats_monitor_urls: Annotated[
        str,
        _setting(
            "NATS_MONITOR_URLS",
            "Where every nats-server of a cluster is monitored, such as `http://nats-1:8222`, by commas: each is asked "
            "about its own copies; empty: they are only read",
        ),
    ] = ""
    scrub_every: Annotated[
        float,
        _setting("OCTONET_SCRUB_EVERY", "Seconds between two looks at every copy of every stream; 0: never"),
    ] = 30.0
    snapshot_every: Annotated[
        int,
        _setting(
            "OCTONET_SNAPSHOT_EVERY",
            "Log entries of a project after which its worker takes a snapshot, for rebuilds to begin with; 0: never",
        ),
    ] = 0
    snapshots_kept: Annotated[int, _setting("OCTONET_SNAPSHOTS_KEPT", "Snapshots of a project that are kept")] = 2
    host: Annotated[str, _setting("OCTONET_HOST", "Address the HTTP doors listen on")] = "127.0.0.1"
    port: Annotated[int, _setting("MOSTA_NET_PORT", "Port of the HTTP doors; 0 takes a free one")] = 4488
    tls_cert: Annotated[
        str,
        _setting(
            "OCTONET_TLS_CERT",
            "File (PEM) of the certificate of the HTTP doors, with those that lead to its authority; empty: the doors "
            "speak plain HTTP",
        ),
    ] = ""
    tls_key: Annotated[str, _setting("OCTONET_TLS_KEY", "File (PEM) of that certificate's key")] = ""
    tls_client_ca: Annotated[
        str,
        _setting(
            "OCTONET_TLS_CLIENT_CA",
            "File (PEM) of the authority whose certificates the clients of doors with a port of their own (gRPC, Arrow "
            "Flight) must show; empty: none needs to",
        ),
    ] = ""
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
    log_format: Annotated[
        str, _setting("OCTONET_LOG_FORMAT", "`text` for people, `json` for programs: an object on each line")
    ] = "text"
    log_requests: Annotated[bool, _setting("OCTONET_LOG_REQUESTS", "Log every HTTP request, without its query")] = False
    traces_url: Annotated[
        str,
        _setting(
            "OCTONET_TRACES_URL",
            "Where spans go, OTLP over HTTP, such as `http://collector:4318`; empty: there are none",
        ),
    ] = ""
    traces_share: Annotated[
        float,
        _setting("OCTONET_TRACES_SHARE", "Of requests that come without a trace, the share that gets one, 0 to 1"),
    ] = 1.0
    graphql_depth: Annotated[
        int, _setting("OCTONET_GRAPHQL_DEPTH", "Levels that a GraphQL document may nest fields; more is refused")
    ] = 10
    graphql_aliases: Annotated[int, _setting("OCTONET_GRAPHQL_ALIASES", "Aliases a GraphQL document may have")] = 50
    graphql_fields: Annotated[
        int, _setting("OCTONET_GRAPHQL_FIELDS", "Fields a GraphQL document may select, fragments unfolded")
    ] = 2000
    graphql_roots: Annotated[
        int, _setting("OCTONET_GRAPHQL_ROOTS", "Fields a GraphQL document may ask for at the root")
    ] = 20
    graphql_tokens: Annotated[int, _setting("OCTONET_GRAPHQL_TOKENS", "Tokens a GraphQL document may have")] = 4000
    graphql_size: Annotated[int, _setting("OCTONET_GRAPHQL_SIZE", "Characters a GraphQL document may have")] = 65_536
    graphql_cost: Annotated[
        int,
        _setting("OCTONET_GRAPHQL_COST", "Rows a GraphQL document may bring, by estimate: a list in a row counts ten"),
    ] = 20_000
    graphql_introspection: Annotated[
        bool, _setting("OCTONET_GRAPHQL_INTROSPECTION", "Whether GraphQL clients may ask for the schema")
    ] = True
    graphql_strict_status: Annotated[
        bool,
        _setting(
            "OCTONET_GRAPHQL_STRICT_STATUS",
            "Answer what is a GraphQL document but cannot be executed with 422, as the newest draft has it, not 400",
        ),
    ] = False
    graphql_page: Annotated[
        bool, _setting("OCTONET_GRAPHQL_PAGE", "Whether browsers that open the GraphQL door get a page to try it")
    ] = True
    graphql_documents: Annotated[
        str,
        _setting(
            "OCTONET_GRAPHQL_DOCUMENTS",
            "A folder of GraphQL documents, `*.graphql`, that clients name by file name or by SHA-256",
        ),
    ] = ""
    graphql_only_documents: Annotated[
        bool, _setting("OCTONET_GRAPHQL_ONLY_DOCUMENTS", "Execute the documents of that folder and no others")
    ] = False
    arrow_sql_timeout: Annotated[
        float, _setting("OCTONET_ARROW_SQL_TIMEOUT", "Seconds a statement of Flight SQL may take")
    ] = 30.0
    arrow_sql_rows: Annotated[
        int, _setting("OCTONET_ARROW_SQL_ROWS", "Rows the answer to a statement of Flight SQL may have")
    ] = 1_000_000
    arrow_sql_memory: Annotated[
        int, _setting("OCTONET_ARROW_SQL_MEMORY", "Bytes of memory a statement of Flight SQL may use")
    ] = 128 * 1024 * 1024
    transports: Mapping[str, bool] = {}
    """Which doors are open, by name."""
    paths: Mapping[str, str] = {}
    """Where a door is mounted, when not at its default."""
    ports: Mapping[str, int] = {}
    """Where a door with a port of its own listens, when not at its default."""

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
