"""Devices > Add, and Send Message: what waits for its person, and what they are told."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from devices.models import Device
from enrollment.models import Invitation, InvitationTemplate
from epmm import settings_store
from epmm.models import AuditEntry, Job, Mail
from tests import factories, smtp
from tests.portal.conftest import SignedIn
from tests.portal.pages import text
from users.models import User
from users.services import pins

pytestmark = pytest.mark.django_db(transaction=True)
ADD, MANY, MESSAGE = "/admin/devices/add", "/admin/devices/add-many", "/admin/devices/message"


@pytest.fixture
def _mail() -> None:
    for name, value in {"host": "localhost", "from": smtp.SENDER}.items():
        settings_store.change(f"mail.{name}", value, actor="test")


def upload(client: Client, content: str | bytes, **more: str) -> str:
    raw = content.encode() if isinstance(content, str) else content
    answer = client.post(MANY, {"file": SimpleUploadedFile("devices.csv", raw), **more})
    return text(answer) or str(answer.status_code)


def anna(**facts: Any) -> User:
    return factories.user("anna", **{"email": "anna@example.test", "full_name": "Anna Ito", **facts})


def test_a_single_device_waits_and_shows_in_the_list(signed_in: SignedIn) -> None:
    client, person = signed_in(), anna()
    assert ADD in text(client.get("/admin/devices"))
    assert "No mail server is set up" in text(client.get(ADD))
    given = {"user": "ANNA", "platform": "macOS", "owner": "EMPLOYEE", "country": "at", "phone_number": "+43 1 23"}

    assert client.post(ADD, given).status_code == 204

    record = person.devices.get()
    assert (record.status, record.platform, record.owner) == ("VERIFICATION_PENDING", "macOS", "EMPLOYEE")
    page = text(client.get("/admin/devices?columns=display_name,status,country,phone_number"))
    for shown in ("Anna Ito", "Pending", "Austria", "+43 1 23"):
        assert shown in page
    assert Invitation.objects.get().round is None
    assert "Announced" in text(client.get("/admin/invitations"))
    assert AuditEntry.objects.filter(action="device.announced", actor="admin", subject="anna").exists()


def test_its_pin_is_shown_once(signed_in: SignedIn) -> None:
    client, person = signed_in(), anna()

    page = text(client.post(ADD, {"user": "anna", "platform": "iOS", "pin": "on"}))

    digits = page.partition('<code class="secret">')[2].partition("<")[0]
    assert person.devices.get().pin == pins.check(person, digits, "sign-in")
    assert person.devices.get().platform == "iOS"


@pytest.mark.usefixtures("_mail")
def test_the_person_is_told_without_a_pin(signed_in: SignedIn) -> None:
    client, person = signed_in(), anna()
    InvitationTemplate.objects.create(kind="invitation", language="en", subject="x", text="{pin}")

    assert client.post(ADD, {"user": "anna", "owner": "EMPLOYEE", "notify": "on"}).status_code == 204

    invitation = person.invitations.get()
    assert (invitation.owner, invitation.round and invitation.round.has_pin) == ("EMPLOYEE", False)
    assert Job.objects.filter(kind="enrollment.invite").exists()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"user": "nobody"}, "There is no user nobody."),
        ({"user": "gone"}, "This account is disabled."),
        ({"country": "A1"}, "A1” is no country"),
        ({"phone_number": "call me"}, "is no phone number"),
        ({"platform": "Android"}, "Select a valid choice"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_waits(signed_in: SignedIn, changes: dict[str, str], told: str) -> None:
    anna()
    factories.user("gone", is_active=False)

    assert told in text(signed_in().post(ADD, {"user": "anna", **changes}))
    assert not Device.objects.exists()


@pytest.mark.usefixtures("_mail")
def test_many_are_added_by_a_file(signed_in: SignedIn) -> None:
    client, people = signed_in(), [factories.user(f"p{number}", email=f"p{number}@x.test") for number in range(3)]
    heading = "\N{BYTE ORDER MARK}user_id;platform;owner;country;phone_number\n"
    content = f"{heading}p0;ios;employee;AT;PDA\nP1;;;;\n\np2;macOS;;;\n"

    assert upload(client, content, notify="on") == "204"

    records = [user.devices.get() for user in people]
    assert [(each.platform, each.owner, each.phone_number) for each in records] == [
        ("iOS", "EMPLOYEE", ""),
        ("", "COMPANY", ""),
        ("macOS", "COMPANY", ""),
    ]
    assert Invitation.objects.filter(end="", round__isnull=False).count() == 3


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "The first line names the columns"),
        ("name\nanna\n", "The first line names the columns"),
        ("user_id\n", "A file has 1 to 1,000 devices."),
        ("user_id\n" + "anna\n" * 1001, "A file has 1 to 1,000 devices."),
        (b"user_id\n\xff\n", "not in UTF-8"),
        ("user_id\nanna\nANNA\n", "Line 3: anna stands here twice."),
        ("user_id\nnobody\n", "Line 2: There is no enabled user nobody."),
        ("user_id,platform\nanna,Android\n", "Line 2: The platform is one of: iOS, macOS, visionOS."),
        ("user_id,owner\nanna,me\n", "Line 2: The owner is one of: COMPANY, EMPLOYEE."),
        ("user_id\n" + "".join(f"x{number}\n" for number in range(12)), "and 2 more"),
    ],
)
def test_one_line_that_is_wrong_and_nothing_is_added(signed_in: SignedIn, content: str | bytes, told: str) -> None:
    anna()

    assert told in upload(signed_in(), content)
    assert not Device.objects.exists()


def test_a_large_file_is_not_read(signed_in: SignedIn) -> None:
    assert "A file has 1 to 1,000 devices." in upload(signed_in(), "x" * 1_000_001)


@pytest.mark.usefixtures("_mail")
def test_a_message_goes_by_mail(signed_in: SignedIn) -> None:
    client = signed_in()
    device = anna().devices.create(status=Device.Status.ACTIVE)
    silent = factories.user("silent").devices.create(status=Device.Status.ACTIVE)
    chosen = {"row": [str(device.uuid), str(silent.uuid)]}
    assert "This person has no email address." in text(client.post(MESSAGE, chosen))

    wrong = client.post(MESSAGE, {"go": "1", "devices": str(device.uuid), "subject": "a\nb", "message": "x"})
    sent = text(
        client.post(MESSAGE, {"go": "1", "devices": str(device.uuid), "subject": "Hello", "message": "Come by."})
    )

    assert wrong.status_code == 422
    assert "Queued" in sent
    letter = Mail.objects.get()
    assert (letter.kind, letter.recipient) == ("message", "anna@example.test")
    assert b"Come by." in bytes(letter.content or b"")
    entry = AuditEntry.objects.get(action="device.message_sent")
    assert entry.details == {"subject": "Hello"}


def test_without_a_mail_server_no_message_goes(signed_in: SignedIn) -> None:
    device = anna().devices.create(status=Device.Status.ACTIVE)

    assert "No mail server is set up." in text(signed_in().post(MESSAGE, {"row": str(device.uuid)}))
