"""The fields of every installation."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Coalesce, Concat, NullIf, Trim
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from devices.models import Device
from devices.models.device import BATTERY_LOW
from devices.search import directory
from devices.search.fields import Field, Group, Kind, Registry
from devices.search.sources import (
    Always,
    Choice,
    Moment,
    Named,
    Nowhere,
    Number,
    Recent,
    Source,
    Text,
    Uuid,
    Version,
    Worded,
    ascii_lower,
    condition,
    flag_column,
    machine_text,
    people_text,
)
from devices.search.sources import Flag as FlagSource
from devices.search.sql import EVERYTHING, NOTHING
from devices.search.words import (
    BLOCK_AND_FILE_LEVEL,
    DATA_PROTECTION,
    NO_PASSCODE,
    NOT_ENCRYPTED,
    REACHABLE,
    UNREACHABLE,
)
from epmm.country_names import NAMES
from users.models import User

_PLATFORMS: Final = (*Device.Platform.values, "tvOS", "watchOS", "Android", "Windows")
_TYPES: Final = (*Device.EnrollmentType.values, "profile", "ade")
_CELLULAR: Final = {"none": 0, "GSM": 1, "CDMA": 2, "GSM and CDMA": 3}
_PROTECTED: Final = Q(passcode_present=True, hardware_encryption=BLOCK_AND_FILE_LEVEL)
_WITHOUT: Final = {
    NO_PASSCODE: Q(passcode_present=False),
    NOT_ENCRYPTED: Q(hardware_encryption__lt=BLOCK_AND_FILE_LEVEL),
}
_UNPROTECTED: Final = _WITHOUT[NO_PASSCODE] | _WITHOUT[NOT_ENCRYPTED]
_WAKEUP: Final = {
    REACHABLE: Q(mdm_managed=True),
    UNREACHABLE: Q(mdm_managed=False, unreachable_since__isnull=False, status__in=Device.ENROLLED),
}
_MAC: Final = Q(platform=Device.Platform.MACOS)
_MODEL: Final = Coalesce(NullIf("product_name", Value("")), "model")
_PLATFORM_NAME: Final = Case(
    When(platform="", then=Value("")), default=Trim(Concat("platform", Value(" "), "os_version"))
)
_PHONE: Final = Coalesce(NullIf("phone_number", Value("")), Value("PDA"))
_NO_RULES: Final = FlagSource(NOTHING, EVERYTHING)  # nothing is held against a device yet
Label = str | Promise


def _text(key: str, label: Label, source: Source | None = None, **more: Any) -> Field:
    return _field(Kind.TEXT, key, label, source, **more)


def _flag(key: str, label: Label, source: Source | None = None, **more: Any) -> Field:
    return _field(Kind.BOOLEAN, key, label, source, **more)


def _date(key: str, label: Label, column: str = "", **more: Any) -> Field:
    return _field(Kind.DATE, key, label, Moment(column) if column else None, **more)


def _number(key: str, label: Label, source: Source | None = None, **more: Any) -> Field:
    return _field(Kind.NUMBER, key, label, source, **more)


def _list(key: str, label: Label, source: Source | None = None) -> Field:
    return _field(Kind.LIST, key, label, source)


def _choice(
    key: str, label: Label, column: str, values: Mapping[str, Any], unset: Q, *, is_common: bool = False, **more: Any
) -> Field:
    source = Choice(column, values, unset, is_common)
    return _field(Kind.ENUMERATION, key, label, source, values=tuple(values), **more)


def _version(key: str, label: Label) -> Field:
    source = Version(machine_text(F("os_version")), Recent("os_version_number"))
    return _field(Kind.VERSION, key, label, source)


def _field(kind: Kind, key: str, label: Label, source: Source | None, **more: Any) -> Field:
    group = Group.LDAP if key.startswith("user.ldap.") else Group(key.partition(".")[0])
    return Field(key=key, label=label, kind=kind, source=source or Nowhere(), group=group, **more)


def _same(values: tuple[str, ...]) -> dict[str, str]:
    return {value: value for value in values}


def _machine(column: str, *, indexed: bool = False) -> Source:
    return machine_text(F(column), indexed=indexed)


def _country(column: str, names: Mapping[str, str]) -> Source:
    return Named(column, names, has_index=True)


def _identifier(column: str) -> Source:
    return machine_text(F(column), indexed=True, identifying=True)


def _common() -> Iterator[Field]:
    yield _number("common.id", _("Device ID"), Number("pk"), is_whole=True)
    yield _text("common.uuid", _("Device UUID"), Uuid("uuid"))
    yield _choice("common.status", _("Status"), "status", _same(tuple(Device.Status.values)), NOTHING)
    yield _flag("common.retired", _("Retired"), condition(Q(status=Device.Status.RETIRED)))
    reason = machine_text(F("retired_reason"), sparse="retired_reason")
    yield _text("common.retired_reason", _("Retired because"), reason)
    yield _choice(
        "common.platform", _("Platform"), "platform", _same(_PLATFORMS), Q(platform=""), is_open=True,
        value_aliases=(("OS X", "macOS"),), is_common=True,
    )  # fmt: skip
    yield _text("common.platform_name", _("Platform name"), machine_text(_PLATFORM_NAME))
    yield _version("common.os_version", _("OS version"))
    yield _text("common.model", _("Model"), machine_text(_MODEL, indexed=True))
    yield _text("common.model_name", _("Model name"), _machine("model_name", indexed=True))
    yield _text("common.manufacturer", _("Manufacturer"), Always("Apple"))
    yield _text("common.SerialNumber", _("Serial number"), _machine("serial_number", indexed=True))
    yield _text("common.imei", "IMEI", _identifier("imei"))
    yield _text("common.imsi", "IMSI")
    yield _text("common.wifi_mac_address", _("Wi-Fi MAC address"), _machine("wifi_mac"))
    yield _text("common.ethernet_mac", _("Ethernet MAC address"), _machine("ethernet_mac"))
    yield _text("common.ip_address", _("IP address"), Text(F("ip_address"), ascii_lower))
    yield _choice("common.owner", _("Owner"), "owner", _same(tuple(Device.Owner.values)), NOTHING)
    yield _date("common.registration_date", _("Registration date"), "registered_at")
    yield _date("common.creation_date", _("Creation date"), "created_at")
    yield _date("common.modified_at", _("Modified"), "modified_at")
    yield _date("common.last_connected_at", _("Last check-in (MDM)"), "last_seen_at")
    yield _date("common.miclient_last_connected_at", _("Last check-in (client)"), "last_seen_at")


def _condition() -> Iterator[Field]:
    yield _flag("common.mdm_managed", _("MDM managed"), flag_column("mdm_managed"))
    yield _flag("common.compliant", _("Compliant"), FlagSource(EVERYTHING, NOTHING))
    yield _list("common.noncompliance_reasons", _("Non-compliance reasons"))
    yield _flag("common.quarantined", _("Quarantined"), _NO_RULES)
    yield _list("common.quarantined_reasons", _("Reasons of the quarantine"))
    yield _flag("common.blocked", _("Blocked"), condition(Q(status=Device.Status.BLOCKED)))
    yield _list("common.blocked_reasons", _("Reasons of the block"))
    yield _text("common.security_state", _("Security state"), Always("Ok"))
    yield _flag("common.device_is_compromised", _("Compromised"))
    yield _flag("common.device_encrypted", _("Encrypted"), _encrypted())
    yield _flag("common.data_protection_enabled", _("Data protection enabled"), FlagSource(_PROTECTED, _UNPROTECTED))
    yield _list("common.data_protection_reasons", _("Reasons for missing data protection"), Worded(_WITHOUT))
    yield _text("common.current_phone_number", _("Current phone number"), machine_text(_PHONE))
    yield _text("common.home_operator_name", _("Home operator"), _machine("home_carrier"))
    yield _text("common.home_country_name", _("Home country"), _country("home_country", NAMES))
    yield _text("common.home_country_code", _("Home country code"), _country("home_country", _same(tuple(NAMES))))
    yield _text("common.current_operator_name", _("Current operator"), _machine("current_carrier"))
    yield _text("common.current_country_name", _("Current country"), _country("current_country", NAMES))
    yield _text(
        "common.current_country_code", _("Current country code"), _country("current_country", _same(tuple(NAMES)))
    )
    yield _choice(
        "common.cellular_technology", _("Cellular technology"), "cellular_technology", _CELLULAR,
        ~Q(cellular_technology__in=_CELLULAR.values()), is_open=True,
    )  # fmt: skip
    yield _text("common.language", _("Language"), _machine("language"))
    yield _text("common.locale", _("Locale"))
    yield _number("common.storage_capacity", _("Storage capacity (GB)"), Number("storage_capacity"))
    yield _number("common.storage_free", _("Free storage (GB)"), Number("storage_free"))
    yield _number("common.memory_capacity", _("Memory capacity"))
    yield _number("common.memory_free", _("Free memory"))
    yield _number("common.battery_level", _("Battery level (%)"), Number("battery_level", scale=100, low=BATTERY_LOW))
    yield _text("common.client_name", _("Client name"))
    yield _text("common.client_version", _("Client version"))
    yield _date("common.client_build_date", _("Client build date"))
    yield _text("common.client_id", _("Client ID"), aliases=("common.clientId",))
    yield _number("common.background_status", _("Background status"))
    capable = FlagSource(_WAKEUP[REACHABLE], _WAKEUP[UNREACHABLE])
    yield _flag("common.apns_capable", _("APNs capable"), capable)
    yield _text("common.comment", _("Comment"), people_text("comment_folded", indexed=False))
    yield _text("common.device_space_name", _("Space name"), Always("Global"))
    accepted = condition(Q(terms_accepted_at__isnull=False))
    yield _flag("common.terms_of_service_accepted", _("Terms accepted"), accepted)
    yield _date("common.terms_of_service_accepted_at", _("Terms accepted on"), "terms_accepted_at")


def _ios() -> Iterator[Field]:
    user_enrolled = condition(Q(enrollment_type=Device.EnrollmentType.AAUE))
    yield _flag(
        "ios.account_driven_device_enrolled",
        _("Account Driven Device Enrolled"),
        condition(Q(enrollment_type=Device.EnrollmentType.ADDE)),
    )
    yield _flag("ios.apple_user_enrolled", _("Apple User Enrolled Device"), user_enrolled)
    yield _flag("ios.account_driven_user_enrolled", _("Account Driven User Enrolled"), user_enrolled)
    yield _choice(
        "ios.enrollment_type", _("Enrollment type"), "enrollment_type", _same(_TYPES), Q(enrollment_type="")
    )  # fmt: skip
    yield _date("ios.enrollment_failed_at", _("Enrollment last failed"), "enrollment_failed_at")
    yield _text("ios.managed_apple_id", _("Managed Apple Account"), _identifier("managed_apple_account"))
    yield _text("ios.enrollment_id", _("Enrollment ID"), _machine("enrollment_id"))
    yield _text("ios.DeviceName", _("Device name"), people_text("name_folded"))
    yield _flag("ios.Supervised", _("Supervised"), flag_column("is_supervised"), aliases=("ios.IsSupervised",))
    yield _text("ios.iPhone UDID", "UDID", _machine("udid"))
    yield _text("ios.iPhone ICCID", "ICCID", _machine("iccid"))
    yield _text("ios.iPhone MAC_ADDRESS_EN0", _("Wi-Fi MAC address (EN0)"), _machine("wifi_mac"))
    yield _version("ios.iPhone VERSION", _("iOS version"))
    yield _text("ios.Current MCC", _("Current MCC"), _machine("current_mcc"))
    yield _text("ios.wakeup_status", _("Wake-up status"), Worded(_WAKEUP))
    yield _flag("ios.DataRoamingEnabled", _("Data roaming enabled"), flag_column("data_roaming_enabled"))
    yield _flag("ios.IsRoaming", _("Roaming"), flag_column("is_roaming"))
    yield _flag("ios.PasscodePresent", _("Passcode present"), flag_column("passcode_present"))
    yield _flag("ios.PasscodeIsCompliant", _("Passcode compliant"), flag_column("passcode_is_compliant"))
    yield _flag(
        "ios.PasscodeIsCompliantWithProfiles",
        _("Passcode compliant with profiles"),
        flag_column("passcode_is_compliant_with_profiles"),
    )
    yield _text("ios.data_protection", _("Data protection"), Named("hardware_encryption", DATA_PROTECTION))
    yield _flag("ios.IsCloudBackupEnabled", _("Cloud backup enabled"), flag_column("is_cloud_backup_enabled"))
    yield _flag(
        "ios.iTunesStoreAccountIsActive", _("Store account active"), flag_column("store_account_is_active")
    )  # fmt: skip
    yield _flag("ios.IsActivationLockEnabled", _("Activation Lock enabled"), flag_column("activation_lock_enabled"))
    yield _flag("ios.FDE_Enabled", _("FileVault enabled"), flag_column("filevault_enabled"))
    yield _flag(
        "ios.SystemIntegrityProtectionEnabled",
        _("System Integrity Protection enabled"),
        flag_column("system_integrity_protection"),
    )
    yield _text("ios.osUpdateStatus", _("OS update status"), _machine("os_update_status"))
    yield _text("ios.BuildVersion", _("Build version"), _machine("build_version"))
    yield _text("ios.ProductName", _("Product name"), _machine("product_name", indexed=True))
    yield _text("ios.BluetoothMAC", _("Bluetooth MAC address"), _machine("bluetooth_mac"))
    yield _text("ios.MEID", "MEID", _machine("meid"))
    yield _text("ios.CarrierSettingsVersion", _("Carrier settings"), _machine("carrier_settings_version"))


def _user() -> Iterator[Field]:
    yield _text("user.user_id", _("User ID"), people_text("user_id_folded", identifying=True))
    yield _text("user.display_name", _("Display name"), people_text("user_name_folded"))
    yield _text("user.email_address", _("Email address"), people_text("user_email_folded", identifying=True))
    yield _text("user.first_name", _("First name"), people_text("user__first_name_folded", indexed=False))
    yield _text("user.last_name", _("Last name"), people_text("user__last_name_folded", indexed=False))
    yield _text("user.uuid", _("User UUID"), Uuid("user__uuid"))
    yield _choice("user.source", _("Source"), "user__source", _same(tuple(User.Source.values)), NOTHING)
    yield _text("user.sam_account_name", _("SAM account name"), directory.Known("samaccountname"))
    yield _text("user.upn", _("User principal name"), _machine("user__upn"))
    yield _text("user.dn", _("Distinguished name"), directory.Known("dn"))
    yield _date(
        "user.last_admin_portal_login_time", _("Last sign-in at the Admin Portal"), "user__last_portal_login_at"
    )
    yield _list("user.ldap.groups.name", _("LDAP groups"), directory.InGroup())


def _encrypted() -> Source:
    return FlagSource(
        (_MAC & Q(filevault_enabled=True)) | (~_MAC & _PROTECTED),
        (_MAC & Q(filevault_enabled=False)) | (~_MAC & _UNPROTECTED),
    )


FIELDS: Final = Registry((*_common(), *_condition(), *_ios(), *_user()))
