"""What the OpenAPI document says of the older Web Services API: in JSON, unless XML is asked for."""

from collections.abc import Mapping
from typing import Any, Final

from epmm.api.compat_document import OBJECT, UUID, WINDOW, Call, Json, query

MEDIA: Final = ("application/json", "application/xml")
STATUSES: Final = (400, 401, 403, 404, 405, 409, 413, 429, 500, 503)


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _several(name: str, item: Json = OBJECT) -> Json:
    """A list, which in XML is the same name again and again."""
    return _object({name: {"type": "array", "items": item}})


COUNT: Final[Json] = {"type": "integer"}
TEXT: Final[Json] = {"type": "string"}
SAID: Final = _object({"messages": _object({"message": TEXT})})
DEVICE: Final[Json] = {"uuid": UUID, "status": "ACTIVE", "statusCode": 97, "platform": "iOS 18.2", "principal": "mia"}
LABEL: Final[Json] = {"id": 4, "name": "Sales", "description": "", "isStatic": True}
REGISTERED: Final = ("status", "userId", "platform", "deviceUuid")
REASON: Final = query("reason", str, "For the audit log.")


def _devices(summary: str, *parameters: Any) -> Call:
    return Call(
        summary=summary,
        parameters=(*parameters, *WINDOW),
        response=_object({"devices": _several("device"), "totalCount": COUNT}),
        example={"devices": {"device": [DEVICE]}, "totalCount": 1},
    )


def _device(summary: str) -> Call:
    return Call(
        summary=summary,
        response=_object({"device": OBJECT, "totalCount": COUNT, "messages": OBJECT}),
        example={"device": DEVICE, "totalCount": 1, "messages": {}},
    )


def _labels(summary: str) -> Call:
    return Call(
        summary=summary,
        response=_object({"labels": _several("label")}),
        example={"labels": {"label": [LABEL]}},
    )


def _order(summary: str) -> Call:
    return Call(summary=summary, parameters=(REASON,), response=SAID, example={"messages": {"message": "Done."}})


CALLS: Final[Mapping[str, Call]] = {
    "v1-devices GET": _devices("Devices, by status.", query("status", str, "ACTIVE, RETIRED …, with commas between.")),
    "v1-devices-one GET": _device("One device."),
    "v1-devices-mac GET": _device("The device with this address of the Wi-Fi interface."),
    "v1-devices-lock PUT": _order("Lock a device."),
    "v1-devices-wipe PUT": _order("Erase a device."),
    "v1-devices-retire PUT": _order("Retire a device."),
    "v1-devices-unlock PUT": _order("Clear a passcode."),
    "v1-devices-unlock GET": _order("Clear a passcode, where a setting lets it be done by GET."),
    "v1-devices-lock-mac PUT": _order("Lock a device, by the address of its Wi-Fi interface."),
    "v1-devices-wipe-mac PUT": _order("Erase a device, by the address of its Wi-Fi interface."),
    "v1-devices-retire-mac PUT": _order("Retire a device, by the address of its Wi-Fi interface."),
    "v1-devices-unlock-mac PUT": _order("Clear a passcode, by the address of its Wi-Fi interface."),
    "v1-devices-unlock-mac GET": _order("Clear a passcode by that address, where a setting lets it be done by GET."),
    "v1-users-devices GET": _devices("The devices of a user."),
    "v1-phones GET": _devices("The devices with a phone number."),
    "v1-labels GET": _labels("All labels."),
    "v1-labels-of-device GET": _labels("The labels of a device."),
    "v1-labels-devices GET": _devices("The devices of a label."),
    "v1-labels-devices PUT": Call(
        summary="Apply labels to devices, or remove them: names, a slash, UUIDs, with commas between those of a kind.",
        parameters=(query("action", str, "apply or remove."),),
        response=SAID,
        example={"messages": {"message": "Done."}},
    ),
    "v1-sendmessage POST": Call(
        summary="Write to the users of devices.",
        parameters=(
            query("deviceUuid", str, "The same name again for each device."),
            query("deviceWiFiMacAddress", str, "Likewise, by the addresses of their Wi-Fi interfaces."),
            query("mode", str, "email; others are not supported."),
            query("subject", str, "Of the email."),
            query("message", str, "What it says."),
        ),
        response=_object({"messages": _several("message", TEXT)}),
        example={"messages": {"message": [f"{UUID}: Sent"]}},
    ),
    "v1-users-one GET": Call(
        summary="One user.",
        response=_object({"user": OBJECT, "totalCount": COUNT}),
        example={"user": {"userId": "mia", "displayName": "Mia Ito", "enabled": True}, "totalCount": 1},
    ),
    "v1-register PUT": Call(
        summary="Expect a device of a user.",
        parameters=(
            query("userId", str, "Whose."),
            query("platform", str, "I, M or V: iOS, macOS or visionOS."),
            query("phoneNumber", str, "Its phone number."),
            query("pda", bool, "It has none."),
            query("countryCode", str, "Two letters."),
            query("operator", str, "Of its SIM; PDA: none."),
            query("isEmployeeOwned", bool, "Or the company's."),
            query("importUserFromLdap", bool, "Whoever is not known here is looked for in the directories."),
            query(
                "userFirstName", str, "Whoever is not known here is added as a local user, with what is said of them."
            ),
            query("userLastName", str, "Likewise."),
            query("userEmailAddress", str, "Likewise."),
            query("notifyUser", bool, "By email."),
            query("notifyUserBySMS", bool, "Not possible: `messages` says so."),
        ),
        response=_object({"registration": _object(dict.fromkeys(REGISTERED, TEXT))}),
        example={"registration": {"status": "SUCCESS", "userId": "mia", "platform": "iOS", "deviceUuid": UUID}},
    ),
}
