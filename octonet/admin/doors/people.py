"""`/api/users`: the people who may log in to the office."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from octonet.admin.authority import LetIn
from octonet.admin.http import body, nowhere, ok, only, steps
from octonet.admin.people import NewPerson, People, PersonChange
from octonet.transport import HttpDoor, Incoming, Reply


class PeopleDoor:
    """`let_in` is the reception's. What somebody may do is checked by `People`."""

    def __init__(self, people: People, let_in: LetIn) -> None:
        self._people = people
        self._let_in = let_in

    def mount(self) -> Mapping[str, HttpDoor]:
        """Path prefix → door."""
        return {"/api/users": self.users}

    async def users(self, incoming: Incoming) -> Reply:
        """List, let in, show, change, disable."""
        by = await self._let_in(incoming)
        match steps(incoming):
            case [""]:
                only(incoming, "GET", "POST")
                if incoming.method == "POST":
                    return ok(await self._people.create(by, body(incoming, NewPerson)), HTTPStatus.CREATED)
                rows = await self._people.every(by)
                return ok(rows, metadata={"count": len(rows)})
            case [user]:
                only(incoming, "GET", "PUT", "DELETE")
                if incoming.method == "GET":
                    return ok(await self._people.find(by, user))
                if incoming.method == "DELETE":
                    return ok(await self._people.disable(by, user))
                return ok(await self._people.change(by, user, body(incoming, PersonChange)))
            case _:
                raise nowhere(incoming)
