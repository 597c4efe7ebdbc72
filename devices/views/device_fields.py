"""The field table of a device: what is known, in groups, by the names of the portal specification (section 7)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from devices.models import Device, Enrollment, Identity
from devices.services.field_values import model_of
from devices.views.wording import STATES, family_of, identity_badge, owner_of, status_badge, system_of
from epmm.country_names import NAMES
from epmm.portal.lists import Cell
from epmm.portal.settings_tree import RIGHTS
from users.models import User

Fields: TypeAlias = list[tuple[str | Promise, Cell]]
CELLULAR: Final = {0: gettext_lazy("None"), 1: "GSM", 2: "CDMA", 3: "GSM, CDMA"}
ENCRYPTION: Final = {
    0: gettext_lazy("None"),
    1: gettext_lazy("Block level"),
    2: gettext_lazy("File level"),
    3: gettext_lazy("Block and file level"),
}


@dataclass(frozen=True, slots=True)
class Group:
    title: str | Promise
    fields: Fields


def groups(device: Device, enrollment: Enrollment | None, identity: Identity | None) -> Iterator[Group]:
    """Whatever is unknown is left out, but for what administrators come to look for."""
    for title, fields, always in (
        (gettext_lazy("Enrollment"), _enrollment(device, enrollment), True),
        (gettext_lazy("MDM identity certificate"), _certificate(identity), False),
        (gettext_lazy("Device"), _device(device), False),
        (gettext_lazy("System"), _system(device), False),
        (gettext_lazy("Security"), _security(device, enrollment), False),
        (gettext_lazy("Phone and network"), _network(device), False),
        (gettext_lazy("User"), _user(device), False),
        (gettext_lazy("Storage and battery"), _storage(device), False),
        (gettext_lazy("Dates"), _dates(device), False),
    ):
        shown: Fields = fields if always else [(label, value) for label, value in fields if value not in (None, "")]
        if shown:
            yield Group(title, shown)


def _enrollment(device: Device, enrollment: Enrollment | None) -> Fields:
    return [
        (gettext_lazy("Account Driven Device Enrolled"), device.enrollment_type == Device.EnrollmentType.ADDE),
        (gettext_lazy("Apple User Enrolled Device"), device.enrollment_type == Device.EnrollmentType.AAUE),
        (gettext_lazy("Account Driven User Enrolled"), device.enrollment_type == Device.EnrollmentType.AAUE),
        (gettext_lazy("Enrollment type"), device.get_enrollment_type_display()),
        (gettext_lazy("Enrollment ID"), device.enrollment_id or (enrollment.enrollment_id if enrollment else "")),
        (gettext_lazy("Managed Apple Account"), device.managed_apple_account),
        (gettext_lazy("MDM managed"), device.mdm_managed),
        (
            gettext_lazy("State of the enrollment"),
            str(STATES[Enrollment.State(enrollment.state)]) if enrollment else "",
        ),
        (gettext_lazy("Supervised"), device.is_supervised),
        (gettext_lazy("Access rights"), _rights(enrollment.access_rights or 0) if enrollment else None),
        (gettext_lazy("Push topic"), enrollment.topic if enrollment else ""),
    ]


def _certificate(identity: Identity | None) -> Fields:
    if identity is None:
        return []
    return [
        (gettext_lazy("Serial number"), identity.serial_number),
        (gettext_lazy("Expires"), identity.not_after),
        (gettext_lazy("State"), identity_badge(identity)),
    ]


def _device(device: Device) -> Fields:
    return [
        (gettext_lazy("Device UUID"), str(device.uuid)),
        (gettext_lazy("Status"), status_badge(device)),
        (gettext_lazy("Device name"), device.device_name),
        (gettext_lazy("Model name"), model_of(device)),
        (gettext_lazy("Model"), device.product_name),
        (gettext_lazy("Model number"), device.model),
        (gettext_lazy("Manufacturer"), "Apple"),
        (gettext_lazy("Family"), family_of(device)),
        (gettext_lazy("Serial number"), device.serial_number),
        (gettext_lazy("UDID"), device.udid),
        (gettext_lazy("Owner"), owner_of(device)),
    ]


def _system(device: Device) -> Fields:
    return [
        (gettext_lazy("Platform name"), system_of(device)),
        (gettext_lazy("OS version"), device.os_version),
        (gettext_lazy("Build"), device.build_version),
        (gettext_lazy("OS update status"), device.os_update_status),
        (gettext_lazy("Language"), device.language),
        (gettext_lazy("iCloud backup"), device.is_cloud_backup_enabled),
        (gettext_lazy("Signed in to the App Store"), device.store_account_is_active),
    ]


def _security(device: Device, enrollment: Enrollment | None) -> Fields:
    return [
        (gettext_lazy("Passcode present"), device.passcode_present),
        (gettext_lazy("Passcode compliant"), device.passcode_is_compliant),
        (gettext_lazy("Passcode compliant with profiles"), device.passcode_is_compliant_with_profiles),
        (gettext_lazy("Encryption"), _encryption(device)),
        (gettext_lazy("FileVault"), device.filevault_enabled),
        (gettext_lazy("System Integrity Protection"), device.system_integrity_protection),
        (gettext_lazy("Activation Lock"), device.activation_lock_enabled),
        (gettext_lazy("Unlock token held"), getattr(enrollment, "has_unlock_token", None)),
        (gettext_lazy("Bootstrap token held"), getattr(enrollment, "has_bootstrap_token", None)),
    ]


def _network(device: Device) -> Fields:
    return [
        (gettext_lazy("Current phone number"), device.phone_number),
        (gettext_lazy("Home operator"), device.home_carrier),
        (gettext_lazy("Home country"), NAMES.get(device.home_country, device.home_country)),
        (gettext_lazy("Current operator"), device.current_carrier),
        (gettext_lazy("Current country"), NAMES.get(device.current_country)),
        (gettext_lazy("Current MCC"), device.current_mcc),
        (gettext_lazy("Carrier settings"), device.carrier_settings_version),
        (gettext_lazy("IMEI"), device.imei),
        (gettext_lazy("MEID"), device.meid),
        (gettext_lazy("ICCID"), device.iccid),
        (gettext_lazy("Cellular technology"), _cellular(device)),
        (gettext_lazy("Roaming"), device.is_roaming),
        (gettext_lazy("Data roaming enabled"), device.data_roaming_enabled),
        (gettext_lazy("Wi-Fi MAC"), device.wifi_mac),
        (gettext_lazy("Bluetooth MAC"), device.bluetooth_mac),
        (gettext_lazy("Ethernet MAC"), device.ethernet_mac),
        (gettext_lazy("IP address"), device.ip_address),
    ]


def _user(device: Device) -> Fields:
    return [
        (gettext_lazy("Display name"), device.user.display_name),
        (gettext_lazy("User ID"), device.user.user_id),
        (gettext_lazy("Email"), device.user.email),
        (gettext_lazy("Source"), str(User.Source(device.user.source).label)),
    ]


def _storage(device: Device) -> Fields:
    return [
        (gettext_lazy("Storage capacity"), _gigabytes(device.storage_capacity)),
        (gettext_lazy("Storage free"), _gigabytes(device.storage_free)),
        (gettext_lazy("Battery level"), None if device.battery_level is None else f"{device.battery_level:.0%}"),
    ]


def _dates(device: Device) -> Fields:
    return [
        (gettext_lazy("Creation date"), device.created_at),
        (gettext_lazy("Modified"), device.modified_at),
        (gettext_lazy("Registration date"), device.registered_at),
        (gettext_lazy("Terms accepted on"), device.terms_accepted_at),
        (gettext_lazy("Last check-in"), device.last_seen_at),
        (gettext_lazy("Inventory of"), device.inventory_at),
        (gettext_lazy("Unreachable since"), device.unreachable_since),
        (gettext_lazy("Lost since"), device.lost_at),
        (gettext_lazy("Retired"), device.retired_at),
        (gettext_lazy("Retired because"), device.retired_reason),
    ]


def _rights(number: int) -> str:
    """As the settings call them, and as Apple counts them: what is there, or what is missing where that is shorter."""
    if not number:
        return ""
    there = [str(words) for bit, words in RIGHTS.items() if number & int(bit)]
    missing = [str(words) for bit, words in RIGHTS.items() if not number & int(bit)]
    told = "; ".join(there)
    if len(missing) < len(there):
        told = _("All but {rights}").format(rights="; ".join(missing)) if missing else _("All")
    return f"{told} ({number})"


def _cellular(device: Device) -> str | None:
    number = device.cellular_technology
    return None if number is None else str(CELLULAR.get(number, number))


def _encryption(device: Device) -> str | None:
    bits = device.hardware_encryption
    return None if bits is None else str(ENCRYPTION.get(bits, bits))


def _gigabytes(value: float | None) -> str | None:
    return None if value is None else f"{number_format(value, 1)} GB"
