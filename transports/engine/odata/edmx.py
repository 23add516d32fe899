"""The metadata document as XML, written from its JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, cast
from xml.sax.saxutils import quoteattr

from transports.engine.odata.csdl import VOCABULARIES, Json
from transports.engine.odata.model import CONTAINER, NAMESPACE

_ENUMS: Final = {
    "Capabilities.ConformanceLevel": "Org.OData.Capabilities.V1.ConformanceLevelType/",
    "Core.Permissions": "Org.OData.Core.V1.Permission/",
}
_PATHS: Final = ("NonFilterableProperties", "NonSortableProperties")
_FACETS: Final = {"$MaxLength": "MaxLength", "$Precision": "Precision"}


def written(document: Json) -> bytes:
    """The XML text."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<edmx:Edmx xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" Version={_quoted(document["$Version"])}>',
    ]
    for uri, (name, alias) in zip(cast("Json", document["$Reference"]), VOCABULARIES.items(), strict=True):
        lines.append(f"<edmx:Reference Uri={_quoted(uri.removesuffix('json') + 'xml')}>")
        lines.append(f"<edmx:Include Namespace={_quoted(name)} Alias={_quoted(alias)}/></edmx:Reference>")
    lines.append("<edmx:DataServices>")
    lines.append(f'<Schema xmlns="http://docs.oasis-open.org/odata/ns/edm" Namespace="{NAMESPACE}">')
    lines.extend(_schema(cast("Json", document[NAMESPACE])))
    lines.append("</Schema></edmx:DataServices></edmx:Edmx>")
    return "\n".join(lines).encode()


def _quoted(value: object) -> str:
    return quoteattr("true" if value is True else "false" if value is False else str(value))


def _attributes(values: Mapping[str, object]) -> str:
    return "".join(f" {name}={_quoted(value)}" for name, value in values.items() if value is not None)


def _schema(schema: Json) -> Iterator[str]:
    for name, element in schema.items():
        if isinstance(element, list):
            for action in element:
                yield from _action(name, action)
        elif name not in (CONTAINER, "$Annotations"):
            yield from _type(name, cast("Json", element))
    annotations = cast("Json", schema["$Annotations"])
    yield from _container(cast("Json", schema[CONTAINER]), cast("Json", annotations[f"{NAMESPACE}.{CONTAINER}"]))


def _type(name: str, element: Json) -> Iterator[str]:
    tag = cast("str", element["$Kind"])
    yield f"<{tag}{_attributes({'Name': name})}>"
    if "$Key" in element:
        keys = "".join(f"<PropertyRef Name={_quoted(key)}/>" for key in cast("list[str]", element["$Key"]))
        yield f"<Key>{keys}</Key>"
    for member, value in element.items():
        if not member.startswith("$"):
            yield from _member(member, cast("Json", value))
    yield f"</{tag}>"


def _type_name(element: Json) -> str:
    name = str(element.get("$Type", "Edm.String"))
    return f"Collection({name})" if element.get("$Collection") else name


def _member(name: str, element: Json) -> Iterator[str]:
    navigates = element.get("$Kind") == "NavigationProperty"
    tag = "NavigationProperty" if navigates else "Property"
    values: dict[str, object] = {"Name": name, "Type": _type_name(element)}
    if not element.get("$Nullable") and not (navigates and element.get("$Collection")):
        values["Nullable"] = False
    values |= {xml: element.get(json) for json, xml in _FACETS.items()}
    values["Partner"] = element.get("$Partner")
    inner = list(_annotations(element))
    for held, key in cast("Json", element.get("$ReferentialConstraint", {})).items():
        inner.append(f"<ReferentialConstraint Property={_quoted(held)} ReferencedProperty={_quoted(key)}/>")
    yield _element(tag, values, inner)


def _element(tag: str, values: Mapping[str, object], inner: list[str]) -> str:
    start = f"<{tag}{_attributes(values)}"
    return f"{start}>{''.join(inner)}</{tag}>" if inner else f"{start}/>"


def _action(name: str, action: Json) -> Iterator[str]:
    yield f'<Action Name="{name}" IsBound="true">'
    for parameter in cast("list[Json]", action["$Parameter"]):
        values = {"Name": parameter["$Name"], "Type": _type_name(parameter)}
        values["Nullable"] = None if parameter.get("$Nullable") else False
        yield _element("Parameter", values, list(_annotations(parameter)))
    returns = cast("Json", action["$ReturnType"])
    nullable = None if returns.get("$Nullable") else False
    yield _element("ReturnType", {"Type": _type_name(returns), "Nullable": nullable}, [])
    yield "</Action>"


def _container(container: Json, annotations: Json) -> Iterator[str]:
    yield f'<EntityContainer Name="{CONTAINER}">'
    for name, value in container.items():
        if name.startswith("$"):
            continue
        element = cast("Json", value)
        bindings = cast("Json", element.get("$NavigationPropertyBinding", {}))
        inner = [f"<NavigationPropertyBinding Path={_quoted(p)} Target={_quoted(t)}/>" for p, t in bindings.items()]
        inner += _annotations(element)
        yield _element("EntitySet", {"Name": name, "EntityType": element["$Type"]}, inner)
    yield from _annotations(annotations)
    yield "</EntityContainer>"


def _annotations(element: Json) -> Iterator[str]:
    for name, value in element.items():
        if name.startswith("@"):
            yield _annotation(name[1:], value)


def _annotation(term: str, value: object) -> str:
    start = f"<Annotation Term={_quoted(term)}"
    if term in _ENUMS:
        return f"{start} EnumMember={_quoted(_ENUMS[term] + str(value))}/>"
    if isinstance(value, bool):
        return f"{start} Bool={_quoted(value)}/>"
    return f"{start}>{_expression(value, 'String')}</Annotation>"


def _expression(value: object, kind: str) -> str:
    if isinstance(value, list):
        return f"<Collection>{''.join(_expression(each, kind) for each in value)}</Collection>"
    if isinstance(value, dict):
        members = "".join(_record_member(name, each) for name, each in value.items())
        return f"<Record>{members}</Record>"
    text = str(value).replace("&", "&amp;").replace("<", "&lt;")
    return f"<{kind}>{text}</{kind}>"


def _record_member(name: str, value: object) -> str:
    start = f"<PropertyValue Property={_quoted(name)}"
    if isinstance(value, bool):
        return f"{start} Bool={_quoted(value)}/>"
    return f"{start}>{_expression(value, 'PropertyPath' if name in _PATHS else 'String')}</PropertyValue>"
