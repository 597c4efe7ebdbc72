"""What an expression means, said once more in plain Python: the database is compared with this."""

import operator
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from devices.models import Device
from devices.search.tree import All, AnyOf, Node, Not, Operator, Test, Word

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NEGATIVE = {
    Operator.DIFFERS: Operator.EQUALS,
    Operator.LACKS: Operator.CONTAINS,
    Operator.IS_EMPTY: Operator.IS_NOT_EMPTY,
}

COMPARISONS: dict[Operator, Callable[[Any, Any], Any]] = {
    Operator.EQUALS: operator.eq,
    Operator.GREATER: operator.gt,
    Operator.AT_LEAST: operator.ge,
    Operator.LESS: operator.lt,
    Operator.AT_MOST: operator.le,
}


def any_case(text: str) -> str:
    return text.casefold()


def ascii_case(text: str) -> str:
    return "".join(chr(ord(each) + 32) if "A" <= each <= "Z" else each for each in text)


def number_of_version(text: str) -> tuple[int, ...] | None:
    try:
        parts = [int(part) for part in text.split(".")]
    except ValueError:
        return None
    return tuple([*parts, 0, 0][:3])


def protected(device: Device) -> bool | None:
    if device.passcode_present is False or (device.hardware_encryption is not None and device.hardware_encryption < 3):
        return False
    return True if device.passcode_present and device.hardware_encryption == 3 else None


COUNTRIES = {"DE": "Germany", "TR": "Türkiye", "GB": "United Kingdom"}
ENCRYPTION: dict[int | None, str] = {0: "None", 1: "Block level", 3: "Block and file level"}


def wakeup(device: Device) -> str:
    if device.mdm_managed:
        return "Reachable"
    return "Unreachable" if device.unreachable_since and device.status in {"ACTIVE", "LOST", "WIPE_PENDING"} else ""


# How a text is compared, and what the device has, one or a list; empty: unset.
TEXTS: dict[str, tuple[Callable[[str], str], Callable[[Device], str | list[str]]]] = {
    "ios.DeviceName": (any_case, lambda device: device.device_name),
    "user.user_id": (any_case, lambda device: device.user.user_id),
    "user.display_name": (any_case, lambda device: device.user.display_name),
    "user.email_address": (any_case, lambda device: device.user.email),
    "user.first_name": (any_case, lambda device: device.user.first_name),
    "user.last_name": (any_case, lambda device: device.user.last_name),
    "common.SerialNumber": (ascii_case, lambda device: device.serial_number),
    "common.imei": (ascii_case, lambda device: device.imei),
    "common.model": (ascii_case, lambda device: device.product_name or device.model),
    "common.model_name": (ascii_case, lambda device: device.model_name),
    "common.platform_name": (
        ascii_case,
        lambda device: f"{device.platform} {device.os_version}".strip(" ") if device.platform else "",
    ),
    "common.current_phone_number": (ascii_case, lambda device: device.phone_number or "PDA"),
    "common.manufacturer": (any_case, lambda _: "Apple"),
    "common.uuid": (ascii_case, lambda device: str(device.uuid)),
    "ios.managed_apple_id": (ascii_case, lambda device: device.managed_apple_account),
    "common.ip_address": (ascii_case, lambda device: device.ip_address),
    "common.home_country_name": (any_case, lambda device: COUNTRIES.get(device.home_country, "")),
    "common.home_country_code": (ascii_case, lambda device: device.home_country),
    "ios.wakeup_status": (any_case, wakeup),
    "ios.data_protection": (any_case, lambda device: ENCRYPTION.get(device.hardware_encryption, "")),
    "common.client_name": (any_case, lambda _: ""),
    "common.noncompliance_reasons": (any_case, lambda _: []),
    "common.data_protection_reasons": (
        any_case,
        lambda device: (
            ["No passcode is set"] * (device.passcode_present is False)
            + ["Not encrypted at block and file level"] * (device.hardware_encryption == 1)
        ),
    ),
}
NUMBERS: dict[str, Callable[[Device], float | None]] = {
    "common.id": lambda device: device.pk,
    "common.storage_free": lambda device: device.storage_free,
    "common.battery_level": lambda device: (
        None if device.battery_level is None else round(device.battery_level * 100, 6)
    ),
    "common.memory_free": lambda _: None,
}
DATES: dict[str, Callable[[Device], datetime | None]] = {
    "common.last_connected_at": lambda device: device.last_seen_at,
    "common.registration_date": lambda device: device.registered_at,
    "common.terms_of_service_accepted_at": lambda device: device.terms_accepted_at,
    "common.client_build_date": lambda _: None,
}
FLAGS: dict[str, Callable[[Device], bool | None]] = {
    "common.retired": lambda device: device.status == "RETIRED",
    "common.mdm_managed": lambda device: device.mdm_managed,
    "common.compliant": lambda _: True,
    "common.quarantined": lambda _: False,
    "common.device_is_compromised": lambda _: None,
    "common.terms_of_service_accepted": lambda device: device.terms_accepted_at is not None,
    "common.apns_capable": lambda device: {"Reachable": True, "Unreachable": False}.get(wakeup(device)),
    "ios.account_driven_device_enrolled": lambda device: device.enrollment_type == "adde",
    "ios.Supervised": lambda device: device.is_supervised,
    "common.data_protection_enabled": protected,
    "common.device_encrypted": lambda device: (
        device.filevault_enabled if device.platform == "macOS" else protected(device)
    ),
}
CHOICES: dict[str, Callable[[Device], str]] = {
    "common.status": lambda device: device.status,
    "common.owner": lambda device: device.owner,
    "common.platform": lambda device: device.platform,
    "ios.enrollment_type": lambda device: device.enrollment_type,
    "common.cellular_technology": lambda device: {0: "none", 1: "gsm", 2: "cdma", 3: "gsm and cdma"}.get(
        -1 if device.cellular_technology is None else device.cellular_technology, ""
    ),
}
VERSIONS = ("common.os_version", "ios.iPhone VERSION")


def chosen(node: Node, devices: Iterable[Device]) -> set[int]:
    return {device.pk for device in devices if is_meant(node, device)}


def is_meant(node: Node, device: Device) -> bool:
    match node:
        case Not(part=part):
            return not is_meant(part, device)
        case All(parts=parts):
            return all(is_meant(part, device) for part in parts)
        case AnyOf(parts=parts):
            return any(is_meant(part, device) for part in parts)
        case Word(text=text):
            return is_named(text, device)
        case Test(operator=operator) if operator in NEGATIVE:
            return not holds(node, NEGATIVE[operator], device)
        case Test(operator=operator):
            return holds(node, operator, device)


def is_named(text: str, device: Device) -> bool:
    user = device.user
    names = (
        user.user_id, user.display_name, user.email, device.device_name, device.serial_number, device.product_name,
        device.model, device.model_name, device.phone_number, device.imei, device.managed_apple_account,
    )  # fmt: skip
    return any(any_case(text) in any_case(name) for name in names) or text.lower() == str(device.uuid)


def holds(test: Test, operator: Operator, device: Device) -> bool:
    """A positive operator; false of whatever is unset."""
    if test.field in TEXTS:
        case, get = TEXTS[test.field]
        found = get(device)
        every = [found] if isinstance(found, str) else found
        return any(text_holds(case(own), operator, case(test.value)) for own in every)
    if test.field in VERSIONS:
        return version_holds(device.os_version, operator, test.value)
    if test.field in NUMBERS:
        return compared(NUMBERS[test.field](device), operator, lambda: float(test.value))
    if test.field in DATES:
        return date_holds(DATES[test.field](device), operator, test.value)
    if test.field in FLAGS:
        return compared(FLAGS[test.field](device), operator, lambda: test.value.lower() == "true")
    return text_holds(CHOICES[test.field](device).lower(), operator, test.value.lower())


def text_holds(own: str, operator: Operator, value: str) -> bool:
    if not own:
        return False
    match operator:
        case Operator.EQUALS:
            return own == value
        case Operator.CONTAINS:
            return value in own
        case Operator.BEGINS:
            return own.startswith(value)
    return operator == Operator.IS_NOT_EMPTY


def version_holds(own: str, operator: Operator, value: str) -> bool:
    if operator in {Operator.CONTAINS, Operator.BEGINS, Operator.IS_NOT_EMPTY}:
        return text_holds(ascii_case(own), operator, ascii_case(value))
    return compared(number_of_version(own), operator, lambda: number_of_version(value))


def compared(own: Any, asked: Operator, value: Callable[[], Any]) -> bool:
    if own is None:
        return False
    return asked == Operator.IS_NOT_EMPTY or bool(COMPARISONS[asked](own, value()))


def date_holds(own: datetime | None, operator: Operator, value: str) -> bool:
    """The values of the test are days, seconds, and days before NOW."""
    if own is None:
        return False
    if operator == Operator.IS_NOT_EMPTY:
        return True
    start, end = period(value)
    return {
        Operator.EQUALS: start <= own < end,
        Operator.GREATER: own >= end,
        Operator.AT_LEAST: own >= start,
        Operator.LESS: own < start,
        Operator.AT_MOST: own < end,
    }[operator]


def period(value: str) -> tuple[datetime, datetime]:
    if value.startswith("now-"):
        start, length = NOW - timedelta(days=int(value[4:-1])), timedelta(milliseconds=1)
    elif "T" in value:
        start, length = datetime.fromisoformat(value), timedelta(seconds=1)
    else:
        start, length = datetime.fromisoformat(value).replace(tzinfo=UTC), timedelta(days=1)
    return start, start + length
