from collections.abc import Iterable
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from devices.models.device import Device
from epmm.folding import FoldedField, fold
from epmm.spaces import InSpace


class LabelQuerySet(models.QuerySet["Label"]):
    def followed(self) -> Self:
        """Filter labels that something is assigned to: the worker keeps their members as rows."""
        from devices.models.configuration import ConfigurationAssignment  # which imports this module

        assigned = ConfigurationAssignment.objects.filter(label=OuterRef("pk"))
        return self.filter(Exists(assigned), kind=Label.Kind.FILTER)


class Label(InSpace):
    """A named set of devices, to which things are assigned.

    Who belongs to a manual label, its rows say.  A filter label has criteria: whoever looks at it asks them, and only
    where something is assigned to it there are rows as well, see `devices/services/label_members.py`.
    """

    class Kind(models.TextChoices):
        MANUAL = "manual", _("Manual")
        FILTER = "filter", _("Filter")

    name = models.CharField(max_length=255, unique=True)
    # unique in any case; empty where an older label had such a name before that was held
    name_folded = FoldedField()
    description = models.CharField(max_length=1000, blank=True)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.MANUAL, db_default=Kind.MANUAL)
    criteria = models.TextField(blank=True, default="", db_default="")
    is_built_in = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(default=timezone.now)
    evaluated_at = models.DateTimeField(null=True)  # the rows of a filter label are as of then
    devices: "models.ManyToManyField[Device, LabelMember]" = models.ManyToManyField(
        Device, through="LabelMember", related_name="labels"
    )

    objects = LabelQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["name_folded"], condition=~Q(name_folded=""), name="label_name_any_case"),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        if update_fields is None or "name" in update_fields:
            self.name_folded = fold(self.name)
            update_fields = update_fields and {*update_fields, "name_folded"}
        super().save(*args, update_fields=update_fields, **options)

    @property
    def is_filter(self) -> bool:
        return self.kind == Label.Kind.FILTER


class LabelMember(models.Model):
    label = models.ForeignKey(Label, on_delete=models.CASCADE, related_name="members")
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="label_members")
    added_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["label", "device"], name="label_member_once")]

    def __str__(self) -> str:
        return f"{self.label_id}: {self.device_id}"
