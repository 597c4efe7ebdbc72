"""What a channel is told when its declarations change, once, and what races do to it."""

import json
import plistlib
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from devices.errors import DeclarationGone
from devices.models import (
    DeclarationSet,
    Device,
)
from devices.models.declaration import ASK_AGAIN, OFFER_STANDS
from devices.protocol.declarations import DeclarationKind
from devices.services import declarations, declarative, retire
from tests.devices.declarations.rows import (
    announcements,
    answer_commands,
    channel,
    fetch,
    report,
    set_of,
    synchronize,
    work,
)
from tests.devices.declarations.test_sets import OWN, give, put
from tests.devices.services.rows import NOW, channel_of, enrolled

pytestmark = pytest.mark.django_db


def test_a_change_is_told_once(phone: Device) -> None:
    put()
    give(phone)
    assert len(announcements(phone)) == 1
    put(payload={"MinimumLength": 7})
    work()
    assert len(announcements(phone)) == 1

    assert synchronize(channel(phone))["passcode"]["Payload"] == {"MinimumLength": 7}
    answer_commands()
    put(payload={"MinimumLength": 7})
    work()
    report(channel(phone))
    declarative.tidy()
    assert announcements(phone) == []


def test_any_change_changes_the_token(phone: Device) -> None:
    put()
    give(phone)
    seen = [set_of(phone).token]
    for change in (
        lambda: put(payload={"MinimumLength": 7}),
        lambda: put(payload={"MinimumLength": 7}, predicate="TRUEPREDICATE"),
        lambda: declarations.unassign("passcode", [phone], actor="anna"),
    ):
        change()
        work()
        seen.append(set_of(phone).token)

    assert len(set(seen)) == 4


def test_what_changes_between_manifest_and_declaration_is_served_as_it_was(phone: Device) -> None:
    put()
    put("gone", payload={"MinimumLength": 5})
    give(phone)
    give(phone, "gone")
    declarative.tokens(channel(phone))
    manifest = json.loads(declarative.manifest(channel(phone)))
    answer_commands()

    put(payload={"MinimumLength": 7})
    declarations.remove("gone", actor="anna")
    work()

    held = fetch(channel(phone), manifest)
    assert (held["passcode"]["Payload"], held["gone"]["Payload"]) == ({"MinimumLength": 6}, {"MinimumLength": 5})
    assert len(announcements(phone)) == 1
    held = synchronize(channel(phone))
    assert (held["passcode"]["Payload"], "gone" in held) == ({"MinimumLength": 7}, False)
    with pytest.raises(DeclarationGone):
        declarative.declaration(channel(phone), DeclarationKind.CONFIGURATION, "gone")


def test_what_changes_between_tokens_and_manifest_is_told_afterwards(phone: Device) -> None:
    """The device is at work on the command: a second one is not queued while that is open."""
    put()
    give(phone)
    tokens = json.loads(declarative.tokens(channel(phone)))["SyncTokens"]
    put(payload={"MinimumLength": 7})
    work()

    manifest = json.loads(declarative.manifest(channel(phone)))
    assert manifest["DeclarationsToken"] == tokens["DeclarationsToken"]
    answer_commands()
    report(channel(phone))

    (command,) = announcements(phone)
    data = json.loads(plistlib.loads(command.rendered)["Command"]["Data"])
    assert data["SyncTokens"]["DeclarationsToken"] == set_of(phone).token != tokens["DeclarationsToken"]


def test_tokens_that_are_no_news_hold_nothing_back(phone: Device) -> None:
    put()
    declarative.tokens(channel(phone))  # the device has them already, and asks no further
    give(phone)

    manifest = json.loads(declarative.manifest(channel(phone)))

    assert manifest["DeclarationsToken"] == set_of(phone).token
    assert "passcode" in fetch(channel(phone), manifest)


def test_an_offer_does_not_stand_for_ever(phone: Device) -> None:
    put()
    give(phone)
    declarative.tokens(channel(phone))
    put(payload={"MinimumLength": 7})
    work()
    DeclarationSet.objects.update(offered_at=timezone.now() - OFFER_STANDS)

    manifest = json.loads(declarative.manifest(channel(phone)))

    assert manifest["DeclarationsToken"] == set_of(phone).token


def test_a_device_that_missed_its_command_is_found(phone: Device) -> None:
    put()
    give(phone)
    answer_commands()  # and never came for its declarations
    assert not is_told_again(phone)  # it may be about to

    DeclarationSet.objects.update(asked_at=timezone.now() - ASK_AGAIN, changed_at=timezone.now() - ASK_AGAIN)
    assert is_told_again(phone)


@pytest.mark.parametrize(
    ("since", "asked", "again"),
    [
        (timedelta(hours=2), timedelta(minutes=59), False),
        (timedelta(hours=2), timedelta(minutes=61), True),
        (timedelta(days=90), timedelta(days=6), False),
        (timedelta(days=90), timedelta(days=7), True),
    ],
)
def test_one_that_answers_and_fetches_nothing_is_told_ever_more_rarely(
    phone: Device, since: timedelta, asked: timedelta, *, again: bool
) -> None:
    """It holds the set already: its tokens are equal, so it asks no further."""
    put()
    give(phone)
    answer_commands()
    DeclarationSet.objects.update(asked_at=timezone.now() - asked, changed_at=timezone.now() - since)

    assert is_told_again(phone) == again


def test_one_that_was_told_by_a_clock_that_was_ahead_is_told_of_what_changed_since(phone: Device) -> None:
    put()
    give(phone)
    answer_commands()
    DeclarationSet.objects.update(asked_at=timezone.now() + timedelta(hours=1))

    put(payload={"MinimumLength": 7})
    work()

    assert len(announcements(phone)) == 1
    answer_commands()
    assert not is_told_again(phone)


def is_told_again(phone: Device) -> bool:
    """By what it reports, or by the clock."""
    report(channel(phone))
    by_report = announcements(phone)
    answer_commands()
    if by_report:
        return True
    declarative.tidy()
    return announcements(phone) != []


def test_a_restored_server_believes_what_the_device_holds(phone: Device) -> None:
    put()
    give(phone)
    served = set_of(phone).served_token
    held = synchronize(channel(phone))
    answer_commands()
    DeclarationSet.objects.update(served_token=served, asked_at=None)  # as it was when the backup was made

    report(channel(phone), states_of(held))  # what has changed; the rest of what it holds may be anything
    assert len(announcements(phone)) == 1
    answer_commands()
    report(channel(phone), states_of(held, without="passcode"), FullReport=True)
    assert set_of(phone).served_token == served
    report(channel(phone), states_of(held), FullReport=True)

    assert set_of(phone).served_token == set_of(phone).token
    DeclarationSet.objects.update(asked_at=None)
    assert not is_told_again(phone)
    assert fetch(channel(phone), json.loads(declarative.manifest(channel(phone)))) == held


def states_of(held: dict[str, dict[str, Any]], *, without: str = "") -> dict[str, Any]:
    states: dict[str, list[dict[str, Any]]] = {"activations": [], "assets": [], "configurations": [], "management": []}
    for name, each in held.items():
        kind = each["Type"].split(".")[2]
        state = {"identifier": name, "server-token": each["ServerToken"], "active": True, "valid": "valid"}
        states[kind if kind == "management" else f"{kind}s"] += [] if name == without else [state]
    return {"management": {"declarations": states}}


def test_a_device_may_ask_for_the_manifest_first() -> None:
    enrollment = enrolled(os_version="18.2")

    manifest = json.loads(declarative.manifest(channel_of(enrollment)))

    assert fetch(channel_of(enrollment), manifest).keys() == OWN


def test_a_device_that_was_never_told_anything_has_no_declaration() -> None:
    with pytest.raises(DeclarationGone):
        declarative.declaration(channel_of(enrolled()), DeclarationKind.CONFIGURATION, "epmm.status")


def test_an_ended_enrollment_is_told_nothing(phone: Device) -> None:
    put()
    declarations.assign("passcode", [phone], actor="anna")
    retire.end_enrollment(phone.enrollments.get(), reason="test", now=NOW)

    work()

    assert announcements(phone) == []
