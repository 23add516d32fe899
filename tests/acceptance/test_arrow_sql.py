"""Flight SQL, by the ADBC driver: one SELECT at a time, over the entities of one project, and nothing else."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pyarrow as pa
import pytest
from adbc_driver_flightsql import dbapi
from adbc_driver_manager import Error
from pyarrow import flight

from tests.acceptance.arrow_site import Site, descriptor
from transports.engine.arrow import wire

pytestmark = pytest.mark.filterwarnings("ignore:Cannot disable autocommit")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    found = Site(tmp_path_factory.mktemp("sql")).open()
    flights = found.flights()
    for number in range(3):
        flights.act("create", entity="Kind", data={"id": f"k{number}", "string": f"s{number}", "date": "2024-01-02"})
    sizes = list(range(3000))
    labels = [f"p{n}" for n in sizes]
    flights.put(
        descriptor("Part"),
        pa.record_batch({"id": labels, "label": labels, "size": sizes, "kind": [f"k{n % 3}" for n in sizes]}),
    )
    flights.act("create", entity="Part", project="other", data={"label": "of the other project"})
    yield found
    assert found.server.stop() == 0
    assert "Traceback" not in found.server.log()


def connect(site: Site, key: str = "", project: str = "") -> Any:
    options = {"username": "anybody", "password": key or site.office}
    if project:
        options["adbc.flight.sql.rpc.call_header.x-project"] = project
    return closing(dbapi.connect(site.location, db_kwargs=options))


def ask(site: Site, sql: str, parameters: Any = None, key: str = "", project: str = "") -> list[tuple[Any, ...]]:
    with connect(site, key, project) as connection, connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def refused(site: Site, sql: str, parameters: Any = None) -> str:
    """The code of the error."""
    with pytest.raises(Error) as problem:
        ask(site, sql, parameters)
    told = str(problem.value)
    assert "Traceback" not in told
    return str(re.findall(r"\[([A-Z_]{4,})\]", told)[-1])


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT 1", [(1,)]),
        ("SELECT count(*) FROM Part", [(3000,)]),
        ("SELECT sum(size) FROM parts WHERE size < 4", [(6.0,)]),
        ("SELECT label FROM Part WHERE size >= 2998 AND size < 2999", [("p2998",)]),
        ("SELECT label FROM part WHERE 5 > size AND label > 'p3'", [("p4",)]),
        (
            "SELECT k.string, count(*), max(p.size) FROM Kind k JOIN Part p ON p.kind = k.id GROUP BY 1 ORDER BY 1",
            [("s0", 1000, 2997.0), ("s1", 1000, 2998.0), ("s2", 1000, 2999.0)],
        ),
        ("SELECT k.id, p.id FROM Kind k LEFT JOIN Part p ON p.kind = k.id AND p.size > 2998 ORDER BY 1",
         [("k0", None), ("k1", None), ("k2", "p2999")]),
        ("SELECT k.id, p.id FROM Kind k LEFT JOIN Part p ON p.kind = k.id WHERE p.size > 2998", [("k2", "p2999")]),
        ("WITH w AS (SELECT * FROM Part WHERE size < 2) SELECT a.id, b.id FROM w a, w b WHERE a.id < b.id",
         [("p0", "p1")]),
        ("SELECT label FROM Part WHERE size = (SELECT max(size) FROM Part)", [("p2999",)]),
        ("SELECT id FROM Kind EXCEPT SELECT kind FROM Part WHERE size > 0", []),
        ("(SELECT 'a') UNION ALL (SELECT id FROM Part WHERE id = 'p7')", [("a",), ("p7",)]),
        ("SELECT row_number() OVER (ORDER BY size DESC), id FROM Part ORDER BY 1 LIMIT 1", [(1, "p2999")]),
        ("SELECT year(date) FROM default.main.Kind WHERE id = 'k0'", [(2024,)]),
        ("SELECT count(*) FROM Kind WHERE date_trunc('year', date) = '2024-01-01'", [(3,)]),
        ("SELECT unnest([1, 2])", [(1,), (2,)]),
    ],
)  # fmt: skip
def test_a_select_is_answered(site: Site, sql: str, rows: list[Any]) -> None:
    assert ask(site, sql) == rows


@pytest.mark.parametrize(
    ("sql", "parameters", "rows"),
    [
        ("SELECT id FROM Part WHERE label = ?", ("p5",), [("p5",)]),
        ("SELECT id FROM Part WHERE size > ? AND size < ?", (10, 12), [("p11",)]),
        ("SELECT ? || id FROM Part WHERE id = ?", ("x", "p1"), [("xp1",)]),
        ("SELECT id FROM Part WHERE size = $1 OR size = $1 + 1 ORDER BY 1", (3,), [("p3",), ("p4",)]),
        ("SELECT id FROM Part WHERE label = ?", ("' OR 1=1 --",), []),
        ("SELECT id FROM Part WHERE size = ?", (2.5,), []),
        ("SELECT id FROM Part WHERE id = ? AND size = ?", ("p1", None), []),
    ],
)
def test_parameters_are_values_and_never_text(site: Site, sql: str, parameters: Any, rows: list[Any]) -> None:
    assert ask(site, sql, parameters) == rows


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("INSERT INTO Part VALUES ('x')", "SQL_REFUSED"),
        ("UPDATE Part SET size = 1", "SQL_REFUSED"),
        ("DELETE FROM Part", "SQL_REFUSED"),
        ("DROP TABLE Part", "SQL_REFUSED"),
        ("CREATE TABLE x AS SELECT 1", "SQL_REFUSED"),
        ("WITH x AS (DELETE FROM Part RETURNING *) SELECT * FROM x", "SQL_REFUSED"),
        ("SELECT * INTO x FROM Part", "SQL_REFUSED"),
        ("SELECT 1; SELECT 2", "SQL_REFUSED"),
        ("SELECT 1; DROP TABLE Part", "SQL_REFUSED"),
        ("ATTACH '/tmp/x.db'", "SQL_REFUSED"),
        ("COPY Part TO '/tmp/x'", "SQL_REFUSED"),
        ("COPY (SELECT 1) TO '/tmp/x'", "SQL_REFUSED"),
        ("INSTALL httpfs", "SQL_REFUSED"),
        ("LOAD httpfs", "SQL_REFUSED"),
        ("PRAGMA version", "SQL_REFUSED"),
        ("SET memory_limit = '10GB'", "SQL_REFUSED"),
        ("SHOW TABLES", "SQL_REFUSED"),
        ("DESCRIBE Part", "SQL_REFUSED"),
        ("EXPLAIN SELECT 1", "SQL_REFUSED"),
        ("CALL pragma_version()", "SQL_REFUSED"),
        ("-- nothing", "SQL_REFUSED"),
        ("SELECT * FROM read_csv('/etc/passwd')", "SQL_REFUSED"),
        ("SELECT * FROM read_text('/etc/passwd')", "SQL_REFUSED"),
        ("SELECT * FROM glob('/*')", "SQL_REFUSED"),
        ("SELECT * FROM query('SELECT 1')", "SQL_REFUSED"),
        ("SELECT * FROM range(10)", "SQL_REFUSED"),
        ("SELECT * FROM duckdb_settings()", "SQL_REFUSED"),
        ("SELECT * FROM Part, LATERAL read_csv('/etc/passwd')", "SQL_REFUSED"),
        ("SELECT current_setting('memory_limit')", "SQL_REFUSED"),
        ("SELECT * FROM '/etc/passwd'", "ENTITY_NOT_FOUND"),
        ('SELECT * FROM "/etc/passwd"', "ENTITY_NOT_FOUND"),
        ("SELECT * FROM pg_class", "ENTITY_NOT_FOUND"),
        ("SELECT * FROM octonet_checkpoint", "ENTITY_NOT_FOUND"),
        ("SELECT * FROM sqlite_master", "ENTITY_NOT_FOUND"),
        ("SELECT * FROM t0", "ENTITY_NOT_FOUND"),
        ("SELECT (SELECT count(*) FROM pg_class)", "ENTITY_NOT_FOUND"),
        ("WITH x AS (SELECT * FROM ApiKey) SELECT 1", "ENTITY_NOT_FOUND"),
        ("SELECT * FROM information_schema.tables", "SQL_REFUSED"),
        ("SELECT * FROM other.main.Part", "SQL_REFUSED"),
        ("SELECT * FROM _system.main.ApiKey", "SQL_REFUSED"),
        ("SELECT password FROM Kind", "SQL_FAILED"),
        ("SELECT nothing FROM Kind", "SQL_FAILED"),
        ("SELECT _version FROM Kind", "SQL_FAILED"),
        ("SELECT id FROM Kind WHERE id = :name", "SQL_REFUSED"),
        ("SELECT id FROM Kind WHERE id = $name", "SQL_REFUSED"),
        ("SELECT id FROM Kind WHERE id = ? AND id = $1", "SQL_REFUSED"),
        ("SELECT FROM WHERE", "SQL_SYNTAX"),
        ("SELECT ((((", "SQL_SYNTAX"),
        ("SELECT " + "(" * 5000 + "1" + ")" * 5000, "SQL_REFUSED"),
        ("SELECT '" + "x" * 70_000 + "'", "SQL_REFUSED"),
    ],
)
def test_whatever_is_not_one_select_over_entities_is_refused(site: Site, sql: str, expected: str) -> None:
    assert refused(site, sql) == expected
    assert ask(site, "SELECT count(*) FROM Part") == [(3000,)]


def test_rows_of_another_project_never_appear(site: Site) -> None:
    for project, count in (("default", 3000), ("other", 1)):
        key = site.keys[project]
        assert ask(site, "SELECT count(*) FROM Part", key=key, project=project) == [(count,)]
        assert ask(site, f"SELECT count(*) FROM {project}.main.Part", key=key, project=project) == [(count,)]
    with pytest.raises(Error, match="FORBIDDEN"):
        ask(site, "SELECT count(*) FROM Part", key=site.keys["other"], project="default")
    assert ask(site, "SELECT label FROM Part", project="other") == [("of the other project",)]


def test_softly_deleted_rows_do_not_appear(site: Site) -> None:
    flights = site.flights()
    flights.act("create", entity="Kind", data={"id": "gone", "string": "gone"})
    flights.act("delete", entity="Kind", id="gone")
    assert ask(site, "SELECT count(*) FROM Kind WHERE id = 'gone'") == [(0,)]


def test_a_write_is_seen_by_the_statement_after_it(site: Site) -> None:
    site.flights().act("update", entity="Kind", id="k0", data={"number": 41})
    assert ask(site, "SELECT number + 1 FROM Kind WHERE id = 'k0'") == [(42.0,)]
    site.flights().act("update", entity="Kind", id="k0", data={"number": None})


def test_a_statement_that_takes_too_long_is_ended(site: Site) -> None:
    began = time.monotonic()
    assert refused(
        site, "SELECT count(*) FROM Part a, Part b, Part c, Part d WHERE a.size+b.size+c.size = d.size*7"
    ) == ("QUERY_TIMEOUT")
    assert refused(site, "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r") in (
        "QUERY_TIMEOUT",
        "QUERY_TOO_LARGE",
    )
    assert time.monotonic() - began < 120


def test_statements_beyond_those_that_are_run_at_a_time_wait_for_their_turn(site: Site) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda n: ask(site, f"SELECT sum(size) FROM Part WHERE size < {n}"), range(16)))
    assert found == [[(None if n == 0 else n * (n - 1) / 2,)] for n in range(16)]


def test_a_statement_whose_client_went_away_makes_room(site: Site) -> None:
    flights = site.flights()
    endless = wire.pack(
        "CommandStatementQuery",
        wire.field(1, b"WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT n FROM r"),
    )
    for _ in range(6):
        info = flights.client.get_flight_info(flight.FlightDescriptor.for_command(endless), flights.options)
        reader = flights.client.do_get(info.endpoints[0].ticket, flights.options)
        reader.cancel()
    assert ask(site, "SELECT count(*) FROM Kind WHERE id = 'k0'") == [(1,)]


def test_a_client_that_takes_its_time_does_not_lose_its_answer(site: Site) -> None:
    flights = site.flights()
    query = wire.pack("CommandStatementQuery", wire.field(1, b"SELECT a.id FROM Part a WHERE a.size < 2999"))
    info = flights.client.get_flight_info(flight.FlightDescriptor.for_command(query), flights.options)
    reader = flights.client.do_get(info.endpoints[0].ticket, flights.options)
    time.sleep(3)
    assert reader.read_all().num_rows == 2999


def test_an_answer_with_too_many_rows_is_cut_off(site: Site) -> None:
    assert len(ask(site, "SELECT a.id FROM Part a, Kind b WHERE a.size < 1600")) == 4800
    assert refused(site, "SELECT a.id FROM Part a, Kind b") == "TOO_MANY_ROWS"


def test_a_statement_cannot_take_all_the_memory(site: Site) -> None:
    assert refused(site, "SELECT length(string_agg(a.id || b.label || repeat('x', 1000), '')) FROM Part a, Part b") in (
        "QUERY_TOO_LARGE",
        "QUERY_TIMEOUT",
    )


def test_objects_are_told_to_their_columns(site: Site) -> None:
    with connect(site) as connection:
        (catalog,) = connection.adbc_get_objects(depth="all").read_all().to_pylist()
        (schema,) = catalog["catalog_db_schemas"]
        tables = {table["table_name"]: table for table in schema["db_schema_tables"]}
        assert (catalog["catalog_name"], schema["db_schema_name"], set(tables)) == ("default", "main", {"Kind", "Part"})
        columns = [column["column_name"] for column in tables["Part"]["table_columns"]]
        assert columns == ["id", "label", "size", "kind"]
        assert "password" not in [column["column_name"] for column in tables["Kind"]["table_columns"]]
        found = connection.adbc_get_objects(depth="tables", table_name_filter="P%").read_all().to_pylist()
        assert [table["table_name"] for table in found[0]["catalog_db_schemas"][0]["db_schema_tables"]] == ["Part"]
        assert connection.adbc_get_table_types() == ["TABLE"]
        assert connection.adbc_get_info()["vendor_name"] == "Octonet"


def test_the_columns_told_of_a_table_are_those_of_its_rows(site: Site) -> None:
    with connect(site) as connection, connection.cursor() as cursor:
        told = connection.adbc_get_table_schema("Kind")
        cursor.execute("SELECT * FROM Kind")
        found = cursor.fetch_arrow_table().schema
        assert [(f.name, f.type) for f in told] == [(f.name, f.type) for f in found]


def test_keys_and_references_are_told(site: Site) -> None:
    flights = site.flights()

    def told(name: str, *fields: tuple[int, str]) -> list[dict[str, Any]]:
        body = wire.pack(name, b"".join(wire.field(number, text.encode()) for number, text in fields))
        info = flights.client.get_flight_info(flight.FlightDescriptor.for_command(body), flights.options)
        table = flights.get(info.endpoints[0].ticket)
        assert table.schema == info.schema
        return list(table.to_pylist())

    (primary,) = told("CommandGetPrimaryKeys", (3, "Part"))
    assert (primary["table_name"], primary["column_name"], primary["key_sequence"]) == ("Part", "id", 1)
    (imported,) = told("CommandGetImportedKeys", (3, "Part"))
    assert (imported["pk_table_name"], imported["fk_column_name"], imported["delete_rule"]) == ("Kind", "kind", 2)
    exported = told("CommandGetExportedKeys", (3, "Kind"))
    assert sorted(one["fk_table_name"] for one in exported) == ["Kind", "Part"]
    assert told("CommandGetCrossReference", (3, "Kind"), (6, "Part")) == [imported]
    assert {one["type_name"] for one in told("CommandGetXdbcTypeInfo")} >= {"VARCHAR", "DOUBLE", "BOOLEAN"}
    assert [one["catalog_name"] for one in told("CommandGetCatalogs")] == ["default"]
    assert [one["db_schema_name"] for one in told("CommandGetDbSchemas", (2, "ma%"))] == ["main"]
    assert told("CommandGetDbSchemas", (2, "x%")) == []


def test_updates_and_transactions_are_refused(site: Site) -> None:
    with connect(site) as connection, connection.cursor() as cursor:
        with pytest.raises(Error):
            cursor.adbc_ingest("Part", pa.table({"label": ["x"]}), mode="append")
        with pytest.raises(Error):
            cursor.executemany("INSERT INTO Part VALUES (?)", [("x",)])
    assert ask(site, "SELECT count(*) FROM Part") == [(3000,)]


def test_what_a_filter_can_say_of_a_statement_is_asked_of_the_database(site: Site) -> None:
    """Seen from outside: what is known to be exact is."""
    for label in ("p1", "P1", "p1 ", ""):
        sql = f"SELECT count(*) FROM Part WHERE label = '{label}'"
        assert ask(site, sql) == [(sum(1 for n in range(3000) if f"p{n}" == label),)], json.dumps(label)
    assert ask(site, "SELECT count(*) FROM Part WHERE label >= 'p9' AND label < 'p91'") == [
        (sum(1 for n in range(3000) if "p9" <= f"p{n}" < "p91"),)
    ]
