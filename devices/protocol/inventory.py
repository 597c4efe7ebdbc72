"""What a device says about itself, read into the columns of its record."""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Final, TypeAlias

from devices.protocol.networks import country_of, is_mcc
from devices.protocol.queries import PERSONAL
from devices.protocol.reading import Reader, Reading, Value, dictionaries_in, dictionary_in, json_of
from devices.protocol.target import Kind
from epmm.wire.errors import WireError
from epmm.wire.plist import required

Read: TypeAlias = Callable[[Mapping[str, Any], str], Value]

MAC_DIGITS: Final = 12
MOST_GIGABYTES: Final = 1e9
SMALL: Final = range(1 << 15)  # what a column for small numbers holds
NAME: Final = 255


def _text(longest: int) -> Read:
    return lambda answer, key: required(answer, key, str, longest=longest)


def _digits(longest: int) -> Read:
    """An IMEI or ICCID; some devices group its digits."""
    return lambda answer, key: required(answer, key, str, longest=longest).replace(" ", "")


def _flag(answer: Mapping[str, Any], key: str) -> bool:
    return required(answer, key, bool)


def _small(answer: Mapping[str, Any], key: str) -> int:
    if (value := required(answer, key, int)) in SMALL:
        return value
    raise WireError(f"{key}: out of range")


def _number(lowest: float, highest: float) -> Read:
    def read(answer: Mapping[str, Any], key: str) -> float:
        if isfinite(value := required(answer, key, float)) and lowest <= value <= highest:
            return value
        raise WireError(f"{key}: out of range")

    return read


def hardware_address(text: str) -> str | None:
    """Twelve digits, however they are separated; None: it is none."""
    digits = text.replace(":", "").replace("-", "").upper()
    is_one = len(digits) == MAC_DIGITS and not set(digits) - set("0123456789ABCDEF")
    return digits if is_one else None


def _mac(answer: Mapping[str, Any], key: str) -> str:
    if digits := hardware_address(required(answer, key, str)):
        return digits
    raise WireError(f"{key}: not a hardware address")


def _mcc(answer: Mapping[str, Any], key: str) -> str:
    text = required(answer, key, str, longest=32)
    return text if is_mcc(text) else ""


_GIGABYTES: Final = _number(0, MOST_GIGABYTES)

# Apple's key: the column, and how to read it.  UDID has none: who a device is, its certificate says.
DEVICE_INFORMATION: Final[dict[str, tuple[str, Read]]] = {
    "SerialNumber": ("serial_number", _text(64)),
    "IMEI": ("imei", _digits(32)),
    "MEID": ("meid", _digits(32)),
    "ProductName": ("product_name", _text(64)),
    "Model": ("model", _text(64)),
    "ModelName": ("model_name", _text(128)),
    "DeviceName": ("device_name", _text(NAME)),
    "OSVersion": ("os_version", _text(32)),
    "BuildVersion": ("build_version", _text(32)),
    "IsSupervised": ("is_supervised", _flag),
    "DeviceCapacity": ("storage_capacity", _GIGABYTES),
    "AvailableDeviceCapacity": ("storage_free", _GIGABYTES),
    "BatteryLevel": ("battery_level", _number(0, 1)),  # -1: the device cannot tell
    "WiFiMAC": ("wifi_mac", _mac),
    "BluetoothMAC": ("bluetooth_mac", _mac),
    "EthernetMAC": ("ethernet_mac", _mac),
    "ICCID": ("iccid", _digits(32)),
    "PhoneNumber": ("phone_number", _text(32)),
    "CellularTechnology": ("cellular_technology", _small),
    "CurrentCarrierNetwork": ("current_carrier", _text(64)),
    "CurrentMCC": ("current_mcc", _mcc),
    "SubscriberCarrierNetwork": ("home_carrier", _text(64)),
    "CarrierSettingsVersion": ("carrier_settings_version", _text(32)),
    "IsRoaming": ("is_roaming", _flag),
    "DataRoamingEnabled": ("data_roaming_enabled", _flag),
    "IsCloudBackupEnabled": ("is_cloud_backup_enabled", _flag),
    "iTunesStoreAccountIsActive": ("store_account_is_active", _flag),
    "IsActivationLockEnabled": ("activation_lock_enabled", _flag),
    "SystemIntegrityProtectionEnabled": ("system_integrity_protection", _flag),
}
# Since iOS 16 the SIMs tell these, and the keys of the device are deprecated.
OF_A_SUBSCRIPTION: Final = (
    "IMEI", "MEID", "ICCID", "PhoneNumber", "CurrentCarrierNetwork", "CurrentMCC", "CurrentMNC",
    "SubscriberCarrierNetwork", "CarrierSettingsVersion", "IsRoaming",
)  # fmt: skip
COUNTRIES: Final = ("home_country", "current_country")  # columns that several of the keys tell together
SECURITY_INFO: Final[dict[str, tuple[str, Read]]] = {
    "HardwareEncryptionCaps": ("hardware_encryption", _small),
    "PasscodePresent": ("passcode_present", _flag),
    "PasscodeCompliant": ("passcode_is_compliant", _flag),
    "PasscodeCompliantWithProfiles": ("passcode_is_compliant_with_profiles", _flag),
    "FDE_Enabled": ("filevault_enabled", _flag),
    "SystemIntegrityProtectionEnabled": ("system_integrity_protection", _flag),
}
MANAGEMENT_STATUS: Final[dict[str, tuple[str, Read]]] = {"IsUserEnrollment": ("is_user_enrollment", _flag)}


def read_device_information(answer: Mapping[str, Any], kind: Kind) -> Reading:
    """https://developer.apple.com/documentation/devicemanagement/device-information-response."""
    told = _told(answer, "QueryResponses", kind)
    fields, rest = _read(told, DEVICE_INFORMATION)
    sim = _preferred_subscription(told)
    silent = {key: sim[key] for key in OF_A_SUBSCRIPTION if key in sim and not told.get(key)}
    of_the_sim, _ = _read(silent, DEVICE_INFORMATION)
    return Reading(fields=fields | of_the_sim | _countries({**told, **silent}), rest=json_of(rest))


def read_security_info(answer: Mapping[str, Any], kind: Kind) -> Reading:
    """https://developer.apple.com/documentation/devicemanagement/security-info-response."""
    told = _told(answer, "SecurityInfo", kind)
    fields, rest = _read(told, SECURITY_INFO)
    of_management, _ = _read(dictionary_in(told, "ManagementStatus"), MANAGEMENT_STATUS)
    return Reading(fields=fields | of_management, rest=json_of(rest))


def _told(answer: Mapping[str, Any], key: str, kind: Kind) -> Mapping[str, Any]:
    """Of a user's own device nothing is kept that would recognize it, even if it should say it."""
    told = dictionary_in(answer, key)
    return {key: value for key, value in told.items() if key not in PERSONAL} if kind is Kind.AAUE else told


def _read(told: Mapping[str, Any], columns: Mapping[str, tuple[str, Read]]) -> tuple[dict[str, Value], dict[str, Any]]:
    """By columns, and what has none or does not fit."""
    fields: dict[str, Value] = {}
    rest: dict[str, Any] = {}
    for key, value in told.items():
        if (known := columns.get(key)) is None:
            rest[key] = value
            continue
        column, read = known
        try:
            fields[column] = read(told, key)
        except WireError:
            rest[key] = value
    return fields, rest


def _countries(told: Mapping[str, Any]) -> dict[str, Value]:
    """Where it is, and where its SIM is from; that is the same unless it roams, and no SIM tells it by itself."""
    current = country_of(told.get("CurrentMCC"), told.get("CurrentMNC"))
    home = country_of(told.get("SubscriberMCC"), told.get("SubscriberMNC"))
    if not home and told.get("IsRoaming") is False:
        home = current
    found: dict[str, Value] = {"current_country": current} if "CurrentMCC" in told else {}
    return found | {"home_country": home} if home else found


def _preferred_subscription(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """The SIM that carries the data, or else the first."""
    subscriptions = list(dictionaries_in(told, "ServiceSubscriptions"))
    preferred = (item for item in subscriptions if item.get("IsDataPreferred") is True)
    return next(preferred, subscriptions[0] if subscriptions else {})


INFORMATION: Final = Reader(("QueryResponses",), read_device_information)
SECURITY: Final = Reader(("SecurityInfo",), read_security_info)
