from datetime import timedelta

import pytest
from django.utils import timezone

from enrollment import reasons
from enrollment.models import Attempt, Step
from enrollment.services import trace
from tests.devices.search.finding import find
from tests.devices.services.rows import device_of, enrolled
from users.models import User

pytestmark = pytest.mark.django_db
WHO = {"address": "192.0.2.1", "identifier": "anna@mdm.example.test", "family": "iPhone"}


def opened(**changes: str) -> Attempt:
    attempt = trace.open_attempt(**{**WHO, **changes})
    assert attempt is not None
    return attempt


def test_a_refusal_marks_the_attempt_and_a_success_clears_it() -> None:
    attempt = opened()
    trace.step(attempt, Step.CREDENTIALS, result=trace.REFUSED, reason=reasons.WRONG_CREDENTIALS)
    attempt.refresh_from_db()
    assert (attempt.state, attempt.last_code) == (Attempt.State.FAILED, "E-201")
    assert attempt.closed_at == attempt.steps.latest("pk").at
    trace.step(attempt, Step.CREDENTIALS)

    attempt.refresh_from_db()
    assert [attempt.state, attempt.last_code, attempt.closed_at] == [Attempt.State.OPEN, "", None]


def test_a_failed_attempt_ended_with_its_last_refusal() -> None:
    attempt = opened()
    for _ in range(2):
        trace.step(attempt, Step.CREDENTIALS, result=trace.REFUSED, reason=reasons.WRONG_CREDENTIALS)

    Attempt.objects.update(opened_at=timezone.now() - timedelta(hours=2))
    trace.tidy()
    attempt.refresh_from_db()
    assert attempt.closed_at == attempt.steps.latest("pk").at


def test_a_corrected_password_leaves_no_code() -> None:
    attempt = opened()
    trace.step(attempt, Step.CREDENTIALS, result=trace.REFUSED, reason=reasons.WRONG_CREDENTIALS)
    trace.move(attempt, Attempt.State.OPEN)  # as the sign-in does, which then knows the person
    trace.step(attempt, Step.CREDENTIALS)

    attempt.refresh_from_db()
    assert [attempt.state, attempt.last_code, attempt.closed_at] == [Attempt.State.OPEN, "", None]


def test_whoever_asks_for_a_certificate_is_done_with_apples_sign_in() -> None:
    attempt = opened()
    trace.move(attempt, Attempt.State.WAITING_FOR_APPLE)
    trace.step(attempt, Step.CERTIFICATE_REQUEST)

    assert attempt.state == Attempt.State.OPEN


def test_what_an_active_device_is_refused_later_does_not_unmake_its_enrollment() -> None:
    attempt = opened()
    trace.move(attempt, Attempt.State.ACTIVE)
    trace.step(attempt, Step.TOKEN_UPDATE, result=trace.REFUSED, reason=reasons.WRONG_DEVICE)
    trace.step(attempt, Step.CHECK_OUT)

    attempt.refresh_from_db()
    assert (attempt.state, attempt.last_code) == (Attempt.State.ACTIVE, "")
    assert attempt.steps.filter(code="E-502").exists()


def test_the_device_that_was_refused_is_labelled_so(monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)  # it remains today
    refused, other = enrolled(), enrolled(udid="another")
    attempt = opened()
    trace.move(attempt, Attempt.State.OPEN, enrollment=refused)

    trace.step(attempt, Step.AUTHENTICATE, result=trace.REFUSED, reason=reasons.WRONG_DEVICE)

    found = find("ios.enrollment_failed_at = today").rows
    assert found == [device_of(refused)]
    assert device_of(other).enrollment_failed_at is None


def test_what_does_not_fit_after_a_refusal_does_not_hide_why() -> None:
    attempt = opened()
    trace.step(attempt, Step.AUTHENTICATE, result=trace.REFUSED, reason=reasons.ANOTHER_PERSONS_DEVICE)
    trace.step(attempt, Step.TOKEN_UPDATE, result=trace.REFUSED, reason=reasons.MESSAGE_REFUSED)

    attempt.refresh_from_db()
    assert (attempt.state, attempt.last_code) == (Attempt.State.FAILED, "E-309")
    assert attempt.steps.count() == 2


def test_a_second_phone_of_the_same_person_has_a_trace_of_its_own() -> None:
    first = opened()
    trace.step(first, Step.DISCOVERY)
    assert opened() == first  # the answer was lost
    trace.step(first, Step.ENROLLMENT_REQUEST)

    assert opened() != first


def test_noted_changes_no_state() -> None:
    attempt = opened()
    trace.step(attempt, Step.ENROLLMENT_REQUEST, result=trace.NOTED, reason=reasons.UNSIGNED)

    assert attempt.state == Attempt.State.OPEN
    assert attempt.steps.get().code == "E-114"


def test_the_same_device_goes_on_and_another_begins() -> None:
    assert opened() == opened()
    assert opened() != opened(family="Mac")
    assert opened() != opened(address="192.0.2.2")


def test_after_a_while_or_a_failure_a_new_attempt_begins() -> None:
    first = opened()
    Attempt.objects.update(opened_at=timezone.now() - timedelta(minutes=6))
    second = opened()
    assert second != first
    trace.step(second, Step.POLICY, result=trace.REFUSED, reason=reasons.ROLE_MISSING)
    assert opened() not in {first, second}


def test_the_number_of_anonymous_attempts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "ANONYMOUS_AT_MOST", 3)
    for number in range(3):
        opened(address=f"192.0.2.{number}")

    assert trace.open_attempt(**{**WHO, "address": "198.51.100.1"}) is None


def test_the_steps_of_one_attempt_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "STEPS_AT_MOST", 2)
    attempt = opened()
    for _ in range(5):
        trace.step(attempt, Step.DISCOVERY)

    assert attempt.steps.count() == 2


def test_without_an_attempt_nothing_happens() -> None:
    trace.step(None, Step.DISCOVERY)
    trace.move(None, Attempt.State.ACTIVE)

    assert trace.find("") is None
    assert not Attempt.objects.exists()


def test_silent_attempts_are_closed_after_an_hour() -> None:
    silent, failed, fresh = opened(), opened(family="iPad"), opened(family="Mac")
    trace.step(failed, Step.POLICY, result=trace.REFUSED, reason=reasons.ROLE_MISSING)
    Attempt.objects.exclude(pk=fresh.pk).update(opened_at=timezone.now() - timedelta(minutes=61))
    trace.tidy()

    states = dict(Attempt.objects.values_list("pk", "state"))
    assert states == {silent.pk: "abandoned", failed.pk: "failed", fresh.pk: "open"}
    assert Attempt.objects.filter(closed_at=None).get() == fresh


def test_old_attempts_are_forgotten_the_anonymous_first(anna: User) -> None:
    anonymous, known, ancient = opened(), opened(family="iPad"), opened(family="Mac")
    Attempt.objects.filter(pk__in=[known.pk, ancient.pk]).update(user=anna)
    Attempt.objects.update(opened_at=timezone.now() - timedelta(days=20))
    Attempt.objects.filter(pk=ancient.pk).update(opened_at=timezone.now() - timedelta(days=400))
    trace.tidy()

    assert list(Attempt.objects.all()) == [known]
    assert anonymous.pk not in Attempt.objects.values_list("pk", flat=True)


def test_a_surplus_of_anonymous_attempts_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = [opened(address=f"192.0.2.{number}") for number in range(6)]
    monkeypatch.setattr(trace, "ANONYMOUS_AT_MOST", 4)
    trace.tidy()

    assert list(Attempt.objects.order_by("pk")) == attempts[-2:]


@pytest.mark.parametrize(
    ("text", "address"),
    [("192.0.2.1", "192.0.2.1"), ("2001:DB8::1", "2001:db8::1"), ("fe80::1%eth0", "fe80::1"), ("x", None)],
)
def test_only_addresses_are_kept(text: str, address: str | None) -> None:
    assert trace.address_or_none(text) == address
