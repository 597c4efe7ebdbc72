from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from epmm import limit_options, settings_store
from epmm.client_address import network
from tests.together import together
from users.errors import TooManyAttempts
from users.models import SignInFailures
from users.services import lock_out

ADDRESS = "192.0.2.7"


@pytest.fixture(autouse=True)
def moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes by `pass_time` alone."""
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)


def fail(times: int, *, name: str = "alice", address: str | None = ADDRESS) -> None:
    for _ in range(times):
        lock_out.count_attempt(name, address)


def pass_time(elapsed: timedelta) -> None:
    for row in SignInFailures.objects.all():
        row.last_at -= elapsed
        row.locked_until = row.locked_until and row.locked_until - elapsed
        row.save()


@pytest.mark.django_db
def test_six_failures_lock_for_thirty_seconds() -> None:
    fail(6)

    with pytest.raises(TooManyAttempts) as refusal:
        fail(1)

    assert refusal.value.seconds == 30
    assert str(refusal.value) == "Too many attempts. Try again in 30 seconds."


@pytest.mark.django_db
def test_a_locked_attempt_changes_nothing() -> None:
    fail(6)
    counted = SignInFailures.objects.values("count", "last_at", "locked_until")
    before = counted.get()

    for _ in range(3):
        with pytest.raises(TooManyAttempts):
            fail(1)

    assert counted.get() == before


@pytest.mark.django_db
def test_a_lock_of_before_the_clock_was_put_back_is_none_and_the_next_failure_locks_anew() -> None:
    fail(6)
    ahead = timedelta(hours=2)
    assert lock_out.locked_until(["alice"]) is not None
    SignInFailures.objects.update(last_at=F("last_at") + ahead, locked_until=F("locked_until") + ahead)

    assert lock_out.locked_until(["alice"]) is None  # nor does a person's page say so
    fail(1)
    with pytest.raises(TooManyAttempts) as refusal:
        fail(1)
    assert refusal.value.seconds == 60


@pytest.mark.django_db
def test_each_further_failure_doubles_the_delay_up_to_an_hour() -> None:
    fail(5)
    delays = []
    for _ in range(10):
        fail(1)
        with pytest.raises(TooManyAttempts) as refusal:
            fail(1)
        delays.append(refusal.value.seconds)
        pass_time(timedelta(seconds=refusal.value.seconds))

    assert delays == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


@pytest.mark.django_db
@pytest.mark.parametrize("failures", [20, 1000, 4_000_000_000])
def test_the_delay_stays_an_hour_however_many(failures: int) -> None:
    assert lock_out.lock_after(failures) == timedelta(hours=1)


@pytest.mark.django_db
def test_success_clears() -> None:
    fail(4)
    lock_out.clear(lock_out.count_attempt(" ALICE ", ADDRESS))
    fail(5)

    assert SignInFailures.objects.get().count == 5


@pytest.mark.django_db
def test_failures_are_in_a_row_only_within_a_day() -> None:
    fail(5)
    pass_time(timedelta(days=1))

    fail(5)

    assert SignInFailures.objects.get().count == 5


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "address"),
    [("Alice ", ADDRESS), ("ALICE", ADDRESS), ("alice", f"::ffff:{ADDRESS}")],
)
def test_what_counts_as_the_same(name: str, address: str) -> None:
    fail(6)

    with pytest.raises(TooManyAttempts):
        fail(1, name=name, address=address)


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "address"), [("bob", ADDRESS), ("alice", "192.0.2.8"), ("alice", None)])
def test_nobody_is_locked_out_from_elsewhere(name: str, address: str | None) -> None:
    fail(6)

    fail(5, name=name, address=address)

    assert SignInFailures.objects.count() == 2


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        (None, "unknown"),
        ("testserver", "unknown"),
    ],
)
def test_an_attacker_is_counted_by_network(address: str | None, counted_as: str) -> None:
    assert network(address) == counted_as


@pytest.mark.django_db
def test_what_was_typed_is_not_kept() -> None:
    fail(1, name="My Secret Password")
    fail(1, name="\udcff\0")

    assert all(len(row.name_hash) == 64 for row in SignInFailures.objects.all())
    assert "secret" not in str(SignInFailures.objects.values()).lower()


@pytest.mark.django_db
def test_old_counters_go() -> None:
    fail(6)
    fail(1, name="bob")
    SignInFailures.objects.filter(count=6).update(last_at=timezone.now() - timedelta(days=1, seconds=1))

    lock_out.forget(timezone.now())

    assert SignInFailures.objects.get().count == 1


@pytest.mark.django_db
def test_counters_are_bounded_and_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_out, "MOST_ROWS", 3)
    monkeypatch.setattr(lock_out, "TRIM_EVERY", 1)

    for number in range(6):
        fail(number + 1, name=f"name{number}")
        pass_time(timedelta(seconds=1))

    assert sorted(SignInFailures.objects.values_list("count", flat=True)) == [4, 5, 6]


@pytest.mark.django_db(transaction=True)
def test_guesses_at_once_cannot_outrun_the_count() -> None:
    outcomes = together(*[lambda: lock_out.count_attempt("alice", ADDRESS)] * 12)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Counted"] * 6 + ["TooManyAttempts"] * 6
    assert SignInFailures.objects.get().count == 6


@pytest.mark.django_db(transaction=True)
def test_no_enclosing_transaction_may_take_the_count_back() -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        lock_out.count_attempt("alice", ADDRESS)


@pytest.mark.django_db(transaction=True)
def test_administrators_say_how_many_failures_lock_for_how_long() -> None:
    settings_store.change("security.failed_attempts", "3", actor="test")
    settings_store.change("security.auto_lock_seconds", "900", actor="test")

    fail(3)
    with pytest.raises(TooManyAttempts) as refusal:
        fail(1)
    assert 890 < refusal.value.seconds <= 900


@pytest.mark.django_db
def test_the_count_begins_anew_after_a_while_without_failures() -> None:
    settings_store.change(limit_options.FAILED_WINDOW.name, "15", actor="test")
    fail(5)
    pass_time(timedelta(minutes=16))
    fail(5)
    pass_time(timedelta(minutes=14))
    fail(1)

    with pytest.raises(TooManyAttempts):
        fail(1)


@pytest.mark.django_db
def test_a_lock_is_no_rest() -> None:
    settings_store.change(limit_options.FAILED_WINDOW.name, "15", actor="test")
    settings_store.change(limit_options.AUTO_LOCK_SECONDS.name, "1800", actor="test")
    fail(6)
    pass_time(timedelta(minutes=31))
    fail(1)

    with pytest.raises(TooManyAttempts) as refusal:
        fail(1)
    assert refusal.value.seconds == 3600
