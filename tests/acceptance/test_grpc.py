"""The gRPC door: typed rows, masks, real statuses, and everything else that every door has."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.acceptance.grpc_site import OPEN, SHOP, Shop, Status, entered, error, read
from tests.running import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("grpc")
    tree = folder / "tree.json"
    other = [{"name": "Planet", "collection": "planets", "fields": {"name": {"type": "string"}}}]
    tree.write_text(json.dumps({"sky": {"schemas": other}}))
    with Server(folder / "data", SHOP, MOSTA_PROJECTS=str(tree), **OPEN) as found:
        yield found
        assert "Traceback" not in found.log()


@pytest.fixture
async def shop(server: Server) -> AsyncIterator[Shop]:
    async with entered(server) as found:
        yield found


async def test_a_row_comes_back_in_its_types_and_what_it_has_not_is_absent(shop: Shop) -> None:
    row = shop.row(
        "Customer", email="typed@x.org", visits=2.5, vip=True, hobbies={"values": ["go"]}, profile='{"a":[1]}'
    )
    made = (await shop.do("Customer", "Create", data=row)).row
    found = (await shop.do("Customer", "FindById", id=made.id)).row
    assert found == made
    assert (found.visits, found.vip, list(found.hobbies.values), json.loads(found.profile)) == (
        2.5, True, ["go"], {"a": [1]},
    )  # fmt: skip
    assert found.since.seconds > 1_700_000_000
    assert (found.status, found.HasField("referrer"), found.HasField("password")) == ("new", False, False)
    assert not (await shop.do("Customer", "FindById", id="nobody")).HasField("row")


async def test_a_mask_sets_to_null_what_it_names_and_is_absent(shop: Shop) -> None:
    row = shop.row("Customer", email="mask@x.org", visits=3, profile="{}", hobbies={"values": []})
    id = (await shop.do("Customer", "Create", data=row)).row.id
    change = shop.row("Customer", status="gone", visits=4)
    # Without a mask: what is present. With one: what it names, as null where it is absent, and nothing else.
    one = (await shop.do("Customer", "Update", id=id, data=change)).row
    assert (one.status, one.visits, one.HasField("profile"), one.HasField("hobbies")) == ("gone", 4, True, True)
    two = (
        await shop.do(
            "Customer", "Update", id=id, data=shop.row("Customer", visits=9), update_mask={"paths": ["profile"]}
        )
    ).row
    assert (two.visits, two.HasField("profile"), two.HasField("hobbies")) == (4, False, True)
    none = (await shop.do("Customer", "Update", id=id, update_mask={"paths": ["hobbies", "visits"]})).row
    assert not none.HasField("hobbies")
    assert not none.HasField("visits")
    status, code, told = await error(shop.do("Customer", "Update", id=id, update_mask={"paths": ["nmae"]}))
    assert (status, code, told["details"][0]["path"]) == (Status.INVALID_ARGUMENT, "UNKNOWN_FIELD", "$.data.nmae")


async def test_a_read_mask_names_fields_as_the_message_does(shop: Shop) -> None:
    await shop.do("Customer", "Create", data=shop.row("Customer", email="read@x.org"))
    asked = {"filter": '{"email":"read@x.org"}', "read_mask": {"paths": ["created_at", "email"]}}
    [row] = (await shop.do("Customer", "FindAll", **asked)).rows
    assert {field.name for field, _ in row.ListFields()} == {"id", "email", "created_at"}


async def test_relations_are_told_as_rows_where_they_are_asked_for(shop: Shop) -> None:
    tag = (await shop.do("Tag", "Create", data=shop.row("Tag", label="linked"))).row.id
    first = (await shop.do("Customer", "Create", data=shop.row("Customer", email="first@x.org"))).row.id
    row = shop.row("Customer", email="second@x.org", referrer=first, tags=[tag])
    made = (await shop.do("Customer", "Create", data=row)).row
    assert (made.referrer, list(made.tags), made.HasField("related")) == (first, [tag], False)
    asked = {"id": made.id, "relations": ["referrer", "tags", "orders"]}
    found = (await shop.do("Customer", "FindById", **asked)).row
    assert (found.referrer, list(found.tags)) == (first, [tag])
    assert found.related.referrer.email == "first@x.org"
    assert [(each.id, each.label) for each in found.related.tags] == [(tag, "linked")]
    assert len(found.related.orders) == 0


async def test_what_an_error_is_about_stands_in_its_details(shop: Shop) -> None:
    row = shop.row("Customer", email="taken@x.org")
    await shop.do("Customer", "Create", data=row)
    assert (await error(shop.do("Customer", "Create", data=row)))[:2] == (Status.ALREADY_EXISTS, "UNIQUE_VIOLATION")
    wrong = shop.row("Customer", email="a@x.org", status="grand", visits=float("nan"))
    status, code, told = await error(shop.do("Customer", "Create", data=wrong))
    assert (status, code) == (Status.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert {fault["path"] for fault in told["details"]} & {"$.data.status", "$.data.visits"}
    assert (await error(shop.do("Customer", "Increment", id="no", field="visits", amount=1)))[0] is Status.NOT_FOUND
    late = await error(shop.do("Customer", "FindAll", filter="{"))
    assert (late[0], late[1], late[2]["details"][0]["path"]) == (Status.INVALID_ARGUMENT, "PARSE_ERROR", "$.filter")


async def test_a_write_tells_its_position_beside_the_answer_and_a_read_waits_for_it(shop: Shop) -> None:
    call = shop.begun("Tag", "Create", shop.asked("Tag", "Create", data=shop.row("Tag", label="placed")))
    made = await call
    trailers = dict(await call.trailing_metadata())
    assert trailers["octonet-position"] == made.position
    seen = await shop.do("Tag", "FindById", id=made.row.id, min_position=made.position)
    assert seen.row == made.row
    asked = shop.asked("Tag", "FindById", id=made.row.id)
    assert (await shop.begun("Tag", "FindById", asked, [("octonet-min-position", made.position)])).row == made.row
    bad = shop.begun("Tag", "FindById", asked, [("octonet-min-position", "nonsense")])
    assert (await error(bad))[1] == "INVALID_POSITION"


async def test_the_same_key_has_one_effect_and_other_content_is_refused(shop: Shop) -> None:
    asked = shop.asked("Tag", "Create", data=shop.row("Tag", label="once"))
    key = [("idempotency-key", "k-once")]
    first, again = [await shop.begun("Tag", "Create", asked, key) for _ in range(2)]
    assert (first.row, first.position) == (again.row, again.position)
    asked.data.label = "twice"
    assert (await error(shop.begun("Tag", "Create", asked, key)))[1] == "IDEMPOTENCY_KEY_REUSED"


async def test_a_version_that_is_not_the_one_expected_aborts_the_write(shop: Shop) -> None:
    made = await shop.do("Tag", "Create", data=shop.row("Tag", label="versioned"))
    assert made.version == 1
    change = {"id": made.row.id, "data": shop.row("Tag", label="versioned2"), "expected_version": 7}
    assert (await error(shop.do("Tag", "Update", **change)))[:2] == (Status.ABORTED, "VERSION_MISMATCH")
    assert (await shop.do("Tag", "Update", **change | {"expected_version": 1})).version == 2


async def test_facts_are_watched_and_gone_on_with_from_a_position(shop: Shop) -> None:
    stream = shop.watch("Tag")
    start = dict(await stream.initial_metadata())["octonet-position"]
    made = await shop.do("Tag", "Create", data=shop.row("Tag", label="seen"))
    await shop.do("Customer", "Create", data=shop.row("Customer", email="unseen@x.org"))
    await shop.do("Tag", "Update", id=made.row.id, data=shop.row("Tag", label="seen2"))
    await shop.do("Tag", "Delete", id=made.row.id)
    told = await read(stream, 3)
    assert [(each.event, each.id, each.version) for each in told] == [
        (f"entity.{word}", made.row.id, at) for at, word in enumerate(("created", "updated", "deleted"), 1)
    ]
    assert [each.row.label if each.HasField("row") else None for each in told] == ["seen", "seen2", None]
    assert told[0].position == made.position
    stream.cancel()
    for after, count in ((start, 3), (told[0].position, 2)):
        resumed = shop.watch("Tag", after=after)
        assert await read(resumed, count) == told[-count:]
        resumed.cancel()
    filtered = shop.watch("Tag", after=start, filter='{"label":"seen2"}')
    assert [each.version for each in await read(filtered, 2)] == [2, 3]
    filtered.cancel()
    bad = shop.watch("Tag", after="nonsense")
    assert (await error(bad.read()))[1] == "INVALID_POSITION"


async def test_an_import_writes_what_fits_and_names_what_does_not(shop: Shop) -> None:
    def sent() -> Iterator[bytes]:
        for number in range(300):
            label = f"import{number}" if number != 7 else ""
            create = shop.asked("Tag", "Create", data=shop.row("Tag", **({"label": label} if label else {})))
            yield shop.asked("Tag", "Import", create=create).SerializeToString()
        upsert = shop.asked("Tag", "Upsert", filter='{"label":"import3"}', data=shop.row("Tag", label="import3"))
        yield shop.asked("Tag", "Import", upsert=upsert).SerializeToString()
        yield b"\xff\xff"

    kind = shop.message("octonet.v1.TagServiceImportResponse")
    took = shop.channel.stream_unary("/octonet.v1.TagService/Import", response_deserializer=kind.FromString)
    told = await took(sent(), metadata=[("idempotency-key", "the-import")])
    assert (told.received, told.written, told.rejected) == (302, 300, 2)
    assert [(each.index, each.code) for each in told.rejections] == [(7, "VALIDATION_ERROR"), (301, "PARSE_ERROR")]
    assert list(told.rejections[0].paths) == ["$.data.label"]
    assert (await shop.do("Tag", "Count", filter='{"label":{"$regex":"^import"}}')).count == 299
    again = await took(sent(), metadata=[("idempotency-key", "the-import")])
    assert (again.written, again.position) == (300, told.position)


async def test_a_batch_has_all_its_effects_or_none(shop: Shop) -> None:
    one = {"create": shop.asked("Tag", "Create", data=shop.row("Tag", label="batch1"))}
    other = {"other": json.dumps({"op": "create", "entity": "Customer", "data": {"email": "batch@x.org"}})}
    told = await shop.do("Tag", "Batch", commands=[one, other])
    assert told.results[0].create.row.label == "batch1"
    assert json.loads(told.results[1].other)["data"]["email"] == "batch@x.org"
    assert told.position
    free = {"create": shop.asked("Tag", "Create", data=shop.row("Tag", label="batch2"))}
    status, code, _ = await error(shop.do("Tag", "Batch", commands=[free, one]))
    assert (status, code) == (Status.ALREADY_EXISTS, "UNIQUE_VIOLATION")
    assert (await shop.do("Tag", "Count", filter='{"label":"batch2"}')).count == 0
    assert (await error(shop.do("Tag", "Batch")))[1] == "CHANGE_SET_SIZE"
    assert (await error(shop.do("Tag", "Batch", commands=[{}])))[0] is Status.INVALID_ARGUMENT


async def test_what_would_be_is_told_without_doing_it(shop: Shop) -> None:
    told = await shop.do("Tag", "Create", data=shop.row("Tag", label="tried"), dry_run=True)
    assert json.loads(told.dry_run)["count"] == 1
    assert not told.position
    assert (await shop.do("Tag", "Count", filter='{"label":"tried"}')).count == 0


async def test_the_six_methods_of_before_answer_under_their_names(shop: Shop) -> None:
    made = await shop.plain("Customer", "Create", data='{"email":"plain@x.org","hobbies":["a"],"visits":3}')
    assert (made.email, made.visits, made.hobbies, made.vip, made.password) == ("plain@x.org", 3, '["a"]', False, "")
    assert made.since.endswith("Z")
    assert await shop.plain("Customer", "FindById", id=made.id) == made
    changed = await shop.plain("Customer", "Update", id=made.id, data='{"visits":4}')
    assert changed.visits == 4
    page = await shop.plain("Customer", "FindAll", filter='{"visits":4}', sort='{"email":1}', limit=1)
    assert ([each.id for each in page.items], page.total) == ([made.id], 1)
    assert (await shop.plain("Customer", "Count", filter='{"visits":4}')).count == 1
    for gone in ("true", "false"):
        told = await shop.plain("Customer", "Delete", id=made.id)
        assert (told.status, told.data) == ("ok", gone)
    assert (await error(shop.plain("Customer", "FindById", id=made.id)))[:2] == (Status.NOT_FOUND, "NOT_FOUND")
    assert (await error(shop.plain("Customer", "Create", data="{}")))[0] is Status.INVALID_ARGUMENT
    fields = shop.pool.FindMessageTypeByName("mostajs.Customer").fields
    order = ["id", "email", "visits", "status", "hobbies", "profile", "vip", "since", "password"]
    assert [(field.name, field.number) for field in fields] == [(name, at) for at, name in enumerate(order, 1)]


async def test_a_project_is_named_in_the_metadata_and_has_services_of_its_own(server: Server, shop: Shop) -> None:
    async with entered(server, project="sky") as sky:
        made = await sky.do("Planet", "Create", data=sky.row("Planet", name="Vega"))
        assert made.row.name == "Vega"
        there = sky.pool.FindFileByName("octonet/v1/entities.proto").services_by_name
        assert set(there) == {"PlanetService"}
        nowhere = sky.channel.unary_unary("/octonet.v1.TagService/Count")(b"", metadata=sky.metadata)
        assert (await error(nowhere))[:2] == (Status.UNIMPLEMENTED, "ENTITY_NOT_FOUND")
    count = shop.channel.unary_unary("/octonet.v1.TagService/Count")
    for name in ("nowhere", "_system"):
        status, code, _ = await error(count(b"", metadata=[("x-project", name)]))
        assert (status, code) == (Status.NOT_FOUND, "UNKNOWN_PROJECT")
