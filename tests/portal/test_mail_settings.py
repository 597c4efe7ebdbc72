"""Settings > General > Outgoing mail."""

from pathlib import Path

import pytest

from epmm import mail, mail_options, settings_store
from epmm.mail import Letter
from epmm.models import AuditEntry, Mail
from tests import smtp
from tests.portal.conftest import SignedIn
from tests.portal.pages import filled, text

pytestmark = pytest.mark.django_db(transaction=True)
MAIL = "/admin/settings/mail"


def test_a_server_is_entered_and_its_password_is_never_shown(signed_in: SignedIn) -> None:
    client = signed_in()
    assert "nothing is sent" in text(client.get(MAIL))
    entered = {"mail.host": "mail.example.test", "mail.user": "epmm", "mail.password": "hunter2 hunter2"}

    answer = client.post(MAIL, filled(client, MAIL, **entered, **{"mail.from": smtp.SENDER}))

    assert answer.status_code == 302, text(answer)
    assert settings_store.reveal(mail_options.PASSWORD) == "hunter2 hunter2"
    page = text(client.get(MAIL))
    assert "hunter2" not in page
    assert "One is stored. An empty field keeps it." in page
    assert "hunter2" not in str(list(AuditEntry.objects.values_list("details")))
    client.post(MAIL, filled(client, MAIL, **{"mail.from": "other@mail.example.test"}))
    assert settings_store.reveal(mail_options.PASSWORD) == "hunter2 hunter2"


@pytest.mark.parametrize("moved", [{"mail.host": "elsewhere.test"}, {"mail.security": "none"}, {"mail.port": "25"}])
def test_a_stored_password_is_not_handed_to_another_server(signed_in: SignedIn, moved: dict[str, str]) -> None:
    client = signed_in()
    for name, value in {"host": "mail.example.test", "password": "hunter2"}.items():
        settings_store.change(f"mail.{name}", value, actor="test")

    refused = client.post(MAIL, filled(client, MAIL, **moved))
    assert "Enter the password again" in text(refused)
    assert settings_store.read(mail_options.HOST) == "mail.example.test"
    assert client.post(MAIL, filled(client, MAIL, **moved, **{"mail.password": "hunter3"})).status_code == 302
    assert settings_store.reveal(mail_options.PASSWORD) == "hunter3"


@pytest.mark.parametrize(
    ("name", "value"),
    [("mail.host", "mail server"), ("mail.from", "nobody"), ("mail.port", "0"), ("mail.authorities", "nothing")],
)
def test_what_cannot_be_right_is_said(signed_in: SignedIn, name: str, value: str) -> None:
    client = signed_in()

    assert "This value is not possible." in text(client.post(MAIL, filled(client, MAIL, **{name: value})))


def test_a_test_mail_tells_what_the_server_said(signed_in: SignedIn, tmp_path: Path) -> None:
    client = signed_in()
    with smtp.open_server(tmp_path) as box:
        smtp.use(box)
        assert 'id="dialog-title"' in text(client.post(f"{MAIL}/test"))
        sent = text(client.post(f"{MAIL}/test", {"go": "1", "recipient": "anna@example.test"}))
        assert "The mail server has taken it." in sent
        assert box.taken[0]["Subject"] == "Test mail of EPMM"
        box.refused["ben@example.test"] = "550 5.1.1 No such person"
        refused = text(client.post(f"{MAIL}/test", {"go": "1", "recipient": "ben@example.test"}))
        assert "550 5.1.1 No such person" in refused
    down = text(client.post(f"{MAIL}/test", {"go": "1", "recipient": "anna@example.test"}))
    assert "It was not taken:" in down
    tested = AuditEntry.objects.filter(action="mail.tested").order_by("pk").values_list("subject", "status")
    assert list(tested) == [
        ("anna@example.test", "Success"),
        ("ben@example.test", "Failed"),
        ("anna@example.test", "Failed"),
    ]


@pytest.mark.parametrize("recipient", ["", "nobody", "a@example.test\nBcc: b@example.test"])
def test_a_test_mail_to_nobody_is_refused(signed_in: SignedIn, recipient: str) -> None:
    client = signed_in()
    for name, value in {"host": "localhost", "from": smtp.SENDER}.items():
        settings_store.change(f"mail.{name}", value, actor="test")

    assert client.post(f"{MAIL}/test", {"go": "1", "recipient": recipient}).status_code == 422


def test_the_page_says_what_waits_and_why(signed_in: SignedIn) -> None:
    for name, value in {"host": "localhost", "from": smtp.SENDER}.items():
        settings_store.change(f"mail.{name}", value, actor="test")
    mail.post(Letter(recipient="anna@example.test", subject="Hello", text="secret words"), kind="test")
    Mail.objects.update(answer="451 Come back later")

    page = text(signed_in().get(MAIL))

    assert "451 Come back later" in page
    assert "<dt>Queued</dt><dd>1</dd>" in page
    assert "secret words" not in page
