"""Devices: found, counted, looked at with their inventory, exported."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from devices.api import rows
from devices.api.rows import Wanted
from devices.api.x import chosen
from devices.api.x.chosen import Which, WhichFields
from devices.models import Device
from devices.services import hidden_fields, label_members, record_pages, search
from devices.services.field_values import model_of
from epmm import audit, masking
from epmm.api import problems
from epmm.api.fields import Cursor, Told
from epmm.portal.keyset import Order, Page
from epmm.portal.lists import plain
from users.api.x.base import Listed, One, XView
from users.api.x.users import sorts
from users.models import User

SORTS: Final = {
    "id": "common.id",
    "last_seen_at": "common.last_connected_at",
    "registered_at": "common.registration_date",
    "user": "user.display_name",
    "device_name": "ios.DeviceName",
    "serial_number": "common.SerialNumber",
}
ORDERS: Final = {name: Order(search.SORTS[key]) for name, key in SORTS.items()}
# What `DeviceTold` reads of a device and of its person: to read all of them would be most of a page.
OF_DEVICE: Final = frozenset(
    {
        "uuid", "user", "status", "device_name", "platform", "os_version", "model_name", "product_name", "model",
        "family", "serial_number", "imei", "owner", "enrollment_type", "mdm_managed", "registered_at", "last_seen_at",
        "retired_at",
    }
)  # fmt: skip
OF_PERSON: Final = ("user_id", "full_name", "first_name", "last_name", "email")
AT_ONCE: Final = 500  # devices of an export in memory
TOLD: Final = "told_values"  # of a row that is shown
NDJSON, CSV = "application/x-ndjson", "text/csv"
EXAMPLE: Final[dict[str, Any]] = {
    "uuid": "9b0da853-7b1c-4d0f-9a55-3c8f3a8f1a01",
    "id": 17,
    "status": "ACTIVE",
    "device_name": "Mia's iPhone",
    "platform": "iOS",
    "os_version": "18.2",
    "model": "iPhone 15",
    "serial_number": "F2LXK0ABCD",
    "imei": "",
    "owner": "COMPANY",
    "enrollment_type": "adde",
    "managed": True,
    "user_id": "mia",
    "user_name": "Mia Ito",
    "user_email": "mia@example.com",
    "registered_at": "2025-01-01T12:00:00Z",
    "last_seen_at": "2025-01-02T12:00:00Z",
    "retired_at": None,
    "values": {"common.language": "de"},
}


class DeviceTold(Told):
    """Of a row as `masking.seen` shows it."""

    example = EXAMPLE
    uuid = serializers.UUIDField(help_text="By which the addresses name it.")
    id = serializers.IntegerField(source="pk", help_text="As EPMM's V2 calls have it.")
    status = serializers.ChoiceField(Device.Status.choices)
    device_name = serializers.CharField()
    platform = serializers.CharField()
    os_version = serializers.CharField()
    model = serializers.SerializerMethodField()
    serial_number = serializers.CharField(help_text="Empty where the enrollment does not tell it.")
    imei = serializers.CharField()
    owner = serializers.ChoiceField(Device.Owner.choices)
    enrollment_type = serializers.CharField(help_text=", ".join(Device.EnrollmentType.values))
    managed = serializers.BooleanField(source="mdm_managed")
    user_id = serializers.CharField(source="user.user_id")
    user_name = serializers.CharField(source="user.display_name")
    user_email = serializers.CharField(source="user.email")
    registered_at = serializers.DateTimeField(allow_null=True)
    last_seen_at = serializers.DateTimeField(allow_null=True)
    retired_at = serializers.DateTimeField(allow_null=True)
    values = serializers.SerializerMethodField(help_text="By the fields that were asked for.")

    def get_model(self, device: Device) -> str:
        return model_of(device)

    def get_values(self, device: Device) -> dict[str, Any]:
        return dict(getattr(device, TOLD, {}))


def told(devices: Sequence[Device], asked: Wanted) -> list[Device]:
    """As many questions as the fields need, however many devices there are."""
    for device, values in zip(devices, rows.rows(devices, asked), strict=True):
        setattr(device, TOLD, values)
    return [masking.seen(device) for device in devices]


def written(devices: Sequence[Device], asked: Wanted) -> list[dict[str, Any]]:
    return list(DeviceTold(told(devices, asked), many=True).data)


class AskedDevices(Cursor, WhichFields):
    sort = serializers.ChoiceField(sorts(ORDERS), default="id")


class Devices(Listed[Device]):
    says = {"GET": "Devices, by what is asked for."}
    asks = AskedDevices
    orders = ORDERS
    item = DeviceTold
    told_parameters = frozenset({"label", "retired", "sort"})

    def rows(self) -> QuerySet[Device]:
        name = self.asked["sort"].removeprefix("-")
        if hidden_fields.is_hidden(SORTS[name]):  # the order would tell it
            raise problems.invalid_parameters({"sort": [_("This is hidden from you.")]})
        self.wanted = chosen.fields(self.asked.get("fields", ""))
        return chosen.selected(self.asked)

    def read(self, rows: QuerySet[Device], order: Order, *, size: int, after: str) -> Page[Device]:
        people = User.objects.all()
        if not self.wanted.fields:
            rows, people = rows.only(*OF_DEVICE, order.column), people.only(*OF_PERSON)
        with_retired = self.asked["retired"]
        return record_pages.following(rows, order, size=size, after=after, with_retired=with_retired, people=people)

    def told(self, rows: Sequence[Device]) -> Sequence[Any]:
        return told(rows, self.wanted)


class AskedCount(Which):
    exact = serializers.BooleanField(
        default=False, help_text="Beyond 10,000, too: it takes as long as to look at each of them."
    )


class CountTold(Told):
    example = {"count": 17, "has_more": False}
    count = serializers.IntegerField()
    has_more = serializers.BooleanField(help_text="There are more than these 10,000.")


class Count(XView):
    says = {"GET": "How many devices there are of what is asked for."}
    asks = AskedCount
    tells = {"GET": CountTold}
    told_parameters = frozenset({"label", "retired", "exact"})

    def get(self, _request: Request) -> Response:
        asked = self.asked
        found = chosen.selected(asked)
        if not asked["exact"]:
            count = search.counted(found)
            return Response({"count": count.number, "has_more": count.is_capped})
        name = ("x", self.person.pk, *(str(asked.get(each)) for each in ("query", "label", "retired")))
        return Response({"count": record_pages.count(found, name=(*name, masking.hidden())), "has_more": False})


# --- One --------------------------------------------------------------------------------------------------------------


class AppTold(Told):
    identifier = serializers.CharField()
    name = serializers.CharField()
    version = serializers.CharField()
    short_version = serializers.CharField()
    bundle_size = serializers.IntegerField(allow_null=True)


class ManagedAppTold(Told):
    identifier = serializers.CharField()
    state = serializers.CharField()
    rejection = serializers.CharField()


class ProfileTold(Told):
    identifier = serializers.CharField()
    display_name = serializers.CharField()
    profile_uuid = serializers.CharField()
    managed = serializers.BooleanField(source="is_managed", allow_null=True)


class CertificateOnDevice(Told):
    common_name = serializers.CharField()
    identity = serializers.BooleanField(source="is_identity")
    sha256 = serializers.CharField()
    not_after = serializers.DateTimeField(allow_null=True)


class UpdateTold(Told):
    product_key = serializers.CharField()
    name = serializers.CharField()
    version = serializers.CharField()
    build = serializers.CharField()
    critical = serializers.BooleanField(source="is_critical", allow_null=True)


class LocalUserTold(Told):
    name = serializers.CharField()
    full_name = serializers.CharField()
    guid = serializers.CharField()
    logged_in = serializers.BooleanField(source="is_logged_in", allow_null=True)
    secure_token = serializers.BooleanField(source="has_secure_token", allow_null=True)


class DeviceWithInventory(DeviceTold):
    example = EXAMPLE | {
        "comment": "",
        "labels": ["Sales"],
        "apps": [
            {"identifier": "com.example.crm", "name": "CRM", "version": "412", "short_version": "4.1",
             "bundle_size": 31457280}
        ],
        "managed_apps": [{"identifier": "com.example.crm", "state": "Managed", "rejection": ""}],
        "profiles": [
            {"identifier": "com.example.wifi", "display_name": "Wi-Fi", "profile_uuid": "A1B2", "managed": True}
        ],
        "certificates": [
            {"common_name": "Example CA", "identity": False, "sha256": "5f" * 32, "not_after": "2030-01-01T00:00:00Z"}
        ],
        "updates": [
            {"product_key": "iOSUpdate22E240", "name": "iOS 18.4", "version": "18.4", "build": "22E240",
             "critical": False}
        ],
        "local_users": [
            {"name": "mia", "full_name": "Mia Ito", "guid": "4A6C…", "logged_in": True, "secure_token": True}
        ],
    }  # fmt: skip
    comment = serializers.CharField()
    labels = serializers.SerializerMethodField()
    apps = AppTold(many=True, source="applications.all")
    managed_apps = ManagedAppTold(many=True, source="managed_applications.all")
    profiles = ProfileTold(many=True, source="profiles.all")
    certificates = CertificateOnDevice(many=True, source="told_certificates")
    updates = UpdateTold(many=True, source="available_updates.all")
    local_users = LocalUserTold(many=True, source="told_users", help_text="The accounts of a Mac.")

    def get_labels(self, device: Device) -> list[str]:
        return [label.name for label, _since in label_members.of_device(device)]


class OneDevice(One[Device]):
    says = {"GET": "One device with its inventory, and each field that is searched by."}
    tells = {"GET": DeviceWithInventory}

    def row(self, *, locked: bool, uuid: UUID) -> Device:  # type: ignore[override] # its own place
        del locked
        return chosen.one(uuid)

    def shown(self, row: Device) -> Any:
        registry = search.registry()
        [shown] = told([row], rows.wanted([field.key for field in registry.fields], registry))
        # their names may be those of people: what hides those opens no page of them either
        is_hidden = bool(masking.hidden())
        for name, found in (
            ("told_certificates", row.certificates.defer("der").order_by("common_name", "pk")),
            ("told_users", row.local_users.order_by("name", "pk")),
        ):
            setattr(row, name, [] if is_hidden else list(found))
        return super().shown(shown)


# --- All of them ------------------------------------------------------------------------------------------------------


def _lines(table: Any) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(table)
    return written.getvalue()


class AskedExport(WhichFields):
    format = serializers.ChoiceField(["ndjson", "csv"], default="ndjson")


_COLUMNS: Final = {name: value for name, value in {**EXAMPLE, **EXAMPLE["values"]}.items() if name != "values"}


class Export(XView):
    """In constant memory: by the number of the record, some hundred at a time."""

    says = {"GET": "All devices of what is asked for, in a stream: an object in each line, or a table."}
    asks = AskedExport
    tells = {"GET": {"type": "string"}}
    media = {NDJSON: json.dumps(EXAMPLE) + "\n", CSV: _lines([_COLUMNS.keys(), _COLUMNS.values()])}
    told_parameters = frozenset({"label", "retired", "format"})

    def get(self, _request: Request) -> StreamingHttpResponse:
        asked = chosen.fields(self.asked.get("fields", ""))
        found = chosen.selected(self.asked).defer("details").select_related("user")
        first = _some(found, 0)  # what is refused is refused before the answer begins
        details = {name: str(value) for name, value in self.asked.items()}
        audit.record("list.exported", actor=self.actor, subject_type="list", subject="devices", details=details)
        is_csv = self.asked["format"] == "csv"
        # the answer begins when this has returned, and who asks must see no more than here
        lines = _hidden(_csv(found, first, asked) if is_csv else _ndjson(found, first, asked), masking.hidden())
        response = StreamingHttpResponse(lines, content_type=CSV if is_csv else NDJSON)
        response.headers["Content-Disposition"] = f'attachment; filename="devices.{self.asked["format"]}"'
        return response


def _hidden(lines: Iterator[str], fields: frozenset[str]) -> Iterator[str]:
    while True:
        with masking.hiding(fields):
            line = next(lines, None)
        if line is None:
            return
        yield line


def _some(found: QuerySet[Device], after: int) -> list[Device]:
    with search.patiently(record_pages.COUNTING):
        return list(found.filter(pk__gt=after).order_by("pk")[:AT_ONCE])


def _batches(found: QuerySet[Device], first: list[Device]) -> Iterator[list[Device]]:
    some = first
    while some:
        yield some
        some = _some(found, some[-1].pk) if len(some) == AT_ONCE else []


def _ndjson(found: QuerySet[Device], first: list[Device], asked: Wanted) -> Iterator[str]:
    for some in _batches(found, first):
        yield "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in written(some, asked))


def _csv(found: QuerySet[Device], first: list[Device], asked: Wanted) -> Iterator[str]:
    names = [name for name in DeviceTold().get_fields() if name != "values"]
    yield _lines([[*names, *asked.fields]])
    for some in _batches(found, first):
        yield _lines(
            [*(plain(row[name]) for name in names), *(_cell(row["values"][name]) for name in asked.fields)]
            for row in written(some, asked)
        )


def _cell(value: Any) -> str:
    return plain("; ".join(map(str, value)) if isinstance(value, list) else value)
