"""Devices in the form of EPMM's V2 API: flat, each value in its format."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from django.utils.translation import gettext as _

from devices.models import Device
from devices.search.fields import Field, Kind, Registry
from devices.services import field_values
from epmm.api import envelope
from epmm.api.envelope import Json

# Of other systems than Apple's: known to clients, and of no device here.
FOREIGN: Final = ("android.", "windows.", "windows_phone.", "wp8.")
# Fields that EPMM returns, and nobody searches for.
RETURNED_ONLY: Final = frozenset(
    {
        "common.location",
        "common.location_last_captured_at",
        "common.ccm_migration_status",
        "common.device_admin_enabled",
        "common.clientId",
        "android.afw_capable",
        "android.attestation",
    }
)
# The documented list (specification, 6.3), which is what a call without `fields` gets.
DEFAULT: Final = tuple(
    f"{group}.{name}"
    for group, names in {
        "common": (
            "background_status", "battery_level", "client_name", "client_version", "clientId", "comment", "compliant",
            "creation_date", "current_phone_number", "data_protection_enabled", "data_protection_reasons",
            "device_admin_enabled", "device_is_compromised", "device_space_name", "ccm_migration_status",
            "home_country_name", "home_operator_name", "id", "imei", "imsi", "ip_address", "language",
            "last_connected_at", "locale", "manufacturer", "mdm_managed", "memory_capacity", "memory_free",
            "miclient_last_connected_at", "model", "noncompliance_reasons", "os_version", "owner", "platform",
            "platform_name", "quarantined", "quarantined_reasons", "registration_date", "status", "storage_capacity",
            "storage_free", "uuid",
        ),
        "ios": (
            "DataRoamingEnabled", "DeviceName", "iPhone ICCID", "iPhone MAC_ADDRESS_EN0", "iPhone UDID",
            "iPhone VERSION", "wakeup_status",
        ),
        "user": ("display_name", "email_address", "user_id"),
        "android": ("afw_capable", "attestation"),
    }.items()
    for name in names
)  # fmt: skip
OF_DEVICE: Final = "custom.device."
MOST_TOLD: Final = 20
LONGEST_TOLD: Final = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """The fields that were asked for, each by the name it was asked for by; None: of no device."""

    fields: Mapping[str, Field | None]
    unknown: Sequence[str] = field(default=())

    def messages(self) -> list[Json]:
        if not self.unknown:
            return []
        names = ", ".join(name[:LONGEST_TOLD] for name in self.unknown[:MOST_TOLD])
        return [envelope.message("fields.unknown", _("Unknown fields were ignored: {names}").format(names=names))]


def wanted(asked: Iterable[str], registry: Registry) -> Wanted:
    """By names as clients write them: with line breaks, misspelt, twice, two in one."""
    names = [name for name in (" ".join(each.split()) for each in asked) if name]
    if not names:
        own = tuple(each.key for each in registry.fields if each.key.startswith(OF_DEVICE))
        names = [*DEFAULT, *own]
    fields: dict[str, Field | None] = {}
    unknown = []
    for name in dict.fromkeys(names):
        key = registry.resolve(name)
        if key is not None:
            fields[name] = registry[key]
        elif name in RETURNED_ONLY or name.startswith(FOREIGN):
            fields[name] = None
        else:
            unknown.append(name)
    return Wanted(fields, unknown)


def rows(devices: Sequence[Device], asked: Wanted) -> list[Json]:
    known = {each.key: each for each in asked.fields.values() if each is not None}
    keys = [(name, each.key if each else "") for name, each in asked.fields.items()]
    dates = [name for name, each in asked.fields.items() if each is not None and each.kind is Kind.DATE]
    found = [{name: values.get(key) for name, key in keys} for values in field_values.values(devices, known.values())]
    for row in found:
        row.update((name, told(row[name])) for name in dates)
    return found


def told(value: Any) -> Any:
    return moment(value) if isinstance(value, datetime) else value


def moment(value: datetime) -> str:
    """`2020-11-09T07:38:22.000Z`"""
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
