"""Users > Actions > Send Invitation, the page of invitations, and the texts that they begin with."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

import enrollment.tasks  # noqa: F401 - the handlers of its jobs
from enrollment.models import Invitation, InvitationRound, InvitationTemplate
from enrollment.services import invitation_texts, invitations
from epmm import jobs, settings_store
from epmm.models import Job, Mail
from tests import factories, smtp
from tests.portal.conftest import SignedIn
from tests.portal.pages import text
from users.models import AdminRole, User

pytestmark = pytest.mark.django_db(transaction=True)
INVITE, INVITATIONS = "/admin/users/invite", "/admin/invitations"
TEMPLATES = "/admin/settings/invitations"
WORDS = {"language": "en", "subject": "Come in", "text": "Hello {display_name}", "reminders": "2"}


@pytest.fixture(autouse=True)
def _mail() -> Iterator[None]:
    translation.deactivate()
    for name, value in {"host": "localhost", "from": smtp.SENDER}.items():
        settings_store.change(f"mail.{name}", value, actor="test")
    yield
    translation.deactivate()


def people(number: int = 1) -> list[User]:
    return [factories.user(f"p{each}", email=f"p{each}@example.test", full_name=f"P {each}") for each in range(number)]


def send(client: Client, *whom: User, **changes: str) -> Any:
    chosen = ",".join(str(user.pk) for user in whom)
    return client.post(INVITE, WORDS | {"go": "1", "chosen": chosen} | changes)


def work() -> None:
    for job in Job.objects.filter(kind=invitations.SEND):
        jobs.run(job.kind, job.arguments)


def test_people_are_ticked_a_text_is_offered_and_off_it_goes(signed_in: SignedIn) -> None:
    client, whom = signed_in(), people(2)

    asked = text(client.post(INVITE, {"row": [user.pk for user in whom]}))
    assert "Send Invitation: 2 users" in asked
    assert "Enroll your device with {enterprise}" in asked
    assert "Mail is no safe place" in asked
    sent = send(client, *whom, remind_after_days="3")

    assert sent.status_code == 204
    made = InvitationRound.objects.get()
    assert sent["HX-Redirect"] == f"{INVITATIONS}?round={made.pk}"
    assert (made.remind_after_days, made.reminders, made.created_by) == (3, 2, "admin")
    page = text(client.get(sent["HX-Redirect"]))
    assert f"{INVITATIONS}/progress?round={made.pk}" in page  # asked for while something waits
    work()
    Mail.objects.update(state=Mail.State.SENT)
    progress = text(client.get(f"{INVITATIONS}/progress?round={made.pk}"))
    assert "<dt>Sent</dt><dd>2</dd>" in progress
    assert "hx-get" not in progress


def test_another_language_brings_its_text_unless_somebody_has_written_one(signed_in: SignedIn) -> None:
    client, (anna,) = signed_in(), people()
    InvitationTemplate.objects.create(kind="invitation", language="fr", subject="Bonjour", text="Salut {display_name}")
    built_in = invitation_texts.built_in("invitation", "en", has_pin=False)
    load = {"load": "1", "chosen": str(anna.pk), "language": "fr"}

    ours = text(client.post(INVITE, load | {"subject": built_in.subject, "text": built_in.text.replace("\n", "\r\n")}))
    theirs = text(client.post(INVITE, load | {"subject": "Mine", "text": "My own words"}))

    assert "Salut {display_name}" in ours
    assert "My own words" in theirs
    with_pin = {"language": "en", "has_pin": "on", "subject": built_in.subject, "text": built_in.text}
    assert "type **{pin}**" in text(client.post(INVITE, load | with_pin))


def test_each_person_can_be_looked_at_before(signed_in: SignedIn) -> None:
    client = signed_in()
    anna = factories.user("anna", full_name="<i>Anna</i>", email="anna@example.test")
    words = WORDS | {"text": "**Hello** {display_name}: {pin}", "preview_of": str(anna.pk)}

    shown = text(client.post(f"{INVITE}/preview", words))
    assert "<strong>Hello</strong> &lt;i&gt;Anna&lt;/i&gt;: ••••••" in shown
    assert "anna@example.test" in shown
    assert not Mail.objects.exists()
    assert "There is no {nobody}." in text(client.post(f"{INVITE}/preview", words | {"text": "{nobody}"}))
    assert "Come in" in text(client.post(f"{INVITE}/preview", words | {"preview_of": "999999999999", "language": "xx"}))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"text": "{nobody}"}, "There is no {nobody}."),
        ({"has_pin": "on"}, "does not say {pin}"),
        ({"subject": ""}, "This field is required."),
        ({"language": "xx"}, "Select a valid choice."),
        ({"reminders": "9"}, "less than or equal to 5"),
    ],
)
def test_what_is_wrong_is_said_and_nobody_is_invited(signed_in: SignedIn, changes: dict[str, str], told: str) -> None:
    answer = send(signed_in(), *people(), **changes)

    assert answer.status_code == 422
    assert told in text(answer)
    assert not Invitation.objects.exists()


def test_without_a_mail_server_the_dialog_says_where_to_enter_one(signed_in: SignedIn) -> None:
    settings_store.change("mail.host", "", actor="test")

    answer = signed_in().post(INVITE, {"row": [people()[0].pk]})

    assert "No mail server is set up." in text(answer)


def test_who_has_no_address_is_named_before(signed_in: SignedIn) -> None:
    silent = factories.user("silent", full_name="Silent Bob")

    page = text(signed_in().post(INVITE, {"row": [silent.pk, people()[0].pk]}))

    assert re.search(r"Without an email address.*Silent Bob", page)


def test_the_page_says_how_far_each_has_come(signed_in: SignedIn) -> None:
    client, whom = signed_in(), people(5)
    send(client, *whom)
    work()
    states = [("sent", ""), ("failed", "550 No such person"), ("queued", "451 Busy"), ("sent", ""), ("sent", "")]
    at = datetime(2031, 1, 2, tzinfo=UTC)
    for user, (state, answer) in zip(whom, states, strict=True):
        Mail.objects.filter(recipient=user.email).update(state=state, answer=answer, done_at=at)
    invitations.opened(whom[3].invitations.get().token, whom[3].created_at)
    invitations.enrolled(whom[4])

    page = text(client.get(INVITATIONS))
    for shown in ("Sent", "Failed: 550 No such person", "Queued: 451 Busy", "Opened", "Enrolled"):
        assert f">{shown}</span>" in page
    assert page.count("2031-01-02 00:00") == 3, "no mail was sent that failed or is on the way"
    for state, user in (("failed", whom[1]), ("unsent", whom[2]), ("opened", whom[3]), ("enrolled", whom[4])):
        found = re.findall(r">(P \d)</a>", text(client.get(f"{INVITATIONS}?state={state}")))
        assert found == [user.display_name]
    assert "p1@example.test" in b"".join(client.get(f"{INVITATIONS}?format=csv")).decode()


def test_some_are_sent_again_and_some_stopped(signed_in: SignedIn) -> None:
    client, whom = signed_in(), people(2)
    send(client, *whom)
    first, second = (user.invitations.get() for user in whom)
    invitations.enrolled(whom[1])

    assert "P 0" in text(client.post(f"{INVITATIONS}/again", {"row": [first.pk]}))
    done = text(client.post(f"{INVITATIONS}/again", {"go": "1", "chosen": f"{first.pk},{second.pk}"}))
    assert "Left as they were: 1" in done
    assert "This person has enrolled a device." in done
    first.refresh_from_db()
    assert first.end == "replaced"
    again = whom[0].invitations.latest("pk")
    client.post(f"{INVITATIONS}/stop", {"go": "1", "chosen": str(again.pk)})
    again.refresh_from_db()
    assert again.end == "stopped"
    assert "ended already" in text(client.post(f"{INVITATIONS}/stop", {"go": "1", "chosen": str(again.pk)}))
    assert "Nobody is selected" in text(client.post(f"{INVITATIONS}/stop"))


@pytest.mark.parametrize("number", [3, 60])
def test_the_page_costs_the_same_however_many_there_are(
    signed_in: SignedIn, django_assert_max_num_queries: Any, number: int
) -> None:
    client = signed_in()
    made = InvitationRound.objects.create(language="en", subject="x", text="x", created_by="admin")
    for user in people(number):
        Invitation.objects.create(user=user, round=made, token=user.user_id, expires_at=user.created_at)

    with django_assert_max_num_queries(12):
        page = client.get(f"{INVITATIONS}?round={made.pk}")
    assert len(page.content) < 60_000


def test_texts_of_ones_own_are_kept_by_language(signed_in: SignedIn) -> None:
    client = signed_in()
    new = {"go": "1", "kind": "invitation", "language": "fr", "subject": "Bonjour", "text": "Salut {display_name}"}
    assert "Hello {display_name}" in text(client.get(f"{TEMPLATES}/edit"))

    assert client.post(f"{TEMPLATES}/edit", new).status_code == 204
    row = InvitationTemplate.objects.get()
    assert invitation_texts.template("invitation", "fr").text == "Salut {display_name}"
    assert "There is a text for fr already." in text(client.post(f"{TEMPLATES}/edit", new))
    assert "There is no {x}." in text(client.post(f"{TEMPLATES}/edit", new | {"language": "it", "text": "{x}"}))
    assert "Français" in text(client.get(TEMPLATES)).replace("français", "Français")
    changed = new | {"number": str(row.pk), "subject": "Re"}
    assert client.post(f"{TEMPLATES}/edit", changed).status_code == 204
    assert InvitationTemplate.objects.get().subject == "Re"
    client.post(f"{TEMPLATES}/delete", {"number": str(row.pk)})
    assert not InvitationTemplate.objects.exists()


def test_who_may_only_look_invites_nobody(signed_in: SignedIn) -> None:
    client = signed_in(roles=[AdminRole.USER_VIEW])

    assert client.get(INVITATIONS).status_code == 200
    assert send(client, *people()).status_code == 403
    assert client.post(f"{INVITATIONS}/again", {"go": "1"}).status_code == 403
