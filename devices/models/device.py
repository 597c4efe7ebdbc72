import uuid
from collections.abc import Iterable
from typing import Any, ClassVar, Final, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from devices.search.sql import AsciiLower
from epmm import masking
from epmm.folding import FoldedField, fold
from epmm.loaded import Loaded
from epmm.spaces import GLOBAL_SPACE
from users.models import RegistrationPin, User

# What a lone word is looked for in, besides the names of the user.
_SEARCHED: Final = (
    "device_name", "serial_number", "product_name", "model", "model_name", "phone_number", "imei",
    "managed_apple_account",
)  # fmt: skip
DESCRIBED_BY: Final = frozenset({*_SEARCHED, "user"})
OWN_DESCRIPTION: Final = frozenset({"name_folded", "search_text"})
DESCRIPTION: Final = OWN_DESCRIPTION | {"user_id_folded", "user_name_folded", "user_email_folded"}
BETWEEN: Final = "\x1f"  # in no expression, so nothing is found across two of them
_STANDING: Final = ~Q(status="RETIRED")
BATTERY_LOW: Final = 0.2

VERSION_PARTS: Final = 3
VERSION_BASE: Final = 1000


def os_version_number(text: str) -> int | None:
    """`18.2.1` as 18_002_001, so that versions compare as versions; None when it is not one."""
    parts = text.split(".")[:VERSION_PARTS]
    if not all(part.isascii() and part.isdecimal() and len(part) <= VERSION_PARTS for part in parts):
        return None
    major, minor, patch = [*map(int, parts), 0, 0][:VERSION_PARTS]
    return (major * VERSION_BASE + minor) * VERSION_BASE + patch


class DeviceQuerySet(models.QuerySet["Device"]):
    def bulk_create(self, objs: Iterable["Device"], *args: Any, **options: Any) -> list["Device"]:
        objs = list(objs)
        for device in objs:
            device.describe()
        return super().bulk_create(objs, *args, **options)

    def enrolled(self) -> Self:
        """Devices that count against a person's limit: managed now, or on their way out."""
        return self.filter(status__in=Device.ENROLLED)

    def not_retired(self) -> Self:
        return self.exclude(status=Device.Status.RETIRED)


class Device(Loaded):
    """The record of one device, kept across its enrollments."""

    class Status(models.TextChoices):
        VERIFICATION_PENDING = "VERIFICATION_PENDING", _("Pending")
        VERIFIED = "VERIFIED", _("Verified")
        IENROLL_VERIFIED = "IENROLL_VERIFIED", _("Enrollment verified")
        IENROLL_INPROGRESS = "IENROLL_INPROGRESS", _("Enrolling")
        IENROLL_COMPLETE = "IENROLL_COMPLETE", _("Enrolled")
        ACTIVE = "ACTIVE", _("Active")
        LOST = "LOST", _("Lost")
        WIPE_PENDING = "WIPE_PENDING", _("Wipe pending")
        WIPED = "WIPED", _("Wiped")
        RETIRE_PENDING = "RETIRE_PENDING", _("Retire pending")
        RETIRED = "RETIRED", _("Retired")
        EXPIRED = "EXPIRED", _("Expired")
        BLOCKED = "BLOCKED", _("Blocked")
        INFECTED = "INFECTED", _("Infected")
        UNKNOWN = "UNKNOWN", _("Unknown")

    class EnrollmentType(models.TextChoices):
        ADDE = "adde", _("Account-driven device enrollment")
        AAUE = "aaue", _("Account-driven user enrollment")

    class Owner(models.TextChoices):
        COMPANY = "COMPANY", _("Company")
        EMPLOYEE = "EMPLOYEE", _("Employee")

    class Platform(models.TextChoices):
        IOS = "iOS", "iOS"
        MACOS = "macOS", "macOS"
        VISIONOS = "visionOS", "visionOS"

    ENROLLED: ClassVar = (Status.ACTIVE, Status.LOST, Status.WIPE_PENDING, Status.RETIRE_PENDING, Status.BLOCKED)
    PROVISIONAL: ClassVar = (Status.IENROLL_VERIFIED, Status.IENROLL_INPROGRESS, Status.IENROLL_COMPLETE)

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="devices")
    pin = models.ForeignKey(RegistrationPin, on_delete=models.SET_NULL, null=True, related_name="devices")
    space_id = models.PositiveIntegerField(default=GLOBAL_SPACE)
    status = models.CharField(max_length=24, choices=Status.choices, default=Status.UNKNOWN)
    owner = models.CharField(max_length=8, choices=Owner.choices, default=Owner.COMPANY)
    enrollment_type = models.CharField(max_length=8, choices=EnrollmentType.choices, blank=True)
    managed_apple_account = models.CharField(max_length=320, blank=True)
    mdm_managed = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    modified_at = models.DateTimeField(auto_now=True)
    registered_at = models.DateTimeField(null=True)
    last_seen_at = models.DateTimeField(null=True)  # moved here by the worker; the door writes the channel's
    unreachable_since = models.DateTimeField(null=True)  # when the push service stopped knowing it
    retired_at = models.DateTimeField(null=True)
    retired_reason = models.CharField(max_length=64, blank=True)
    enrollment_failed_at = models.DateTimeField(null=True)
    lost_at = models.DateTimeField(null=True)  # when an administrator said so; until it is found
    terms_accepted_at = models.DateTimeField(null=True)  # by its person: to enroll it, or anew after a change
    # from where its last TokenUpdate came: what comes with each connect is written nowhere
    ip_address = models.CharField(max_length=39, blank=True, default="", db_default="")
    comment = models.TextField(blank=True, default="", db_default="")

    # Three names that must never be mixed: a user enrollment has an EnrollmentID and neither of the others.
    udid = models.CharField(max_length=128, blank=True)
    enrollment_id = models.CharField(max_length=128, blank=True)
    serial_number = models.CharField(max_length=64, blank=True)
    imei = models.CharField(max_length=32, blank=True)
    meid = models.CharField(max_length=32, blank=True)

    platform = models.CharField(max_length=16, choices=Platform.choices, blank=True)
    family = models.CharField(max_length=16, blank=True)
    product_name = models.CharField(max_length=64, blank=True)  # `iPhone17,1`
    model = models.CharField(max_length=64, blank=True)
    model_name = models.CharField(max_length=128, blank=True)
    device_name = models.CharField(max_length=255, blank=True)
    os_version = models.CharField(max_length=32, blank=True)
    os_version_number = models.PositiveBigIntegerField(null=True)
    build_version = models.CharField(max_length=32, blank=True)
    os_update_status = models.CharField(max_length=32, blank=True, default="", db_default="")
    language = models.CharField(max_length=35, blank=True)
    is_supervised = models.BooleanField(null=True)
    is_user_enrollment = models.BooleanField(null=True)
    storage_capacity = models.FloatField(null=True)  # gigabytes
    storage_free = models.FloatField(null=True)
    battery_level = models.FloatField(null=True)  # 0 to 1
    wifi_mac = models.CharField(max_length=17, blank=True)
    bluetooth_mac = models.CharField(max_length=17, blank=True)
    ethernet_mac = models.CharField(max_length=17, blank=True)
    iccid = models.CharField(max_length=32, blank=True)
    phone_number = models.CharField(max_length=32, blank=True)
    cellular_technology = models.PositiveSmallIntegerField(null=True)
    current_carrier = models.CharField(max_length=64, blank=True)
    current_mcc = models.CharField(max_length=3, blank=True, default="", db_default="")
    current_country = models.CharField(max_length=2, blank=True, default="", db_default="")  # ISO 3166
    home_carrier = models.CharField(max_length=64, blank=True)
    home_country = models.CharField(max_length=2, blank=True, default="", db_default="")  # of the SIM, or as announced
    carrier_settings_version = models.CharField(max_length=32, blank=True, default="", db_default="")
    is_roaming = models.BooleanField(null=True)
    data_roaming_enabled = models.BooleanField(null=True)
    is_cloud_backup_enabled = models.BooleanField(null=True)
    store_account_is_active = models.BooleanField(null=True)
    activation_lock_enabled = models.BooleanField(null=True)
    passcode_present = models.BooleanField(null=True)
    passcode_is_compliant = models.BooleanField(null=True)
    passcode_is_compliant_with_profiles = models.BooleanField(null=True)
    hardware_encryption = models.PositiveSmallIntegerField(null=True)  # bits: 1 block level, 2 file level
    filevault_enabled = models.BooleanField(null=True)
    system_integrity_protection = models.BooleanField(null=True)
    inventory_at = models.DateTimeField(null=True)
    # the last answers whole, by query, for what has no column yet
    details = models.JSONField(default=dict)

    # For the search, kept by `describe`.  Those of the user stand here because a join to a million users costs more
    # than the search itself.
    name_folded = FoldedField()
    user_id_folded = FoldedField()
    user_name_folded = FoldedField()
    user_email_folded = FoldedField()
    comment_folded = FoldedField()
    search_text = FoldedField()  # what a lone word is looked for in, and the one trigram index

    objects = DeviceQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["udid"], condition=~Q(udid=""), name="device_udid"),
            models.Index(fields=["user", "status"], name="device_user_status"),
            models.Index(fields=["status", "-last_seen_at", "-id"], name="device_status_seen"),
            models.Index(fields=["status", "-registered_at", "-id"], name="device_status_registered"),
            # Pages of the list, in each order that it offers.  Retired records pile up: where one lies beside the
            # other, by time, they must not slow it, and between names they do not.
            # What is asked for most stands behind: PostgreSQL looks at it in the index, and goes to no row in vain.
            models.Index(
                fields=["-last_seen_at", "-id", "enrollment_type", "os_version_number"],
                condition=_STANDING,
                name="device_seen_kind",
            ),
            models.Index(fields=["user_name_folded", "id"], name="device_user_name"),
            models.Index(fields=["name_folded", "id"], name="device_name"),
            models.Index(fields=["-registered_at", "-id"], condition=_STANDING, name="device_registered"),
            models.Index(fields=["serial_number", "id"], name="device_serial_order"),
            # connectors ask for devices by it, in any case
            models.Index(AsciiLower("serial_number"), name="device_serial_any_case"),
            # other records of the same user enrollment
            models.Index(fields=["enrollment_id"], condition=~Q(enrollment_id=""), name="device_enrollment"),
            # the dashboard counts them by all four, and reads nothing else
            # (of few values each: it is small, and leads to whoever has a rare one)
            models.Index(
                fields=["status", "platform", "enrollment_type", "owner", "os_version"], name="device_kinds_owned"
            ),
            # what few devices have, and labels ask for
            models.Index(AsciiLower("retired_reason"), condition=~Q(retired_reason=""), name="device_retired_reason"),
            models.Index(
                fields=["enrollment_failed_at"], condition=Q(enrollment_failed_at__isnull=False), name="device_failed"
            ),
            # whose records are deleted some time after they left
            models.Index(
                fields=["retired_at", "status"], condition=Q(retired_at__isnull=False), name="device_retired_at"
            ),
            # which are about to go out
            models.Index(
                fields=["battery_level"], condition=Q(battery_level__lt=BATTERY_LOW), name="device_battery_low"
            ),
            # whose system is old, which is asked for most, and is rare
            models.Index(fields=["platform", "os_version_number"], condition=_STANDING, name="device_systems"),
            # who called from there, and who is there now
            models.Index(fields=["ip_address"], name="device_ip_address"),
            models.Index(
                fields=["home_country", "-last_seen_at", "-id"], condition=~Q(home_country=""), name="device_home_seen"
            ),
            models.Index(
                fields=["current_country", "-last_seen_at", "-id"],
                condition=~Q(current_country=""),
                name="device_current_seen",
            ),
            # what has changed since labels were last looked at; connectors read devices in this order
            models.Index(fields=["modified_at", "id"], name="device_modified_order"),
        ]
        constraints: ClassVar = [
            # Two records of one UDID may exist (under two people, one after the other); only one is managed.
            models.UniqueConstraint(
                fields=["udid"], condition=Q(mdm_managed=True) & ~Q(udid=""), name="device_udid_managed_once"
            ),
        ]

    def __str__(self) -> str:
        return self.device_name or self.serial_number or str(self.uuid)

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        if update_fields is not None:
            update_fields = frozenset(update_fields)
        if update_fields is None or update_fields & DESCRIBED_BY:
            self.describe(copy_user=update_fields is not None and "user" in update_fields)
            update_fields = update_fields and update_fields | DESCRIPTION
        if update_fields is None or "comment" in update_fields:
            self.comment_folded = fold(self.comment)
            update_fields = update_fields and update_fields | {"comment_folded"}
        super().save(*args, update_fields=update_fields, **options)

    def describe(self, *, copy_user: bool = False) -> None:
        """Bring the columns of the search up to the others."""
        if copy_user or self._state.adding:
            self.user_id_folded = fold(self.user.user_id)
            self.user_name_folded = fold(self.user.display_name)
            self.user_email_folded = fold(self.user.email)
        self.name_folded = fold(self.device_name)
        named = (self.user_id_folded, self.user_name_folded, self.user_email_folded)
        own = (fold(getattr(self, column)) for column in _SEARCHED)
        self.search_text = BETWEEN.join(dict.fromkeys(text for text in (*named, *own) if text))


masking.personal(
    Device,
    {
        "serial_number": "serial",
        "imei": "imei",
        "meid": "meid",
        "iccid": "iccid",
        "phone_number": "phone",
        "ip_address": "ip",
        "managed_apple_account": "email",
        "device_name": "device_name",
        "name_folded": "device_name",
        "user_id_folded": "user_id",
        "user_name_folded": "name",
        "user_email_folded": "email",
        "search_text": "",
        "details": "",
    },
)
