"""Who may not enroll learns why, and nothing is left behind but the trace of it."""

from collections.abc import Callable
from datetime import timedelta

import httpx2
import pytest
from django.utils import timezone

from enrollment import reasons
from enrollment.models import AccessToken, Attempt
from enrollment.reasons import Reason
from enrollment.simulator.refusal import TurnedAway
from tests.flows.house import HOST, PASSWORD, PORT, House, credentials, person, switch
from tests.flows.rows import changed, rows
from users.models import User
from users.services import roles

TRACE = {"Attempt"}
COUNTED = {"Attempt", "SignInFailures", "SignInBudget", "AuditEntry"}
PROVED = {"SignInBudget", "KnownNetwork"}  # the password was right, so its network is known
Obstacle = Callable[[User], object]


def test_wrong_password(house: House, anna: User) -> None:
    device = house.device()
    device.discover()
    device.request_challenge()
    before = rows()

    with pytest.raises(TurnedAway) as refusal:
        device.sign_in(password="a wrong horse")

    assert_page(refusal.value, 200, reasons.WRONG_CREDENTIALS)  # the form again, to correct the mistake
    assert changed(before, rows()) == COUNTED
    assert device.sign_in(password=PASSWORD)
    device.fetch_profile()


def test_the_seventh_guess_waits_and_a_colleague_elsewhere_does_not(house: House, anna: User) -> None:
    device = house.device()
    device.discover()
    device.request_challenge()
    for _ in range(6):
        with pytest.raises(TurnedAway):
            device.sign_in(password="a wrong horse")

    with pytest.raises(TurnedAway) as refusal:
        device.sign_in(password=PASSWORD)

    assert_page(refusal.value, 429, reasons.TOO_MANY_ATTEMPTS)
    house.at("198.51.100.9").device().enroll(password=PASSWORD)


def test_a_pin_that_has_expired(house: House, anna: User) -> None:
    switch("registration.requirement", "pin")
    device = house.device()
    device.discover()
    device.request_challenge()
    typed = credentials("pin", anna)
    anna.registration_pins.update(expires_at=timezone.now() - timedelta(seconds=1))
    before = rows()

    with pytest.raises(TurnedAway) as refusal:
        device.sign_in(**typed)

    assert_page(refusal.value, 200, reasons.PIN_EXPIRED)
    assert changed(before, rows()) == COUNTED


def test_a_pin_that_was_used(house: House, anna: User) -> None:
    switch("registration.requirement", "pin")
    typed = credentials("pin", anna)
    house.device().enroll(**typed)
    device = house.device()
    device.discover()
    device.request_challenge()

    with pytest.raises(TurnedAway) as refusal:
        device.sign_in(**typed)

    assert_page(refusal.value, 200, reasons.WRONG_CREDENTIALS)


def without_role(user: User) -> None:
    roles.remove(user, ["apple.adde"], actor="test")


def without_feature(_: User) -> None:
    switch("ios.mdm.account_driven_device_enrollment", "off")


def without_account(user: User) -> None:
    User.objects.filter(pk=user.pk).update(managed_apple_account=None)


def with_foreign_account(user: User) -> None:
    User.objects.filter(pk=user.pk).update(managed_apple_account="anna@elsewhere.example")


def disabled(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


OBSTACLES: list[tuple[Obstacle, Reason]] = [
    (disabled, reasons.ACCOUNT_DISABLED),
    (without_feature, reasons.FEATURE_OFF),
    (without_role, reasons.ROLE_MISSING),
    (without_account, reasons.ACCOUNT_MISSING),
    (with_foreign_account, reasons.FOREIGN_ACCOUNT),
]


@pytest.mark.parametrize(("obstacle", "reason"), OBSTACLES)
def test_an_obstacle_is_told_at_the_sign_in(house: House, anna: User, obstacle: Obstacle, reason: Reason) -> None:
    device = house.device()
    device.discover()
    device.request_challenge()
    obstacle(anna)
    before = rows()

    with pytest.raises(TurnedAway) as refusal:
        device.sign_in(password=PASSWORD)

    assert_page(refusal.value, 403, reason)
    assert changed(before, rows()) <= COUNTED | PROVED
    assert not AccessToken.objects.exists()
    assert Attempt.objects.get().last_code == reason.code


@pytest.mark.parametrize(("obstacle", "reason"), OBSTACLES)
def test_an_obstacle_after_the_sign_in_stops_the_profile(
    house: House, anna: User, obstacle: Obstacle, reason: Reason
) -> None:
    device = house.device()
    device.discover()
    device.request_challenge()
    device.sign_in(password=PASSWORD)
    obstacle(anna)
    before = rows()

    with pytest.raises(TurnedAway) as refusal:
        device.fetch_profile()

    assert refusal.value.status == 403
    assert changed(before, rows()) == TRACE
    assert Attempt.objects.get().last_code == reason.code


def test_the_device_limit(house: House, anna: User) -> None:
    switch("registration.device_limit", "1")
    first = house.enrolled()
    second = house.device()
    second.discover()
    second.request_challenge()
    before = rows()

    with pytest.raises(TurnedAway) as refusal:
        second.sign_in(password=PASSWORD)

    assert_page(refusal.value, 403, reasons.DEVICE_LIMIT)
    assert "1 of 1" in refusal.value.sentence
    assert changed(before, rows()) == TRACE
    first.enroll(password=PASSWORD)  # the same device again does not count against itself
    first.check_out()
    second.enroll(password=PASSWORD)


def test_the_device_limit_holds_for_two_that_signed_in_at_once(house: House, anna: User) -> None:
    switch("registration.device_limit", "1")
    first, second = house.device(), house.device()
    for device in (first, second):
        device.discover()
        device.request_challenge()
        device.sign_in(password=PASSWORD)
        device.fetch_profile()
        device.get_identity()
    first.authenticate()
    first.token_update()
    before = rows()

    with pytest.raises(TurnedAway) as refusal:
        second.authenticate()

    assert (refusal.value.status, refusal.value.code) == (403, "")
    assert changed(before, rows()) == TRACE


def test_the_feature_is_off(house: House, anna: User) -> None:
    switch("ios.mdm.account_driven_device_enrollment", "off")
    before = rows()

    with pytest.raises(TurnedAway) as refusal:
        house.device().discover()

    assert (refusal.value.status, refusal.value.code) == (403, "com.apple.well-known.failed")
    assert changed(before, rows()) == TRACE


class CompanySite(httpx2.BaseTransport):
    """The web site of another domain, which sends devices on to us, as Apple allows."""

    def __init__(self, inner: httpx2.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.host == HOST:
            return self._inner.handle_request(request)
        return httpx2.Response(302, headers={"Location": str(request.url.copy_with(host=HOST, port=PORT))})


def test_a_foreign_domain(house: House, anna: User) -> None:
    device = house.device(identifier="anna@corp.example", transport=CompanySite(house.transport))
    before = rows()

    with pytest.raises(TurnedAway) as refusal:
        device.discover()

    assert (refusal.value.status, refusal.value.code) == (403, "com.apple.well-known.failed")
    assert changed(before, rows()) == TRACE

    switch("enrollment.domains", f"{HOST},corp.example")
    device.enroll(password=PASSWORD)
    assert device.membership.profile.managed_apple_account == f"anna@{HOST}"


def test_somebody_else_signs_in(house: House, anna: User) -> None:
    person("bob")
    device = house.device()
    device.discover()
    device.request_challenge()
    before = rows()

    with pytest.raises(TurnedAway) as refusal:
        device.sign_in(user="bob", password=PASSWORD, retype=True)

    assert_page(refusal.value, 403, reasons.SOMEONE_ELSE)
    assert changed(before, rows()) == TRACE | PROVED


def test_whoever_does_not_exist_is_refused_like_a_wrong_password(house: House, anna: User) -> None:
    said = []
    for identifier in (f"anna@{HOST}", f"nobody@{HOST}"):
        device = house.device(identifier=identifier)
        device.discover()
        device.request_challenge()
        with pytest.raises(TurnedAway) as refusal:
            device.sign_in(password="a wrong horse")
        said.append((refusal.value.status, refusal.value.code, refusal.value.sentence))

    assert said[0] == said[1]


def assert_page(refusal: TurnedAway, status: int, reason: Reason) -> None:
    """What the person reads says why, in words that the operator finds again by its code."""
    assert (refusal.status, refusal.code) == (status, reason.code)
    assert len(refusal.sentence.split()) > 4
