"""Sessions of people who sign in: another key whenever their rights change, and none for an enrollment."""

from collections.abc import Callable

import pytest
from django_otp.oath import totp

from epmm import caller, settings_store
from tests import factories
from tests.factories import PASSWORD
from tests.flows.doors import ENROLLMENT, browser, post
from tests.portal.conftest import make_administrator
from users.models import Authenticator, PersonSession, PortalSession, Role, User
from users.services import administrators, roles

pytestmark = pytest.mark.django_db(transaction=True)
Change = Callable[[User], object]


@pytest.mark.parametrize(
    ("door", "table", "out", "page", "granted", "taken"),
    [
        (
            "/admin/sign-in", PortalSession, "/admin/sign-out", "/admin/users",
            lambda user: administrators.set_roles(user, ["user.view", "logs.view"], actor="boss"),
            lambda user: administrators.set_roles(user, ["user.view"], actor="boss"),
        ),
        (
            "/my/sign-in", PersonSession, "/my/sign-out", "/my/password",
            lambda user: roles.grant(user, [Role.PORTAL_WIPE], actor="boss"),
            lambda user: roles.remove(user, [Role.PORTAL_WIPE], actor="boss"),
        ),
    ],
    ids=["portal", "user-portal"],
)  # fmt: skip
def test_a_session_has_another_key_after_each_sign_in_change_of_rights_and_sign_out(
    door: str, table: type[PortalSession | PersonSession], out: str, page: str, granted: Change, taken: Change
) -> None:
    make_administrator("boss")
    user = make_administrator("admin", ["user.view"])
    roles.grant(user, [Role.PORTAL], actor="boss")
    person, keys = browser(), []

    def look(status: int = 200) -> None:
        assert person.get(page).status_code == status
        keys.append(set(table.objects.values_list("session_key", flat=True)))

    for _ in range(2):
        post(door, "admin", PASSWORD, by=person)
        look()
    for change in (granted, taken):
        change(user)
        look()
    look()
    before = keys.pop()
    assert before == keys[-1]  # nothing has changed
    if door == "/admin/sign-in":
        person.post("/admin/confirm", {"password": PASSWORD})
        look()
    person.post("/admin/account/password" if table is PortalSession else "/my/password", renewed(PASSWORD))
    look()
    old = browser()
    old.cookies.update(person.cookies)
    person.post(out)
    look(302)
    assert old.get(page).status_code == 302
    assert [len(each) for each in keys] == [1] * (len(keys) - 1) + [0]
    assert len(set().union(*keys)) == len(keys) - 1


def renewed(password: str) -> dict[str, str]:
    return {"current": password, "password": "staple in a drawer", "again": "staple in a drawer"}


@pytest.mark.parametrize("door", ["/admin/sign-in", "/my/sign-in"])
def test_whoever_owes_a_code_is_not_signed_in_as_anybody_and_waits_for_ten_minutes(door: str) -> None:
    user = make_administrator("admin", ["user.view"])
    roles.grant(user, [Role.PORTAL], actor="test")
    other = make_administrator("boss")
    roles.grant(other, [Role.PORTAL], actor="test")
    Authenticator.objects.create(user=user, key=bytes(range(20)), confirmed=True)
    table = PortalSession if door == "/admin/sign-in" else PersonSession
    person = browser()
    post(door, "boss", PASSWORD, by=person)
    first = table.objects.get().session_key

    post(door, "admin", PASSWORD, by=person)
    waiting = table.objects.get()
    assert person.get("/admin/users" if table is PortalSession else "/my/password").status_code == 302
    assert 590 < (waiting.expire_date - waiting.started_at).total_seconds() < 610
    person.post(f"{door}/code", {"code": f"{totp(bytes(range(20))):06}"})
    assert len({first, waiting.session_key, table.objects.get().session_key}) == 3


def test_an_enrollment_has_no_session_and_each_sign_in_a_proof_of_its_own() -> None:
    factories.user("local", roles=(Role.ADDE,))
    settings_store.change("ios.mdm.account_driven_device_enrollment", "on", actor="test")
    User.objects.filter(user_id="local").update(managed_apple_account="local@mdm.example.test")
    person = browser()

    answers = [post(ENROLLMENT, "local", PASSWORD, by=person) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [308, 308]
    assert len({answer.headers["Location"] for answer in answers}) == 2
    assert set(person.cookies) == {caller.COOKIE}
    assert not PersonSession.objects.exists()
