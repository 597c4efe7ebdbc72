from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from devices.models import Device, Enrollment
from devices.services import declarative
from devices.services.retire import end_enrollment
from enrollment import tasks
from enrollment.models import AccessToken, Attempt
from enrollment.services import cleanup, tokens, trace
from epmm import jobs
from tests.enrollment.phone import Phone, new_phone
from users.models import User

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(hours=25)


def waiting_record(user: User, **changes: object) -> Device:
    return Device.objects.create(
        user=user, status=Device.Status.IENROLL_VERIFIED, registered_at=timezone.now() - LONG_AGO, **changes
    )


def test_a_sign_in_that_led_nowhere_leaves_no_record(anna: User) -> None:
    waiting_record(anna)
    cleanup.abandon_unfinished()

    assert not Device.objects.exists()


def test_a_record_with_a_past_goes_back_to_it(anna: User) -> None:
    device = waiting_record(anna, retired_at=timezone.now())
    cleanup.abandon_unfinished()

    device.refresh_from_db()
    assert device.status == Device.Status.RETIRED


def test_a_fresh_sign_in_stays(anna: User) -> None:
    Device.objects.create(user=anna, status=Device.Status.IENROLL_VERIFIED, registered_at=timezone.now())
    cleanup.abandon_unfinished()

    assert Device.objects.exists()


def test_an_enrollment_that_never_became_active_ends(phone: Phone) -> None:
    Enrollment.objects.update(created_at=timezone.now() - LONG_AGO)
    cleanup.abandon_unfinished()

    assert (phone.reload().state, phone.reload().end_reason) == (Enrollment.State.ENDED, "not finished")


def test_an_old_record_whose_device_is_enrolling_again_stays_as_it_is(phone: Phone, anna: User) -> None:
    phone.enroll()
    phone.send("checkout-adde")
    Device.objects.update(registered_at=timezone.now() - LONG_AGO)
    new_phone(anna, number=60).send("authenticate-adde-ios")
    cleanup.abandon_unfinished()

    assert Device.objects.get().status == Device.Status.IENROLL_COMPLETE


def test_a_profile_that_no_device_used_leaves_no_record(phone: Phone, anna: User) -> None:
    Enrollment.objects.update(created_at=timezone.now() - LONG_AGO, device=waiting_record(anna, enrollment_type="adde"))
    cleanup.abandon_unfinished()

    assert phone.reload().state == Enrollment.State.ENDED
    assert not Device.objects.exists()


def test_a_device_that_comes_while_we_tidy_stays(phone: Phone, anna: User, monkeypatch: pytest.MonkeyPatch) -> None:
    late = new_phone(anna, key="LATE", number=52)
    Enrollment.objects.update(created_at=timezone.now() - LONG_AGO)

    def meanwhile(enrollment: Enrollment, **how: Any) -> None:
        Enrollment.objects.exclude(pk=enrollment.pk).update(state=Enrollment.State.ACTIVE)
        end_enrollment(enrollment, **how)

    monkeypatch.setattr(cleanup, "end_enrollment", meanwhile)
    cleanup.abandon_unfinished()

    assert {phone.reload().state, late.reload().state} == {Enrollment.State.ENDED, Enrollment.State.ACTIVE}


def test_an_active_enrollment_stays_however_old(phone: Phone) -> None:
    phone.enroll()
    Enrollment.objects.update(created_at=timezone.now() - timedelta(days=300))
    cleanup.abandon_unfinished()

    assert phone.reload().state == Enrollment.State.ACTIVE


def test_old_tokens_are_forgotten_and_those_in_use_are_not(phone: Phone, anna: User) -> None:
    tokens.issue(user=anna, kind=Enrollment.Kind.ADDE, reference="", attempt=None, device=None)
    AccessToken.objects.update(expires_at=timezone.now() - timedelta(days=2))
    tokens.forget_old()
    assert AccessToken.objects.get().enrollment == phone.enrollment

    Enrollment.objects.update(state=Enrollment.State.ENDED, ended_at=timezone.now() - timedelta(days=2))
    tokens.forget_old()
    assert not AccessToken.objects.exists()


def test_the_periodic_job_does_all_of_it(anna: User) -> None:
    waiting_record(anna)
    attempt = trace.open_attempt(address=None)
    Attempt.objects.update(opened_at=timezone.now() - timedelta(hours=2))
    tasks.tidy()

    assert not Device.objects.exists()
    assert attempt is not None
    attempt.refresh_from_db()
    assert attempt.state == Attempt.State.ABANDONED


def test_jobs_for_rows_that_are_gone_are_harmless() -> None:
    tasks.revoke_tokens(enrollment=0)
    tasks.inventories_read(enrollments=[0])


def test_the_first_inventory_ends_the_trace_once(anna: User, adde: None) -> None:
    phone = new_phone(anna)
    attempt = trace.open_attempt(address=None)
    trace.move(attempt, Attempt.State.ACTIVE, enrollment=phone.enrollment)
    tasks.inventories_read(enrollments=[phone.enrollment.pk])
    jobs.run("enrollment.inventory_read", {"enrollment": phone.enrollment.pk})

    assert attempt is not None
    assert [step.step for step in attempt.steps.all()] == ["first_inventory"]


def test_what_is_wrong_with_one_first_inventory_keeps_no_other_waiting(
    anna: User, adde: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, phone = new_phone(anna), new_phone(anna, number=60)
    attempt = trace.open_attempt(address=None)
    assert attempt is not None
    trace.move(attempt, Attempt.State.ACTIVE, enrollment=phone.enrollment)

    def switch_on(enrollment: Enrollment) -> None:
        if enrollment == broken.enrollment:
            raise OSError

    monkeypatch.setattr(declarative, "switch_on", switch_on)
    with pytest.raises(ExceptionGroup):
        tasks.inventories_read(enrollments=[broken.enrollment.pk, phone.enrollment.pk])

    assert [step.step for step in attempt.steps.all()] == ["first_inventory"]


def test_tokens_of_an_ended_enrollment_are_revoked(phone: Phone) -> None:
    tasks.revoke_tokens(enrollment=phone.enrollment.pk)

    assert not AccessToken.objects.live().exists()
