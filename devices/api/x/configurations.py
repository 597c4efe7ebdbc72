"""Configuration profiles: uploaded, replaced by versions, removed."""

import binascii
from base64 import b64decode
from collections.abc import Sequence
from typing import Any, Final

from django.core.exceptions import RequestDataTooBig
from django.db.models import Count, QuerySet
from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request

from devices.models import Configuration, ConfigurationDelivery
from devices.protocol.configuration_profile import LARGEST, ConfigurationProfile, ProfileRefused, read
from devices.services import configuration_status, configurations
from devices.services.configurations import ConfigurationRefused
from epmm.api.errors import ApiError
from epmm.api.fields import Cursor, Given, Text, Told
from epmm.portal import keyset
from users.api.x.base import Deleted, Done, Listed, XView, found
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
    matched = frozenset({"POST"})

    def perform(self, prepared: ConfigurationProfile) -> Answer:
        row = one(self.kwargs["number"], locked=True)
        if row.removed_at is not None:
            raise Http404
        self.matches(row)
        if row.identifier != prepared.identifier:
            sentence = _("The PayloadIdentifier of this profile is another one than {identifier}.")
            raise ConfigurationRefused(sentence.format(identifier=row.identifier))
        return self.uploaded()


class OneConfiguration(Deleted[Configuration], _State):
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

    def remove(self, row: Configuration) -> None:
        if row.removed_at is None:
            configurations.remove(row, actor=self.actor)
