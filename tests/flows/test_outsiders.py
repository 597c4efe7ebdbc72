"""What an outsider learns at each door where people sign in: nothing, and that slowly."""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any, Final

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher, make_password
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from enrollment import reasons
from enrollment.models import Attempt, AttemptStep
from enrollment.services import trace
from epmm import caller, rate_limit, settings_store
from epmm.models import AuditEntry
from tests import directories, factories
from tests.api.conftest import basic
from tests.directories import Slapd
from tests.factories import DIGITS, PASSWORD
from tests.flows.doors import ENROLLMENT, address_of, browser, post
from tests.portal.conftest import make_administrator
from tests.ports import free_port
from tests.self.conftest import EVERYTHING
from users.models import Authenticator, Directory, RegistrationPin, Role, User
from users.services import administrators, limits, pins, upkeep
from users.services.directory import client, sync

pytestmark = pytest.mark.django_db(transaction=True)
DOORS: Final = ("/admin/sign-in", "/my/sign-in", "/go", ENROLLMENT)
API: Final = "/api/v2/ping"
# Each with what `registration.requirement` says; where that is not heeded, a password is asked for.
ASKING: Final = (
    *((door, "password") for door in (*DOORS, API)),
    *((door, requirement) for door in ("/go", ENROLLMENT) for requirement in ("pin", "password_and_pin")),
)
# All as long as the others, or the length of the answer would differ by what was typed.
PEOPLE: Final = ("local", "admin", "off-1", "ldap1", "oidc1", "plain")
NOBODY: Final = "ghost"
# Right are PASSWORD and DIGITS.
HALVES: Final = (
    ("wrong", "000000"), (PASSWORD, "000000"), ("wrong", DIGITS),
    ("wrong", ""), (PASSWORD, ""), ("", "000000"), ("", DIGITS),
)  # fmt: skip
# What is new in each answer, whoever asks.
RANDOM: Final = (
    (r'"\w{64}"', "csrf"),
    (r"/enroll/sign-in/[\w:-]+", "state"),
    (r"'Expires': '[^']+'", "time"),
    (r"__Host-epmm-csrf=\w{32}; expires=[^;]+", "cookie"),
)


class CountingHasher(MD5PasswordHasher):
    algorithm = "counting"
    computed = 0

    def encode(self, password: str, salt: str) -> str:
        type(self).computed += 1
        return super().encode(password, salt)


def call(name: str) -> HttpResponse:
    """As a script, with a password."""
    answer: HttpResponse = browser().get(API, headers={"authorization": basic(name, "wrong")})  # type: ignore[assignment] # as above
    return answer


def whole(answer: HttpResponse, name: str) -> str:
    """All that comes over the wire, without what is new each time."""
    headers = {key: value for key, value in answer.headers.items() if key != "X-Request-ID"}
    cookies = [morsel.OutputString() for morsel in answer.cookies.values()]
    text = f"{answer.status_code} {headers} {cookies} {answer.content.decode()}"
    for pattern, word in RANDOM:
        text = re.sub(pattern, word, text)
    return re.sub(rf"\b{name}\b", "NAME", text)


@pytest.fixture
def everybody(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their passwords are hashed by the one who counts, and no new span of time begins, in which all is new."""
    monkeypatch.setattr(trace, "REPEAT_WITHIN", timedelta(days=36525))
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    factories.pin(factories.user("local", roles=(*EVERYTHING, Role.ADDE)))
    factories.pin(make_administrator("admin"), valid_for=-timedelta(hours=1))
    factories.pin(factories.user("off-1", is_active=False))
    factories.user("ldap1", password=None, source=User.Source.LDAP)
    factories.user("oidc1", password=None, source=User.Source.OIDC)
    factories.user("plain", roles=())


@pytest.mark.parametrize(("door", "requirement"), ASKING)
def test_whoever_does_not_know_the_password_or_pin_gets_the_same_answer_for_all_names(
    everybody: None, door: str, requirement: str
) -> None:
    settings_store.change("registration.requirement", requirement, actor="test")
    here = address_of(door)  # one for all: its length differs by chance
    attempt = call if door == API else partial(post, here)
    attempt("other")  # the first from there makes rows that the others find
    told = {}

    for name in (*PEOPLE, NOBODY):
        CountingHasher.computed = 0
        with CaptureQueriesContext(connection) as queries:
            answer = attempt(name)
        told[name] = (CountingHasher.computed, len(queries), whole(answer, name))

    assert {name: each for name, each in told.items() if each != told[NOBODY]} == {}
    assert told[NOBODY][0] == (2 if requirement == "password_and_pin" else 1)
    assert told[NOBODY][2].startswith("401" if door == API else "200")
    assert caller.COOKIE not in told[NOBODY][2]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Slapd, Slapd]]:
    folder = tmp_path_factory.mktemp("slapd")
    with directories.running(folder / "1") as first, directories.running(folder / "2") as second:
        for name in ("anna1", "novel"):
            first.add_person(name)
        second.add_person("berta")
        yield first, second


@pytest.fixture
def with_directories(everybody: None, servers: tuple[Slapd, Slapd]) -> None:
    """People of each directory with their PINs, somebody of whom only a directory knows, and more of ours."""
    client.forget_failures()
    for number, server in enumerate(servers, start=1):
        sync.run(directories.directory(server, f"Directory {number}"))
    User.objects.filter(user_id="novel").delete()
    for name in ("anna1", "berta"):
        factories.pin(User.objects.get(user_id=name))
    pins.consume(factories.pin(factories.user("spent")), "another sign-in")
    stale = factories.user("stale")
    factories.pin(stale)
    stale.password = make_password(PASSWORD, salt="short")  # to be hashed anew, once it was right
    stale.save()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What the directories are asked, each by its address."""
    handle = pytest.importorskip("ldap").ldapobject.SimpleLDAPObject  # it has no wheel
    questions: list[tuple[str, str]] = []

    def noted(name: str) -> None:
        really = getattr(handle, name)

        def ask(connection: Any, *arguments: Any, **options: Any) -> Any:
            questions.append((connection._uri, name))
            return really(connection, *arguments, **options)

        monkeypatch.setattr(handle, name, ask)

    noted("simple_bind_s")
    noted("search_ext")
    return questions


@pytest.mark.service("slapd")
@pytest.mark.parametrize("is_away", [False, True])
@pytest.mark.parametrize("door", ["/go", ENROLLMENT])
def test_whoever_knows_one_of_password_and_pin_is_not_told_so(
    with_directories: None, servers: tuple[Slapd, Slapd], asked: list[tuple[str, str]], door: str, *, is_away: bool
) -> None:
    settings_store.change("registration.requirement", "password_and_pin", actor="test")
    if is_away:
        Directory.objects.filter(name="Directory 2").update(url=f"ldaps://127.0.0.1:{free_port()}")
    here = address_of(door)
    told = {}

    for name in ("local", "admin", "stale", "spent", "anna1", "berta", "novel", NOBODY):
        post(here, name)  # the first for a name makes rows that the others find
        for known in (*HALVES, *([(PASSWORD, DIGITS)] if name in {"spent", "novel", NOBODY} else [])):
            client.forget_failures()
            asked.clear()
            CountingHasher.computed = 0
            with CaptureQueriesContext(connection) as queries:
                answer = post(here, name, *known)
            work = CountingHasher.computed, len(queries), sorted(asked)
            told[name, *known] = (*work, whole(answer, name).replace(DIGITS, "000000"))

    def of_nobody(password: str, pin: str) -> tuple[int, int, list[tuple[str, str]], str]:
        return told[NOBODY, "wrong" if password else "", "000000" if pin else ""]

    assert {each for each, was in told.items() if was != of_nobody(*each[1:])} == set()
    hashes, _statements, questions, text = of_nobody("wrong", "000000")
    for server in servers[: 1 if is_away else 2]:
        there = [step for url, step in questions if url == server.url]
        assert there == ["search_ext", "simple_bind_s", "simple_bind_s"]
    assert hashes == 2
    assert text.startswith("503" if is_away else "200")
    assert not User.objects.filter(user_id="novel").exists()
    assert [each.user.user_id for each in RegistrationPin.objects.exclude(used_at=None)] == ["spent"]
    for name in ("local", "stale", "anna1", *(() if is_away else ("berta",))):
        assert caller.COOKIE in post(here, name, PASSWORD, DIGITS).cookies, "who has both is let in"


@pytest.mark.parametrize("name", ["local", NOBODY])
@pytest.mark.parametrize("door", DOORS)
def test_whoever_tries_too_often_is_told_when_to_come_back_whatever_the_name(
    everybody: None, door: str, name: str
) -> None:
    answers = [post(door, name) for _ in range(7)]

    assert [answer.status_code for answer in answers] == [200] * 6 + [429]
    assert [answer.headers.get("Retry-After") for answer in answers[:6]] == [None] * 6
    assert 0 < (seconds := int(answers[-1].headers["Retry-After"])) <= 30
    assert f"Too many attempts. Try again in {seconds} seconds." in answers[-1].content.decode()
    entry = AuditEntry.objects.get(action="sign_in.limited")
    assert (entry.subject, entry.address) == ("local" if name == "local" else "unknown", "192.0.2.7")
    if door == ENROLLMENT:
        step = AttemptStep.objects.get(code=reasons.TOO_MANY_ATTEMPTS.code)
        assert (step.details, step.attempt.state) == ({"why": "failures"}, Attempt.State.FAILED)


def test_codes_new_passwords_and_pins_are_limited_likewise() -> None:
    settings_store.change("registration.requirement", "pin", actor="test")
    settings_store.change(limits.PINS.most.name, "1", actor="test")
    user = factories.user("local", roles=(*EVERYTHING, Role.ADDE))
    administrators.set_roles(user, ["user.view", "admin.manage"], actor="test")
    admins, theirs = browser(), browser()
    post("/admin/sign-in", "local", PASSWORD, by=admins)
    post("/my/sign-in", "local", PASSWORD, by=theirs)
    wrong = {"current": "wrong", "password": "staple in a drawer", "again": "staple in a drawer"}

    def last(by: Client, address: str, given: dict[str, str], times: int = 7) -> tuple[int, bool]:
        answer = [by.post(address, given) for _ in range(times)][-1]
        return answer.status_code, int(answer.headers.get("Retry-After", 0)) > 0

    assert last(theirs, "/my/pin", {}, times=2) == (429, True)
    assert last(admins, "/admin/account/password", wrong) == (429, True)
    assert last(theirs, "/my/password", wrong) == (429, True)
    Authenticator.objects.create(user=user, key=bytes(range(20)), confirmed=True)
    for door in ("/admin/sign-in", "/my/sign-in"):
        fresh = browser("198.51.100.1")
        post(door, "local", PASSWORD, by=fresh)
        assert last(fresh, f"{door}/code", {"code": "000000"}) == (429, True)
        assert upkeep.unlock(user, actor="test")


def test_a_flood_is_turned_away_with_a_page_and_known_browsers_pass_it(monkeypatch: pytest.MonkeyPatch) -> None:
    factories.user("local")
    known, flood = browser(), browser()
    post("/my/sign-in", "local", PASSWORD, by=known)
    monkeypatch.setattr(rate_limit, "_buckets", rate_limit.Buckets(per_second=0, burst=1))

    answers = [flood.get("/my/sign-in") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert "Try again in 5 seconds." in answers[1].content.decode()
    assert answers[1].headers["Retry-After"] == "5"
    assert known.get("/my/sign-in").status_code == 200
    assert known.get("/my/sign-in").status_code == 429
    of_a_device = flood.get("/.well-known/com.apple.remotemanagement", headers={"accept": "*/*"})
    assert (of_a_device.status_code, of_a_device.headers["Retry-After"]) == (429, "5")


@pytest.mark.parametrize("door", DOORS)
def test_the_right_password_makes_the_browser_known_by_a_cookie_that_opens_nothing(everybody: None, door: str) -> None:
    settings_store.change("ios.mdm.account_driven_device_enrollment", "on", actor="test")
    person = browser()

    post(door, "admin" if door == "/admin/sign-in" else "local", PASSWORD, by=person)

    cookie = person.cookies[caller.COOKIE]
    shape = {key: cookie[key] for key in ("httponly", "secure", "samesite", "path", "domain", "max-age")}
    assert shape == {
        "httponly": True, "secure": True, "samesite": "Lax", "path": "/", "domain": "", "max-age": caller.seconds()
    }  # fmt: skip
    other = browser()
    other.cookies[caller.COOKIE] = cookie.value
    assert other.get("/admin/users").status_code == 302
    assert other.get("/my/password").status_code == 302
