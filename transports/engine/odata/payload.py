"""Bodies as clients send them, and what they mean in a row."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from octonet.kernel.errors import invalid
from octonet.kernel.faults import step
from octonet.kernel.schema import ID
from octonet.transport import Incoming
from transports.engine import coerce
from transports.engine.odata.call import Call, reference
from transports.engine.odata.model import Entity, Navigation
from transports.engine.odata.problems import unsupported


class Nested(msgspec.Struct, frozen=True):
    """A new row inside the body of another: it is made with it."""

    navigation: Navigation
    content: Mapping[str, object]


class Content(msgspec.Struct, frozen=True):
    """What a body says of a row."""

    data: dict[str, object]
    nested: tuple[Nested, ...] = ()


def members(incoming: Incoming) -> dict[str, object]:
    """The body, which must be an object. Raises `Invalid`."""
    found = coerce.body(incoming)
    if not isinstance(found, dict):
        raise invalid("$", "must be a JSON object")
    return found


def read(call: Call, entity: Entity, body: Mapping[str, object], *, changes: bool = False) -> Content:
    """The values of a row, or the changes of one. Annotations say nothing but ``bind``; what is no name of ours is left
    for the operation to refuse, at its place. Raises `Invalid`, and a 501."""
    data: dict[str, object] = {}
    nested: list[Nested] = []
    for name, value in body.items():
        place = step("$.data", name)
        plain, _, annotation = name.partition("@")
        if annotation:
            if annotation.removeprefix("odata.") == "bind" and plain in entity.navigations:
                if changes and entity.navigations[plain].collection:
                    # To some versions of OData it adds, to others it replaces.
                    raise unsupported(place, "to bind many rows in a change")
                _put(data, *_bound(call, entity.navigations[plain], value, place), place)
            continue
        held = entity.properties.get(name)
        navigation = entity.navigations.get(name)
        if held is not None and value is None and (held.managed or held.name == ID):
            # Left to the server, by clients that name everything they know.
            continue
        if held is not None:
            _put(data, held.column, value, place)
        elif navigation is None:
            _put(data, name, value, place)
        else:
            _navigate(call, navigation, value, place, data, nested)
    return Content(data, tuple(nested))


def _navigate(
    call: Call, navigation: Navigation, value: object, place: str, data: dict[str, object], nested: list[Nested]
) -> None:
    """A relation by its own name: an id as it has always been here, an address, or whole rows to be made."""
    column = navigation.relation.column or navigation.name
    if navigation.collection and isinstance(value, list) and any(isinstance(each, dict) for each in value):
        ids = [_address(each) for each in value]
        if None not in ids:
            if not navigation.holder:
                raise unsupported(place, "to name rows that refer to this one")
            _put(data, column, [_key(call, navigation, id, place) for id in ids], place)
            return
        for each in value:
            if not isinstance(each, dict) or _address(each) is not None:
                raise unsupported(place, "new rows and references together")
            nested.append(Nested(navigation, each))
        return
    if isinstance(value, dict):
        if navigation.collection:
            raise invalid(place, "must be a list")
        address = _address(value)
        if address is None:
            nested.append(Nested(navigation, value))
        else:
            _put(data, column, _key(call, navigation, address, place), place)
        return
    _put(data, navigation.name if navigation.collection else column, value, place)


def _put(data: dict[str, object], name: str, value: object, place: str) -> None:
    if name in data and data[name] != value:
        raise invalid(place, "says a second time, and otherwise, what the row refers to")
    data[name] = value


def _address(value: object) -> object:
    """The reference that an object is, if it is one."""
    if not isinstance(value, dict):
        return None
    return value.get("@id", value.get("@odata.id"))


def _bound(call: Call, navigation: Navigation, value: object, place: str) -> tuple[str, object]:
    if navigation.collection:
        if not isinstance(value, list):
            raise invalid(place, "must be a list of addresses")
        if not navigation.holder:
            raise unsupported(place, "to bind rows that refer to this one")
        return navigation.name, [_key(call, navigation, each, place) for each in value]
    column = navigation.relation.column
    return column, None if value is None else _key(call, navigation, value, place)


def _key(call: Call, navigation: Navigation, address: object, place: str) -> str:
    if not isinstance(address, str):
        raise invalid(place, "must be the address of a row")
    entity, key = reference(address, call)
    if entity.schema.name != navigation.relation.target:
        raise invalid(place, f"must be the address of a row of {call.model.target(navigation).set}")
    return key
