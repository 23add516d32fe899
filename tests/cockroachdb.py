"""What stands in for CockroachDB in tests: a PostgreSQL that says it is one, whose transactions are serializable, and
that refuses what CockroachDB has not. No CockroachDB was ever asked."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tests.postgres import PostgresServer, missing
from tests.server_process import until_exit

__all__ = ["CockroachStandIn", "missing", "server"]

_VERSION = "CockroachDB CCL v24.3.1 (x86_64-pc-linux-gnu, built 2024/12/06 00:00:00, go1.22.8 X:nocoverageredesign)"
_LACKING = {
    "pg_advisory_xact_lock(bigint)": "void",
    "pg_advisory_lock(bigint)": "void",
    "pg_try_advisory_lock(bigint)": "boolean",
    "hashtextextended(text, bigint)": "bigint",
    "pg_postmaster_start_time()": "timestamptz",
    "pg_notify(text, text)": "void",
}
_REFUSES = "$$ BEGIN RAISE EXCEPTION 'CockroachDB has no such function' USING ERRCODE = '42883'; END $$"
# A definition is refused that is not the first statement of its transaction, or of a kind that is not there.
_GUARD = """
CREATE FUNCTION crdb_shim.guard() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
  IF now() <> statement_timestamp() THEN
    RAISE EXCEPTION 'CockroachDB makes no definition whole within a transaction: %', tg_tag USING ERRCODE = '0A000';
  END IF;
  IF tg_tag NOT IN ('CREATE TABLE', 'ALTER TABLE', 'DROP TABLE', 'CREATE INDEX', 'ALTER INDEX', 'DROP INDEX') THEN
    RAISE EXCEPTION 'not for CockroachDB: %', tg_tag USING ERRCODE = '0A000';
  END IF;
END $$;
CREATE EVENT TRIGGER guard ON ddl_command_start EXECUTE FUNCTION crdb_shim.guard();
"""


class CockroachStandIn(PostgresServer):
    """One server, which dies with this process."""

    def __init__(self) -> None:
        super().__init__()
        self._posing: set[str] = set()

    def uri(self, folder: Path, port: int = 0) -> str:
        """The database that belongs to this folder, made when it is asked for first. `port`: where the server is
        reached instead of its own."""
        uri = super().uri(folder, port)
        name = uri.rpartition("/")[2]
        if name not in self._posing:
            self.sql(_shim(name), name)
            self._posing.add(name)
        return uri.replace("postgresql://", "cockroachdb://", 1)

    def let_in(self, user: str, password: str) -> None:
        """Make a user who is let in by a password only."""
        rules = self._data / "pg_hba.conf"
        rules.write_text(f"host all {user} 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
        self.sql(f"CREATE ROLE {user} LOGIN SUPERUSER PASSWORD '{password}'")
        self.sql("SELECT pg_reload_conf()")

    def log(self) -> str:
        """What it refused, and why."""
        return (self._directory / "log").read_text(errors="replace")


@cache
def server() -> CockroachStandIn:
    """The session's server, started by whoever asks first and stopped at exit."""
    return until_exit(CockroachStandIn())


def _shim(name: str) -> str:
    lacking = [
        f"CREATE FUNCTION crdb_shim.{function} RETURNS {kind} LANGUAGE plpgsql AS {_REFUSES};"
        for function, kind in _LACKING.items()
    ]
    return "\n".join([
        "CREATE SCHEMA crdb_shim; CREATE SCHEMA crdb_internal;",
        f"CREATE FUNCTION crdb_shim.version() RETURNS text LANGUAGE sql AS $$ SELECT '{_VERSION}'::text $$;",
        "CREATE FUNCTION crdb_internal.cluster_id() RETURNS uuid LANGUAGE sql AS",
        " $$ SELECT md5(pg_catalog.pg_postmaster_start_time()::text)::uuid $$;",
        *lacking,
        _GUARD,
        f'ALTER DATABASE "{name}" SET search_path = public, crdb_shim, pg_catalog;',
        f'ALTER DATABASE "{name}" SET default_transaction_isolation = \'serializable\';',
    ])  # fmt: skip
