"""People are invited by mail, reminded, and left alone once their device is there."""

import re
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone, translation
from django.utils.safestring import mark_safe
from pytest_django import DjangoAssertNumQueries

import enrollment.tasks  # noqa: F401 - the handlers of its jobs
from devices.models import Device, Enrollment
from enrollment.models import Invitation, InvitationTemplate
from enrollment.services import invitation_texts, invitations, registration
from enrollment.services.invitation_texts import Filled, TextRefused, Written
from enrollment.services.invitations import Draft, Uninvited
from enrollment.services.registration import Announced
from epmm import jobs, mail_outbox, settings_store
from epmm.mail import MailRefused
from epmm.models import AuditEntry, Job, Mail
from tests import factories, smtp
from tests.flows.house import HOST, House, opened, person
from tests.smtp import Letterbox
from users.errors import PinWrong
from users.models import RegistrationPin, User
from users.services import pins

pytestmark = pytest.mark.django_db(transaction=True)
WITH_PIN = Written("Welcome", "Hello {display_name}, your PIN is **{pin}**.")


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    settings_store.clear_cache()
    with translation.override("en"):
        yield
    settings_store.clear_cache()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Letterbox]:
    with smtp.open_server(tmp_path) as box:
        smtp.use(box)
        yield box


def invited(name: str = "anna", **facts: Any) -> User:
    account = {"managed_apple_account": f"{name}@{HOST}"}
    return factories.user(name, **{"email": f"{name}@example.test", "full_name": name.title(), **account, **facts})


def draft(written: Written | None = None, **changes: Any) -> Draft:
    return Draft(language="en", written=written or invitation_texts.template("invitation", "en"), **changes)


def work() -> None:
    """What the worker does: invite, then hand over."""
    for job in Job.objects.filter(kind=invitations.SEND, done_at=None):
        jobs.run(job.kind, job.arguments)
        Job.objects.filter(pk=job.pk).update(done_at=timezone.now())
    mail_outbox.drain()


def text_of(message: EmailMessage, kind: str = "plain") -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def of(user: User) -> Invitation:
    return user.invitations.latest("pk")


def later(**time: float) -> None:
    """So much time goes by for what waits for its reminder."""
    gone = timedelta(**time)
    for each in Invitation.objects.filter(remind_at__isnull=False):
        Invitation.objects.filter(pk=each.pk).update(remind_at=(each.remind_at or timezone.now()) - gone)
    invitations.remind(timezone.now())
    mail_outbox.drain()


def test_an_invitation_says_what_to_type_and_leads_to_the_help(box: Letterbox) -> None:
    anna = invited()

    invitations.send([anna], draft(), actor="root")
    work()

    (message,) = box.taken
    assert message["Subject"] == "Enroll your device with EPMM"
    assert message["Content-Language"] == "en"
    address = f"https://mdm.example.test:8443/i/{of(anna).token}"
    for kind in ("plain", "html"):
        text = text_of(message, kind)
        assert f"anna@{HOST}" in text
        assert address in text
        assert "restart the device" in text
        assert "PIN" not in text
        assert "{" not in text.replace("body {", "").replace("img {", "").replace("h2 {", "").replace("h3 {", "")
    (code,) = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert code["Content-ID"] == "<code>"
    assert code.get_content().startswith(b"\x89PNG")
    settings_store.change("registration.qr_code", "off", actor="test")
    again = invitation_texts.letter(anna, Filled("Hello", "Hello", mark_safe("<p>Hello</p>")), address, "en")
    assert (again.pictures, "<img" in again.html) == ([], False)
    record = anna.devices.get()
    assert (record.status, record.pin) == (Device.Status.VERIFICATION_PENDING, None)
    assert of(anna).device == record
    assert [entry.action for entry in AuditEntry.objects.filter(actor="root")] == [
        "invitation.round",
        "invitation.sent",
    ]


def test_a_pin_goes_by_mail_where_that_was_chosen_and_rests_nowhere(box: Letterbox) -> None:
    anna = invited()

    invitations.send([anna], draft(WITH_PIN, has_pin=True), actor="root")
    for job in Job.objects.filter(kind=invitations.SEND):
        jobs.run(job.kind, job.arguments)
    waiting = everything()
    mail_outbox.drain()

    found = re.search(r"PIN is ([0-9]{6})\.", text_of(box.taken[0]))
    assert found is not None
    assert found[1] not in waiting + everything()
    pin = pins.check(anna, found[1], "sign-in")
    assert anna.devices.get().pin == pin
    assert Mail.objects.get().content is None


def everything() -> str:
    """All that the database holds, as it lies there."""
    rows = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            rows += [bytes(cell) if isinstance(cell, memoryview) else cell for row in cursor.fetchall() for cell in row]
    return " ".join(str(cell) for cell in rows if not isinstance(cell, int | float))


@pytest.mark.parametrize(
    ("written", "has_pin", "told"),
    [
        (WITH_PIN, False, "choose to send PINs by mail"),
        (Written("Hello", "Nothing to type."), True, "does not say {pin}"),
        (Written("Your PIN is {pin}", "Hello {pin}"), True, "no PIN belongs there"),
        (Written("Hello", "Dear {name}"), False, "There is no {name}. These are replaced: {display_name}"),
        (Written("Hello\nBcc: eve@example.test", "x"), False, "line breaks"),
        (Written("", "x"), False, "1 to 200 characters"),
        (Written("Hello", ""), False, "1 to 10,000 characters"),
        (Written("Hello", "[x](javascript:alert)"), False, "A link begins with"),
    ],
)
def test_a_text_that_cannot_be_right_invites_nobody(box: Letterbox, written: Written, has_pin: bool, told: str) -> None:  # noqa: FBT001
    with pytest.raises(TextRefused, match=re.escape(told)):
        invitations.send([invited()], draft(written, has_pin=has_pin), actor="root")

    assert not Invitation.objects.exists()
    assert not Job.objects.filter(kind=invitations.SEND).exists()


def test_without_a_mail_server_nobody_is_invited() -> None:
    with pytest.raises(MailRefused):
        invitations.send([invited()], draft(), actor="root")
    assert not Invitation.objects.exists()


def test_what_a_person_is_called_is_text_and_nothing_else(box: Letterbox) -> None:
    anna = invited(full_name="{pin} <b>**Anna**</b> [x](https://evil.test) {user_id}")

    invitations.send([anna], draft(Written("For {display_name}", "Hello {display_name}!")), actor="root")
    work()

    html = text_of(box.taken[0], "html")
    assert "{pin} &lt;b&gt;**Anna**&lt;/b&gt; [x](https://evil.test) {user_id}!" in html
    assert 'evil.test"' not in html
    assert box.taken[0]["Subject"] == f"For {anna.full_name}"


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

    new = re.search(r"PIN, type ([0-9]{6})", text_of(box.taken[1]))
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


def test_templates_of_a_language_are_used_and_built_in_ones_else(box: Letterbox) -> None:
    InvitationTemplate.objects.create(kind="invitation", language="fr", subject="Bonjour", text="{display_name}")

    assert invitation_texts.template("invitation", "fr").subject == "Bonjour"
    assert "Hallo {display_name}" in invitation_texts.template("invitation", "de").text
    assert "{pin}" in invitation_texts.template("reminder", "en", has_pin=True).text
    for language in ("en", "de"):
        for kind in InvitationTemplate.Kind:
            for has_pin in (False, True):
                built_in = invitation_texts.built_in(kind, language, has_pin=has_pin)
                assert invitation_texts.checked(built_in) == built_in


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


def test_one_record_waits_for_one_device() -> None:
    anna = invited()
    registration.await_device(anna, announced=Announced(platform="macOS"))

    assert registration.take_up(anna, "iOS") is None
    taken = registration.take_up(anna, "macOS")
    assert taken is not None
    assert registration.take_up(anna, "macOS") is None


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
