"""Whatever comes to the OData door: clear errors in its own words, and never a server's."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.running import Server
from tests.unit.arbitrary import documents

LIBRARY = Path(__file__).parents[1] / "conformance" / "library.json"


class Line:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=90)

    def close(self) -> None:
        self._connection.close()

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str, str]:
        """Status, content type and body."""
        named = {"Content-Type": "application/json", **{name.replace("_", "-"): v for name, v in headers.items()}}
        self._connection.request(method, path, body, named)
        reply = self._connection.getresponse()
        return reply.status, reply.headers.get("Content-Type", ""), reply.read().decode()

    def code(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, str]:
        """Status and code of an error, whose body must be OData's."""
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        status, kind, text = self.ask(method, quote(path, safe="/?$&=%'(),:;@*+!"), raw, **headers)
        error = json.loads(text)["error"]
        assert kind.startswith("application/json")
        assert error["message"]
        assert all(set(detail) == {"code", "message", "target"} for detail in error.get("details", []))
        return status, error["code"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("bad") / "data", LIBRARY) as found:
        yield found
    assert "Traceback" not in found.log()
    assert "incident" not in found.log()


@pytest.fixture
def line(server: Server) -> Iterator[Line]:
    with closing(Line(server.port)) as found:
        assert found.ask("PUT", "/odata/tags('t')", b'{"label":"t"}')[0] in (200, 201)
        yield found


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("authors?$filter=nope eq 1", 400, "UNKNOWN_FIELD"),
        ("authors?$filter=nope(name) eq 1", 400, "UNKNOWN_FUNCTION"),
        ("authors?$filter=name eq 5", 422, "VALIDATION_ERROR"),
        ("authors?$filter=born eq 'yesterday'", 422, "VALIDATION_ERROR"),
        ("authors?$filter=password eq 'x'", 400, "FIELD_NOT_ALLOWED"),
        ("authors?$filter=name", 400, "SYNTAX_ERROR"),
        ("authors?$filter=books/title eq 'x'", 400, "SYNTAX_ERROR"),
        ("authors?$filter=contains(rating,'1')", 400, "SYNTAX_ERROR"),
        ("authors?$filter=rating gt 99999999999999999999", 422, "VALIDATION_ERROR"),
        ("authors?$orderby=nope", 400, "UNKNOWN_FIELD"),
        ("authors?$orderby=name up", 400, "SYNTAX_ERROR"),
        ("authors?$orderby=", 400, "SYNTAX_ERROR"),
        ("authors?$orderby=password", 400, "FIELD_NOT_ALLOWED"),
        ("authors?$select=nope", 400, "UNKNOWN_FIELD"),
        ("authors?$select=password", 400, "UNKNOWN_FIELD"),
        ("authors?$expand=nope", 400, "UNKNOWN_RELATION"),
        ("authors?$expand=books(nope)", 400, "SYNTAX_ERROR"),
        ("authors?$expand=books/$ref($select=title)", 400, "SYNTAX_ERROR"),
        ("authors?$expand=books/$count($top=1)", 400, "SYNTAX_ERROR"),
        ("authors?$expand=books($filter=nope eq 1)", 400, "UNKNOWN_FIELD"),
        ("authors?$expand=books($levels=3)", 400, "INVALID_REQUEST"),
        ("authors?$top=-1", 400, "INVALID_REQUEST"),
        ("authors?$top=ten", 400, "INVALID_REQUEST"),
        ("authors?$count=maybe", 400, "INVALID_REQUEST"),
        ("authors?$skiptoken=nonsense", 400, "INVALID_CURSOR"),
        ("authors?$skiptoken=WyJ4IiwieSJd", 400, "INVALID_CURSOR"),
        ("authors?$deltatoken=nonsense", 400, "INVALID_POSITION"),
        ("authors?$top=1&$top=2", 400, "INVALID_REQUEST"),
        ("authors?$top=1&top=2", 400, "INVALID_REQUEST"),
        ("authors?colour=red", 400, "UNKNOWN_PARAMETER"),
        ("authors?$search=", 400, "SYNTAX_ERROR"),
        ("authors?$search=(a", 400, "SYNTAX_ERROR"),
        ("loans?$search=a", 400, "NOT_SEARCHABLE"),
        ("authors?$apply=sum(x)", 400, "SYNTAX_ERROR"),
        ("authors?$apply=aggregate(name with sum as s)", 400, "INVALID_STAGE"),
        ("authors?$apply=groupby((nope))", 400, "UNKNOWN_FIELD"),
        ("authors('x')?$filter=name eq 'x'", 400, "UNKNOWN_PARAMETER"),
        ("authors/$count?$top=1", 400, "UNKNOWN_PARAMETER"),
        ("authors/$everything", 501, "NOT_IMPLEMENTED"),
        ("authors('x')/nope", 404, "NOT_FOUND"),
        ("authors('x')/name/more", 404, "NOT_FOUND"),
        ("authors('x", 404, "ENTITY_NOT_FOUND"),
        ("authors('a'b')", 400, "INVALID_KEY"),
        ("authors/MostaJS.nope", 404, "NOT_FOUND"),
        ("authors/MostaJS.updateMany", 405, "METHOD_NOT_ALLOWED"),
        ("$metadata?$filter=x", 400, "UNKNOWN_PARAMETER"),
        ("$batch", 405, "METHOD_NOT_ALLOWED"),
        ("authors?$filter=" + "(" * 600, 400, "SYNTAX_ERROR"),
        ("authors?$filter=%ff", 400, "PARSE_ERROR"),
    ],
)  # fmt: skip
def test_what_is_asked_wrongly_is_refused_with_its_reason(line: Line, path: str, status: int, code: str) -> None:
    assert line.code("GET", f"/odata/{path}") == (status, code)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("PATCH", "tags('t')", {"lable": "x"}, 422, "UNKNOWN_FIELD"),
        ("POST", "tags", {"label": 5}, 422, "VALIDATION_ERROR"),
        ("POST", "tags", [], 400, "INVALID_REQUEST"),
        ("POST", "tags", b"{", 400, "PARSE_ERROR"),
        ("POST", "tags", b'{"label":"a","label":"b"}', 400, "DUPLICATE_MEMBER"),
        ("POST", "books", {"title": "x", "author@odata.bind": "nowhere"}, 400, "INVALID_REFERENCE"),
        ("POST", "books", {"title": "x", "author@odata.bind": "tags('t')"}, 400, "INVALID_REQUEST"),
        ("POST", "books", {"title": "x", "author": "nobody"}, 422, "REFERENCE_NOT_FOUND"),
        ("POST", "books", {"title": "x", "author": "a", "author_id": "b"}, 400, "INVALID_REQUEST"),
        ("POST", "authors", {"email": "x@x", "books": [{"@id": "books('b')"}]}, 501, "NOT_IMPLEMENTED"),
        ("POST", "authors", {"email": "x@x", "books": ["b"]}, 422, "UNKNOWN_FIELD"),
        ("PATCH", "authors('x')", {"tags@odata.bind": ["tags('t')"]}, 501, "NOT_IMPLEMENTED"),
        ("POST", "tags('t')", {}, 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "tags", None, 501, "NOT_IMPLEMENTED"),
        ("DELETE", "tags('nobody')", None, 404, "NOT_FOUND"),
        ("PATCH", "tags('t')/label", {"value": 5}, 422, "VALIDATION_ERROR"),
        ("DELETE", "tags('t')/label", None, 422, "VALIDATION_ERROR"),
        ("POST", "tags/MostaJS.deleteMany", {}, 400, "FILTER_REQUIRED"),
        ("POST", "tags/MostaJS.increment", {"filter": {}}, 400, "UNKNOWN_MEMBER"),
        ("POST", "tags('t')/MostaJS.increment", {"id": "x"}, 400, "INVALID_REQUEST"),
        ("POST", "tags/$ref", {"@odata.id": "tags('t')"}, 405, "METHOD_NOT_ALLOWED"),
        ("POST", "tags?$filter=x", {}, 400, "UNKNOWN_PARAMETER"),
    ],
)
def test_what_is_written_wrongly_is_refused_whole(
    line: Line, method: str, path: str, body: object, status: int, code: str
) -> None:
    before = line.ask("GET", "/odata/tags")[2]
    assert line.code(method, f"/odata/{path}", body) == (status, code)
    assert line.ask("GET", "/odata/tags")[2] == before


def test_stale_and_strange_tags_are_refused(line: Line) -> None:
    for tag, told in (('"99"', (412, "VERSION_MISMATCH")), ('W/"1"', (409, "VERSION_MISMATCH")), ("x", None)):
        found = line.code("PATCH", "/odata/tags('t')", {"label": "u"}, If_Match=tag)
        assert found in ((412, "VERSION_MISMATCH"), (400, "INVALID_VERSION")), (tag, told)


TEN_THOUSAND = b"--b\r\nContent-Type: application/http\r\n\r\nGET tags HTTP/1.1\r\n\r\n" * 10_000 + b"--b--"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/mixed", b"--b--"), ("multipart/mixed; boundary=b", b""), ("multipart/mixed; boundary=b", b"--b"),
        ("multipart/mixed; boundary=b", b"--b\r\nno colon\r\n\r\n--b--"), ("text/plain", b"x"),
        ("multipart/mixed; boundary=b", b"--b\r\nContent-Type: application/http\r\n\r\nNOT A LINE\r\n--b--"),
        ("application/json", b"{}"), ("application/json", b'{"requests":[7]}'),
        ("multipart/mixed; boundary=b", TEN_THOUSAND),
    ],
)  # fmt: skip
def test_a_batch_that_is_none_is_refused(line: Line, kind: str, body: bytes) -> None:
    status, code = line.code("POST", "/odata/$batch", body, Content_Type=kind)
    assert (status, code) in ((400, "INVALID_BATCH"), (413, "BATCH_TOO_LARGE"))


_OPTIONS = [
    "$filter", "$orderby", "$select", "$expand", "$search", "$apply", "$top", "$skip", "$count", "$skiptoken",
    "$deltatoken", "$format", "$levels", "$compute", "@p", "filter",
]  # fmt: skip
_PIECES = [
    "name", "eq", "ne", "and", "or", "not", "'x'", "1", "null", "(", ")", ",", "/", "books", "mentor", "any(b:b/",
    "all(", "title", "$count", "true", "asc", "desc", "contains(", "in", "@p", "tags", ";", "$select=", "password",
    "groupby((", "aggregate(", "with sum as n", "2001-01-01", "year(born)", "*", "$ref", "created", "profile",
    "length(name)", "'", "%00", "\U0001f600",
]  # fmt: skip
_SEGMENTS = [
    "authors", "books", "tags", "('t')", "('x')", "/", "mentor", "books", "$ref", "$count", "$value", "name",
    "MostaJS.findAll", "MostaJS.upsert", "$metadata", "$batch", "(", "%27", "id='t'", "author", "notes",
]  # fmt: skip
_values = st.lists(st.sampled_from(_PIECES), max_size=8).map(" ".join) | st.text(max_size=10)
_queries = st.lists(st.tuples(st.sampled_from(_OPTIONS), _values), max_size=3)
_paths = st.lists(st.sampled_from(_SEGMENTS), max_size=5).map("".join) | st.sampled_from(["authors", "tags('t')"])
_bodies = documents(
    "id", "label", "email", "name", "books", "tags", "mentor", "mentor@odata.bind", "@odata.type", "title", "value",
    "filter", "data", "requests", "url", "method", "atomicityGroup", "@odata.id", "tags_ids", "mentor_id",
)  # fmt: skip


def test_nothing_makes_the_server_fail(line: Line) -> None:
    @settings(max_examples=600, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(
        method=st.sampled_from(["GET", "GET", "GET", "POST", "PATCH", "PUT", "DELETE"]),
        path=_paths,
        query=_queries,
        body=_bodies,
        accept=st.sampled_from(["", "*/*", "application/json;odata.metadata=full", "application/xml", "text/plain"]),
    )
    def fuzz(method: str, path: str, query: list[tuple[str, str]], body: object, accept: str) -> None:
        text = "&".join(f"{name}={quote(value)}" for name, value in query)
        address = f"/odata/{quote(path, safe='/$()%=')}?{text}"
        raw = None if method == "GET" else json.dumps(body).encode()
        status, _, told = line.ask(method, address, raw, Accept=accept)
        assert status < 500 or status == 501, (method, address, body, told)
        if status >= 400:
            assert set(json.loads(told)) == {"error"}, (address, told)

    fuzz()
