"""Enrollment attempts: who tried to enroll what, how far it came, and what to do where it stopped."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from devices.models import Enrollment
from enrollment.models import Attempt, AttemptStep
from enrollment.protocol.discovery import ModelFamily
from enrollment.reasons import BY_CODE
from enrollment.services.attempt_lists import FILTERS, advice, step_name
from epmm.api.fields import Cursor, Told
from epmm.portal.filters import narrowed
from epmm.portal.keyset import Order
from users.api.x.audit import texts
from users.api.x.base import Listed, One, found

EXAMPLE: dict[str, Any] = {
    "id": 4711,
    "opened_at": "2025-01-01T12:00:00Z",
    "closed_at": "2025-01-01T12:01:00Z",
    "state": "failed",
    "code": "E-303",
    "identifier": "mia@example.com",
    "domain": "example.com",
    "user_id": "mia",
    "kind": "adde",
    "model_family": "iPhone",
    "product": "iPhone15,2",
    "os_version": "18.2",
    "address": "192.0.2.7",
    "device": None,
}


class AttemptTold(Told):
    example = EXAMPLE
    id = serializers.IntegerField(source="pk")
    opened_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    state = serializers.ChoiceField(Attempt.State.choices)
    code = serializers.CharField(source="last_code", help_text="Why it stopped; empty: it did not.")
    identifier = serializers.CharField(help_text="The address that was typed.")
    domain = serializers.CharField()
    user_id = serializers.SerializerMethodField()
    kind = serializers.CharField(help_text=", ".join(Enrollment.Kind.values))
    model_family = serializers.CharField()
    product = serializers.CharField()
    os_version = serializers.CharField()
    address = serializers.CharField(allow_null=True)
    device = serializers.SerializerMethodField()

    def get_user_id(self, attempt: Attempt) -> str | None:
        return attempt.user.user_id if attempt.user else None

    def get_device(self, attempt: Attempt) -> str | None:
        device = attempt.enrollment.device if attempt.enrollment else None
        return str(device.uuid) if device else None


class StepTold(Told):
    at = serializers.DateTimeField()
    step = serializers.CharField()
    name = serializers.SerializerMethodField()
    result = serializers.ChoiceField(AttemptStep.Result.choices)
    code = serializers.CharField()
    advice = serializers.SerializerMethodField(help_text="What the operator can do about it.")
    details = serializers.DictField()

    def get_name(self, step: AttemptStep) -> str:
        return step_name(step)

    def get_advice(self, step: AttemptStep) -> str:
        return advice(step)


class AttemptTraced(AttemptTold):
    example = EXAMPLE | {
        "steps": [
            {
                "at": "2025-01-01T12:00:30Z",
                "step": "policy",
                "name": "Checks of person and device",
                "result": "refused",
                "code": "E-303",
                "advice": "The person lacks the role for this enrollment.",
                "details": {},
            }
        ]
    }
    steps = StepTold(many=True)


class Asked(Cursor):
    user = serializers.CharField(required=False, max_length=255, help_text="The address that was typed, or a user ID.")
    domain = serializers.CharField(required=False, max_length=253)
    model = serializers.ChoiceField([family.value for family in ModelFamily], required=False)
    code = serializers.ChoiceField(list(BY_CODE), required=False)
    state = serializers.ChoiceField(Attempt.State.choices, required=False)
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False, help_text="Before this moment.")
    sort = serializers.ChoiceField(["-opened_at", "opened_at"], default="-opened_at")


def known() -> QuerySet[Attempt]:
    return Attempt.objects.select_related("user", "enrollment__device")


class Attempts(Listed[Attempt]):
    says = {"GET": "Attempts to enroll a device, the newest first."}
    asks = Asked
    orders = {"opened_at": Order("opened_at")}
    item = AttemptTold
    told_parameters = frozenset({"user", "domain", "model", "code", "state", "since", "until", "sort"})

    def rows(self) -> QuerySet[Attempt]:
        asked, rows = self.asked, narrowed(known(), FILTERS, texts(self.asked))
        rows = rows.filter(opened_at__gte=asked["since"]) if "since" in asked else rows
        return rows.filter(opened_at__lt=asked["until"]) if "until" in asked else rows


class OneAttempt(One[Attempt]):
    says = {"GET": "One attempt with its trace: each step, and what to do where it stopped."}
    tells = {"GET": AttemptTraced}

    def row(self, *, locked: bool, number: int) -> Attempt:  # type: ignore[override] # its own place
        return found(known().prefetch_related("steps"), locked=locked, pk=number)
