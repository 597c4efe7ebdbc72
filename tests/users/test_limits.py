"""Whoever guesses is slowed down, from one address or from a thousand; whose account it is gets in meanwhile."""

import time
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.core import signing
from django.db.models import F
from django.utils import timezone
from django_otp.oath import totp

from epmm import caller, jobs, limit_options, settings_store
from epmm.caller import Browser
from epmm.models import AuditEntry
from epmm.settings_store import Setting
from tests import factories
from tests.factories import PASSWORD
from tests.together import together
from users import tasks as _tasks  # noqa: F401 - registers its job, as the worker does
from users.errors import TooManyAttempts, WrongCode, WrongCredentials
from users.models import Authenticator, KnownNetwork, SignInBudget, SignInFailures, User
from users.services import limits, lock_out, networks, passwords, second_factor, sign_in, upkeep
from users.services.limits import ACCOUNT, ADDRESS, ALL

pytestmark = pytest.mark.django_db
HOME, OFFICE, HOTEL = "198.51.100.7", "192.0.2.7", "203.0.113.99"


def tries(name: str = "alice", password: str = PASSWORD, *, address: str = HOME, cookie: str = "") -> Browser | None:
    """The browser as it is known from now on, after the right password."""
    with caller.calling(cookie) as calling:
        sign_in.verify(
            name,
            password=password,
            pin="",
            requirement="password",
            address=address,
            used_for="",
            domains=("mdm.example.test",),
        )
    return calling.signed_in


def outcome(**given: Any) -> str:
    try:
        tries(**given)
    except (TooManyAttempts, WrongCredentials) as refusal:
        return type(refusal).__name__
    return "in"


def guesses(times: int, **given: Any) -> list[str]:
    """Each from an address of its own, as a botnet comes."""
    return [outcome(password="wrong", address=f"2001:db8:{number:x}::1", **given) for number in range(times)]


def known_browser(**given: Any) -> str:
    browser = tries(**given)
    assert browser is not None
    return browser.seal()


def change(setting: Setting[int], number: int) -> None:
    settings_store.change(setting.name, str(number), actor="test")


@pytest.fixture
def alice() -> User:
    return factories.user("alice")


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_an_attack_from_everywhere_on_one_name_is_slowed_down_whether_or_not_anybody_has_it(
    alice: User, name: str
) -> None:
    answers = guesses(ACCOUNT.at_once + 5, name=name)

    assert answers == ["WrongCredentials"] * ACCOUNT.at_once + ["TooManyAttempts"] * 5
    with pytest.raises(TooManyAttempts) as refusal:
        tries(name, address=HOTEL)
    assert 0 < refusal.value.seconds <= ACCOUNT.every.total_seconds()
    assert outcome(name="somebody", password="wrong", address=HOTEL) == "WrongCredentials"


def test_the_owner_of_an_account_under_attack_gets_in_with_a_browser_or_from_a_network_of_before(alice: User) -> None:
    cookie = known_browser(address=HOME)
    guesses(ACCOUNT.at_once + 5)

    assert outcome(address=HOTEL, cookie=cookie) == "in"
    KnownNetwork.objects.exclude(network=HOME).delete()  # that hotel's
    assert outcome(address=HOME) == "in"
    assert outcome(address=OFFICE) == "TooManyAttempts"


def test_a_colleague_in_the_same_network_cannot_lock_out_a_browser_of_before(alice: User) -> None:
    cookie = known_browser(address=OFFICE)
    locked = [outcome(password="wrong", address=OFFICE) for _ in range(7)]

    assert locked[-1] == "TooManyAttempts"
    assert outcome(address=OFFICE, cookie=cookie) == "in"
    assert [outcome(password="wrong", address=HOTEL, cookie=cookie) for _ in range(7)][-1] == "TooManyAttempts"


def test_one_who_tries_all_accounts_from_one_address_is_slowed_down_and_the_known_ones_there_are_not(
    alice: User,
) -> None:
    change(ADDRESS.most, 10)
    change(ADDRESS.hourly, 10)
    cookie = known_browser(address=OFFICE)

    answers = [outcome(name=f"guess{n}", password="wrong", address=OFFICE) for n in range(11)]
    assert answers[-2:] == ["WrongCredentials", "TooManyAttempts"]
    assert outcome(address=OFFICE, cookie=cookie) == "in"
    assert outcome(address=HOTEL) == "in"


def test_an_attack_on_all_accounts_from_everywhere_leaves_known_browsers_and_networks_alone(
    alice: User,
) -> None:
    change(ALL.most, 50)
    change(ALL.hourly, 60)
    cookie = known_browser(address=HOME)

    answers = [outcome(name=f"guess{n}", password="wrong", address=f"2001:db8:{n}::1") for n in range(51)]
    assert answers[-2:] == ["WrongCredentials", "TooManyAttempts"]
    assert outcome(address=HOTEL) == "TooManyAttempts"
    assert (outcome(address=HOME), outcome(address=HOTEL, cookie=cookie)) == ("in", "in")


def test_what_was_right_uses_nothing_up_and_what_was_wrong_comes_back_with_time(alice: User) -> None:
    for number in range(ACCOUNT.at_once + 1):
        assert outcome(address=f"2001:db8:{number:x}::1") == "in"
        KnownNetwork.objects.all().delete()
    guesses(ACCOUNT.at_once)
    assert outcome(address=HOTEL) == "TooManyAttempts"

    SignInBudget.objects.update(spent_until=F("spent_until") - ACCOUNT.every)
    assert outcome(address=HOTEL) == "in"


def test_a_limit_that_is_made_wider_lets_in_at_once_whom_the_narrow_one_kept_waiting(alice: User) -> None:
    change(ACCOUNT.hourly, 1)
    guesses(ACCOUNT.at_once + 1)

    change(ACCOUNT.hourly, 60)
    assert outcome(password="wrong", address=HOTEL) == "WrongCredentials"
    with pytest.raises(TooManyAttempts) as refusal:
        tries(address=HOTEL)
    assert refusal.value.seconds <= 60


def test_a_clock_that_is_put_back_keeps_nobody_out_until_it_is_as_late_again(alice: User) -> None:
    guesses(ACCOUNT.at_once + 1)
    SignInBudget.objects.update(spent_until=F("spent_until") + timedelta(hours=30))

    assert [outcome(password="wrong", address=HOTEL) for _ in range(2)] == ["WrongCredentials", "TooManyAttempts"]
    SignInBudget.objects.update(spent_until=F("spent_until") - ACCOUNT.every)
    assert outcome(address=HOTEL) == "in"


def test_servers_whose_clocks_differ_a_little_give_nobody_room_by_taking_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    def tries_there(ahead: timedelta) -> str:
        monkeypatch.setattr(limits, "timezone", SimpleNamespace(now=lambda: now + ahead))
        try:
            limits.spend(ALL, "", now)
        except TooManyAttempts:
            return "refused"
        return "let in"

    change(ALL.most, 50)
    now, ahead = timezone.now(), 30 * ALL.every
    answers = [tries_there(each) for _ in range(100) for each in (ahead, timedelta())]

    assert answers.count("let in") <= ALL.at_once + ahead / ALL.every


def test_an_administrator_gives_somebody_under_attack_a_fresh_start(alice: User) -> None:
    guesses(ACCOUNT.at_once)

    assert upkeep.unlock(alice, actor="admin")
    assert outcome(address=HOTEL) == "in"


@pytest.mark.django_db(transaction=True)
def test_guesses_at_once_from_everywhere_cannot_outrun_the_limit() -> None:
    change(ACCOUNT.most, 5)

    def guess(number: int) -> Callable[[], object]:
        return lambda: lock_out.count_attempt("alice", f"2001:db8:{number}::1")

    outcomes = together(*[guess(number) for number in range(8)])

    assert sorted(type(each).__name__ for each in outcomes) == ["Counted"] * 5 + ["TooManyAttempts"] * 3
    assert SignInFailures.objects.count() == 5  # what was turned away counts nowhere


# --- Second factor ----------------------------------------------------------------------------------------------------


def tries_code(user: User, code: str, *, address: str = HOME, cookie: str = "") -> Browser | None:
    with caller.calling(cookie) as calling:
        second_factor.check_counted(user, code, address)
    return calling.signed_in


def guess_codes(user: User, *, address: Callable[[int], str]) -> None:
    for number in range(ACCOUNT.at_once):
        with pytest.raises(WrongCode):
            tries_code(user, "000000", address=address(number))


def test_a_stolen_password_makes_no_network_or_browser_known_for_codes(alice: User) -> None:
    key = Authenticator.objects.create(user=alice, key=bytes(range(20)), confirmed=True).key
    mine = tries_code(alice, f"{totp(bytes(key)):06}")
    Authenticator.objects.update(last_step=-1)
    stolen = known_browser(address=HOTEL)
    guess_codes(alice, address=lambda number: f"2001:db8:{number:x}::1")

    for cookie in ("", stolen):
        with pytest.raises(TooManyAttempts):
            tries_code(alice, "000000", address=HOTEL, cookie=cookie)
    assert mine is not None
    tries_code(alice, f"{totp(bytes(key)):06}", address=HOTEL, cookie=mine.seal())


def test_no_name_that_is_typed_counts_against_codes(alice: User) -> None:
    Authenticator.objects.create(user=alice, key=bytes(range(20)), confirmed=True)
    for name in (second_factor.counted_as(alice), f"code of {alice.pk}", "code of alice"):
        guesses(ACCOUNT.at_once, name=name)

    with pytest.raises(WrongCode):
        tries_code(alice, "000000", address=HOTEL)


# --- Hashing ----------------------------------------------------------------------------------------------------------


def test_while_strangers_queue_for_hashing_the_known_pass_and_the_rest_are_asked_to_come_back(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = known_browser(address=HOME)
    held = [passwords.turn(of_stranger=True) for _ in range(3)]
    for each in held:
        each.__enter__()
    waiting = [passwords._in_line.acquire(blocking=False) for _ in range(5)]
    try:
        assert [outcome(address=HOTEL) for _ in range(9)] == ["TooManyAttempts"] * 9  # and none of them counts
        assert outcome(address=HOTEL, cookie=cookie) == "in"
    finally:
        for each in held:
            each.__exit__(None, None, None)
        for _ in waiting:
            passwords._in_line.release()
    KnownNetwork.objects.exclude(network=HOME).delete()
    assert outcome(address=HOTEL) == "in"


# --- What is kept of it -----------------------------------------------------------------------------------------------


def test_whoever_is_kept_waiting_stands_in_the_audit_once_in_a_while(alice: User) -> None:
    guesses(ACCOUNT.at_once + 5)
    guesses(ACCOUNT.at_once + 5, name="my secret password")

    entries = AuditEntry.objects.filter(action="sign_in.limited").order_by("pk")
    assert [(each.subject, each.status, each.details["limit"]) for each in entries] == [
        ("alice", "Failed", "account"),
        ("unknown", "Failed", "account"),
    ]
    SignInBudget.objects.update(noted_at=timezone.now() - timedelta(minutes=11))
    guesses(1)
    assert entries.all().count() == 3
    assert "secret" not in str([*SignInBudget.objects.values(), *entries.all().values()])


def test_what_is_full_again_is_forgotten_and_the_rest_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    monkeypatch.setattr(limits, "MOST_ROWS", 2)
    for number in range(4):
        for _ in range(number + 1):
            limits.spend(ACCOUNT, f"name{number}", now)
    SignInBudget.objects.filter(key=ACCOUNT.key("name3")).update(spent_until=now - timedelta(seconds=1))

    jobs.run("users.forget_failed_sign_ins", {})

    kept = set(SignInBudget.objects.values_list("key", flat=True))
    assert kept == {ACCOUNT.key("name2"), ACCOUNT.key("name1")}


def test_one_person_makes_so_many_networks_known_and_for_so_long(alice: User) -> None:
    change(limit_options.KNOWN_NETWORKS, 2)
    for address in (HOME, OFFICE, HOTEL):
        networks.note(alice, address)
    networks.note(alice, None)
    assert [networks.is_known(each) for each in (HOME, OFFICE, HOTEL, None)] == [False, True, True, False]

    KnownNetwork.objects.filter(network=OFFICE).update(last_at=timezone.now() - timedelta(days=90))
    assert not networks.is_known(OFFICE)
    jobs.run("users.forget_failed_sign_ins", {})
    assert [row.network for row in KnownNetwork.objects.all()] == [HOTEL]
    change(limit_options.KNOWN_NETWORK_DAYS, 0)
    assert not networks.is_known(HOTEL)


def test_a_network_of_before_tells_nobody_whose_it_is(alice: User) -> None:
    tries(address=OFFICE)
    guesses(ACCOUNT.at_once)
    guesses(ACCOUNT.at_once, name="nobody")

    assert outcome(password="wrong", address=OFFICE) == outcome(name="nobody", password="wrong", address=OFFICE)


# --- The cookie -------------------------------------------------------------------------------------------------------


def test_a_browser_is_known_for_those_who_signed_in_with_it_and_for_nobody_else(alice: User) -> None:
    factories.user("boris")
    cookie = known_browser()
    guesses(ACCOUNT.at_once, name="boris")

    assert outcome(name="boris", address=OFFICE, cookie=cookie) == "TooManyAttempts"
    assert outcome(name="boris", address=HOME, cookie=cookie) == "in"


@pytest.mark.parametrize("made_up", ["", "x", "W10:1:x", "\udcff", "a" * 5000])
def test_a_cookie_that_is_not_ours_is_a_strangers(made_up: str) -> None:
    assert Browser.unseal(made_up) == Browser()


def test_a_browser_keeps_its_name_and_the_last_few_people() -> None:
    first = Browser().also_of("1")
    browser = first
    for number in range(20):
        browser = browser.also_of(str(number))

    assert browser.name == first.name != ""
    assert browser.marks == tuple(str(number) for number in range(19, 11, -1))
    assert Browser.unseal(browser.seal()) == browser
    assert len(browser.seal()) < caller.LONGEST


def test_a_browser_is_known_for_as_long_as_administrators_say(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = known_browser()
    guesses(ACCOUNT.at_once)
    tomorrow = time.time() + 86_401
    monkeypatch.setattr(signing, "time", SimpleNamespace(time=lambda: tomorrow))
    assert outcome(address=OFFICE, cookie=cookie) == "in"

    KnownNetwork.objects.all().delete()
    change(limit_options.KNOWN_BROWSER_DAYS, 1)
    assert outcome(address=OFFICE, cookie=cookie) == "TooManyAttempts"


def test_the_limit_in_all_is_what_hashing_can_bear() -> None:
    """One hash takes a tenth of a second."""
    assert timedelta(seconds=0.1) / ALL.every <= 0.5
