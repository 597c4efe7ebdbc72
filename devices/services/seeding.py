"""Invented people and devices, to look at a full portal and to measure it: the same ones each time."""

import itertools
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final

from django.db import connection, transaction
from django.utils import timezone

from devices.models import Channel, Device, Enrollment, Identity, Label, LabelMember, os_version_number
from epmm import audit
from epmm.folding import fold
from users.models import User

BATCH: Final = 5_000
DOMAIN: Final = "seed.example"
FIRST: Final = (
    "Anna", "Ben", "Clara", "David", "Elif", "Felix", "Grace", "Hugo", "Ines", "Jonas", "Katja", "Leon", "Mei", "Noah",
    "Olga", "Paul", "Qing", "Rosa", "Sami", "Tara", "Umar", "Vera", "Wim", "Xenia", "Yara", "Zoe",
)  # fmt: skip
LAST: Final = (
    "Adler", "Brandt", "Costa", "Dietz", "Engel", "Fischer", "Garcia", "Haas", "Ito", "Jansen", "Keller", "Lang",
    "Moreau", "Novak", "Olsen", "Peters", "Quinn", "Rossi", "Silva", "Tanaka", "Ulrich", "Vogel", "Weber", "Yilmaz",
)  # fmt: skip
# family, platform, product, model name, versions, gigabytes
MODELS: Final = (
    ("iPhone", "iOS", "iPhone17,1", "iPhone 16 Pro", ("18.5", "18.6", "26.1"), 256),
    ("iPhone", "iOS", "iPhone15,4", "iPhone 15", ("17.7.2", "18.5", "26.1"), 128),
    ("iPhone", "iOS", "iPhone14,6", "iPhone SE", ("17.7.2", "18.6"), 64),
    ("iPad", "iOS", "iPad14,8", "iPad Air", ("18.5", "18.6", "26.1"), 256),
    ("iPad", "iOS", "iPad13,18", "iPad", ("17.7.2", "18.6"), 64),
    ("Mac", "macOS", "Mac16,1", "MacBook Pro", ("15.5", "15.6", "26.1"), 512),
    ("Mac", "macOS", "Mac15,12", "MacBook Air", ("14.7.6", "15.6"), 256),
    ("RealityDevice", "visionOS", "RealityDevice14,1", "Apple Vision Pro", ("2.5", "26.1"), 512),
)
S: Final = Device.Status
STATUSES: Final = {S.ACTIVE: 85, S.RETIRED: 8, S.IENROLL_VERIFIED: 2, S.IENROLL_INPROGRESS: 1, S.WIPED: 1, S.LOST: 1}
LABELS: Final = {"Sales": 5, "Field service": 11, "Pilot group": 97}  # each so many-th device
# carrier, mobile country code, country; the last one has no SIM
CARRIERS: Final = (
    ("Vodafone", "262", "DE"), ("Telekom", "262", "DE"), ("Orange", "208", "FR"), ("Swisscom", "228", "CH"),
    ("", "", ""),
)  # fmt: skip
UPDATES: Final = ("none", "none", "none", "downloading", "prepared", "failed")
UNREACHABLE: Final = 50  # each so many-th device
WITHOUT_TERMS: Final = 10


class SeedRefused(Exception):
    """Nothing was changed.  The argument is a sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Seeded:
    devices: int
    users: int


def seed(*, devices: int, users: int) -> Seeded:
    """Never beside real ones: they could not be told apart."""
    if Device.objects.exists():
        raise SeedRefused("There are devices already: seed an empty database.")
    if User.objects.filter(email__endswith=f"@{DOMAIN}").exists():
        raise SeedRefused("There are invented people already: seed an empty database.")
    dice = random.Random(users)  # noqa: S311 - not for secrets
    people: list[User] = []
    for some in _batches(_people(users)):
        people += User.objects.bulk_create(some)
    labels = {Label.objects.get_or_create(name=name)[0].pk: each for name, each in LABELS.items()}
    for some in _batches(_devices(devices, people, dice)):
        _enroll(some, labels)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # or the planner goes on thinking that the tables are empty
    audit.record("devices.seeded", actor="manage.py", subject_type="device", subject=f"{devices} devices")
    return Seeded(devices, users)


@transaction.atomic
def _enroll(rows: list[Device], labels: dict[int, int]) -> None:
    devices = Device.objects.bulk_create(rows)
    managed = [device for device in devices if device.registered_at is not None]
    enrollments = Enrollment.objects.bulk_create(_enrollment(device) for device in managed)
    Channel.objects.bulk_create(
        Channel(
            enrollment=each,
            last_seen_at=device.last_seen_at,
            push_token=each.pk.to_bytes(32, "big"),
            push_refused_at=device.unreachable_since,
        )
        for each, device in zip(enrollments, managed, strict=True)
    )
    Identity.objects.bulk_create(_identity(each) for each in enrollments)
    LabelMember.objects.bulk_create(
        LabelMember(label_id=label, device=device)
        for label, each in labels.items()
        for device in devices
        if device.pk % each == 0
    )


def _people(number: int) -> Iterator[User]:
    names = itertools.product(LAST, FIRST)
    for index, (last, first) in enumerate(itertools.islice(itertools.cycle(names), number)):
        name = f"{first}.{last}".lower() + (str(round_) if (round_ := index // (len(FIRST) * len(LAST))) else "")
        account = f"{name}@{DOMAIN}"
        yield User(
            user_id=name,
            first_name=first,
            last_name=last,
            first_name_folded=fold(first),
            last_name_folded=fold(last),
            full_name=f"{first} {last}",
            email=account,
            managed_apple_account=account,
            password="!",  # noqa: S106 - unusable: nobody signs in
            created_at=timezone.now(),
        )


def _devices(number: int, people: list[User], dice: random.Random) -> Iterator[Device]:
    now = timezone.now()
    statuses = dice.choices(list(STATUSES), list(STATUSES.values()), k=number)
    for index, status in enumerate(statuses):
        yield _device(index, people[index % len(people)], status, dice, now)


def _device(index: int, person: User, status: Device.Status, dice: random.Random, now: datetime) -> Device:
    family, platform, product, model, versions, capacity = dice.choice(MODELS)
    is_personal = family != "Mac" and dice.random() < 0.2  # noqa: PLR2004
    registered = now - timedelta(minutes=dice.randrange(60, 60 * 24 * 700))
    seen = now - timedelta(minutes=int(dice.expovariate(1 / 900)))
    is_known = status not in Device.PROVISIONAL
    is_gone = status in (S.RETIRED, S.WIPED)
    is_lost_to_push = status == S.ACTIVE and index % UNREACHABLE == 0
    version = dice.choice(versions)
    said: dict[str, Any] = (
        {
            "device_name": f"{person.first_name}'s {model}",
            "os_version": version,
            "os_version_number": os_version_number(version),
            "storage_capacity": float(capacity),
            "storage_free": round(capacity * dice.random(), 1),
            "battery_level": None if family == "Mac" else round(dice.random(), 2),
            **(_network(dice) if family == "iPhone" and not is_personal else {}),
            "ip_address": f"203.0.113.{index % 250 + 1}" if is_personal else str(ip_address(0x0A000000 + index)),
            "terms_accepted_at": registered if index % WITHOUT_TERMS else None,
            "unreachable_since": max(seen, registered) if is_lost_to_push else None,
            "os_update_status": "" if is_personal or platform == "visionOS" else UPDATES[index % len(UPDATES)],
            "phone_number": f"+4917{dice.randrange(10**8):08}" if family == "iPhone" and not is_personal else "",
            "language": dice.choice(("de", "en", "fr", "tr")),
            "passcode_present": dice.random() < 0.95,  # noqa: PLR2004
            "hardware_encryption": 3,
            "is_supervised": family == "Mac",
            "inventory_at": max(seen, registered),
            "registered_at": registered,
            "last_seen_at": max(seen, registered),
        }
        if is_known
        else {}
    )
    identity = {"enrollment_id": str(uuid.UUID(int=dice.getrandbits(128)))} if is_personal else {
        "udid": f"00008140-{index:016X}",
        "serial_number": f"S{index:09X}",
    }  # fmt: skip
    return Device(
        user=person,
        status=status,
        owner=Device.Owner.EMPLOYEE if is_personal else Device.Owner.COMPANY,
        enrollment_type=Device.EnrollmentType.AAUE if is_personal else Device.EnrollmentType.ADDE,
        managed_apple_account=person.email,
        mdm_managed=is_known and not is_gone and not is_lost_to_push,
        created_at=registered,
        retired_at=now if is_gone else None,
        retired_reason="retired by administrator" if is_gone else "",
        platform=platform,
        family=family,
        product_name=product,
        model_name=model,
        **identity,
        **said,
    )


def _network(dice: random.Random) -> dict[str, str]:
    home = dice.choice(CARRIERS)
    is_abroad = bool(home[0]) and dice.random() < 0.1  # noqa: PLR2004
    current = dice.choice(CARRIERS[:-1]) if is_abroad else home
    told = zip(("current_carrier", "current_mcc", "current_country"), current, strict=True)
    settings = "58.0" if home[0] else ""
    return {**dict(told), "home_carrier": home[0], "home_country": home[2], "carrier_settings_version": settings}


def _enrollment(device: Device) -> Enrollment:
    is_over = device.retired_at is not None
    return Enrollment(
        device=device,
        user_id=device.user_id,
        kind=device.enrollment_type,
        state=Enrollment.State.ENDED if is_over else Enrollment.State.ACTIVE,
        created_at=device.created_at,
        active_at=device.registered_at,
        ended_at=device.retired_at,
        managed_apple_account=device.managed_apple_account,
        topic="com.apple.mgmt.External.seed",
        server_url="https://seed.example/mdm/connect",
        checkin_url="https://seed.example/mdm/checkin",
        access_rights=None if device.enrollment_type == Device.EnrollmentType.AAUE else 8191,
        profile_identifier="seed.example.enrollment",
        udid=device.udid,
        enrollment_id=device.enrollment_id,
        device_key=device.udid or device.enrollment_id,
        family=device.family,
    )


def _identity(enrollment: Enrollment) -> Identity:
    began = enrollment.created_at
    is_over = enrollment.state == Enrollment.State.ENDED
    return Identity(
        enrollment=enrollment,
        sha256=b"seed" + enrollment.pk.to_bytes(28, "big"),
        serial_number=f"5eed{enrollment.pk:x}",
        der=b"",
        not_before=began,
        not_after=began + timedelta(days=825),
        state=Identity.State.REVOKED if is_over else Identity.State.CURRENT,
        issued_at=began,
    )


def _batches(rows: Iterator[Any]) -> Iterator[list[Any]]:
    while some := list(itertools.islice(rows, BATCH)):
        yield some
