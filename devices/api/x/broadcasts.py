"""One command to many devices: queued by the worker in bites, watched, called back."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework import serializers

from devices.api.x import chosen
from devices.api.x.chosen import LONGEST_QUERY, MOST_NAMED
from devices.api.x.commands import WIPE
from devices.api.x.payloads import of_json
from devices.models import Broadcast, Device, Label
from devices.services import broadcast, departure, search
from devices.services import selection as selections
from epmm import audit
from epmm.api import problems
from epmm.api.errors import ApiError
from epmm.api.fields import Flag, Given, Text, Told, Uuid, Whole
from epmm.client_address import client_address
from epmm.portal import keyset
from users.api.base import LONGEST_REASON
from users.api.x.base import Done, Listed, One, found
from users.services.idempotency import Answer

# Where the service has another.
NAMES: Final = {
    "user_id": "user__user_id",
    "devices": "uuid__in",
    "query": selections.SEARCH,
}
CHOICES: Final = ("devices", "query", "label", "platform", "enrollment_type", "user_id", "os_version")


class NewBroadcast(Given):
    example = {"request_type": "DeviceInformation", "query": 'common.platform = "iOS"'}
    request_type = Text(max_length=64, help_text="As Apple names it.")
    payload = serializers.DictField(required=False, help_text="As of a command to one device.")
    devices = serializers.ListField(child=Uuid(), required=False, min_length=1, max_length=MOST_NAMED)
    query = Text(required=False, max_length=LONGEST_QUERY, help_text="In the query language of the search.")
    label = Whole(  # type: ignore[assignment] # the framework has this name, too
        required=False, min_value=1, max_value=2**62, help_text="The number of a label."
    )
    platform = serializers.ChoiceField(Device.Platform.choices, required=False)
    enrollment_type = serializers.ChoiceField(Device.EnrollmentType.choices, required=False)
    user_id = Text(required=False, max_length=150)
    os_version = Text(required=False, max_length=32)
    everybody = Flag(default=False, help_text="Needed where nothing says which devices.")
    ends_management = Flag(default=False, help_text="Needed by a command after which a device is managed no more.")
    note = Text(max_length=LONGEST_REASON, allow_blank=True, default="", help_text="A reason, for the audit log.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["everybody"] == bool(set(CHOICES) & attrs.keys()):
            raise serializers.ValidationError(_("Say which devices, or `everybody`."))
        return attrs


class BroadcastTold(Told):
    example = {
        "uuid": "0b7c9a52-1f0e-4f5c-8a55-3c8f3a8f1a01",
        "request_type": "DeviceInformation",
        "actor": "script",
        "created_at": "2025-01-01T12:00:00Z",
        "cancelled_at": None,
        "progress": {
            "queued": 1200, "refused": 3, "open": 900, "acknowledged": 290, "failed": 10, "cancelled": 0,
            "is_complete": True,
        },
        "refusals": {"This device is retired.": 3},
    }  # fmt: skip
    uuid = serializers.UUIDField()
    request_type = serializers.CharField()
    actor = serializers.CharField()
    created_at = serializers.DateTimeField()
    cancelled_at = serializers.DateTimeField(allow_null=True)
    progress = serializers.DictField(help_text="How many devices; `is_complete`: all have been looked at.")
    refusals = serializers.DictField(help_text="By reason, how many devices.")


def known() -> QuerySet[Broadcast]:
    return Broadcast.objects.watched()


def counted(rows: Sequence[Broadcast]) -> Sequence[Broadcast]:
    """Of a page at once."""
    progress = broadcast.progress_of(rows)
    for row in rows:
        row.progress = asdict(progress[row.pk])  # type: ignore[attr-defined] # to be told
    return rows


class Broadcasts(Listed[Broadcast], Done):
    says = {
        "GET": "Commands to many devices, the newest first.",
        "POST": "Queue one command for many devices; a wipe goes by its action instead.",
    }
    orders = {"": keyset.Order("pk", is_descending=True)}
    item = BroadcastTold
    takes = {"POST": NewBroadcast}
    tells = {"POST": BroadcastTold}
    status = {"POST": 202}
    told_parameters = frozenset({"request_type", *CHOICES, "everybody", "ends_management", "note"})

    def rows(self) -> QuerySet[Broadcast]:
        return known()

    def told(self, rows: Sequence[Broadcast]) -> Sequence[Any]:
        return counted(rows)

    def perform(self, _prepared: None) -> Answer:
        given, request_type = self.given, self.given["request_type"]
        self._check(request_type)
        with audit.noting(given["note"]):
            row = broadcast.begin(
                request_type,
                selection=self._selection(),
                payload=of_json(request_type, given["payload"]) if "payload" in given else None,
                actor=self.actor,
                address=client_address(self.request._request),
            )
        [told] = counted([row])
        return self.answer(told, location=reverse("api:x-broadcasts-one", args=[row.uuid]))

    def _check(self, request_type: str) -> None:
        if request_type == WIPE:
            sentence = _("Many devices are wiped by the action `wipe`, which counts them first.")
            raise ApiError(422, "command.refused", sentence)
        if request_type in departure.DEPARTURES and not self.given["ends_management"]:
            sentence = _("This may end the management of devices. Say `ends_management` if that is meant.")
            raise ApiError(422, "management.ends", sentence)

    def _selection(self) -> dict[str, Any]:
        given = self.given
        if "devices" in given:
            chosen.hold_to(given["devices"])
        if "query" in given:
            search.understand(given["query"])
        selection = {NAMES.get(name, name): given[name] for name in CHOICES if name in given}
        if "devices" in given:
            selection[NAMES["devices"]] = [str(each) for each in given["devices"]]
        if "label" in given:
            selection[selections.LABEL] = self._label(given["label"])
        return selection

    def _label(self, number: int) -> str:
        label = Label.objects.filter(pk=number).first()
        if label is None:
            raise problems.invalid_fields({"label": [_("There is no label with this number.")]})
        return label.name


class OneBroadcast(One[Broadcast]):
    says = {"GET": "How far a command to many devices has come."}
    tells = {"GET": BroadcastTold}

    def row(self, *, locked: bool, uuid: UUID) -> Broadcast:  # type: ignore[override] # its own place
        row: Broadcast = found(known(), locked=locked, uuid=uuid)
        return counted([row])[0]


class CallBack(Done):
    says = {"POST": "Queue no more of it, and call back what devices have not answered."}
    tells = {"POST": BroadcastTold}

    def perform(self, _prepared: None) -> Answer:
        row: Broadcast = found(known(), locked=False, uuid=self.kwargs["uuid"])
        broadcast.cancel(row, actor=self.actor, address=client_address(self.request._request))
        return self.answer(counted([known().get(pk=row.pk)])[0])
