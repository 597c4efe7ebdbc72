from datetime import timedelta

import pytest
from django.test import override_settings
from django.utils import timezone

from epmm import settings as product
from epmm import settings_store
from epmm.models import AuditEntry
from tests import factories
from tests.factories import DIGITS
from tests.together import together
from users.errors import PinExpired, PinUsed, PinWrong
from users.models import RegistrationPin, User
from users.services import pins


@pytest.fixture
def alice() -> User:
    return factories.user("alice")


@pytest.mark.django_db
def test_a_pin_is_shown_once_and_kept_as_a_hash(alice: User) -> None:
    digits = pins.issue(alice, actor="root")

    assert len(digits) == 6
    assert digits.isascii()
    assert digits.isdecimal()
    row = RegistrationPin.objects.get()
    assert row.expires_at - row.issued_at == timedelta(hours=4)
    assert pins.check(alice, digits, "sign-in") == row
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.subject) == ("pin.issued", "root", "alice")
    assert digits not in str(RegistrationPin.objects.values().get()) + str(entry.details)


@pytest.mark.django_db
def test_length_and_expiry_are_settings(alice: User) -> None:
    settings_store.change("registration.pin_length", "12", actor="root")
    settings_store.change("registration.pin_expiry_hours", "1", actor="root")

    digits = pins.issue(alice, actor="root")

    row = RegistrationPin.objects.get()
    assert len(digits) == 12
    assert row.expires_at - row.issued_at == timedelta(hours=1)


@pytest.mark.django_db
def test_leading_zeros_belong_to_a_pin(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("users.services.pins.secrets.randbelow", lambda bound: 42 if bound == 1_000_000 else None)

    assert pins.issue(alice, actor="root") == "000042"


@pytest.mark.django_db
@override_settings(PASSWORD_HASHERS=product.PASSWORD_HASHERS)
def test_pins_are_kept_as_argon2(alice: User) -> None:
    pins.issue(alice, actor="root")

    assert RegistrationPin.objects.get().hashed.startswith("argon2$argon2id$")


@pytest.mark.django_db
@pytest.mark.parametrize("typed", [DIGITS, f" {DIGITS} ", "482 916", "48 29 16", "٤٨٢٩١٦"])
def test_spaces_and_script_do_not_matter(alice: User, typed: str) -> None:
    row = factories.pin(alice)

    assert pins.check(alice, typed, "sign-in") == row


@pytest.mark.django_db
@pytest.mark.parametrize("typed", ["", "482917", "48291", "4829160", "482-916", "48291½", "\udcff"])
def test_a_wrong_pin(alice: User, typed: str) -> None:
    factories.pin(alice)

    with pytest.raises(PinWrong):
        pins.check(alice, typed, "sign-in")


@pytest.mark.django_db
def test_a_pin_is_bound_to_its_person(alice: User) -> None:
    factories.pin(alice)

    with pytest.raises(PinWrong):
        pins.check(factories.user("bob"), DIGITS, "sign-in")


@pytest.mark.django_db
def test_a_new_pin_cancels_the_one_before(alice: User) -> None:
    factories.pin(alice)

    second = pins.issue(alice, actor="root")

    assert RegistrationPin.objects.standing().count() == 1
    assert pins.check(alice, second, "sign-in").revoked_at is None
    if second != DIGITS:
        with pytest.raises(PinWrong):
            pins.check(alice, DIGITS, "sign-in")


@pytest.mark.django_db
def test_an_expired_pin(alice: User) -> None:
    factories.pin(alice, valid_for=timedelta(0))

    with pytest.raises(PinExpired, match=r"This PIN has expired\. Ask for a new one\."):
        pins.check(alice, DIGITS, "sign-in")
    with pytest.raises(PinWrong):
        pins.check(alice, "482917", "sign-in")


@pytest.mark.django_db
def test_a_used_pin_serves_only_the_sign_in_that_used_it(alice: User) -> None:
    row = factories.pin(alice)
    pins.consume(row, "first")

    pins.consume(pins.check(alice, DIGITS, "first"), "first")  # its answer was lost
    for other in ("second", ""):
        with pytest.raises(PinUsed):
            pins.check(alice, DIGITS, other)
    with pytest.raises(PinUsed):
        pins.consume(row, "second")

    row.refresh_from_db()
    assert row.used_for == "first"
    assert [(entry.action, entry.actor) for entry in AuditEntry.objects.all()] == [("pin.used", "alice")]


@pytest.mark.django_db
def test_a_lost_answer_may_be_repeated_after_the_pin_expired(alice: User) -> None:
    row = factories.pin(alice)
    pins.consume(row, "first")
    RegistrationPin.objects.update(expires_at=timezone.now())

    pins.consume(pins.check(alice, DIGITS, "first"), "first")

    with pytest.raises(PinUsed):
        pins.check(alice, DIGITS, "second")


@pytest.mark.django_db
def test_a_pin_replaced_between_check_and_use_is_dead(alice: User) -> None:
    row = factories.pin(alice)
    checked = pins.check(alice, DIGITS, "first")
    pins.issue(alice, actor="root")

    with pytest.raises(PinUsed):
        pins.consume(checked, "first")

    row.refresh_from_db()
    assert row.used_at is None


@pytest.mark.django_db
@pytest.mark.parametrize("nameless", ["", "x" * 65])
def test_a_sign_in_that_uses_a_pin_has_a_name(alice: User, nameless: str) -> None:
    with pytest.raises(ValueError, match="used_for"):
        pins.consume(factories.pin(alice), nameless)


@pytest.mark.django_db(transaction=True)
def test_of_two_sign_ins_at_once_one_gets_the_pin(alice: User) -> None:
    row = factories.pin(alice)

    outcomes = together(*[lambda name=name: pins.consume(row, name) for name in ("first", "second", "third")])

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "PinUsed", "PinUsed"]


@pytest.mark.django_db(transaction=True)
def test_of_pins_issued_at_once_one_stands(alice: User) -> None:
    issued = together(*[lambda: pins.issue(alice, actor="root")] * 3)

    assert all(isinstance(digits, str) for digits in issued)
    assert RegistrationPin.objects.count() == 3
    assert RegistrationPin.objects.standing().count() == 1


def test_a_pin_on_its_way_is_not_shown() -> None:
    assert DIGITS not in repr(pins.NewPin(digits=DIGITS, hashed="hash"))
