from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from epmm import limit_options, settings_store
from epmm.models import AuditEntry
from tests import factories
from tests.factories import DIGITS, PASSWORD
from users.errors import AccountDisabled, PasswordMustChange, PinExpired, TooManyAttempts, WrongCredentials
from users.models import RegistrationPin, SignInFailures, User
from users.services import pins, sign_in
from users.services.sign_in import SignedIn

DOMAINS = ("mdm.example.test",)
REQUIREMENTS = ("password", "pin", "password_and_pin")
PLAUSIBLE = {"password": "wrong password", "pin": "000000"}


def verify(name: str = "alice", **given: Any) -> SignedIn:
    usual = {
        "password": PASSWORD,
        "pin": DIGITS,
        "requirement": "password_and_pin",
        "address": "192.0.2.7",
        "used_for": "first",
        "domains": DOMAINS,
    }
    return sign_in.verify(name, **(usual | given))


@pytest.fixture
def alice() -> User:
    return factories.user("alice")


@pytest.fixture
def her_pin(alice: User) -> RegistrationPin:
    return factories.pin(alice)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("requirement", "given", "with_pin"),
    [
        ("password", {"pin": ""}, False),
        ("password", {"pin": "000000"}, False),
        ("pin", {"password": ""}, True),
        ("pin", {"password": "wrong"}, True),
        ("password_and_pin", {}, True),
    ],
)
def test_whoever_has_what_is_asked_is_let_in(
    alice: User, her_pin: RegistrationPin, requirement: str, given: dict[str, str], *, with_pin: bool
) -> None:
    signed_in = verify(requirement=requirement, **given)

    assert signed_in.user == alice
    assert signed_in.pin == (her_pin if with_pin else None)
    assert not SignInFailures.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("typed", ["ALICE", "alice@mdm.example.test", "a@mail.example", "m@mdm.example.test"])
def test_any_name_of_the_person_serves(typed: str) -> None:
    alice = factories.user("alice", email="a@mail.example", managed_apple_account="m@mdm.example.test")

    assert verify(typed, requirement="password").user == alice


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("requirement", "given"),
    [
        ("password", {"password": "wrong"}),
        ("password", {"password": ""}),
        ("password", {"password": f"{PASSWORD} "}),
        ("password", {"password": "x" * 1025}),
        ("password", {"password": "\udcff"}),
        ("password", {"password": "\0"}),
        ("pin", {"pin": "000000"}),
        ("pin", {"pin": ""}),
        ("pin", {"pin": " "}),
        ("pin", {"pin": "\udcff"}),
        ("pin", {"pin": DIGITS * 6}),
        ("password_and_pin", {"password": "wrong"}),
        ("password_and_pin", {"pin": "000000"}),
        ("password_and_pin", {"pin": ""}),
        ("password", {"name": "bob"}),
        ("password", {"name": ""}),
        ("password", {"name": "alice\0"}),
        ("password", {"name": "x" * 321}),
    ],
)
def test_everything_wrong_is_refused_with_one_sentence(
    her_pin: RegistrationPin, requirement: str, given: dict[str, str]
) -> None:
    with pytest.raises(WrongCredentials) as refusal:
        verify(requirement=requirement, **given)

    assert type(refusal.value) is WrongCredentials
    assert str(refusal.value) == "The user ID, password or PIN is not right."


@pytest.mark.django_db
def test_no_password_and_no_pin_let_nobody_in() -> None:
    factories.user("carol", password=None)

    for requirement in REQUIREMENTS:
        with pytest.raises(WrongCredentials):
            verify("carol", requirement=requirement)


@pytest.mark.django_db
def test_a_used_pin_is_a_wrong_one_for_everyone_else(her_pin: RegistrationPin) -> None:
    pins.consume(her_pin, "first")

    assert verify(used_for="first").pin == her_pin
    with pytest.raises(WrongCredentials) as refusal:
        verify(used_for="second")
    assert type(refusal.value) is WrongCredentials


@pytest.mark.django_db
def test_an_expired_pin_is_told_to_whoever_knew_the_rest(alice: User) -> None:
    factories.pin(alice, valid_for=timedelta(0))

    with pytest.raises(PinExpired):
        verify()
    with pytest.raises(PinExpired):
        verify(requirement="pin", password="")
    with pytest.raises(WrongCredentials):
        verify(password="wrong")
    with pytest.raises(WrongCredentials):
        verify(pin="000000")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("is_active", "must_change_password", "refusal"),
    [(False, False, AccountDisabled), (False, True, AccountDisabled), (True, True, PasswordMustChange)],
)
def test_what_stands_against_a_person_is_told_after_the_right_credentials(
    refusal: type[Exception], *, is_active: bool, must_change_password: bool
) -> None:
    factories.user("alice", is_active=is_active, must_change_password=must_change_password)

    with pytest.raises(WrongCredentials):
        verify(requirement="password", password="wrong")
    with pytest.raises(refusal):
        verify(requirement="password")

    assert not SignInFailures.objects.exists()  # the credentials were right


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["alice", "nobody"])
@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_the_seventh_attempt_waits_even_with_the_right_credentials(
    her_pin: RegistrationPin, name: str, requirement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)
    for _ in range(6):
        with pytest.raises(WrongCredentials):
            verify(name, requirement=requirement, **PLAUSIBLE)

    with pytest.raises(TooManyAttempts) as refusal:
        verify(name, requirement=requirement)

    assert refusal.value.seconds == 30


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_a_name_with_our_domain_is_counted_like_the_name_alone(alice: User, name: str) -> None:
    for typed in (name, f"{name}@mdm.example.test") * 3:
        with pytest.raises(WrongCredentials):
            verify(typed, requirement="password", password="wrong")
    with pytest.raises(TooManyAttempts):
        verify(f"{name}@mdm.example.test", requirement="password")


@pytest.mark.django_db
def test_wrong_passwords_and_wrong_pins_add_up(her_pin: RegistrationPin) -> None:
    for _ in range(3):
        with pytest.raises(WrongCredentials):
            verify(requirement="password", password="wrong")
        with pytest.raises(WrongCredentials):
            verify(requirement="pin", pin="000000")

    with pytest.raises(TooManyAttempts):
        verify()


@pytest.mark.django_db
def test_the_sixth_attempt_may_still_be_right(alice: User) -> None:
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            verify(requirement="password", password="wrong")

    assert verify(requirement="password").user == alice

    assert not SignInFailures.objects.exists()


class CountingHasher(MD5PasswordHasher):
    """Stands for a slow hash: how often it is computed is the time that a stranger can measure."""

    algorithm = "counting"
    computed = 0

    def encode(self, password: str, salt: str) -> str:
        type(self).computed += 1
        return super().encode(password, salt)


@pytest.mark.django_db
@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_an_unknown_person_costs_what_one_does_who_is_known_or_half_proven(
    settings: Settings, requirement: str
) -> None:
    settings_store.read(limit_options.FAILED_ATTEMPTS)
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    factories.pin(factories.user("alice"))
    factories.user("without-pin")
    factories.user("without-password", password=None)
    factories.pin(factories.user("disabled", is_active=False))
    factories.user("of-ldap", password=None, source=User.Source.LDAP)
    factories.user("of-provider", password=None, source=User.Source.OIDC)
    names = (
        "alice", "without-pin", "without-password", "disabled", "of-ldap", "of-provider", "nobody", "x@mdm.example.test"
    )  # fmt: skip
    tried = [(name, PLAUSIBLE) for name in names]
    if requirement == "password_and_pin":
        for number, right in enumerate(({"password": PASSWORD}, {"pin": DIGITS})):
            factories.pin(factories.user(f"half-known{number}"))
            tried.append((f"half-known{number}", PLAUSIBLE | right))
    with pytest.raises(WrongCredentials):
        verify("the-first-from-there", requirement=requirement, **PLAUSIBLE)
    costs = set()

    for name, given in tried:
        CountingHasher.computed = 0
        with CaptureQueriesContext(connection) as queries, pytest.raises(WrongCredentials):
            verify(name, requirement=requirement, **given)
        costs.add((CountingHasher.computed, len(queries)))

    assert len(costs) == 1
    assert costs.pop()[0] == (2 if requirement == "password_and_pin" else 1)


@pytest.mark.django_db
@pytest.mark.parametrize("given", [{"password": "x" * 1025}, {"password": ""}, {"pin": "1" * 33}, {"name": "x" * 321}])
def test_what_nobody_can_have_is_refused_without_work_or_rows(settings: Settings, given: dict[str, str]) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    CountingHasher.computed = 0

    with CaptureQueriesContext(connection) as queries, pytest.raises(WrongCredentials):
        verify(**given)

    assert (CountingHasher.computed, len(queries)) == (0, 0)


@pytest.mark.django_db
def test_failures_are_audited_without_what_was_typed(alice: User) -> None:
    with pytest.raises(WrongCredentials):
        verify(requirement="password", password="wrong password")
    with pytest.raises(WrongCredentials):
        verify("my password", requirement="password", address="testserver")

    entries = AuditEntry.objects.order_by("pk").values_list("action", "status", "subject", "address", "details")
    assert list(entries) == [
        ("sign_in.failed", "Failed", "alice", "192.0.2.7", {"reason": "WrongCredentials"}),
        ("sign_in.failed", "Failed", "unknown", None, {"reason": "WrongCredentials"}),
    ]


@pytest.mark.django_db
def test_audited_failures_are_bounded_in_age_and_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "MOST_FAILURES", 2)
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            verify("nobody", requirement="password")
    other = AuditEntry.objects.create(action="user.created", subject_type="user", subject="x", status="Success")
    AuditEntry.objects.update(at=timezone.now() - timedelta(days=91))
    with pytest.raises(WrongCredentials):
        verify("somebody", requirement="password")

    sign_in.forget(timezone.now())
    assert AuditEntry.objects.count() == 2
    for _ in range(3):
        with pytest.raises(WrongCredentials):
            verify("anybody", requirement="password")
    sign_in.forget(timezone.now())

    assert AuditEntry.objects.filter(action="sign_in.failed").count() == 2
    assert AuditEntry.objects.filter(pk=other.pk).exists()


def test_an_unknown_requirement_lets_nobody_in() -> None:
    with pytest.raises(ValueError, match="nothing"):
        verify(requirement="nothing")
