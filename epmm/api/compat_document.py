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


STATUSES: Final = (400, 401, 403, 404, 413, 429, 500, 503)


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


def query(name: str, kind: type, description: str, *, enum: Sequence[str] | None = None) -> OpenApiParameter:
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, description=description, enum=enum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    summary: str = ""
    parameters: Sequence[OpenApiParameter] = ()
    request: Json | None = None
    request_example: Any = None
    response: Json | None = field(default_factory=lambda: OBJECT)  # None: it always fails
    example: Any = None
    media_type: str = "application/json"


UUID: Final = "9b0da853-0000-0000-0000-f4b5457299cf"
SUCCESSFUL: Final = "com.mobileiron.vsp.messages.device.action.successful"
SPACE: Final = query("adminDeviceSpaceId", int, "The device space; absent: the caller's only one.")
WINDOW: Final = (
    query("limit", int, "How many records, at most 1000."),
    query("offset", int, "From the record with this number."),
)
SORTED: Final = (
    query("sortField", str, "By which field."),
    query("sortOrder", str, "ASC, unless something else is said.", enum=("ASC", "DESC")),
)
QUERY: Final = query("query", str, 'For example `common.status="ACTIVE" AND common.os_version >= "17"`; empty: all.')
LABEL: Final = query("labelId", int, "Those of this label; -1: whatever their labels.")
FIELDS: Final = query("fields", str, "Which fields, with commas between; unknown ones are left out and told.")
DEVICES: Final[Json] = {
    "type": "object",
    "properties": {"deviceUuids": {"type": "array", "items": {"type": "string"}}},
    "additionalProperties": True,
}
LABELED: Final[Json] = {"type": "object", "properties": {"successful": {"type": "boolean"}, "results": OBJECT}}
DONE: Final[Json] = {"type": "object", "properties": {"successful": {"type": "boolean"}}, "required": ["successful"]}
OF_DEVICE: Final[Json] = {
    "type": "object",
    "properties": {
        "actionType": {"type": "string"},
        "deviceResults": {"type": "object", "additionalProperties": {"type": "string"}},
        "successful": {"type": "boolean"},
        "messages": {"type": "array", "items": MESSAGE},
    },
    "required": ["actionType", "deviceResults", "successful"],
}
COUNTED: Final[Json] = {
    "type": "object",
    "properties": {"totalCount": {"type": "integer"}},
    "required": ["totalCount"],
}
ROW: Final[Json] = {"common.uuid": UUID, "common.model": "iPhone 15"}
PERSON: Final[Json] = {
    "id": 9001,
    "uuid": "6d7ea4a2-7b1c-4d0f-9a55-3c8f3a8f1a01",
    "principal": "mia",
    "firstName": "Mia",
    "lastName": "Ito",
    "displayName": "Mia Ito",
    "email": "mia@example.com",
    "enabled": True,
    "source": "Local",
    "roles": ["portal"],
}
LABEL_TOLD: Final[Json] = {"id": 4, "name": "Sales", "staticLabel": True}
SPACE_TOLD: Final[Json] = {"id": 1, "name": "Global", "path": "/1/", "deviceCount": 0}
EXPORT_ASKED: Final = (
    query("userActionIds", str, "Numbers or names of actions, with commas between."),
    query("status", str, "Success, Failed or Initiated, with commas between."),
    query("subject", str, "The UUID of a device."),
    query("actionStart", int, "Since this moment, in milliseconds since 1970."),
    query("actionEnd", int, "Before this moment."),
)
EXPORT: Final = query("requestId", str, "Which export; absent: the newest.")
ATTRIBUTES: Final = query("attributes", str, "The names of those that are taken away, with commas between.")
APPS: Final[Json] = {"results": [], "totalCount": 0, "resultCount": 0, "hasMore": False, "messages": []}


def paged(item: Json) -> Json:
    """An example."""
    return {"results": [item], "totalCount": 1, "resultCount": 1, "hasMore": False, "messages": []}


def action(summary: str, name: str, *, more: Sequence[OpenApiParameter] = ()) -> Call:
    return Call(
        summary=summary,
        parameters=(SPACE, *more),
        request=DEVICES,
        request_example={"deviceUuids": [UUID], "note": "reason"},
        response=OF_DEVICE,
        example={"actionType": name, "deviceResults": {UUID: SUCCESSFUL}, "successful": True},
    )


def either(call: Call, *names: str) -> dict[str, Call]:
    return dict.fromkeys(names, call)


CALLS: Final[Mapping[str, Call]] = {
    "ping GET": Call(
        summary="Which version answers, and whether the credentials are right.",
        parameters=(SPACE,),
        response=one({"apiVersion": {"type": "number"}, "vspVersion": {"type": "string"}}),
        example={"results": {"apiVersion": 2, "vspVersion": "EPMM 0.1.0 Build 1 "}},
    ),
    "devices GET": Call(
        summary="Devices by search, by label or by both.",
        parameters=(SPACE, QUERY, LABEL, FIELDS, *WINDOW, *SORTED),
        response=page(),
        example=paged(ROW) | {"searchTimeMillis": 3, "currentServerTimeMilliseconds": 1735725600000},
    ),
    "devices-count GET": Call(
        summary="How many devices a search or a label has.",
        parameters=(SPACE, QUERY, LABEL),
        response=COUNTED,
        example={"totalCount": 17, "messages": [], "searchTimeMillis": 3},
    ),
    **either(
        Call(
            summary="Which fields are searched by.",
            parameters=(SPACE,),
            response=page(),
            example=paged(
                {
                    "name": "common.status",
                    "displayName": "Status",
                    "type": "STRING",
                    "operators": ["=", "!="],
                    "values": ["ACTIVE", "RETIRED"],
                    "category": "COMMON",
                }
            ),
        ),
        "devices-search-fields GET",
        "device-spaces-criteria GET",
    ),
    "devices-details GET": Call(
        summary="All that is known of a device, by name and value.",
        parameters=(SPACE,),
        response=page(),
        example=paged({"name": "common.uuid", "value": UUID}),
    ),
    "devices-action POST": action(
        "Do something with devices.",
        "WAKE_UP",
        more=(query("actionType", str, "WAKE_UP, RETIRE, WIPE_DEVICE, UNLOCK_DEVICE_ONLY, SEND_MESSAGE, UPDATE_OS …"),),
    ),
    **either(action("Have devices check in.", "WAKE_UP"), "devices-wakeup PUT", "devices-wakeup POST"),
    **either(action("Retire devices.", "RETIRE"), "devices-retire PUT", "devices-retire POST"),
    **either(action("Erase devices.", "WIPE_DEVICE"), "devices-wipe PUT", "devices-wipe POST"),
    **either(action("Lock devices.", "LOCK_DEVICE"), "devices-lock PUT", "devices-lock POST"),
    **either(action("Clear passcodes.", "UNLOCK_DEVICE_ONLY"), "devices-unlock PUT", "devices-unlock POST"),
    "devices-appinventory GET": Call(
        summary="Installed apps of devices.",
        parameters=(
            SPACE,
            query("deviceUuids", str, "With commas between."),
            query("wifimacs", str, "Instead, by the address of the Wi-Fi interface."),
        ),
        response=page(),
        example=paged({"common.uuid": UUID, "appInventory": [{"name": "Maps", "version": "3.1"}]}),
    ),
    "appinventory-devices GET": Call(
        summary="Devices that have an app.",
        parameters=(
            SPACE,
            query("bundleId", str, "The identifier of the app."),
            query("name", str, "Or its name."),
            query("version", str, "And its version."),
            FIELDS,
            *WINDOW,
        ),
        response=page(),
        example=paged(ROW),
    ),
    "devices-custom-attributes PUT": Call(
        summary="Set custom attributes of devices.",
        parameters=(SPACE,),
        request=DEVICES,
        request_example={"deviceUuids": [UUID], "attributes": {"room": "4.11"}},
        response=DONE,
        example={"results": {UUID: {"successful": True, "changed": True}}, "successful": True, "messages": []},
    ),
    "devices-custom-attributes DELETE": Call(
        summary="Take custom attributes from devices.",
        parameters=(SPACE, query("deviceUuids", str, "With commas between."), ATTRIBUTES),
        response=DONE,
        example={"results": {UUID: {"successful": True, "changed": True}}, "successful": True, "messages": []},
    ),
    "users-custom-attributes PUT": Call(
        summary="Set custom attributes of users.",
        parameters=(SPACE,),
        request=OBJECT,
        request_example={"userUuids": [PERSON["uuid"]], "attributes": {"team": "Sales"}},
        response=DONE,
        example={"results": {PERSON["uuid"]: {"successful": True, "changed": True}}, "successful": True},
    ),
    "users-custom-attributes DELETE": Call(
        summary="Take custom attributes from users.",
        parameters=(SPACE, query("userUuids", str, "With commas between."), ATTRIBUTES),
        response=DONE,
        example={"results": {PERSON["uuid"]: {"successful": True, "changed": True}}, "successful": True},
    ),
    "attributes-definitions GET": Call(
        summary="Which custom attributes there are.",
        parameters=(
            SPACE,
            query("type", str, "Of whom.", enum=("device", "user")),
            query("keyword", str, "In the name or the description."),
            *WINDOW,
        ),
        response=page(),
        example=paged({"id": 3, "name": "room", "type": "device", "dataType": "TEXT", "status": "active"}),
    ),
    "devices-labels GET": Call(
        summary="The labels of a device.", parameters=(SPACE,), response=page(), example=paged(LABEL_TOLD)
    ),
    **either(
        Call(
            summary="Give devices a label, or take it from them.",
            parameters=(SPACE,),
            request=DEVICES,
            request_example={"deviceUuids": [UUID]},
            response=LABELED,
            example={
                "successful": True,
                "results": {"records": [{"label": "Sales", "device": [{"uuid": UUID, "failureCode": None}]}]},
            },
        ),
        "devices-labels-add PUT",
        "devices-labels-remove PUT",
    ),
    "labels-summary GET": Call(
        summary="Labels, with how many devices each has.",
        parameters=(SPACE, query("query", str, "In the name."), *WINDOW, *SORTED),
        response=page(),
        example=paged({"id": 4, "name": "Sales", "isStatic": True, "deviceCount": 2, "deviceSpaceId": 1}),
    ),
    "labels-one GET": Call(summary="One label.", parameters=(SPACE,), response=one(), example={"results": LABEL_TOLD}),
    "labels POST": Call(
        summary="Make a label.",
        parameters=(SPACE,),
        request={
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "description": {"type": "string"},
                "static": {"type": "boolean"},
                "criteria": {"type": "string"},
            },
            "required": ["name"],
            "additionalProperties": True,
        },
        request_example={"name": "Sales", "description": "", "deviceSpaceId": 1, "static": True},
        response=one(),
        example={"results": LABEL_TOLD},
    ),
    "labels DELETE": Call(
        summary="Delete labels; their numbers may stand in a JSON body instead.",
        parameters=(SPACE, query("labelIds", str, "With commas between."), query("reason", str, "For the log.")),
        response=DONE,
        example={"results": ["Sales"], "successful": True, "messages": []},
    ),
    "authorized-users GET": Call(
        summary="Users by name.",
        parameters=(SPACE, query("query", str, "How a name, user ID or email begins; empty: all."), *WINDOW, *SORTED),
        response=page(),
        example=paged(PERSON),
    ),
    "device-spaces GET": Call(
        summary="All device spaces.",
        parameters=(SPACE, query("excludeDeviceCount", bool, "Without counting.")),
        response=page(),
        example=paged(SPACE_TOLD),
    ),
    "device-spaces-mine GET": Call(
        summary="The caller's device spaces.",
        parameters=(SPACE, query("excludeDeviceCount", bool, "Without counting.")),
        response=page(),
        example=paged(SPACE_TOLD),
    ),
    "admins-ldap-entities GET": Call(
        summary="People, groups and organizational units of directories.",
        parameters=(
            SPACE,
            query("type", str, "Which.", enum=("user", "group", "ou")),
            query("query", str, "In the name."),
            *WINDOW,
        ),
        response=page(),
        example=paged({"name": "Sales", "dn": "cn=Sales,dc=example,dc=com", "principal": "Sales", "type": "group"}),
    ),
    **either(
        Call(
            summary="The actions that the audit log knows, by category.",
            parameters=(SPACE,),
            response={"type": "array", "items": OBJECT},
            example=[{"category": "user", "actions": [{"id": 1234, "name": "user.created"}]}],
        ),
        "admins-actions GET",
        "admins-actions-of GET",
    ),
    **either(
        Call(
            summary="Begin an export of the audit log.",
            parameters=(SPACE, *EXPORT_ASKED),
            response=one(),
            example={"results": {"requestId": UUID, "status": "INITIATED", "rows": 0}, "messages": []},
        ),
        "audit-logs-export GET",
        "audit-logs-export POST",
    ),
    "audit-logs-export-status GET": Call(
        summary="How far an export is.",
        parameters=(SPACE, EXPORT),
        response=one(),
        example={"results": {"requestId": UUID, "status": "COMPLETED", "rows": 17}, "messages": []},
    ),
    "audit-logs-csv GET": Call(
        summary="The file of an export.",
        parameters=(SPACE, EXPORT),
        response={"type": "string"},
        example="time,actor,address,action,subject_type,subject,status,note,details\r\n"
        "2025-01-01T12:00:00+00:00,admin,192.0.2.7,label.created,label,Sales,Success,,\r\n",
        media_type="text/csv",
    ),
    "appstore-apps GET": Call(
        summary="Always empty: there is no catalogue of apps.", parameters=(SPACE,), response=page(), example=APPS
    ),
    "appstore-apps-one GET": Call(summary="Never there.", parameters=(SPACE,), response=None),
}
