"""Custom attributes of devices, and what names an attribute before it goes."""

from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from devices.models import Device, DeviceAttribute, Label
from devices.search import custom
from devices.search.errors import SearchError
from devices.search.language import parse
from devices.search.tree import named
from epmm import audit
from users.models import CustomAttribute, UserAttribute
from users.services import custom_attributes
from users.services.custom_attributes import InvalidAttribute


@transaction.atomic
def set_for_device(
    device: Device, texts: Mapping[CustomAttribute, str], *, actor: str, address: str | None = None
) -> list[str]:
    """The names of what has changed.  An empty text takes a value away.  Raises InvalidAttribute."""
    changed = custom_attributes.write(DeviceAttribute, {"device": device}, texts)
    if changed:
        Device.objects.filter(pk=device.pk).update(modified_at=timezone.now())  # labels follow what has changed
        audit.record(
            "device.attributes_set",
            actor=actor,
            address=address,
            subject_type="device",
            subject=str(device.uuid),
            details={"changed": changed},
        )
    return changed


def labels_naming(attribute: CustomAttribute) -> list[str]:
    """The labels whose criteria ask for it."""
    fields = custom.fields()
    found = []
    for name, criteria in Label.objects.filter(kind=Label.Kind.FILTER).order_by("name").values_list("name", "criteria"):
        try:
            names = named(parse(criteria, fields)) if custom.PREFIX in criteria.lower() else frozenset()
        except SearchError:  # of a field that is gone; it names nothing that could still go
            continue
        if attribute.key in names:
            found.append(name)
    return found


def count_values(attribute: CustomAttribute) -> int:
    model = DeviceAttribute if attribute.subject == CustomAttribute.Subject.DEVICE else UserAttribute
    return model.objects.filter(attribute=attribute).count()


@transaction.atomic
def delete(attribute: CustomAttribute, *, actor: str) -> None:
    """Not while the criteria of a label name it.  Raises InvalidAttribute."""
    CustomAttribute.objects.select_for_update().filter(pk=attribute.pk).first()
    if labels := labels_naming(attribute):
        raise InvalidAttribute(
            _("The criteria of labels name it: {labels}. Change them first.").format(labels=", ".join(labels))
        )
    custom_attributes.forget(attribute, actor=actor)
