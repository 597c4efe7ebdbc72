"""A message on its way to a real mail server: taken, refused, put off; and what stays of it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from epmm import dev_tls, mail, mail_options, mail_outbox, mail_transport, settings_store
from epmm.mail import Letter, MailRefused, Picture
from epmm.models import AuditEntry, Mail, SettingRow
from tests import smtp
from tests.ports import free_port
from tests.smtp import Letterbox, Slow

pytestmark = pytest.mark.django_db(transaction=True)
BOTH = "anna@example.test", "ben@example.test"


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Letterbox]:
    with smtp.open_server(tmp_path) as box:
        smtp.use(box)
        yield box


def letter(recipient: str = BOTH[0], **changes: Any) -> Letter:
    return Letter(**{"recipient": recipient, "subject": "Grüße", "text": "Deine PIN: 482916\n.\nEnde\n", **changes})


def post(recipient: str = BOTH[0], **changes: str) -> Mail:
    return mail.post(letter(recipient, **changes), kind="test")


def in_the_database() -> str:
    """All that stands of mail there, as it lies there."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM epmm_mail")
        return " ".join(str(bytes(cell) if isinstance(cell, memoryview) else cell) for cell in cursor.fetchone())


def again(row: Mail) -> Mail:
    """As if the time had come that it was put off to."""
    Mail.objects.filter(pk=row.pk, state=Mail.State.QUEUED).update(next_at=timezone.now())
    mail_outbox.drain()
    row.refresh_from_db()
    return row


def test_a_letter_arrives_whole_and_nothing_of_it_stays(box: Letterbox) -> None:
    picture = Picture(name="code", kind="svg+xml", content=b"<svg/>")
    row = mail.post(
        Letter(
            recipient="anna@bücher.example",
            recipient_name='Anna "A" Ito',
            subject="Grüße",
            text="Deine PIN: 482916\n.\nEnde\n",
            html='<p>Grüße <img src="cid:code" alt=""></p>',
            pictures=[picture],
            language="de",
        ),
        kind="test",
    )
    assert "482916" not in in_the_database()
    assert mail_outbox.is_waiting()

    mail_outbox.drain()

    (message,) = box.taken
    assert box.envelopes == [(smtp.SENDER, "anna@xn--bcher-kva.example")]
    assert message["Subject"] == "Grüße"
    assert message["From"].addresses[0].display_name == "EPMM"
    assert message["To"].addresses[0].display_name == 'Anna "A" Ito'
    assert message["Message-ID"] == row.message_id
    assert message["Auto-Submitted"] == "auto-generated"
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().split() == ["Deine", "PIN:", "482916", ".", "Ende"]
    (code,) = [part for part in message.walk() if part.get_content_type() == "image/svg+xml"]
    assert code["Content-ID"] == "<code>"
    assert code.get_content() == b"<svg/>"
    row.refresh_from_db()
    assert (row.state, row.content, row.attempts) == (Mail.State.SENT, None, 1)
    assert not mail_outbox.is_waiting()


def test_mail_belongs_to_the_transaction_that_made_it_necessary(box: Letterbox) -> None:
    with transaction.atomic():
        post()
        transaction.set_rollback(True)

    mail_outbox.drain()
    assert box.taken == []


def test_a_recipient_who_is_refused_for_ever_keeps_nothing_from_the_next(box: Letterbox) -> None:
    box.refused[BOTH[0]] = "550 5.1.1 No such\tperson here"
    refused, taken = post(), post(BOTH[1])

    mail_outbox.drain()

    refused.refresh_from_db()
    taken.refresh_from_db()
    assert (refused.state, refused.answer) == (Mail.State.FAILED, "550 5.1.1 No such person here")
    assert refused.content is None
    assert taken.state == Mail.State.SENT


@pytest.mark.parametrize("where", ["recipient", "data"])
def test_what_is_refused_for_now_is_tried_again_later_with_the_same_name(box: Letterbox, where: str) -> None:
    row = post()
    if where == "recipient":
        box.refused[BOTH[0]] = "451 4.2.1 Mailbox busy"
    else:
        box.after_data.append("451 4.2.1 Mailbox busy")

    mail_outbox.drain()

    row.refresh_from_db()
    assert (row.state, row.answer, row.attempts) == (Mail.State.QUEUED, "451 4.2.1 Mailbox busy", 1)
    assert timedelta(seconds=50) < row.next_at - timezone.now() <= timedelta(minutes=1)
    box.refused.clear()
    assert again(row).state == Mail.State.SENT
    assert [message["Message-ID"] for message in box.taken] == [row.message_id]


def test_the_wait_doubles_up_to_an_hour_and_ends_after_four_days(box: Letterbox) -> None:
    assert [mail_outbox.delay(attempts) for attempts in (1, 2, 3, 7, 99)] == [
        timedelta(minutes=minutes) for minutes in (1, 2, 4, 60, 60)
    ]
    box.refused[BOTH[0]] = "451 4.2.1 Mailbox busy"
    row = post()
    Mail.objects.update(created_at=timezone.now() - timedelta(days=4))

    assert again(row).state == Mail.State.FAILED
    assert (row.content, row.answer) == (None, "451 4.2.1 Mailbox busy")


def test_while_the_server_is_down_all_wait_and_then_all_go(tmp_path: Path) -> None:
    down = Letterbox(port=free_port())
    smtp.use(down)
    rows = [post(f"p{number}@example.test") for number in range(mail_outbox.AT_ONCE + 5)]

    mail_outbox.drain()

    assert not mail_outbox.is_waiting()
    assert set(Mail.objects.values_list("state", flat=True)) == {Mail.State.QUEUED}
    assert "refused" in Mail.objects.latest("pk").answer.lower()
    with smtp.open_server(tmp_path) as box:
        smtp.use(box)
        Mail.objects.update(next_at=timezone.now())
        mail_outbox.drain()
        assert len(box.taken) == len(rows)
    assert Mail.objects.filter(state=Mail.State.SENT).count() == len(rows)


def test_a_server_that_hangs_up_gets_the_others_later(box: Letterbox) -> None:
    first, second = post(), post(BOTH[1])
    box.after_data.append("421 4.7.0 Too much for today")

    mail_outbox.drain()

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.answer, first.attempts) == ("421 4.7.0 Too much for today", 1)
    assert (second.attempts, second.next_at <= timezone.now()) == (0, True)
    mail_outbox.drain()
    second.refresh_from_db()
    assert second.state == Mail.State.SENT


def test_what_a_killed_worker_had_in_its_hands_is_sent_later(box: Letterbox) -> None:
    row = post()
    assert [taken.pk for taken in mail_outbox._take()] == [row.pk]
    assert not mail_outbox.is_waiting()

    Mail.objects.update(next_at=timezone.now())  # ten minutes later

    assert again(row).state == Mail.State.SENT


def test_stopped_mail_is_not_sent_and_keeps_nothing(box: Letterbox) -> None:
    row = post()

    assert mail.stop(row)
    mail_outbox.drain()

    row.refresh_from_db()
    assert (box.taken, row.state, row.content) == ([], Mail.State.STOPPED, None)
    assert not mail.stop(row)


def test_over_starttls_with_a_sign_in(tmp_path: Path) -> None:
    with smtp.open_server(tmp_path, security="starttls", asks=True) as box:
        smtp.use(box, security="starttls", user=smtp.USER, password=smtp.PASSWORD, authorities=box.authority)
        row = post()

        assert again(row).state == Mail.State.SENT
        assert (box.signed_in, box.was_encrypted) == ([smtp.USER], [True])


def test_over_tls_from_the_start(tmp_path: Path) -> None:
    with smtp.open_server(tmp_path, security="tls") as box:
        smtp.use(box, security="tls", authorities=box.authority)

        assert again(post()).state == Mail.State.SENT


@pytest.mark.parametrize(
    ("serves", "changes", "told"),
    [
        ("none", {}, "STARTTLS extension not supported"),
        ("starttls", {"authorities": ""}, "certificate verify failed"),
        ("starttls", {"host": "127.0.0.1"}, "IP address mismatch"),
        ("starttls", {"user": smtp.USER, "password": "wrong"}, "535"),
    ],
    ids=["not offered", "unknown authority", "another name", "wrong password"],
)
def test_a_server_that_is_not_as_the_settings_say_gets_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serves: str, changes: dict[str, str], told: str
) -> None:
    if "host" in changes:
        monkeypatch.setattr(dev_tls, "LOCAL_NAMES", ())
    with smtp.open_server(tmp_path, security=serves, asks="user" in changes) as box:
        smtp.use(box, **{"security": "starttls", "authorities": box.authority, **changes})
        row = again(post())

    assert (row.state, box.taken) == (Mail.State.QUEUED, [])
    assert told in row.answer
    assert "wrong" not in row.answer


def test_a_server_that_wants_a_sign_in_first_is_a_matter_of_the_settings(tmp_path: Path) -> None:
    with smtp.open_server(tmp_path, security="starttls", asks=True) as box:
        smtp.use(box, security="starttls", authorities=box.authority)

        row = again(post())
    assert (row.state, row.answer[:3]) == (Mail.State.QUEUED, "530")


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "Hello\nBcc: eve@example.test"},
        {"subject": "Hello\r\nBcc: eve@example.test"},
        {"subject": "Hello\u2028Bcc: eve@example.test"},
        {"subject": "  "},
        {"subject": "x" * 201},
        {"recipient": "anna@example.test\nBcc: eve@example.test"},
        {"recipient": "anna@example.test, eve@example.test"},
        {"recipient": "änna@example.test"},
        {"recipient": f"anna@{'ü' * 70}.example"},
        {"recipient": "nobody"},
    ],
)
def test_what_would_be_another_header_or_recipient_is_refused(box: Letterbox, changes: dict[str, str]) -> None:
    with pytest.raises(MailRefused):
        post(**{"recipient": BOTH[0], **changes})

    assert not Mail.objects.exists()


def test_a_name_with_line_breaks_is_left_out(box: Letterbox) -> None:
    message = mail.compose(letter(recipient_name="Anna\nBcc: eve@example.test"))

    assert str(message["To"]) == BOTH[0]
    assert message["Bcc"] is None


def test_without_a_server_nothing_is_queued() -> None:
    with pytest.raises(MailRefused, match="No mail server is set up"):
        post()


def test_old_mail_is_forgotten(box: Letterbox) -> None:
    again(post())
    waiting = post()

    mail_outbox.forget(timezone.now() + timedelta(days=91))

    assert list(Mail.objects.all()) == [waiting]


def test_the_password_is_sealed_shown_to_nobody_and_in_no_audit_entry() -> None:
    settings_store.change("mail.password", smtp.PASSWORD, actor="root")

    assert settings_store.reveal(mail_options.PASSWORD) == smtp.PASSWORD
    assert settings_store.shown(mail_options.PASSWORD) == settings_store.read(mail_options.PASSWORD) == "set"
    assert AuditEntry.objects.get().details == {"from": "", "to": "set"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT value, sealed FROM epmm_settingrow WHERE name = 'mail.password'")
        assert "hunter2" not in str(
            [bytes(cell) if isinstance(cell, memoryview) else cell for cell in cursor.fetchone()]
        )

    settings_store.change("mail.password", "", actor="root")
    assert settings_store.reveal(mail_options.PASSWORD) == ""
    assert SettingRow.objects.get().sealed is None


def test_what_one_worker_has_taken_no_other_sends(box: Letterbox) -> None:
    rows = [post(f"p{number}@example.test") for number in range(5)]
    first = mail_outbox._take()

    mail_outbox.drain()

    assert (len(first), box.taken) == (len(rows), [])


def test_what_took_too_long_to_come_to_is_sent_by_whoever_has_it_now_and_by_nobody_else(
    box: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [post(f"p{number}@example.test") for number in range(5)]
    hand_over = mail_transport.hand_over

    def slowly(*given: Any) -> mail_transport.Verdict:
        monkeypatch.setattr(mail_outbox, "hand_over", hand_over)
        Mail.objects.filter(pk__in=[row.pk for row in rows[1:]]).update(next_at=timezone.now())
        mail.stop(rows[1])
        mail_outbox.drain()  # the other worker
        return hand_over(*given)

    monkeypatch.setattr(mail_outbox, "hand_over", slowly)
    mail_outbox.drain()

    assert sorted(recipient for _sender, recipient in box.envelopes) == [
        f"p{number}@example.test" for number in (0, 2, 3, 4)
    ]


def test_each_message_is_taken_anew_before_it_is_handed_over(box: Letterbox) -> None:
    first, second = post(), post(BOTH[1])
    taken = mail_outbox._take()
    Mail.objects.update(next_at=(near := timezone.now() + timedelta(seconds=1)))
    for mail_ in taken:
        mail_.next_at = near

    assert mail_outbox._is_still_ours(taken[0])
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.next_at - near > 2 * timedelta(seconds=mail_transport.LONGEST_SECONDS - 1)
    assert second.next_at == near


def test_a_server_that_says_a_letter_now_and_then_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_transport, "LONGEST_SECONDS", 0.3)
    with Slow() as server:
        smtp.use(Letterbox(port=server.port), host="127.0.0.1")
        row = post()

        mail_outbox.drain()

    row.refresh_from_db()
    assert (row.state, row.attempts) == (Mail.State.QUEUED, 1)
    assert server.letters < server.ENOUGH
