"""What an invitation says: in whose words, what is put into them, and what is refused."""

import re

import pytest
from django.db import connection
from django.utils.safestring import mark_safe

from devices.models import Device
from enrollment.models import Invitation, InvitationTemplate
from enrollment.services import invitation_texts, invitations
from enrollment.services.invitation_texts import Filled, TextRefused, Written
from epmm import jobs, mail_outbox, settings_store
from epmm.models import AuditEntry, Job, Mail
from tests.enrollment.services.inviting import WITH_PIN, draft, invited, of, text_of, work
from tests.flows.house import HOST
from tests.smtp import Letterbox
from users.services import pins

pytestmark = pytest.mark.django_db(transaction=True)


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
    assert [entry.action for entry in AuditEntry.objects.filter(actor="root").order_by("pk")] == [
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


def test_what_a_person_is_called_is_text_and_nothing_else(box: Letterbox) -> None:
    anna = invited(full_name="{pin} <b>**Anna**</b> [x](https://evil.test) {user_id}")

    invitations.send([anna], draft(Written("For {display_name}", "Hello {display_name}!")), actor="root")
    work()

    html = text_of(box.taken[0], "html")
    assert "{pin} &lt;b&gt;**Anna**&lt;/b&gt; [x](https://evil.test) {user_id}!" in html
    assert 'evil.test"' not in html
    assert box.taken[0]["Subject"] == f"For {anna.full_name}"


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
