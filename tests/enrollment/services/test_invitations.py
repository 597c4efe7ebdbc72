"""People are invited by mail, reminded, and left alone once their device is there."""

import re
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from devices.models import Device, Enrollment
from enrollment.models import Invitation
from enrollment.services import invitations
from enrollment.services.invitation_texts import Written
from enrollment.services.invitations import Uninvited
from enrollment.services.registration import Announced
from epmm import jobs, mail_outbox
from epmm.mail import MailRefused
from epmm.models import Job, Mail
from tests.enrollment.services.inviting import WITH_PIN, draft, invited, of, text_of, work
from tests.flows.house import House, opened, person
from tests.smtp import Letterbox
from users.errors import PinWrong
from users.models import RegistrationPin
from users.services import pins

pytestmark = pytest.mark.django_db(transaction=True)


def later(**time: float) -> None:
    """So much time goes by for what waits for its reminder."""
    gone = timedelta(**time)
    for each in Invitation.objects.filter(remind_at__isnull=False):
        Invitation.objects.filter(pk=each.pk).update(remind_at=(each.remind_at or timezone.now()) - gone)
    invitations.remind(timezone.now())
    mail_outbox.drain()


def test_without_a_mail_server_nobody_is_invited() -> None:
    with pytest.raises(MailRefused):
        invitations.send([invited()], draft(), actor="root")
    assert not Invitation.objects.exists()


def test_who_cannot_get_mail_is_named_and_keeps_nothing_from_the_others(box: Letterbox) -> None:
    gone, silent, anna = invited("gone", is_active=False), invited("silent", email=""), invited()
    box.refused["anna@example.test"] = "550 5.1.1 No such person"

    invitations.send([gone, silent, anna, invited("ben")], draft(), actor="root")
    work()

    assert of(gone).problem == "This account is disabled."
    assert of(silent).problem == "This person has no email address."
    assert (of(anna).problem, Mail.objects.get(state=Mail.State.FAILED).answer) == ("", "550 5.1.1 No such person")
    assert [message["To"].addresses[0].addr_spec for message in box.taken] == ["ben@example.test"]
    assert not gone.devices.exists()


def test_whoever_is_invited_again_has_one_invitation_that_stands(box: Letterbox) -> None:
    anna = invited()
    invitations.send([anna], draft(), actor="root")
    jobs.run(invitations.SEND, Job.objects.get(kind=invitations.SEND).arguments)
    first = of(anna)

    invitations.send([anna], draft(Written("Again", "Hello")), actor="root")
    work()

    first.refresh_from_db()
    assert (first.end, first.mail and first.mail.state) == ("replaced", Mail.State.STOPPED)
    assert [message["Subject"] for message in box.taken] == ["Again"]
    assert anna.devices.count() == 1


def test_a_worker_that_was_torn_away_invites_nobody_twice(box: Letterbox) -> None:
    people = [invited(f"p{number}") for number in range(3)]
    made = invitations.send(people, draft(), actor="root")
    invitations._write(of(people[0]).pk, invitations.Kind.INVITATION)

    for _again in range(2):
        invitations.work_off(made.pk)
    assert Mail.objects.count() == 3


def test_reminders_come_after_some_days_and_end(box: Letterbox) -> None:
    anna = invited()
    invitations.send([anna], draft(remind_after_days=3, reminders=2), actor="root")
    work()

    later(days=2)
    assert len(box.taken) == 1
    later(days=1.1)
    assert box.taken[1]["Subject"] == "Reminder: enroll your device with EPMM"
    later(days=3.1)
    later(days=30)

    assert len(box.taken) == 3
    assert (of(anna).reminded, of(anna).remind_at) == (2, None)


def test_a_reminder_brings_a_new_pin(box: Letterbox) -> None:
    anna = invited()
    invitations.send([anna], draft(WITH_PIN, has_pin=True, remind_after_days=1, reminders=1), actor="root")
    work()
    old = re.search(r"[0-9]{6}", text_of(box.taken[0]))

    later(days=1.1)

    new = re.search(r"PIN, type ([0-9]{6})\. It serves once, until [\d-]{10} [\d:]{5} UTC\.", text_of(box.taken[1]))
    assert old is not None
    assert new is not None
    assert pins.check(anna, new[1], "sign-in").revoked_at is None
    if old[0] != new[1]:
        with pytest.raises(PinWrong):
            pins.check(anna, old[0], "sign-in")


def test_nobody_is_reminded_of_what_never_reached_them(box: Letterbox) -> None:
    anna = invited()
    box.refused["anna@example.test"] = "451 Busy"
    invitations.send([anna], draft(remind_after_days=1, reminders=3), actor="root")
    work()

    later(days=1.1)
    assert (of(anna).reminded, of(anna).remind_at is None) == (0, False)
    Mail.objects.update(state=Mail.State.FAILED)
    later(days=1)
    assert (of(anna).reminded, of(anna).remind_at) == (0, None)


def test_a_stopped_invitation_is_not_sent_and_its_pin_serves_no_more(box: Letterbox) -> None:
    anna = invited()
    invitations.send([anna], draft(WITH_PIN, has_pin=True, remind_after_days=1, reminders=1), actor="root")
    jobs.run(invitations.SEND, Job.objects.get(kind=invitations.SEND).arguments)

    assert invitations.stop(of(anna), actor="root")
    mail_outbox.drain()
    later(days=2)

    assert box.taken == []
    assert RegistrationPin.objects.get().revoked_by == "root"
    assert anna.devices.get().status == Device.Status.EXPIRED
    assert not invitations.stop(of(anna), actor="root")


def test_an_invitation_ends_by_itself(box: Letterbox) -> None:
    anna = invited()
    invitations.send([anna], draft(), actor="root")
    work()
    invitations.expire(timezone.now() + timedelta(days=29))
    assert of(anna).end == ""

    invitations.expire(timezone.now() + timedelta(days=31))

    assert of(anna).end == "expired"
    assert anna.devices.get().status == Device.Status.EXPIRED


def test_the_same_is_sent_once_more(box: Letterbox) -> None:
    anna = invited()
    box.refused["anna@example.test"] = "550 No such person"
    invitations.send([anna], draft(), actor="root")
    work()
    box.refused.clear()

    invitations.again(of(anna), actor="root")
    work()

    assert len(box.taken) == 1
    invitations.enrolled(anna)
    with pytest.raises(Uninvited, match="has enrolled"):
        invitations.again(of(anna), actor="root")


def test_the_address_in_a_mail_says_who_opened_it_and_leads_to_the_help(box: Letterbox) -> None:
    anna = invited()
    invitations.send([anna], draft(), actor="root")
    work()

    answer = Client().get(f"/i/{of(anna).token}", secure=True, headers={"host": "localhost"})

    assert answer.status_code == 302
    assert answer["Location"].startswith("/help/enroll?for=")
    first = of(anna).opened_at
    assert first is not None
    Client().get(f"/i/{of(anna).token}", secure=True, headers={"host": "localhost"})
    assert of(anna).opened_at == first
    unknown = Client().get("/i/AAAAAAAAAAAAAAAAAAAAAA", secure=True, headers={"host": "localhost"})
    assert (unknown.status_code, unknown["Location"]) == (302, "/help/enroll")


def test_an_announced_device_waits_with_what_is_known_of_it() -> None:
    anna = invited()
    announced = Announced(platform="macOS", owner="EMPLOYEE", phone_number="+43 1 23", country="AT")

    with transaction.atomic():
        invitations.announce(anna, announced, actor="root")

    record = anna.devices.get()
    assert (record.status, record.platform, record.owner) == ("VERIFICATION_PENDING", "macOS", "EMPLOYEE")
    assert (record.phone_number, record.home_country) == ("+43 1 23", "AT")
    assert invitations.owner_for(anna, "adde") == "EMPLOYEE"
    assert invitations.owner_for(anna, Enrollment.Kind.AAUE) == ""
    with pytest.raises(Uninvited, match="Nothing was sent"):
        invitations.again(of(anna), actor="root")


def test_the_device_that_comes_takes_up_the_record_and_ends_the_invitation(box: Letterbox) -> None:
    with opened() as house:
        anna = person("anna", email="anna@example.test")
        with transaction.atomic():
            invitations.announce(
                anna, Announced(platform="iOS", owner="EMPLOYEE", phone_number="+43 1 23"), actor="root"
            )
        invitations.send([anna], draft(remind_after_days=1, reminders=1), actor="root")
        work()
        waiting = anna.devices.get()

        house.enrolled()
        House.work()

        record = anna.devices.get()
        assert (record.pk, record.status, record.owner) == (waiting.pk, Device.Status.ACTIVE, "EMPLOYEE")
        assert of(anna).end == "enrolled"
        later(days=5)
        assert len(box.taken) == 1


def test_to_many_costs_a_few_statements_each(
    box: Letterbox, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    people = [invited(f"p{number}") for number in range(20)]

    with django_assert_max_num_queries(12):
        made = invitations.send(people, draft(), actor="root")
    with django_assert_max_num_queries(20 * 16 + 4):
        invitations.work_off(made.pk)
