"""To which labels and devices a configuration profile is assigned."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework import serializers

from devices.api.x.configurations import one
from devices.models import ConfigurationAssignment, Device, Label
from devices.services import configuration_status, configurations
from epmm.api import problems
from epmm.api.fields import Given, Told, Uuid, Whole
from epmm.portal import keyset
from users.api.x.base import Deleted, Done, Listed, found
from users.services.idempotency import Answer


class AssignmentTold(Told):
    example = {
        "id": 9,
        "label": 4,
        "label_name": "Sales",
        "device": None,
        "created_at": "2025-01-01T12:00:00Z",
        "created_by": "admin",
    }
    id = serializers.IntegerField(source="pk")
    label = serializers.IntegerField(  # type: ignore[assignment] # the framework has this name, too
        source="label_id", allow_null=True
    )
    label_name = serializers.SerializerMethodField()
    device = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()

    def get_label_name(self, row: ConfigurationAssignment) -> str | None:
        return row.label.name if row.label else None

    def get_device(self, row: ConfigurationAssignment) -> UUID | None:
        return row.device.uuid if row.device else None


class NewAssignment(Given):
    example = {"label": 4}
    label = Whole(  # type: ignore[assignment] # the framework has this name, too
        required=False, min_value=1, max_value=2**62, help_text="The number of a label."
    )
    device = Uuid(required=False, help_text="Or one device.")

    def validate(self, attrs: Mapping[str, Any]) -> Mapping[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError(_("Choose a label or name a device, one of the two."))
        return attrs


def target(given: Mapping[str, Any]) -> Device | Label:
    """Raises ApiError."""
    if "device" in given:
        found_device = Device.objects.filter(uuid=given["device"]).defer("details").first()
        if found_device is None:
            raise problems.invalid_fields({"device": [_("There is no such device.")]})
        return found_device
    label = Label.objects.filter(pk=given["label"]).first()
    if label is None:
        raise problems.invalid_fields({"label": [_("There is no label with this number.")]})
    return label


class Assignments(Listed[ConfigurationAssignment], Done):
    says = {
        "GET": "To which labels and devices a configuration is assigned.",
        "POST": "Assign a configuration to a label or a device; what is assigned stays so.",
    }
    orders = {"": keyset.Order("pk")}
    item = AssignmentTold
    takes = {"POST": NewAssignment}
    tells = {"POST": AssignmentTold}
    status = {"POST": 201}
    told_parameters = frozenset({"label", "device"})

    def rows(self) -> QuerySet[ConfigurationAssignment]:
        return configuration_status.assignments_of(one(self.kwargs["number"])).defer("device__details")

    def perform(self, _prepared: None) -> Answer:
        row = one(self.kwargs["number"])
        if row.removed_at is not None:
            raise Http404
        meant = target(self.given)
        configurations.assign(row, meant, actor=self.actor)
        place = {"device": meant} if isinstance(meant, Device) else {"label": meant}
        assignment = self.rows().get(**place)
        where = reverse("api:x-configurations-assignment", args=[row.pk, assignment.pk])
        return self.answer(assignment, location=where)


class OneAssignment(Deleted[ConfigurationAssignment]):
    says = {
        "GET": "One assignment.",
        "DELETE": "Take an assignment away; devices that have it by another one keep it.",
    }
    tells = {"GET": AssignmentTold, "DELETE": None}

    def row(  # type: ignore[override] # its own place
        self, *, locked: bool, number: int, assignment: int
    ) -> ConfigurationAssignment:
        rows = ConfigurationAssignment.objects.select_related("configuration", "label", "device")
        return found(rows.defer("device__details"), locked=locked, pk=assignment, configuration__pk=number)

    def remove(self, row: ConfigurationAssignment) -> None:
        meant = row.device or row.label
        if meant is not None:
            configurations.unassign(row.configuration, meant, actor=self.actor)
