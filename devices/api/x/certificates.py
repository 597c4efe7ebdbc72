"""Certificates by which devices are known: listed, revoked."""

from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework import serializers

from devices.models import Identity
from devices.services import identities
from epmm import audit
from epmm.api import problems
from epmm.api.errors import tells
from epmm.api.fields import Cursor, Flag, Given, Text, Told
from epmm.client_address import client_address
from epmm.portal import keyset
from users.api.base import LONGEST_REASON
from users.api.x.base import Done, Listed, One, found
from users.services.idempotency import Answer

tells(identities.RevocationRefused, 422, "revocation.refused")
STATES: Final = {state.name.lower(): state for state in Identity.State}


class CertificateTold(Told):
    example = {
        "id": 21,
        "serial_number": "5d41402abc4b2a76b9719d911017c592",
        "device": "9b0da853-7b1c-4d0f-9a55-3c8f3a8f1a01",
        "state": "current",
        "sha256": "5f" * 32,
        "not_before": "2025-01-01T12:00:00Z",
        "not_after": "2026-01-01T12:00:00Z",
        "issued_at": "2025-01-01T12:00:00Z",
    }
    id = serializers.IntegerField(source="pk")
    serial_number = serializers.CharField()
    device = serializers.SerializerMethodField(help_text="Null: it was never used.")
    state = serializers.SerializerMethodField(help_text=", ".join(STATES))
    sha256 = serializers.SerializerMethodField()
    not_before = serializers.DateTimeField()
    not_after = serializers.DateTimeField()
    issued_at = serializers.DateTimeField()

    def get_device(self, row: Identity) -> UUID | None:
        device = row.enrollment.device
        return device.uuid if device else None

    def get_state(self, row: Identity) -> str:
        return Identity.State(row.state).name.lower()

    def get_sha256(self, row: Identity) -> str:
        return bytes(row.sha256).hex()


class AskedCertificates(Cursor):
    device = serializers.UUIDField(required=False)
    state = serializers.ChoiceField(list(STATES), required=False)
    expires_before = serializers.DateTimeField(required=False, help_text="With the state `current`.")
    sort = serializers.ChoiceField(
        ["id", "-id", "not_after", "-not_after"], default="id", help_text="By `not_after` with the state `current`."
    )


def known() -> QuerySet[Identity]:
    return Identity.objects.select_related("enrollment__device").only(
        "serial_number", "sha256", "state", "not_before", "not_after", "issued_at", "enrollment__device__uuid"
    )


class Certificates(Listed[Identity]):
    says = {"GET": "Certificates that were issued to devices, by what is asked for."}
    asks = AskedCertificates
    orders = {"id": keyset.Order("pk"), "not_after": keyset.Order("not_after")}
    item = CertificateTold
    told_parameters = frozenset({"device", "state", "expires_before", "sort"})

    def rows(self) -> QuerySet[Identity]:
        asked, rows = self.asked, known()
        is_by_time = "expires_before" in asked or asked["sort"].endswith("not_after")
        if is_by_time and asked.get("state") != "current":  # the index by time has these alone
            raise problems.invalid_parameters({"state": [_("By time only those in the state `current` are found.")]})
        if "device" in asked:
            rows = rows.filter(enrollment__device__uuid=asked["device"])
        if "state" in asked:
            rows = rows.filter(state=STATES[asked["state"]])
        return rows.filter(not_after__lt=asked["expires_before"]) if "expires_before" in asked else rows


class OneCertificate(One[Identity]):
    says = {"GET": "One certificate."}
    tells = {"GET": CertificateTold}

    def row(self, *, locked: bool, number: int) -> Identity:  # type: ignore[override] # its own place
        return found(known(), locked=locked, pk=number)


class Revocation(Given):
    example: dict[str, Any] = {"ends_management": True, "note": "The device was stolen."}
    ends_management = Flag(default=False, help_text="Needed where a managed device is known by it.")
    note = Text(max_length=LONGEST_REASON, allow_blank=True, default="", help_text="A reason, for the audit log.")


class Revoke(Done):
    says = {"POST": "Revoke a certificate; a device that is known by it is managed no more."}
    takes = {"POST": Revocation}
    tells = {"POST": CertificateTold}
    told_parameters = frozenset({"ends_management", "note"})

    def perform(self, _prepared: None) -> Answer:
        row: Identity = found(known(), locked=False, pk=self.kwargs["number"])
        with audit.noting(self.given["note"]):
            identities.revoke(
                row,
                ends_management=self.given["ends_management"],
                actor=self.actor,
                address=client_address(self.request._request),
            )
        return self.answer(known().get(pk=row.pk))
