"""Configuration profiles: uploaded, assigned to labels and devices, removed; how far each device has come."""

import binascii
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import RequestDataTooBig
from django.db.models import Count, QuerySet
from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from devices.api.x import chosen
from devices.models import Configuration, ConfigurationAssignment, ConfigurationDelivery, Device, Label
from devices.protocol.configuration_profile import LARGEST, ConfigurationProfile, ProfileRefused, read
from devices.services import configuration_status, configurations
from devices.services.configurations import ConfigurationRefused
from epmm.api import problems
from epmm.api.errors import ApiError
from epmm.api.fields import Cursor, Given, Text, Told, Uuid, Whole
from epmm.portal import keyset
from users.api.x.base import Done, Listed, One, XView, found
from users.services.idempotency import Answer

LARGEST_BODY: Final = LARGEST * 4 // 3 + 4096  # in base64, with what stands around it
MOST_VERSIONS: Final = 100
State = ConfigurationDelivery.State
EXAMPLE: Final[dict[str, Any]] = {
    "id": 3,
    "identifier": "com.example.wifi",
    "name": "Wi-Fi",
    "description": "",
    "scope": "System",
    "version": 2,
    "payload_types": ["com.apple.wifi.managed"],
    "assignment_count": 2,
    "states": {"APPLIED": 40, "PENDING": 2},
    "created_at": "2025-01-01T12:00:00Z",
    "removed_at": None,
}


class ConfigurationTold(Told):
    example = EXAMPLE
    id = serializers.IntegerField(source="pk")
    identifier = serializers.CharField(help_text="Its PayloadIdentifier, which stays.")
    name = serializers.CharField()
    description = serializers.CharField()
    scope = serializers.ChoiceField(Configuration.Scope.choices)
    version = serializers.SerializerMethodField()
    payload_types = serializers.SerializerMethodField()
    assignment_count = serializers.IntegerField(source="assigned", help_text="Labels and devices.")
    states = serializers.SerializerMethodField(help_text="How many devices are in each.")
    created_at = serializers.DateTimeField()
    removed_at = serializers.DateTimeField(allow_null=True, help_text="Since then it goes from the devices.")

    def get_version(self, row: Configuration) -> int | None:
        return row.current.number if row.current else None

    def get_payload_types(self, row: Configuration) -> list[str]:
        return list(dict.fromkeys(payload.kind for payload in row.current.outline)) if row.current else []

    def get_states(self, row: Configuration) -> dict[str, int]:
        return {state.value: number for state, number in getattr(row, "told_states", {}).items()}


class VersionTold(Told):
    number = serializers.IntegerField()
    size = serializers.IntegerField()
    signed = serializers.BooleanField(source="is_signed")
    signer = serializers.CharField()
    uploaded_at = serializers.DateTimeField()
    uploaded_by = serializers.CharField()


class ObjectionTold(Told):
    devices = serializers.CharField(help_text="Which kind of device.")
    refused = serializers.BooleanField(help_text="False: it takes the rest, and pays no heed to this.")
    sentence = serializers.CharField()


class ConfigurationWhole(ConfigurationTold):
    example = EXAMPLE | {
        "versions": [
            {"number": 2, "size": 2048, "signed": False, "signer": "", "uploaded_at": "2025-01-01T12:00:00Z",
             "uploaded_by": "admin"}
        ],
        "objections": [{"devices": "Mac", "refused": True, "sentence": "A Mac does not take this."}],
        "warnings": [],
    }  # fmt: skip
    versions = VersionTold(many=True, source="told_versions")
    objections = ObjectionTold(many=True, source="told_objections")
    warnings = serializers.ListField(child=serializers.CharField(), source="told_warnings")


def known() -> QuerySet[Configuration]:
    rows = Configuration.objects.select_related("current").defer("current__content")
    return rows.annotate(assigned=Count("assignments"))


def counted(rows: Sequence[Configuration]) -> Sequence[Configuration]:
    """Of a page at once."""
    states = configuration_status.counts(rows)
    for row in rows:
        row.told_states = states.get(row.pk, {})  # type: ignore[attr-defined] # to be told
    return rows


def whole(row: Configuration, warnings: Sequence[str] = ()) -> Configuration:
    told: Any = counted([row])[0]
    told.told_versions = list(row.versions.defer("content").order_by("-number")[:MOST_VERSIONS])
    told.told_objections = list(_objections(row))
    told.told_warnings = list(warnings)
    return row


def _objections(row: Configuration) -> list[dict[str, Any]]:
    if row.current is None:
        return []
    verdicts = configurations.verdicts(row.identifier, row.current.outline, row.scope)
    return [
        {"devices": place, "refused": verdict.refusal is not None, "sentence": sentence}
        for place, verdict in verdicts.items()
        for sentence in ([verdict.refusal] if verdict.refusal is not None else verdict.warnings)
    ]


def one(number: int, *, locked: bool = False) -> Configuration:
    """Raises Http404."""
    return found(Configuration.objects.all() if locked else known(), locked=locked, pk=number)


class _State(XView):
    def state(self, row: Configuration) -> Sequence[Any]:
        return (row.pk, row.identifier, row.name, row.current_id, row.removed_at)


class Profile(Given):
    example = {"profile": "PD94bWwgdmVyc2lvbj0iMS4wIj8+…", "name": "Wi-Fi"}
    profile = Text(help_text="The .mobileconfig in base64, signed or not.")
    name = Text(max_length=255, allow_blank=True, default="", help_text="Instead of the one in the profile.")

    def validate_profile(self, text: str) -> bytes:
        try:
            return b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise serializers.ValidationError(_("This is data, which is written in base64.")) from error


class _Upload(Done, _State):
    takes = {"POST": Profile}
    tells = {"POST": ConfigurationWhole}
    status = {"POST": 201}
    tagged = frozenset({"POST"})
    told_parameters = frozenset({"name"})

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """A profile may be larger than what other calls may send; whoever may not send one is refused before."""
        super().initial(request, *args, **kwargs)
        http = request._request
        if request.method == "POST" and not hasattr(http, "_body"):
            raw = http.read(LARGEST_BODY + 1)
            if len(raw) > LARGEST_BODY:
                raise RequestDataTooBig
            http._body = raw  # noqa: SLF001 - where Django keeps what it has read

    def prepare(self) -> ConfigurationProfile:
        try:
            return read(self.given["profile"])
        except ProfileRefused as refused:
            raise ConfigurationRefused(str(refused)) from refused

    def uploaded(self) -> Answer:
        new = configurations.upload(self.given["profile"], name=self.given["name"], actor=self.actor)
        row = whole(one(new.configuration.pk), new.warnings)
        return self.answer(row, location=reverse("api:x-configurations-one", args=[row.pk]))


class AskedConfigurations(Cursor):
    identifier = serializers.CharField(required=False, max_length=255)
    sort = serializers.ChoiceField(["identifier", "-identifier", "id", "-id"], default="identifier")


class Configurations(Listed[Configuration], _Upload):
    says = {"GET": "Configurations with what stands where.", "POST": "Upload a new configuration profile."}
    asks = AskedConfigurations
    orders = {"identifier": keyset.Order("identifier"), "id": keyset.Order("pk")}
    item = ConfigurationTold
    told_parameters = frozenset({"name", "identifier", "sort"})

    def rows(self) -> QuerySet[Configuration]:
        rows = known()
        return rows.filter(identifier=self.asked["identifier"]) if "identifier" in self.asked else rows

    def told(self, rows: Sequence[Configuration]) -> Sequence[Any]:
        return counted(rows)

    def perform(self, prepared: ConfigurationProfile) -> Answer:
        if Configuration.objects.standing().filter(identifier=prepared.identifier).exists():
            sentence = _("There is a configuration with this identifier: send the profile to its versions.")
            raise ApiError(409, "configuration.there", sentence)
        return self.uploaded()


class Versions(_Upload):
    says = {"POST": "Upload a new version of a configuration; the devices that have it get it."}

    def perform(self, prepared: ConfigurationProfile) -> Answer:
        row = one(self.kwargs["number"])
        if row.identifier != prepared.identifier:
            sentence = _("The PayloadIdentifier of this profile is another one than {identifier}.")
            raise ConfigurationRefused(sentence.format(identifier=row.identifier))
        return self.uploaded()


class OneConfiguration(One[Configuration], _State):
    says = {
        "GET": "One configuration with its versions, and what kinds of devices object to it.",
        "DELETE": "Take a configuration from all devices, and then away.",
    }
    tells = {"GET": ConfigurationWhole, "DELETE": None}
    tagged = frozenset({"GET"})
    matched = frozenset({"DELETE"})

    def row(self, *, locked: bool, number: int) -> Configuration:  # type: ignore[override] # its own place
        return one(number, locked=locked)

    def shown(self, row: Configuration) -> Any:
        return super().shown(whole(row))

    def delete(self, _request: Request, number: int) -> Response:
        return self.removed(number=number)

    def remove(self, row: Configuration) -> None:
        if row.removed_at is None:
            configurations.remove(row, actor=self.actor)


# --- Whom it is assigned to -------------------------------------------------------------------------------------------


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


class OneAssignment(One[ConfigurationAssignment]):
    says = {
        "GET": "One assignment.",
        "DELETE": "Take an assignment away; devices that have it by another one keep it.",
    }
    tells = {"GET": AssignmentTold, "DELETE": None}

    def row(  # type: ignore[override] # its own place
        self, *, locked: bool, number: int, assignment: int
    ) -> ConfigurationAssignment:
        rows = ConfigurationAssignment.objects.select_related("configuration", "label", "device")
        return found(rows.defer("device__details"), locked=locked, pk=assignment, configuration=number)

    def delete(self, _request: Request, number: int, assignment: int) -> Response:
        return self.removed(number=number, assignment=assignment)

    def remove(self, row: ConfigurationAssignment) -> None:
        meant = row.device or row.label
        if meant is not None:
            configurations.unassign(row.configuration, meant, actor=self.actor)


# --- How far devices have come ----------------------------------------------------------------------------------------


class DeliveryTold(Told):
    example = {
        "configuration": "com.example.wifi",
        "device": "9b0da853-7b1c-4d0f-9a55-3c8f3a8f1a01",
        "user_key": "",
        "state": "APPLIED",
        "wanted_version": 2,
        "installed_version": 2,
        "error": "",
        "changed_at": "2025-01-01T12:00:00Z",
        "installed_at": "2025-01-01T12:00:00Z",
    }
    configuration = serializers.CharField(source="configuration.identifier")
    device = serializers.SerializerMethodField()
    user_key = serializers.CharField(source="channel.user_key")
    state = serializers.SerializerMethodField(help_text=", ".join(State.values))
    wanted_version = serializers.SerializerMethodField()
    installed_version = serializers.SerializerMethodField()
    error = serializers.CharField(source="error_text")
    changed_at = serializers.DateTimeField()
    installed_at = serializers.DateTimeField(allow_null=True)

    def get_device(self, row: ConfigurationDelivery) -> UUID | None:
        device = row.channel.enrollment.device
        return device.uuid if device else None

    def get_state(self, row: ConfigurationDelivery) -> str:
        return row.shown_state.value

    def get_wanted_version(self, row: ConfigurationDelivery) -> int | None:
        return row.wanted.number if row.wanted else None

    def get_installed_version(self, row: ConfigurationDelivery) -> int | None:
        return row.installed.number if row.installed else None


class AskedDeliveries(Cursor):
    state = serializers.ChoiceField([each for each in State.values if each != State.SENT.value], required=False)


class _Deliveries(Listed[ConfigurationDelivery]):
    asks = AskedDeliveries
    orders = {"": keyset.Order("pk")}
    item = DeliveryTold
    told_parameters = frozenset({"state"})

    def narrowed(self, rows: QuerySet[ConfigurationDelivery]) -> QuerySet[ConfigurationDelivery]:
        return rows.filter(state=self.asked["state"]) if "state" in self.asked else rows


class Deliveries(_Deliveries):
    says = {"GET": "How far each device has come with a configuration."}

    def rows(self) -> QuerySet[ConfigurationDelivery]:
        return self.narrowed(configuration_status.of_configuration(one(self.kwargs["number"])))


class OfDevice(_Deliveries):
    says = {"GET": "The configurations of a device, and how far it has come with each."}

    def rows(self) -> QuerySet[ConfigurationDelivery]:
        return self.narrowed(configuration_status.of_device(chosen.one(self.kwargs["uuid"])))
