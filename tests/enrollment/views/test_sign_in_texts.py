"""The web sign-in: privacy page and terms."""

import pytest
from django.db import IntegrityError

from devices.models import Device
from enrollment.models import Acceptance, AccessToken
from enrollment.services.sign_in import Entered
from tests.enrollment.conftest import Sheet, Switch
from tests.enrollment.views.test_sign_in import ready, text
from users.models import User

pytestmark = pytest.mark.django_db


def test_privacy_comes_first_then_terms_and_each_is_recorded(sheet: Sheet, anna: User, switch: Switch) -> None:
    switch("registration.terms", "Be <b>kind</b>.\n\nAlways.")
    switch("registration.privacy_page", "on")
    ready(sheet)
    first = sheet.sign_in()
    assert "Your Privacy Matters" in text(first)
    assert not AccessToken.objects.exists()

    second = sheet.submit()
    assert "Be &lt;b&gt;kind&lt;/b&gt;." in text(second)
    assert sheet.submit().status_code == 308
    accepted = [
        (row.policy.kind, row.policy.version, row.user, row.address) for row in Acceptance.objects.order_by("pk")
    ]
    assert accepted == [("privacy", 1, anna, "127.0.0.1"), ("terms", 1, anna, "127.0.0.1")]


def test_a_changed_text_is_a_new_version(sheet: Sheet, switch: Switch) -> None:
    for number, words in enumerate(["First.", "Second."], start=1):
        switch("registration.terms", words)
        ready(sheet)
        sheet.sign_in()
        sheet.submit()
        newest = Acceptance.objects.order_by("-pk")[0]
        assert newest.policy.version == number


def test_nothing_is_skipped_by_a_forged_ticket(sheet: Sheet, switch: Switch) -> None:
    switch("registration.terms", "on")
    ready(sheet)
    sheet.sign_in()

    assert sheet.client.post(sheet.action, {"ticket": "forged", "policy": "1"}).status_code == 403
    other = ready(Sheet(sheet.client, identifier="ben@mdm.example.test"))
    other.open_page()
    stolen = other.client.post(other.action, {**sheet.hidden})
    assert stolen.status_code == 403
    assert not AccessToken.objects.exists()


def test_the_accept_button_pressed_twice_at_once_is_one_acceptance(sheet: Sheet, switch: Switch) -> None:
    switch("registration.terms", "on")
    ready(sheet)
    sheet.sign_in()
    sheet.submit()
    first = Acceptance.objects.get()

    with pytest.raises(IntegrityError):
        Acceptance.objects.create(user=first.user, policy=first.policy, attempt=first.attempt)


def test_a_person_deleted_while_reading_the_terms_is_refused(sheet: Sheet, anna: User, switch: Switch) -> None:
    switch("registration.terms", "on")
    ready(sheet)
    sheet.sign_in()
    anna.delete()

    assert sheet.submit().status_code == 403


def test_what_was_typed_is_not_shown_by_a_traceback() -> None:
    assert "secret" not in repr(Entered(name="anna", password="secret", pin="secret"))


def test_accepting_another_text_than_the_one_due_changes_nothing(sheet: Sheet, switch: Switch) -> None:
    switch("registration.terms", "on")
    ready(sheet)
    sheet.sign_in()
    answer = sheet.submit(policy="2000000000")

    assert answer.status_code == 200
    assert not Acceptance.objects.exists()


def test_the_last_step_repeated_after_a_lost_answer_gives_a_good_token(sheet: Sheet, switch: Switch) -> None:
    switch("registration.terms", "on")
    ready(sheet)
    sheet.sign_in()
    action, hidden = sheet.action, sheet.hidden
    assert sheet.submit().status_code == 308
    again = sheet.client.post(action, hidden)

    assert again.status_code == 308
    assert Acceptance.objects.count() == 1
    assert Device.objects.count() == 1
    assert sheet.post(again["Location"].rpartition("=")[2]).status_code == 200
