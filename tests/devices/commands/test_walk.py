"""Every command, on every platform, for every kind of enrollment and on every channel.

What Apple forbids is refused before it is queued, with a sentence; what is allowed is queued, and the sample of its
result is read: samples of results are made from Apple's schema, which is not part of the product.  What needs none is
held in every clone (`test_matrix.py`).
"""

from dataclasses import dataclass
from typing import Any

import pytest

from devices.models import Answer, Channel, Command, Device, Enrollment, Secret
from devices.protocol import commands
from devices.protocol.commands import REGISTRY, AnyRequest
from devices.protocol.commands.forbidden import FORBIDDEN
from devices.protocol.queries import QUERIES
from devices.protocol.target import Kind, Platform, Target
from devices.services import queue, results
from devices.services.inventory import IN_THE_RECORD, REQUEST_TYPES
from devices.services.target import target_of
from tests.devices.commands import schema, test_matrix
from tests.devices.services.rows import answered, channel_of, device_of, enrolled

pytestmark = [pytest.mark.service("apple-schema"), pytest.mark.django_db]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    platform: Platform
    kind: Kind
    user_channel: bool = False

    def __str__(self) -> str:
        return f"{self.platform} {self.kind}{' user' if self.user_channel else ''}"


PLACES = [Place(platform=platform, kind=kind) for platform in Platform for kind in Kind] + [
    Place(platform=Platform.MACOS, kind=kind, user_channel=True) for kind in Kind
]


def allowed(name: str, place: Place) -> bool:
    return test_matrix.allowed(name, Target(platform=place.platform, kind=place.kind, user_channel=place.user_channel))


def _for_kind(support: dict[str, Any], place: Place) -> bool:
    if support.get("requiresdep") or support.get("sharedipad", {}).get("mode") == "required":
        return False
    user_enrollment = support.get("userenrollment", {}).get("mode", "allowed")
    if place.kind is Kind.AAUE:
        return user_enrollment != "forbidden" and not support.get("supervised")
    return user_enrollment != "required" and (place.platform is Platform.MACOS or not support.get("supervised"))


def payload_for(name: str, place: Place) -> dict[str, Any]:
    """What an administrator would write down: the keys that are needed, and those that go together."""
    needed = {key["key"]: schema.sample(key) for key in schema.payload_keys(name) if key.get("presence") == "required"}
    return needed | by_hand(place).get(name, {})


def by_hand(place: Place) -> dict[str, dict[str, Any]]:
    own = place.kind is Kind.AAUE
    return {
        "DeviceInformation": {"Queries": ["OSVersion"]},
        "InstallApplication": {"iTunesStoreID": 361_309_726, "Options": {"PurchaseMethod": 1}},
        "InstallEnterpriseApplication": {"ManifestURL": "https://apps.example/manifest.plist"},
        "InstallMedia": {"iTunesStoreID": 361_309_726},
        "RemoveMedia": {"PersistentID": "org.example.manual"},
        "InstalledApplicationList": {"ManagedAppsOnly": True} if own else {},
        "DeleteUser": {"UserName": "anna"},
        "Settings": {"Settings": [{"Item": "OrganizationInfo"}]},
    }


@pytest.mark.parametrize("name", sorted([*REGISTRY, *FORBIDDEN]))
def test_what_is_forbidden_is_refused_and_what_is_allowed_is_answered(name: str) -> None:
    for place in PLACES:
        enrollment = enrolled(
            kind=Enrollment.Kind(place.kind.value),
            platform=Device.Platform(place.platform.value),
            udid=f"device of {place}",
        )
        channel = channel_of(enrollment, "user-1" if place.user_channel else "")
        if allowed(name, place):
            is_queued_and_read(name, place, channel)
        else:
            is_refused(name, place, channel)


def is_refused(name: str, place: Place, channel: Channel) -> None:
    request = commands.by_name(name, payload_for(name, place), target_of(channel))

    with pytest.raises(queue.CommandRefused) as refused:
        queue.queue(channel, request)

    assert name in str(refused.value), place
    assert str(refused.value).endswith("."), place
    assert not Command.objects.filter(channel=channel).exists(), place


def is_queued_and_read(name: str, place: Place, channel: Channel) -> None:
    request = commands.by_name(name, payload_for(name, place), target_of(channel))
    row = queue.queue(channel, request)
    sample = {key["key"]: schema.sample(key) for key in schema.answer_keys(name)}
    answered(row, **sample)

    assert results.read_results() == 1, place

    assert "unread" not in device_of(channel.enrollment).details, place
    assert (name in REQUEST_TYPES) == bool(sample)
    assert not sample or has_been_read(channel.enrollment, name), place


def has_been_read(enrollment: Enrollment, name: str) -> bool:
    """It stands somewhere: in the record, in a table of its own, among the answers, or sealed."""
    device = device_of(enrollment)
    tables = (
        device.applications,
        device.profiles,
        device.certificates,
        device.managed_applications,
        device.local_users,
        device.available_updates,
    )
    in_tables = any(table.exists() for table in tables)
    received = any(key.split()[0] == name for key in device.details["received"])
    kept_apart = Answer.objects.filter(device=device, request_type=name).exists()
    in_record = name in device.details or name in device.details.get("users", {}).get("user-1", {})
    sealed = Secret.objects.filter(enrollment=enrollment).exists()
    return received and (in_tables or kept_apart or in_record or sealed)


NARROWED: dict[str, list[dict[str, Any]]] = {
    "CertificateList": [{"ManagedOnly": True}],
    "DeviceInformation": [{"Queries": ["OSVersion"]}],
    "InstalledApplicationList": [{"Identifiers": ["com.example"]}, {"ManagedAppsOnly": True}, {"Items": ["Version"]}],
    "ManagedApplicationList": [{"Identifiers": ["com.example"]}],
    "ProfileList": [{"ManagedOnly": True}],
}
FILL_TABLES = ("AvailableOSUpdates", "UserList")
NARROW_NOTHING = {"DeviceAttestationNonce"}


@pytest.mark.parametrize(
    ("name", "payload"), [(name, each) for name, payloads in NARROWED.items() for each in payloads]
)
def test_who_asks_for_less_takes_nothing_from_the_record(name: str, payload: dict[str, Any]) -> None:
    """It was full, and less is answered: nothing at all."""
    sample = {key["key"]: schema.sample(key) for key in schema.answer_keys(name)}
    places = []
    for place in PLACES:
        kind, platform = Enrollment.Kind(place.kind.value), Device.Platform(place.platform.value)
        channel = channel_of(
            enrolled(kind=kind, platform=platform, udid=f"device of {place}"), "user-1" if place.user_channel else ""
        )
        target = target_of(channel)
        whole, less = (commands.by_name(name, each, target) for each in (None, by_hand(place).get(name, {}) | payload))
        if commands.why_not(whole, target) or commands.why_not(less, target) or not commands.is_partial(less, target):
            continue
        answered(queue.queue(channel, whole), **sample)
        results.read_results()
        before = told_of(channel.enrollment)
        answered(queue.queue(channel, less), **{key: type(value)() for key, value in sample.items()})
        results.read_results()

        assert told_of(channel.enrollment) == before, place
        places.append(place)
    assert places


def told_of(enrollment: Enrollment) -> list[Any]:
    """All that is known of it, but for when that was written."""
    device = device_of(enrollment)
    tables = (device.applications, device.profiles, device.certificates, device.managed_applications, device.answers)
    columns = {name: value for name, value in vars(device).items() if name not in {"_state", "modified_at", "details"}}
    details = {name: told for name, told in device.details.items() if name != "received"}
    return [*(list(rows.order_by("pk").values()) for rows in tables), columns, details]


def test_each_key_of_a_question_for_the_inventory_is_known_to_narrow_it_or_not() -> None:
    questions = {*IN_THE_RECORD, *NARROWED, *FILL_TABLES}
    keys = {name: {key["key"] for key in schema.payload_keys(name)} - NARROW_NOTHING for name in questions}

    assert {name: found for name, found in keys.items() if found} == {
        name: {key for payload in payloads for key in payload} for name, payloads in NARROWED.items()
    }
    readings = {name: made.read({}, Kind.ADDE) for name, made in REGISTRY.items()}
    assert {name for name, reading in readings.items() if reading is not None and reading.lists} <= questions


def parts_of(name: str) -> list[dict[str, Any]]:
    return schema.queries() if name == "DeviceInformation" else schema.payload_keys(name)[0]["subkeys"]


def part_allowed(part: dict[str, Any], place: Place) -> bool:
    support = (part.get("supportedOS") or {}).get(place.platform.value, {})
    if support.get("introduced") == "n/a" or "removed" in support:
        return False
    return (not place.user_channel or support.get("userchannel", True)) and _for_kind(support, place)


@pytest.mark.parametrize("place", PLACES, ids=str)
@pytest.mark.parametrize("name", ["Settings", "DeviceInformation"])
def test_each_setting_and_each_query_goes_where_apple_lets_it(name: str, place: Place) -> None:
    enrollment = enrolled(kind=Enrollment.Kind(place.kind.value), platform=Device.Platform(place.platform.value))
    target = target_of(channel_of(enrollment, "user-1" if place.user_channel else ""))
    found = {}
    for part in parts_of(name):
        payload = {"Settings": [only_needed(part)]} if name == "Settings" else {"Queries": [part["key"]]}
        found[part["key"]] = commands.why_not(AnyRequest(request_type=name, payload=payload), target)

    assert {key for key, why in found.items() if why is None} == {
        part["key"] for part in parts_of(name) if part_allowed(part, place) and _in_use(name, part)
    }
    assert all(key in why and why.endswith((".", "?")) for key, why in found.items() if why is not None)


def only_needed(part: dict[str, Any]) -> dict[str, Any]:
    needed = (key for key in part["subkeys"] if key.get("presence") == "required")
    return {key["key"]: {} if key["type"] == "<dictionary>" else schema.sample(key) for key in needed}


def _in_use(name: str, part: dict[str, Any]) -> bool:
    """Apple lists a query that no platform has any more."""
    return name != "DeviceInformation" or part["key"] in QUERIES
