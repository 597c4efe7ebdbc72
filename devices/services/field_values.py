"""What each field of the search is for one device.

Fields without a line here are unset for every device, as the catalogue has it.  Where something is hidden from whoever
asks, rows are shown as `masking.seen` shows them, and what directories know is not told.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from devices.models import Device, DeviceAttribute
from devices.search import directory
from devices.search.custom import PREFIX as CUSTOM
from devices.search.fields import Field, Kind
from devices.search.words import (
    BLOCK_AND_FILE_LEVEL,
    DATA_PROTECTION,
    NO_PASSCODE,
    NOT_ENCRYPTED,
    REACHABLE,
    UNREACHABLE,
)
from devices.services import hidden_fields
from epmm import masking
from epmm.country_names import NAMES
from users.models import CustomAttribute, DirectoryValue, Group, Membership, UserAttribute

Read: TypeAlias = Callable[[Device], Any]
NO_PHONE: Final = "PDA"
MANUFACTURER: Final = "Apple"
SPACE: Final = "Global"
COMMENT: Final = "common.comment"
_WAKEUP: Final[Mapping[bool | None, str]] = {True: REACHABLE, False: UNREACHABLE}
_CELLULAR: Final = {0: "none", 1: "GSM", 2: "CDMA", 3: "GSM and CDMA"}
_OF_DIRECTORY: Final = {"user.sam_account_name": "samaccountname", "user.dn": "dn"}


def _text(column: str) -> Read:
    return lambda device: getattr(device, column) or None


def _same(column: str) -> Read:
    return lambda device: getattr(device, column)


def _looked_up(found: Mapping[int, Any], key: str) -> Read:
    return (lambda device: found.get(getattr(device, key))) if found else _always(None)


def _always(value: Any) -> Read:
    return lambda _device: value


def _of_user(column: str) -> Read:
    return lambda device: getattr(device.user, column) or None


def _platform_name(device: Device) -> str | None:
    return f"{device.platform} {device.os_version}".strip() or None if device.platform else None


def _mac(column: str) -> Read:
    return lambda device: getattr(device, column).lower() or None


def _battery(device: Device) -> int | None:
    return None if device.battery_level is None else round(device.battery_level * 100)


def _is_protected(device: Device) -> bool | None:
    """A passcode, and all that it is needed for; unknown as long as the one that is known does not decide."""
    if _without(device):
        return False
    return True if device.passcode_present and device.hardware_encryption == BLOCK_AND_FILE_LEVEL else None


def _without(device: Device) -> list[str]:
    """Why data are not protected."""
    level = device.hardware_encryption
    reasons = {
        NO_PASSCODE: device.passcode_present is False,
        NOT_ENCRYPTED: level is not None and level < BLOCK_AND_FILE_LEVEL,
    }
    return [reason for reason, is_so in reasons.items() if is_so]


def _is_reachable(device: Device) -> bool | None:
    """By pushes; unknown of one that is not to be woken."""
    if device.mdm_managed:
        return True
    return False if device.unreachable_since is not None and device.status in Device.ENROLLED else None


def _is_encrypted(device: Device) -> bool | None:
    return device.filevault_enabled if device.platform == Device.Platform.MACOS else _is_protected(device)


def _is_of(kind: Device.EnrollmentType) -> Read:
    return lambda device: device.enrollment_type == kind


_ADDE, _AAUE = _is_of(Device.EnrollmentType.ADDE), _is_of(Device.EnrollmentType.AAUE)
READ: Final[Mapping[str, Read]] = {
    "common.id": _same("pk"),
    "common.uuid": lambda device: str(device.uuid),
    "common.status": _same("status"),
    "common.retired": lambda device: device.status == Device.Status.RETIRED,
    "common.retired_reason": _text("retired_reason"),
    "common.platform": _text("platform"),
    "common.platform_name": _platform_name,
    "common.os_version": _text("os_version"),
    "common.model": lambda device: device.product_name or device.model or None,
    "common.model_name": _text("model_name"),
    "common.manufacturer": _always(MANUFACTURER),
    "common.SerialNumber": _text("serial_number"),
    "common.imei": _text("imei"),
    "common.wifi_mac_address": _mac("wifi_mac"),
    "common.ethernet_mac": _mac("ethernet_mac"),
    "common.ip_address": _text("ip_address"),
    "common.owner": _same("owner"),
    "common.registration_date": _same("registered_at"),
    "common.creation_date": _same("created_at"),
    "common.modified_at": _same("modified_at"),
    "common.last_connected_at": _same("last_seen_at"),
    "common.miclient_last_connected_at": _same("last_seen_at"),
    "common.mdm_managed": _same("mdm_managed"),
    "common.compliant": _always(value=True),
    "common.quarantined": _always(value=False),
    "common.blocked": lambda device: device.status == Device.Status.BLOCKED,
    "common.security_state": _always("Ok"),
    "common.device_encrypted": _is_encrypted,
    "common.data_protection_enabled": _is_protected,
    "common.data_protection_reasons": _without,
    "common.current_phone_number": lambda device: device.phone_number or NO_PHONE,
    "common.home_operator_name": _text("home_carrier"),
    "common.home_country_name": lambda device: NAMES.get(device.home_country),
    "common.home_country_code": _text("home_country"),
    "common.current_operator_name": _text("current_carrier"),
    "common.current_country_name": lambda device: NAMES.get(device.current_country),
    "common.current_country_code": _text("current_country"),
    "common.cellular_technology": lambda device: (
        _CELLULAR.get(device.cellular_technology or 0) if device.cellular_technology is not None else None
    ),
    "common.language": _text("language"),
    "common.storage_capacity": _same("storage_capacity"),
    "common.storage_free": _same("storage_free"),
    "common.battery_level": _battery,
    "common.apns_capable": _is_reachable,
    "common.comment": _text("comment"),
    "common.device_space_name": _always(SPACE),
    "common.terms_of_service_accepted": lambda device: device.terms_accepted_at is not None,
    "common.terms_of_service_accepted_at": _same("terms_accepted_at"),
    "ios.account_driven_device_enrolled": _ADDE,
    "ios.apple_user_enrolled": _AAUE,
    "ios.account_driven_user_enrolled": _AAUE,
    "ios.enrollment_type": _text("enrollment_type"),
    "ios.enrollment_failed_at": _same("enrollment_failed_at"),
    "ios.managed_apple_id": _text("managed_apple_account"),
    "ios.enrollment_id": _text("enrollment_id"),
    "ios.DeviceName": _text("device_name"),
    "ios.Supervised": _same("is_supervised"),
    "ios.iPhone UDID": _text("udid"),
    "ios.iPhone ICCID": _text("iccid"),
    "ios.iPhone MAC_ADDRESS_EN0": _mac("wifi_mac"),
    "ios.iPhone VERSION": _text("os_version"),
    "ios.Current MCC": _text("current_mcc"),
    "ios.wakeup_status": lambda device: _WAKEUP.get(_is_reachable(device)),
    "ios.DataRoamingEnabled": _same("data_roaming_enabled"),
    "ios.IsRoaming": _same("is_roaming"),
    "ios.PasscodePresent": _same("passcode_present"),
    "ios.PasscodeIsCompliant": _same("passcode_is_compliant"),
    "ios.PasscodeIsCompliantWithProfiles": _same("passcode_is_compliant_with_profiles"),
    "ios.data_protection": lambda device: DATA_PROTECTION.get(device.hardware_encryption),
    "ios.IsCloudBackupEnabled": _same("is_cloud_backup_enabled"),
    "ios.iTunesStoreAccountIsActive": _same("store_account_is_active"),
    "ios.IsActivationLockEnabled": _same("activation_lock_enabled"),
    "ios.FDE_Enabled": _same("filevault_enabled"),
    "ios.SystemIntegrityProtectionEnabled": _same("system_integrity_protection"),
    "ios.osUpdateStatus": _text("os_update_status"),
    "ios.BuildVersion": _text("build_version"),
    "ios.ProductName": _text("product_name"),
    "ios.BluetoothMAC": _mac("bluetooth_mac"),
    "ios.MEID": _text("meid"),
    "ios.CarrierSettingsVersion": _text("carrier_settings_version"),
    "user.user_id": _of_user("user_id"),
    "user.display_name": _of_user("display_name"),
    "user.email_address": _of_user("email"),
    "user.first_name": _of_user("first_name"),
    "user.last_name": _of_user("last_name"),
    "user.uuid": lambda device: str(device.user.uuid),
    "user.source": lambda device: device.user.source,
    "user.upn": lambda device: None if hidden_fields.is_hidden("user.upn") else device.user.upn or None,
    "user.last_admin_portal_login_time": lambda device: device.user.last_portal_login_at,
}


def model_of(device: Device) -> str:
    """In the words that tell most."""
    return device.model_name or device.product_name or device.model or device.family


def values(devices: Sequence[Device], fields: Collection[Field]) -> list[dict[str, Any]]:
    """Of each device all of these, by their keys: by as many statements for a thousand devices as for one."""
    beside = _Beside(devices, fields)
    reads = [(field.key, _read(field, beside)) for field in fields]
    return [{key: read(device) for key, read in reads} for device in map(masking.seen, devices)]


def _read(field: Field, beside: "_Beside") -> Read:
    """What is asked of each device is found out once."""
    if masking.hidden() and (field.key == COMMENT or field.key.startswith(CUSTOM)):
        return _always(None)  # nobody knows what people have written there
    return READ.get(field.key) or beside.read(field)


class _Beside:
    """What lies in other tables than the device's and its user's, read as far as it is asked for."""

    def __init__(self, devices: Sequence[Device], fields: Iterable[Field]) -> None:
        keys = {field.key for field in fields}
        self._custom: dict[str, dict[int, Any]] = {}
        self._directory: dict[str, dict[int, list[str]]] = {}
        if any(key.startswith(CUSTOM) for key in keys):
            self._read_custom(devices, keys)
        names: defaultdict[str, list[str]] = defaultdict(list)
        for key in keys:
            if name := _directory_name(key):
                names[name].append(key)
        people = {device.user_id for device in devices}
        if names:
            self._read_directory(people, names)
        if hidden_fields.GROUPS in keys:
            self._read_groups(people)

    def read(self, field: Field) -> Read:
        if field.key.startswith(f"{CUSTOM}user."):
            return _looked_up(self._custom.get(field.key, {}), "user_id")
        if field.key.startswith(CUSTOM):
            return _looked_up(self._custom.get(field.key, {}), "pk")
        found: Mapping[int, Any] = {} if hidden_fields.is_hidden(field.key) else self._directory.get(field.key, {})
        if field.kind is Kind.LIST:
            return lambda device: found.get(device.user_id, [])
        return _looked_up({user: values[0] for user, values in found.items()}, "user_id")

    def _read_custom(self, devices: Sequence[Device], keys: Collection[str]) -> None:
        asked = {each.pk: each for each in CustomAttribute.objects.all() if each.key in keys}
        owners = {
            CustomAttribute.Subject.DEVICE: (DeviceAttribute, "device", {device.pk for device in devices}),
            CustomAttribute.Subject.USER: (UserAttribute, "user", {device.user_id for device in devices}),
        }
        for subject, (model, owner, people) in owners.items():
            wanted = [pk for pk, each in asked.items() if each.subject == subject]
            if not wanted:
                continue
            for row in model.objects.filter(**{f"{owner}__in": people, "attribute__in": wanted}):
                attribute = asked[row.attribute_id]
                found = self._custom.setdefault(attribute.key, {})
                found[getattr(row, f"{owner}_id")] = _custom_value(attribute, row)

    def _read_directory(self, people: Collection[int], names: Mapping[str, list[str]]) -> None:
        found: defaultdict[str, dict[int, list[str]]] = defaultdict(dict)
        for row in DirectoryValue.objects.filter(user__in=people, name__in=names).order_by("pk"):
            for key in names[row.name]:
                found[key].setdefault(row.user_id, []).append(row.text)
        self._directory |= found

    def _read_groups(self, people: Collection[int]) -> None:
        rows = Membership.objects.filter(user__in=people, group__directory__isnull=False, group__kind=Group.Kind.GROUP)
        found: defaultdict[int, list[str]] = defaultdict(list)
        for row in rows.select_related("group").order_by("group__name"):
            found[row.user_id].append(row.group.name)
        self._directory[hidden_fields.GROUPS] = dict(found)


def _directory_name(key: str) -> str:
    if key in _OF_DIRECTORY:
        return _OF_DIRECTORY[key]
    is_one = key.startswith(directory.PREFIX) and key != hidden_fields.GROUPS
    return key.removeprefix(directory.PREFIX).lower() if is_one else ""


def _custom_value(attribute: CustomAttribute, row: Any) -> Any:
    match attribute.kind:
        case CustomAttribute.Kind.NUMBER:
            return int(row.number) if float(row.number).is_integer() else row.number
        case CustomAttribute.Kind.BOOLEAN:
            return row.number == 1
    return row.text
