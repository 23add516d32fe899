"""OData by its letter: versions, formats, addresses, conditions, references, changes since."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from yarl import URL

from tests.acceptance.odata_site import Site, multipart, opened, part, served
from tests.running import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("odata")) as found:
        yield found


@pytest.fixture
async def site(server: Server) -> AsyncIterator[Site]:
    async with opened(server) as found:
        yield found


async def test_the_service_document_names_every_set(site: Site) -> None:
    for path in ("/odata", "/odata/", "/other/odata"):
        told = await site.get(path)
        root = path.rstrip("/")
        assert told.json["@odata.context"] == f"{root}/$metadata"
        assert {"name": "authors", "kind": "EntitySet", "url": "authors"} in told.json["value"]
    head = await site.ask("HEAD", "/odata/", X_CSRF_Token="Fetch")
    assert (head.status, head.text) == (200, "")


async def test_the_version_is_told_and_honoured(site: Site) -> None:
    for headers, version in (
        ({}, "4.01"), ({"OData-MaxVersion": "4.0"}, "4.0"), ({"OData-MaxVersion": "4.01"}, "4.01"),
        ({"OData-Version": "4.0"}, "4.0"), ({"OData-MaxVersion": "5.0"}, "4.01"),
    ):  # fmt: skip
        assert (await site.get("authors", **headers)).headers["OData-Version"] == version
        assert (await site.get("nothing", **headers)).headers["OData-Version"] == version
    for headers in ({"OData-MaxVersion": "3.0"}, {"OData-Version": "2.0"}, {"OData-MaxVersion": "new"}):
        assert (await site.get("authors", **headers)).code == (400, "UNSUPPORTED_VERSION")


async def test_the_metadata_is_xml_unless_json_is_meant(site: Site) -> None:
    feed = "application/json;odata.metadata=minimal;q=1.0,application/atomsvc+xml;q=0.8,application/xml;q=0.7"
    for headers, query, kind in (
        ({}, "", "application/xml"), ({"Accept": "*/*"}, "", "application/xml"),
        ({"Accept": "application/json"}, "", "application/json"), ({"Accept": feed}, "", "application/json"),
        # As spreadsheets ask.
        ({"Accept": feed, "OData-MaxVersion": "4.0"}, "", "application/xml"),
        ({}, "?$format=json", "application/json"), ({"Accept": "application/json"}, "?$format=xml", "application/xml"),
    ):  # fmt: skip
        told = await site.get(f"$metadata{query}", **headers)
        assert told.headers["Content-Type"].startswith(kind), (headers, query)
    again = await site.get("$metadata", If_None_Match=(await site.get("$metadata")).headers["ETag"])
    assert again.status == 304
    assert (await site.get("$metadata", Accept="text/html")).code == (406, "NOT_ACCEPTABLE")


async def test_each_level_of_metadata_tells_what_it_should(site: Site) -> None:
    made = await site.author(name="Level", keywords=["x"])
    path = f"authors('{made['id']}')"
    none = (await site.get(path, Accept="application/json;odata.metadata=none")).json
    assert [name for name in none if "@" in name] == []
    full = (await site.get(f"{path}?$format=application/json;metadata=full")).json
    assert (full["@odata.type"], full["@odata.id"]) == ("#MostaJS.Author", path)
    assert full["keywords@odata.type"] == "#Collection(String)"
    assert full["joined@odata.type"] == "#DateTimeOffset"
    assert full["books@odata.navigationLink"] == f"/odata/{path}/books"
    minimal = await site.get(path, Accept="application/xml;q=0.2, application/json;q=0.9")
    assert minimal.json["@odata.context"] == "/odata/$metadata#authors/$entity"
    assert (minimal.json["@odata.etag"], minimal.headers["ETag"]) == ('"1"', '"1"')
    assert minimal.headers["Content-Type"].startswith("application/json;odata.metadata=minimal")
    ieee = await site.get("authors?$count=true&$top=1", Accept="application/json;IEEE754Compatible=true")
    assert isinstance(ieee.json["@odata.count"], str)
    for accept in ("application/atom+xml", "text/html", "application/json;q=0"):
        assert (await site.get("authors", Accept=accept)).code == (406, "NOT_ACCEPTABLE")
    assert (await site.get("authors?$format=atom")).code == (406, "NOT_ACCEPTABLE")


async def test_the_context_says_what_is_selected_and_expanded(site: Site) -> None:
    for query, context in (
        ("", "authors"), ("$select=name,rating", "authors(name,rating)"), ("$expand=books", "authors(books())"),
        ("$select=name&$expand=books($select=title),mentor($expand=tags)",
         "authors(name,books(title),mentor(tags()))"),
        ("$apply=groupby((level),aggregate($count as n))", "authors(level,n)"),
    ):  # fmt: skip
        told = await site.get(f"authors?{query}")
        assert told.json["@odata.context"] == f"/odata/$metadata#{context}"


async def test_rows_are_found_by_every_spelling_of_their_key(site: Site) -> None:
    made = await site.author(id="it's 100% me", name="Odd")
    for path in (
        "authors('it%27%27s%20100%25%20me')", "authors(%27it%27%27s%20100%25%20me%27)",
        "authors(id='it%27%27s%20100%25%20me')", "authors/it%27s%20100%25%20me", "Author('it%27%27s%20100%25%20me')",
    ):  # fmt: skip
        told = await site.get(str(URL(f"/odata/{path}", encoded=True)))
        assert told.status == 200, (path, told.text)
    address = (await site.get("authors?$filter=name eq 'Odd'&$format=application/json;metadata=full")).json
    by_id = await site.session.get(URL(f"/odata/{address['value'][0]['@odata.id']}", encoded=True))
    assert (await by_id.json())["id"] == made["id"]
    assert (await site.get("authors(5)")).code == (400, "INVALID_KEY")
    assert (await site.get("authors('nobody')")).code == (404, "NOT_FOUND")
    assert (await site.get("nobodies")).code == (404, "ENTITY_NOT_FOUND")


async def test_values_are_read_and_written_by_themselves(site: Site) -> None:
    made = await site.author(name="One", rating=2)
    path = f"authors('{made['id']}')"
    assert (await site.get(f"{path}/name")).json == {
        "@odata.context": f"/odata/$metadata#{path}/name", "value": "One"
    }  # fmt: skip
    value = await site.get(f"{path}/name/$value")
    assert (value.text, value.headers["Content-Type"]) == ("One", "text/plain;charset=utf-8")
    assert (await site.get(f"{path}/rating/$value")).text == "2"
    assert (await site.get(f"{path}/bio")).status == 204
    changed = await site.ask("PUT", f"{path}/name", {"value": "Two"}, If_Match='"1"')
    assert (changed.status, changed.headers["ETag"]) == (204, '"2"')
    assert (await site.ask("DELETE", f"{path}/name")).status == 204
    assert (await site.get(f"{path}/name")).status == 204
    assert (await site.get(f"{path}/password")).status == 404
    assert (await site.get(f"{path}/keywords/$value")).status in (204, 400)


async def test_conditions_hold_for_reads_and_writes(site: Site) -> None:
    made = await site.author(name="A")
    path = f"authors('{made['id']}')"
    assert (await site.get(path, If_None_Match='"1"')).status == 304
    assert (await site.get(path, If_None_Match='"0", W/"7"')).status == 200
    assert (await site.get(path, If_Match='"2"')).code == (412, "VERSION_MISMATCH")
    assert (await site.get(path, If_Match='"1"')).status == 200
    assert (await site.ask("PATCH", path, {"name": "B"}, If_Match='"1"')).headers["ETag"] == '"2"'
    for method in ("PATCH", "PUT", "DELETE"):
        assert (await site.ask(method, path, {"name": "C"}, If_Match='"1"')).code == (412, "VERSION_MISMATCH")
    listed = (await site.get(f"authors?$filter=id eq '{made['id']}'")).json["value"]
    assert [row["@odata.etag"] for row in listed] == ['"2"']
    assert (await site.ask("DELETE", path, If_Match=listed[0]["@odata.etag"])).status == 204
    assert (await site.ask("PATCH", path, {"name": "C"}, If_Match="*")).code == (412, "VERSION_MISMATCH")


async def test_a_change_of_what_is_not_there_makes_it_unless_it_must_not(site: Site) -> None:
    for method, id in (("PATCH", "up1"), ("PUT", "up2")):
        made = await site.ask(method, f"authors('{id}')", {"email": f"{id}@x", "name": "New"})
        assert (made.status, made.json["id"]) == (201, id)
        assert made.headers["Location"] == f"/odata/authors('{id}')"
        again = await site.ask(method, f"authors('{id}')", {"rating": 3})
        # What is not named keeps its value: a PUT has always been a merge here.
        assert (again.status, again.json["name"], again.json["rating"]) == (200, "New", 3)
        only_new = await site.ask(method, f"authors('{id}')", {"email": "z@x"}, If_None_Match="*")
        assert only_new.code == (412, "VERSION_MISMATCH")
    assert (await site.ask("PATCH", "authors('up3')", {"name": "x"})).code == (422, "VALIDATION_ERROR")


async def test_a_repeated_upsert_under_one_key_is_told_the_same(site: Site) -> None:
    told = [
        await site.ask("PATCH", "authors('keyed')", {"email": "keyed@x"}, Idempotency_Key="upsert-1") for _ in range(2)
    ]
    assert [each.status for each in told] == [201, 201]
    assert told[0].text == told[1].text


async def test_answers_are_as_long_as_preferred(site: Site) -> None:
    made = await site.ask("POST", "authors", {"email": "short@x"}, Prefer="return=minimal")
    assert (made.status, made.text, made.headers["Preference-Applied"]) == (204, "", "return=minimal")
    where = made.headers["OData-EntityId"]
    assert made.headers["Location"] == where
    changed = await site.ask("PATCH", where, {"name": "S"}, Prefer="odata.return=minimal")
    assert changed.status == 204
    whole = await site.ask("PATCH", f"{where}?$select=name", {"name": "T"}, Prefer="return=representation")
    assert whole.json["name"] == "T"
    assert "email" not in whole.json


async def test_rows_are_reached_and_made_through_their_relations(site: Site) -> None:
    mentor = await site.author(name="M")
    made = await site.author(name="P", **{"mentor@odata.bind": f"authors('{mentor['id']}')"})
    path = f"authors('{made['id']}')"
    assert (await site.get(f"{path}/mentor")).json["name"] == "M"
    assert (await site.get(f"{path}/mentor/name/$value")).text == "M"
    assert (await site.get(f"authors('{mentor['id']}')/mentor")).status == 204
    book = await site.ask("POST", f"{path}/books", {"title": "Through"})
    assert (book.status, book.json["author_id"]) == (201, made["id"])
    await site.ask("POST", f"{path}/books", {"title": "Second"})
    assert (await site.get(f"{path}/books/$count")).text == "2"
    tag = await site.ask("POST", f"{path}/tags", {"label": "through"})
    assert tag.status == 201
    assert [row["id"] for row in (await site.get(f"{path}/tags")).json["value"]] == [tag.json["id"]]
    listed = (await site.get(f"{path}/books?$orderby=title&$top=1&$count=true")).json
    assert (listed["@odata.count"], [row["title"] for row in listed["value"]]) == (2, ["Second"])
    assert (await site.get(f"{path}/books('{book.json['id']}')/author/name/$value")).text == "P"
    assert (await site.get(f"authors('{mentor['id']}')/books('{book.json['id']}')")).code == (404, "NOT_FOUND")
    assert (await site.get("authors('nobody')/books")).code == (404, "NOT_FOUND")


async def test_references_are_made_and_taken_away(site: Site) -> None:
    first, second = await site.author(), await site.author()
    tag = (await site.ask("POST", "tags", {"label": "ref"})).json["id"]
    path = f"authors('{first['id']}')"
    assert (await site.ask("PUT", f"{path}/mentor/$ref", {"@odata.id": f"authors('{second['id']}')"})).status == 204
    assert (await site.get(f"{path}/mentor/$ref")).json["@odata.id"] == f"authors('{second['id']}')"
    assert (await site.ask("DELETE", f"{path}/mentor/$ref")).status == 204
    assert (await site.get(f"{path}/mentor/$ref")).status == 204
    assert (await site.ask("POST", f"{path}/tags/$ref", {"@id": f"/odata/tags('{tag}')"})).status == 204
    assert (await site.get(f"{path}/tags/$ref")).json["value"] == [{"@odata.id": f"tags('{tag}')"}]
    assert (await site.get(f"{path}/tags")).json["value"][0]["label"] == "ref"
    assert (await site.ask("DELETE", f"{path}/tags/$ref?$id=tags('{tag}')")).status == 204
    assert (await site.ask("POST", f"{path}/tags/$ref", {"@id": f"http://host/odata/tags('{tag}')"})).status == 204
    assert (await site.ask("DELETE", f"{path}/tags('{tag}')/$ref")).status == 204
    assert (await site.get(f"{path}/tags/$ref")).json["value"] == []
    wrong = await site.ask("PUT", f"{path}/mentor/$ref", {"@odata.id": f"tags('{tag}')"})
    assert wrong.code == (400, "INVALID_REFERENCE")


async def test_rows_within_a_row_are_made_with_it_or_not_at_all(site: Site) -> None:
    deep = {
        "email": "deep@x", "books": [{"title": "B1"}, {"title": "B2"}], "tags": [{"label": "deep1"}],
        "mentor": {"email": "deeper@x", "books": [{"title": "B3"}]},
    }  # fmt: skip
    made = await site.ask("POST", "authors", deep)
    assert made.status == 201
    assert {book["title"] for book in made.json["books"]} == {"B1", "B2"}
    assert made.json["mentor"]["books"][0]["title"] == "B3"
    path = f"authors('{made.json['id']}')?$expand=books,tags,mentor($expand=books)"
    told = (await site.get(path)).json
    assert sorted(book["title"] for book in told["books"]) == ["B1", "B2"]
    assert [tag["label"] for tag in told["tags"]] == ["deep1"]
    assert [book["title"] for book in told["mentor"]["books"]] == ["B3"]
    before = (await site.get("authors/$count")).text
    broken = {"email": "deep2@x", "mentor": {"email": "m2@x"}, "books": [{"title": "ok"}, {"pages": 1}]}
    assert (await site.ask("POST", "authors", broken)).code == (422, "VALIDATION_ERROR")
    assert (await site.get("authors/$count")).text == before
    keyed = [
        await site.ask("POST", "authors", {"email": "deep3@x", "books": [{"title": "once"}]}, Idempotency_Key="deep")
        for _ in range(2)
    ]
    assert keyed[0].text == keyed[1].text
    assert (await site.get("books/$count?$filter=title eq 'once'")).text == "1"


async def test_a_delta_link_leads_to_what_changed_since(site: Site) -> None:
    await site.ask("POST", "tags", {"id": "d0", "label": "delta0"})
    await site.ask("POST", "tags", {"id": "d1", "label": "delta1"})
    await site.ask("POST", "tags", {"id": "d2", "label": "delta2"})
    first = await site.get("tags?$filter=startswith(label,'delta')", Prefer="odata.track-changes,maxpagesize=2")
    assert first.headers["Preference-Applied"] == "odata.track-changes"
    second = await site.get(first.json["@odata.nextLink"], Prefer="odata.track-changes")
    link = second.json["@odata.deltaLink"]
    await site.ask("PATCH", "tags('d0')", {"label": "delta0x"})
    await site.ask("PATCH", "tags('d0')", {"label": "delta0y"})
    await site.ask("PATCH", "tags('d1')", {"label": "other"})
    await site.ask("DELETE", "tags('d2')")
    await site.ask("POST", "tags", {"id": "d3", "label": "delta3"})
    told = (await site.get(link)).json
    assert told["@odata.context"] == "/odata/$metadata#tags/$delta"
    changed = {row["id"]: row.get("label") or row["@removed"]["reason"] for row in told["value"]}
    assert changed == {"d0": "delta0y", "d1": "changed", "d2": "deleted", "d3": "delta3"}
    assert (await site.get(told["@odata.deltaLink"])).json["value"] == []
    old = (await site.get(link, OData_MaxVersion="4.0")).json["value"]
    assert {"reason": "deleted", "id": "tags('d2')", "@odata.context": "/odata/$metadata#tags/$deletedEntity"} in old
    walked, path = [], link
    while path:
        told = (await site.get(path, Prefer="maxpagesize=1")).json
        walked += [row["id"] for row in told["value"]]
        path = told.get("@odata.nextLink")
    assert walked == ["d0", "d0", "d1", "d2", "d3"]
    assert (await site.get(link[:-1])).code == (400, "INVALID_POSITION")


async def test_a_project_of_its_own_has_a_service_of_its_own(site: Site) -> None:
    made = await site.ask("POST", "/other/odata/tags", {"id": "far", "label": "far"})
    assert made.headers["Location"] == "/other/odata/tags('far')"
    assert made.json["@odata.context"] == "/other/odata/$metadata#tags/$entity"
    assert (await site.get("tags('far')")).status == 404
    by_header = await site.get("tags('far')", X_Project="other")
    assert by_header.status == 200
    body = multipart(part("GET tags('far')"), part("GET /other/odata/tags/$count"))
    told = await site.ask("POST", "/other/odata/$batch", body, Content_Type="multipart/mixed; boundary=b")
    assert told.text.count("HTTP/1.1 200") == 2


async def test_a_read_sees_what_was_written_before_it(site: Site) -> None:
    written = await site.ask("POST", "tags", {"id": "seen", "label": "seen"})
    position = written.headers["Octonet-Position"]
    told = await site.get("tags('seen')", Octonet_Min_Position=position)
    assert told.status == 200
    assert (await site.get("tags", Octonet_Min_Position=position[:-1])).code == (400, "INVALID_POSITION")
