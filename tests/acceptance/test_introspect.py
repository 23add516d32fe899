"""`octonet introspect`: an existing database becomes a schema, and what a schema cannot say is told."""

from __future__ import annotations

import datetime
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pymongo
import pytest

from octonet.kernel.schema_parse import parse
from tests import cockroachdb, hsqldb, mariadb, mongodb, mysql, postgres
from tests.acceptance.rebuilding import SHOP, now
from tests.running import FLIGHTS, ROOT, Server

_SQL = """
CREATE TABLE customers (id VARCHAR(36) PRIMARY KEY, email VARCHAR(120) NOT NULL UNIQUE, bio TEXT, age INTEGER,
  active BOOLEAN NOT NULL, {created} {timestamp} NOT NULL, {updated} {timestamp}, {deleted} {timestamp},
  photo {binary});
CREATE TABLE addresses (id VARCHAR(36) PRIMARY KEY, street VARCHAR(80),
  customer_id VARCHAR(36) NOT NULL REFERENCES customers(id) ON DELETE CASCADE);
CREATE TABLE categories (id VARCHAR(36) PRIMARY KEY, label VARCHAR(30), parent VARCHAR(36) REFERENCES categories(id));
CREATE TABLE customers_categories ({customerId} VARCHAR(36) NOT NULL, {categoryId} VARCHAR(36) NOT NULL,
  PRIMARY KEY ({customerId}, {categoryId}), FOREIGN KEY ({customerId}) REFERENCES customers(id),
  FOREIGN KEY ({categoryId}) REFERENCES categories(id));
CREATE TABLE stock_levels (shop INTEGER NOT NULL, part VARCHAR(20) NOT NULL, amount DECIMAL(10, 2),
  PRIMARY KEY (shop, part));
CREATE TABLE codes (id INTEGER PRIMARY KEY, code VARCHAR(10));
CREATE INDEX by_age ON customers (age, active);
"""


def _sql(quote: str, timestamp: str, binary: str) -> str:
    names = {"created": "createdAt", "updated": "updatedAt", "deleted": "deletedAt"}
    names |= {"customerId": "customerId", "categoryId": "categoryId"}
    return _SQL.format(
        timestamp=timestamp, binary=binary, **{key: f"{quote}{name}{quote}" for key, name in names.items()}
    )


def _sqlite(folder: Path) -> str:
    with closing(sqlite3.connect(folder / "old.db")) as database:
        database.executescript(_sql('"', "DATETIME", "BLOB"))
    return str(folder / "old.db")


def _postgres(folder: Path) -> str:
    if reason := postgres.missing():
        pytest.skip(reason)
    uri = postgres.server().uri(folder)
    postgres.server().sql(_sql('"', "TIMESTAMPTZ", "BYTEA"), uri.rpartition("/")[2])
    return uri


def _cockroachdb(folder: Path) -> str:
    if reason := cockroachdb.missing():
        pytest.skip(reason)
    uri = cockroachdb.server().uri(folder)
    cockroachdb.server().sql(_sql('"', "TIMESTAMPTZ", "BYTEA"), uri.rpartition("/")[2])
    return uri


def _mysql(folder: Path) -> str:
    if reason := mysql.missing():
        pytest.skip(reason)
    uri = mysql.server().uri(folder)
    mysql.server().sql(_sql("`", "DATETIME(6)", "LONGBLOB"), uri.rpartition("/")[2])
    return uri


def _mariadb(folder: Path) -> str:
    if reason := mariadb.missing():
        pytest.skip(reason)
    uri = mariadb.server().uri(folder)
    mariadb.server().sql(_sql("`", "DATETIME(6)", "LONGBLOB"), uri.rpartition("/")[2])
    return uri


def _hsqldb(folder: Path) -> str:
    if reason := hsqldb.missing():
        pytest.skip(reason)
    uri = hsqldb.server().uri(folder)
    text = _sql('"', "TIMESTAMP", "BLOB").replace(" TEXT", " LONGVARCHAR")
    hsqldb.server().sql("; ".join(part.strip() for part in text.strip().rstrip(";").split(";")), uri.rpartition("/")[2])
    return uri


def _introspect(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "octonet", "introspect", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def _schema(*arguments: str) -> tuple[dict[str, Any], str]:
    """The entities by name, and the notes."""
    done = _introspect(*arguments)
    assert done.returncode == 0, done.stderr
    parse(done.stdout)
    return {entity["name"]: entity for entity in json.loads(done.stdout)}, done.stderr


@pytest.mark.parametrize("make", [_sqlite, _postgres, _cockroachdb, _mariadb, _mysql, _hsqldb])
def test_tables_keys_links_and_indexes_become_a_schema(make: Callable[[Path], str], tmp_path: Path) -> None:
    found, notes = _schema(make(tmp_path))
    assert set(found) == {"Customer", "Address", "Category", "StockLevel", "Code"}
    customer = found["Customer"]
    assert customer["collection"] == "customers"
    assert customer["fields"] == {
        "email": {"type": "string", "required": True, "unique": True},
        "bio": {"type": "text"},
        "age": {"type": "number"},
        "active": {"type": "boolean", "required": True},
    }
    assert (customer["timestamps"], customer["softDelete"]) == (True, True)
    assert customer["indexes"] == [{"fields": {"age": "asc", "active": "asc"}}]
    links = {"target": "Category", "type": "many-to-many", "through": "customers_categories"}
    assert customer["relations"] == {"categories": links}
    of_customer = {"target": "Customer", "type": "many-to-one", "joinColumn": "customer_id", "required": True}
    assert found["Address"]["relations"] == {"customer": {**of_customer, "onDelete": "cascade"}}
    assert found["Category"]["relations"]["parent"]["target"] == "Category"
    assert found["StockLevel"]["indexes"] == [{"fields": {"shop": "asc", "part": "asc"}, "unique": True}]
    for words in ("column photo is left out", "its key is shop, part", "its id is of type INTEGER"):
        assert words in notes, notes


def test_the_schema_that_comes_out_can_be_served(tmp_path: Path) -> None:
    file = tmp_path / "schemas.json"
    assert _introspect(_sqlite(tmp_path), "--output", str(file)).returncode == 0
    with Server(tmp_path / "data", file) as server:
        assert "Traceback" not in server.log()
    again = _introspect(str(tmp_path / "old.db"), "--output", str(file))
    assert (again.returncode, "cannot be written" in again.stderr) == (1, True)


def test_documents_become_a_schema_by_what_they_hold(tmp_path: Path) -> None:
    if reason := mongodb.missing():
        pytest.skip(reason)
    uri = mongodb.server().uri(tmp_path)
    with pymongo.MongoClient[dict[str, object]](uri) as client:
        database = client.get_default_database()
        at = datetime.datetime(2024, 5, 6, tzinfo=datetime.UTC)
        tags: list[object] = ["x"]
        customers: list[dict[str, object]] = [
            {"_id": "a", "email": "a@b.c", "age": 1, "active": True, "born": at, "tags": tags, "prefs": {"x": 1}},
            {"_id": "b", "email": "b@b.c", "age": 2.5, "active": False, "bio": "x" * 256, "odd": 1, "none": None},
            {"_id": "c", "email": "c@b.c", "active": True, "odd": "one"},
        ]
        database["customers"].insert_many(customers)
        database["customers"].create_index("email", unique=True)
        database["customers"].create_index([("age", 1), ("active", -1)])
        database["customers"].create_index("prefs.x")
        database["things"].insert_one({"n": 1})
        database["nothing"].create_index("n")
    found, notes = _schema(uri)
    assert set(found) == {"Customer", "Thing"}
    assert found["Customer"]["fields"] == {
        "email": {"type": "string", "required": True, "unique": True},
        "age": {"type": "number"},
        "active": {"type": "boolean", "required": True},
        "born": {"type": "date"},
        "tags": {"type": "array"},
        "prefs": {"type": "json"},
        "bio": {"type": "text"},
    }
    assert found["Customer"]["indexes"] == [{"fields": {"age": "asc", "active": "asc"}}]
    for words in (
        "column odd is left out: no field holds a number or string",
        "column none is left out: no field holds a null",
        "is left out: it is not over columns alone",
        "table things: its id is of type objectId",
    ):
        assert words in notes, notes


@pytest.mark.parametrize("kind", [None, postgres, mariadb, hsqldb, mongodb])
def test_a_database_that_octonet_made_tells_its_own_schema(kind: Any, tmp_path: Path) -> None:
    if kind is not None and kind.missing():
        pytest.skip(kind.missing())
    server = Server(tmp_path / "data", SHOP)
    (tmp_path / "one.ndjson").write_text('{"slug": "a", "body": "b"}\n')
    assert now(server, "load", "Note", str(tmp_path / "one.ndjson")).returncode == 0
    uri = f"sqlite:///{tmp_path}/data/octonet.db"
    if kind is not None:
        uri = kind.server().uri(tmp_path)
        assert now(server, "replay", "--to", uri).returncode == 0
    done = _introspect(uri)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads(SHOP.read_text())


def test_some_tables_only(tmp_path: Path) -> None:
    found, notes = _schema(_sqlite(tmp_path), "--only", "addresses,codes")
    assert set(found) == {"Address", "Code"}
    assert "the reference of customer_id to customers is no relation" in notes
    unknown = _introspect(str(tmp_path / "old.db"), "--only", "adresses")
    assert (unknown.returncode, "no table adresses" in unknown.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nothing.db",), "tells no kind of database"),
        (("sqlite:///nothing.db",), "there is no file"),
        ((str(FLIGHTS / "airports.csv"),), "cannot be read"),
        (("postgresql://nobody@127.0.0.1:1/shop",), "nobody answers"),
        (("mariadb://nobody@127.0.0.1:1/shop",), "nobody answers"),
        (("clay://tablet", "--dialect", "cuneiform"), "there is no dialect"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_sentence(arguments: tuple[str, ...], words: str) -> None:
    done = _introspect(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
