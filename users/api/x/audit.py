"""The audit log: what was done by whom, and whether the chain over it holds."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from epmm import audit_checks
from epmm.api.fields import Cursor, Told
from epmm.models import AuditEntry
from epmm.portal.keyset import Order
from users.api.x.base import Done, Listed, XView
from users.services import audit_search
from users.services.idempotency import Answer


class EntryTold(Told):
    example = {
        "id": 4711,
        "at": "2025-01-01T12:00:00Z",
        "actor": "admin",
        "address": "192.0.2.7",
        "action": "user.created",
        "subject_type": "user",
        "subject": "mia",
        "status": "Success",
        "details": {"admin": False},
    }
    id = serializers.IntegerField(source="pk")
    at = serializers.DateTimeField()
    actor = serializers.CharField()
    address = serializers.CharField(allow_null=True)
    action = serializers.CharField()
    subject_type = serializers.CharField()
    subject = serializers.CharField()
    status = serializers.ChoiceField(AuditEntry.Status.choices)
    details = serializers.DictField()


class Asked(Cursor):
    action = serializers.CharField(required=False, max_length=2000, help_text="One, or several with commas between.")
    status = serializers.ChoiceField(AuditEntry.Status.choices, required=False)
    actor = serializers.CharField(required=False, max_length=255)
    subject = serializers.CharField(required=False, max_length=255)
    device = serializers.CharField(required=False, max_length=255, help_text="Serial number, UDID or UUID.")
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False, help_text="Before this moment.")
    sort = serializers.ChoiceField(["-at", "at"], default="-at")


def texts(asked: Mapping[str, Any]) -> dict[str, str]:
    """As the portal's filters have them."""
    return {name: _text(value) for name, value in asked.items() if value is not None}


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


class Audit(Listed[AuditEntry]):
    says = {"GET": "Entries of the audit log, the newest first."}
    asks = Asked
    orders = {"at": Order("at")}
    item = EntryTold
    told_parameters = frozenset({"action", "status", "actor", "subject", "device", "since", "until", "sort"})

    def rows(self) -> QuerySet[AuditEntry]:
        return audit_search.entries(texts(self.asked))


class LastCheck(Told):
    at = serializers.DateTimeField()
    actor = serializers.CharField()
    linked = serializers.IntegerField(source="sealed")
    waiting = serializers.IntegerField()
    problem_count = serializers.IntegerField()
    problems = serializers.ListField(child=serializers.CharField(), help_text="The first of them.")


class ChainTold(Told):
    example = {
        "linked": 4711,
        "linked_until": "2025-01-01T12:00:00Z",
        "waiting_since": None,
        "behind": False,
        "broken": False,
        "being_checked": False,
        "last_check": None,
    }
    linked = serializers.IntegerField(help_text="Entries in the chain.", source="position")
    linked_until = serializers.DateTimeField(allow_null=True, source="sealed_at")
    waiting_since = serializers.DateTimeField(allow_null=True)
    behind = serializers.BooleanField(source="is_behind")
    broken = serializers.BooleanField(source="is_broken", help_text="The last check has found something.")
    being_checked = serializers.SerializerMethodField()
    last_check = LastCheck(allow_null=True, source="check")

    def get_being_checked(self, _standing: audit_checks.Standing) -> bool:
        return audit_checks.is_being_checked()


class Chain(XView):
    says = {"GET": "How the chain over the audit log stands."}
    tells = {"GET": ChainTold}

    def get(self, _request: Request) -> Response:
        return Response(self.shown(audit_checks.standing()))


class CheckChain(Done):
    says = {"POST": "Have the whole chain looked at; the chain tells when that is done."}
    tells = {"POST": ChainTold}
    status = {"POST": 202}

    def perform(self, _prepared: None) -> Answer:
        audit_checks.ask(actor=self.actor)
        return self.answer(audit_checks.standing())

    def state(self, _row: Any) -> Sequence[Any]:
        return ()
