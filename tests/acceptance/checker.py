"""Holds what clients were told, the log, the feed and the database against each other.

It reads the log by itself, with nothing of the server's write or fold path, so that a fault there is not repeated
here. Each violation is one sentence; none means that every promise held.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import nats
from nats.js.api import AckPolicy, ConsumerConfig

from jetstream.endpoint import Endpoint
from tests.acceptance import tables
from tests.acceptance.tables import Tables

Json = Any

SECRETS = {"password"}
CLEAR_SECRET = b"correct horse battery"
"""Every secret that the writers send begins with it."""
SEALED = "a sealed value"
"""What stands for a secret on both sides: the checker has no key."""
_SIGNATURE = 8


@dataclass(frozen=True)
class Told:
    """What one client was told about one write: `status` is HTTP's, `reply` the envelope."""

    correlation: str
    op: str
    status: int
    reply: Json
    position: str = ""


@dataclass
class Decision:
    """One command, as the log has it."""

    entry: int
    first: int
    command: str
    op: str
    entity: str
    correlation: str
    verdict: str
    events: list[Json]
    count: int
    data: Json


@dataclass
class History:
    """The whole log, decoded."""

    decisions: list[Decision] = field(default_factory=list)
    digests: dict[int, bytes] = field(default_factory=dict)
    last: int = 0


async def violations(endpoint: Endpoint, database: Path | str, schemas: Path, told: list[Told]) -> list[str]:
    """Everything that is wrong; the database is a SQLite file, or the address of one of the tests' own servers."""
    servers = endpoint.url.split(",")
    client = await nats.connect(servers, user=endpoint.user or None, password=endpoint.password or None)
    try:
        log = await _log(client)
        feed = await _messages(client, "OCTO_FACTS_default")
        wishes = await _messages(client, "OCTO_CMD_default")
    finally:
        await client.close()
    history = History()
    found = [
        f"a secret stands in clear in {stream} message {message.metadata.sequence.stream}"
        for stream, messages in (("the log", log), ("the feed", feed), ("the command stream", wishes))
        for message in messages
        if CLEAR_SECRET in message.data
    ]
    found += _read_log(log, history)
    found += _check_decisions(history)
    found += _check_feed(feed, history)
    found += _check_database(database, schemas, history)
    found += _check_told(told, history)
    return found


async def _log(client: Any) -> list[Any]:
    """Of all streams that the log is kept in, in order."""
    streams = {info.config.name: info.state.first_seq for info in await client.jetstream().streams_info()}
    names = [name for name in streams if name == "OCTO_LOG_default" or name.startswith("OCTO_LOG_default~")]
    return [message for name in sorted(names, key=streams.__getitem__) for message in await _messages(client, name)]


async def _messages(client: Any, stream: str) -> list[Any]:
    js = client.jetstream()
    state = (await js.stream_info(stream)).state
    if state.messages == 0:
        return []
    subscription = await js.pull_subscribe(
        "", stream=stream, config=ConsumerConfig(ack_policy=AckPolicy.NONE, mem_storage=True)
    )
    found: list[Any] = []
    while len(found) < state.messages:
        found += await subscription.fetch(1000, timeout=60)
    await subscription.unsubscribe()
    return found[: state.messages]


def _read_log(messages: list[Any], history: History) -> Iterator[str]:
    previous = b""
    parts: list[bytes] = []
    for expected, message in enumerate(messages, 1):
        sequence = message.metadata.sequence.stream
        if sequence != expected:
            yield f"log message {expected} is missing ({sequence} came)"
        entry = msgspec.msgpack.decode(message.data)
        if entry[1] != previous:
            yield f"log message {sequence} does not continue the hash chain"
        previous = hashlib.sha256(message.data).digest()
        history.digests[sequence] = previous
        history.last = sequence
        if entry[0] == "part":
            parts = [*parts, entry[4]] if entry[2] == len(parts) + 1 else [entry[4]]
            if entry[2] == entry[3] == len(parts):
                whole = msgspec.msgpack.decode(b"".join(parts))
                history.decisions += _decisions(sequence, whole) if whole[0] == "batch" else ()
            continue
        parts = []
        if entry[0] == "batch":
            history.decisions += _decisions(sequence, entry)


def _decisions(sequence: int, entry: Json) -> Iterator[Decision]:
    index = 0
    for raw in entry[3]:
        command, op, entity, _, actor, verdict, events, count, data = raw[:9]
        yield Decision(sequence, index, command, op, entity, actor[4], verdict, events, count, data)
        index += len(events)


def _check_decisions(history: History) -> Iterator[str]:
    seen: dict[str, int] = {}
    for decision in history.decisions:
        if decision.command in seen:
            yield f"command {decision.command} was decided by entry {seen[decision.command]} and {decision.entry}"
        seen[decision.command] = decision.entry
        touched = [(event[1], event[2]) for event in decision.events]
        if len(set(touched)) != len(touched):
            yield f"command {decision.command} has two facts about one row"
        if (decision.verdict == "applied") != bool(decision.events):
            yield f"command {decision.command} is {decision.verdict} with {len(decision.events)} facts"
    versions: dict[tuple[str, str], int] = {}
    for decision in history.decisions:
        for fact, entity, id, version, _, _ in decision.events:
            before = versions.get((entity, id), 0)
            if version != (1 if fact == "created" else before + 1) or (fact == "created") != (before == 0):
                yield f"{entity} {id}: {fact} version {version} in entry {decision.entry} follows version {before}"
            versions[entity, id] = 0 if fact == "deleted" else version


def _check_feed(feed: list[Any], history: History) -> Iterator[str]:
    wanted = [
        (f"{decision.entry}.{decision.first + number}", event)
        for decision in history.decisions
        for number, event in enumerate(decision.events)
    ]
    got = [(_position(message.headers["Octonet-Position"]), message) for message in feed]
    if [place for place, _ in got] != [place for place, _ in wanted]:
        yield f"the feed has {len(got)} facts, the log {len(wanted)}, or they stand in another order"
        return
    for (place, message), (_, event) in zip(got, wanted, strict=True):
        body = json.loads(message.data)
        data = None if event[4] is None else json.loads(event[4])
        if message.subject != f"mostajs.{event[1]}.{event[0]}" or body["id"] != event[2] or body["data"] != data:
            yield f"the fact at {place} differs between log and feed"


def fold(history: History, until: int) -> dict[str, dict[str, tuple[int, Json]]]:
    """Entity → id → (version, row), out of the log alone."""
    state: dict[str, dict[str, tuple[int, Json]]] = {}
    for decision in history.decisions:
        if decision.entry > until:
            break
        for _, entity, id, version, data, _ in decision.events:
            rows = state.setdefault(entity, {})
            if data is None:
                rows.pop(id, None)
            else:
                rows[id] = (version, _veiled(json.loads(data)))
    return state


def _check_database(place: Path | str, schemas: Path, history: History) -> Iterator[str]:
    with tables.opened(place) as database:
        (checkpoint,) = database.rows("octonet_checkpoint")
        entry, digest = checkpoint["entry"], checkpoint["digest"]
        if entry > history.last:
            yield f"the database is at entry {entry}, the log ends at {history.last}"
        elif entry and history.digests.get(entry) != digest:
            yield f"the checkpoint's digest is not that of entry {entry}"
        folded = fold(history, entry)
        for schema in json.loads(schemas.read_text()):
            yield from _check_rows(database, schema, folded.get(schema["name"], {}))
        inbox = {row["command_id"]: row["entry"] for row in database.rows("octonet_inbox")}
        wanted = {d.command: d.entry for d in history.decisions if d.entry <= entry}
        if inbox != wanted:
            yield f"the inbox has {len(inbox)} commands, the log decided {len(wanted)} up to the checkpoint"
        yield from _check_references(database, json.loads(schemas.read_text()))


def _check_references(database: Tables, schemas: Json) -> Iterator[str]:
    collections = {schema["name"]: schema["collection"] for schema in schemas}
    ids = {name: {row["id"] for row in database.rows(table)} for name, table in collections.items()}
    for schema in schemas:
        for name, relation in schema.get("relations", {}).items():
            target = ids[relation["target"]]
            if relation["type"] in ("many-to-one", "one-to-one"):
                column = relation.get("joinColumn") or name
                held = [row[column] for row in database.rows(schema["collection"]) if row[column] is not None]
            elif relation["type"] == "many-to-many":
                links = database.rows(relation.get("through") or f"{schema['collection']}_{name}")
                owners = {next(iter(link.values())) for link in links}
                held = [tuple(link.values())[1] for link in links]
                if not owners <= ids[schema["name"]]:
                    yield f"{schema['name']}.{name}: links without an owner"
            else:
                continue
            if broken := [id for id in held if id not in target]:
                yield f"{schema['name']}.{name}: {len(broken)} references have no target"


def _check_rows(database: Tables, schema: Json, wanted: dict[str, tuple[int, Json]]) -> Iterator[str]:
    rows = {row["id"]: row for row in database.rows(schema["collection"])}
    links: dict[str, dict[str, list[str]]] = {}
    for name, relation in schema.get("relations", {}).items():
        if relation["type"] == "many-to-many":
            table = relation.get("through") or f"{schema['collection']}_{name}"
            found = links.setdefault(name, {})
            for owner, target in sorted(tuple(row.values()) for row in database.rows(table)):
                found.setdefault(owner, []).append(target)
    if rows.keys() != wanted.keys():
        extra, missing = rows.keys() - wanted.keys(), wanted.keys() - rows.keys()
        yield f"{schema['name']}: rows without a fact {sorted(extra)[:5]}, facts without a row {sorted(missing)[:5]}"
    for id in rows.keys() & wanted.keys():
        version, data = wanted[id]
        stored = {key: _value(schema, key, value) for key, value in rows[id].items() if key != "_version"}
        stored |= {name: found.get(id, []) for name, found in links.items()}
        stored = {name: SEALED if name in SECRETS and value else value for name, value in stored.items()}
        if stored != data or rows[id]["_version"] != version:
            yield f"{schema['name']} {id} differs from its facts: {stored} is not {data}"


def _value(schema: Json, name: str, value: Any) -> Json:
    kind = schema["fields"].get(name, {}).get("type")
    if value is None:
        return None
    if kind == "boolean":
        return bool(value)
    if kind in ("json", "array"):
        return json.loads(value)
    return value


def _check_told(told: list[Told], history: History) -> Iterator[str]:
    decided: dict[str, list[Decision]] = {}
    for decision in history.decisions:
        decided.setdefault(decision.correlation, []).append(decision)
    for one in told:
        found = decided.get(one.correlation, [])
        if len(found) > 1:
            yield f"{one.op} {one.correlation} was decided {len(found)} times"
        if one.status not in (200, 201):
            if found and found[0].verdict != "rejected":
                yield f"{one.op} {one.correlation} was refused with {one.status}, but the log applied it"
            continue
        if not found:
            yield f"LOST: {one.op} {one.correlation} was acknowledged, but is not in the log"
            continue
        yield from _check_reply(one, found[0])


def _check_reply(one: Told, decision: Decision) -> Iterator[str]:
    if decision.verdict == "rejected":
        yield f"{one.op} {one.correlation} was acknowledged, but rejected in the log"
        return
    last = decision.first + max(len(decision.events) - 1, 0)
    entry, index = (int(number) for number in _position(one.position).split("."))
    if entry != decision.entry or (decision.events and index != last):
        yield f"{one.op} {one.correlation}: told position {entry}.{index}, stands at {decision.entry}.{last}"
    if one.op in ("updateMany", "deleteMany"):
        if one.reply["metadata"]["count"] != decision.count:
            yield f"{one.op} {one.correlation}: told {one.reply['metadata']}, the log has {decision.count}"
    elif one.op == "delete":
        if one.reply["data"] is not bool(decision.events):
            yield f"delete {one.correlation}: told {one.reply['data']}"
    else:
        raw = decision.events[0][4] if decision.events else decision.data
        if one.reply["data"] != (None if raw is None else _public(json.loads(raw))):
            yield f"{one.op} {one.correlation}: told another row than the log has"


def _veiled(row: Json) -> Json:
    return {name: SEALED if isinstance(value, dict) and "$sealed" in value else value for name, value in row.items()}


def _public(row: Json) -> Json:
    return {name: value for name, value in row.items() if name not in SECRETS}


def _position(token: str) -> str:
    """Entry and index; the signature behind them is not ours to judge."""
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[:-_SIGNATURE].decode()
