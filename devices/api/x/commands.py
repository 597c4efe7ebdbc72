"""Commands of a device: queued, listed, read with what was answered, cancelled; and the queue of all devices."""

import json
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from devices.api.x import chosen
from devices.api.x.payloads import of_json
from devices.models import Command, CommandRow, Device
from devices.services import actions, cancelling, history, raw_answer, send
from devices.services.actions import BY_KEY, Order, Unmet
from devices.services.raw_answer import Exchange
from epmm import audit
from epmm.api import cursors, problems
from epmm.api.errors import ApiError
from epmm.api.fields import Cursor, Flag, Given, Text, Told
from epmm.api.parameters import whole
from epmm.client_address import client_address
from epmm.portal import keyset
from users.api.base import LONGEST_REASON
from users.api.x.base import Deleted, Done, Listed
from users.models import AdminRole
from users.services.idempotency import Answer

WIPE: Final = "EraseDevice"
STATES: Final = [state.name.lower() for state in CommandRow.State]
EXAMPLE: Final[dict[str, Any]] = {
    "id": 4711,
    "uuid": "0b7c9a52-1f0e-4f5c-8a55-3c8f3a8f1a01",
    "request_type": "DeviceLock",
    "state": "queued",
    "user_key": "",
    "created_at": "2025-01-01T12:00:00Z",
    "offered_at": None,
    "done_at": None,
}


class CommandTold(Told):
    example = EXAMPLE
    id = serializers.IntegerField(source="pk")
    uuid = serializers.UUIDField(help_text="As the device sends it back.")
    request_type = serializers.CharField()
    state = serializers.SerializerMethodField(help_text=", ".join(STATES))
    user_key = serializers.CharField(source="channel.user_key", help_text="Of a user of a Mac; empty: the device.")
    created_at = serializers.DateTimeField()
    offered_at = serializers.DateTimeField(allow_null=True)
    done_at = serializers.DateTimeField(allow_null=True)

    def get_state(self, row: CommandRow) -> str:
        return STATES[row.state]


class CommandAnswered(CommandTold):
    example = EXAMPLE | {
        "state": "acknowledged",
        "request": {"RequestType": "DeviceLock", "Message": "Please call us."},
        "answer": {"Status": "Acknowledged"},
    }
    request = serializers.JSONField(help_text="What was asked; secrets are hidden.")
    answer = serializers.JSONField(help_text="What the device said; null: nothing yet.")


class NewCommand(Given):
    example = {"request_type": "DeviceLock", "payload": {"Message": "Please call us."}}
    request_type = Text(max_length=64, help_text="As Apple names it.")
    payload = serializers.DictField(
        required=False,
        help_text="The other keys of the command; data in base64. Left out: what EPMM itself would ask.",
    )
    user_key = Text(max_length=128, allow_blank=True, default="", help_text="A user of a Mac, instead of the Mac.")
    ends_management = Flag(default=False, help_text="Needed by a command after which the device is managed no more.")
    note = Text(max_length=LONGEST_REASON, allow_blank=True, default="", help_text="A reason, for the audit log.")


class OfDevice(Listed[Any], Done):
    says = {
        "GET": "The commands of a device and what became of them, the newest first.",
        "POST": "Queue a command for a device, of any type that it takes.",
    }
    item = CommandTold
    takes = {"POST": NewCommand}
    tells = {"POST": CommandTold}
    status = {"POST": 201}
    fails = {"POST": (404,)}
    told_parameters = frozenset({"request_type", "user_key", "ends_management", "note"})

    def get(self, request: Request, **place: Any) -> Response:
        """From the three tables in which a command may stand."""
        limit, before = self.asked["limit"], self._before()
        rows = history.newest(chosen.one(place["uuid"]), limit + 1, before=before)
        shown, following = rows[:limit], None
        if len(rows) > limit:
            given = {name: value for name, value in request.query_params.items() if name != cursors.CURSOR}
            following = cursors.address(request.path, given, str(shown[-1].pk))
        items = CommandTold(shown, many=True).data
        return Response({"items": items, "next": following}, headers=cursors.link(following))

    def _before(self) -> int | None:
        if "cursor" not in self.asked:
            return None
        key = whole(self.asked["cursor"])
        if key is None or key < 0:
            raise problems.invalid_parameters({"cursor": [_("This is no cursor of this list in this order.")]})
        return key

    def perform(self, _prepared: None) -> Answer:
        given, device = self.given, chosen.one(self.kwargs["uuid"])
        if given["request_type"] == WIPE:
            self._may_wipe(device)
        payload = of_json(given["request_type"], given["payload"]) if "payload" in given else None
        order = send.prepare(device, given["request_type"], payload=payload, user_key=given["user_key"])
        if order.ends_management and not given["ends_management"]:
            sentence = _("This ends the management of the device. Say `ends_management` if that is meant.")
            raise ApiError(422, "management.ends", sentence)
        address = client_address(self.request._request)
        with audit.noting(given["note"]):
            command = send.send(order, actor=self.actor, address=address)
            if given["request_type"] == WIPE:
                told = Order(values={}, actor=self.actor, address=address)
                told.audit("device.wipe_ordered", device, reason=given["note"])
        return self.answer(command, location=reverse("api:x-devices-command", args=[device.uuid, command.pk]))

    def _may_wipe(self, device: Device) -> None:
        self.require(AdminRole.DEVICE_WIPE)
        (subject,) = actions.subjects([device])
        if sentence := BY_KEY["wipe"].why_not(subject):
            raise Unmet(sentence)


class OneCommand(Deleted[Exchange]):
    says = {
        "GET": "One command with what was asked and what was answered.",
        "DELETE": "Cancel a command; a device that has it already may still carry it out.",
    }
    tells = {"GET": CommandAnswered, "DELETE": None}
    fails = {"DELETE": (422,)}

    def row(self, *, locked: bool, uuid: UUID, number: int) -> Exchange:  # type: ignore[override] # its own place
        del locked
        found = raw_answer.of(chosen.one(uuid), number) if number < 1 << 63 else None
        if found is None:
            raise Http404
        return found

    def shown(self, row: Exchange) -> Any:
        told = {"request": _json(row.request), "answer": _json(row.answer)}
        return CommandTold(row.command).data | told

    def remove(self, row: Exchange) -> None:
        address = client_address(self.request._request)
        device = chosen.one(self.kwargs["uuid"])
        cancelling.cancel(device, row.command.pk, actor=self.actor, address=address)


def _json(text: str) -> Any:
    """What is too long was cut, and is told as text."""
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


# --- The queue --------------------------------------------------------------------------------------------------------


class QueuedTold(CommandTold):
    example = EXAMPLE | {"device": "9b0da853-7b1c-4d0f-9a55-3c8f3a8f1a01", "not_now_count": 0}
    device = serializers.SerializerMethodField()
    not_now_count = serializers.IntegerField()

    def get_device(self, row: Command) -> str | None:
        device = row.channel.enrollment.device
        return str(device.uuid) if device else None


class AskedQueue(Cursor):
    request_type = serializers.CharField(required=False, max_length=64)
    state = serializers.ChoiceField(STATES[:3], required=False)
    sort = serializers.ChoiceField(["-id", "id"], default="-id")


class Queue(Listed[Command]):
    says = {"GET": "What devices have not answered yet."}
    asks = AskedQueue
    orders = {"id": keyset.Order("pk")}
    item = QueuedTold
    told_parameters = frozenset({"request_type", "state", "sort"})

    def rows(self) -> QuerySet[Command]:
        shown = (
            "uuid", "request_type", "state", "created_at", "offered_at", "not_now_count", "channel__user_key",
            "channel__enrollment__device__uuid",
        )  # fmt: skip
        rows = Command.objects.open().select_related("channel__enrollment__device").only(*shown)
        if "request_type" in self.asked:
            rows = rows.filter(request_type=self.asked["request_type"])
        return rows.filter(state=STATES.index(self.asked["state"])) if "state" in self.asked else rows
