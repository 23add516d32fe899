"""Whoever wants SQLite only is given no other driver, and loads none."""

from __future__ import annotations

import json
import re
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from tests.running import Server

_EXTRA = re.compile(r"\bextra\s*==")
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_DRIVERS = {
    *("asyncpg", "asyncmy", "aiomysql", "pymysql", "pymongo", "bson", "oracledb", "aioodbc", "pyodbc", "mssql-python"),
    *("mssql_python", "ibm-db", "ibm_db", "ibm_db_dbi", "ibm-db-sa", "hdbcli", "jpype1", "jpype", "psycopg"),
    *("psycopg2", "google-cloud-spanner", "sqlalchemy-spanner", "sqlalchemy-cockroachdb", "sqlalchemy-hana"),
    "sqlalchemy-sybase",
}
SCHEMA = [{"name": "Note", "collection": "notes", "fields": {"body": {"type": "text"}}}]


def _brought_by(package: str, found: set[str]) -> set[str]:
    """What an installation without any extra brings, by what each package says that it needs."""
    try:
        needed = requires(package) or []
    except PackageNotFoundError:
        # For another system than this one.
        return found
    for line in needed:
        name = _NAME.match(line)
        assert name is not None
        if not _EXTRA.search(line) and name.group().lower() not in found:
            found.add(name.group().lower())
            _brought_by(name.group(), found)
    return found


def test_an_installation_without_extras_brings_no_driver_but_that_of_sqlite() -> None:
    brought = _brought_by("octonet", set())
    assert {"aiosqlite", "sqlalchemy"} <= brought
    assert brought & _DRIVERS == set()


def test_a_server_on_sqlite_loads_no_other_driver(tmp_path: Path) -> None:
    schemas = tmp_path / "schemas.json"
    schemas.write_text(json.dumps(SCHEMA))
    with Server(tmp_path / "data", schemas, PYTHONPROFILEIMPORTTIME="1") as server:
        log = server.log()
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in log.splitlines() if "import time:" in line}
    assert {"aiosqlite", "sqlalchemy"} <= loaded
    assert loaded & _DRIVERS == set()
