"""A few dozen devices, among them whatever is hard to compare."""

from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

from devices.models import Device, os_version_number
from tests.devices.search.reference import NOW
from users.models import User

NAMES = (
    "", "iPhone von Müller", "MÜLLERS iPad", "Straße", "STRASSE", "100%", "100_", "a\\b", 'Zoës "Mac"', "İstanbul",
    "ΣΊΣΥΦΟΣ", "σίσυφος", "李的iPhone", "x", "null",
)  # fmt: skip
SERIALS = ("", "AAAA1111BBBB", "aaaa1111bbbb", "CCCC2222DDDD", "Ä1", "ä1", "10%")
VERSIONS = ("", "17", "17.0", "17.4", "17.4.1", "17.10", "18", "18.2", "18.2.0", "18.10", "26.0.1", "18 beta")
MODELS = ("", "iPhone15,3", "iPad13,8", "Mac15,3", "iphone15,3")
DAYS = tuple(NOW - timedelta(days=days, hours=hours) for days, hours in ((0, 0), (0, 13), (6, 23), (7, 0), (400, 5)))
MIDNIGHT = datetime(2026, 11, 16, tzinfo=UTC)


def people() -> list[User]:
    return [
        User.objects.create(user_id="anna", first_name="Anna", last_name="Müller", email="anna@corp.example"),
        User.objects.create(user_id="BEN", full_name="Ben ÖZTÜRK", email="Ben@XCorp.example"),
        User.objects.create(user_id="c_d%"),
    ]


def fleet(count: int = 60) -> list[Device]:
    dice, users = Random(5), people()
    devices = []
    for _ in range(count):
        version = dice.choice(VERSIONS)
        device = Device(
            uuid=UUID(int=dice.getrandbits(128), version=4),
            user=dice.choice(users),
            status=dice.choice(("ACTIVE", "ACTIVE", "RETIRED", "LOST", "WIPE_PENDING")),
            owner=dice.choice(("COMPANY", "EMPLOYEE")),
            enrollment_type=dice.choice(("", "adde", "aaue")),
            platform=dice.choice(("", "iOS", "macOS")),
            managed_apple_account=dice.choice(("", "anna@corp.example", "b_n@corp.example")),
            device_name=dice.choice(NAMES),
            serial_number=dice.choice(SERIALS),
            imei=dice.choice(("", "35 209900 176148", "352099001761481")),
            product_name=dice.choice(MODELS),
            model=dice.choice(("", "MTP03LL/A")),
            model_name=dice.choice(("", "iPhone 15", "MacBook Pro")),
            phone_number=dice.choice(("", "+4915112345678", "pda")),
            os_version=version,
            os_version_number=os_version_number(version),
            last_seen_at=dice.choice((None, MIDNIGHT, *DAYS)),
            registered_at=dice.choice((None, *DAYS)),
            storage_free=dice.choice((None, 0.0, 3.5, 57.0)),
            battery_level=dice.choice((None, 0.0, 0.5, 0.57, 1.0)),
            is_supervised=dice.choice((None, True, False)),
            mdm_managed=dice.choice((True, False)),
            passcode_present=dice.choice((None, True, False)),
            hardware_encryption=dice.choice((None, 1, 3)),
            filevault_enabled=dice.choice((None, True, False)),
            cellular_technology=dice.choice((None, 0, 1, 3, 9)),
            ip_address=dice.choice(("", "10.0.0.7", "10.0.0.70", "2001:db8::a")),
            home_country=dice.choice(("", "DE", "TR", "GB")),
            unreachable_since=dice.choice((None, *DAYS)),
            terms_accepted_at=dice.choice((None, *DAYS)),
            udid="",
        )
        devices.append(device)
    Device.objects.bulk_create(devices)
    return list(Device.objects.select_related("user"))
