"""Declarations: made, changed, assigned to devices, removed; what devices say of them."""

import binascii
from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, QuerySet
from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from devices.api.x import chosen
from devices.api.x.chosen import MOST_NAMED
from devices.api.x.payloads import of_json
from devices.models import Declaration, DeclarationAssignment, DeclarationState
from devices.services import declaration_overview, declarations
from epmm.api.errors import ApiError
from epmm.api.fields import Cursor, Flag, Given, Text, Told, Uuid
from epmm.portal import keyset
from users.api.x.base import All, Deleted, Done, Listed, Patched, XView, found
from users.models import AdminRole
from users.services.idempotency import Answer

LONGEST_PREDICATE: Final = 10_000
EXAMPLE: Final[dict[str, Any]] = {
    "identifier": "com.example.passcode",
    "type": "com.apple.configuration.passcode.settings",
    "kind": "configuration",
    "predicate": "",
    "assignment_count": 2,
    "created_at": "2025-01-01T12:00:00Z",
    "changed_at": "2025-01-01T12:00:00Z",
    "removed_at": None,
}


class DeclarationTold(Told):
    example = EXAMPLE
    identifier = serializers.CharField()
    type = serializers.CharField()
    kind = serializers.ChoiceField(Declaration.Kind.choices)
    predicate = serializers.CharField()
    assignment_count = serializers.IntegerField(source="assigned")
    created_at = serializers.DateTimeField()
    changed_at = serializers.DateTimeField()
    removed_at = serializers.DateTimeField(allow_null=True, help_text="Since then it goes from the devices.")


class DeclarationWhole(DeclarationTold):
    example = EXAMPLE | {"payload": {"RequirePasscode": True, "MinimumLength": 8}, "profile_sha256": ""}
    payload = serializers.SerializerMethodField(help_text="May hold secrets; null for who may not change it.")
    profile_sha256 = serializers.CharField(help_text="Of the profile that stands for a payload.")

    def get_payload(self, row: Declaration) -> dict[str, Any] | None:
        view: XView = self.context["view"]
        return dict(row.payload) if AdminRole.CONFIGURATION_MANAGE in view.roles else None


def known() -> QuerySet[Declaration]:
    return Declaration.objects.defer("profile").annotate(assigned=Count("assignments"))


def one(identifier: str, *, locked: bool = False) -> Declaration:
    """Raises Http404."""
    return found(Declaration.objects.all() if locked else known(), locked=locked, identifier=identifier)


class _State(XView):
    def state(self, row: Declaration) -> Sequence[Any]:
        return (row.pk, row.version, row.removed_at)


class _Content(Given):
    payload = serializers.DictField(required=False, help_text="As Apple's schema has it.")
    profile = Text(
        required=False,
        help_text="Instead of a payload, where the type downloads one: a .mobileconfig in base64.",
    )
    predicate = Text(max_length=LONGEST_PREDICATE, allow_blank=True, required=False)

    def validate_profile(self, text: str) -> bytes:
        try:
            return b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise serializers.ValidationError(_("This is data, which is written in base64.")) from error

    def validate_payload(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        return of_json("", payload)


class NewDeclaration(_Content):
    example = {
        "identifier": "com.example.passcode",
        "type": "com.apple.configuration.passcode.settings",
        "payload": {"RequirePasscode": True, "MinimumLength": 8},
    }
    identifier = Text(max_length=64)
    type = Text(max_length=128)


class DeclarationChange(_Content):
    example: dict[str, Any] = {"payload": {"RequirePasscode": True, "MinimumLength": 10}}


class AskedDeclarations(Cursor):
    type = serializers.CharField(required=False, max_length=128)
    sort = serializers.ChoiceField(["identifier", "-identifier"], default="identifier")


class Declarations(Listed[Declaration], Done, _State):
    says = {"GET": "What is declared for devices.", "POST": "Declare something."}
    asks = AskedDeclarations
    orders = {"identifier": keyset.Order("identifier")}
    item = DeclarationTold
    takes = {"POST": NewDeclaration}
    tells = {"POST": DeclarationWhole}
    status = {"POST": 201}
    tagged = frozenset({"POST"})
    told_parameters = frozenset({"identifier", "type", "sort"})

    def rows(self) -> QuerySet[Declaration]:
        rows = known()
        return rows.filter(type=self.asked["type"]) if "type" in self.asked else rows

    def perform(self, _prepared: None) -> Answer:
        given = dict(self.given)
        identifier, type_ = given.pop("identifier"), given.pop("type")
        if Declaration.objects.filter(identifier=identifier).exists():
            raise ApiError(409, "declaration.there", _("There is a declaration with this identifier."))
        row = declarations.put(identifier, type_, given.pop("payload", None), **given, actor=self.actor)
        return self.answer(one(row.identifier), location=reverse("api:x-declarations-one", args=[row.identifier]))


class OneDeclaration(Patched[Declaration], Deleted[Declaration], _State):
    says = {
        "GET": "One declaration.",
        "PATCH": "Change what is declared; the devices that hold it are told.",
        "DELETE": "Take a declaration from all devices, and then away.",
    }
    takes = {"PATCH": DeclarationChange}
    tells = {"GET": DeclarationWhole, "PATCH": DeclarationWhole, "DELETE": None}
    tagged = frozenset({"GET", "PATCH"})
    matched = frozenset({"PATCH", "DELETE"})
    fails = {"DELETE": (422,)}

    def row(self, *, locked: bool, identifier: str) -> Declaration:  # type: ignore[override] # its own place
        return one(identifier, locked=locked)

    def edit(self, row: Declaration) -> None:
        is_profile = bool(row.profile_sha256)
        before: dict[str, Any] = {
            "profile": bytes(row.profile or b"") if is_profile else None,
            "predicate": row.predicate,
        }
        given: dict[str, Any] = {"payload": None if is_profile else row.payload} | before | dict(self.given)
        declarations.put(row.identifier, row.type, given.pop("payload"), **given, actor=self.actor)

    def remove(self, row: Declaration) -> None:
        declarations.remove(row.identifier, actor=self.actor)


# --- Whom it is assigned to -------------------------------------------------------------------------------------------


class DeclarationAssigned(Told):
    example = {
        "device": "9b0da853-7b1c-4d0f-9a55-3c8f3a8f1a01",
        "for_users": False,
        "assigned_at": "2025-01-01T12:00:00Z",
    }
    device = serializers.UUIDField(source="device.uuid")
    for_users = serializers.BooleanField(help_text="Of a Mac, instead of the Mac itself.")
    assigned_at = serializers.DateTimeField()


class AssignedTold(Told):
    example = {"assigned": 1}
    assigned = serializers.IntegerField(help_text="Devices that were named.")


class NewlyAssigned(Given):
    example = {"devices": ["9b0da853-7b1c-4d0f-9a55-3c8f3a8f1a01"]}
    devices = serializers.ListField(child=Uuid(), min_length=1, max_length=MOST_NAMED)
    for_users = Flag(default=False, help_text="Of a Mac, instead of the Mac itself.")


class Assignments(Listed[DeclarationAssignment], Done):
    says = {
        "GET": "To which devices a declaration is assigned.",
        "POST": "Assign a declaration to all of these devices, or to none where one cannot hold it.",
    }
    orders = {"": keyset.Order("pk")}
    item = DeclarationAssigned
    takes = {"POST": NewlyAssigned}
    tells = {"POST": AssignedTold}
    told_parameters = frozenset({"devices", "for_users"})

    def rows(self) -> QuerySet[DeclarationAssignment]:
        rows = one(self.kwargs["identifier"]).assignments.filter(device__isnull=False).select_related("device")
        return rows.only("for_users", "assigned_at", "device__uuid")

    def perform(self, _prepared: None) -> Answer:
        row, devices = one(self.kwargs["identifier"]), chosen.named(self.given["devices"])
        declarations.assign(row.identifier, devices, for_users=self.given["for_users"], actor=self.actor)
        return self.answer({"assigned": len(devices)})


class OneAssignment(XView):
    says = {"DELETE": "Take a declaration from a device."}
    tells = {"DELETE": None}

    def delete(self, _request: Request, identifier: str, uuid: UUID) -> Response:
        row, device = one(identifier), chosen.one(uuid)
        if not row.assignments.filter(device=device).exists():
            raise Http404
        declarations.unassign(row.identifier, [device], actor=self.actor)
        return Response(status=204)


# --- What devices say -------------------------------------------------------------------------------------------------


class StateTold(Told):
    example = {
        "device": "9b0da853-7b1c-4d0f-9a55-3c8f3a8f1a01",
        "user_key": "",
        "state": "applied",
        "active": True,
        "valid": "valid",
        "reasons": [],
        "reported_at": "2025-01-01T12:00:00Z",
    }
    device = serializers.SerializerMethodField()
    user_key = serializers.CharField(source="channel.user_key")
    state = serializers.CharField(source="meaning")
    active = serializers.BooleanField()
    valid = serializers.ChoiceField(DeclarationState.Valid.choices)
    reasons = serializers.ListField()
    reported_at = serializers.DateTimeField()

    def get_device(self, row: DeclarationState) -> UUID | None:
        device = row.channel.enrollment.device
        return device.uuid if device else None


class AskedStates(Cursor):
    valid = serializers.ChoiceField(DeclarationState.Valid.choices, required=False)


class States(Listed[DeclarationState]):
    says = {"GET": "What each device says of a declaration."}
    asks = AskedStates
    orders = {"": keyset.Order("pk")}
    item = StateTold
    told_parameters = frozenset({"valid"})

    def rows(self) -> QuerySet[DeclarationState]:
        rows = DeclarationState.objects.filter(identifier=one(self.kwargs["identifier"]).identifier)
        rows = rows.select_related("channel__enrollment__device").only(
            "kind", "active", "valid", "reasons", "reported_at", "channel__user_key",
            "channel__enrollment__device__uuid",
        )  # fmt: skip
        return rows.filter(valid=self.asked["valid"]) if "valid" in self.asked else rows


class HeldDeclaration(Told):
    identifier = serializers.CharField()
    kind = serializers.CharField()
    state = serializers.CharField()
    why = serializers.CharField()


class ChannelTold(Told):
    example = {
        "user": "",
        "switched_on": True,
        "in_step": True,
        "reported_at": "2025-01-01T12:00:00Z",
        "declarations": [
            {"identifier": "com.example.passcode", "kind": "configuration", "state": "applied", "why": ""}
        ],
    }
    user = serializers.CharField(help_text="Of a Mac; empty: the device itself.")
    switched_on = serializers.BooleanField(help_text="Whether it manages by declarations.")
    in_step = serializers.BooleanField(help_text="Whether it has fetched the newest.")
    reported_at = serializers.SerializerMethodField()
    declarations = HeldDeclaration(many=True)

    def get_reported_at(self, channel: Mapping[str, Any]) -> datetime | None:
        found_at: datetime | None = channel["reported_at"]
        return found_at


class OfDevice(All):
    says = {"GET": "What a device is to hold, and what it says of it; each user of a Mac apart."}
    item = ChannelTold

    def items(self) -> Sequence[Any]:
        return declaration_overview.of_device(chosen.one(self.kwargs["uuid"]))
