"""What administrators declare, assign and take away."""

from typing import Any

import pytest

from devices.models import (
    Declaration,
    DeclarationAssignment,
    Device,
)
from devices.services import declarations, retire
from devices.services.declarations import DeclarationRefused
from epmm.models import AuditEntry
from tests.devices.declarations.rows import (
    ENFORCE,
    channel,
    iphone,
    synchronize,
    work,
)
from tests.devices.declarations.test_sets import AAUE, MAIL, OWN, give, put
from tests.devices.services.rows import NOW

pytestmark = pytest.mark.django_db


def test_what_was_done_is_audited_without_the_payload(phone: Device) -> None:
    put()
    declarations.assign("passcode", [phone], actor="anna")
    declarations.unassign("passcode", [phone], actor="anna")
    declarations.remove("passcode", actor="anna")

    entries = list(AuditEntry.objects.order_by("pk"))
    assert [(entry.action, entry.actor, entry.subject) for entry in entries] == [
        (f"declaration.{what}", "anna", "passcode") for what in ("set", "assigned", "unassigned", "removed")
    ]
    assert "MinimumLength" not in str([entry.details for entry in entries])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"identifier": "epmm.mine"}, "the server's own"),
        ({"identifier": "a/b"}, "1 to 64 letters"),
        ({"type_": "nonsense"}, "There is no declaration nonsense"),
        ({"payload": {"MinimumLength": 99}}, "0 to 16"),
        ({"payload": []}, "Payload is a dictionary."),
        ({"type_": MAIL, "payload": {"HostName": "\ud800"}}, "no room for"),
        ({"type_": MAIL, "payload": {"Port": float("nan")}}, "no room for"),
        ({"type_": MAIL, "payload": {"a": {1}}}, "no room for"),
        ({"type_": "com.apple.configuration.legacy"}, "takes the profile itself"),
        ({"type_": "com.apple.management.properties", "payload": {}, "predicate": "x"}, "goes with a configuration"),
    ],
)
def test_what_cannot_be_declared_changes_nothing(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DeclarationRefused, match=sentence):
        put(**options)

    assert not Declaration.objects.exists()
    assert not AuditEntry.objects.exists()


def test_an_identifier_keeps_its_type() -> None:
    put()

    with pytest.raises(DeclarationRefused, match="Remove it first"):
        put(type_="com.apple.management.properties")


def test_a_declaration_that_is_being_removed_is_no_more(phone: Device) -> None:
    put()
    give(phone)
    declarations.remove("passcode", actor="anna")

    with pytest.raises(DeclarationRefused, match="is being removed"):
        put()
    with pytest.raises(DeclarationRefused, match="There is no declaration passcode"):
        declarations.assign("passcode", [phone], actor="anna")
    work()
    assert not Declaration.objects.exists()
    assert synchronize(channel(phone)).keys() == OWN
    put()


def test_one_device_that_cannot_and_none_is_assigned(phone: Device) -> None:
    old = iphone(os_version="16.0", udid="old", device_name="Old phone")
    put("update", ENFORCE, {"TargetOSVersion": "18.3", "TargetLocalDateTime": "2026-12-01T20:00:00"})

    with pytest.raises(DeclarationRefused, match=r"Old phone: .* needs iOS 17\.0; this device has 16\.0\."):
        declarations.assign("update", [phone, old], actor="anna")

    assert not DeclarationAssignment.objects.exists()


def test_a_device_without_management_cannot_be_assigned_anything(phone: Device) -> None:
    put()
    retire.end_enrollment(phone.enrollments.get(), reason="test", now=NOW)

    with pytest.raises(DeclarationRefused, match="not under management"):
        declarations.assign("passcode", [phone], actor="anna")


def test_only_what_is_assigned_can_be_taken_away(phone: Device) -> None:
    put()

    with pytest.raises(DeclarationRefused, match="is not assigned to S1"):
        declarations.unassign("passcode", [phone], actor="anna")


def test_an_update_is_enforced_on_an_unsupervised_phone(phone: Device) -> None:
    declarations.enforce_update(phone, version="18.3", by="2026-12-01T20:00:00", actor="anna")
    declarations.enforce_update(phone, version="18.4", by="2026-12-24T20:00:00", actor="anna")
    work()

    (held,) = (each for each in synchronize(channel(phone)).values() if each["Type"] == ENFORCE)
    assert held["Payload"] == {"TargetOSVersion": "18.4", "TargetLocalDateTime": "2026-12-24T20:00:00"}


def test_an_update_cannot_be_enforced_on_a_users_own_phone() -> None:
    with pytest.raises(DeclarationRefused, match="a user's own"):
        declarations.enforce_update(iphone(kind=AAUE), version="18.3", by="2026-12-01T20:00:00", actor="anna")

    assert not Declaration.objects.exists()
