"""Devices, labels and actions in the words of the older Web Services API."""

from collections.abc import Sequence
from typing import Any, Final

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.response import Response

from devices.api import asked
from devices.api.actions import KNOWN, SUCCESSFUL, carry_out, hold_to_limit
from devices.api.rows import moment, told
from devices.models import Device, Label
from devices.services import actions, field_values, label_members, labels, listing, record_pages, search
from devices.services.actions import BY_KEY
from devices.services.record_pages import BY_ID
from epmm import audit, masking, options, settings_store
from epmm.api.errors import ApiError, bad_parameter
from epmm.api.paging import LARGEST_PAGE, Window
from epmm.client_address import client_address
from epmm.numbers import grouped
from users.api.base import LONGEST_REASON
from users.api.v1 import SOURCES, V1View, known
from users.models import User

CODES: Final = {
    Device.Status.ACTIVE: 97, Device.Status.BLOCKED: 98, Device.Status.IENROLL_VERIFIED: 100,
    Device.Status.IENROLL_INPROGRESS: 101, Device.Status.IENROLL_COMPLETE: 102, Device.Status.INFECTED: 105,
    Device.Status.LOST: 108, Device.Status.VERIFICATION_PENDING: 112, Device.Status.RETIRED: 114,
    Device.Status.RETIRE_PENDING: 117, Device.Status.VERIFIED: 118, Device.Status.WIPED: 119,
    Device.Status.EXPIRED: 120,
}  # fmt: skip
UNCODED: Final = 0  # of the two that the older API did not know
FINE: Final = 0  # of a bitmap of reasons
LABELLED: Final = {"apply": BY_KEY["apply-label"], "remove": BY_KEY["remove-label"]}
ORDERS: Final = {"lock": "LOCK_DEVICE", "wipe": "WIPE_DEVICE", "retire": "RETIRE", "unlock": "UNLOCK_DEVICE_ONLY"}


class _Devices(V1View):
    def answer(self, found: QuerySet[Device]) -> Response:
        """No data is a 404 in this API."""
        window = Window.read(self.parameters, limit=LARGEST_PAGE)
        name = (self.person.pk, self.request.path, *self.parameters.several("status"))
        page = record_pages.page(found, name=name, order=BY_ID, offset=window.offset, limit=window.limit)
        if not page.total:
            raise ApiError(404, "not.found", _("No device was found."))
        return Response({"devices": {"device": devices(page.rows)}, "totalCount": page.total})


class Devices(_Devices):
    def get(self, _request: Request) -> Response:
        statuses = [status.upper() for status in self.parameters.several("status")]
        if set(statuses) - {*Device.Status.values}:
            raise bad_parameter("status", _("There is no such status."))
        found = Device.objects.filter(status__in=statuses) if statuses else Device.objects.all()
        return self.answer(found)


class OfUser(_Devices):
    def get(self, _request: Request, name: str) -> Response:
        return self.answer(Device.objects.filter(user=known(name)))


class OfPhone(_Devices):
    def get(self, _request: Request, number: str) -> Response:
        digits = number.lstrip("+")
        expression = " OR ".join(f'"common.current_phone_number" = "{each}"' for each in (digits, f"+{digits}"))
        if not digits.isdecimal():
            raise ApiError(404, "not.found", _("No device was found."))
        return self.answer(search.matching(expression, exclude_retired=False))


class OfLabel(_Devices):
    def get(self, _request: Request, name: str) -> Response:
        return self.answer(label_members.members(labels.find(name)))

    def put(self, _request: Request, name: str) -> Response:
        """`dm/labels/{labels}/{uuids}?action=apply`: several of each, with commas between."""
        names, _slash, uuids = name.rpartition("/")
        action = LABELLED.get(self.parameters.text("action").strip().lower())
        if action is None:
            raise bad_parameter("action", _("action is apply or remove."))
        named, of = names.split(","), dict.fromkeys(uuids.lower().split(","))
        if len(named) * len(of) > listing.MOST_CHOSEN:
            sentence = _("One call does at most {n} things: labels times devices.")
            raise ApiError(400, "too.many", sentence.format(n=grouped(listing.MOST_CHOSEN)))
        found = [labels.find(each) for each in named]
        subjects = actions.subjects(asked.devices(list(of)))
        outcomes = [
            (label, outcome)
            for label in found
            for outcome in actions.carry_out(action, subjects, self._order({"label": label}))
        ]
        said = [
            f"{label.name}, {each.subject.device.uuid}: {each.said}" for label, each in outcomes if not each.is_done
        ]
        if len(said) == len(outcomes):
            raise ApiError(409, "action.refused", "\n".join(said))
        return Response({"messages": {"message": "\n".join(said) or _("Done.")}})

    def _order(self, values: dict[str, Any]) -> actions.Order:
        return actions.Order(values=values, actor=self.actor, address=client_address(self.request._request))


class OneDevice(V1View):
    def get(self, _request: Request, uuid: str) -> Response:
        return one(asked.device(uuid))


class OneByMac(V1View):
    def get(self, _request: Request, mac: str) -> Response:
        return one(asked.device_with_mac(mac))


class Labels(V1View):
    def get(self, _request: Request) -> Response:
        return Response({"labels": {"label": [_label(each) for each in Label.objects.order_by("name")]}})


class LabelsOfDevice(V1View):
    def get(self, _request: Request, uuid: str) -> Response:
        found = [_label(label) for label, _since in label_members.of_device(asked.device(uuid))]
        return Response({"labels": {"label": found}})


class Order(V1View):
    """PUT `dm/devices/lock/{uuid}`, `dm/devices/lock/mac/{mac}` and their like."""

    key = ""

    def put(self, _request: Request, uuid: str = "", mac: str = "") -> Response:
        name = ORDERS[self.key]
        device = asked.device_with_mac(mac) if mac else asked.device(uuid)
        if self.key == "wipe":
            hold_to_limit(1)
        reason = self.parameters.text("reason", longest=LONGEST_REASON)
        address = client_address(self.request._request)
        with audit.noting(reason):
            result = carry_out(KNOWN[name], name, [str(device.uuid)], self.parameters, self.actor, address)
        [[word, sentence]] = result.values()
        if word != SUCCESSFUL:
            raise ApiError(409, "action.refused", sentence)
        return Response({"messages": {"message": _("Done.")}})


class LockDevice(Order):
    key = "lock"


class WipeDevice(Order):
    key = "wipe"


class RetireDevice(Order):
    key = "retire"


class UnlockDevice(Order):
    """The older API unlocks on GET, which whoever follows an address would do: only where a setting says so."""

    key = "unlock"

    def get(self, request: Request, uuid: str = "", mac: str = "") -> Response:
        if not settings_store.read(options.API_UNLOCK_ON_GET):
            raise MethodNotAllowed("GET")
        return self.put(request, uuid, mac)


class SendMessage(V1View):
    def post(self, _request: Request) -> Response:
        uuids = self.parameters.several("deviceUuid")
        macs = self.parameters.several("deviceWiFiMacAddress")
        if not uuids and not macs:
            raise bad_parameter("deviceUuid", _("deviceUuids names at least one device."))
        if len(uuids) + len(macs) > listing.MOST_CHOSEN:
            sentence = _("deviceUuids names at most {n} devices.").format(n=grouped(listing.MOST_CHOSEN))
            raise bad_parameter("deviceUuid", sentence)
        named = {uuid.lower() for uuid in uuids}  # whoever is named in both ways gets one message
        others = dict.fromkeys(str(device.uuid) for device in asked.devices_with_macs(macs))
        uuids += [uuid for uuid in others if uuid not in named]
        address = client_address(self.request._request)
        results = carry_out(KNOWN["SEND_MESSAGE"], "SEND_MESSAGE", uuids, self.parameters, self.actor, address)
        said = [f"{uuid}: {sentence}" for uuid, (_word, sentence) in results.items()]
        return Response({"messages": {"message": said}})


def one(device: Device) -> Response:
    return Response({"device": devices([device])[0], "totalCount": 1, "messages": {}})


def devices(rows: Sequence[Device]) -> list[dict[str, Any]]:
    """With all that is known of each as `details`."""
    fields = search.registry().fields
    return [_device(device, values) for device, values in zip(rows, field_values.values(rows, fields), strict=True)]


def _device(row: Device, values: dict[str, Any]) -> dict[str, Any]:
    device = masking.seen(row)
    user = device.user
    return {
        "uuid": str(device.uuid),
        "status": device.status,
        "statusCode": CODES.get(Device.Status(device.status), UNCODED),
        "platform": values["common.platform_name"] or "",
        "platformType": device.platform,
        "model": device.product_name or device.model,
        "name": device.device_name or device.model_name,
        "manufacturer": field_values.MANUFACTURER,
        "principal": user.user_id,
        "userId": user.user_id,
        "userUUID": str(user.uuid),
        "userDisplayName": user.display_name,
        "userFirstName": user.first_name,
        "userLastName": user.last_name,
        "emailAddress": user.email,
        "emailDomain": user.email.rpartition("@")[2],
        "userSource": SOURCES[User.Source(user.source)],
        "currentPhoneNumber": device.phone_number or field_values.NO_PHONE,
        "operator": device.current_carrier,
        "homeOperator": device.home_carrier,
        "countryCode": device.home_country,
        "countryName": values["common.home_country_name"] or "",
        "registeredAt": moment(device.registered_at) if device.registered_at else None,
        "createdAt": moment(device.created_at),
        "lastConnectedAt": moment(device.last_seen_at) if device.last_seen_at else None,
        "mdmManaged": device.mdm_managed,
        "employeeOwned": device.owner == Device.Owner.EMPLOYEE,
        "compliance": FINE,
        "quarantinedStatus": FINE,
        "blockReason": FINE,
        "wipeReason": "",
        "comment": values[field_values.COMMENT] or "",
        "clientId": "",
        "regType": "MDM",
        "regCount": 1,
        "deviceCount": 1,
        "notifyUser": False,
        "details": [
            {
                "entry": [
                    {"key": _older(key), "value": told(value)}
                    for key, value in values.items()
                    if value not in (None, [])
                ]
            }
        ],
    }


def _older(key: str) -> str:
    """The older API says `iPhone UDID` and `platform`."""
    return key.removeprefix("common.").removeprefix("ios.")


def _label(label: Label) -> dict[str, Any]:
    return {"id": label.pk, "name": label.name, "description": label.description, "isStatic": not label.is_filter}
