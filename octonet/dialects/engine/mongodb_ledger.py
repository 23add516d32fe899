"""Commits of many documents, whole on every server.

The state's one document holds the checkpoint and the turn: the number of the commit that is next. Where the server has
transactions a commit is one, and moves the turn in it. Where it has none, a commit is first noted, in the state's
document or, when it is large, beside it; from that moment on it has happened: its writes are made, each of them so that
it may be made again, and the checkpoint last of all. Whoever begins a transaction next finishes what another left half
done.

Nobody commits on a state that was not read since: the turn has moved then. A document tells the turn that wrote it, and
no older one writes it again.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Final, cast

import bson
import msgspec
from pymongo import DeleteMany, DeleteOne, InsertOne, ReplaceOne, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import OperationFailure

from octonet.dialects.engine.mongodb_layout import TURN, Layout
from octonet.dialects.engine.mongodb_server import Collection, Document, Server
from octonet.kernel.errors import StorageUnavailable
from octonet.kernel.storage import Checkpoint

_STATE: Final = "state"
_INLINE: Final = 1_000_000
"""Bytes of a commit that the state's document takes."""
_CHUNK: Final = 8_000_000
"""Bytes of a commit that one document beside it takes, unless one write is larger."""
_TRUSTED: Final = 1.0
"""Seconds for which a look at the state tells that a commit is still one's own: no takeover is faster."""
_LOOKS: Final = 200
_PAUSE: Final = 0.01
_AT_ONCE: Final = 5_000
"""Writes that the server is given together."""


class Kind(StrEnum):
    """What a write does to its document, or to its collection."""

    NEW = "new"
    SET = "set"
    ANEW = "anew"
    """Replaces the document, or makes it."""
    GONE = "gone"
    EMPTY = "empty"
    """Removes all documents of the collection, but for those that the same commit writes."""


class Write(msgspec.Struct, frozen=True, array_like=True):
    """One write: what is done, where, to which `_id`, and the whole document, in BSON, that stands there then."""

    kind: Kind
    collection: str
    id: str = ""
    document: bytes = b""


class State(msgspec.Struct, frozen=True):
    """What the state's document holds. `parts` is the number of documents that hold a commit which was noted and not
    finished, or -1 where the state's own does; `note` names it, empty where there is none."""

    turn: int = 0
    checkpoint: Checkpoint = Checkpoint()
    note: str = ""
    parts: int = 0
    inline: bytes = b""
    held: str = ""
    """Who has commits wait while everything is copied; empty where nobody has."""


class Ledger:
    """Reads the state, and commits on it."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def state(self, layout: Layout) -> State | None:
        """What is there; None before the first migration."""
        find = self._states(layout).find_one({"_id": _STATE})
        document = await self._server.written("find the state", find)
        return None if document is None else _read(document)

    async def settled(self, layout: Layout) -> State | None:
        """The same, with nothing left half done."""
        missed, since = "", _now()
        while (state := await self.state(layout)) is not None and state.note:
            noted = await self._noted(layout, state)
            if noted is not None:
                await self._finish(layout, state, *noted, again=True, since=since)
            elif missed == state.note:
                raise StorageUnavailable(f"a part of the commit that was noted in {layout.checkpoint} is missing")
            else:
                # Another one was faster, by the look of it.
                missed = state.note
            since = _now()
        return state

    async def make(self, layout: Layout) -> None:
        """Make the state where there is none."""
        first = {key: value for key, value in _document(State()).items() if key != "_id"}
        make = self._states(layout).update_one({"_id": _STATE}, {"$setOnInsert": first}, upsert=True)
        await self._server.written("make the state", make)

    async def commit(
        self, layout: Layout, before: State, to: Checkpoint, writes: Sequence[Write], *, noted: bool = False
    ) -> None:
        """Carry out all of it; `noted`: not in a transaction of the server, whatever it can do. Raises
        `StorageUnavailable`; then it is known at the next beginning whether it happened."""
        if (await self._server.abilities()).transactions and not noted:

            async def transact() -> bool:
                return await self._server.written("commit", self._transact(layout, before, to, writes))

            await self._begin(layout, before, transact)
        elif not writes:
            change: Document = {"turn": before.turn + 1, **_checkpoint(to)}
            await self._begin(layout, before, lambda: self._move(layout, before, change, held=""))
        else:
            since = _now()
            state = await self._note(layout, before, to, writes)
            if not await self._finish(layout, state, to, writes, again=False, since=since):
                raise self._overtaken()

    async def hold(self, layout: Layout, held: str, by: str) -> State | None:
        """Have commits wait, in the place of `held`; the state as it is for as long as they do, which is until it is
        held by another word for two seconds. None where a commit is under way, or somebody else has them wait."""
        where: Document = {"_id": _STATE, "note": "", "held": held}
        change = {"$set": {"held": by}}
        done = await self._server.written("hold the state", self._states(layout).update_one(where, change))
        return await self.state(layout) if done.matched_count == 1 else None

    async def _begin(self, layout: Layout, before: State, begin: Callable[[], Awaitable[bool]]) -> None:
        """Begin a commit as soon as nobody has it wait."""
        while not await begin():
            state = await self.state(layout)
            if state is None or state.turn != before.turn or state.note:
                raise self._overtaken()
            if state.held:
                await self._outwait(layout, state.held)

    async def _outwait(self, layout: Layout, held: str) -> None:
        """Wait until others are done, or, by the look of it, dead."""
        for _ in range(_LOOKS):
            await asyncio.sleep(_PAUSE)
            state = await self.state(layout)
            if state is None or state.held != held:
                return
        await self.hold(layout, held, "")

    async def _note(self, layout: Layout, before: State, to: Checkpoint, writes: Sequence[Write]) -> State:
        note = uuid.uuid4().hex
        packed = list(_packed(to, writes))
        if len(packed) == 1 and len(packed[0]) <= _INLINE:
            noted = msgspec.structs.replace(before, note=note, parts=-1, inline=packed[0])
        else:
            journal = self._server.collection(layout.journal)
            for number, part in enumerate(packed):
                document: Document = {"_id": f"{note}-{number}", "turn": before.turn, "part": part}
                await self._server.written("note a part of a commit", journal.insert_one(document))
            noted = msgspec.structs.replace(before, note=note, parts=len(packed))
        change: Document = {"note": note, "parts": noted.parts, "inline": noted.inline}
        await self._begin(layout, before, lambda: self._move(layout, before, change, held=""))
        return noted

    async def _noted(self, layout: Layout, state: State) -> tuple[Checkpoint, Sequence[Write]] | None:
        """The commit that was noted; None where another process has finished it meanwhile."""
        if state.parts < 0:
            return _unpacked([state.inline])
        journal, parts = self._server.collection(layout.journal), []
        for number in range(state.parts):
            found = await self._server.written("read a part", journal.find_one({"_id": f"{state.note}-{number}"}))
            if found is None:
                return None
            parts.append(bytes(cast("bytes", found["part"])))
        return _unpacked(parts)

    async def _finish(
        self, layout: Layout, state: State, to: Checkpoint, writes: Sequence[Write], *, again: bool, since: float
    ) -> bool:
        """Carry out what was noted; `again`: some of it may have been; `since`: when the state was looked at. False
        where another process was faster."""
        await self._carry_out(layout, state, writes, again=again, since=since)
        done: Document = {"turn": state.turn + 1, "note": "", "parts": 0, "inline": b"", **_checkpoint(to)}
        moved = await self._move(layout, state, done)
        if state.parts > 0:
            # What another left there without its note can never be noted: the turn has moved.
            left = self._server.collection(layout.journal).delete_many({"turn": {"$lte": state.turn}})
            await self._server.written("clear the journal", left)
        return moved

    async def _move(self, layout: Layout, state: State, change: Document, **more: str) -> bool:
        """Change the state's document, if it is still the one that was read."""
        where: Document = {"_id": _STATE, "turn": state.turn, "note": state.note, **more}
        moved = await self._server.written("move the state", self._states(layout).update_one(where, {"$set": change}))
        return moved.matched_count == 1

    def _overtaken(self) -> StorageUnavailable:
        return StorageUnavailable(f"another process wrote to {self._server.address} meanwhile")

    async def _carry_out(
        self, layout: Layout, state: State, writes: Sequence[Write], *, again: bool, since: float
    ) -> None:
        for name, group in _by_collection(writes):
            for start in range(0, len(group), _AT_ONCE):
                requests = list(_requests(group[start : start + _AT_ONCE], state.turn, again=again))
                if _now() - since > _TRUSTED:
                    # Who was frozen for so long may have been overtaken.
                    since = _now()
                    now = await self.state(layout)
                    if now is None or (now.turn, now.note) != (state.turn, state.note):
                        raise self._overtaken()
                await self._server.written(f"write to {name}", self._server.collection(name).bulk_write(requests))

    async def _transact(self, layout: Layout, before: State, to: Checkpoint, writes: Sequence[Write]) -> bool:
        where: Document = {"_id": _STATE, "turn": before.turn, "note": "", "held": ""}
        change: Document = {"turn": before.turn + 1, **_checkpoint(to)}
        async with (
            self._server.client.start_session() as session,
            await session.start_transaction(write_concern=self._server.database.write_concern),
        ):
            moved = await self._states(layout).update_one(where, {"$set": change}, session=session)
            if moved.matched_count != 1:
                await session.abort_transaction()
                return False
            for name, group in _by_collection(writes):
                requests = list(_requests(group, before.turn, again=False))
                await self._server.collection(name).bulk_write(requests, session=session)
            await _committed(session)
        return True

    def _states(self, layout: Layout) -> Collection:
        return self._server.collection(layout.checkpoint)


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _committed(session: AsyncClientSession) -> None:
    """Commit, and ask once more where the answer was lost: a commit may be repeated."""
    try:
        await session.commit_transaction()
    except OperationFailure as error:
        if not error.has_error_label("UnknownTransactionCommitResult"):
            raise
        await session.commit_transaction()


def writing(kind: Kind, collection: str, document: Document) -> Write:
    """The write of a whole document."""
    return Write(kind, collection, str(document["_id"]), bson.encode(document))


def _requests(
    writes: Iterable[Write], turn: int, *, again: bool
) -> Iterator[InsertOne[Document] | ReplaceOne[Document] | UpdateOne | DeleteOne | DeleteMany]:
    for write in writes:
        if write.kind is Kind.EMPTY:
            yield DeleteMany({TURN: {"$lt": turn}})
            continue
        older: Document = {"_id": write.id, TURN: {"$lt": turn}}
        if write.kind in (Kind.GONE, Kind.ANEW):
            yield DeleteOne(older)
        if write.kind is Kind.GONE:
            continue
        members: Document = bson.decode(write.document)
        if write.kind is Kind.SET:
            yield ReplaceOne(older, members)
        elif again:
            rest = {name: value for name, value in members.items() if name != "_id"}
            yield UpdateOne({"_id": write.id}, {"$setOnInsert": rest}, upsert=True)
        else:
            yield InsertOne(members)


def _by_collection(writes: Sequence[Write]) -> Iterable[tuple[str, list[Write]]]:
    """The writes of each collection, in their order."""
    found: dict[str, list[Write]] = {}
    for write in writes:
        found.setdefault(write.collection, []).append(write)
    yield from found.items()


class _Noted(msgspec.Struct, array_like=True):
    """What a commit is noted as."""

    checkpoint: Checkpoint
    writes: list[Write]


def _packed(to: Checkpoint, writes: Sequence[Write]) -> Iterable[bytes]:
    """The commit in parts, one write at least in each."""
    part: list[Write] = []
    size = 0
    for write in writes:
        if part and size + len(write.document) > _CHUNK:
            yield msgspec.msgpack.encode(_Noted(to, part))
            part, size = [], 0
        part.append(write)
        size += len(write.document) + len(write.id) + 64
    yield msgspec.msgpack.encode(_Noted(to, part))


def _unpacked(parts: Sequence[bytes]) -> tuple[Checkpoint, list[Write]]:
    noted = [msgspec.msgpack.decode(part, type=_Noted) for part in parts]
    return noted[0].checkpoint, [write for each in noted for write in each.writes]


def _checkpoint(to: Checkpoint) -> Document:
    return {"entry": to.entry, "frame": to.frame, "digest": to.digest, "schema": to.schema}


def _document(state: State) -> Document:
    noted: Document = {"note": state.note, "parts": state.parts, "inline": state.inline}
    return {"_id": _STATE, "turn": state.turn, **_checkpoint(state.checkpoint), **noted, "held": state.held}


def _read(document: Document) -> State:
    digest, inline = document["digest"], document.get("inline")
    checkpoint = Checkpoint(
        int(str(document["entry"])),
        int(str(document["frame"])),
        bytes(digest) if isinstance(digest, bytes) else b"",
        str(document["schema"]),
    )
    inline = bytes(inline) if isinstance(inline, bytes) else b""
    note, parts = str(document["note"]), int(str(document["parts"]))
    return State(int(str(document["turn"])), checkpoint, note, parts, inline, str(document["held"]))
