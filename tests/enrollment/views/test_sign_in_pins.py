"""The web sign-in with a registration PIN."""

from datetime import timedelta

import pytest
from django.utils import timezone

from devices.models import Device
from enrollment.services import registration
from tests.enrollment.conftest import MACHINE_INFO, PASSWORD, Sheet, Switch
from tests.enrollment.views.test_sign_in import ready, text
from users.models import RegistrationPin, Role, User
from users.services import roles

pytestmark = pytest.mark.django_db


def issue_pin(user: User) -> str:
    return registration.issue_pin(user, "test")


def test_a_pin_signs_in_and_takes_its_pending_record(sheet: Sheet, anna: User, switch: Switch) -> None:
    switch("registration.requirement", "pin")
    pin = issue_pin(anna)
    roles.remove(anna, [Role.PORTAL], actor="test")  # which it does not need (docs/decisions)
    assert Device.objects.get().status == Device.Status.VERIFICATION_PENDING

    ready(sheet).open_page()
    assert sheet.submit(user_id="anna", pin=pin).status_code == 308
    assert Device.objects.get().status == Device.Status.IENROLL_VERIFIED


def test_a_pin_serves_one_device_whose_person_may_begin_anew(sheet: Sheet, anna: User, switch: Switch) -> None:
    switch("registration.requirement", "pin")
    pin = issue_pin(anna)
    ready(sheet).open_page()
    action = sheet.action
    assert sheet.submit(user_id="anna", pin=pin).status_code == 308

    assert sheet.client.post(action, {"user_id": "anna", "pin": pin}).status_code == 308
    again = ready(Sheet(sheet.client, identifier="anna+2@mdm.example.test"))
    again.open_page()
    assert again.submit(user_id="anna", pin=pin).status_code == 308
    other = ready(Sheet(sheet.client, identifier="anna+3@mdm.example.test"))
    other.body = MACHINE_INFO.replace(b"00008140-", b"00008150-")
    other.post()
    other.open_page()
    assert "E-201" in text(other.submit(user_id="anna", pin=pin))


def test_a_plus_sign_in_the_typed_address_stays_one(sheet: Sheet, anna: User) -> None:
    ready(sheet)
    page = text(sheet.client.get(f"{sheet.url}?user-identifier=anna+w@mdm.example.test"))

    assert "anna+w@mdm.example.test" in page


def test_a_pin_does_not_serve_a_second_phone_beside_the_first(sheet: Sheet, anna: User, switch: Switch) -> None:
    """Both were asked for before either signed in, so they share one trace."""
    switch("registration.requirement", "pin")
    pin = issue_pin(anna)
    ready(sheet).open_page()
    second = ready(Sheet(sheet.client))
    second.body = MACHINE_INFO.replace(b"00008140-", b"00008150-")
    second.post()
    second.open_page()
    assert sheet.submit(user_id="anna", pin=pin).status_code == 308

    assert "E-201" in text(second.submit(user_id="anna", pin=pin))


def test_a_refusal_by_policy_does_not_use_the_pin_up(sheet: Sheet, anna: User, switch: Switch) -> None:
    switch("registration.requirement", "pin")
    pin = issue_pin(anna)
    roles.remove(anna, [Role.ADDE], actor="test")
    ready(sheet).open_page()
    assert sheet.submit(user_id="anna", pin=pin).status_code == 403

    assert RegistrationPin.objects.get().used_at is None


def test_an_expired_pin_says_so(sheet: Sheet, anna: User, switch: Switch) -> None:
    switch("registration.requirement", "pin")
    pin = issue_pin(anna)
    RegistrationPin.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    ready(sheet).open_page()
    answer = sheet.submit(user_id="anna", pin=pin)

    assert "This PIN has expired." in text(answer)
    assert "E-203" in text(answer)


def test_password_and_pin_are_both_needed(sheet: Sheet, anna: User, switch: Switch) -> None:
    switch("registration.requirement", "password_and_pin")
    pin = issue_pin(anna)
    page = text(ready(sheet).open_page())
    assert 'name="password"' in page
    assert 'name="pin"' in page

    assert "E-201" in text(sheet.submit(user_id="anna", password=PASSWORD, pin="000000"))
    assert "E-201" in text(sheet.submit(user_id="anna", password="wrong", pin=pin))
    assert sheet.submit(user_id="anna", password=PASSWORD, pin=pin).status_code == 308
