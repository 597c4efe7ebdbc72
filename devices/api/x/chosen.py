"""Which devices a call means: by expression, by label, or one by one; and what refuses them."""

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework import serializers

from devices.api.rows import Wanted, wanted
from devices.models import Device, Label
from devices.services import listing, search
from devices.services import selection as selections
from devices.services.actions import Unmet
from devices.services.configurations import ConfigurationRefused
from devices.services.declarations import DeclarationRefused
from devices.services.find import DeviceNotFound
from devices.services.listing import Selection
from devices.services.queue import CommandRefused
from epmm.api import problems
from epmm.api.errors import ApiError, tells
from epmm.api.fields import Asked, Flag, Given, Text, Uuid, Whole
from users.api.x.base import found

LONGEST_QUERY: Final = 20_000
MOST_NAMED: Final = selections.MOST_NAMED  # by their UUIDs, in a body
MOST_FIELDS: Final = 200

tells(CommandRefused, 422, "command.refused")
tells(Unmet, 422, "action.refused")
tells(ConfigurationRefused, 422, "configuration.refused")
tells(DeclarationRefused, 422, "declaration.refused")
tells(DeviceNotFound, 422, "device.not.found")


class Which(Asked):
    """Of an address."""

    query = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=LONGEST_QUERY,
        help_text='In the query language of the search: `common.platform = "iOS" AND common.status = "ACTIVE"`.',
    )
    label = serializers.IntegerField(  # type: ignore[assignment] # the framework has this name, too
        required=False, min_value=1, max_value=2**62, help_text="The number of a label."
    )
    retired = serializers.BooleanField(default=False, help_text="Those that are retired, too.")


class WhichFields(Which):
    def get_fields(self) -> dict[str, Any]:
        named = serializers.CharField(
            required=False, max_length=LONGEST_QUERY, help_text="Fields of the search to tell in `values`, with commas."
        )
        return super().get_fields() | {"fields": named}


class Targets(Given):
    """Of a body: one of the three."""

    devices = serializers.ListField(
        child=Uuid(), required=False, min_length=1, max_length=MOST_NAMED, help_text="By their UUIDs."
    )
    query = Text(
        required=False,
        allow_blank=True,
        max_length=LONGEST_QUERY,
        help_text="In the query language of the search; empty: all of them.",
    )
    label = Whole(  # type: ignore[assignment] # the framework has this name, too
        required=False, min_value=1, max_value=2**62, help_text="The number of a label."
    )
    retired = Flag(default=False, help_text="With `query` and `label`: those that are retired, too.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("devices" in attrs) == bool({"query", "label"} & attrs.keys()):
            raise serializers.ValidationError(_("Say either `devices`, or `query`, `label` or both."))
        return attrs


def selected(
    asked: Mapping[str, Any], wrong: Callable[[Mapping[str, Any]], ApiError] = problems.invalid_parameters
) -> QuerySet[Device]:
    """In no order.  `wrong` tells places of an address, or of a body.  Raises ApiError, SearchRefused."""
    if "devices" in asked:
        return _by_uuid(asked["devices"])
    if (key := asked.get("label")) is not None and not Label.objects.filter(pk=key).exists():
        raise wrong({"label": [_("There is no label with this number.")]})
    selection = Selection(expression=asked.get("query", "").strip(), label=key, with_retired=asked["retired"])
    return selection.devices()


def one(uuid: UUID) -> Device:
    """With its user.  Raises Http404."""
    return found(Device.objects.select_related("user").defer("details"), locked=False, uuid=uuid)


def named(uuids: Sequence[UUID]) -> list[Device]:
    """All of them.  Raises ApiError."""
    known = {each.uuid: each for each in _by_uuid(uuids).select_related("user").defer("details")}
    _refuse_missing(uuids, known)
    return [known[uuid] for uuid in dict.fromkeys(uuids)]


def hold_to(uuids: Sequence[UUID]) -> None:
    """Raises ApiError unless all of them are there."""
    _refuse_missing(uuids, set(_by_uuid(uuids).values_list("uuid", flat=True)))


def _by_uuid(uuids: Sequence[UUID]) -> QuerySet[Device]:
    return listing.by_uuid(map(str, uuids))


def _refuse_missing(uuids: Sequence[UUID], known: Container[UUID]) -> None:
    """Which points at those that are not there."""
    missing = {str(place): [_("There is no such device.")] for place, each in enumerate(uuids) if each not in known}
    if missing:
        raise problems.invalid_fields({"devices": missing})


def fields(text: str) -> Wanted:
    """Raises ApiError: whoever misspells a field would find it empty."""
    names = [name for name in text.split(",") if name.strip()] if text else []
    asked = wanted(names, search.registry(names)) if names else Wanted({})
    if asked.unknown or len(asked.fields) > MOST_FIELDS:
        told = ", ".join(name[:100] for name in asked.unknown[:20])
        said = _("Unknown fields: {names}").format(names=told) if told else _("These are too many fields.")
        raise problems.invalid_parameters({"fields": [said]})
    return asked
