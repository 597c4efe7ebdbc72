"""What the OpenAPI document says of EPMM's own calls, whose clients were there before it: by name and method."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter

Json = dict[str, Any]
OBJECT: Final[Json] = {"type": "object", "additionalProperties": True}
MESSAGE: Final[Json] = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "enum": ["Info", "Error"]},
        "messageKey": {"type": "string"},
        "localizedMessage": {"type": "string"},
    },
    "required": ["type", "messageKey", "localizedMessage"],
}
ENVELOPE_OF_ERRORS: Final[Json] = {
    "type": "object",
    "properties": {"messages": {"type": "array", "items": MESSAGE, "minItems": 1}},
    "required": ["messages"],
}


def one(properties: Json | None = None) -> Json:
    """An object in `results`."""
    results = OBJECT if properties is None else {"type": "object", "properties": properties}
    return {"type": "object", "properties": {"results": results}, "required": ["results"]}


def page(item: Json = OBJECT) -> Json:
    names = ("totalCount", "resultCount")
    return {
        "type": "object",
        "properties": {
            "results": {"type": "array", "items": item},
            **{name: {"type": "integer"} for name in names},
            "hasMore": {"type": "boolean"},
            "messages": {"type": "array", "items": MESSAGE},
        },
        "required": ["results", *names, "hasMore"],
    }


def query(name: str, kind: type, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, description=description)


SPACE: Final = query("adminDeviceSpaceId", int, "The device space; absent: the caller's only one.")
PAGED: Final = (
    query("limit", int, "How many records, at most 1000."),
    query("offset", int, "From the record with this number."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    summary: str = ""
    parameters: Sequence[OpenApiParameter] = (SPACE,)
    request: Json | None = None
    request_example: Any = None
    response: Json = field(default_factory=lambda: OBJECT)
    example: Any = None


CALLS: Final[Mapping[str, Call]] = {
    "ping GET": Call(
        summary="Which version answers, and whether the credentials are right.",
        response=one({"apiVersion": {"type": "number"}, "vspVersion": {"type": "string"}}),
        example={"results": {"apiVersion": 2, "vspVersion": "EPMM 0.1.0 Build 1 "}},
    ),
}


def of(call: str) -> Call:
    return CALLS.get(call, Call())
