"""A profile that somebody sends or declares is judged as a configuration is, by the kind of enrollment."""

import plistlib
from typing import Final

import pytest

from devices.models import Command, Declaration, DeclarationAssignment, Enrollment
from devices.protocol import commands
from devices.protocol.commands import Target
from devices.services import broadcast, declarations, declared_profiles, send
from devices.services.declarations import DeclarationRefused
from devices.services.queue import CommandRefused
from tests.devices.commands.targets import IPHONE, MAC, MAC_USER, OWN_IPHONE, OWN_MAC, OWN_VISION, VISION
from tests.devices.configuration.profiles import payload, profile
from tests.devices.declarations.rows import iphone, set_of, work
from tests.devices.services.rows import enrolled

pytestmark = pytest.mark.django_db
LEGACY: Final = "com.apple.configuration.legacy"
AAUE: Final = Enrollment.Kind.AAUE
SUPERVISED, DEVICE_ONLY = "com.apple.homescreenlayout", "com.apple.domains"


def why_not(target: Target, kind: str) -> str | None:
    written = {"Payload": profile(payload(kind))}
    return commands.why_not_as_written(commands.by_name("InstallProfile", written, target), target)


@pytest.mark.parametrize(
    ("kind", "taken_by", "refused_by"),
    [
        ("com.apple.wifi.managed", (IPHONE, VISION, MAC, MAC_USER, OWN_IPHONE, OWN_VISION, OWN_MAC), ()),
        (DEVICE_ONLY, (IPHONE,), (OWN_IPHONE, OWN_VISION)),
        (SUPERVISED, (), (IPHONE, OWN_IPHONE)),
        ("com.apple.ews.account", (MAC_USER,), (MAC,)),
        ("com.apple.mdm", (), (IPHONE, VISION, MAC, MAC_USER, OWN_IPHONE, OWN_VISION, OWN_MAC)),
    ],
)
def test_what_is_sent_goes_where_its_payloads_may(
    kind: str, taken_by: tuple[Target, ...], refused_by: tuple[Target, ...]
) -> None:
    assert [why_not(target, kind) for target in taken_by] == [None] * len(taken_by)
    for target in refused_by:
        assert kind in str(why_not(target, kind))


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"nonsense", "This is not a profile"),
        (profile(identifier="ours"), "ours is the identifier of the device's enrollment profile."),
    ],
)
def test_what_is_no_profile_of_an_administrator_is_not_sent(raw: bytes, sentence: str) -> None:
    request = commands.by_name("InstallProfile", {"Payload": raw}, IPHONE)

    assert sentence in str(commands.why_not_as_written(request, IPHONE))


def test_one_by_one_and_to_many_it_is_the_same() -> None:
    phone = iphone()
    enrolled(udid="own", kind=AAUE)
    written = {"Payload": profile(payload(DEVICE_ONLY))}
    row = broadcast.begin("InstallProfile", selection={}, payload=written, actor="admin")
    broadcast.work(row.pk)
    row.refresh_from_db()

    assert (row.queued, row.refused) == (1, 1)
    assert DEVICE_ONLY in next(iter(row.refusals))
    with pytest.raises(CommandRefused, match=SUPERVISED):
        send.prepare(phone, "InstallProfile", payload={"Payload": profile(payload(SUPERVISED))})
    assert Command.objects.get().request_type == "InstallProfile"


@pytest.mark.parametrize(
    ("device", "kind"), [({"kind": AAUE}, DEVICE_ONLY), ({}, SUPERVISED), ({"kind": AAUE}, SUPERVISED)]
)
def test_what_is_declared_goes_where_its_payloads_may(device: dict[str, str], kind: str) -> None:
    phone = iphone(**device)
    declarations.put("layout", LEGACY, profile=profile(payload(kind)), actor="anna")

    with pytest.raises(DeclarationRefused, match=kind):
        declarations.assign("layout", [phone], actor="anna")
    assert not DeclarationAssignment.objects.exists()


def test_what_is_changed_into_what_a_device_would_refuse_is_left_out() -> None:
    phone = iphone(kind=AAUE)
    declarations.put("layout", LEGACY, profile=profile(), actor="anna")
    declarations.assign("layout", [phone], actor="anna")
    work()
    assert set_of(phone).unsupported == {}

    declarations.put("layout", LEGACY, profile=profile(payload(DEVICE_ONLY)), actor="anna")
    work()
    assert DEVICE_ONLY in set_of(phone).unsupported["layout"]


def test_a_profile_of_a_former_release_that_no_device_takes_is_left_out() -> None:
    phone = iphone()
    raw = plistlib.dumps({"PayloadType": "Configuration", "PayloadContent": []})
    row = declarations.put("layout", LEGACY, profile=profile(), actor="anna")
    declarations.assign("layout", [phone], actor="anna")
    Declaration.objects.filter(pk=row.pk).update(profile=raw, profile_sha256=declared_profiles.digest(raw))
    work()

    assert "no PayloadIdentifier" in set_of(phone).unsupported["layout"]
