"""Labels: made, edited, deleted; their devices."""

from collections.abc import Sequence
from typing import Any, Final

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework import serializers

from devices.api.rows import Wanted
from devices.api.x import chosen
from devices.api.x.chosen import MOST_NAMED
from devices.api.x.devices import DeviceTold, told
from devices.models import Device, Label
from devices.services import actions, label_editing, label_members, labels, record_pages
from devices.services.actions import BY_KEY, Order, Outcome
from devices.services.labels import LONGEST_DESCRIPTION, LONGEST_NAME
from epmm.api.fields import Cursor, Given, Text, Told, Uuid
from epmm.client_address import client_address
from epmm.portal import keyset
from epmm.portal.keyset import Page
from users.api.x.base import Deleted, Done, Listed, Patched, XView, found
from users.services.idempotency import Answer

EXAMPLE: Final[dict[str, Any]] = {
    "id": 4,
    "name": "Sales",
    "description": "Who travels",
    "kind": "filter",
    "criteria": 'common.platform = "iOS"',
    "built_in": False,
    "created_at": "2025-01-01T12:00:00Z",
    "evaluated_at": None,
}


class LabelTold(Told):
    example = EXAMPLE
    id = serializers.IntegerField(source="pk")
    name = serializers.CharField()
    description = serializers.CharField()
    kind = serializers.ChoiceField(Label.Kind.choices)
    criteria = serializers.CharField(help_text="In the query language of the search; of a manual label empty.")
    built_in = serializers.BooleanField(source="is_built_in")
    created_at = serializers.DateTimeField()
    evaluated_at = serializers.DateTimeField(allow_null=True)


class LabelCounted(LabelTold):
    example = EXAMPLE | {"device_count": 17, "configurations": ["Wi-Fi"]}
    device_count = serializers.SerializerMethodField(help_text="Null where counting takes too long.")
    configurations = serializers.SerializerMethodField(help_text="What is assigned to it.")

    def get_device_count(self, row: Label) -> int | None:
        size = label_members.counts([row], seconds=labels.COUNTING, cap=record_pages.CAP * 1000)[row.pk]
        return None if size is None else size.number

    def get_configurations(self, row: Label) -> list[str]:
        return labels.used_by(labels.with_their_use().get(pk=row.pk))


class NewLabel(Given):
    example = {"name": "Sales", "description": "Who travels", "criteria": 'common.platform = "iOS"'}
    name = Text(max_length=LONGEST_NAME)
    description = Text(max_length=LONGEST_DESCRIPTION, allow_blank=True, default="")
    criteria = Text(max_length=chosen.LONGEST_QUERY, allow_null=True, default=None, help_text="Null: a manual label.")


class LabelChange(Given):
    example = {"criteria": 'common.platform = "macOS"'}
    name = Text(max_length=LONGEST_NAME, required=False)
    description = Text(max_length=LONGEST_DESCRIPTION, allow_blank=True, required=False)
    criteria = Text(max_length=chosen.LONGEST_QUERY, required=False)


class AskedLabels(Cursor):
    q = serializers.CharField(required=False, max_length=LONGEST_NAME, help_text="What a name contains.")
    kind = serializers.ChoiceField(Label.Kind.choices, required=False)
    sort = serializers.ChoiceField(["name", "-name", "id", "-id"], default="name")


class _State(XView):
    def state(self, row: Label) -> Sequence[Any]:
        return (row.pk, row.name, row.description, row.kind, row.criteria)


class Labels(Listed[Label], Done, _State):
    says = {"GET": "Labels, by what is asked for.", "POST": "Make a label."}
    asks = AskedLabels
    orders = {"name": keyset.Order("name"), "id": keyset.Order("pk")}
    item = LabelTold
    takes = {"POST": NewLabel}
    tells = {"POST": LabelTold}
    status = {"POST": 201}
    tagged = frozenset({"POST"})
    told_parameters = frozenset({"q", "kind", "sort", "name", "description", "criteria"})

    def rows(self) -> QuerySet[Label]:
        rows = Label.objects.all()
        if "q" in self.asked:
            rows = rows.filter(name__icontains=self.asked["q"])
        return rows.filter(kind=self.asked["kind"]) if "kind" in self.asked else rows

    def perform(self, _prepared: None) -> Answer:
        row = labels.create(**self.given, actor=self.actor)
        return self.answer(row, location=reverse("api:x-labels-one", args=[row.pk]))


class OneLabel(Patched[Label], Deleted[Label], _State):
    says = {
        "GET": "One label with its size.",
        "PATCH": "Rename a label, or give it other criteria.",
        "DELETE": "Delete a label; what is assigned to it goes from its devices.",
    }
    takes = {"PATCH": LabelChange}
    tells = {"GET": LabelCounted, "PATCH": LabelCounted, "DELETE": None}
    tagged = frozenset({"GET", "PATCH"})
    matched = frozenset({"PATCH", "DELETE"})
    fails = {"DELETE": (422,)}
    told_parameters = frozenset({"name", "description", "criteria"})

    def row(self, *, locked: bool, number: int) -> Label:  # type: ignore[override] # its own place
        return found(Label.objects.all(), locked=locked, pk=number)

    def edit(self, row: Label) -> None:
        given = {"name": row.name, "description": row.description} | dict(self.given)
        if "criteria" in given and not row.is_filter:
            sentence = _("{name} is a manual label: it has no criteria.")
            raise labels.LabelRefused(sentence.format(name=row.name))
        label_editing.edit(row, **given, actor=self.actor)

    def remove(self, row: Label) -> None:
        labels.delete(row, actor=self.actor)


# --- Its devices ------------------------------------------------------------------------------------------------------


class Members(Listed[Device]):
    says = {"GET": "The devices of a label, retired ones among them."}
    orders = {"": keyset.Order("pk")}
    item = DeviceTold

    def rows(self) -> QuerySet[Device]:
        row: Label = found(Label.objects.all(), locked=False, pk=self.kwargs["number"])
        return label_members.members(row)

    def read(self, rows: QuerySet[Device], order: keyset.Order, *, size: int, after: str) -> Page[Device]:
        return record_pages.following(rows, order, size=size, after=after, with_retired=False)

    def told(self, rows: Sequence[Device]) -> Sequence[Any]:
        return told(rows, Wanted({}))


class Named(Given):
    example = {"devices": ["9b0da853-7b1c-4d0f-9a55-3c8f3a8f1a01"]}
    devices = serializers.ListField(child=Uuid(), min_length=1, max_length=MOST_NAMED)


class MemberTold(Told):
    device = serializers.UUIDField()
    done = serializers.BooleanField()
    said = serializers.CharField(help_text="For people.")


class MembersTold(Told):
    example = {"items": [{"device": "9b0da853-7b1c-4d0f-9a55-3c8f3a8f1a01", "done": True, "said": "Applied"}]}
    items = MemberTold(many=True)


class _ChangeMembers(Done):
    takes = {"POST": Named}
    tells = {"POST": MembersTold}
    action = ""

    def perform(self, _prepared: None) -> Answer:
        row: Label = found(Label.objects.all(), locked=False, pk=self.kwargs["number"])
        devices = chosen.named(self.given["devices"])
        order = Order(values={"label": row}, actor=self.actor, address=client_address(self.request._request))
        outcomes = actions.carry_out(BY_KEY[self.action], actions.subjects(devices), order)
        return self.answer({"items": [_done(outcome) for outcome in outcomes]})


def _done(outcome: Outcome) -> dict[str, Any]:
    return {"device": outcome.subject.device.uuid, "done": outcome.is_done, "said": outcome.said}


class AddMembers(_ChangeMembers):
    says = {"POST": "Give devices a manual label."}
    action = "apply-label"


class RemoveMembers(_ChangeMembers):
    says = {"POST": "Take a manual label from devices."}
    action = "remove-label"
